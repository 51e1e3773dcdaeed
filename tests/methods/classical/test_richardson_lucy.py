import numpy as np
import pytest

from resolvent.degradations import parse
from resolvent.methods.classical.fourier import convolve, transfer
from resolvent.methods.classical.richardson_lucy import restore
from resolvent.physics.forward_model import ForwardModel

RNG = np.random.default_rng(4)
X = np.full((28, 26, 1), 0.2, np.float32)
X[3:11, 4:12] = 0.9
X[16:25, 9:21] = 0.6


def matrix(degradation, shape):
    """A blur as a dense matrix, column by column."""
    points = np.eye(shape[0] * shape[1], dtype=np.float32)
    return np.stack([degradation(point.reshape(*shape, 1)).ravel() for point in points], axis=1).astype(float)


def test_equals_the_iteration_with_dense_matrices():
    blur = parse("motion:length=3,angle=30,boundary=circular")
    y = blur(X[:8, :9])
    a = matrix(blur, (8, 9))
    x = y.ravel().astype(float)
    for _ in range(5):
        x *= a.T @ (y.ravel() / (a @ x)) / a.sum(0)
    ours = restore(y, ForwardModel(blur + parse("noise:sigma=0")), iterations=5)
    np.testing.assert_allclose(ours.ravel(), x, rtol=1e-4)


def test_margin_is_restored_with_the_photograph():
    blur = parse("defocus:radius=2,boundary=circular")
    rows, columns = slice(6, 22), slice(6, 20)  # a photograph is what a camera sees of a larger scene
    y = blur(X)[rows, columns]
    errors = [
        np.abs(restore(y, ForwardModel(parse(text)), iterations=20) - X[rows, columns]).mean()
        for text in ("defocus:radius=2 + noise:sigma=0", "defocus:radius=2,boundary=circular + noise:sigma=0")
    ]
    assert errors[0] < 0.5 * errors[1]


def test_light_is_neither_made_nor_lost():
    degradation = parse("blur:sigma=1.2,boundary=circular + noise:sigma=0")
    y = degradation(X, RNG)
    assert restore(y, ForwardModel(degradation), iterations=7).sum() == pytest.approx(y.sum(), rel=1e-5)


def test_stops_as_soon_as_the_noise_explains_the_rest():
    degradation = parse("blur:sigma=1.2,boundary=circular + noise:sigma=4")
    y = degradation(X, RNG)
    response = transfer(ForwardModel(degradation), y.shape[:2])

    def residual(iterations):
        restored = restore(y, ForwardModel(degradation), iterations=iterations)
        return 255 * np.sqrt(np.mean((convolve(restored, response) - y) ** 2))

    last = next(n for n in range(100) if residual(n) <= 4)
    assert 0 < last < 50
    np.testing.assert_array_equal(
        restore(y, ForwardModel(degradation), iterations=last), restore(y, ForwardModel(degradation))
    )


def test_photon_noise_sets_the_stop():
    degradation = parse("blur:sigma=1.2 + poisson:peak=400")
    y = degradation(X, RNG)
    longer = restore(y, ForwardModel(parse("blur:sigma=1.2 + noise:sigma=0")), iterations=100)
    assert np.abs(restore(y, ForwardModel(degradation)) - X).mean() < np.abs(longer - X).mean()
