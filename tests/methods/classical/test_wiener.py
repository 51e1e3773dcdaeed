import numpy as np
import pytest
import scipy.ndimage
import skimage.restoration

from resolvent.degradations import parse
from resolvent.methods.classical import wiener
from resolvent.methods.classical.fourier import convolve, gradient_power, transfer
from resolvent.methods.classical.wiener import _signal_power, restore
from resolvent.physics.forward_model import ForwardModel

RNG = np.random.default_rng(3)
X = RNG.random((32, 30, 1)).cumsum(0).cumsum(1).astype(np.float32)
X = X / X.max()


def test_equals_scikit_image_for_the_same_spectrum():
    degradation = parse("motion:length=5,angle=30,boundary=circular + noise:sigma=4")
    y = degradation(X, RNG)
    balance = 0.03
    power = _signal_power_of(y, degradation)
    ours = restore(y, ForwardModel(degradation), regularization=balance * power / (4 / 255) ** 2)
    square_root = np.sqrt(gradient_power(*y.shape[:2]))  # scikit-image squares the regularizer's
    theirs = skimage.restoration.wiener(
        y[..., 0].astype(float),
        transfer(ForwardModel(degradation), y.shape[:2])[..., 0].astype(complex),
        balance,
        reg=square_root.astype(complex),
        is_real=True,
        clip=False,
    )
    np.testing.assert_allclose(ours[..., 0], theirs, atol=2e-5)


def test_inverts_exactly_where_there_is_no_noise():
    degradation = parse("blur:sigma=0.6,boundary=circular + noise:sigma=0")
    np.testing.assert_allclose(restore(degradation(X, RNG), ForwardModel(degradation)), X, atol=2e-3)


def test_signal_power_of_a_known_spectrum():
    gradient = gradient_power(64, 64)[..., None]
    blur = np.abs(transfer(ForwardModel(parse("blur:sigma=1,boundary=circular")), (64, 64))) ** 2
    mean = blur * 0.02 / np.where(gradient > 0, gradient, np.inf) + 0.05**2
    periodogram = RNG.exponential(mean).astype(np.float32)
    assert _signal_power(periodogram, blur, gradient, 0.05) == pytest.approx(0.02, rel=0.05)


def test_gradient_power_is_that_of_the_laplacian():
    point = np.zeros((8, 9))
    point[0, 0] = 1
    laplacian = np.fft.rfft2(scipy.ndimage.laplace(point, mode="wrap"))
    np.testing.assert_allclose(gradient_power(8, 9), -laplacian, atol=1e-6)


def test_comes_to_the_least_squares_solution_for_the_photograph_alone(monkeypatch):
    monkeypatch.setattr(wiener, "_signal_power", lambda *_: 0.01)
    blur, sigma = parse("motion:length=3,angle=30"), 8.0
    y = blur(X)[:6, :7]
    points = np.eye(12 * 13, dtype=np.float32).reshape(-1, 12, 13, 1)  # a margin of 3 on each side
    k, laplacian = (
        np.stack([f(point).ravel() for point in points], axis=1).astype(float)
        for f in (
            lambda x: convolve(x, transfer(ForwardModel(blur), (12, 13))),
            lambda x: -scipy.ndimage.laplace(x[..., 0], mode="wrap"),
        )
    )
    seen = np.pad(np.ones((6, 7), bool), 3).ravel()
    strength = 1.5 * (sigma / 255) ** 2 / 0.01
    x = np.linalg.solve(k[seen].T @ k[seen] + strength * laplacian, k[seen].T @ y.ravel())
    restored = restore(y, ForwardModel(blur + parse(f"noise:sigma={sigma}")), iterations=2000)
    np.testing.assert_allclose(restored.ravel(), x[seen], atol=1e-3)


def test_a_margin_keeps_the_border_from_ringing():
    degradation = parse("motion:length=7,angle=20 + noise:sigma=1")
    y = degradation(X, RNG)
    with_margin, without = (
        np.abs(restore(y, ForwardModel(parse(text))) - X).mean()
        for text in (str(degradation), "motion:length=7,angle=20,boundary=circular + noise:sigma=1")
    )
    assert with_margin < 0.5 * without


def test_a_noise_level_told_too_low_does_no_harm_beyond_the_noise():
    blur = parse("defocus:radius=3,boundary=circular")
    y = (blur + parse("noise:sigma=4"))(X, RNG)
    restored = restore(y, ForwardModel(blur + parse("noise:sigma=1")))
    assert np.abs(restored - X).std() < 4 * np.abs(y - X).std()


def _signal_power_of(y, degradation):
    response = transfer(ForwardModel(degradation), y.shape[:2])
    periodogram = np.abs(np.fft.rfft2(y, axes=(0, 1))) ** 2 / y.size
    return _signal_power(periodogram, np.abs(response) ** 2, gradient_power(*y.shape[:2])[..., None], 4 / 255)
