import numpy as np
import pytest
from scipy import ndimage, signal

from resolvent.physics.filters import convolve_valid, correlate_separable, gaussian_filter

MODES = {"symmetric": "reflect", "reflect": "mirror", "wrap": "wrap", "edge": "nearest"}
"""What scipy calls each border of numpy.pad."""


def image(shape, dtype):
    return np.random.default_rng(0).random(shape).astype(dtype)


@pytest.mark.parametrize("border", MODES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shape", "sigma"), [((9, 14, 3), 0.1), ((20, 7, 1), 1.6), ((300, 5, 2), 4), ((1, 9, 1), 2)])
def test_gaussian_is_scipy_s(shape, sigma, border, dtype):
    x = image(shape, dtype)
    ours = gaussian_filter(x, sigma, border)
    assert ours.dtype == dtype
    theirs = ndimage.gaussian_filter(x, sigma, axes=(0, 1), mode=MODES[border])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6 if dtype == np.float32 else 1e-14)


@pytest.mark.parametrize("border", MODES)
def test_taps_need_not_be_symmetric(border):
    x, taps = image((140, 31, 2), np.float64), np.array([0.5, -1, 2, 3, 4])
    theirs = ndimage.correlate1d(ndimage.correlate1d(x, taps, 0, mode=MODES[border]), taps, 1, mode=MODES[border])
    np.testing.assert_allclose(correlate_separable(x, taps, border), theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [(1, 1), (4, 3), (11, 2)])
def test_convolution_is_scipy_s(size, dtype):
    x, kernel = image((23, 37, 3), dtype), np.random.default_rng(1).random(size)
    ours = convolve_valid(x, kernel / kernel.sum())
    theirs = signal.convolve(x.astype(float), kernel[..., None] / kernel.sum(), mode="valid", method="direct")
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 if dtype == np.float32 else 1e-14)
