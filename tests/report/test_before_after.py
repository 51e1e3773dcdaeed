import re

import numpy as np
import pytest
from PIL import Image as Picture

from resolvent.image import Image, write_image
from resolvent.report import before_after as module
from resolvent.report.before_after import before_after_page
from tests.report.conftest import pictures


@pytest.fixture
def pair(tmp_path):
    """A photograph, what came of it, and the half-widths: 20 gray levels at the left, 4 at the right."""
    before, after, half_widths = tmp_path / "a.png", tmp_path / "a.restored.png", tmp_path / "a.uncertainty.tif"
    write_image(Image.from_array(np.full((40, 64, 3), 120, np.uint8)), before)
    write_image(Image.from_array(np.full((40, 64, 3), 128, np.uint8)), after)
    steps = np.full((40, 64, 1), 4 * 256, np.uint16)
    steps[:, :32] = 20 * 256
    write_image(Image.from_array(steps), half_widths)
    return before, after, half_widths


@pytest.mark.parametrize("side", [1600, 32])
def test_a_map_of_errors_lies_over_its_photograph(pair, monkeypatch, side):
    monkeypatch.setattr(module, "SIDE", side)
    before, after, half_widths = pair
    html = before_after_page("Title", [(before, after)], {after: half_widths})
    shown = pictures(html)["a.png, restored, where it may be wrong"]
    height, width, _ = shown.shape
    assert (height, width) == ((40, 64) if side == 1600 else (20, 32))
    assert shown[height // 2, width // 8] == pytest.approx((171, 76, 76), abs=6)
    assert shown[height // 2, -width // 8] == pytest.approx((128, 128, 128), abs=6)


@pytest.mark.parametrize("side", [1600, 32])
def test_a_narrow_map_keeps_its_fractions(pair, monkeypatch, side):
    monkeypatch.setattr(module, "SIDE", side)
    before, after, half_widths = pair
    write_image(Image.from_array(np.full((40, 64, 1), 179, np.uint16)), half_widths, overwrite=True)
    assert "map: ±0.7 at the median<" in before_after_page("Title", [(before, after)], {after: half_widths})


def test_a_photograph_without_a_map_shows_what_was_changed(pair):
    before, after, _ = pair
    html = before_after_page("Title", [(before, after)])
    assert pictures(html)["a.png, restored, what was changed"][20, 32] == pytest.approx((114, 123, 141), abs=6)
    assert re.findall(r'id="show-(\w+)"', html) == ["change"]


def test_before_is_the_frame_that_was_restored(tmp_path):
    frames = [Picture.new("RGB", (64, 40), (level,) * 3) for level in (40, 200)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    write_image(Image.from_array(np.full((40, 64, 3), 190, np.uint8)), tmp_path / "b.png")
    for frame, level in ((1, 40), (2, 200)):
        html = before_after_page("Title", [(tmp_path / "a.tif", tmp_path / "b.png")], frame=frame)
        assert pictures(html)["a.tif, input"][20, 32] == pytest.approx((level,) * 3, abs=6)
