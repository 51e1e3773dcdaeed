"""Folders of photographs: what is taken, what is refused, and what is told of it."""

import json
import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from resolvent.batch import progress, worker
from resolvent.batch.executors import local
from resolvent.batch.jobs import Job, find_jobs
from resolvent.batch.many import restore_many
from resolvent.engine import plan as planning
from resolvent.engine.request import ModelRequest
from resolvent.engine.run import Restoration
from resolvent.errors import MissingDependencyError, QualityError, UsageError
from resolvent.image import Image, read_image
from resolvent.methods.control import Steps
from tests.batch.conftest import Soft, put, soften, tree

pytestmark = pytest.mark.usefixtures("sessions")


@pytest.fixture
def soft(sessions):
    return {"model": "soft"}


@pytest.fixture
def album(tmp_path):
    """Photographs at three depths, and what is no photograph."""
    folder = tmp_path / "album"
    for seed, name in enumerate(["b.png", "a.png", "trip/c d.PNG", "trip/ü/e.webp"]):
        put(folder / name, seed)
    (folder / "notes.txt").write_text("no photograph")
    put(folder / ".hidden.png")
    put(folder / ".cache/f.png")
    return folder


def test_folder_is_mirrored_and_inputs_are_untouched(album, tmp_path, sessions, soft):
    before = {path: path.read_bytes() for path in album.rglob("*") if path.is_file()}
    report = restore_many([album], tmp_path / "clean", **soft)
    assert tree(tmp_path / "clean") == ["a.png", "b.png", "trip/c d.PNG", "trip/ü/e.webp"]
    assert [r.status for r in report.results] == ["restored"] * 4
    assert report.exit_code == 0
    assert {path: path.read_bytes() for path in before} == before
    out = read_image(tmp_path / "clean/b.png").pixels
    x = read_image(album / "b.png").pixels.transpose(2, 0, 1)[None]
    expected = soften(np.pad(x, ((0, 0), (0, 0), (0, 0), (1, 0)), mode="reflect"))[0, ..., 1:].transpose(1, 2, 0)
    assert np.abs(out - expected).max() <= 0.51 / 255
    assert sessions == [("soft", "auto")]


def test_beside_the_inputs_and_not_twice(album, soft):
    restore_many([album], **soft)
    first = tree(album)
    assert "a.restored.png" in first
    assert "trip/ü/e.restored.webp" in first
    report = restore_many([album], **soft, resume=True)
    assert [r.status for r in report.results] == ["skipped"] * 4
    assert tree(album) == first


def test_existing_outputs_are_kept_or_replaced_as_told(tmp_path, soft):
    source, target = put(tmp_path / "a.png"), tmp_path / "a.restored.png"
    target.write_bytes(b"mine")
    report = restore_many([source], **soft)
    assert report.exit_code == 1
    assert "exists" in report.results[0].reasons[0]
    assert target.read_bytes() == b"mine"
    (refused,) = restore_many([source], **soft, resume=True).results
    assert refused.reasons == (f"{target}: exists and is no whole image: kept; move or delete it, then --resume",)
    assert target.read_bytes() == b"mine"
    assert restore_many([source], **soft, overwrite=True).results[0].status == "restored"
    assert read_image(target).width == 24
    with pytest.raises(UsageError, match="choose one"):
        restore_many([source], resume=True, overwrite=True)


def test_one_failure_does_not_stop_the_rest(album, tmp_path, monkeypatch, soft):
    (album / "broken.png").write_bytes((album / "a.png").read_bytes()[:200])
    (album / "empty.jpg").write_bytes(b"")
    report = restore_many([album, tmp_path / "missing.png"], tmp_path / "clean", **soft)
    statuses = {r.source.name: r.status for r in report.results}
    failed = {name for name, status in statuses.items() if status == "failed"}
    assert failed == {"broken.png", "empty.jpg", "missing.png"}
    assert report.exit_code == 1
    assert tree(tmp_path / "clean") == ["a.png", "b.png", "trip/c d.PNG", "trip/ü/e.webp"]
    for result in report.results:
        if result.status == "failed":
            assert str(result.source) in result.reasons[0]
            assert "\n" not in result.reasons[0]


