"""The pixels of a file are read and written as other programs read and write them."""

from __future__ import annotations

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from resolvent.image import FORMATS, Image, encode_image, read_image, unsupported
from tests.image.samples import PALETTE, SOURCES, pillow, saved, texture, tiff


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        *(("png", np.uint8), ("png", np.uint16), ("webp", np.uint8)),
        *(("tiff", np.uint8), ("tiff", np.uint16), ("tiff", np.float32)),
    ],
)
def test_lossless_formats_keep_every_sample(kind: str, dtype: type, channels: int) -> None:
    values = texture(channels=channels, dtype=dtype)
    image = read_image(encode_image(Image.from_array(values), kind, quality=100))
    expected = Image.from_array(values)
    if kind == "webp" and channels < 3:  # WebP has no gray: three equal channels
        expected = replace(expected, data=expected.data.repeat(3, axis=2))
    assert image.format == kind
    assert image.data.dtype == dtype
    assert image.data.flags.c_contiguous
    np.testing.assert_array_equal(image.data, expected.data)
    if channels in (2, 4):
        np.testing.assert_array_equal(image.alpha, expected.alpha)
    else:
        assert image.alpha is None


@pytest.mark.parametrize("channels", [1, 3])
def test_lossless_bmp_and_avif(channels: int) -> None:
    values = texture(channels=channels)
    for kind in ("bmp", "avif"):
        read = read_image(encode_image(Image.from_array(values), kind, quality=100)).data
        np.testing.assert_array_equal(read, np.broadcast_to(values, read.shape))


def test_other_programs_read_what_is_written() -> None:
    for channels in (1, 2, 3, 4):
        values = texture(channels=channels)
        for kind in ("png", "tiff"):
            other = pillow(encode_image(Image.from_array(values), kind))
            np.testing.assert_array_equal(np.asarray(other), values.squeeze())
    deep = texture(channels=4, dtype=np.uint16)
    decoded = cv2.imdecode(np.frombuffer(encode_image(Image.from_array(deep), "png"), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded[..., [2, 1, 0, 3]], deep)
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(encode_image(Image.from_array(deep), "tiff"))), deep)
    real = texture(dtype=np.float32)
    decoded = cv2.imdecode(np.frombuffer(encode_image(Image.from_array(real), "tiff"), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded[..., ::-1], real)


def test_jpeg_is_written_444_at_quality_95() -> None:
    values = texture()
    data = encode_image(Image.from_array(values))
    assert pillow(data).format == "PNG"
    ours, theirs = (
        pillow(encode_image(Image.from_array(values), "jpeg")),
        pillow(saved(Pillow.fromarray(values), "JPEG", quality=95, subsampling=0)),
    )
    assert ours.quantization == theirs.quantization
    assert [layer[1:3] for layer in ours.layer] == [(1, 1)] * 3
    assert np.abs(np.asarray(ours).astype(int) - np.asarray(theirs)).max() <= 1


@pytest.mark.parametrize("kind", ["jpeg", "webp", "avif"])
def test_lossy_formats_stay_close(kind: str) -> None:
    smooth = cv2.GaussianBlur(texture(), (0, 0), 3)
    read = read_image(encode_image(Image.from_array(smooth), kind)).data
    assert np.abs(read.astype(int) - smooth).mean() < 2


def test_a_dark_16_bit_image_stays_16_bit() -> None:
    dark = texture(dtype=np.uint16) // 300
    assert dark.max() < 256
    for kind in ("png", "tiff"):
        image = read_image(encode_image(Image.from_array(dark), kind))
        assert image.depth == 16
        np.testing.assert_array_equal(image.data, dark)


def test_avif_keeps_12_bits() -> None:
    deep = texture(dtype=np.uint16)
    image = read_image(encode_image(Image.from_array(deep), "avif", quality=100))
    assert image.depth == 16
    np.testing.assert_array_equal(image.data, deep & 0xFFF0)


@pytest.mark.parametrize("name", SOURCES)
def test_reads_what_other_programs_write(name: str) -> None:
    data, expected = SOURCES[name]
    image = read_image(data)
    np.testing.assert_array_equal(np.asarray(image.to_pil()), np.asarray(expected or pillow(data)))
    assert name.endswith(FORMATS[image.format])
    assert image.warnings == ()


def test_associated_alpha_is_divided_out() -> None:
    colors = np.full((8, 8, 4), (100, 50, 25, 128), np.uint8)
    image = read_image(tiff(colors, photometric="rgb", extrasamples=["assocalpha"]))
    np.testing.assert_array_equal(image.alpha, 128)
    assert np.abs(image.data[0, 0].astype(int) - [199, 100, 50]).max() <= 1


def test_cmyk_becomes_srgb_with_a_warning() -> None:
    flat = Pillow.new("CMYK", (16, 16), (0, 255, 255, 0))  # ink for red
    for data in (saved(flat, "JPEG", quality=95), saved(flat, "TIFF")):
        image = read_image(data)
        red, green, blue = image.data[8, 8].tolist()
        assert red > 180
        assert max(green, blue) < 80
        assert image.warnings == ("converted from CMYK to sRGB",)
        assert image.metadata.icc is None


def test_of_several_frames_the_first_is_read_with_a_warning() -> None:
    frames = [PALETTE, PALETTE.rotate(180)]
    for kind in ("GIF", "TIFF"):
        image = read_image(saved(frames[0], kind, save_all=True, append_images=frames[1:]))
        np.testing.assert_array_equal(image.data, np.asarray(PALETTE.convert("RGB")))
        assert image.warnings == ("holds 2 images: only the first is used",)
    rgb = [frame.convert("RGB") for frame in frames]
    (warning,) = read_image(saved(rgb[0], "PNG", save_all=True, append_images=rgb[1:])).warnings
    assert "animation" in warning


def test_float_outside_0_to_1_is_scaled() -> None:
    values = texture(dtype=np.float32) * 400 - 100
    image = read_image(tiff(values, photometric="rgb"))
    low, high = image.value_range.low, image.value_range.high
    assert low <= values.min()
    assert values.max() <= high
    assert high - low < 2 * (values.max() - values.min())
    np.testing.assert_allclose(image.pixels, (values - low) / (high - low), atol=1e-6)
    np.testing.assert_allclose(image.quantize(image.pixels), values, atol=1e-3)
    np.testing.assert_array_equal(read_image(encode_image(image, "tiff")).data, values)
    known = read_image(tiff(texture(dtype=np.float32), photometric="rgb")).value_range
    assert (known.low, known.high) == (0.0, 1.0)


def test_two_pictures_are_compared_in_one_range() -> None:
    """The brightest pixel of one takes 13 bits, of the other 12."""
    noisy, clean = (np.full((8, 8), value, np.uint16) for value in (4100, 4090))
    one, other = Image.from_array(noisy), Image.from_array(clean)
    assert other.pixels.mean() > 3 * one.pixels.mean()
    assert other.in_range_of(one).pixels.mean() == pytest.approx(one.pixels.mean(), rel=0.01)
    assert other.in_range_of(Image.from_array(texture())) is other


def test_what_a_float_picture_loses_to_integers_is_named() -> None:
    values = texture(64, 64, dtype=np.float32)
    values[9, 9] = 800
    image = Image.from_array(values)
    assert unsupported(image, "tiff") == ()
    assert unsupported(image, "png") == (
        "png holds 16 of its 32 bits a sample",
        "its values outside of 0 to 1 are clipped",
    )
    assert unsupported(Image.from_array(texture(dtype=np.float32)), "png") == ("png holds 16 of its 32 bits a sample",)
