import numpy as np
import pytest

import resolvent
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
    gray = np.full_like(noisy, 0.5)
    check(gray, gray)
    check(noisy, gray, sigma=25)
    with pytest.raises(QualityError, match="flat"):
        check(noisy, gray, sigma=5)


def soft(side=128, low=0.3, high=0.7):
    """A picture without noise, (side, side, 3)."""
    rows, columns = np.mgrid[:side, :side]
    waves = 0.5 + 0.5 * np.sin(rows / 9) * np.cos(columns / 11)
    return (low + (high - low) * waves[..., None] * np.ones(3)).astype(np.float32)


def noise(shape, sigma):
    return sigma / 255 * np.random.default_rng(0).standard_normal(shape, np.float32)


@pytest.mark.parametrize(("shift", "passes"), [(6, True), (8, False)])
def test_shift_of_one_channel(shift, passes):
    """For 64x64 pixels without clipping the limit is 5 + 80/64 = 6.25 gray levels."""
    x = texture()
    moved = x + np.float32([0, -shift / 255, 0])
    if passes:
        check(x, moved)
    else:
        with pytest.raises(QualityError, match=rf"mean colou?r moved by {shift}\.0 of 255"):
            check(x, moved)


@pytest.mark.parametrize(("shift", "passes"), [(9.4, True), (9.85, False)])
def test_noise_that_is_there_excuses_its_own_mean(shift, passes):
    """5 + 0.05 σ + (80 + 4 σ)/64 = 9.6 gray levels for σ = 30 and 64x64 pixels, none of them clipped."""
    x = 0.5 + noise((64, 64, 3), 30)
    if passes:
        check(x, x + np.float32(shift / 255), sigma=30)
    else:
        with pytest.raises(QualityError, match=r"mean color moved by 9\.8"):
            check(x, x + np.float32(shift / 255), sigma=30)


@pytest.mark.parametrize(("moved", "passes"), [(26, True), (36, False)])
def test_no_more_than_half_of_the_pixels_count_as_clipped(moved, passes):
    """All of this page is black or white: 5 + 1 + 0.8 σ / 2 + (80 + 4 σ)/128 = 15.25 levels for σ = 20."""
    page = np.repeat(np.random.default_rng(0).integers(0, 2, (128, 128, 1)), 3, 2).astype(np.float32)
    gray = np.where(page == 0, np.float32(moved / 255 * 0.5 / (page == 0).mean()), page)
    if passes:
        check(page, gray, sigma=20)
    else:
        with pytest.raises(QualityError, match=r"where 15\.2 is the most"):
            check(page, gray, sigma=20)


def test_what_lies_beyond_black_and_white_is_judged_as_clipped():
    x = soft()
    x[:64] = 0
    below = np.where(x == 0, np.float32(-0.9), x)
    check(x, below)
    check(1 - x, 1 - below)


def test_a_flat_result_is_right_where_the_noise_is_told_a_little_too_low():
    noisy = 0.5 + noise((64, 64, 1), 30)
    check(noisy, np.full_like(noisy, 0.5), sigma=25)


@pytest.mark.parametrize("sigma", [5, 20])
def test_noise_is_measured_as_an_upper_bound(sigma):
    """1.75 times the level, for clipping may have taken the rest; no more than what is told."""
    x = 0.5 + noise((128, 128, 3), sigma)
    for told, expected in ((None, 1.75 * sigma), (100.0, 1.75 * sigma), (sigma, sigma)):
        checks = Checks(3, told)
        checks.add(x, x)
        assert checks.noise == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("there", [0, 2, 50])
def test_a_told_noise_level_excuses_no_shift_where_nothing_is_clipped(there):
    """Gray told 50 became 19 levels lighter, which 5 + 0.4 σ + (80 + 4 σ)/√n let pass."""
    x = soft() + noise((128, 128, 3), there) if there < 50 else 0.5 + noise((128, 128, 3), 30)
    with pytest.raises(QualityError, match=r"mean colou?r moved by 19"):
        check(x, x + np.float32(19 / 255), sigma=50)


