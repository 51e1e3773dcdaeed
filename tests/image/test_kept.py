"""What a file holds besides its pixels is carried where the format can hold it, and named where it is not."""

from __future__ import annotations

import io
import os
import stat
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms, IptcImagePlugin, MpoImagePlugin

from resolvent.errors import InputError, UsageError
from resolvent.image import Image, color, encode_image, read_image, unsupported, write_image
from resolvent.image import boxes as iso
from resolvent.image.jpeg import SEGMENT
from resolvent.image.strip import stripped

SRGB = ImageCms.createProfile("sRGB")
SRGB_BYTES = ImageCms.ImageCmsProfile(SRGB).tobytes()
PIXELS = np.random.default_rng(4).integers(0, 256, (24, 32, 3), np.uint8)
GRAY = PIXELS[..., :1]


def saved(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(pixels.squeeze()).save(file, kind, **options)
    return file.getvalue()


def opened(data: bytes) -> Pillow.Image:
    image = Pillow.open(io.BytesIO(data))
    image.load()
    return image


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg(*segments: bytes, behind: bytes = b"", pixels: np.ndarray = PIXELS) -> bytes:
    data = saved(pixels, "JPEG", quality=95)
    return data[:20] + b"".join(segments) + data[20:] + behind


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*chunks: bytes, late: bytes = b"", pixels: np.ndarray = PIXELS) -> bytes:
    data = saved(pixels, "PNG")
    return data[:33] + b"".join(chunks) + data[33:-12] + late + data[-12:]


def tiff(pixels: np.ndarray = PIXELS, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **{"photometric": "rgb" if pixels.ndim == 3 else "minisblack", **options})
    return file.getvalue()


def again(data: bytes, kind: str) -> Image:
    """The picture, after it has been written in another format."""
    return read_image(encode_image(read_image(data), kind))


# --- color ------------------------------------------------------------------------------------------------------------


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


# --- text, IPTC, GeoTIFF ----------------------------------------------------------------------------------------------

TEXTS = (
    b"tEXtTitle\0a cat",
    b"zTXtparameters\0\0" + zlib.compress(b"steps: 20"),
    b"iTXtAuthor\0\0\0de\0Autor\0" + "Zoé".encode(),
    b"tEXtComment\0taken on the roof",
)


def test_text_of_png_stays_and_is_named_elsewhere() -> None:
    data = png(
        *(chunk(text[:4], text[4:]) for text in TEXTS[:2]), late=b"".join(chunk(t[:4], t[4:]) for t in TEXTS[2:])
    )
    image = read_image(data)
    assert unsupported(image, "png") == ()
    assert again(data, "png").metadata.text == TEXTS
    assert opened(encode_image(image, "png")).text == opened(data).text
    assert unsupported(image, "jpeg") == ("jpeg cannot hold its text (Title, parameters, Author): left out",)
    assert opened(encode_image(image, "jpeg")).info["comment"] == b"taken on the roof"


@pytest.mark.parametrize("comment", [b"plain", "Füße".encode(), "Füße".encode("latin-1")])
def test_comments_of_jpeg(comment: bytes) -> None:
    data = jpeg(segment(0xFE, comment))
    assert opened(encode_image(read_image(data), "jpeg")).info["comment"] == comment
    expected = comment.decode("latin-1" if b"\xfc" in comment else "utf-8")
    assert opened(encode_image(read_image(data), "png")).text["Comment"] == expected
    assert unsupported(read_image(data), "webp") == ("webp cannot hold its text (Comment): left out",)


def test_comments_of_gif() -> None:
    data = saved(PIXELS, "GIF", comment=b"taken on the roof")
    assert opened(encode_image(read_image(data), "png")).text["Comment"] == "taken on the roof"


IPTC = b"".join(
    b"\x1c\x02" + struct.pack(">BH", tag, len(text)) + text for tag, text in [(80, b"Zoe"), (120, b"A cat.")]
)
RESOURCES = b"8BIM\4\4\0\0" + struct.pack(">I", len(IPTC)) + IPTC + bytes(len(IPTC) % 2)
THUMBNAIL = b"8BIM\4\x0c\0\0" + struct.pack(">I", 4) + b"old!"


