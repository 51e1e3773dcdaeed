r"""EXIF blocks: ``Exif\0\0`` and a small TIFF, changed in place so that maker notes stay what they are.

libvips rebuilds EXIF when it saves, which empties maker notes and drops tags that it does not know. So Resolvent writes
the block itself; in WebP and AVIF it takes the place of a stand-in.

Source: CIPA DC-008 (Exif 2.32), 4.5-4.7.
"""

from __future__ import annotations

import io
import itertools
import struct
from contextlib import suppress
from typing import BinaryIO

from resolvent.image.directories import (
    LITTLE,
    Directory,
    Entry,
    Layout,
    Value,
    entries_at,
    number,
    open_tiff,
    pack,
    unpack,
    values_of,
)

__all__ = [
    "PREFIX",
    "block_of",
    "of_new_pixels",
    "open_exif",
    "put_back",
    "resolution",
    "stand_in",
    "upright_exif",
]

PREFIX = b"Exif\0\0"
_MARK = b"resolvent stands in for the EXIF block"
_DESCRIPTION, _ORIENTATION = 0x010E, 0x0112
_EXIF, _THUMBNAIL = 0x8769, (0x0201, 0x0202)  # a directory; offset, length
_WIDTHS, _HEIGHTS = (0x0100, 0xA002), (0x0101, 0xA003)
_RESOLUTION = (0x011A, 0x011B, 0x0128)  # x, y, unit


def open_exif(block: bytes) -> tuple[Layout, int, list[Entry]]:
    """Read the header and the first directory of an EXIF block: layout, offset, entries; ValueError if it is none."""
    return open_tiff(io.BytesIO(block[len(PREFIX) :]))


def block_of(directory: Directory) -> bytes:
    """Make an EXIF block of a directory."""
    return PREFIX + LITTLE + struct.pack("<I", 8) + pack(directory, 8, Layout("<"))


def upright_exif(block: bytes) -> bytes:
    """Reset the orientation of an EXIF block to 1 and leave every other byte; a missing prefix is added.

    Raises:
        ValueError: The block is not EXIF.
    """
    block = block if block.startswith(PREFIX) else PREFIX + block
    layout, start, entries = open_exif(block)
    new = bytearray(block)
    for i, (tag, kind, _, _) in enumerate(entries):
        if tag == _ORIENTATION:
            struct.pack_into(layout.order + ("I" if kind == 4 else "Hxx"), new, _field(layout, start, i), 1)
    return bytes(new)


def of_new_pixels(block: bytes, width: int, height: int) -> bytes:
    """Make an EXIF block true of new pixels: its size tags updated, and no thumbnail of the old ones.

    Every other byte stays where it is; what cannot be read stays as it is.
    """
    new = bytearray(block)
    layout, start, entries = open_exif(block)
    file = io.BytesIO(block[len(PREFIX) :])
    link = start + struct.calcsize(layout.length) + len(entries) * struct.calcsize(layout.entry)
    with suppress(ValueError):
        file.seek(link)
        (thumbnail,) = unpack(file, layout.offset)
        struct.pack_into(layout.offset, new, len(PREFIX) + link, 0)
        fields = {entry[0]: number(layout, entry) for entry in entries_at(file, layout, thumbnail)} if thumbnail else {}
        at, size = fields.get(_THUMBNAIL[0]) or 0, fields.get(_THUMBNAIL[1]) or 0
        if 0 < at < at + size <= len(block) - len(PREFIX):
            new[len(PREFIX) + at : len(PREFIX) + at + size] = bytes(size)
    with suppress(ValueError):
        directory = next((number(layout, entry) for entry in entries if entry[0] == _EXIF), None) or 0
        inner = entries_at(file, layout, directory) if directory else []
        places = [(_field(layout, start, i), entry) for i, entry in enumerate(entries)]
        places += [(_field(layout, directory, i), entry) for i, entry in enumerate(inner)]
        for place, (tag, kind, count, _) in places:
            value = {**dict.fromkeys(_WIDTHS, width), **dict.fromkeys(_HEIGHTS, height)}.get(tag)
            form = {3: "H", 4: "I"}.get(kind)
            if value is None or form is None or count != 1 or value >= 1 << 8 * struct.calcsize(form):
                continue
            struct.pack_into(layout.order + form, new, place, value)
    return bytes(new)


def _field(layout: Layout, directory: int, i: int) -> int:
    """Where the field of entry i of a directory stands in an EXIF block."""
    end = directory + struct.calcsize(layout.length) + (i + 1) * struct.calcsize(layout.entry)
    return len(PREFIX) + end - struct.calcsize(layout.offset)


def resolution(block: bytes | None) -> tuple[float, float] | None:
    """Read the resolution in dots per inch from an EXIF block; None where it has none."""
    if block is None:
        return None
    layout, _, entries = open_exif(block)
    file = io.BytesIO(block[len(PREFIX) :])
    found = values_of(file, layout, [entry for entry in entries if entry[0] in _RESOLUTION])
    x, y, unit = (value if isinstance(value, Value) else Value.of(3, (0,)) for value in map(found.get, _RESOLUTION))
    factor = {2: 1.0, 3: 2.54}.get(unit.whole[0] or 2)
    return (x.numbers[0] * factor, y.numbers[0] * factor) if factor and all(x.numbers + y.numbers) else None


def stand_in(block: bytes) -> bytes:
    """Make an EXIF block, longer than `block`, that libvips writes whole and `put_back` finds again."""
    text = _MARK + b"." * len(block)
    return block_of({_DESCRIPTION: Value(2, len(text), text)})


def put_back(file: BinaryIO, block: bytes) -> None:
    """Overwrite the stand-in in an open WebP or AVIF with `block`; what it was longer by becomes zeros.

    Raises:
        ValueError: The file holds no stand-in.
    """
    mark = _find(file, _MARK)
    before = min(mark, 1024)
    file.seek(mark - before)
    start = mark - before + file.read(before).rindex(LITTLE)
    file.seek(start)
    file.write(block[len(PREFIX) :].ljust(mark + len(_MARK) + len(block) - start, b"\0"))


def _find(file: BinaryIO, mark: bytes) -> int:
    tail = b""
    file.seek(0)
    for position in itertools.count(0, 1 << 20):
        chunk = file.read(1 << 20)
        at = (tail + chunk).find(mark)
        if at >= 0:
            return position - len(tail) + at
        if not chunk:
            break
        tail = chunk[1 - len(mark) :]
    raise ValueError("the written file holds no EXIF")
