import numpy as np
import pytest

from resolvent.engine.checks import Checks
from resolvent.errors import QualityError


def texture(side=64, channels=3):
    return np.random.default_rng(0).random((side, side, channels), np.float32) * 0.8 + 0.1


def check(before, after, sigma=0.0):
    checks = Checks(before.shape[-1], sigma)
    for rows in (slice(0, 10), slice(10, None)):
        checks.add(before[rows], after[rows])
    checks.finish()


@pytest.mark.parametrize("channels", [1, 3])
def test_good_result_passes(channels):
    x = texture(channels=channels)
    check(x, x)
    check(x, (x + x.mean()) / 2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite(value):
    x = texture()
    bad = x.copy()
    bad[40, 3, 1] = value
    with pytest.raises(QualityError, match="value of the result is NaN or infinite"):
        check(x, bad)


def test_flat_result():
    x = texture()
    flat = np.broadcast_to(x.mean((0, 1)).mean(), x.shape).astype(np.float32)
    with pytest.raises(QualityError, match="flat"):
        check(x, flat)
    with pytest.raises(QualityError, match="flat, 0 of 255"):
        check(x, np.zeros_like(x))
    with pytest.raises(QualityError, match="flat"):
        check(x, x - 2)  # black once it is clipped


def test_flat_result_of_a_flat_and_noisy_input_is_right():
    rng = np.random.default_rng(0)
    noisy = (0.5 + 25 / 255 * rng.standard_normal((64, 64, 1))).astype(np.float32)
    grey = np.full_like(noisy, 0.5)
    check(grey, grey)
    check(noisy, grey, sigma=25)
    with pytest.raises(QualityError, match="flat"):
        check(noisy, grey, sigma=5)


@pytest.mark.parametrize(("shift", "sigma", "passes"), [(6, 0, True), (8, 0, False), (14, 25, True), (22, 25, False)])
def test_shift_of_one_channel(shift, sigma, passes):
    """For 64x64 pixels the limit is 5 + 80/64 + σ (0.4 + 4/64) grey levels: 6.25, and 17.8 for σ = 25."""
    x = texture()
    moved = x + np.float32([0, -shift / 255, 0])
    if passes:
        check(x, moved, sigma)
    else:
        with pytest.raises(QualityError, match=rf"mean colour moved by {shift}\.0 of 255"):
            check(x, moved, sigma)


def test_undoing_clipped_noise_is_no_shift():
    """Noise on black, clipped, has the mean σ/√(2π); black is the right answer."""
    rng = np.random.default_rng(0)
    sigma = 50
    black = np.zeros((64, 64, 3), np.float32)
    clipped = np.clip(sigma / 255 * rng.standard_normal(black.shape, np.float32), 0, 1)
    assert 255 * clipped.mean() == pytest.approx(sigma / np.sqrt(2 * np.pi), rel=0.03)
    check(clipped, black, sigma)


def test_nothing_to_judge():
    Checks(3).finish()