def test_an_exception_that_nobody_foresaw_ends_one_file(album, tmp_path, monkeypatch, soft):
    """A codec or a runtime may raise anything."""

    def breaks(image, chosen, *rest, **more):
        if calls.append(image) or len(calls) == 1:
            raise RuntimeError("bad\nthing")
        return real(image, chosen, *rest, **more)

    calls, real = [], worker.run
    monkeypatch.setattr(worker, "run", breaks)
    report = restore_many([album], tmp_path / "out", workers=1, **soft)
    failed, *rest = (result.status for result in report.results)
    assert failed == "failed"
    assert set(rest) == {"restored"}
    assert report.results[0].reasons[0].startswith("internal error, RuntimeError: bad; please report it")


@pytest.mark.parametrize("error", [QualityError("flat"), MemoryError(), OSError("disk")])
def test_no_folder_is_made_for_a_result_that_never_came(album, tmp_path, monkeypatch, error, soft):
    def fail(*_):
        raise error

    monkeypatch.setattr(Soft, "run", fail)
    report = restore_many([album], tmp_path / "clean", **soft)
    assert [r.status for r in report.results] == ["failed"] * 4
    assert all(r.reasons[0] for r in report.results)
    assert tree(tmp_path / "clean") == []
    assert [path.name for path in (tmp_path / "clean").iterdir()] == [".resolvent"]


def test_interrupt_passes_and_keeps_what_is_finished(album, tmp_path, monkeypatch, soft):
    calls = []

    def second_time(self, x):
        calls.append(x)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return soften(x)

    monkeypatch.setattr(Soft, "run", second_time)
    with pytest.raises(KeyboardInterrupt):
        restore_many([album], tmp_path / "clean", workers=1, **soft)
    assert tree(tmp_path / "clean") == ["a.png"]


def test_what_is_given_twice_is_taken_once(album, tmp_path):
    (tmp_path / "link.png").symlink_to(album / "a.png")
    found = find_jobs([album / "b.png", album, album, tmp_path / "link.png"], tmp_path / "out")
    assert [job.source.name for job in found.jobs] == ["b.png", "a.png", "c d.PNG", "e.webp"]
    assert found.repeated == (tmp_path / "link.png",)


@pytest.mark.parametrize("loop", ["trip/back", "trip/ü/deeper"])
def test_links_to_folders_are_not_followed(album, loop):
    (album / loop).symlink_to(album, target_is_directory=True)
    assert len(find_jobs([album]).jobs) == 4


def test_output_inside_the_input_is_not_read_again(album, soft):
    restore_many([album], album / "clean", **soft)
    assert len(find_jobs([album], album / "clean").jobs) == 4


@pytest.mark.parametrize(
    ("names", "output", "options", "message"),
    [
        (["a.png"], "a.png", {}, r"a\.png: is an input"),
        (["a.png"], "link.png", {}, r"link\.png: is an input"),
        (["a.png"], ".", {}, r"a\.png: is an input"),
        (["a.png"], None, {"suffix": ""}, r"a\.png: is an input"),
        (["a.png"], None, {"suffix": "/x"}, "give it without separators"),
        (["a.png"], "x.xyz", {}, r"unknown output extension '\.xyz'"),
        (["a.png"], "x.gif", {}, r"unknown output extension '\.gif'"),
        (["a.png"], None, {"ext": "jpgg"}, r"unknown output extension '\.jpgg': did you mean '\.jpg'"),
        (["a.png"], "x.jpg", {"ext": "png"}, "name two formats"),
        (["a.png", "b.png"], "file.png", {}, r"file\.png: is a file; .*give a folder"),
        (["a.png"], None, {"quality": 0}, "quality 0: must be a whole number from 1 to 100"),
        ([], None, {}, "no input"),
    ],
)
def test_wrong_calls_are_refused_before_any_work(tmp_path, names, output, options, message, sessions, soft):
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    put(tmp_path / "file.png")
    inputs = [put(tmp_path / name) if not name.endswith(".gif") else tmp_path / name for name in names]
    before = tree(tmp_path)
    with pytest.raises(UsageError, match=message):
        restore_many(inputs, output and tmp_path / output, **soft, **options)
    assert tree(tmp_path) == before
    assert not sessions


def test_a_missing_runtime_ends_it_before_any_work(album, monkeypatch, soft):
    def missing(model, runtime, threads):
        raise MissingDependencyError("openvino", "openvino", "the runtime")

    monkeypatch.setattr(local, "open_session", missing)
    with pytest.raises(MissingDependencyError):
        restore_many([album], **soft)
    assert not list(album.rglob("*.restored.*"))


