"""What a batch makes of what it finds: kept, done again, adopted or refused, never skipped for being there."""

import errno
import os
import shutil
import subprocess
import sys
import threading
import time

import pytest

from resolvent.batch import jobs, many, resources, task, worker
from resolvent.batch.executors import child, local
from resolvent.batch.home import FOLDER
from resolvent.batch.manifest import Manifest
from resolvent.errors import InputError, UsageError
from resolvent.image import Image, Limits, write_image
from tests.batch.conftest import put, texture, tree


@pytest.fixture
def batch(album, tmp_path, soft):
    """Runs the batch: the results by name."""

    def call(**options):
        report = many.restore_many([album], tmp_path / "out", **{**soft, **options})
        return {str(result.source.relative_to(album)): result for result in report.results}

    return call


@pytest.fixture
def done(batch, tmp_path):
    """The output folder of a batch that is done."""
    assert {result.status for result in batch().values()} == {"restored"}
    return tmp_path / "out"


def contents(folder):
    return {name: (folder / name).read_bytes() for name in tree(folder)}


def again(results):
    return {name: result.reasons[0] for name, result in results.items() if result.status != "skipped"}


def test_what_is_done_is_kept_and_not_read_again(batch, done, monkeypatch):
    before = contents(done)
    monkeypatch.setattr(local, "perform", lambda *_, **__: pytest.fail("something was done again"))
    assert {result.status for result in batch(resume=True).values()} == {"skipped"}
    assert contents(done) == before


def test_an_input_that_changed_is_done_again_and_one_that_was_touched_is_not(batch, done, album, soft):
    put_again = album / "a.png"
    put_again.unlink()
    put(put_again, 77)
    os.utime(album / "b.png", ns=(1, 1))
    assert again(batch(resume=True)) == {"a.png": "done again: its input has changed"}
    expected = many.restore_many([put_again], done.parent / "fresh", **soft).results[0].target
    assert (done / "a.png").read_bytes() == expected.read_bytes()


def test_other_settings_do_it_again(batch, done):
    before = contents(done)
    results = batch(resume=True, sigma=30.0)
    assert set(again(results).values()) == {"done again: the settings have changed"}
    assert len(again(results)) == 4
    assert contents(done).keys() == before.keys()
    assert contents(done) != before
    batch(resume=True)
    assert contents(done) == before


@pytest.mark.parametrize("cut", [0, 60])
def test_a_damaged_output_is_done_again(batch, done, cut):
    before = contents(done)
    (done / "a.png").write_bytes(before["a.png"][:cut])
    (done / "b.png").unlink()
    assert again(batch(resume=True)) == {
        "a.png": "done again: its output was damaged",
        "b.png": "done again: its output was gone",
    }
    assert contents(done) == before


def test_an_output_that_someone_edited_is_refused_and_stays(batch, done):
    path = done / "a.png"
    path.unlink()
    put(path, 5)
    edited = path.read_bytes()
    results = batch(resume=True)
    assert results["a.png"].status == "failed"
    assert results["a.png"].reasons == (
        f"{path}: exists and was edited since it was written here: kept; move or delete it, then --resume",
    )
    assert path.read_bytes() == edited
    assert batch(overwrite=True)["a.png"].status == "restored"
    assert {result.status for result in batch(resume=True).values()} == {"skipped"}


def test_a_copied_output_folder_goes_on(batch, done, tmp_path, album, soft):
    """Times of files and the place of the folder may differ; bytes decide."""
    shutil.copytree(done, tmp_path / "moved", copy_function=shutil.copyfile)
    report = many.restore_many([album], tmp_path / "moved", **soft, resume=True)
    assert report.counts["skipped"] == 4


def test_without_a_manifest_only_what_verifies_is_adopted(batch, done, album, tmp_path):
    shutil.rmtree(done / FOLDER)
    whole = contents(done)
    (done / "b.png").write_bytes(whole["b.png"][:90])
    os.utime(done / "trip/c d.PNG", ns=(1, 1))
    write_image(Image.from_array(texture(1)[:7]), done / "trip/ü/e.webp", overwrite=True)
    reasons = {name: result.reasons[0].partition(": exists and ")[2] for name, result in batch(resume=True).items()}
    assert reasons == {
        "a.png": "",
        "b.png": "is no whole image: kept; move or delete it, then --resume",
        "trip/c d.PNG": "is older than its input: kept; move or delete it, then --resume",
        "trip/ü/e.webp": "is not of the size of its input, or a multiple of it: kept; move or delete it, then --resume",
    }
    with Manifest.open(done, create=False) as manifest:
        entry = manifest.entry(done / "a.png")
    assert (entry.state, entry.result["status"]) == ("done", "skipped")
    (done / "a.png").write_bytes(b"")
    assert again(batch(resume=True))["a.png"] == "done again: its output was damaged"


