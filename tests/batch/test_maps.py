from dataclasses import replace

import numpy as np
import onnx
import pytest

from resolvent.batch.local import restore_many
from resolvent.batch.pipe import restore_piped
from resolvent.errors import UsageError
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
