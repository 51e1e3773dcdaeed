import numpy as np
import pytest

from resolvent.image import Image
from resolvent.report import overlay as module
from resolvent.report.overlay import overlay


def test_red_where_the_result_may_be_off_and_gray_elsewhere():
    photograph = Image.from_array(np.full((300, 400, 3), 128, np.uint8))
    width = np.zeros((300, 400), np.uint16)
    width[:100], width[100:200] = 40 * 256, 20 * 256
    drawn = np.asarray(overlay(photograph, width))
    assert drawn.shape[1:] == (400, 3)
    assert drawn.shape[0] > 300
    assert (drawn[50, 50] == (214, 24, 24)).all()
    assert (drawn[250, 50] == 128).all()
    assert drawn[150, 50] == pytest.approx((171, 76, 76), abs=1)
    assert (drawn[300:] == (26, 29, 33)).all(axis=2).any()


def test_a_large_photograph_is_shown_smaller(monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 64)
    values = np.random.default_rng(0).integers(0, 255, (90, 130), np.uint8)
    drawn = overlay(Image.from_array(values), np.zeros((90, 130), np.uint16))
    assert drawn.width == 43
    assert np.asarray(drawn)[0, 0, 0] == pytest.approx(values[:3, :3].mean(), abs=1)


@pytest.mark.parametrize("width", [72, 100, 192, 240, 320, 1200])
def test_the_legend_is_whole_at_every_width(width):
    drawn = np.asarray(overlay(Image.from_array(np.zeros((8, width), np.uint8)), np.zeros((8, width), np.uint16)))
    assert drawn.shape[1] == width
    legend = drawn[8:]
    paper = (legend == 255).all(axis=2)
    margin = max(width // 40, 12) // 4
    assert paper[:margin].all()
    assert paper[-margin:].all()
    assert paper[:, :margin].all()
    assert paper[:, -margin:].all()


@pytest.mark.parametrize(("height", "width"), [(8, 71), (5000, 1)])
def test_a_strip_has_no_legend(height, width):
    drawn = overlay(Image.from_array(np.zeros((height, width), np.uint8)), np.zeros((height, width), np.uint16))
    assert drawn.size == (width, height)


def test_strips_leave_no_seam(monkeypatch):
    rng = np.random.default_rng(0)
    photograph = Image.from_array(rng.integers(0, 255, (90, 130, 3), np.uint8))
    steps = rng.integers(0, 40 * 256, (90, 130), np.uint16)
    monkeypatch.setattr(module, "LONGEST", 64)
    whole = np.asarray(overlay(photograph, steps))
    monkeypatch.setattr(module, "ROWS", 7)
    assert np.array_equal(np.asarray(overlay(photograph, steps)), whole)
