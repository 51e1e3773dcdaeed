"""Noise and blur are measured where they are, and as much as there is."""

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st

from resolvent.diagnosis.blur import blur_sigma
from resolvent.diagnosis.noise import _box_sum, _tail, grain_of, noise_sigma, noise_sigmas
from resolvent.diagnosis.sample import windows
from tests.diagnosis.pictures import DISK, SLOPE, noisy


def texture(strength=60, channels=3):
    """Fine and everywhere: smooth at no scale, and not white."""
    white = np.random.default_rng(1).standard_normal((64, 64, 1))
    fine = scipy.ndimage.gaussian_filter(white, 0.7, axes=(0, 1), mode="wrap")
    return 120 + strength * fine.repeat(channels, 2)


# --- windows


@pytest.mark.parametrize(
    ("height", "width", "count"),
    [
        (1, 1, 1),
        (64, 64, 1),
        (65, 64, 2),
        (40, 300, 5),
        (512, 512, 64),
        (500, 300, 40),
        (10_000, 10_000, 64),
        (70, 9_000, 64),
    ],
)
def test_windows_lie_inside_and_reach_every_border(height, width, count):
    boxes = []

    def read(*box):
        boxes.append(box)
        return np.zeros((box[2] - box[0], box[3] - box[1], 1), np.float32)

    sample = windows(read, height, width)
    assert sample.shape == (count, min(64, height), min(64, width), 1)
    top, left, bottom, right = np.transpose(boxes)
    assert (top.min(), left.min(), bottom.max(), right.max()) == (0, 0, height, width)
    assert len(set(boxes)) == count


def test_windows_of_a_small_photograph_hold_every_pixel():
    pixels = np.arange(200 * 150, dtype=np.float32).reshape(200, 150, 1)
    sample = windows(lambda top, left, bottom, right: pixels[top:bottom, left:right], 200, 150)
    assert np.unique(sample).size == pixels.size


# --- noise


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sigma", [1, 5, 15, 30])
def test_noise_on_plain_ground(sigma, channels):
    sample = noisy(SLOPE[..., :channels], sigma)[None]
    assert noise_sigma(sample) == pytest.approx(sigma, rel=0.07)


def test_noise_beside_texture_and_edges():
    values = np.stack([SLOPE, texture(), texture().swapaxes(0, 1), DISK])
    assert noise_sigma(noisy(values, 6)) == pytest.approx(6, rel=0.07)


def test_texture_is_not_noise():
    assert noise_sigma(np.stack([texture(), texture()[::-1]]).astype(np.float32)) == 0


def test_weak_texture_beside_the_noise_is_left_out():
    values = np.stack([SLOPE, texture(12), texture(12).swapaxes(0, 1), texture(12)[::-1]])
    assert noise_sigma(noisy(values, 3)) == pytest.approx(3, rel=0.07)


def test_noise_that_explains_less_than_a_hundredth_is_texture():
    values = np.stack([texture(channels=1)] * 60)
    values[0, :, :32] = 120
    few = noisy(values, 5)
    assert noise_sigma(few) == 0
    assert noise_sigma(few[:30]) == pytest.approx(5, rel=0.15)


def test_clipped_pixels_do_not_lower_the_estimate():
    sky = np.full_like(SLOPE, 320)  # noise of 20 leaves all of it at 255
    shade = np.full_like(SLOPE, 4)  # noise of 20 is cut in half here
    values = np.stack([sky, sky, shade, shade, SLOPE])
    assert noise_sigma(noisy(values, 20).clip(0, 255)) == pytest.approx(20, rel=0.1)


def test_every_channel_counts():
    values = noisy(SLOPE, 4)
    values[..., 2] = noisy(SLOPE, 12)[..., 2]
    assert noise_sigmas(values[None]) == pytest.approx((4, 4, 12), rel=0.07)
    assert noise_sigma(values[None]) == pytest.approx(((4**2 + 4**2 + 12**2) / 3) ** 0.5, rel=0.07)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 5, 64, 3), (1, 16, 16, 1)])
def test_too_small_to_measure(shape):
    assert noise_sigma(np.random.default_rng(0).uniform(50, 200, shape).astype(np.float32)) == 0


@pytest.mark.parametrize("level", [0, 100, 255])
def test_a_flat_image_has_neither_noise_nor_blur(level):
    sample = np.full((2, 64, 64, 3), level, np.float32)
    assert noise_sigma(sample) == 0
    assert blur_sigma(sample) == 0


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=40))
def test_tail_is_algorithm_1(values):
    descending = sorted(values, reverse=True)
    for start in range(len(descending)):
        rest = descending[start:]
        if np.mean(rest) <= np.median(rest):
            break
    assert _tail(np.array(descending[::-1], float)) ** 2 == pytest.approx(np.mean(rest))


@pytest.mark.parametrize("step", [1, 2])
def test_box_sum_by_brute_force(step):
    x = np.random.default_rng(0).random((2, 9, 11)).astype(np.float32)
    boxes = np.lib.stride_tricks.sliding_window_view(x, (3, 4), axis=(1, 2)).sum((3, 4))
    np.testing.assert_allclose(_box_sum(x, 3, 4, step), boxes[:, ::step, ::step], rtol=1e-5)


def test_grain_of_white_noise_is_that_of_the_laplacian():
    """Its variance is (4² + 4) σ²; 2 % of blocks of 64 samples lie about a fifth below."""
    noise = 128 + 5 * np.random.default_rng(0).standard_normal((16, 64, 64, 1)).astype(np.float32)
    grain = grain_of(noise)
    assert 0.7 < grain.roughness / (5 * np.sqrt(20)) < 0.9
    assert 1 < grain.evenness < 1.15
    assert grain_of(noise[:1, :9, :9]).roughness == 0


# --- blur


@pytest.mark.parametrize("noise", [0, 2])
@pytest.mark.parametrize("sigma", [1, 1.6, 2.4])
def test_blur_of_a_step(sigma, noise):
    blurred = scipy.ndimage.gaussian_filter(DISK, sigma, axes=(0, 1))
    assert blur_sigma(noisy(blurred, noise)[None], noise) == pytest.approx(sigma, abs=0.2)


def test_sharp_edges_and_texture_are_not_blurred():
    assert blur_sigma(DISK[None].astype(np.float32)) < 0.5
    assert blur_sigma(texture()[None].astype(np.float32)) < 0.5


def test_a_blurred_background_does_not_count():
    ground = scipy.ndimage.gaussian_filter(DISK, 3, axes=(0, 1))
    assert blur_sigma(np.stack([DISK, ground, ground, ground]).astype(np.float32)) < 0.5


def test_noise_alone_has_no_edges():
    assert blur_sigma(noisy(SLOPE, 5)[None], noise=5) == 0
