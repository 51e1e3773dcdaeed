"""Read the boxes of an AVIF or HEIF that its decoder does not, and write color into an AVIF of libvips.

Sources: ISO/IEC 14496-12 (boxes), 23008-12 (HEIF), 21496-1 (gain maps); AV1 Image File Format 1.1.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

from resolvent.image import color
from resolvent.image.found import Check, Found

__all__ = ["examine", "put_color"]

_LARGEST = 1 << 24
"""Bytes of a file's index."""

_ALPHA = ("urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", "urn:mpeg:hevc:2015:auxid:1", "urn:mpeg:avc:2015:auxid:1")


def examine(file: BinaryIO, _check: Check) -> Found:
    """Read what the decoders do not of an open AVIF or HEIF."""
    found = Found()
    try:
        for kind, start, end in _top(file):
            if kind == b"meta" and end - start <= _LARGEST:
                file.seek(start)
                _index(file.read(end - start), found)
            elif kind == b"mpvd":
                found.leave_out("its video, of a motion photo")
    except (struct.error, LookupError, ValueError):
        pass  # the decoder raises the error
    return found


def _top(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    size, at = file.seek(0, io.SEEK_END), 0
    while at + 8 <= size:
        file.seek(at)
        start, end, kind = _head(file.read(16), at, size)
        yield kind, start, end
        at = end


def _head(data: bytes, at: int, end: int) -> tuple[int, int, bytes]:
    """Read a box's header at `at` of what ends at `end`: where its content starts and ends, its name."""
    size, kind = struct.unpack_from(">I4s", data)
    start = at + 8
    if size == 1:
        (size,) = struct.unpack_from(">Q", data, 8)
        start += 8
    size = size or end - at
    if not start - at <= size <= end - at:
        raise ValueError("a box of a wrong size")
    return start, at + size, kind


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        start, end, kind = _head(data[at : at + 16], at, len(data))
        yield kind, data[start:end]
        at = end


def _index(meta: bytes, found: Found) -> None:
    boxes = dict(_boxes(meta[4:]))
    primary = int.from_bytes(boxes[b"pitm"][4:], "big")
    inner = dict(_boxes(boxes[b"iprp"]))
    properties = list(_boxes(inner[b"ipco"]))
    gain_map = b"tmap" in boxes.get(b"iinf", b"")
    for item, numbers in _associations(inner[b"ipma"]):
        for kind, content in (properties[number - 1] for number in numbers if 0 < number <= len(properties)):
            if item == primary and kind == b"colr" and content[:4] == b"nclx":
                _nclx(struct.unpack_from(">HH", content, 4), found)
            elif item == primary and kind == b"colr" and content[:4] in (b"prof", b"rICC"):
                found.fields["icc"] = content[4:]
            elif kind == b"auxC":
                name = content[4:].split(b"\0")[0].decode("latin-1")
                if "gainmap" in name or "21496" in name:
                    gain_map = True
                elif name not in _ALPHA:
                    found.leave_out(f"an auxiliary picture ({name})")
    if gain_map:
        found.leave_out("its gain map, which makes it HDR")
    found.warnings[:] = dict.fromkeys(found.warnings)


def _associations(ipma: bytes) -> Iterator[tuple[int, list[int]]]:
    """Give the numbers, from 1 on, of each item's properties."""
    version, wide = ipma[0], ipma[3] & 1
    (count,) = struct.unpack_from(">I", ipma, 4)
    at, item = 8, ">I" if version else ">H"
    for _ in range(count):
        (number,) = struct.unpack_from(item, ipma, at)
        at += struct.calcsize(item)
        many = ipma[at]
        forms = struct.unpack_from(f">{many}{'H' if wide else 'B'}", ipma, at + 1)
        yield number, [form & (0x7FFF if wide else 0x7F) for form in forms]
        at += 1 + many * (2 if wide else 1)


def _nclx(numbers: tuple[int, int], found: Found) -> None:
    if found.fields.get("icc"):
        return
    try:
        found.fields["icc"] = color.of_cicp(*numbers)
    except LookupError:
        found.leave_out(f"its color (nclx {numbers[0]}, {numbers[1]})")


def put_color(file: BinaryIO, profile: bytes, lossless: bool) -> None:
    """Put the numbers of H.273 that a profile carries in its place in an open AVIF, where viewers look for them."""
    numbers = color.cicp_of(profile)
    if numbers is None:
        return
    file.seek(0)
    match = re.search(b"colr(?:prof|rICC)" + re.escape(profile[:64]), file.read(_LARGEST))
    if match is None:
        raise ValueError("the written file holds no color profile")
    file.seek(match.start() + 4)
    matrix = 0 if lossless else 6  # as libheif has encoded it
    file.write((b"nclx" + struct.pack(">HHHB", *numbers, matrix, 0x80)).ljust(4 + len(profile), b"\0"))