def test_what_failed_is_tried_again_only_if_something_changed(batch, album, tmp_path):
    broken = album / "broken.png"
    broken.write_bytes((album / "a.png").read_bytes()[:200])
    assert batch()["broken.png"].status == "failed"
    told = batch(resume=True)["broken.png"]
    assert (told.status, told.reasons[-1]) == ("failed", "it failed before; --retry-failed tries it again")
    retried = batch(resume=True, retry_failed=True)["broken.png"]
    assert (retried.status, len(retried.reasons)) == ("failed", 1)
    broken.write_bytes((album / "a.png").read_bytes() + b"x")
    assert batch(resume=True)["broken.png"].status == "restored"
    with pytest.raises(UsageError, match=r"retry_failed: needs resume \(--resume\)"):
        batch(retry_failed=True)


def test_a_limit_that_was_raised_is_a_reason_to_try_again(batch):
    assert {result.status for result in batch(limits=Limits(megapixels=0.0001)).values()} == {"failed"}
    assert {result.status for result in batch(limits=Limits(megapixels=0.0001), resume=True).values()} == {"failed"}
    assert {result.status for result in batch(resume=True).values()} == {"restored"}


def test_inputs_that_vanish_are_one_line_each_and_come_back(batch, album, tmp_path, soft, monkeypatch):
    path = album / "a.png"
    content = path.read_bytes()
    found = jobs.find_jobs

    def find(*arguments, **options):
        result = found(*arguments, **options)
        path.unlink(missing_ok=True)
        return result

    with monkeypatch.context() as context:
        context.setattr(many, "find_jobs", find)
        results = batch()
    assert "No such file" in results["a.png"].reasons[0]
    assert [result.status for result in results.values()].count("restored") == 3
    path.write_bytes(content)
    assert batch(resume=True)["a.png"].status == "restored"


def test_the_same_photograph_is_restored_once_and_copied(album, tmp_path, soft):
    shutil.copyfile(album / "a.png", album / "trip/same.png")
    shutil.copyfile(album / "a.png", album / "same.PNG")
    for options in ({}, {"overwrite": True}):
        report = many.restore_many([album], tmp_path / "out", **soft, **options)
        copied = [r.target.name for r in report.results if r.reasons[-1].startswith("the same photograph as")]
        assert copied == ["same.PNG", "same.png"]
        whole = (tmp_path / "out/a.png").read_bytes()
        assert (tmp_path / "out/trip/same.png").read_bytes() == whole == (tmp_path / "out/same.PNG").read_bytes()
    (tmp_path / "out/trip/same.png").unlink()
    (tmp_path / "out/a.png").unlink()
    report = many.restore_many([album], tmp_path / "out", **soft, resume=True)
    assert report.counts == {"restored": 2, "unchanged": 0, "skipped": 4, "failed": 0}
    assert (tmp_path / "out/trip/same.png").read_bytes() == whole


def test_a_second_run_on_the_folder_is_one_line(done, album, soft, run, tiny):
    with Manifest.open(done, create=False):
        with pytest.raises(UsageError, match="another resolvent works in this folder; wait for it, or stop it"):
            many.restore_many([album], done, **soft)
        code, out, err = run("restore", album, "-o", done, "-m", tiny[2], "--resume")
        assert (code, out, len(err.splitlines())) == (2, "", 1)


def test_a_damaged_manifest_is_one_line(batch, done):
    (done / FOLDER / "manifest.sqlite").write_bytes(b"not a database" * 500)
    with pytest.raises(InputError, match=r"is damaged .*; delete it, and outputs that are whole are kept"):
        batch(resume=True)


def test_what_decides_bytes_is_pinned_when_a_batch_begins(batch, done, tmp_path, monkeypatch):
    """A run that goes on while less memory is free cuts the same tiles."""
    with Manifest.open(done, create=False) as manifest:
        before = manifest.fact("pins")
    seen = []
    perform = local.perform

    def watched(task, *rest, **options):
        seen.append(task)
        return perform(task, *rest, **options)

    monkeypatch.setattr(local, "perform", watched)
    monkeypatch.setattr(resources, "available_memory", lambda: 2**30)
    (done / "a.png").unlink()
    batch(resume=True)
    assert [task.request.memory for task in seen] == [before["memory"]]
    with Manifest.open(done, create=False) as manifest:
        assert manifest.fact("pins") == before


