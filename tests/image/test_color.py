"""What a file says of its colors is carried as a profile that says the same, or named."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from resolvent.image import Image, color, encode_image, read_image, unsupported
from tests.image.kept import GRAY, PIXELS, SRGB, chunk, opened, png, saved

SRGB_BYTES = ImageCms.ImageCmsProfile(SRGB).tobytes()


def seen(profile: bytes | None, rgb: tuple[int, int, int]) -> np.ndarray:
    """The sRGB that littleCMS shows of a color."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else SRGB
    transform = ImageCms.buildTransform(source, SRGB, "RGB", "RGB", renderingIntent=1)
    return np.array(ImageCms.applyTransform(Pillow.new("RGB", (1, 1), rgb), transform).getpixel((0, 0)), float)


def srgb_of(linear: np.ndarray) -> np.ndarray:
    linear = linear.clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


P3_TO_SRGB = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
"""Of linear light, as CSS Color 4 gives it."""


def test_numbers_of_h273_become_a_profile_that_says_the_same() -> None:
    color_ = (180, 100, 60)
    values = np.array(color_) / 255
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(seen(color.of_cicp(12, 13), color_), srgb_of(P3_TO_SRGB @ light), atol=1.5)
    np.testing.assert_allclose(seen(color.of_cicp(1, 8), color_), srgb_of(values), atol=1.5)
    np.testing.assert_allclose(seen(color.of_cicp(1, 4), color_), srgb_of(values**2.2), atol=1.5)
    rec709 = np.where(values < 0.081, values / 4.5, ((values + 0.099) / 1.099) ** (1 / 0.45))
    np.testing.assert_allclose(seen(color.of_cicp(1, 1), color_), srgb_of(rec709), atol=1.5)


def test_curves_of_hdr() -> None:
    """BT.2100: PQ gives 100 and 10,000 cd/m2 at 0.5081 and 1, HLG a twelfth of its peak at a half."""
    for transfer, value, light in [(16, 0.50808, 0.01), (16, 1, 1), (16, 0, 0), (18, 0.5, 1 / 12), (18, 1, 1)]:
        tags = color._tags(color.of_cicp(9, transfer))
        curve = np.frombuffer(tags[b"gTRC"][12:], ">u2") / 65535
        assert np.interp(value, np.linspace(0, 1, len(curve)), curve) == pytest.approx(light, abs=1e-4)


def test_srgb_and_what_is_not_told_need_no_profile() -> None:
    assert [color.of_cicp(*numbers) for numbers in [(1, 13), (2, 2), (1, 2), (2, 13)]] == [None] * 4
    assert read_image(png(chunk(b"sRGB", b"\0"), chunk(b"gAMA", struct.pack(">I", 45455)))).metadata.icc is None


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff", "avif", "heif"])
@pytest.mark.parametrize("numbers", [(12, 13), (9, 16), (9, 18)])
def test_numbers_of_h273_survive_every_format(kind: str, numbers: tuple[int, int]) -> None:
    if kind == "heif":
        pytest.importorskip("pillow_heif")
    image = read_image(png(chunk(b"cICP", bytes([*numbers, 0, 1]))))
    assert image.warnings == ()
    assert unsupported(image, kind) == ()
    data = encode_image(image, kind, 100)
    assert color.cicp_of(read_image(data).metadata.icc) == numbers
    place = {"png": b"cICP" + bytes(numbers), "avif": b"colrnclx" + struct.pack(">HH", *numbers)}
    place["heif"] = place["avif"]
    assert place.get(kind, b"") in data
    plain = read_image(encode_image(Image.from_array(PIXELS), kind, 100))
    if kind != "jpeg":
        np.testing.assert_array_equal(read_image(data).data, plain.data)


def test_lossy_avif_of_another_color_has_the_same_pixels() -> None:
    image = read_image(png(chunk(b"cICP", bytes([9, 16, 0, 1]))))
    np.testing.assert_array_equal(
        read_image(encode_image(image, "avif", 90)).data,
        read_image(encode_image(Image.from_array(PIXELS), "avif", 90)).data,
    )


