"""A damaged file is an error or a warning, never a picture with black tiles; what costs much is refused."""

from __future__ import annotations

import io
import random
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image as Pillow

from resolvent.errors import InputError
from resolvent.image import Image, Limits, Metadata, encode_image, read_image
from resolvent.image.complaints import judged

SIDE = 64
_y, _x = np.mgrid[:SIDE, :SIDE]
PIXELS = np.rint(
    255
    * np.clip(
        np.stack([np.sin(_x / (3 + c)) + np.cos(_y / (5 - c)) for c in range(3)], 2) / 4
        + 0.5
        + np.random.default_rng(3).normal(0, 0.08, (SIDE, SIDE, 3)),
        0.02,
        1,
    )
).astype(np.uint8)


def tiff(compression: str, tile: bool, depth: int = 8) -> bytes:
    image = pyvips.Image.new_from_array(PIXELS).copy(interpretation="srgb")
    if depth == 16:
        image = (image * 257).cast("ushort").copy(interpretation="rgb16")
    if depth == 32:
        image = (image / 255).cast("float").copy(interpretation="scrgb")
    if compression == "ccittfax4":
        image = (image[0] > 128).copy(interpretation="b-w")
    bits = {"bitdepth": 1} if compression == "ccittfax4" else {}
    return bytes(image.tiffsave_buffer(compression=compression, tile=tile, tile_width=16, tile_height=16, **bits))


TIFFS = {
    f"{codec} {depth} {'tiles' if tile else 'strips'}": (codec, tile, depth)
    for codec in ("none", "deflate", "lzw", "packbits", "jpeg", "webp", "ccittfax4")
    for depth in (8, 16, 32)
    for tile in (True, False)
    if depth == 8 or codec in ("none", "deflate", "lzw", "packbits")
}


def result(data: bytes) -> Image | None:
    """The picture; None where it is refused."""
    try:
        return read_image(data)
    except InputError:
        return None


@pytest.mark.parametrize("name", TIFFS)
def test_a_cut_tiff_is_refused(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """libvips writes the directory at the end: put before the pixels, it is there in spite of the cut."""
    data = moved(tiff(*TIFFS[name]))
    truth = read_image(data)
    assert truth.warnings == ()
    for share in (0.3, 0.5, 0.8, 0.95):
        assert result(data[: min(int(len(data) * share), len(data) - 65)]) is None
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("depth", [8, 16])
def test_a_tiff_that_lacks_a_few_bytes_is_read(depth: int) -> None:
    data = moved(tiff("none", tile=False, depth=depth))
    read = read_image(data[:-20])
    assert read.warnings == ("its end is missing: the last pixels may be wrong",)
    wrong = (read.data != read_image(data).data).any(2)
    assert not wrong[:-1].any()
    assert wrong.sum() <= 7


def moved(data: bytes) -> bytes:
    """The same TIFF with its directory, and what that points to, in front of the pixels."""
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    room = len(data) - start + 2000
    head, extra = b"", b""
    place = 8 + 2 + 12 * count + 4
    for i in range(count):
        tag, kind, number, field = struct.unpack_from("<HHI4s", data, start + 2 + 12 * i)
        width = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}[kind]
        value = field[: width * number]
        if width * number > 4:
            (at,) = struct.unpack("<I", field)
            value = data[at : at + width * number]
        if tag in (273, 324):
            value = (np.frombuffer(value, "<u4") + room - 8).astype("<u4").tobytes()
        if len(value) > 4:
            field, extra = struct.pack("<I", place + len(extra)), extra + value + bytes(len(value) % 2)
        else:
            field = value.ljust(4, b"\0")
        head += struct.pack("<HHI4s", tag, kind, number, field)
    new = data[:4] + struct.pack("<IH", 8, count) + head + bytes(4) + extra
    return new.ljust(room, b"\0") + data[8:start]


@pytest.mark.parametrize("name", [name for name in TIFFS if not name.startswith("none")])
def test_zeroed_strips_and_tiles_are_refused(name: str) -> None:
    data = bytearray(tiff(*TIFFS[name]))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        last = len(page.dataoffsets) - 1
        at, size = page.dataoffsets[last], page.databytecounts[last]
    data[at : at + size] = bytes(size)
    assert result(bytes(data)) is None