@pytest.mark.parametrize("source", ["jpeg", "tiff iptc", "tiff photoshop"])
def test_iptc_is_carried_by_jpeg_and_tiff(source: str) -> None:
    data = {
        "jpeg": lambda: jpeg(segment(0xED, b"Photoshop 3.0\0" + THUMBNAIL + RESOURCES)),
        "tiff iptc": lambda: tiff(extratags=[(33723, 7, len(IPTC), IPTC, True)]),
        "tiff photoshop": lambda: tiff(extratags=[(34377, 7, len(RESOURCES), RESOURCES, True)]),
    }[source]()
    image = read_image(data)
    assert image.warnings == ()
    for kind in ("jpeg", "tiff"):
        written = encode_image(image, kind)
        assert IptcImagePlugin.getiptcinfo(opened(written)) == {(2, 80): b"Zoe", (2, 120): b"A cat."}
        assert b"old!" not in written
        assert read_image(written).warnings == ()
        assert unsupported(image, kind) == ()
    assert unsupported(image, "webp") == ("webp cannot hold its IPTC: left out",)


def test_long_iptc_spans_segments() -> None:
    long = b"8BIM\4\4\0\0" + struct.pack(">I", 100_000) + bytes(range(250)) * 400
    parts = [segment(0xED, b"Photoshop 3.0\0" + long[at : at + 60_000]) for at in range(0, len(long), 60_000)]
    assert again(jpeg(*parts), "jpeg").metadata.iptc == long
    assert len(long) > SEGMENT


GEO = [
    (33550, 12, 3, (0.5, 0.5, 0.0), True),
    (33922, 12, 6, (8.0, 4.0, 0.0, 440_720.0, 3_751_320.0, 0.0), True),
    (34735, 3, 8, (1, 1, 0, 1, 3072, 0, 1, 32611), True),
    (42113, 2, 2, "0\0", True),
]


def test_geotiff_tags_stay_true() -> None:
    image = read_image(tiff(extratags=GEO))
    assert image.warnings == ()
    assert unsupported(image, "tiff") == ()
    assert unsupported(image, "png") == ("png cannot hold its GeoTIFF tags: left out",)
    twice = image.with_data(image.data.repeat(2, 0).repeat(2, 1))
    for written, factor in ((image, 1), (twice, 2)):
        with tifffile.TiffFile(io.BytesIO(encode_image(written, "tiff"))) as file:
            tags = {tag: file.pages[0].tags[tag].value for tag in (33550, 33922, 34735, 42113)}
        assert tags[33550] == (0.5 / factor, 0.5 / factor, 0.0)
        assert tags[33922] == (8.0 * factor, 4.0 * factor, 0.0, 440_720.0, 3_751_320.0, 0.0)
        assert tags[34735] == (1, 1, 0, 1, 3072, 0, 1, 32611)


def test_what_says_where_something_is_does_not_survive_turning() -> None:
    """GeoTIFF tags are named; of Photoshop's resources, the paths go."""
    path = b"8BIM\x07\xd0\0\0" + struct.pack(">I", 26) + bytes(26)
    turned = [(274, 3, 1, 6, True), (34377, 7, len(RESOURCES + path), RESOURCES + path, True)]
    upright = read_image(tiff(extratags=turned[1:]))
    assert upright.metadata.iptc == RESOURCES + path
    image = read_image(tiff(extratags=[*GEO, *turned]))
    np.testing.assert_array_equal(image.data, np.rot90(PIXELS, -1))
    assert (image.metadata.geo, image.metadata.iptc) == (None, RESOURCES)
    assert image.warnings == ("its GeoTIFF tags, of a picture that had yet to be turned: left out",)


def test_a_description_of_many_images_is_named() -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, PIXELS[None, ..., 0].repeat(3, 0), ome=True, metadata={"axes": "ZYX"})
    image = read_image(file.getvalue())
    assert image.warnings[1] == "its OME description, which is of all its images: left out"
    assert b"<OME" not in encode_image(image, "tiff")