def test_folders_that_cannot_be_used_do_not_stop_the_rest(album, tmp_path, monkeypatch, soft):
    real = os.scandir

    def scandir(path):
        if Path(path).name == "trip":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/a.nef").write_bytes(b"raw")
    report = restore_many([album, tmp_path / "empty"], tmp_path / "out", **soft)
    assert tree(tmp_path / "out") == ["a.png", "b.png"]
    assert report.exit_code == 1
    failed = {result.source.name: result.reasons[0] for result in report.results if result.status == "failed"}
    assert "trip: cannot be listed: Permission denied" in failed["trip"]
    assert "empty: holds no image, but 1 other file; accepted extensions are .avif" in failed["empty"]


def test_what_is_no_photograph_is_counted(album, soft):
    (album / "trip/a.NEF").write_bytes(b"raw")
    (album / "trip/b.nef").write_bytes(b"raw")
    (album / "README").write_text("no photograph")
    report = restore_many([album], **soft)
    assert report.exit_code == 0
    assert report.ignored == {".txt": 1, ".nef": 2, "": 1}
    assert report.to_json()["ignored"] == {".txt": 1, ".nef": 2, "": 1}


def test_a_small_photograph_with_nothing_to_fix_is_told_of_enlarging(tmp_path):
    image, large = (Image.from_array(np.zeros((1, width, 1), np.uint8)) for width in (worker.SMALL, worker.SMALL + 1))
    job = Job(tmp_path / "a.png", tmp_path / "b.png")
    planned = planning.Plan(ModelRequest(), ("nothing to fix",))

    def reasons(image, plan=planned):
        return worker.result_of(job, Restoration(image, plan, Steps()), ()).reasons

    assert reasons(image)[-1] == "small, 640x1 pixels: scale 2 (-s 2) enlarges it"
    assert reasons(large) == ("nothing to fix",)
    assert reasons(image, replace(planned, request=ModelRequest(strength=0))) == ("nothing to fix",)


def test_output_folder_that_cannot_be_made(album, tmp_path, soft):
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean/trip").write_text("in the way")
    report = restore_many([album], tmp_path / "clean", **soft)
    assert [r.status for r in report.results] == ["restored", "restored", "failed", "failed"]
    assert "trip: cannot be made" in report.results[2].reasons[0]


def test_events_tell_how_it_goes(album, tmp_path):
    events = []
    report = restore_many([album], tmp_path / "clean", model="soft", tile=16, workers=1, on_event=events.append)
    assert [e.result for e in events if e.result] == list(report.results)
    assert {e.total for e in events} == {4}
    assert [e.index for e in events] == sorted(e.index for e in events)
    assert events[0].eta is None
    assert all(e.eta is not None and e.eta >= 0 for e in events if e.done)
    assert events[-1].eta == 0
    for before, after in pairwise(events):
        if before.index == after.index and after.result is None:
            assert after.done == 0 or after.done - before.done == pytest.approx(1 / after.plan.tiles)
    assert all(r.seconds > 0 for r in report.results)


def test_time_left_counts_only_files_that_were_worked_on(tmp_path, monkeypatch, soft):
    sources = [put(tmp_path / f"{i}.png") for i in range(4)]
    put(tmp_path / "out/0.png")
    clock = iter(range(1000))
    monkeypatch.setattr(progress.time, "perf_counter", lambda: float(next(clock)))
    ends = []
    restore_many(sources, tmp_path / "out", **soft, resume=True, on_event=lambda e: e.result and ends.append(e))
    _, first, second, _ = (e.result.seconds for e in ends)
    assert [e.eta for e in ends] == [None, 2 * first, (first + second) / 2, 0]


def test_report_is_plain_json(tmp_path, soft):
    good = put(tmp_path / "a.png")
    report = restore_many([good, tmp_path / "b\udcff.png"], tmp_path / "out", **soft)
    told = json.loads(json.dumps(report.to_json(), ensure_ascii=False).encode("utf-8"))
    assert {key: told[key] for key in ("restored", "unchanged", "skipped", "failed")} == {
        "restored": 1,
        "unchanged": 0,
        "skipped": 0,
        "failed": 1,
    }
    assert told["results"][0] | {"seconds": 0} == {
        "input": str(good),
        "output": str(tmp_path / "out/a.png"),
        "status": "restored",
        "reasons": ["model 'soft', as asked"],
        "warnings": [],
        "model": "soft",
        "sigma": None,
        "seconds": 0,
        "steps": 1,
        "total_steps": 1,
        "ended": "finished",
    }
    assert told["results"][1]["output"] is None
    assert told["results"][1]["input"] == str(tmp_path / "b?.png")
