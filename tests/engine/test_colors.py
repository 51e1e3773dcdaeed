from dataclasses import replace

import numpy as np
import pytest

from resolvent.engine.colors import as_gray, as_stored, is_bilevel, is_constant, is_gray, levels
from resolvent.image import Image, Metadata, encode_image, read_image


def gray(height=70, width=90, dtype=np.uint8):
    """(H, W, 3) with equal channels."""
    rows, columns = np.mgrid[:height, :width]
    waves = 0.5 + 0.4 * np.sin(rows / 7) * np.cos(columns / 9)
    waves = waves + 0.02 * np.random.default_rng(0).standard_normal(waves.shape)
    top = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    values = np.clip(waves, 0, 1) * top
    values = values if top == 1 else np.rint(values)
    return values.astype(dtype)[..., None].repeat(3, 2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_equal_channels_are_gray(dtype):
    values = gray(dtype=dtype)
    assert is_gray(Image.from_array(values))
    values[69, 89, 2] -= values.max() / 50
    assert not is_gray(Image.from_array(values))
    assert not is_gray(Image.from_array(gray(dtype=dtype)[..., 0]))


@pytest.mark.parametrize("kind", ["jpeg", "webp", "avif", "png"])
def test_a_gray_picture_is_gray_whatever_format_it_was_saved_in(kind):
    image = read_image(encode_image(Image.from_array(gray()), kind, quality=60))
    assert image.channels == 3
    assert is_gray(image)


def test_a_tint_of_two_levels_is_color():
    assert is_gray(Image.from_array(gray() // 2 + np.uint8([0, 0, 1])))
    assert not is_gray(Image.from_array(gray() // 2 + np.uint8([0, 0, 2])))


def test_noise_in_the_channels_is_color():
    noisy = gray().astype(float) + np.random.default_rng(1).normal(0, 1.5, (70, 90, 3))
    assert not is_gray(Image.from_array(np.clip(np.rint(noisy), 0, 255).astype(np.uint8)))


def test_hidden_pixels_do_not_count():
    rgba = np.dstack([gray(), np.full((70, 90), 255, np.uint8)])
    rgba[:8, :8] = (255, 0, 255, 0)
    image = Image.from_array(rgba)
    assert is_gray(image)
    back = as_stored(image, as_gray(image))
    np.testing.assert_array_equal(back.data, image.data)
    np.testing.assert_array_equal(back.alpha, image.alpha)
    rgba[:8, :8, 3] = 1
    assert not is_gray(Image.from_array(rgba))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_gray_result_comes_back_in_equal_channels(dtype, scale):
    image = replace(Image.from_array(gray(dtype=dtype)), metadata=Metadata(icc=b"profile"))
    made = gray(scale * 70, scale * 90, dtype=dtype)[::-1, :, :1]
    back = as_stored(image, as_gray(image).with_data(np.ascontiguousarray(made)))
    assert back.metadata == image.metadata
    np.testing.assert_array_equal(back.data, made.repeat(3, 2))


def test_differences_of_one_level_are_kept():
    values = gray() // 2 + np.uint8([1, 0, 0])
    image = Image.from_array(values)
    back = as_stored(image, as_gray(image).with_data(np.full((70, 90, 1), 255, np.uint8)))
    np.testing.assert_array_equal(back.data, 255)
    back = as_stored(image, as_gray(image).with_data(np.full((70, 90, 1), 99, np.uint8)))
    assert (back.data == [100, 99, 99]).all()


def test_bilevel_is_black_and_white_and_nothing_else():
    page = np.where(gray()[..., 0] > 128, 255, 0).astype(np.uint8)
    assert is_bilevel(Image.from_array(page))
    assert is_bilevel(Image.from_array(page[..., None].repeat(3, 2)))
    assert is_bilevel(Image.from_array(page.astype(np.uint16) * 257))
    assert not is_bilevel(Image.from_array(gray()[..., 0]))
    assert not is_bilevel(Image.from_array(np.zeros((9, 9), np.uint8)))
    assert not is_bilevel(Image.from_array(page / 255.0))
    red = page[..., None].repeat(3, 2)
    red[red[..., 0] == 255] = (255, 0, 0)
    assert not is_bilevel(Image.from_array(red))
    page[69, 89] = 254
    assert not is_bilevel(Image.from_array(page))


def test_constant():
    assert is_constant(Image.from_array(np.full((80, 9, 3), (255, 0, 0), np.uint8)))
    assert not is_constant(Image.from_array(gray()))
    hidden = np.full((80, 9, 4), (255, 0, 0, 255), np.uint8)
    hidden[70] = (0, 0, 0, 0)
    assert is_constant(Image.from_array(hidden))


def test_levels_are_of_the_range_in_use():
    assert levels(Image.from_array(np.uint8([[10, 60]]))) == 50
    assert levels(Image.from_array(np.uint16([[0, 2048]]))) == pytest.approx(255 * 2048 / 4095)
    bright = np.linspace(0, 1, 4096, dtype=np.float32).reshape(64, 64)
    bright[5, 5] = 1000
    assert levels(Image.from_array(bright)) == pytest.approx(255 * 1.1, rel=0.02)


def test_floats_that_are_not_restored_come_back_exactly():
    rng = np.random.default_rng(0)
    nearly = (rng.random((20, 20, 1)) + 0.001 * rng.standard_normal((20, 20, 3))).astype(np.float32)
    image = Image.from_array(nearly)
    np.testing.assert_array_equal(as_stored(image, as_gray(image)).data, nearly)
