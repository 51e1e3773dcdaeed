import numpy as np
import pytest

from resolvent.degradations import parse
from resolvent.methods.classical import self_similarity
from resolvent.methods.classical.self_similarity import _joined, _window, enlarge_luma, restore
from resolvent.physics.forward_model import ForwardModel
from resolvent.physics.resize import imresize


def stripes(side=48):
    """Edges at many angles, which a photograph of a building repeats at every scale."""
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    angle = np.arctan2(rows, columns)
    return (0.5 + 0.4 * np.sign(np.sin(8 * angle))).astype(np.float32)


def psnr(a, b):
    inside = (slice(4, -4), slice(4, -4))
    return -10 * np.log10(np.mean((a[inside] - b[inside]) ** 2))


@pytest.mark.parametrize(("scale", "gain"), [(2, 1.5), (3, 1.0)])
def test_edges_become_sharper_than_bicubic(scale, gain):
    x = stripes()
    told = parse(f"downsample:scale={scale}")
    small = told(x[..., None])
    assert psnr(restore(small, ForwardModel(told))[..., 0], x) > psnr(imresize(small[..., 0], scale), x) + gain


def test_agrees_with_the_small_image():
    told = parse("downsample:scale=2")
    small = told(stripes()[..., None])[..., 0]
    again = imresize(enlarge_luma(small, ForwardModel(told)), 0.5)
    assert np.abs(again - small).mean() < 0.01


def test_gray_colors_stay_gray_and_equal_the_gray_image():
    told = parse("downsample:scale=2")
    small = told(stripes(32)[..., None])
    gray = restore(small, ForwardModel(told))
    color = restore(small.repeat(3, 2), ForwardModel(told))
    np.testing.assert_allclose(color, gray.repeat(3, 2), atol=1e-5)


def test_strips_hardly_show(monkeypatch):
    told = parse("downsample:scale=2")
    small = told(stripes(96)[..., None])
    whole = restore(small, ForwardModel(told))
    monkeypatch.setattr(self_similarity, "STRIP", 24 * 48)
    difference = np.abs(restore(small, ForwardModel(told)) - whole)
    assert difference.mean() < 0.1 / 255
    assert difference.max() < 8 / 255


def test_joining_patches_of_an_image_gives_the_image():
    x = np.random.default_rng(0).random((7, 9))
    padded = np.pad(x, 2, mode="edge")
    patches = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
    trust = np.random.default_rng(1).random((7, 9)) + 0.1
    joined = _joined(patches, trust)
    np.testing.assert_allclose(joined[2:-2, 2:-2], x[2:-2, 2:-2], rtol=1e-5)


def test_window_is_a_mean():
    assert _window().sum() == pytest.approx(1)