@pytest.mark.parametrize("tile", [True, False])
def test_offsets_beyond_the_end_are_refused(tile: bool) -> None:
    data = bytearray(tiff("deflate", tile))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tag = file.pages[0].tags["TileOffsets" if tile else "StripOffsets"]
    struct.pack_into("<I", data, tag.valueoffset, 1 << 30)
    assert result(bytes(data)) is None


@pytest.mark.parametrize("name", ["deflate tiles", "deflate strips", "png", "interlaced png"])
def test_a_flipped_bit_is_found_where_there_are_check_sums(name: str) -> None:
    image = pyvips.Image.new_from_array(PIXELS).copy(interpretation="srgb")
    data = {
        "png": lambda: image.pngsave_buffer(keep="none"),
        "interlaced png": lambda: image.pngsave_buffer(keep="none", interlace=True),
    }.get(name, lambda: tiff("deflate", name.endswith("tiles")))()
    last = len(data) - 100
    if name.startswith("deflate"):
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            last = max(file.pages[0].dataoffsets)
    draw = random.Random(5)
    for _ in range(60):
        damaged = bytearray(data)
        damaged[draw.randrange(100, last)] ^= 1 << draw.randrange(8)
        read = result(bytes(damaged))
        assert read is None or np.array_equal(read.data, PIXELS)


CODECS = {
    "jpeg": lambda: saved("JPEG", quality=90),
    "progressive jpeg": lambda: saved("JPEG", quality=90, progressive=True),
    "png": lambda: saved("PNG"),
    "interlaced png": lambda: bytes(pyvips.Image.new_from_array(PIXELS).pngsave_buffer(interlace=True)),
    "webp": lambda: saved("WEBP", quality=90),
    "lossless webp": lambda: saved("WEBP", lossless=True),
    "gif": lambda: saved("GIF"),
    "avif": lambda: encode_image(Image.from_array(PIXELS), "avif"),
    "bmp": lambda: saved("BMP"),
}


