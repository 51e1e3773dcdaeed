"""TIFF's directories of entries (tag, type, count, value or offset), read and laid out; EXIF is made of them too.

Sources: Adobe, TIFF 6.0, section 2; BigTIFF as in libtiff.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

__all__ = [
    "LITTLE",
    "LONG",
    "Directory",
    "Entry",
    "Layout",
    "Value",
    "entries_at",
    "number",
    "open_tiff",
    "pack",
    "read_at",
    "seek",
    "size_of",
    "unpack",
    "values_of",
]

LITTLE = b"II*\0"
LONG = {16, 18}
LARGEST = 1 << 24
"""Bytes of all the values of a directory that do not fit into their entries."""

SUBDIRECTORIES = ({0x8769, 0x8825}, {0xA005}, frozenset[int]())
"""By depth: Exif and GPS; interoperability; none."""

_FORMS = {
    **{1: "u1", 2: "u1", 3: "u2", 4: "u4", 5: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 10: "i4", 11: "f4", 12: "f8"},
    **{13: "u4", 16: "u8", 17: "i8", 18: "u8", 129: "u1"},
}
"""NumPy's names of the types; of a rational, 5 and 10, those of its two numbers."""

_PAIRS = {5, 10}


@dataclass(frozen=True)
class Layout:
    """How a TIFF lays out its numbers: struct formats of a directory's length, an entry, and an offset."""

    order: str
    big: bool = False

    @property
    def length(self) -> str:
        """Of a directory."""
        return self.order + ("Q" if self.big else "H")

    @property
    def entry(self) -> str:
        """Tag, type, count, and the field that holds the value or its offset."""
        return self.order + ("HHQ8s" if self.big else "HHI4s")

    @property
    def offset(self) -> str:
        """Where something stands."""
        return self.order + ("Q" if self.big else "I")


LAYOUTS = {LITTLE: Layout("<"), b"MM\0*": Layout(">"), b"II+\0": Layout("<", True), b"MM\0+": Layout(">", True)}


@dataclass(frozen=True)
class Value:
    """One entry's value, little-endian."""

    kind: int
    count: int
    data: bytes

    @classmethod
    def of(cls, kind: int, numbers: Iterable[float]) -> Value:
        """Make one of numbers; of a rational, each is numerator or denominator."""
        data = np.array(list(numbers), "<" + _FORMS[kind])
        return cls(kind, data.size // (2 if kind in _PAIRS else 1), data.tobytes())

    @property
    def numbers(self) -> tuple[float, ...]:
        """Its numbers; a rational is divided out."""
        values = np.frombuffer(self.data, "<" + _FORMS[self.kind])
        if self.kind in _PAIRS:
            values = values[::2] / np.maximum(values[1::2], 1)
        return tuple(values.tolist())

    @property
    def whole(self) -> tuple[int, ...]:
        """Its numbers without their fractions; those that are infinite or none are 0."""
        return tuple(int(value) if math.isfinite(value) else 0 for value in self.numbers)

    @property
    def text(self) -> str:
        """Its text, as far as the first NUL."""
        return self.data.split(b"\0")[0].decode("utf-8", "replace")


Entry = tuple[int, int, int, bytes]  # tag, type, count, the field that holds the value or its offset
Directory = dict[int, "Value | bytes | Directory"]  # by tag; bytes are an entry as it stands


def open_tiff(file: BinaryIO) -> tuple[Layout, int, list[Entry]]:
    """Read the header and the first directory of a TIFF: layout, offset, entries.

    Raises:
        ValueError: It is none, or ends too soon.
    """
    file.seek(0)
    layout = LAYOUTS.get(file.read(4))
    if layout is None:
        raise ValueError("no TIFF header")
    file.seek(8 if layout.big else 4)
    (start,) = unpack(file, layout.offset)
    return layout, start, entries_at(file, layout, start)


def entries_at(file: BinaryIO, layout: Layout, start: int) -> list[Entry]:
    """Read the entries of the directory that stands at `start`; ValueError where there is none."""
    seek(file, start)
    (length,) = unpack(file, layout.length)
    if length > 0xFFFF:
        raise ValueError(f"a directory of {length} entries")
    return [unpack(file, layout.entry) for _ in range(length)]


def seek(file: BinaryIO, offset: int) -> None:
    """Go to an offset; ValueError for one that no file reaches."""
    if not 0 <= offset < 1 << 40:
        raise ValueError(f"an offset of {offset}")
    file.seek(offset)


def read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    """Read what a file has there: of a damaged one, less, or nothing."""
    end = file.seek(0, io.SEEK_END)
    if not 0 <= offset < end:
        return b""
    file.seek(offset)
    return file.read(max(min(size, end - offset), 0))


def unpack(file: BinaryIO, form: str) -> Any:
    """Read a struct; ValueError at the end of the file."""
    data = file.read(struct.calcsize(form))
    if len(data) < struct.calcsize(form):
        raise ValueError("it ends too soon")
    return struct.unpack(form, data)


def number(layout: Layout, entry: Entry) -> int | None:
    """The value of an entry that holds one whole number."""
    _, kind, count, field = entry
    form = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(kind)
    if form is None or count != 1 or struct.calcsize(form) > len(field):
        return None
    (value,) = struct.unpack_from(layout.order + form, field)
    return int(value)


def values_of(file: BinaryIO, layout: Layout, entries: Iterable[Entry], depth: int = 0) -> Directory:
    """Read the values of entries, less those that lie outside the file, as some do that editors have moved."""
    directory: Directory = {}
    room = LARGEST
    for tag, kind, count, field in {entry[0]: entry for entry in entries}.values():
        if tag in SUBDIRECTORIES[depth]:
            (offset,) = struct.unpack_from(layout.offset if kind in LONG else layout.order + "I", field)
            with suppress(ValueError):
                directory[tag] = values_of(file, layout, entries_at(file, layout, offset), depth + 1)
            continue
        form, size = _FORMS.get(kind, "u0"), size_of(kind, count)
        if len(field) < size <= room:
            seek(file, *struct.unpack(layout.offset, field))
            field = file.read(size)
            room -= size
        if 0 < size <= len(field):
            data = np.frombuffer(field[:size], layout.order + form).astype("<" + form).tobytes()
            directory[tag] = Value(kind, count, data)
    return directory


def size_of(kind: int, count: int) -> int:
    """Bytes that so many values of a type take; 0 of an unknown type."""
    return int(_FORMS.get(kind, "u0")[1]) * count * (2 if kind in _PAIRS else 1)


def pack(directory: Directory, start: int, layout: Layout) -> bytes:
    """Lay out a directory that stands at `start` of its TIFF, its values and subdirectories behind it."""
    length, entry, offset = (struct.calcsize(form) for form in (layout.length, layout.entry, layout.offset))
    behind = start + length + len(directory) * entry + offset
    entries, values = b"", b""
    for tag, item in sorted(directory.items()):
        here = struct.pack(layout.offset, behind + len(values))
        match item:
            case bytes():
                entries += item
            case Value(kind, count, data) if len(data) <= offset:
                entries += struct.pack(layout.entry, tag, kind, count, data)
            case Value(kind, count, data):
                entries += struct.pack(layout.entry, tag, kind, count, here)
                values += data + bytes(len(data) % 2)
            case dict():
                entries += struct.pack(layout.entry, tag, 16 if layout.big else 4, 1, here)
                values += pack(item, behind + len(values), layout)
    return struct.pack(layout.length, len(directory)) + entries + struct.pack(layout.offset, 0) + values
