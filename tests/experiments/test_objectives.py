"""The tables of objectives in a short form, and what is measured of them."""

import json
import sys

import numpy as np
import PIL.Image
import pytest

from experiments.objectives import comparator, noisy, tradeoff
from resolvent.training.objectives import OBJECTIVES


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    from tests.training.conftest import make_photograph

    folder = tmp_path_factory.mktemp("photographs")
    for i in range(3):
        PIL.Image.fromarray(make_photograph(i, 176, 168).astype(np.uint8)).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def page(tmp_path):
    """A folder for results, with a page that has marks for all tables."""
    marks = "".join(f"<!-- {name} -->stale<!-- /{name} -->\n" for name in ("noisy", "upscale4", "comparator"))
    (tmp_path / "README.md").write_text(marks, "utf-8")
    return tmp_path / "README.md"


def main(module, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
    module.main()


def test_every_objective_for_noisy_photographs_is_in_the_table():
    noisy_ones = {name for name, entry in OBJECTIVES.items() if entry.photographs != "clean"}
    assert noisy_ones - {"identity"} == set(noisy.ROWS) - {"mse", "identity"}


def test_the_control_learns_nothing_and_the_table_is_written(photographs, page, monkeypatch, tmp_path):
    arguments = ["--images", photographs, "--held", photographs, "--updates", 4, "--seeds", 1, "--threads", 1]
    monkeypatch.setitem(OBJECTIVES, "identity", noisy.CONTROL)  # which ends with the test
    arguments += ["--runs", tmp_path / "runs", "--output", page.parent, "--only", "mse", "noise2self", "identity"]
    main(noisy, monkeypatch, *arguments)
    found = json.loads((page.parent / "noisy.json").read_text("utf-8"))
    (control,) = found["psnr"]["identity"]
    assert control < found["input"] + 0.05
    assert 19.5 < found["input"] < 21.5  # of sigma 25: 20.17
    text = page.read_text("utf-8")
    assert "| identity |" in text
    assert text.count("stale") == 2


def test_a_gap_is_that_to_the_supervised_network():
    found = {"psnr": {"mse": [26.0, 28.0], "sure": [26.5, 26.9]}, "input": 20.0}
    lines = noisy.table(found).splitlines()
    assert lines[3] == "| sure | 26.70 | 0.40 | 0.30 | <= 0.4 |"
    assert lines[4].startswith("| the noisy input | 20.00 | | 7.00 |")


def test_histograms_of_gradients_of_a_ramp():
    ramp = np.repeat(np.arange(32, dtype=np.float32)[None, :, None] * 0.0150, 20, axis=0) * np.ones(3, np.float32)
    shares = tradeoff.histogram([ramp])
    assert shares.sum() == pytest.approx(1)
    assert shares[1] == 1  # 0.015 a pixel lies in the second of the bins, which are 0.01 wide
    assert tradeoff.histogram([100 * ramp])[-1] == 1


@pytest.mark.parametrize("text", ["camera:iso=800", "noise:sigma=0..50", "downsample:scale=4"])
def test_values_that_are_not_fixed_are_drawn_by_the_seed(text):
    truth = np.random.default_rng(0).random((32, 32, 3), np.float32)
    first, again, other = (tradeoff.degrade(truth, text, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert np.array_equal(first, other) == text.startswith("downsample")


def test_the_trade_off_in_a_short_form(photographs, page, monkeypatch):
    monkeypatch.setattr(tradeoff, "SIDE", 128)
    main(tradeoff, monkeypatch, "--images", photographs, "--limit", 2, "--output", page.parent)
    found = json.loads((page.parent / "tradeoff-upscale4.json").read_text("utf-8"))
    assert found["photographs"] == 2
    assert found["degradations"] == ["downsample:scale=4"]
    assert found["0"]["psnr"] > found["input"]["psnr"]
    assert found["0"]["psnr"] != found["1"]["psnr"]
    assert {path.suffix for path in page.parent.glob("tradeoff-upscale4.*")} == {".json", ".svg", ".png"}
    assert "| realism 0.4 |" in page.read_text("utf-8")


def test_what_does_not_come_out_is_said():
    def step(psnr, features, gradients):
        return {"psnr": psnr, "features": features, "gradients": gradients, "color": 0.0}

    falling = {f"{a:g}": step(28 - a, 0.04 - 0.01 * a, 0.3 - 0.1 * a) for a in tradeoff.STEPS}
    assert "**no**" not in tradeoff.table("upscale4", falling)
    assert tradeoff.table("upscale4", falling | {"0.4": step(28.5, 0.04, 0.3)}).count("**no**") == 1
    assert tradeoff.table("upscale4", falling | {"1": step(25, 0.05, 0.4)}).count("**no**") == 3


def test_the_comparator_that_is_there_is_checked(photographs, page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    arguments = ["--images", photographs, "--held", photographs, "--reached", "--patches", 12, "--output", page.parent]
    main(comparator, monkeypatch, *arguments)
    found = json.loads((page.parent / "comparator.json").read_text("utf-8"))
    assert min(found["monotone"].values()) > 0.8
    assert found["choices"]["ours"] > found["choices"]["mse"] + 0.05
    assert "forced choice" in page.read_text("utf-8")