def test_a_large_photograph_has_all_threads_for_itself(batch, monkeypatch, tmp_path):
    opened = []
    open_session = local.open_session
    monkeypatch.setattr(local, "open_session", lambda *call: opened.append(call[2]) or open_session(*call))
    monkeypatch.setattr(resources, "PIXEL", 2**40)
    monkeypatch.setattr(resources, "usable_cpus", lambda: 3)
    assert {result.status for result in batch().values()} == {"restored"}
    assert opened == [1, None]
    with Manifest.open(tmp_path / "out", create=False) as manifest:
        assert manifest.fact("pins")["largest"] == 1


def test_names_that_only_differ_in_case_are_told_apart_where_the_disk_does_not(tmp_path, soft, monkeypatch):
    first, second = put(tmp_path / "x/IMG.png", 1), put(tmp_path / "y/img.png", 2)
    monkeypatch.setattr(jobs, "folds_case", lambda folder: True)
    with pytest.raises(UsageError, match=r"would both become .*img\.png; restore them separately"):
        many.restore_many([first, second], tmp_path / "out", **soft)
    monkeypatch.undo()
    many.restore_many([first, second], tmp_path / "out", **soft)
    assert tree(tmp_path / "out") == ["IMG.png", "img.png"]


def test_any_name_is_known_again(tmp_path, soft):
    names = ["new\nline.png", "x" * 247 + ".png", os.fsdecode(b"not utf-8 \xff.png"), "100%?#.png", "a.png", "a.jpg"]
    for seed, name in enumerate(names):
        put(tmp_path / "in" / name, seed)
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/link.png").symlink_to(tmp_path / "in/a.png")
    report = many.restore_many([tmp_path / "in"], tmp_path / "out", **soft, ext="png")
    assert report.counts["restored"] == len(names)
    assert {"a.jpg.png", "a.png"} <= set(tree(tmp_path / "out"))
    report = many.restore_many([tmp_path / "in"], tmp_path / "out", **soft, ext="png", resume=True)
    assert report.counts["skipped"] == len(names)