def test_a_told_noise_level_excuses_no_shift_of_clean_black_and_white():
    """A page: half of its pixels are white or black, and none of them noisy."""
    page = np.ones((128, 128, 3), np.float32)
    page[20:60:4, 10:110] = 0
    with pytest.raises(QualityError, match=r"mean colou?r moved"):
        check(page, page - np.float32(10 / 255), sigma=50)


def test_detail_is_not_noise_enough():
    x = np.clip(soft(low=-0.1, high=0.6), 0, 1)
    assert (x == 0).mean() > 0.05
    check(x, x + np.float32(4 / 255), sigma=50)
    with pytest.raises(QualityError, match=r"mean colou?r moved"):
        check(x, x + np.float32(12 / 255), sigma=50)


def test_undoing_clipped_noise_is_no_shift():
    """Noise on black, clipped, has the mean σ/√(2π); black is the right answer."""
    rng = np.random.default_rng(0)
    sigma = 50
    black = np.zeros((64, 64, 3), np.float32)
    clipped = np.clip(sigma / 255 * rng.standard_normal(black.shape, np.float32), 0, 1)
    assert 255 * clipped.mean() == pytest.approx(sigma / np.sqrt(2 * np.pi), rel=0.03)
    check(clipped, black, sigma)


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("sigma", [5, 15, 30, 50])
def test_undoing_noise_that_was_clipped_in_shadows(sigma, told):
    """Without a level, as ``restore`` works, the noise is measured."""
    dark = soft(low=0.0, high=0.1)
    check(np.clip(dark + noise(dark.shape, sigma), 0, 1), dark, sigma if told else None)


def test_without_a_level_clean_pictures_are_judged_as_strictly():
    for x in (soft(), np.clip(soft(low=-0.1, high=0.6), 0, 1)):
        with pytest.raises(QualityError, match=r"mean colou?r moved"):
            check(x, x + np.float32(12 / 255), sigma=None)
        with pytest.raises(QualityError, match="flat"):
            check(x, np.full_like(x, x.mean()), sigma=None)


def test_flatness_is_judged_by_the_spread_of_the_input():
    """12 bits read as 16 made all of this picture differ by less than the 38 levels that were asked of it."""
    dim = soft(low=0.01, high=0.03)
    checks = Checks(3, 18, step=255 / 65535)
    checks.add(dim, np.zeros_like(dim))
    with pytest.raises(QualityError, match="flat"):
        checks.finish()
    with pytest.raises(QualityError, match="flat"):
        check(soft(), np.full_like(soft(), 0.5), sigma=50)


def test_what_is_not_judged():
    x, y = soft(), soft()
    seen = np.ones(x.shape[:2], bool)
    seen[10:50, 20:60] = False
    y[~seen] = 1
    checks = Checks(3)
    checks.add(x, y, (seen, seen))
    checks.finish()
    with pytest.raises(QualityError, match=r"mean colou?r moved"):
        check(x, y)


def test_nothing_to_judge():
    Checks(3).finish()


@pytest.mark.parametrize("value", [0.1, 0.3, 0.7, 0.9])
@pytest.mark.parametrize("model", ["restore", "denoise"])
def test_a_flat_float_picture_stays_flat_without_an_error(value, model):
    flat = np.full((9, 7), value, np.float32)
    assert np.abs(resolvent.restore(flat, model=model) - value).max() < 0.05


@pytest.mark.parametrize("bad", [texture() * np.nan, np.zeros_like(texture()), texture() * 0.5])
def test_every_refusal_says_what_to_try(bad):
    for sigma in (0.0, None):
        with pytest.raises(QualityError, match=r"not kept; try another model or method, or other settings of it$"):
            check(texture(), bad, sigma)
    if bad.any() and np.isfinite(bad).all():
        with pytest.raises(QualityError, match=r"give less noise than 75, or leave it to be measured$"):
            check(soft(), soft() * 0.5, 75)
