"""EXIF as bytes: in place, out of TIFF and into it, with Pillow and tifffile as readers."""

from __future__ import annotations

import io
import random
import struct

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, ImageCms
from PIL import Image as Pillow

from resolvent.errors import UsageError
from resolvent.image.directories import open_tiff
from resolvent.image.exif import of_new_pixels, put_back, resolution, stand_in, upright_exif
from resolvent.image.metadata import Metadata
from resolvent.image.tiff import add_to_tiff, examine
from resolvent.image.xmp import upright_xmp

PREFIX = b"Exif\0\0"
PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


def block(order: str = "<", entries: list[tuple[int, int, int, bytes]] = (), behind: bytes = b"") -> bytes:
    """An EXIF block of these entries (tag, type, count, field); `behind` stands at offset 14 + 12 per entry."""
    head = (
        (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", len(entries))
    )
    body = b"".join(struct.pack(order + "HHI4s", *entry) for entry in entries)
    return PREFIX + head + body + struct.pack(order + "I", 0) + behind


def from_tiff(file: io.BytesIO) -> bytes | None:
    exif: bytes | None = examine(file, lambda *_: None).fields["exif"]
    return exif


def pillow_exif() -> Pillow.Exif:
    exif = Pillow.Exif()
    exif.update({0x010F: "Canon", 0x0110: "EOS 5D", 0x0112: 1, 0x8298: "Zoe"})
    exif.get_ifd(0x8769).update({0x829A: (1, 50), 0x9003: "2024:05:06 07:08:09", 0x927C: b"\x00maker\xff" * 9})
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.5), 5: b"\x01"})
    return exif


def tags(data: bytes | Pillow.Exif) -> dict[int, object]:
    exif = data
    if isinstance(data, bytes):
        exif = Pillow.Exif()
        exif.load(data)
    top = {tag: value for tag, value in exif.items() if tag in (0x010F, 0x0110, 0x8298)}
    return top | dict(exif.get_ifd(0x8769)) | {-tag: value for tag, value in exif.get_ifd(0x8825).items()}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "form"), [(3, "Hxx"), (4, "I")])
def test_upright_changes_the_orientation_alone(order: str, kind: int, form: str) -> None:
    def with_orientation(value: int) -> bytes:
        entries = [
            (0x010F, 2, 3, b"ab\0\0"),
            (0x0112, kind, 1, struct.pack(order + form, value)),
            (0x8298, 2, 2, b"c\0\6\6"),
        ]
        return block(order, entries, b"behind it")

    assert upright_exif(with_orientation(6)) == with_orientation(1)
    assert upright_exif(with_orientation(6)[len(PREFIX) :]) == with_orientation(1)


@pytest.mark.parametrize("quality", [60, 95])
def test_new_pixels_have_their_own_size_and_no_thumbnail_of_the_old_ones(quality: int) -> None:
    """Pillow makes and reads the block: nothing else in it changes."""
    import io

    exif = pillow_exif()
    exif.update({0x0100: 400, 0x0101: 300})
    exif.get_ifd(0x8769).update({0xA002: 400, 0xA003: 300})
    small = io.BytesIO()
    Pillow.fromarray(PIXELS).save(small, "JPEG", quality=quality)
    thumbnail = small.getvalue()
    before = tags(exif)
    data = with_thumbnail(exif.tobytes(), thumbnail)
    assert thumbnail in data
    new = of_new_pixels(data, 800, 70_000)
    assert len(new) == len(data)
    assert thumbnail not in new
    moved = Pillow.Exif()
    moved.load(new)
    assert (moved[0x0100], moved[0x0101]) == (800, 70_000)
    thumbnails = []
    for each in (data, new):
        read = Pillow.Exif()
        read.load(each)
        thumbnails.append(read.get_ifd(ExifTags.IFD.IFD1))
    assert thumbnails[0][0x0202] == len(thumbnail)
    assert not thumbnails[1]
    assert tags(new) == before | {0xA002: 800, 0xA003: 300}  # 16 bits do not hold 70,000


def with_thumbnail(data: bytes, thumbnail: bytes) -> bytes:
    """A little-endian block of Pillow's with a second directory, of a JPEG."""
    order = "<" if data[6:8] == b"II" else ">"
    data = bytearray(data)
    (count,) = struct.unpack_from(order + "H", data, 14)
    link, end = 16 + 12 * count, len(data) - 6
    struct.pack_into(order + "I", data, link, end)
    entries = struct.pack(order + "HHII", 0x0201, 4, 1, end + 30) + struct.pack(
        order + "HHII", 0x0202, 4, 1, len(thumbnail)
    )
    return bytes(data) + struct.pack(order + "H", 2) + entries + bytes(4) + thumbnail


