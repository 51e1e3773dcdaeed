"""What is given comes back in its own type, range and depth."""

from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from scipy import ndimage

import resolvent
from resolvent.engine.restore import restore
from resolvent.image import Image, Metadata
from resolvent.physics.resize import imresize
from tests.engine.conftest import go, noisy_picture, picture


def mean(pixels):
    """What the model of ``model_file`` makes of (H, W, 3), reflected at its borders."""
    return ndimage.uniform_filter(pixels, (3, 3, 1), mode="mirror")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(40, 56), (40, 56, 1), (40, 56, 2), (40, 56, 3), (40, 56, 4)])
def test_arrays_keep_shape_and_type(model_file, dtype, shape):
    array = picture(shape, dtype)
    before = array.copy()
    out = restore(array, model=model_file, sigma=10)
    assert (out.shape, out.dtype) == (array.shape, array.dtype)
    np.testing.assert_array_equal(array, before)
    top = 1 if array.dtype.kind == "f" else np.iinfo(dtype).max
    if shape[2:] in [(), (1,), (3,)]:
        expected = mean(array.reshape(40, 56, -1) / top).reshape(shape)
        np.testing.assert_allclose(out / top, expected, rtol=0, atol=1e-6 if top == 1 else 0.51 / top + 1e-6)
    else:
        np.testing.assert_array_equal(out[..., -1], array[..., -1])
        assert (out[..., 0] != array[..., 0]).mean() > 0.5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_strength_zero_is_the_input_exactly(dtype):
    array = picture(dtype=dtype)
    if dtype == np.float64:
        array = 3 * array - 1
    out = restore(array, strength=0)
    np.testing.assert_array_equal(out, array)
    assert not np.shares_memory(out, array)


def test_a_turned_pillow_image_that_is_left_alone_comes_back_upright():
    image = PIL.Image.fromarray(picture())
    image.getexif()[0x0112] = 6
    out = restore(image, strength=0)
    assert out.getexif().get(0x0112, 1) == 1
    np.testing.assert_array_equal(np.asarray(out), np.rot90(picture(), -1))
    assert image.getexif()[0x0112] == 6


def test_pillow_image_comes_back_as_one(model_file):
    image = PIL.Image.fromarray(picture())
    out = restore(image, model=model_file, sigma=10)
    assert isinstance(out, PIL.Image.Image)
    np.testing.assert_array_equal(np.asarray(out), restore(np.asarray(image), model=model_file, sigma=10))
    assert restore(image, strength=0).tobytes() == image.tobytes()


def test_files_and_their_bytes_become_images_with_their_metadata(model_file, tmp_path):
    path = tmp_path / "photo.png"
    image = Image(picture(), metadata=Metadata(icc=None, exif=None, xmp=None, dpi=(240.0, 240.0)))
    resolvent.write_image(image, path)
    for source in (path, str(path), path.read_bytes()):
        out = restore(source, model=model_file, sigma=10)
        assert out.metadata.dpi == pytest.approx((240, 240), rel=1e-3)
        np.testing.assert_array_equal(out.data, restore(image.data, model=model_file, sigma=10))


def sixteen(values):
    return np.rint(values).astype(np.uint16)


def test_gray_in_rgb_stays_gray(fake):
    """A model that tints, as trained ones do: the channels came back 7 to 13 levels apart."""
    tint = np.float32([0.02, -0.02, 0.03]).reshape(1, 3, 1, 1)
    equal = picture((40, 56, 1), np.uint8).repeat(3, 2)
    out = go(fake(lambda x: x + tint), Image.from_array(equal))
    assert out.data.shape == equal.shape
    np.testing.assert_array_equal(out.data, out.data[..., :1].repeat(3, 2))
    one = go(fake(lambda x: x + tint), Image.from_array(equal[..., 0]))
    np.testing.assert_array_equal(out.data[..., :1], one.data)
    large = go(fake(lambda x: (x + tint).repeat(2, 2).repeat(2, 3), scale=2), Image.from_array(equal))
    np.testing.assert_array_equal(large.data, out.data.repeat(2, 0).repeat(2, 1))


def test_gray_in_rgb_keeps_its_type_profile_and_alpha(fake, functions, tmp_path):
    equal = np.dstack([picture((40, 56, 1), np.uint16).repeat(3, 2), picture((40, 56), np.uint16, 1)])
    image = replace(Image.from_array(equal), metadata=Metadata(dpi=(240.0, 240.0)), format="tiff", path=tmp_path / "a")
    out = go(fake(functions.window, halo=15), image)
    assert (out.format, out.path, out.metadata, out.channels) == ("tiff", image.path, image.metadata, 3)
    np.testing.assert_array_equal(out.alpha, image.alpha)
    assert (out.data != image.data).mean() > 0.5