def test_other_tags_and_segments_are_named() -> None:
    strange = tiff(extratags=[(65000, 3, 1, 7, True), (37724, 7, 4, b"lays", True)])
    assert read_image(strange).warnings == ("its Photoshop layers: left out", "its TIFF tags 65000: left out")
    thermal = jpeg(segment(0xE1, b"FLIR\0\1\0\0heat"), segment(0xEB, b"JP\0\1\0\0\0\1jumbc2pa"))
    assert read_image(thermal).warnings == (
        "its APP1 segment FLIR: left out",
        "its APP11 segment content credentials (C2PA): left out",
    )
    assert read_image(png(chunk(b"caBX", b"c2pa"))).warnings == ("its PNG chunks caBX: left out",)


# --- XMP and what stands behind a picture -----------------------------------------------------------------------------


def xmp(attributes: str, inner: str = "") -> bytes:
    body = f"<rdf:RDF><rdf:Description {attributes}>{inner}</rdf:Description></rdf:RDF>"
    return f"<x:xmpmeta>{body}</x:xmpmeta>".encode()


def with_xmp(packet: bytes, *more: bytes, behind: bytes = b"") -> bytes:
    return jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet), *more, behind=behind)


RATED = 'xmp:Rating="5"'


APPLE, ISO = b"HDRGainMap:HDRGainMapVersion", b"urn:iso:std:iso:ts:21496:-1\0"


def ultra_hdr(gain_map: bytes, items: str = "", *, behind: bytes = b"", orient: int = 1) -> bytes:
    directory = (
        '<Container:Directory><rdf:Seq><rdf:li Item:Semantic="Primary"/>'
        f'<rdf:li Item:Semantic="GainMap" Item:Length="{len(gain_map)}"/>{items}</rdf:Seq></Container:Directory>'
    )
    namespace = 'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"'
    packet = xmp(f'{RATED} {namespace} hdrgm:Version="1.0"', directory)
    exif = Pillow.Exif()
    exif[0x0112] = orient
    return with_xmp(packet, segment(0xE1, exif.tobytes()), behind=gain_map + behind)


def with_segment(content: bytes) -> bytes:
    data = saved(GRAY[::2, ::2], "JPEG")
    return data[:20] + segment(0xE2, content) + data[20:]


@pytest.mark.parametrize("mark", [b"hdrgm:GainMapMax", ISO + bytes(60), APPLE])
def test_a_gain_map_is_kept_where_viewers_look_for_it(mark: bytes) -> None:
    gain_map = with_segment(mark)
    apple = with_xmp(xmp(RATED), behind=gain_map)
    image = read_image(apple if mark == APPLE else ultra_hdr(gain_map))
    assert image.warnings == ()
    assert image.metadata.gain_map == gain_map
    for factor in (1, 2):
        larger = image.with_data(image.data.repeat(factor, 0).repeat(factor, 1))
        data = encode_image(larger, "jpeg")
        assert data.endswith(gain_map)
        assert ((ISO + bytes(4)) in data[: -len(gain_map)]) == (ISO in mark)
        with MpoImagePlugin.MpoImageFile(io.BytesIO(data)) as other:  # finds pictures by their index
            assert other.n_frames == 2
            assert other.size == (32 * factor, 24 * factor)
            np.testing.assert_array_equal(other, opened(data[: -len(gain_map)]))
            other.seek(1)
            np.testing.assert_array_equal(other, opened(gain_map))
        assert read_image(data).metadata == image.metadata


def test_a_gain_map_is_no_longer_promised_where_it_is_lost() -> None:
    gain_map = with_segment(b"hdrgm:GainMapMax")
    image = read_image(ultra_hdr(gain_map))
    assert unsupported(image, "png") == ("png cannot hold its gain map: left out",)
    private = read_image(ultra_hdr(with_segment(b'<x exif:GPSLatitude="1">')))
    for lost in (image.metadata.held_by("png"), stripped(private, "gps").metadata):
        assert lost.gain_map is None
        assert lost.xmp is not None
        assert b"xmp:Rating" in lost.xmp
        assert b"Container:Directory" not in lost.xmp
        assert b"hdrgm:Version" not in lost.xmp
    assert stripped(image, "gps").metadata.gain_map == gain_map