def test_gamma_and_chromaticities_of_png_become_a_profile() -> None:
    color_ = (180, 100, 60)
    linear = read_image(png(chunk(b"gAMA", struct.pack(">I", 100_000))))
    np.testing.assert_allclose(seen(linear.metadata.icc, color_), srgb_of(np.array(color_) / 255), atol=1.5)
    wide = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    p3 = read_image(png(chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"cHRM", wide)))
    expected = srgb_of(P3_TO_SRGB @ (np.array(color_) / 255) ** 2.2)
    np.testing.assert_allclose(seen(p3.metadata.icc, color_), expected, atol=1.5)
    assert read_image(png(chunk(b"gAMA", bytes(4)), chunk(b"cHRM", bytes(32)))).warnings == (
        "its color (gAMA, cHRM): left out",
    )


def test_color_that_no_profile_tells_is_named() -> None:
    image = read_image(png(chunk(b"cICP", bytes([10, 16, 0, 1]))))
    assert image.metadata.icc is None
    assert image.warnings == ("its color (cICP 10, 16, 0, 1): left out",)


def test_cicp_takes_precedence_over_a_profile() -> None:
    profile = chunk(b"iCCP", b"name\0\0" + zlib.compress(SRGB_BYTES))
    image = read_image(png(chunk(b"cICP", bytes([12, 13, 0, 1])), profile))
    assert color.cicp_of(image.metadata.icc) == (12, 13)
    assert image.warnings == ("its ICC profile is left out: its cICP takes precedence",)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff", "avif"])
def test_a_profile_fits_the_channels(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Of gray in RGB formats, and of RGB on a gray picture; either way, gray looks the same."""
    for data in (saved(GRAY, "JPEG", icc_profile=SRGB_BYTES), saved(GRAY, "PNG", icc_profile=SRGB_BYTES)):
        written = encode_image(read_image(data), kind)
        profile = opened(written).info["icc_profile"]
        rgb = kind in ("webp", "avif")
        assert color.space(profile) == ("RGB" if rgb else "GRAY")
        shown = profile if rgb else color.for_channels(profile, 3)
        np.testing.assert_allclose(seen(shown, (90, 90, 90)), 90, atol=1)
        assert read_image(written).warnings == ()
    assert capfd.readouterr().err == ""


def test_a_profile_that_fits_no_way_is_named() -> None:
    cmyk = SRGB_BYTES[:16] + b"CMYK" + SRGB_BYTES[20:]
    image = read_image(saved(PIXELS, "JPEG", icc_profile=cmyk))
    assert unsupported(image, "png") == ("png cannot hold its icc: left out",)
    assert "icc_profile" not in opened(encode_image(image, "png")).info


@pytest.mark.parametrize("profile", [b"junk" * 50, SRGB_BYTES[:200]])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_a_damaged_profile_is_named(kind: str, profile: bytes) -> None:
    image = read_image(saved(PIXELS, kind, icc_profile=profile))
    assert image.metadata.icc is None
    assert image.warnings == ("its ICC profile, which is damaged: left out",)


@pytest.mark.parametrize("profile", [b"junk" * 50, SRGB_BYTES])
def test_a_profile_that_does_not_fit_cmyk_is_not_used(profile: bytes) -> None:
    ink = Pillow.new("CMYK", (16, 16), (0, 255, 255, 0))
    plain, other = io.BytesIO(), io.BytesIO()
    ink.save(plain, "JPEG")
    ink.save(other, "JPEG", icc_profile=profile)
    image = read_image(other.getvalue())
    np.testing.assert_array_equal(image.data, read_image(plain.getvalue()).data)
    assert image.warnings[-1] == "its ICC profile, which is damaged or not of CMYK: left out"


def test_a_profile_whose_name_is_not_unicode(capfd: pytest.CaptureFixture[str]) -> None:
    data = png(chunk(b"iCCP", b"\x80CC\0\0" + zlib.compress(SRGB_BYTES)), pixels=GRAY)
    assert color.space(encode_icc(data)) == "GRAY"
    assert capfd.readouterr().err == ""


def encode_icc(data: bytes) -> bytes:
    return opened(encode_image(read_image(data), "png")).info["icc_profile"]
