"""XMP and the pictures behind a picture are kept where viewers look for them, and promised nowhere else."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import MpoImagePlugin

from resolvent.image import boxes as iso
from resolvent.image import color, encode_image, read_image, unsupported
from resolvent.image.strip import stripped
from tests.image.kept import GRAY, again, jpeg, opened, saved, segment


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
            ["its gain map, which makes it HDR", "1 further picture in it"],
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