@pytest.mark.parametrize(
    ("data", "warnings"),
    [
        (ultra_hdr(with_segment(b""), orient=6), ["its gain map, of a picture that had yet to be turned"]),
        (
            ultra_hdr(with_segment(b""), behind=b"ftyp"),
            ["its gain map, which makes it HDR", "its video, of a motion photo"],
        ),
        (
            ultra_hdr(with_segment(b""), behind=saved(GRAY, "JPEG")),
            ["its gain map, which makes it HDR", "1 further pictures in it"],
        ),
        (ultra_hdr(with_segment(b""), items='<rdf:li Item:Length="7"/>'), ["its gain map, which makes it HDR"]),
    ],
    ids=["turned", "video", "two pictures", "another length"],
)
def test_a_gain_map_that_cannot_be_kept_is_named(data: bytes, warnings: list[str]) -> None:
    image = read_image(data)
    assert list(image.warnings) == [f"{warning}: left out" for warning in warnings]
    assert image.metadata.gain_map is None
    assert image.metadata.xmp is not None
    assert b"Container:Directory" not in image.metadata.xmp
    assert b"hdrgm:Version" not in image.metadata.xmp


def test_a_motion_photo_is_named_and_no_longer_promised() -> None:
    packet = xmp(f'GCamera:MotionPhoto="1" GCamera:MicroVideoOffset="2032" {RATED}')
    image = read_image(with_xmp(packet, behind=struct.pack(">I", 24) + b"ftypmp42" + bytes(3000)))
    assert image.warnings == ("its video, of a motion photo: left out",)
    assert image.metadata.xmp == xmp(RATED)


def test_further_pictures_are_named_with_their_number() -> None:
    small = saved(GRAY, "JPEG")
    image = read_image(jpeg(segment(0xE2, b"MPF\0" + bytes(60)), behind=small + bytes(5) + small))
    assert image.warnings == ("2 further pictures in it: left out",)
    assert read_image(jpeg(behind=bytes(100))).warnings == ()
    assert read_image(jpeg(behind=b"what is this")).warnings == ("12 bytes behind its end: left out",)


GUID = b"0123456789ABCDEF0123456789ABCDEF"
EXTENSION = xmp("", f"<dc:description>{'x' * 70_000}</dc:description>")


def extended(data: bytes, guid: bytes = GUID) -> list[bytes]:
    head = b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">I", len(data))
    return [
        segment(0xE1, head + struct.pack(">I", at) + data[at : at + 60_000])
        for at in reversed(range(0, len(data), 60_000))
    ]


def test_extended_xmp_is_carried() -> None:
    packet = xmp(f'{RATED} xmpNote:HasExtendedXMP="{GUID.decode()}"')
    data = with_xmp(packet, *extended(EXTENSION))
    image = read_image(data)
    assert image.warnings == ()
    assert again(data, "jpeg").metadata == image.metadata
    assert (image.metadata.xmp, image.metadata.xmp_extension) == (packet, EXTENSION)
    for kind in ("png", "tiff", "webp"):
        assert unsupported(image, kind) == ()
        merged = again(data, kind).metadata.xmp
        assert merged is not None
        assert b"x" * 70_000 in merged
        assert RATED.encode() in merged
        assert b"HasExtendedXMP" not in merged
        assert merged.count(b"</rdf:RDF>") == 1
    incomplete = read_image(with_xmp(packet, *extended(EXTENSION)[1:]))
    assert incomplete.warnings == ("its extended XMP, which is incomplete: left out",)
    alone = read_image(jpeg(*extended(EXTENSION)))
    assert alone.metadata.xmp is None
    assert alone.warnings == incomplete.warnings


