"""Arrays and Pillow images become images, and come back as they were."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

from resolvent.errors import InputError, UsageError
from resolvent.image import Image, Metadata
from tests.image.kept import REAL
from tests.image.samples import ICC, XMP, exif, texture


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_quantize_inverts_read_for_every_level(dtype: type) -> None:
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(16, -1)
    image = Image.from_array(levels)
    np.testing.assert_array_equal(image.quantize(image.pixels), image.data)
    np.testing.assert_allclose(image.pixels[..., 0], levels / np.iinfo(dtype).max, rtol=1e-7)
    assert image.pixels.dtype == np.float32
    assert (image.quantize(np.array([-3.0, 7.0])) == [0, np.iinfo(dtype).max]).all()


def test_read_gives_a_new_box() -> None:
    for dtype in (np.uint8, np.uint16, np.float32):
        image = Image.from_array(texture(dtype=dtype))
        before = image.data.copy()
        box = image.read(3, 5, 20, 41)
        np.testing.assert_array_equal(box, image.pixels[3:20, 5:41])
        box += 1
        np.testing.assert_array_equal(image.data, before)


def test_from_array_shapes_and_types() -> None:
    gray = texture(channels=1)
    np.testing.assert_array_equal(Image.from_array(gray[..., 0]).data, gray)
    rgba = Image.from_array(texture(channels=4))
    assert (rgba.height, rgba.width, rgba.channels, rgba.depth) == (40, 52, 3, 8)
    np.testing.assert_array_equal(rgba.alpha, texture(channels=4)[..., 3])
    assert Image.from_array(texture().astype(float) / 255).data.dtype == np.float32
    noisy = texture(dtype=np.float32) + np.random.default_rng(0).normal(0, 0.5, (40, 52, 3)).astype(np.float32)
    np.testing.assert_array_equal(Image.from_array(noisy).pixels, noisy)
    for wrong, reason in [
        (np.zeros(5), "no image"),
        (np.zeros((5, 5, 5)), "no image"),
        (np.zeros((0, 5)), "no image"),
        (np.zeros((5, 5), np.int64), "type int64; give uint8"),
        (np.zeros((5, 5), bool), "type bool"),
    ]:
        with pytest.raises(UsageError, match=reason):
            Image.from_array(wrong)
    with pytest.raises(InputError, match="NaN"):
        Image.from_array(np.full((5, 5), np.nan))


def test_with_data_keeps_the_rest() -> None:
    image = replace(Image.from_array(texture(channels=4)), metadata=Metadata(ICC), format="webp")
    other = image.with_data(255 - image.data)
    np.testing.assert_array_equal(other.alpha, image.alpha)
    assert (other.metadata, other.format) == (image.metadata, "webp")
    twice = image.with_data(image.data.repeat(2, 0), image.alpha.repeat(2, 0))
    assert (twice.height, twice.alpha.shape) == (80, (80, 52))
    for arguments in [
        (image.data[:9],),
        (image.data.astype(np.uint16),),
        (image.data[..., 0],),
        (image.data, image.alpha.astype(np.float32)),
    ]:
        with pytest.raises(UsageError):
            image.with_data(*arguments)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16", "F"])
def test_pillow_modes_survive(mode: str) -> None:
    channels = {"LA": 2, "RGB": 3, "RGBA": 4}.get(mode, 1)
    dtype = {"I;16": np.uint16, "F": np.float32}.get(mode, np.uint8)
    given = Pillow.fromarray(texture(channels=channels, dtype=dtype).squeeze())
    given.info |= {"icc_profile": ICC, "exif": exif().tobytes(), "xmp": XMP, "dpi": (300, 300)}
    back = Image.from_pil(given).to_pil()
    assert given.mode == back.mode == mode
    np.testing.assert_array_equal(np.asarray(back), np.asarray(given))
    assert {key: back.info[key] for key in given.info} == given.info


def test_other_pillow_modes_are_converted() -> None:
    rgb = Pillow.fromarray(texture())
    assert Image.from_pil(rgb.convert("P")).to_pil().mode == "RGB"
    assert Image.from_pil(rgb.convert("1")).to_pil().mode == "L"
    ycbcr = Image.from_pil(rgb.convert("YCbCr"))
    assert ycbcr.warnings == ("converted from YCbCr to RGB",)
    assert np.abs(ycbcr.data.astype(int) - texture()).max() <= 4
    assert Image.from_pil(Pillow.fromarray(texture(channels=1, dtype=np.uint16)[..., 0].astype(np.int32))).depth == 16
    with pytest.raises(InputError, match=r"0\.\.65535"):
        Image.from_pil(Pillow.fromarray(np.full((4, 4), 70_000, np.int32)))
    deep = Image.from_array(texture(dtype=np.uint16)).to_pil()
    np.testing.assert_array_equal(np.asarray(deep), np.rint(texture(dtype=np.uint16) / 257))


def test_importing_it_loads_no_codec() -> None:
    code = "import sys, resolvent.image; print({'pyvips', 'PIL', 'pillow_heif'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"


def test_a_pillow_image_without_pixels_is_refused():
    with pytest.raises(InputError, match="0 x 3 pixels"):
        Image.from_pil(Pillow.new("RGB", (0, 3)))


@pytest.mark.parametrize(
    ("data", "alpha", "error"),
    [
        (np.zeros((4, 5)), None, UsageError),
        (np.zeros((4, 5, 2), np.uint8), None, UsageError),
        (np.zeros((0, 5, 3), np.uint8), None, UsageError),
        (np.zeros((4, 5, 3), np.int32), None, UsageError),
        (np.zeros((4, 5, 3), np.uint8), np.zeros((4, 4), np.uint8), UsageError),
        (np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.uint16), UsageError),
        (np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5)), UsageError),
        (np.full((4, 5, 3), np.nan, np.float32), None, InputError),
        (np.zeros((4, 5, 3), np.float32), np.full((4, 5), np.inf, np.float32), InputError),
    ],
)
def test_arrays_that_are_no_image_are_refused(data: np.ndarray, alpha: np.ndarray | None, error: type) -> None:
    with pytest.raises(error):
        Image(data, alpha)


def test_arrays_are_brought_to_the_types_of_images() -> None:
    image = Image(REAL, REAL[..., 0])
    assert (image.data.dtype, image.alpha.dtype) == (np.float32, np.float32)
    deep = (REAL * 65535).astype(">u2")
    assert Image(deep).data.dtype == np.dtype(np.uint16)
    np.testing.assert_array_equal(Image(deep).data, deep)
