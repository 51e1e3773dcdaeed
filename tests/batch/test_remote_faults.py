"""Stores that fail, and the copy of the manifest that is kept there."""

import shutil
import sqlite3

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from resolvent.batch import driver, store, worker
from resolvent.batch.executors.local import LocalExecutor, SharedSessions
from resolvent.batch.home import database
from resolvent.batch.many import restore_many
from resolvent.batch.places import as_place
from resolvent.errors import OutputError
from resolvent.image import Limits
from tests.batch.stores import IN, OUT, contents, statuses

pytestmark = pytest.mark.usefixtures("state")


def test_the_manifest_is_kept_here_with_a_copy_there(bucket, soft, state):
    restore_many([IN], OUT, **soft)
    file = database(as_place(OUT))
    assert file.is_relative_to(state)
    copy = bucket.cat_file(f"{OUT}/.resolvent/manifest.sqlite")
    assert copy.startswith(b"SQLite format 3")
    shutil.rmtree(state)  # another machine
    bucket.pipe_file(f"{IN}/b.png", contents(IN)["a.png"])
    report = restore_many([IN], OUT, resume=True, **soft)
    assert statuses(report) == ["skipped", "restored", "skipped", "skipped"]
    with sqlite3.connect(file) as known:
        assert known.execute("SELECT count(*) FROM photographs WHERE state = 'done'").fetchone() == (4,)


def test_the_machine_that_knows_of_fewer_runs_learns_of_the_others(bucket, soft, state, monkeypatch, tmp_path):
    restore_many([IN], OUT, **soft)
    monkeypatch.setenv("RESOLVENT_BATCHES", str(tmp_path / "other machine"))
    bucket.pipe_file(f"{IN}/b.png", contents(IN)["a.png"])
    assert statuses(restore_many([IN], OUT, resume=True, **soft))[1] == "restored"
    monkeypatch.setenv("RESOLVENT_BATCHES", str(state))
    assert statuses(restore_many([IN], OUT, resume=True, **soft)) == ["skipped"] * 4


def test_the_copy_of_a_run_that_was_stopped_knows_what_it_did(bucket, soft, state, monkeypatch):
    def stopped(image, kind, quality):
        if calls.append(kind) or len(calls) == 2:
            raise KeyboardInterrupt
        return encode(image, kind, quality)

    calls, encode = [], worker.encode_image
    with monkeypatch.context() as ctrl_c:
        ctrl_c.setattr(worker, "encode_image", stopped)
        with pytest.raises(KeyboardInterrupt):
            restore_many([IN], OUT, workers=1, **soft)
    shutil.rmtree(state)
    bucket.pipe_file(f"{IN}/a.png", contents(IN)["b.png"])  # without the copy, the output would be kept
    assert statuses(restore_many([IN], OUT, resume=True, **soft)) == ["restored"] * 4


def test_the_folder_of_the_manifests_is_named_where_it_cannot_be_made(bucket, soft, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RESOLVENT_BATCHES", str(tmp_path / "file"))
    with pytest.raises(OutputError, match=r"file/memory-.* cannot be made: .*; set RESOLVENT_BATCHES"):
        restore_many([IN], OUT, **soft)


def test_a_store_is_told_what_it_holds(bucket, soft, monkeypatch):
    told = {}
    pipe = MemoryFileSystem.pipe_file

    def noted(self, path, value, ContentType, **options):
        told[path.rpartition("/")[2]] = ContentType
        pipe(self, path, value, **options)

    monkeypatch.setitem(store.CONTENT_TYPES, "memory", "ContentType")
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", noted)
    restore_many([IN], OUT, **soft)
    assert told == {
        "a.png": "image/png", "b.png": "image/png", "c d.PNG": "image/png", "e.webp": "image/webp",
        "manifest.sqlite": "application/vnd.sqlite3", "results": "text/plain",
    }  # fmt: skip


def test_a_copy_that_is_damaged_ends_it_before_any_work(bucket, soft):
    bucket.pipe_file(f"{OUT}/.resolvent/manifest.sqlite", b"SQLite format 3\0" + bytes(4096))
    with pytest.raises(ValueError, match=r"manifest\.sqlite: is damaged"):
        restore_many([IN], OUT, **soft)
    assert not contents()


def test_a_copy_that_cannot_be_sent_is_a_warning(bucket, soft, monkeypatch):
    def denied(self, path, value, **options):
        if "manifest" in path:
            raise PermissionError("Access Denied")
        return pipe(self, path, value, **options)

    pipe = MemoryFileSystem.pipe_file
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", denied)
    report = restore_many([IN], OUT, **soft)
    assert statuses(report) == ["restored"] * 4
    assert report.exit_code == 0
    (warning,) = report.to_json()["warnings"]
    assert "manifest.sqlite: cannot be written: access is denied" in warning


def test_nothing_is_sent_of_a_result_that_is_not_whole(bucket, soft, monkeypatch):
    def dies(image, kind, quality):
        raise OSError("encoder")

    monkeypatch.setattr(worker, "encode_image", dies)
    report = restore_many([IN], OUT, workers=1, **soft)
    assert statuses(report) == ["failed"] * 4
    assert not contents()


def test_an_upload_whose_answer_was_lost_is_one(bucket, soft, monkeypatch):
    pipe = MemoryFileSystem.pipe_file

    def twice(self, path, value, **options):
        pipe(self, path, value, **options)
        if "manifest" not in path:
            pipe(self, path, value, **options)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", twice)
    assert statuses(restore_many([IN], OUT, **soft)) == ["restored"] * 4


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError("AccessDenied"), "access is denied; check the credentials"),
        (FileNotFoundError("NoSuchKey"), "there is no such object or bucket"),
        (fsspec.exceptions.FSTimeoutError(), "the store did not answer in time"),
        (RuntimeError("Unable to locate\ncredentials"), "Unable to locate"),
    ],
)
@pytest.mark.parametrize("method", ["cat_file", "pipe_file"])
def test_an_error_of_the_store_is_one_line_and_the_rest_goes_on(bucket, soft, monkeypatch, error, reason, method):
    real = getattr(MemoryFileSystem, method)

    def fails(self, path, *values, **options):
        if path.endswith("b.png"):
            raise error
        return real(self, path, *values, **options)

    monkeypatch.setattr(MemoryFileSystem, method, fails)
    report = restore_many([IN], OUT, **soft)
    assert statuses(report) == ["restored", "failed", "restored", "restored"]
    place = f"{IN}/b.png: cannot be read" if method == "cat_file" else f"{OUT}/b.png: cannot be written"
    assert report.results[1].reasons[0].startswith(f"{place}: {reason}")
    assert "\n" not in report.results[1].reasons[0]