def test_sizes_in_xmp_follow_the_picture() -> None:
    """GPano, attributes and elements."""
    packet = xmp(
        'GPano:CroppedAreaImageWidthPixels="32" GPano:FullPanoWidthPixels="64" GPano:CroppedAreaLeftPixels="0"',
        "<GPano:FullPanoHeightPixels>32</GPano:FullPanoHeightPixels><exif:PixelXDimension>32</exif:PixelXDimension>",
    )
    image = read_image(with_xmp(packet))
    twice = image.with_data(image.data.repeat(3, 0).repeat(2, 1))
    assert twice.metadata.xmp == xmp(
        'GPano:CroppedAreaImageWidthPixels="64" GPano:FullPanoWidthPixels="128" GPano:CroppedAreaLeftPixels="0"',
        "<GPano:FullPanoHeightPixels>96</GPano:FullPanoHeightPixels><exif:PixelXDimension>64</exif:PixelXDimension>",
    )
    assert image.with_data(image.data).metadata == image.metadata


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def test_auxiliary_pictures_of_heic_are_named() -> None:
    """A file of nothing but its index."""
    urns = (
        b"urn:mpeg:hevc:2015:auxid:1",
        b"urn:com:apple:photo:2020:aux:hdrgainmap",
        b"urn:com:apple:photo:2019:aux:semanticskymatte",
    )
    properties = [box(b"colr", b"nclx" + struct.pack(">HHHB", 12, 13, 6, 128))]
    properties += [box(b"auxC", bytes(4) + urn + b"\0") for urn in urns]
    links = b"".join(struct.pack(">HBB", item, 1, item) for item in range(1, 5))
    inner = box(b"ipco", b"".join(properties)) + box(b"ipma", bytes(4) + struct.pack(">I", 4) + links)
    meta = box(b"meta", bytes(4) + box(b"pitm", bytes(4) + struct.pack(">H", 1)) + box(b"iprp", inner))
    found = iso.examine(io.BytesIO(box(b"ftyp", b"heic") + meta + box(b"mpvd", b"video")), lambda *_: None)
    assert color.cicp_of(found.fields["icc"]) == (12, 13)
    assert found.warnings == [
        "an auxiliary picture (urn:com:apple:photo:2019:aux:semanticskymatte): left out",
        "its gain map, which makes it HDR: left out",
        "its video, of a motion photo: left out",
    ]


# --- pages, planes and sizes of pixels --------------------------------------------------------------------------------


def test_the_description_of_a_stack_promises_no_lost_slices() -> None:
    stack = PIXELS[None, ..., 0].repeat(5, 0)
    file = io.BytesIO()
    tifffile.imwrite(
        file, stack, imagej=True, resolution=(7.692, 7.692), metadata={"unit": "um", "spacing": 0.5, "axes": "ZYX"}
    )
    image = read_image(file.getvalue())
    assert image.warnings[0] == "holds 5 images: only the first is used"
    for written, factor in ((image, 1), (image.with_data(image.data.repeat(2, 0).repeat(2, 1)), 2)):
        data = encode_image(written, "tiff")
        with tifffile.TiffFile(io.BytesIO(data)) as other:
            assert other.is_imagej
            assert other.imagej_metadata["unit"] == "um"
            assert not {"images", "slices", "hyperstack"} & other.imagej_metadata.keys()
            page = other.pages[0]
            np.testing.assert_array_equal(other.asarray(), written.data[..., 0])
            x, below = page.tags["XResolution"].value
            assert x / below == pytest.approx(7.692 * factor, abs=1e-3)
            assert page.tags["ResolutionUnit"].value == 1
    assert unsupported(image, "png") == ("png cannot hold its pixel size: left out",)


def test_a_tiff_without_resolution_gets_none() -> None:
    for data in (tiff(), tiff(resolution=(1, 1), resolutionunit="none"), saved(PIXELS, "PNG")):
        written = encode_image(read_image(data), "tiff")
        assert "dpi" not in opened(written).info
        assert read_image(written).metadata.dpi is None
        with tifffile.TiffFile(io.BytesIO(written)) as file:
            assert file.pages[0].tags["ResolutionUnit"].value == 1
    with tifffile.TiffFile(
        io.BytesIO(encode_image(read_image(tiff(resolution=(300, 300), resolutionunit="inch")), "tiff"))
    ) as file:
        assert file.pages[0].tags["XResolution"].value[0] / file.pages[0].tags["XResolution"].value[1] == 300
        assert file.pages[0].tags["ResolutionUnit"].value == 2


