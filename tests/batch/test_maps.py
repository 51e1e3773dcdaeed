from dataclasses import replace

import numpy as np
import onnx
import pytest

from resolvent.batch import maps, worker
from resolvent.batch.many import restore_many
from resolvent.batch.pipe import restore_piped
from resolvent.errors import OutputError, UsageError
from resolvent.image import Image, read_image, write_image
from resolvent.models.export import write
from resolvent.models.registry import read_card
from tests.batch.conftest import tree


@pytest.fixture
def job(headed, tmp_path):
    """A noisy photograph and the options that restore it by a model with a map."""
    write(onnx.load(headed), replace(read_card(headed), uncertainty={"factor": 1.0, "wide": 2.0, "images": 9}), headed)
    folder = tmp_path / "in"
    folder.mkdir()
    noise = np.random.default_rng(0).normal(128, 20, (40, 48, 3)).clip(0, 255).astype(np.uint8)
    write_image(Image.from_array(noise), folder / "a.png")
    return folder / "a.png", tmp_path / "out", {"model": headed, "sigma": 20.0, "uncertainty": True}


def test_both_files_stand_beside_the_result(job):
    source, out, options = job
    report = restore_many([source], out, **options)
    assert tree(out) == ["a.png", "a.uncertainty.png", "a.uncertainty.tif"]
    steps = read_image(out / "a.uncertainty.tif")
    assert steps.data.dtype == np.uint16
    assert steps.data.shape == (40, 48, 1)
    result = report.results[0].to_json()
    assert result["half_widths"] == str(out / "a.uncertainty.tif")
    assert result["uncertainty"]["median"] == pytest.approx(np.median(steps.data) / 256, abs=0.01)
    assert any(reason.startswith("9 of 10 pixels") for reason in result["reasons"])


def test_a_map_that_is_there_is_not_replaced(job):
    source, out, options = job
    out.mkdir()
    (out / "a.uncertainty.png").write_text("mine")
    report = restore_many([source], out, **options)
    assert report.results[0].status == "failed"
    assert "exists" in report.results[0].reasons[0]
    assert tree(out) == ["a.uncertainty.png"]
    assert restore_many([source], out, overwrite=True, **options).results[0].status == "restored"
    assert (out / "a.uncertainty.png").read_bytes().startswith(b"\x89PNG")


def test_a_pipe_has_no_place_for_it(job):
    source, _, options = job
    with pytest.raises(UsageError, match="give an output file"):
        restore_piped(source.read_bytes(), None, **options)


def test_two_photographs_of_one_name_keep_their_own_maps(job):
    source, out, options = job
    write_image(read_image(source), source.with_suffix(".tif"))
    report = restore_many([source.parent], out, **options)
    assert [result.status for result in report.results] == ["restored"] * 2
    assert tree(out) == [
        "a.png", "a.png.uncertainty.png", "a.png.uncertainty.tif", "a.tif", "a.tif.uncertainty.png",
        "a.tif.uncertainty.tif",
    ]  # fmt: skip
    assert {result.target.name: result.half_widths.name for result in report.results} == {
        "a.png": "a.png.uncertainty.tif", "a.tif": "a.tif.uncertainty.tif",
    }  # fmt: skip


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_map_never_replaces_an_input(job, ending):
    source, _, options = job
    photograph = source.with_name(f"x.uncertainty.{ending}")
    write_image(read_image(source), photograph)
    before = photograph.read_bytes()
    calls = [
        lambda output: restore_many([photograph], output, overwrite=True, **options),
        lambda output: restore_piped(photograph, output, overwrite=True, **options),
    ]
    for call in calls:
        with pytest.raises(UsageError, match=rf"x\.uncertainty\.{ending}: is an input or an output too; rename"):
            call(photograph.with_name("x.png"))
    assert tree(source.parent) == ["a.png", photograph.name]
    assert photograph.read_bytes() == before


@pytest.mark.parametrize(
    ("names", "ext"),
    [(["c.uncertainty.png", "c.png"], "tif"), (["c.uncertainty.png", "c.png"], None), (["a.png.jpg", "a.tif"], None)],
)
def test_a_map_is_no_other_photographs_result_or_map(job, names, ext):
    source, out, options = job
    paths = [source.with_name(name) for name in names]
    for path in paths:
        write_image(read_image(source), path)
    with pytest.raises(UsageError, match="is an input or an output too"):
        restore_many([source, *paths], out, ext=ext, overwrite=True, **options)
    assert not out.exists()


def test_a_result_that_is_there_has_its_maps(job, monkeypatch):
    """Whatever ends the work, and wherever: what it leaves is completed by ``resume``."""
    source, out, options = job
    for place in ("write_image", "write_atomic"):
        with monkeypatch.context() as context:
            context.setattr(maps, place, lambda *_, **__: (_ for _ in ()).throw(OutputError("the disk is full")))
            assert restore_many([source], out, **options).results[0].status == "failed"
        assert tree(out) == []
    with monkeypatch.context() as context:
        context.setattr(worker, "write_image", lambda *_, **__: (_ for _ in ()).throw(OutputError("the disk is full")))
        assert restore_many([source], out, **options).results[0].status == "failed"
    assert tree(out) == []
    (out / "a.uncertainty.tif").write_text("half of a run that was killed")
    assert restore_many([source], out, resume=True, **options).results[0].status == "restored"
    assert tree(out) == ["a.png", "a.uncertainty.png", "a.uncertainty.tif"]
    assert read_image(out / "a.uncertainty.tif").data.shape == (40, 48, 1)
    (result,) = restore_many([source], out, resume=True, **options).results
    assert (result.status, result.reasons) == ("skipped", ("output exists",))


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_map_that_cannot_be_written_is_refused_before_any_work(job, monkeypatch, ending):
    source, out, options = job
    (out / f"a.uncertainty.{ending}").mkdir(parents=True)
    monkeypatch.setattr(worker, "run", lambda *_, **__: pytest.fail("it was restored"))
    (result,) = restore_many([source], out, overwrite=True, **options).results
    assert result.reasons == (f"{out / f'a.uncertainty.{ending}'}: is a folder; give another output",)


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_file_that_appears_while_a_map_is_made_stays(job, monkeypatch, ending):
    source, out, options = job
    mine = out / f"a.uncertainty.{ending}"
    restore = worker.run

    def meanwhile(*arguments, **keywords):
        mine.write_text("mine")
        return restore(*arguments, **keywords)

    monkeypatch.setattr(worker, "run", meanwhile)
    out.mkdir()
    (result,) = restore_many([source], out, **options).results
    assert "exists" in result.reasons[0]
    assert tree(out) == [mine.name]
    assert mine.read_text() == "mine"


def test_what_is_called_as_a_map_is_told_of_beside_a_result_without_one(job):
    source, out, options = job
    assert restore_many([source], out, **options).results[0].warnings == ()
    (result,) = restore_many([source], out, overwrite=True, **{**options, "uncertainty": False}).results
    assert result.half_widths is None
    assert "half_widths" not in result.to_json()
    assert result.warnings == (
        "a.uncertainty.tif, a.uncertainty.png: not of this result; if of an earlier one, delete it",
    )
