"""What a batch makes of what it finds: kept, done again, adopted or refused, never skipped for being there."""

import os
import shutil

import pytest

from resolvent.batch import jobs, many, resources
from resolvent.batch.executors import local
from resolvent.batch.home import FOLDER
from resolvent.batch.manifest import Manifest
from resolvent.errors import UsageError
from resolvent.image import Image, Limits, write_image
from tests.batch.conftest import again, contents, killed_before_it_was_noted, put, texture, tree


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
    assert "no such file" in results["a.png"].reasons[0]
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


def test_a_run_that_forgot_to_say_resume_is_one_line_and_changes_nothing(batch, done):
    before = contents(done)
    (done / "a.png").unlink()
    with pytest.raises(
        UsageError, match=r"out: holds 3 of 4 outputs already; give resume=True \(--resume\), which keeps them"
    ):
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