def test_previews_are_no_pages() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(PIXELS, photometric="rgb")
        writer.write(PIXELS[::2, ::2], photometric="rgb", subfiletype=1)
        writer.write(PIXELS, photometric="rgb")
    assert read_image(file.getvalue()).warnings[0] == "holds 2 images: only the first is used"


def test_pixels_per_unknown_unit_are_an_aspect_ratio() -> None:
    data = png(chunk(b"pHYs", struct.pack(">IIB", 2, 1, 0)))
    assert read_image(data).metadata.dpi is None
    for kind in ("png", "jpeg", "tiff"):
        assert again(data, kind).metadata.density == (2, 1)
    assert chunk(b"pHYs", struct.pack(">IIB", 2, 1, 0)) in encode_image(read_image(data), "png")
    square = read_image(png(chunk(b"pHYs", struct.pack(">IIB", 3, 3, 0))))
    assert (square.metadata.dpi, square.metadata.density) == (None, None)


def test_a_late_animation_is_seen() -> None:
    long = chunk(b"iTXt", b"Comment\0\0\0\0\0" + b"y" * 5000)
    image = read_image(png(long, chunk(b"acTL", struct.pack(">II", 2, 0))))
    assert image.warnings == ("holds an animation: only its still image is used",)


@pytest.mark.parametrize("channels", [2, 4])
def test_a_sample_that_is_no_transparency_is_no_alpha(channels: int) -> None:
    values = np.random.default_rng(1).integers(0, 256, (24, 32, channels), np.uint8)
    kind = {"photometric": "minisblack" if channels == 2 else "rgb", "planarconfig": "contig"}
    image = read_image(tiff(values, extrasamples=["unspecified"], **kind))
    assert image.alpha is None
    np.testing.assert_array_equal(image.data, values[..., :-1])
    np.testing.assert_array_equal(image.extra, values[..., -1])
    assert image.warnings == ()
    clear = read_image(tiff(values, extrasamples=["unassalpha"], **kind))
    np.testing.assert_array_equal(clear.alpha, values[..., -1])
    assert clear.extra is None
    assert clear.warnings == ()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [2, 4])
def test_an_extra_plane_is_kept_in_a_tiff_of_its_size(channels: int, dtype: type) -> None:
    values = (np.random.default_rng(1).random((24, 32, channels)) * 255).astype(dtype)
    kind = {"photometric": "minisblack" if channels == 2 else "rgb", "planarconfig": "contig"}
    turned = [(274, "H", 1, 6, True)]
    image = read_image(tiff(values, extrasamples=["unspecified"], extratags=turned, **kind))
    upright = np.rot90(values, -1)
    np.testing.assert_array_equal(image.extra, upright[..., -1])
    written = encode_image(image, "tiff")
    np.testing.assert_array_equal(read_image(written).extra, upright[..., -1])
    with tifffile.TiffFile(io.BytesIO(written)) as file:
        assert file.pages[0].extrasamples == (0,)
        if dtype != np.float32:  # whose predictor tifffile does not read
            np.testing.assert_array_equal(file.asarray(), upright)
    assert unsupported(image, "tiff") == ()
    assert "png holds no extra plane: left out" in unsupported(image, "png")
    assert read_image(encode_image(image, "png")).alpha is None
    larger = image.with_data(image.data.repeat(2, 0).repeat(2, 1))
    assert larger.extra is None
    assert larger.warnings == ("its extra plane, of another size: left out",)