FULL = """
import sys
import threading
import time
from pathlib import Path
from resolvent.batch.many import restore_many
album, out, model, ballast = map(Path, sys.argv[1:])
waited = []
def on_full(path):
    waited.append(path)
    ballast.unlink(missing_ok=True)  # someone makes room
    return len(waited) < 50
report = restore_many([album], out, model=model, sigma=20.0, on_full=on_full)
print(len(waited) > 0, report.counts["restored"], report.stopped)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system of its own")
def test_a_full_disk_waits_for_room_and_loses_nothing(tmp_path, tiny):
    for seed in range(6):
        put(tmp_path / f"in/{seed}.png", seed, (96, 96))
    (tmp_path / "disk").mkdir()
    disk = tmp_path / "disk"
    script = (
        f"mount -t tmpfs -o size=400k none '{disk}' || exit 77; head -c 250k /dev/zero > '{disk}/ballast'; "
        f"'{sys.executable}' -c '{FULL}' '{tmp_path}/in' '{disk}/out' '{tiny[2]}' '{disk}/ballast' "
        f"&& cp -r '{disk}/out' '{tmp_path}/kept'"
    )
    ended = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False)
    if ended.returncode == 77 or "unshare failed" in ended.stderr:
        pytest.skip("this system lets nobody mount a file system")
    assert ended.stdout.split() == ["True", "6", "None"], ended.stderr
    whole = many.restore_many([tmp_path / "in"], tmp_path / "whole", model=tiny[2], sigma=20.0)
    assert whole.counts["restored"] == 6
    assert contents(tmp_path / "kept") == contents(tmp_path / "whole")
    assert not list((tmp_path / "kept").rglob("*.part"))


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
def test_another_number_of_workers_changes_nothing_of_how_a_photograph_is_restored(batch, monkeypatch, before, after):
    """Threads of a session, and what counts as large, are as when the batch began."""
    seen, perform = [], local.perform

    def watched(task, sessions, *rest, **options):
        def opener(model, runtime, threads):
            seen.append(threads)
            return sessions(model, runtime, threads)

        return perform(task, opener, *rest, **options)

    monkeypatch.setattr(local, "perform", watched)
    batch(workers=before)
    first = set(seen)
    seen.clear()
    batch(resume=True, sigma=30.0, workers=after)
    assert set(seen) == first == ({None} if before == 1 else {1})


def test_who_is_alone_waits_for_the_others_and_keeps_them_out():
    gate, inside, most = task.Gate(), [], []

    def work(alone):
        with gate.by_itself() if alone else gate.beside_others():
            inside.append(alone)
            most.append(list(inside))
            time.sleep(0.002)
            inside.remove(alone)

    threads = [threading.Thread(target=work, args=(number % 3 == 0,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    together = [held for held in most if len(held) > 1]
    assert len(most) == 24
    assert together
    assert not any(True in held for held in together)


def test_a_run_that_forgot_to_say_resume_is_one_line_and_changes_nothing(batch, done):
    before = contents(done)
    (done / "a.png").unlink()
    with pytest.raises(UsageError, match="out: 3 of 4 outputs are there; give --resume, which keeps them and does the"):
        batch()
    assert {name: result.status for name, result in batch(resume=True).items() if result.status != "skipped"} == {
        "a.png": "restored"
    }
    assert contents(done) == before


def test_an_edit_that_was_taken_back_is_no_change_of_the_settings(batch, done):
    path = done / "a.png"
    content = path.read_bytes()
    path.unlink()
    put(path, 5)
    assert batch(resume=True)["a.png"].status == "failed"
    path.write_bytes(content)
    assert batch(resume=True)["a.png"].status == "skipped"
    with Manifest.open(done, create=False) as manifest:
        assert manifest.counts()["failed"] == 0


def test_an_output_of_another_photograph_is_never_replaced(batch, done, album, tmp_path, soft):
    """Two folders whose photographs have the same names go into one output folder."""
    before = contents(done)
    for seed, name in enumerate(sorted(tree(album))):
        put(tmp_path / "second" / name, 30 + seed)
    report = many.restore_many([tmp_path / "second"], done, **soft, resume=True)
    assert report.results[0].reasons == (
        f"{done}/a.png: exists and is the result of {album}/a.png, another photograph: move it away, or give another "
        "output folder",
    )
    assert report.counts["failed"] == 4
    assert contents(done) == before
    assert {result.status for result in batch(resume=True).values()} == {"skipped"}
    album.rename(tmp_path / "moved")
    (tmp_path / "moved/a.png").unlink()
    put(tmp_path / "moved/a.png", 77)
    report = many.restore_many([tmp_path / "moved"], done, **soft, resume=True)
    assert report.counts == {"restored": 1, "unchanged": 0, "skipped": 3, "failed": 0}


def test_what_failed_for_a_passing_reason_is_done_again_though_an_older_output_is_there(
    batch, done, album, tmp_path, soft, monkeypatch
):
    (album / "a.png").unlink()
    put(album / "a.png", 77)

    def write_image(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as context:
        context.setattr(worker, "write_image", write_image)
        assert batch(resume=True)["a.png"].status == "failed"
    assert again(batch(resume=True)) == {"a.png": "done again: it failed before"}
    expected = many.restore_many([album / "a.png"], tmp_path / "fresh", **soft).results[0].target
    assert (done / "a.png").read_bytes() == expected.read_bytes()


def killed_before_it_was_noted(folder, *, with_output):
    """The manifest as a run leaves it that was killed when an output had its name, and that was not noted yet."""
    with Manifest.open(folder, create=False) as manifest:
        manifest.connection.execute("UPDATE photographs SET state = 'started'")
        if not with_output:
            manifest.connection.execute("UPDATE photographs SET output_sha256 = NULL")


def test_what_a_killed_run_wrote_is_not_taken_for_the_result_of_an_input_that_was_replaced(batch, done, album):
    killed_before_it_was_noted(done, with_output=False)
    before = contents(done)
    (album / "a.png").unlink()
    put(album / "a.png", 77)
    os.utime(album / "a.png", ns=(1, 1))
    for _ in range(2):
        told = batch(resume=True)
        assert told["a.png"].reasons[0].partition(": exists and ")[2] == (
            "is not known to be of this version of its input: kept; move or delete it, then --resume"
        )
        assert [result.status for result in told.values()].count("failed") == 1
    assert contents(done) == before


def test_an_output_that_cannot_be_read_is_the_failure_of_one_photograph(batch, done):
    killed_before_it_was_noted(done, with_output=True)
    (done / "a.png").unlink()
    (done / "a.png").mkdir()
    told = batch(resume=True)
    assert told["a.png"].reasons == (f"{done}/a.png: is a folder; give another output",)
    assert [result.status for result in told.values()].count("failed") == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_called_like_a_photograph_and_is_no_file_is_one_failure(batch, album):
    os.mkfifo(album / "pipe.png")
    (album / "zero.png").symlink_to("/dev/zero")
    results = batch()
    assert [name for name, result in results.items() if result.status == "failed"] == ["pipe.png", "zero.png"]
    assert results["pipe.png"].reasons == (f"{album}/pipe.png: it is not a file; give the path of an image",)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_on_event_raises_ends_the_batch_and_is_no_failure_of_a_photograph(batch, tmp_path, workers):
    def on_event(event):
        if event.plan is not None and event.result is None:
            raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        batch(on_event=on_event, workers=workers)
    with Manifest.open(tmp_path / "out", create=False) as manifest:
        assert manifest.counts() == {"waiting": 4, "started": 0, "done": 0, "failed": 0}
    assert {result.status for result in batch(resume=True).values()} == {"restored"}


def test_a_batch_goes_on_from_another_folder_and_by_another_path_of_its_model(album, tmp_path, soft, monkeypatch):
    monkeypatch.chdir(tmp_path)
    many.restore_many(["album"], "out", **soft)
    shutil.copyfile(soft["model"], album / "model.onnx")
    monkeypatch.chdir(album)
    report = many.restore_many(["."], "../out", model="model.onnx", sigma=20.0, resume=True)
    assert report.counts["skipped"] == 4
    with Manifest.open(tmp_path / "out", create=False) as manifest:
        assert {entry.input.parent.parts[: len(album.parts)] for entry in manifest.entries()} == {album.parts}


def test_what_lies_in_the_folder_where_it_is_started_is_not_run(batch, done, tmp_path, monkeypatch):
    """A child that does a suspect photograph again imports what this process would."""
    killed_before_it_was_noted(done, with_output=True)
    (tmp_path / "cwd").mkdir()
    (tmp_path / "cwd/numpy.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path / "cwd")
    assert {result.status for result in batch(resume=True).values()} == {"restored"}


@pytest.mark.parametrize(("column", "value"), [("result", b"\xff\xfe"), ("result", "{"), ("state", b"\xff")])
def test_a_manifest_with_damaged_rows_is_one_line(batch, done, run, column, value):
    with Manifest.open(done, create=False) as manifest:
        manifest.connection.execute(f"UPDATE photographs SET {column} = CAST(? AS TEXT)", (value,))
    with pytest.raises(InputError, match=r"is damaged .*; delete it, and outputs that are whole are kept"):
        batch(resume=True)
    code, _, err = run("batch", "report", done)
    assert (code, len(err.splitlines())) == (1, 1)
    assert "is damaged" in err


def test_what_ended_the_program_stays_suspect_though_its_second_attempt_is_interrupted(batch, done, album, monkeypatch):
    (done / "a.png").unlink()
    with Manifest.open(done, create=False) as manifest:
        manifest.connection.execute("UPDATE photographs SET state = 'started', attempts = 1 WHERE output = 'a.png'")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(child.ChildExecutor, "map", lambda self, tasks, watch: map(interrupted, tasks))
        with pytest.raises(KeyboardInterrupt):
            batch(resume=True)
    with Manifest.open(done, create=False) as manifest:
        entry = manifest.entry(done / "a.png")
    assert (entry.state, entry.attempts) == ("started", 1)
    assert batch(resume=True)["a.png"].status == "restored"


def test_an_interrupt_in_the_middle_of_a_commit_makes_nothing_suspect(batch, tmp_path, monkeypatch):
    run, commits = Manifest._run, []

    def interrupted(self, statement, *values):
        done = run(self, statement, *values)
        commits.extend([statement] * (statement == "COMMIT"))
        if len(commits) == 3 and statement == "COMMIT":  # of the settings, of the list, of the first photograph
            raise KeyboardInterrupt
        return done

    with monkeypatch.context() as context:
        context.setattr(Manifest, "_run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            batch()
    with Manifest.open(tmp_path / "out", create=False) as manifest:
        assert {(entry.state, entry.attempts) for entry in manifest.entries()} == {("waiting", 0)}


@pytest.mark.skipif(os.name == "nt", reason="no shell")
def test_a_child_that_does_not_start_is_no_fault_of_the_photograph(batch, done, tmp_path, monkeypatch):
    killed_before_it_was_noted(done, with_output=True)
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 7\n")
    broken.chmod(0o755)
    with monkeypatch.context() as context:
        context.setattr(sys, "executable", str(broken))
        told = batch(resume=True)
    assert "the process that does it by itself did not start (code 7)" in told["a.png"].reasons[0]
    assert {result.status for result in told.values()} == {"failed"}
    assert {result.status for result in batch(resume=True).values()} == {"restored"}