def test_a_failure_of_the_store_is_tried_again(bucket, soft, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(MemoryFileSystem, "cat_file", lambda *_, **__: (_ for _ in ()).throw(TimeoutError))
        assert statuses(restore_many([IN], OUT, **soft)) == ["failed"] * 4
    assert statuses(restore_many([IN], OUT, resume=True, **soft)) == ["restored"] * 4


def test_a_folder_that_cannot_be_listed_is_one_line(bucket, album, soft, monkeypatch):
    find = MemoryFileSystem.find

    def denied(self, path, **options):
        if path == "/bucket/closed":
            raise PermissionError
        return find(self, path, **options)

    monkeypatch.setattr(MemoryFileSystem, "find", denied)
    report = restore_many(["memory://bucket/closed/", "memory://bucket/nothing/", album / "a.png"], OUT, **soft)
    assert statuses(report) == ["failed", "failed", "restored"]
    assert report.results[0].reasons[0].startswith("memory://bucket/closed: cannot be listed: access is denied")
    assert report.results[1].reasons[0].startswith("memory://bucket/nothing: holds no image")
    with pytest.raises(OutputError, match="memory://bucket/closed: cannot be listed: access is denied"):
        restore_many([album], "memory://bucket/closed/", **soft)


def test_a_bucket_that_is_not_there_ends_it_before_any_work(bucket, soft, monkeypatch):
    def missing(self, path, **options):
        if path.startswith(("/none", "/bucket/restored")):
            raise FileNotFoundError(path)
        return find(self, path, **options)

    find = MemoryFileSystem.find
    monkeypatch.setattr(MemoryFileSystem, "find", missing)
    with pytest.raises(OutputError, match="memory://none/out: cannot be listed: there is no such object or bucket"):
        restore_many([IN], "memory://none/out/", **soft)
    assert statuses(restore_many([IN], OUT, **soft)) == ["restored"] * 4


@pytest.mark.parametrize("foreign", [False, True])
def test_a_run_that_was_killed_goes_on(bucket, soft, foreign, monkeypatch):
    """The output may have been sent, but not noted; it is known by its bytes."""
    here = LocalExecutor(1, SharedSessions())  # another process does not see the store in this one's memory
    monkeypatch.setattr(driver, "ChildExecutor", lambda: here)
    restore_many([IN], OUT, **soft)
    done = contents()
    with sqlite3.connect(database(as_place(OUT))) as known:
        known.execute(
            "UPDATE photographs SET state = 'started', attempts = 1, input_sha256 = '', output_size = NULL, "
            "output_modified = NULL, output_sha256 = NULL WHERE output IN ('a.png', 'b.png')"
        )
    known.close()
    bucket.rm_file(f"{OUT}/b.png")
    if foreign:
        bucket.pipe_file(f"{OUT}/a.png", b"mine")
    report = restore_many([IN], OUT, resume=True, **soft)
    assert statuses(report) == ["failed" if foreign else "restored", "restored", "skipped", "skipped"]
    assert contents() == {**done, "a.png": b"mine" if foreign else done["a.png"]}


def test_what_is_wrong_with_an_input_is_said_of_its_url(bucket, soft):
    bucket.pipe_file(f"{IN}/b.png", contents(IN)["b.png"][:60])
    bucket.pipe_file(f"{IN}/a.png", b"")
    bucket.pipe_file(f"{IN}/trip/c d.PNG", contents(IN)["trip/c d.PNG"] + bytes(2_000_000))
    report = restore_many([IN], OUT, limits=Limits(megabytes=1), **soft)
    empty, broken, large, _ = (result.reasons[0] for result in report.results)
    assert empty == f"{IN}/a.png: it is empty"
    assert broken.startswith(f"{IN}/b.png: ")
    assert "the input" not in broken
    assert large == f"{IN}/trip/c d.PNG: more than 1 megabytes; raise that limit"