@pytest.mark.parametrize("data", [b"", PREFIX, PREFIX + b"II*\0", PREFIX + b"xx*\0" + bytes(20), block()[:15]])
def test_what_is_not_exif_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"no TIFF header|too soon"):
        upright_exif(data)
    with pytest.raises(UsageError, match="not an EXIF block"):
        Metadata(exif=data)


@pytest.mark.parametrize(
    "form", ['tiff:Orientation="%d"', "tiff:Orientation='%d'", "<tiff:Orientation>%d</tiff:Orientation>"]
)
def test_upright_xmp(form: str) -> None:
    for value in range(1, 9):
        assert upright_xmp((form % value).encode()) == (form % 1).encode()
    assert upright_xmp(b'exif:Orientation="6" tiff:Orientation="66"'[:30]) == b'exif:Orientation="6" tiff:Orie'


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("unit", "factor"), [(2, 1.0), (3, 2.54), (1, None)])
def test_resolution(order: str, unit: int, factor: float) -> None:
    entries = [
        (0x011A, 5, 1, struct.pack(order + "I", 50)),
        (0x011B, 5, 1, struct.pack(order + "I", 58)),
        (0x0128, 3, 1, struct.pack(order + "Hxx", unit)),
    ]
    data = block(order, entries, struct.pack(order + "4I", 600, 2, 100, 1))
    assert resolution(data) == (factor and pytest.approx((300 * factor, 100 * factor)))
    assert resolution(block(order, entries[1:])) is None
    assert resolution(block(order, entries)) is None  # their values lie outside
    assert resolution(None) is None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_tiff_there_and_back(order: str, big: bool) -> None:
    exif = pillow_exif()
    exif.endian = order
    given = exif.tobytes()
    assert given[6:8] == (b"II" if order == "<" else b"MM")
    file = io.BytesIO()
    tifffile.imwrite(file, PIXELS, photometric="rgb", bigtiff=big, byteorder="<")
    before = file.getvalue()
    add_to_tiff(file, given)
    assert file.getvalue()[8 + 8 * big : len(before)] == before[8 + 8 * big :]  # only the header's offset changes
    assert tags(from_tiff(file)) == tags(exif)
    with Pillow.open(io.BytesIO(file.getvalue())) as image:
        np.testing.assert_array_equal(np.asarray(image), PIXELS)
        assert tags(image.getexif()) == tags(exif)
    file.seek(0)
    with tifffile.TiffFile(file) as other:
        np.testing.assert_array_equal(other.asarray(), PIXELS)
        assert other.pages[0].tags["Make"].value == "Canon"
        assert other.pages[0].tags["ExifTag"].value["DateTimeOriginal"] == "2024:05:06 07:08:09"
        assert list(other.pages[0].tags.keys()) == sorted(other.pages[0].tags.keys())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_from_tiff_of_another_program(order: str, big: bool) -> None:
    file = io.BytesIO()
    extra = [(0x010F, "s", 0, "Canon", True), (0x8298, "s", 0, "Zoe", True), (0x013B, "s", 0, "A", True)]
    tifffile.imwrite(file, PIXELS, photometric="rgb", bigtiff=big, byteorder=order, extratags=extra, software="mine")
    exif = Pillow.Exif()
    exif.load(from_tiff(file))
    assert {tag: exif[tag] for tag in (0x010F, 0x8298, 0x013B, 0x0131)} == {
        0x010F: "Canon",
        0x8298: "Zoe",
        0x013B: "A",
        0x0131: "mine",
    }
    assert not {0x0100, 0x0111, 0x0117} & set(exif)


def test_numbers_that_are_none_do_no_harm() -> None:
    """Every tag as a NaN."""
    for tag in (256, 257, 258, 259, 262, 273, 274, 277, 279, 282, 296, 330, 338, 339):
        data = block(
            "<", [(282, 4, 1, struct.pack("<I", 1)), (283, 11, 1, struct.pack("<f", 1)), (tag, 11, 1, b"\0\0\xc0\x7f")]
        )
        found = examine(io.BytesIO(data[len(PREFIX) :]), lambda *_: None)
        assert found.warnings in ([], ["its end is missing: the last pixels may be wrong"])
        resolution(data)