@pytest.mark.parametrize("model", ["restore", "denoise"])
def test_bundled_models_keep_gray_gray(model):
    noisy = np.rint(255 * noisy_picture((64, 64, 1))).astype(np.uint8).repeat(3, 2)
    out = restore(noisy, model=model)
    np.testing.assert_array_equal(out, out[..., :1].repeat(3, 2))
    assert (out != noisy).any()


def test_twelve_bits_in_sixteen_are_restored_as_twelve_bits(fake, functions):
    """What a model sees, and what becomes of it, is the same picture as in 8 or 16 bits."""
    values = picture((40, 56, 3), np.float32)
    deep, whole = (Image.from_array(sixteen(top * values)) for top in (4095, 65535))
    out, expected = (go(fake(functions.window, halo=15), image) for image in (deep, whole))
    assert out.data.max() <= 4095
    np.testing.assert_allclose(out.data / 4095, expected.data / 65535, atol=1 / 4095)
    assert 4095 * 0.5 < go(fake(lambda x: x + 0.01), deep).data.max() <= 4095


def test_twelve_bits_told_their_noise_do_not_turn_black():
    """A micrograph with noise of 18 levels in 255 of its 12 bits: every pixel became 0, and passed the checks."""
    clean = np.clip(noisy_picture((96, 96, 1)), 0, 1)
    rows, columns = np.mgrid[:96, :96] / 48
    clean = 0.25 + 0.15 * np.sin(9 * rows + 5 * columns)[..., None]
    noisy = clean + 18 / 255 * np.random.default_rng(1).standard_normal(clean.shape)
    stored = sixteen(4095 * np.clip(noisy, 0, 1))
    assert stored.max() < 4096
    out = restore(stored, model="denoise", sigma=18)
    before, after = (np.sqrt(np.mean((x / 4095 - clean) ** 2)) for x in (stored, out))
    assert after < before / 2


@pytest.mark.parametrize("scale", [1, 2])
def test_a_hot_pixel_of_integers_keeps_its_value(fake, scale):
    values = sixteen(2000 + 1000 * picture((120, 100, 1), np.float32))
    values[50, 60] = 60_000
    model = fake(lambda x: (0.98 * x).repeat(scale, 2).repeat(scale, 3), scale=scale)
    out = go(model, Image.from_array(values)).data
    expected = np.where(values == 60_000, values, sixteen(0.98 * values)).repeat(scale, 0).repeat(scale, 1)
    assert np.abs(out.astype(int) - expected).max() <= 1
    assert (out == 60_000).sum() == scale**2


def test_floats_beyond_1_come_back_in_their_range(fake):
    for low, high in ((0, 255), (1000, 1200), (-3, 9)):
        values = low + (high - low) * noisy_picture((64, 64, 3))
        values = values.astype(np.float64)
        out = restore(values, model="denoise")
        assert out.dtype == values.dtype
        rows, columns = np.mgrid[:64, :64] / 48
        clean = low + (high - low) * (0.5 + 0.3 * np.sin(9 * rows + 5 * columns)[..., None])
        before, after = (np.sqrt(np.mean((x - clean) ** 2)) for x in (values, out))
        assert after < 0.7 * before


@pytest.mark.parametrize("dtype", [">u2", ">f4", ">f8"])
def test_arrays_of_the_other_byte_order(model_file, dtype):
    values = picture((40, 56, 3), np.uint16).astype(dtype)
    values = values / 65535 if values.dtype.kind == "f" else values
    values = values.astype(dtype)
    out = restore(values, model=model_file, sigma=10)
    assert out.dtype == values.dtype
    np.testing.assert_array_equal(
        out, restore(values.astype(values.dtype.newbyteorder("=")), model=model_file, sigma=10)
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_of_an_array_is_enlarged_with_it(dtype, channels):
    values = picture((24, 32, channels), dtype)
    out = restore(values, model="upscale2")
    assert (out.shape, out.dtype) == ((48, 64, channels), values.dtype)
    expected = restore(Image.from_array(values), model="upscale2").alpha
    np.testing.assert_array_equal(out[..., -1], expected.astype(dtype))
    alpha = values[..., -1]
    assert np.abs(imresize(alpha, 2.0).clip(alpha.min(), alpha.max()) - out[..., -1]).max() <= 0.5