REAL = np.random.default_rng(2).random((24, 32, 3))


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (REAL, np.float32),
        (REAL.astype(">f8"), np.float32),
        ((REAL * 30_000).astype(np.int16), np.uint16),
        ((REAL * 30_000 - 9000).astype(np.int16), np.float32),
        ((REAL * 200 - 100).astype(np.int8), np.float32),
        ((REAL * 60_000).astype(np.uint32), np.uint16),
        ((REAL * 9e6 - 1e6).astype(np.int32), np.float32),
        ((REAL * 9e6).astype(np.uint32)[..., 0], np.float32),
    ],
)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_unusual_samples_are_read(values: np.ndarray, read: type, compression: str | None) -> None:
    image = read_image(tiff(values, compression=compression))
    assert image.data.dtype == read
    np.testing.assert_array_equal(image.data.squeeze(), values.astype(read))
    rounded = ", rounded" if values.dtype.kind == "f" else ""
    assert image.warnings == (f"its samples are {values.dtype.newbyteorder('=')}, read as {np.dtype(read)}{rounded}",)


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("channels", [1, 3])
def test_packed_bits_are_read(bits: int, channels: int) -> None:
    values = np.random.default_rng(bits).integers(0, 1 << bits, (7, 9, channels), np.uint16)
    rows = (values.reshape(7, -1, 1) >> np.arange(bits)[::-1] & 1).astype(np.uint8).reshape(7, -1)
    data = np.packbits(rows, axis=1).tobytes()
    entries = {256: 9, 257: 7, 258: bits, 259: 1, 262: 1 if channels == 1 else 2, 273: 400, 277: channels, 278: 7}
    entries |= {279: len(data)}
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    head += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    image = read_image(head.ljust(400, b"\0") + data)
    np.testing.assert_array_equal(image.data, values)


def test_packed_bits_without_pixels_are_refused() -> None:
    data = bytearray(tiff(REAL))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        at = file.pages[0].tags["ImageWidth"].valueoffset
    data[at : at + 2] = bytes(2)
    with pytest.raises(InputError, match="holds no pixels"):
        read_image(bytes(data))


def test_cielab_is_converted() -> None:
    lab = ImageCms.profileToProfile(
        Pillow.fromarray(PIXELS // 4 + 90), SRGB, ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    file = io.BytesIO()
    lab.save(file, "TIFF")
    image = read_image(file.getvalue())
    assert np.abs(image.data.astype(int) - (PIXELS // 4 + 90)).max() <= 3
    assert image.warnings == ("converted from CIELAB to sRGB",)


# --- raw files --------------------------------------------------------------------------------------------------------

RAWS = {
    "dng": tiff(extratags=[(50706, 1, 4, b"\1\4\0\0", True)]),
    "cfa": tiff(PIXELS[..., 0], photometric=32803, extratags=[(271, 2, 6, "NIKON\0", True)]),
    "linear": tiff(photometric=34892),
    "cr2": b"II*\0\x10\0\0\0CR\2\0" + bytes(100),
    "cr3": struct.pack(">I", 24) + b"ftypcrx " + bytes(100),
    "orf": b"IIRO\x08\0\0\0" + bytes(100),
    "rw2": b"IIU\0\x18\0\0\0" + bytes(100),
    "raf": b"FUJIFILMCCD-RAW 0201" + bytes(100),
    "iiq": b"II*\0\x08\0\0\0IIIITwaR" + bytes(100),
}


@pytest.mark.parametrize("name", RAWS)
def test_raw_files_are_told_to_be_developed(name: str) -> None:
    with pytest.raises(InputError, match=r"camera's raw file \(.+\): develop it first"):
        read_image(RAWS[name])


def test_a_raw_behind_a_preview_is_told_too() -> None:
    """As NEF and ARW are: a thumbnail first, the mosaic in a directory below it."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(PIXELS, photometric="rgb", subfiletype=1, subifds=1, extratags=[(271, 2, 5, "SONY\0", True)])
        writer.write(PIXELS[..., 0], photometric=32803)
    with pytest.raises(InputError, match=r"raw file \(Sony\)"):
        read_image(file.getvalue())
    with pytest.raises(InputError, match="only a preview of another"):
        read_image(tiff(subfiletype=1))


# --- who may read it, and images made of arrays -----------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_who_may_not_read_the_photograph_may_not_read_the_result(mode: int, tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    source.write_bytes(png())
    ordinary = stat.S_IMODE(source.stat().st_mode)
    source.chmod(mode)
    write_image(read_image(source), tmp_path / "out.png")
    assert stat.S_IMODE((tmp_path / "out.png").stat().st_mode) == ordinary & mode


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
