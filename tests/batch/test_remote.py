"""Photographs in stores, by fsspec's file system in memory."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from resolvent.batch import store
from resolvent.batch.jobs import Job, find_jobs
from resolvent.batch.many import restore_many
from resolvent.batch.places import Url, as_place
from resolvent.errors import MissingDependencyError, OutputError, UsageError
from resolvent.image import Image, Limits, write_image
from tests.batch.conftest import put, tree
from tests.batch.stores import IN, OUT, contents, statuses

pytestmark = pytest.mark.usefixtures("state")

NAMES = ["a.png", "b.png", "trip/c d.PNG", "trip/ü/e.webp"]


@pytest.fixture
def expected(album, tmp_path, soft):
    """What restoring the same files without a store gives."""
    out = tmp_path / "expected"
    restore_many([album], out, **soft)
    return {name: (out / name).read_bytes() for name in tree(out)}


def test_a_store_gives_the_bytes_that_files_give(bucket, album, tmp_path, soft, expected):
    before = contents(IN)
    report = restore_many([f"{IN}/"], f"{OUT}/", **soft)
    assert statuses(report) == ["restored"] * 4
    assert [str(result.source) for result in report.results] == [f"{IN}/{name}" for name in NAMES]
    assert report.to_json()["results"][2]["output"] == f"{OUT}/trip/c d.PNG"
    assert report.ignored == {".txt": 1}
    assert contents() == expected
    assert contents(IN) == before
    assert contents()["a.png"] != before["a.png"]
    restore_many([IN], tmp_path / "fetched", **soft)
    assert {name: (tmp_path / "fetched" / name).read_bytes() for name in tree(tmp_path / "fetched")} == expected
    restore_many([album], "memory://bucket/sent", **soft)
    assert contents("memory://bucket/sent") == expected


def test_outputs_beside_their_inputs_are_not_read_again(bucket, soft):
    restore_many([IN], **soft)
    names = set(contents(IN))
    assert {"a.restored.png", "trip/ü/e.restored.webp"} <= names
    report = restore_many([IN], resume=True, **soft)
    assert statuses(report) == ["skipped"] * 4
    assert set(contents(IN)) == names


def test_results_among_the_objects_are_not_read_again(bucket, soft):
    restore_many([IN], f"{IN}/first", **soft)
    report = restore_many([IN], f"{IN}/second", **soft)
    assert set(contents(f"{IN}/second")) == set(contents(f"{IN}/first"))
    assert [str(url) for url in report.earlier] == [f"{IN}/first"]


def test_one_object_to_another_name(bucket, soft):
    (result,) = restore_many([f"{IN}/a.png"], "memory://bucket/new/x.jpg", **soft).results
    assert result.status == "restored"
    assert contents("memory://bucket/new")["x.jpg"].startswith(b"\xff\xd8")
    (refused,) = restore_many([f"{IN}/b.png"], "memory://bucket/new/x.jpg", **soft).results
    assert refused.reasons[0].startswith("memory://bucket/new/x.jpg: exists; choose another output, or give")


def test_resume_asks_for_nothing_of_what_is_done(bucket, soft, monkeypatch):
    """Two listings tell all of it: in a store of 100,000 photographs, each question takes time and costs money."""
    restore_many([IN], OUT, **soft)
    done = contents()
    bucket.rm_file(f"{OUT}/b.png")
    asked = []
    for method in ("info", "cat_file"):
        real = getattr(MemoryFileSystem, method)
        monkeypatch.setattr(
            MemoryFileSystem, method, lambda self, path, *rest, real=real: asked.append(path) or real(self, path, *rest)
        )
    report = restore_many([f"{IN}/"], OUT, resume=True, **soft)
    assert statuses(report) == ["skipped", "restored", "skipped", "skipped"]
    assert report.results[1].reasons[0] == "done again: its output was gone"
    assert contents() == done
    assert asked.count("/bucket/scans/b.png") == 2
    assert not [path for path in asked if path.endswith(("a.png", "c d.PNG", "e.webp"))]


def test_what_has_changed_is_seen(bucket, soft):
    restore_many([IN], OUT, **soft)
    done = contents()
    bucket.pipe_file(f"{IN}/a.png", contents(IN)["b.png"])
    bucket.pipe_file(f"{OUT}/b.png", done["b.png"][: len(done["b.png"]) // 2])
    bucket.pipe_file(f"{OUT}/trip/c d.PNG", done["a.png"])
    bucket.pipe_file(f"{IN}/trip/ü/e.webp", contents(IN)["trip/ü/e.webp"])  # the same bytes, sent again
    report = restore_many([IN], OUT, resume=True, **soft)
    assert [result.reasons[0] for result in report.results] == [
        "done again: its input has changed",
        "done again: its output was damaged",
        f"{OUT}/trip/c d.PNG: exists and was edited since it was written here: kept; move or delete it, then --resume",
        "output exists",
    ]
    assert contents() == {**done, "a.png": done["b.png"], "trip/c d.PNG": done["a.png"]}


def test_what_is_there_is_not_replaced(bucket, soft, monkeypatch):
    bucket.pipe_file(f"{OUT}/a.png", b"mine")
    report = restore_many([IN], OUT, **soft)
    assert statuses(report) == ["failed", "restored", "restored", "restored"]
    assert contents()["a.png"] == b"mine"
    assert "exists" in report.results[0].reasons[0]
    (refused, *_) = restore_many([IN], OUT, resume=True, **soft).results
    assert refused.reasons[0].startswith(f"{OUT}/a.png: exists and is no whole image")
    assert statuses(restore_many([IN], OUT, overwrite=True, **soft)) == ["restored"] * 4
    assert contents()["a.png"].startswith(b"\x89PNG")


def test_what_appears_meanwhile_is_not_replaced(bucket, soft, monkeypatch):
    """The store itself refuses, for nobody looks between the look and the upload."""
    pipe = MemoryFileSystem.pipe_file

    def late(self, path, value, **options):
        if path.endswith("a.png"):
            pipe(self, path, b"mine")
        pipe(self, path, value, **options)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", late)
    report = restore_many([IN], OUT, **soft)
    assert statuses(report) == ["failed", "restored", "restored", "restored"]
    assert "exists" in report.results[0].reasons[0]
    assert contents()["a.png"] == b"mine"


def test_an_object_that_is_named_as_another_format_is_told_of(bucket, tmp_path, soft):
    bucket.pipe_file(f"{IN}/b.jpg", contents(IN)["b.png"])
    for output in (OUT, tmp_path):
        (result,) = restore_many([f"{IN}/b.jpg"], output, **soft).results
        assert result.warnings == ("is PNG, although its name ends in .jpg",)


def test_a_large_object_is_not_downloaded(bucket, soft, monkeypatch):
    monkeypatch.setattr(MemoryFileSystem, "cat_file", lambda *_, **__: pytest.fail("downloaded"))
    report = restore_many([IN], OUT, limits=Limits(megabytes=0.0001), **soft)
    assert {result.reasons[0].partition(": ")[2] for result in report.results} == {
        "more than 0.0001 megabytes; raise that limit"
    }


def test_a_key_cannot_lead_out_of_the_output_folder(bucket, tmp_path, soft):
    whole = contents(IN)["a.png"]
    for name in ("../out.png", "trip/../../up.png", "/etc/x.png", "nul\0.png"):
        MemoryFileSystem.store[f"/bucket/scans/{name}"] = file = bucket.open("/bucket/other", "wb")
        file.write(whole)
    report = restore_many([IN], tmp_path / "deep/out", **soft)
    assert tree(tmp_path / "deep") == [f"out/{name}" for name in sorted([*NAMES, "etc/x.png"])]
    assert [result.reasons[0].partition(": ")[2] for result in report.results if result.status == "failed"] == [
        "its name is none that a file can have; rename it"
    ]


def test_files_and_objects_are_told_apart(bucket, album, soft):
    report = restore_many([IN, album], OUT, **soft)
    assert statuses(report) == ["restored"] * 8
    found = sorted(contents())
    assert found[:4] == [f"memory/bucket/scans/{name}" for name in NAMES]
    assert len(found) == 8


def test_maps_of_errors_are_sent_too(bucket, headed, tmp_path):
    from dataclasses import replace

    import onnx

    from resolvent.models.export import write
    from resolvent.models.registry import read_card

    write(onnx.load(headed), replace(read_card(headed), uncertainty={"factor": 1.0, "wide": 2.0, "images": 9}), headed)
    noise = np.random.default_rng(0).normal(128, 20, (40, 48, 3)).clip(0, 255).astype(np.uint8)
    write_image(Image.from_array(noise), tmp_path / "n.png")
    options = {"model": headed, "sigma": 20.0, "uncertainty": True}
    restore_many([tmp_path / "n.png"], tmp_path / "out", **options)
    (result,) = restore_many([tmp_path / "n.png"], OUT, **options).results
    names = ["n.png", "n.uncertainty.png", "n.uncertainty.tif"]
    assert sorted(contents()) == names
    assert contents() == {name: (tmp_path / "out" / name).read_bytes() for name in names}
    assert result.to_json()["half_widths"] == f"{OUT}/n.uncertainty.tif"
    bucket.rm_file(f"{OUT}/n.png")
    (result,) = restore_many([tmp_path / "n.png"], OUT, **options).results
    assert result.reasons == (
        f"{OUT}/n.uncertainty.tif: exists; choose another output, or give --resume or --overwrite",
    )


@pytest.mark.parametrize(
    ("inputs", "output", "options", "message"),
    [
        (IN, OUT, {"keep_time": True}, "keep_time: is for files"),
        (IN, "sftp://host/out", {}, "sftp://host/out.*: outputs go to s3://"),
        ("foo://host/in", OUT, {}, "foo is no protocol that is known"),
        (IN, "s3://", {}, "names no bucket"),
        (IN, "https://me:secret@host/x", {}, "holds a password"),
        (IN, IN, {}, "is an input, and inputs are never replaced"),
    ],
)
def test_wrong_calls_are_refused_before_any_work(bucket, soft, inputs, output, options, message):
    before = dict(MemoryFileSystem.store)
    with pytest.raises((UsageError, OutputError), match=message) as caught:
        restore_many([inputs], output, **options, **soft)
    assert "secret" not in str(caught.value)
    assert before == MemoryFileSystem.store


@pytest.mark.parametrize(
    ("missing", "url", "message"),
    [
        ("fsspec", "s3://bucket", "needs fsspec, which is not installed; run: pip install 'resolvent[remote]'"),
        ("s3fs", "s3://bucket", "needs s3fs, which is not installed; run: pip install 'resolvent[remote]' s3fs"),
        (
            "aiohttp",
            "https://host",
            "needs aiohttp, which is not installed; run: pip install 'resolvent[remote]' requests aiohttp",
        ),
    ],
)
def test_a_missing_package_is_named(tmp_path, monkeypatch, missing, url, message):
    store._file_system.cache_clear()
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "fsspec.implementations.http", raising=False)
    with pytest.raises(MissingDependencyError) as caught:
        restore_many([f"{url}/scans/"], tmp_path)
    assert str(caught.value) == f"{url} {message}"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("s3://b/a//c.jpg", Url("s3", "b/a//c.jpg")),
        ("S3://b/a/", Url("s3", "b/a")),
        ("C://x/a.jpg", Path("C://x/a.jpg")),
        ("a.jpg", Path("a.jpg")),
        (b"\xff.jpg".decode(errors="surrogateescape"), Path(b"\xff.jpg".decode(errors="surrogateescape"))),
        (Path("s3://b/a"), Path("s3:/b/a")),
    ],
)
def test_a_url_is_told_from_a_path(text, place):
    assert as_place(text) == place


@pytest.mark.skipif(sys.platform == "win32", reason="drives")
def test_a_file_url_is_a_path():
    assert as_place("file:///a%20b/c.jpg") == Path("/a b/c.jpg")
    with pytest.raises(UsageError, match="names a machine"):
        as_place("file://host/a.jpg")


def test_a_name_that_is_not_utf_8_has_no_url(album, soft):
    name = b"\xff.png".decode(errors="surrogateescape")
    try:
        (album / "a.png").rename(album / name)
    except OSError:
        pytest.skip("a file system of UTF-8")
    report = restore_many([album], OUT, **soft)
    assert sorted(statuses(report)) == ["failed", "restored", "restored", "restored"]
    failed = next(result for result in report.results if result.status == "failed")
    assert failed.reasons[0].endswith("the name is not UTF-8, as a URL has to be; rename the input")


def test_a_job_travels(bucket):
    job = find_jobs([IN], OUT).jobs[0]
    assert pickle.loads(pickle.dumps(job)) == job
    assert job == Job(as_place(f"{IN}/a.png"), as_place(f"{OUT}/a.png"))


def test_a_dry_run_writes_nothing(bucket, soft, state):
    before = dict(MemoryFileSystem.store)
    assert statuses(restore_many([IN], OUT, dry_run=True, **soft)) == ["restored"] * 4
    assert before == MemoryFileSystem.store
    assert not state.exists()


def test_the_command_line_takes_urls(bucket, run, soft, tmp_path):
    put(tmp_path / "x.png")
    shell = ["-m", soft["model"], "--sigma", 20, "--json"]
    MemoryFileSystem.store["/bucket/scans//z.png"] = file = bucket.open("/bucket/z", "wb")
    file.write((tmp_path / "x.png").read_bytes())
    code, out, _ = run("restore", "memory://bucket/scans//z.png", "-o", f"{OUT}/", *shell)
    assert code == 0
    assert json.loads(out)["results"][0]["output"] == f"{OUT}/z.png"
    assert list(contents()) == ["z.png"]
    code, _, err = run("restore", IN, "-o", OUT, "--page", tmp_path / "page.html")
    assert code == 2
    assert "--page" in err
    code, _, err = run("restore", "-", "-o", f"{OUT}/x.png")
    assert code == 2
    assert "is a URL" in err
