"""What a small file can make its reader spend: time linear in its bytes and pixels, and memory in its pixels."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image as Pillow

from resolvent.errors import InputError
from resolvent.image import Metadata, read_image
from resolvent.image.place import placeless_exif, placeless_xmp
from resolvent.image.xmp import merged_xmp, truthful_xmp

PIXELS = np.random.default_rng(4).integers(0, 256, (24, 32, 3), np.uint8)
LENGTH = 300_000
SECONDS = 1.5
"""Of CPU time: each takes less than a third of it; what is quadratic takes five times as much, or hours."""


def saved(kind: str) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(PIXELS).save(file, kind)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def tiff(values: dict[int, int], strips: int, strip: bytes) -> bytes:
    """A gray TIFF all of whose strips are the same bytes."""
    tags = {258: 8, 259: 8, 262: 1, 273: 0, 277: 1, 278: 1, 279: 0} | values
    behind = 8 + 2 + 12 * len(tags) + 4
    tags |= {273: behind, 279: behind + 4 * strips}
    entries = [struct.pack("<HHII", tag, 4, strips if tag in (273, 279) else 1, tags[tag]) for tag in sorted(tags)]
    offsets = struct.pack("<I", behind + 8 * strips) * strips + struct.pack("<I", len(strip)) * strips
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(entries) + bytes(4) + offsets + strip


def png_without_end() -> bytes:
    pixels = zlib.compress(bytes(600 * 601), 0)
    parts = b"".join(chunk(b"IDAT", pixels[at : at + 2]) for at in range(0, len(pixels) - 100, 2))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 600, 600, 8, 0, 0, 0, 0)) + parts


@pytest.mark.parametrize("act", [truthful_xmp, placeless_xmp, lambda packet: merged_xmp(b"<a/></rdf:RDF>", packet)])
@pytest.mark.parametrize(
    "piece",
    [
        b"<hdrgm:x>",
        b"<hdrgm:x ",
        b" ",
        b"<exif:GPSx>",
        b"<exif:GPSx ",
        b" a:latitud",
        b"<rdf:RDF>",
        b"<rdf:RDF ",
        b" hdrgm:x=",
    ],
)
def test_xmp_is_changed_in_linear_time(act: Callable[[bytes], bytes], piece: bytes) -> None:
    packet = piece * (LENGTH // len(piece))
    start = time.process_time()
    act(packet)
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize(
    "packet",
    [
        b"<r>" + b'<x a:City="1" b="2"/>' * (LENGTH // 20) + b"</r>",
        b"<City>" * (LENGTH // 13) + b"</City>" * (LENGTH // 13),
        b"<r " + b" ".join(b'a%d:City="1"' % number for number in range(LENGTH // 16)) + b"/>",
    ],
    ids=["many", "nested", "in one tag"],
)
def test_the_place_is_taken_out_of_xmp_in_linear_time(packet: bytes) -> None:
    start = time.process_time()
    placed = placeless_xmp(packet)
    assert placed is not None
    assert b"City" not in placed
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize(
    "make",
    [
        lambda: saved("JPEG") + b"\xff\xd8\xff\xd9" * (LENGTH // 2),
        png_without_end,
        lambda: tiff({256: 100, 257: 30_000}, 30_000, zlib.compress(bytes(100)) + bytes(LENGTH)),
    ],
    ids=["pictures behind a JPEG", "PNG of tiny chunks", "TIFF of overlapping strips"],
)
def test_files_are_read_in_linear_time(make: Callable[[], bytes]) -> None:
    data = make()
    start = time.process_time()
    try:
        read_image(data)
    except InputError as error:
        assert "overlap" in str(error) or "cannot be decoded" in str(error)  # noqa: PT017 - or it is read
    assert time.process_time() - start < SECONDS


def test_what_metadata_loses_is_named_in_linear_time() -> None:
    comments = tuple(b"tEXtComment\0%d" % number for number in range(LENGTH // 10))
    start = time.process_time()
    assert Metadata(text=(*comments, b"tEXtTitle\0x")).lost_by("jpeg") == ("text (Title)",)
    assert time.process_time() - start < SECONDS


def test_a_place_is_emptied_in_linear_time() -> None:
    count, size = 60_000, 3_000_000
    entry = struct.pack("<HHII", 2, 1, size, 0)
    directory = struct.pack("<H", count) + entry * count + bytes(size)
    block = b"Exif\0\0II*\0" + struct.pack("<IHHHIII", 8, 1, 0x8825, 4, 1, 26, 0) + directory
    start = time.process_time()
    assert not any(placeless_exif(block)[6 + 26 :])
    assert time.process_time() - start < SECONDS


def test_strips_of_packed_samples_take_no_more_memory_than_the_pixels() -> None:
    side = 256
    data = tiff({256: side, 257: side, 258: 12}, 1000, zlib.compress(bytes(side * side * 3 // 2)))
    tracemalloc.start()
    try:
        assert read_image(data).data.shape == (side, side, 1)
        assert tracemalloc.get_traced_memory()[1] < 50 * side * side
    finally:
        tracemalloc.stop()


def test_a_run_length_encoded_bmp_is_bounded() -> None:
    def bmp(side: int) -> bytes:
        body = b"\1\7\0\0" * side + b"\0\1"  # one pixel a row; the rest is filled up
        header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(body), 0, 0, 256, 0)
        return b"BM" + struct.pack("<IHHI", 1078 + len(body), 0, 0, 1078) + header + bytes(range(256)) * 4 + body

    assert read_image(bmp(64)).data.shape == (64, 64, 3)
    with pytest.raises(InputError, match="run-length encoded BMP of more than 25 megapixels; save it as a PNG"):
        read_image(bmp(5001))
