"""Metadata survives from one format to another, and what a format cannot hold is named."""

from __future__ import annotations

import io
import struct
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from resolvent.errors import InputError, MissingDependencyError, OutputError, UsageError
from resolvent.image import FORMATS, Image, Metadata, encode_image, output_format, read_image, unsupported, write_image
from resolvent.image.value_range import ValueRange
from tests.image.samples import ICC, WRITTEN, XMP, exif, full, pillow, saved, texture


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