def saved(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(PIXELS).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_read_of_a_cut_file_lacks_a_few_pixels_at_most(codec: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Wherever it is cut: refused, or read with a warning."""
    data = CODECS[codec]()
    truth = read_image(data)
    assert truth.warnings == ()
    read_short = 0
    for missing in (*range(1, 40), 70, 100, 200, len(data) // 2, len(data) * 9 // 10):
        read = result(data[:-missing])
        if read is None:
            continue
        read_short += 1
        assert read.warnings[0].startswith("its end is missing")
        wrong = np.abs(read.data.astype(int) - truth.data).max(2) > 40
        assert wrong.mean() < 0.2
        if codec not in ("progressive jpeg", "interlaced png", "webp"):
            assert not wrong[:40].any()
        assert missing <= 200  # of the last row
    if codec not in ("avif", "bmp"):
        assert read_short >= 1
    assert capfd.readouterr().err == ""


def test_a_jpeg_without_end_marker_is_whole() -> None:
    for codec in ("jpeg", "progressive jpeg"):
        data = CODECS[codec]()
        assert data.endswith(b"\xff\xd9")
        read = read_image(data[:-2])
        np.testing.assert_array_equal(read.data, read_image(data).data)
        assert read.warnings == ("its end is missing: the last pixels may be wrong",)


def test_a_progressive_jpeg_without_its_last_scans_is_refused() -> None:
    data = CODECS["progressive jpeg"]()
    last = data.rindex(b"\xff\xda")
    with pytest.raises(InputError, match="premature end"):
        read_image(data[: last - 4])


def test_a_png_without_end_chunk_is_whole() -> None:
    data = CODECS["png"]()
    for missing in (1, 12, 14, 16):
        read = read_image(data[:-missing])
        np.testing.assert_array_equal(read.data, PIXELS)
        assert read.warnings == ("its end is missing: the last pixels may be wrong",)


def test_bytes_that_belong_to_nothing_are_a_warning() -> None:
    data = CODECS["jpeg"]()
    at = data.index(b"\xff\xc4")
    read = read_image(data[:at] + b"\0\1\2" + data[at:])
    np.testing.assert_array_equal(read.data, read_image(data).data)
    assert read.warnings == ("holds 3 bytes outside of any segment: it may be damaged",)
    assert read_image(data[:at] + b"\xff\xff" + data[at:]).warnings == ()  # they may fill
    with pytest.raises(InputError, match="premature end"):  # which libjpeg says of the first fault alone
        read_image(data[:at] + b"\0\1\2" + data[at : len(data) // 2])


def test_a_wrong_check_sum_of_text_is_a_warning() -> None:
    data = CODECS["png"]()
    chunk = b"tEXtTitle\0mine"
    wrong = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk) ^ 1)
    read = read_image(data[:33] + wrong + data[33:])
    np.testing.assert_array_equal(read.data, PIXELS)
    assert read.warnings == ("the check sum of its tEXt is wrong: it may be damaged",)
    at = data.index(b"IDAT") + 20
    assert result(data[:at] + bytes([data[at] ^ 8]) + data[at + 1 :]) is None


@pytest.mark.parametrize(
    "line",
    [
        "Invalid TIFF directory; tags are not sorted in ascending order",
        "Unknown field with tag 65000 (0xfde8) encountered",
        'Incorrect count for "XResolution"; tag ignored',
        "iCCP: known incorrect sRGB profile",
    ],
)
def test_what_says_nothing_of_the_pixels_is_harmless(line: str) -> None:
    assert judged([line]) == []


@pytest.mark.parametrize("line", ["Read error at row 1, col 1, tile 7", "tRNS: CRC error", "anything new"])
def test_what_is_not_known_to_be_harmless_is_an_error(line: str) -> None:
    with pytest.raises(InputError, match=line):
        judged([line])


# --- small files that cost much ---------------------------------------------------------------------------------------


def test_a_jpeg_of_thousands_of_scans_is_refused() -> None:
    data = CODECS["progressive jpeg"]()
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    with pytest.raises(InputError, match=r"it has \d+ scans, more than 100"):
        read_image(data[:-2] + scan * 200 + b"\xff\xd9")


def test_a_tiff_of_very_many_pages_is_refused() -> None:
    page = struct.pack("<HHHIHH", 1, 256, 3, 1, 1, 0)
    data = b"II*\0" + struct.pack("<I", 8)
    data += b"".join(page + struct.pack("<I", 8 + 18 * (i + 1)) for i in range(10_001))
    with pytest.raises(InputError, match="more than 10000 pages"):
        read_image(data + bytes(100))


def test_bytes_of_the_decoded_image_are_limited() -> None:
    deep = encode_image(Image.from_array(np.zeros((64, 64, 4), np.uint16)), "png")
    flat = encode_image(Image.from_array(np.zeros((64, 64, 3), np.uint8)), "png")
    limits = Limits(megapixels=64 * 64 / 1e6)
    assert read_image(flat, limits).width == 64
    with pytest.raises(InputError, match=r"of 8 bytes are 0 megabytes, more than 4 for each of 0.004096 megapixels"):
        read_image(deep, limits)
    assert read_image(deep, Limits(megapixels=2 * 64 * 64 / 1e6)).width == 64


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff", "avif", "gif"])
def test_whatever_the_bytes_are_one_error_says_so(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Files with metadata, flipped and cut in their heads and tails; what is read can be written."""
    block = Pillow.Exif()
    block.update({0x010F: "Canon", 0x011A: 300.0, 0x011B: 300.0})
    text = (b"tEXtComment\0on the roof", b"zTXtTitle\0\0" + zlib.compress(b"a cat"))
    iptc = b"8BIM\4\4\0\0\0\0\0\x08\x1c\2\x50\0\3Zoe"
    metadata = Metadata(None, block.tobytes(), b"<x:xmpmeta/>", (300.0, 300.0), iptc=iptc, text=text)
    image = replace(Image.from_array(PIXELS), metadata=metadata)
    data = saved("GIF", comment=b"on the roof") if kind == "gif" else encode_image(image, kind)
    draw = random.Random(11)
    for _ in range(80):
        mutant = bytearray(data)
        for _ in range(draw.choice([1, 2, 5])):
            at = draw.randrange(min(len(data), 600))
            mutant[at if draw.random() < 0.6 else -1 - at] = draw.choice([0, 255, draw.randrange(256)])
        read = result(bytes(mutant[: draw.choice([len(data), draw.randrange(20, len(data))])]))
        if read is not None and read.data.size < 1e6:
            encode_image(read, "tiff")
            encode_image(read, "jpeg")
    assert capfd.readouterr().err == ""
