import numpy as np
import pytest

from resolvent.degradations import parse
from resolvent.methods.classical.nlm import restore
from resolvent.physics.forward_model import ForwardModel

RNG = np.random.default_rng(6)


def brute_force(y, sigma, size, distance, h):
    """The definition, for the pixels whose patches all lie inside; scikit-image drops weights below e^-5."""
    r = size // 2
    rim = r + distance
    out = np.zeros((y.shape[0] - 2 * rim, y.shape[1] - 2 * rim, y.shape[2]))

    def patch(i, j):
        return y[i - r + 1 : i + r + 1, j - r + 1 : j + r + 1]

    for i, j in np.ndindex(out.shape[:2]):
        total = 0
        for u, v in np.ndindex(2 * distance + 1, 2 * distance + 1):
            difference = (patch(i + rim, j + rim) - patch(i + r + u, j + r + v)) ** 2 - 2 * sigma**2
            exponent = max(difference.mean(2).sum(), 0) / (size * h) ** 2
            weight = np.exp(-exponent) * (exponent <= 5)
            total += weight
            out[i, j] += weight * y[i + r + u, j + r + v]
        out[i, j] /= total
    return out, rim


@pytest.mark.parametrize("channels", [1, 3])
def test_equals_the_definition(channels):
    y = (0.5 + 0.1 * RNG.standard_normal((16, 15, channels))).astype(np.float32)
    expected, rim = brute_force(y.astype(float), 20 / 255, 3, 2, 0.7 * 20 / 255)
    restored = restore(y, ForwardModel(parse("noise:sigma=20")), patch_size=3, patch_distance=2, h=0.7)
    np.testing.assert_allclose(restored[rim:-rim, rim:-rim], expected, atol=2e-3)


def test_without_noise_it_changes_nothing():
    y = RNG.random((9, 9, 3), np.float32)
    np.testing.assert_array_equal(restore(y, ForwardModel(parse("noise:sigma=0"))), y)