def test_tiff_without_exif() -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, PIXELS, photometric="rgb", metadata=None, software=False)
    assert from_tiff(file) is None


def pointing(offset: int, tag: int = 0x8769) -> bytes:
    return block("<", [(0x010F, 2, 3, b"ab\0\0"), (tag, 4, 1, struct.pack("<I", offset))])


@pytest.mark.parametrize(
    "data",
    [
        pointing(8),  # a directory that holds itself
        pointing(2**32 - 1),
        block("<", [(0x010F, 2, 3, b"ab\0\0"), (0x010E, 2, 2**32 - 1, bytes(4))]),
        block("<", [(0x010F, 2, 3, b"ab\0\0"), (0x0131, 99, 9, bytes(4))]),
        block("<", [(0x010F, 2, 3, b"ab\0\0"), *[(0x8769, 4, 1, struct.pack("<I", 8))] * 9999]),
    ],
)
def test_hostile_directories_cost_nothing(data: bytes) -> None:
    exif = Pillow.Exif()
    exif.load(from_tiff(io.BytesIO(data[len(PREFIX) :])))
    assert exif[0x010F] == "ab"
    file = io.BytesIO()
    tifffile.imwrite(file, PIXELS, photometric="rgb")
    add_to_tiff(file, data)
    with Pillow.open(file) as image:
        assert image.getexif()[0x010F] == "ab"


def test_values_have_one_bound() -> None:
    """1000 entries that share one value of 100 kB would be 100 MB."""
    entries = [(0x9000 + i, 7, 100_000, struct.pack("<I", 50)) for i in range(1000)]
    exif = block("<", [(0x8769, 4, 1, struct.pack("<I", 26))]) + block("<", entries)[14:] + bytes(100_000)
    assert len(from_tiff(io.BytesIO(exif[len(PREFIX) :]))) < 1 << 25


def test_huge_counts_and_offsets_of_big_tiff() -> None:
    head = b"II+\0" + struct.pack("<HHQ", 8, 0, 16)
    with pytest.raises(ValueError, match="entries"):
        open_tiff(io.BytesIO(head + struct.pack("<Q", 2**63)))
    with pytest.raises(ValueError, match="offset"):
        open_tiff(io.BytesIO(head[:8] + struct.pack("<Q", 2**63)))


def test_damaged_blocks_raise_nothing_else() -> None:
    draw = random.Random(0)
    given = pillow_exif().tobytes()
    for _ in range(3000):
        data = bytearray(given[: draw.choice([len(given), draw.randrange(7, len(given))])])
        for _ in range(draw.randrange(1, 6)):
            data[draw.randrange(6, len(data))] = draw.choice([0, 255, draw.randrange(256)])
        try:
            data = upright_exif(bytes(data))
        except ValueError:
            continue
        Metadata(exif=data).held_by("webp")
        file = io.BytesIO()
        file.write(b"II*\0" + struct.pack("<IHI", 8, 0, 0))
        add_to_tiff(file, data)
        from_tiff(file)


@pytest.mark.parametrize("before", [0, 100, (1 << 20) - 60, 3 << 20])
def test_put_back_finds_the_stand_in_anywhere(before: int) -> None:
    given = pillow_exif().tobytes()
    dummy = stand_in(given)
    assert len(dummy) > len(given)
    file = io.BytesIO(b"x" * before + dummy + b"the end")
    put_back(file, given)
    assert file.getvalue() == b"x" * before + given + bytes(len(dummy) - len(given)) + b"the end"
    with pytest.raises(ValueError, match="no EXIF"):
        put_back(file, given)


@pytest.mark.parametrize(
    ("container", "dpi", "held"),
    [
        ("jpeg", 65535.0, True),
        ("jpeg", 65536.0, False),
        ("jpeg", 0.2, False),
        ("png", 65536.0, True),
        ("png", 1e8, False),
        ("tiff", 70000.0, True),
    ],
)
def test_resolution_that_a_header_has_no_room_for(container: str, dpi: float, held: bool) -> None:
    assert (Metadata(dpi=(300.0, dpi)).held_by(container).dpi is not None) == held


def test_held_by() -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    metadata = Metadata(icc, block(), b"xmp", (300.0, 300.0))
    assert metadata.held_by("png") == metadata.held_by("tiff") == metadata.held_by("jpeg") == metadata
    assert metadata.held_by("bmp") == Metadata(dpi=(300.0, 300.0))
    assert metadata.held_by("avif") == Metadata(icc, block(), b"xmp")
