import numpy as np
import pytest
import scipy.ndimage
import skimage.restoration

from resolvent.degradations import parse
from resolvent.methods.forward import transfer
from resolvent.methods.wiener import _gradient_power, _signal_power, restore

RNG = np.random.default_rng(3)
X = RNG.random((32, 30, 1)).cumsum(0).cumsum(1).astype(np.float32)
X = X / X.max()


def test_equals_scikit_image_for_the_same_spectrum():
    degradation = parse("motion:length=5,angle=30,boundary=circular + noise:sigma=4")
    y = degradation(X, RNG)
    balance = 0.03
    power = _signal_power_of(y, degradation)
    ours = restore(y, degradation, regularisation=balance * power / (4 / 255) ** 2)
    square_root = np.sqrt(_gradient_power(*y.shape[:2])[..., 0])  # scikit-image squares the regulariser's
    theirs = skimage.restoration.wiener(
        y[..., 0].astype(float),
        transfer(degradation, *y.shape[:2])[..., 0].astype(complex),
        balance,
        reg=square_root.astype(complex),
        is_real=True,
        clip=False,
    )
    np.testing.assert_allclose(ours[..., 0], theirs, atol=2e-5)


def test_inverts_exactly_where_there_is_no_noise():
    degradation = parse("blur:sigma=0.6,boundary=circular + noise:sigma=0")
    np.testing.assert_allclose(restore(degradation(X, RNG), degradation), X, atol=2e-3)


def test_signal_power_of_a_known_spectrum():
    gradient = _gradient_power(64, 64)
    blur = np.abs(transfer(parse("blur:sigma=1,boundary=circular"), 64, 64)) ** 2
    mean = blur * 0.02 / np.where(gradient > 0, gradient, np.inf) + 0.05**2
    periodogram = RNG.exponential(mean).astype(np.float32)
    assert _signal_power(periodogram, blur, gradient, 0.05) == pytest.approx(0.02, rel=0.05)


def test_gradient_power_is_that_of_the_laplacian():
    point = np.zeros((8, 9))
    point[0, 0] = 1
    laplacian = np.fft.rfft2(scipy.ndimage.laplace(point, mode="wrap"))
    np.testing.assert_allclose(_gradient_power(8, 9)[..., 0], -laplacian, atol=1e-6)


def test_border_is_restored_as_well_as_the_middle():
    degradation = parse("motion:length=7,angle=20 + noise:sigma=1")
    stripes = np.float32(0.5) + np.float32(0.3) * np.sign(np.sin(np.arange(48, dtype=np.float32)))[:, None, None]
    x = stripes.repeat(40, 1).transpose(1, 0, 2)  # every row is alike, so that the border is as hard as the middle
    y = degradation(x, RNG)
    error = np.abs(restore(y, degradation) - x)
    assert error[:4].mean() < 1.3 * error[18:22].mean()
    assert error.mean() < 0.6 * np.abs(y - x).mean()


def _signal_power_of(y, degradation):
    response = transfer(degradation, *y.shape[:2])
    periodogram = np.abs(np.fft.rfft2(y, axes=(0, 1))) ** 2 / y.size
    return _signal_power(periodogram, np.abs(response) ** 2, _gradient_power(*y.shape[:2]), 4 / 255)
