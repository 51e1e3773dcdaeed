"""The container survives, files appear whole or not at all, input is bounded before it is decoded."""

from __future__ import annotations

import errno
import io
import os
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps

import resolvent.image
from resolvent.errors import InputError, MissingDependencyError, OutputError, UsageError
from resolvent.image import (
    FORMATS,
    Image,
    Limits,
    Metadata,
    encode_image,
    output_format,
    read_image,
    unsupported,
    write_image,
)
from resolvent.image.value_range import ValueRange

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="1">é</rdf:Description></x:xmpmeta>'.encode()
)
WRITTEN = ("jpeg", "png", "webp", "tiff", "avif", "bmp")


def texture(height: int = 40, width: int = 52, channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    """(H, W, C) with detail, smooth parts and both extremes, the same at every call."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / (3 + c)) + np.cos(y / (5 - c)) for c in range(channels)], axis=2) / 4 + 0.5
    values = np.clip(waves + rng.normal(0, 0.08, waves.shape), 0, 1)
    if dtype == np.float32:
        return values.astype(np.float32)
    return np.rint(values * np.iinfo(dtype).max).astype(dtype)


def exif(orientation: int = 1) -> Pillow.Exif:
    """An EXIF block such as a camera writes: strings, rationals, a maker note, an unknown tag, GPS."""
    tags = Pillow.Exif()
    tags.update({0x010F: "Canon", 0x0112: orientation, 0x8298: "Zoe", 0x9C9B: "ü".encode("utf-16le"), 0xC62F: "7"})
    tags.get_ifd(0x8769).update({0x829A: (1, 50), 0x9003: "2024:05:06 07:08:09", 0x927C: b"\x00maker note\xff" * 9})
    tags.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.5)})
    return tags


def tags(block: Pillow.Exif) -> dict[int, object]:
    """All tags of an EXIF block, subdirectories among them, less what says how the pixels are stored."""
    stored = {
        *range(0x0100, 0x0108),
        0x0111,
        0x0112,
        0x013D,
        *range(0x0115, 0x011E),
        0x0128,
        0x0153,
        0x02BC,
        0x8769,
        0x8773,
        0x8825,
    }
    flat = {**block, **block.get_ifd(0x8769), **{-tag: value for tag, value in block.get_ifd(0x8825).items()}}
    return {tag: value for tag, value in flat.items() if tag not in stored}


def full(**changes: object) -> Image:
    """An RGB image with everything that a file can hold."""
    metadata = Metadata(ICC, exif().tobytes(), XMP, (300.0, 300.0))
    return replace(Image.from_array(texture()), metadata=metadata, **changes)


def pillow(data: bytes) -> Pillow.Image:
    image = Pillow.open(io.BytesIO(data))
    image.load()
    return image


def saved(image: Pillow.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def tiff(array: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


# --- pixels -----------------------------------------------------------------------------------------------------------


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


PALETTE = Pillow.fromarray(texture()).quantize(16, dither=Pillow.Dither.NONE)
SOURCES = {
    "palette.png": (saved(PALETTE, "PNG"), PALETTE.convert("RGB")),
    "transparent palette.png": (
        saved(PALETTE, "PNG", transparency=bytes(range(0, 160, 10))),
        pillow(saved(PALETTE, "PNG", transparency=bytes(range(0, 160, 10)))).convert("RGBA"),
    ),
    "1-bit.png": (
        saved(Pillow.fromarray(texture(channels=1)[..., 0]).convert("1"), "PNG"),
        Pillow.fromarray(texture(channels=1)[..., 0]).convert("1").convert("L"),
    ),
    "keyed.png": (
        saved(Pillow.fromarray(texture()), "PNG", transparency=tuple(texture()[0, 0].tolist())),
        pillow(saved(Pillow.fromarray(texture()), "PNG", transparency=tuple(texture()[0, 0].tolist()))).convert("RGBA"),
    ),
    "gray.jpg": (saved(Pillow.fromarray(texture(channels=1)[..., 0]), "JPEG"), None),
    "progressive.jpg": (saved(Pillow.fromarray(texture()), "JPEG", progressive=True, subsampling=0), None),
    "lossy.webp": (saved(Pillow.fromarray(texture()), "WEBP", quality=90), None),
    "alpha.webp": (saved(Pillow.fromarray(texture(channels=4)), "WEBP", lossless=True, exact=True), None),
    "still.gif": (saved(PALETTE, "GIF"), PALETTE.convert("RGB")),
    "1-bit.tif": (
        saved(Pillow.fromarray(texture(channels=1)[..., 0]).convert("1"), "TIFF", compression="group4"),
        Pillow.fromarray(texture(channels=1)[..., 0]).convert("1").convert("L"),
    ),
    "planar.tif": (
        tiff(np.moveaxis(texture(), 2, 0), photometric="rgb", planarconfig="separate"),
        Pillow.fromarray(texture()),
    ),
    "tiled.tif": (tiff(texture(), photometric="rgb", tile=(16, 16)), Pillow.fromarray(texture())),
    "big.tif": (tiff(texture(), photometric="rgb", bigtiff=True, byteorder=">"), Pillow.fromarray(texture())),
    "miniswhite.tif": (
        tiff(texture(channels=1)[..., 0], photometric="miniswhite"),
        Pillow.fromarray(255 - texture(channels=1)[..., 0]),
    ),
    "rgb.bmp": (saved(Pillow.fromarray(texture()), "BMP"), None),
    "palette.bmp": (saved(PALETTE, "BMP"), PALETTE.convert("RGB")),
}


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


# --- metadata ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff", "avif"])
def test_metadata_survives_and_other_programs_read_it(kind: str) -> None:
    image = full()
    data = encode_image(image, kind)
    other = pillow(data)
    missing = {0xC62F} if kind == "tiff" else set()  # a tag that EXIF does not know has no place in a TIFF directory
    assert tags(other.getexif()) == {tag: value for tag, value in tags(exif()).items() if tag not in missing}
    assert other.info["icc_profile"] == ICC
    assert other.info.get("xmp") == XMP
    read = read_image(data).metadata
    assert (read.icc, read.xmp) == (ICC, XMP)
    if kind in ("jpeg", "png"):
        assert read.exif == image.metadata.exif
    if kind in ("jpeg", "png", "tiff"):
        assert other.info["dpi"] == pytest.approx((300, 300), abs=0.01)
        assert read.dpi == pytest.approx((300, 300), abs=0.01)
    again = encode_image(read_image(data), kind)
    assert tags(pillow(again).getexif()) == tags(other.getexif())


def test_bmp_keeps_the_resolution() -> None:
    assert pillow(encode_image(full(), "bmp")).info["dpi"] == pytest.approx((300, 300), abs=0.02)


@pytest.mark.parametrize("kind", WRITTEN)
def test_no_metadata_is_made_up(kind: str) -> None:
    data = encode_image(Image.from_array(texture()), kind)
    assert read_image(data).metadata == Metadata()
    assert not {"exif", "icc_profile", "xmp", "dpi"} & set(pillow(data).info)


def test_large_profile_spans_jpeg_segments() -> None:
    profile = ICC + bytes(150_000)
    image = replace(full(), metadata=Metadata(icc=profile))
    data = encode_image(image, "jpeg")
    assert read_image(data).metadata.icc == profile
    assert pillow(data).info["icc_profile"] == profile


def test_webp_and_avif_keep_the_resolution_in_exif() -> None:
    block = exif()
    block.update({0x011A: 300.0, 0x011B: 300.0, 0x0128: 2})
    image = replace(full(), metadata=Metadata(exif=block.tobytes(), dpi=(300.0, 300.0)))
    for kind in ("webp", "avif"):
        assert unsupported(image, kind) == ()
        assert read_image(encode_image(image, kind)).metadata.dpi == pytest.approx((300, 300))
    assert unsupported(full(), "webp") == ("webp cannot hold its dpi: left out",)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
def test_orientation_is_applied_once_and_reset(kind: str, orientation: int, tmp_path: Path) -> None:
    options = {"jpeg": {"quality": 95, "subsampling": 0}, "webp": {"lossless": True}}.get(kind, {})
    xmp = XMP.replace(b'Orientation="1"', b'Orientation="%d"' % orientation)
    if kind in ("jpeg", "webp"):
        options["xmp"] = xmp
    source = saved(Pillow.fromarray(texture()), kind, exif=exif(orientation).tobytes(), **options)
    expected = ImageOps.exif_transpose(pillow(source))
    image = read_image(source)
    np.testing.assert_array_equal(image.data, np.asarray(expected))
    np.testing.assert_array_equal(Image.from_pil(Pillow.open(io.BytesIO(source))).data, image.data)
    target = tmp_path / f"out{FORMATS[kind][0]}"
    write_image(image, target, quality=100)
    with Pillow.open(target) as written:
        assert written.size == expected.size
        assert written.getexif().get(0x0112, 1) == 1
        assert tags(written.getexif()).items() >= {0x010F: "Canon", 0x9003: "2024:05:06 07:08:09", -1: "N"}.items()
        assert b'Orientation="1"' in written.info.get("xmp", XMP)
    np.testing.assert_array_equal(read_image(target).data.shape, image.data.shape)


def test_damaged_exif_is_left_out_with_a_warning() -> None:
    image = read_image(saved(Pillow.fromarray(texture()), "JPEG", exif=b"Exif\0\0no TIFF here at all"))
    assert image.metadata.exif is None
    assert image.warnings == ("EXIF left out: no TIFF header",)
    with pytest.raises(UsageError, match="not an EXIF block"):
        Metadata(exif=b"Exif\0\0no TIFF")


# --- what a format cannot hold ----------------------------------------------------------------------------------------


def test_losses_are_told(tmp_path: Path) -> None:
    image = replace(Image.from_array(texture(channels=4, dtype=np.uint16)), metadata=Metadata(ICC))
    assert write_image(image, tmp_path / "a.png") == ()
    assert write_image(image, tmp_path / "a.jpg") == (
        "jpeg holds 8 of its 16 bits a sample",
        "jpeg holds no alpha: flattened onto white",
    )
    assert unsupported(image, ".bmp")[-1] == "bmp cannot hold its icc: left out"
    large = replace(image, metadata=Metadata(exif=exif().tobytes() + bytes(70_000), xmp=bytes(65_536)))
    assert unsupported(large, "jpeg")[-1] == "jpeg cannot hold its exif, xmp: left out"
    assert read_image(encode_image(large, "jpeg")).metadata == Metadata()
    assert unsupported(large, "png") == ()


def test_rounding_to_8_bits_is_to_the_nearest() -> None:
    deep = texture(dtype=np.uint16)
    np.testing.assert_array_equal(read_image(encode_image(Image.from_array(deep), "bmp")).data, np.rint(deep / 257))
    real = texture(dtype=np.float32)
    np.testing.assert_array_equal(read_image(encode_image(Image.from_array(real), "png")).data, np.rint(real * 65535.0))
    scaled = replace(Image.from_array(real * 4 - 1), value_range=ValueRange(-1.0, 3.0, -1.0, 3.0))
    assert np.abs(read_image(encode_image(scaled, "bmp")).data - real * 255).max() <= 0.501


def test_alpha_is_flattened_onto_white() -> None:
    values = texture(channels=4)
    alpha = values[..., 3:] / 255
    expected = values[..., :3] * alpha + 255 * (1 - alpha)
    flat = read_image(encode_image(Image.from_array(values), "bmp"))
    assert flat.alpha is None
    assert np.abs(flat.data - expected).max() <= 1


def test_output_format() -> None:
    rgb, rgba = Image.from_array(texture()), Image.from_array(texture(channels=4))
    for kind in WRITTEN:
        assert output_format(replace(rgb, format=kind)) == kind
    assert output_format(replace(rgb, format="gif")) == "png"
    assert output_format(replace(rgba, format="bmp")) == "png"
    assert output_format(Image.from_array(texture(dtype=np.float32))) == "tiff"


def test_format_is_named_by_argument_extension_or_image(tmp_path: Path) -> None:
    image = replace(full(), format="webp")
    for name, options, kind in [
        ("a.tiff", {}, "TIFF"),
        ("a.JPG", {}, "JPEG"),
        ("plain", {}, "WEBP"),
        ("b.png", {"format": "jpg"}, "JPEG"),
    ]:
        image.save(tmp_path / name, **options)
        with Pillow.open(tmp_path / name) as written:
            assert written.format == kind
    with pytest.raises(UsageError, match=r"unknown format '.pngg': did you mean 'png'"):
        write_image(image, tmp_path / "a.pngg")
    with pytest.raises(UsageError, match="format gif: is read but not written"):
        write_image(image, tmp_path / "a.gif")
    for quality in (0, 101, 5.5, "high"):
        with pytest.raises(UsageError, match=rf"quality {quality!r}: must be a whole number from 1 to 100"):
            encode_image(image, quality=quality)
        with pytest.raises(UsageError, match=rf"quality {quality!r}: must"):
            image.save(tmp_path / "q.jpg", quality=quality)
    with pytest.raises(OutputError, match="its folder does not exist; make it"):
        image.save(tmp_path / "none" / "a.png")


# --- HEIC, where pillow-heif is installed -----------------------------------------------------------------------------


def test_heic_round_trip() -> None:
    pytest.importorskip("pillow_heif")
    smooth = cv2.GaussianBlur(texture(64, 64), (0, 0), 3)
    image = replace(full(), data=smooth)
    data = encode_image(image, "heif")
    read = read_image(data)
    assert read.format == output_format(read) == "heif"
    assert np.abs(read.data.astype(int) - smooth).mean() < 3
    assert (read.metadata.icc, read.metadata.exif, read.metadata.xmp) == (ICC, image.metadata.exif, XMP)
    assert read_image(encode_image(Image.from_array(texture(64, 64, dtype=np.uint16)), "heif")).depth == 16
    with pytest.raises(InputError, match="cannot be decoded"):
        read_image(data[:-200])


def test_heic_orientation_is_not_applied_twice() -> None:
    heif = pytest.importorskip("pillow_heif")
    values = cv2.GaussianBlur(texture(64, 80), (0, 0), 3)
    file = io.BytesIO()
    heif.from_pillow(Pillow.fromarray(values)).save(file, quality=-1, chroma=444, exif=exif(6).tobytes())
    read = read_image(file.getvalue())
    assert np.abs(read.data.astype(int) - np.rot90(values, -1)).mean() < 3
    block = Pillow.Exif()
    block.load(read.metadata.exif)
    assert block[0x0112] == 1


def test_heic_without_pillow_heif_names_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'resolvent\[heif\]'"):
        read_image(struct.pack(">I4s4sI4s", 20, b"ftyp", b"mif1", 0, b"heic") + bytes(100))


# --- bad input --------------------------------------------------------------------------------------------------------


def png_header(width: int, height: int) -> bytes:
    """A PNG of 45 bytes that claims a size."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    data = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data + end


def resized(data: bytes, at: int, form: str, *sizes: int) -> bytes:
    """The same file, its size field overwritten."""
    changed = bytearray(data)
    struct.pack_into(form, changed, at, *sizes)
    return bytes(changed)


BMP = saved(Pillow.fromarray(texture()), "BMP")
GIF = saved(PALETTE, "GIF")
JPEG = saved(Pillow.fromarray(texture()), "JPEG")
TIFF = tiff(texture(), photometric="rgb", metadata=None)
NAN = texture(dtype=np.float32)
NAN[3, 4, 1] = np.nan
INFINITE = texture(channels=4, dtype=np.float32)
INFINITE[3, 4, 3] = np.inf

BAD = {
    "empty.png": (b"", "it is empty"),
    "text.jpg": (b"this is no image\n" * 50, "not a supported image format; give one of jpeg, png"),
    "encrypted.png": (np.random.default_rng(0).bytes(5000), "not a supported image format"),
    "archive.tif": (b"PK\x03\x04" + bytes(500), "not a supported image format"),
    "vector.svg": (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "not a supported image format"),
    "document.pdf": (b"%PDF-1.7\n" + bytes(500), "not a supported image format"),
    "signature only.png": (b"\x89PNG\r\n\x1a\n", "cannot be decoded"),
    "signature only.jpg": (b"\xff\xd8\xff", "cannot be decoded"),
    "bomb.png": (png_header(50_000, 50_000), "50000 x 50000 are 2500.0 megapixels, more than 250"),
    "bomb.bmp": (resized(BMP, 18, "<ii", 50_000, 50_000), "2500.0 megapixels"),
    "bomb.gif": (
        resized(resized(GIF, 6, "<HH", 60_000, 60_000), GIF.index(b"\x2c\0\0\0\0") + 5, "<HH", 60_000, 60_000),
        "3600.0 megapixels",
    ),
    "bomb.jpg": (resized(JPEG, JPEG.index(b"\xff\xc0") + 5, ">HH", 60_000, 60_000), "3600.0 megapixels"),
    "colors.tif": (tiff(texture(dtype=np.uint16), photometric="cielab"), "its colors are LABS of short; convert"),
    "integers.tif": (tiff(texture(channels=1)[..., 0].astype(np.uint64)), "samples are unsigned, of 64 bits; convert"),
    "complex.tif": (tiff(texture(channels=1)[..., 0].astype(np.complex128)), "are complex, of 128 bits; convert"),
    "channels.tif": (tiff(texture(channels=4).repeat(2, 2), photometric="rgb"), "8 channels; convert"),
    "nan.tif": (tiff(NAN, photometric="rgb"), "holds NaN"),
    "infinite.tif": (tiff(INFINITE, photometric="rgb", extrasamples=["unassalpha"]), "holds NaN or inf"),
    "strips.tif": (TIFF[:8] + bytes(len(TIFF) - 8), "cannot be decoded"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_one_line_that_names_them(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data, reason = BAD[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=reason) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=f"^the input: .*({reason})"):
        read_image(data)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", [*WRITTEN, "gif"])
def test_truncated_files_are_refused(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = GIF if kind == "gif" else encode_image(full(), kind)
    path = tmp_path / f"cut{FORMATS[kind][0]}"
    for size in (len(data) // 10, len(data) // 2, len(data) * 9 // 10):
        path.write_bytes(data[:size])
        with pytest.raises(InputError, match=r"^\S+: it cannot be decoded: [^\n]+; use an intact copy, or save"):
            read_image(path)
    assert capfd.readouterr().err == ""


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path, reason in [
        (tmp_path, "it is not a file"),
        (tmp_path / "missing.png", "No such file"),
        (tmp_path / "a.png" / "b.png", "No such file|Not a directory"),
        ("nul\0.png", "NUL"),
    ]:
        with pytest.raises(InputError, match=reason):
            read_image(path)


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_pipes_do_not_hang_and_unreadable_files_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="it is not a file"):
        read_image(tmp_path / "pipe.png")
    path = tmp_path / "locked.png"
    path.write_bytes(JPEG)

    def deny(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", deny)
    with pytest.raises(InputError, match=r"locked.png: it cannot be read: Permission denied"):
        read_image(path)


def test_read_errors_of_the_disk_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().read(size)

    monkeypatch.setattr(io, "BytesIO", Failing)
    with pytest.raises(InputError, match="it cannot be read: Input/output error"):
        read_image(SOURCES["tiled.tif"][0] + bytes(9000))


def test_limits_can_be_set() -> None:
    data = SOURCES["tiled.tif"][0]
    assert read_image(data, Limits(megapixels=0.00208)).width == 52
    with pytest.raises(InputError, match=r"52 x 40 are 0.0 megapixels, more than 0.00207; raise that limit"):
        read_image(data, Limits(megapixels=0.00207))
    with pytest.raises(InputError, match=r"more than 0.001 megabytes; raise that limit"):
        read_image(data, Limits(megabytes=0.001))
    assert read_image(data, Limits(megabytes=len(data) / 1e6)).height == 40


def test_limits_come_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyvips

    def decoded(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(pyvips.Image, "write_to_memory", decoded)
    for kind in ("jpeg", "png", "webp", "tiff", "avif"):
        with pytest.raises(InputError, match="megapixels"):
            read_image(encode_image(full(), kind), Limits(megapixels=0.001))


def test_the_name_does_not_decide(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(saved(Pillow.fromarray(texture()), "PNG"))
    image = read_image(path)
    assert (image.format, image.path) == ("png", path)
    assert image.warnings == ("is PNG, although its name ends in .jpg",)


# --- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain.png", "naïve Füße 写真.tif", "with space [1].jpg", "%20;&'\".webp"])
def test_any_name(name: str, tmp_path: Path) -> None:
    image = full()
    write_image(image, tmp_path / name)
    assert read_image(str(tmp_path / name)).data.shape == image.data.shape
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not Unicode")
def test_a_name_that_is_not_unicode(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    write_image(full(), path)
    np.testing.assert_array_equal(read_image(path).data, texture())


def test_overwriting_has_to_be_allowed(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"photo.png: exists; choose another name, or give overwrite=True"):
        write_image(full(), path)
    assert path.read_bytes() == b"precious"
    write_image(full(), path, overwrite=True)
    np.testing.assert_array_equal(read_image(path).data, texture())
    assert [each.name for each in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.parametrize(
    "failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), UsageError("no"), MemoryError()]
)
def test_a_failed_write_leaves_nothing(failure: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: io.BytesIO, *_: object) -> None:
        file.write(b"half of it")
        raise failure

    monkeypatch.setattr(resolvent.image.files, "encode", fail)
    kept = tmp_path / "kept.png"
    kept.write_bytes(b"precious")
    expected = OutputError if isinstance(failure, OSError) else type(failure)
    for path, overwrite in [(tmp_path / "new.png", False), (kept, True)]:
        with pytest.raises(expected):
            write_image(full(), path, overwrite=overwrite)
    assert [each.name for each in tmp_path.iterdir()] == ["kept.png"]
    assert kept.read_bytes() == b"precious"


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
@pytest.mark.parametrize("kind", WRITTEN)
def test_a_full_disk(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import resource

    image = Image.from_array(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(OutputError, match="File too large") as caught:
            write_image(image, tmp_path / f"out{FORMATS[kind][0]}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("error", [KeyboardInterrupt, struct.error, ZeroDivisionError])
def test_what_is_raised_within_an_encoder_is_not_lost(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise error

    monkeypatch.setattr("resolvent.image.encode._embedded", fail)
    with pytest.raises(error):
        write_image(full(), tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_appears_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "photo.png"
    encode = resolvent.image.files.encode

    def appear(*arguments: object) -> None:
        encode(*arguments)
        path.write_bytes(b"precious")

    monkeypatch.setattr(resolvent.image.files, "encode", appear)
    with pytest.raises(OutputError, match="File exists"):
        write_image(full(), path)
    assert path.read_bytes() == b"precious"
    assert [each.name for each in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_file_systems_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    write_image(full(), tmp_path / "photo.png")
    assert [each.name for each in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    write_image(full(), tmp_path / "photo.png")
    (tmp_path / "other").touch()
    assert (tmp_path / "photo.png").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    for path, overwrite in [
        (tmp_path / "missing" / "out.png", False),
        (tmp_path / "file" / "out.png", False),
        (tmp_path / "folder.png", False),
        (tmp_path / "folder.png", True),
    ]:
        with pytest.raises(OutputError, match=f"^{path}: ") as caught:
            write_image(full(), path, overwrite=overwrite)
        assert "\n" not in str(caught.value)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder.png"]


@pytest.mark.skipif(os.name == "nt" or getattr(os, "geteuid", int)() == 0, reason="not as root")
def test_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        write_image(full(), tmp_path / "out.png")
    tmp_path.chmod(0o700)


def test_an_image_too_large_for_the_format(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"out.webp: the webp encoder refuses: "):
        write_image(Image.from_array(np.zeros((1, 16384), np.uint8)), tmp_path / "out.webp")
    assert list(tmp_path.iterdir()) == []


# --- arrays and Pillow ------------------------------------------------------------------------------------------------


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
