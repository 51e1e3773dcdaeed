r"""What a photograph carries besides its pixels, as the bytes that the camera and the editor wrote.

libvips rebuilds EXIF when it saves, which empties maker notes and drops tags that it does not know; it neither reads
nor writes EXIF in TIFF, gives a JPEG no resolution, and compresses the XMP of a PNG, which XMP forbids. So Resolvent
writes the metadata of JPEG and PNG itself, adds EXIF to a TIFF's directories, and in WebP and AVIF puts it in the place
of a stand-in.

An EXIF block is ``Exif\0\0`` and a small TIFF: a header, directories of entries (tag, type, count, value or offset).

Sources: CIPA DC-008 (Exif 2.32), 4.5-4.7; Adobe, TIFF 6.0, section 2; BigTIFF as in libtiff; JFIF 1.02; PNG 3rd
edition, 11.3; Adobe, XMP part 3, 1.1.3 and 1.1.5; ICC.1:2022, annex B.
"""

from __future__ import annotations

import io
import itertools
import re
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np

from resolvent.errors import UsageError

__all__ = [
    "HEAD",
    "Metadata",
    "add_to_tiff",
    "embed",
    "from_tiff",
    "of_new_pixels",
    "put_back",
    "resolution",
    "stand_in",
    "upright_exif",
    "upright_xmp",
    "without_directory",
]

_PREFIX = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
HEAD = 64
"""Bytes of a JPEG or PNG, as libvips writes it, that `embed` needs to see."""

_SEGMENT = 65533  # bytes that one JPEG segment holds
_MOST = {
    "jpeg": {"icc": 255 * (_SEGMENT - 14), "exif": _SEGMENT, "xmp": _SEGMENT - len(_XMP)},
    "bmp": {"icc": 0, "exif": 0, "xmp": 0},
}


_HIGHEST = {"jpeg": (1 << 16) - 1, "png": ((1 << 31) - 1) * 0.0254, "bmp": ((1 << 31) - 1) * 0.0254}
"""Dots per inch that a header has room for: 16 bits of them, or 31 bits of dots per meter."""


@dataclass(frozen=True)
class Metadata:
    """What a file holds besides pixels; None where it holds none.

    Attributes:
        icc: ICC profile.
        exif: EXIF block, from its ``Exif`` prefix on.
        xmp: XMP packet.
        dpi: Horizontal and vertical resolution, in dots per inch.

    Raises:
        UsageError: `exif` is not an EXIF block.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.exif is not None:
            try:
                _open(self.exif)
            except ValueError as error:
                raise UsageError(f"exif is not an EXIF block: {error}; leave it out") from None

    def held_by(self, container: str) -> Metadata:
        """Give what of it a file of that format can hold; WebP, AVIF and HEIF hold the resolution in EXIF alone."""
        lost = {name for name, most in _MOST.get(container, {}).items() if len(getattr(self, name) or b"") > most}
        if container in ("webp", "avif", "heif"):
            there = resolution(self.exif)
            if there is None or self.dpi is None or np.abs(np.subtract(there, self.dpi)).max() > 0.5:
                lost.add("dpi")
        if self.dpi is not None and not all(1 <= round(each) <= _HIGHEST.get(container, np.inf) for each in self.dpi):
            lost.add("dpi")
        return replace(self, **dict.fromkeys(lost))


def embed(head: bytes, metadata: Metadata) -> bytes:
    """Put metadata into the first HEAD bytes or more of a JPEG or a PNG that holds none."""
    if head.startswith(b"\xff\xd8"):
        return head[:2] + _segments(metadata) + head[2:]
    resolution = 21 if head[37:41] == b"pHYs" else 0  # libvips writes one even where none is known
    return head[:33] + _chunks(metadata) + head[33 + resolution :]


def _segments(metadata: Metadata) -> bytes:
    x, y = (round(value) for value in metadata.dpi or (1, 1))
    payloads = [(0xE0, b"JFIF\0" + struct.pack(">BBBHHBB", 1, 2, int(metadata.dpi is not None), x, y, 0, 0))]
    if metadata.exif:
        payloads.append((0xE1, metadata.exif))
    if metadata.xmp:
        payloads.append((0xE1, _XMP + metadata.xmp))
    if metadata.icc:
        size = _SEGMENT - 14
        parts = [metadata.icc[at : at + size] for at in range(0, len(metadata.icc), size)]
        payloads += [(0xE2, b"ICC_PROFILE\0" + bytes([i, len(parts)]) + part) for i, part in enumerate(parts, 1)]
    return b"".join(struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload for marker, payload in payloads)


def _chunks(metadata: Metadata) -> bytes:
    payloads = []
    if metadata.icc:
        payloads.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.dpi:
        payloads.append((b"pHYs", struct.pack(">IIB", *(round(value / 0.0254) for value in metadata.dpi), 1)))
    if metadata.exif:
        payloads.append((b"eXIf", metadata.exif[len(_PREFIX) :]))
    if metadata.xmp:
        payloads.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    return b"".join(
        struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))
        for kind, payload in payloads
    )


_LITTLE = b"II*\0"
_MARK = b"resolvent stands in for the EXIF block"
_DESCRIPTION, _ORIENTATION = 0x010E, 0x0112
_EXIF, _PIXELS, _THUMBNAIL = 0x8769, (0xA002, 0xA003), (0x0201, 0x0202)  # a directory; width, height; offset, length
_RESOLUTION = (0x011A, 0x011B, 0x0128)  # x, y, unit
_SUBDIRECTORIES = ({0x8769, 0x8825}, {0xA005}, frozenset[int]())  # by depth: Exif and GPS; interoperability; none
_DESCRIPTIVE = {  # what TIFF's first directory shares with EXIF's; the rest is how the pixels are stored
    *(0x010D, 0x010E, 0x010F, 0x0110, 0x011D, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749, 0x8298),
    *range(0x9C9B, 0x9CA0),
    *_SUBDIRECTORIES[0],
}
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8}  # bytes of a number, by type
_RATIONALS, _LONG = {5, 10}, {16, 18}
_LARGEST = 1 << 24  # bytes of all the values of a directory that do not fit into their entries


@dataclass(frozen=True)
class _Layout:
    """How a TIFF lays out its numbers: struct formats of a directory's length, an entry, and an offset."""

    order: str
    big: bool = False

    @property
    def length(self) -> str:
        return self.order + ("Q" if self.big else "H")

    @property
    def entry(self) -> str:
        return self.order + ("HHQ8s" if self.big else "HHI4s")

    @property
    def offset(self) -> str:
        return self.order + ("Q" if self.big else "I")


_LAYOUTS = {_LITTLE: _Layout("<"), b"MM\0*": _Layout(">"), b"II+\0": _Layout("<", True), b"MM\0+": _Layout(">", True)}


@dataclass(frozen=True)
class _Value:
    """One entry's value, little-endian."""

    kind: int
    count: int
    data: bytes


_Entry = tuple[int, int, int, bytes]  # tag, type, count, the field that holds the value or its offset
_Directory = dict[int, "_Value | bytes | _Directory"]  # by tag; bytes are an entry as it stands


def upright_exif(block: bytes) -> bytes:
    """Reset the orientation of an EXIF block to 1 and leave every other byte; a missing prefix is added.

    Raises:
        ValueError: The block is not EXIF.
    """
    block = block if block.startswith(_PREFIX) else _PREFIX + block
    layout, start, entries = _open(block)
    new = bytearray(block)
    for i, (tag, kind, _, _) in enumerate(entries):
        if tag == _ORIENTATION:
            struct.pack_into(layout.order + ("I" if kind == 4 else "Hxx"), new, _field(layout, start, i), 1)
    return bytes(new)


def of_new_pixels(block: bytes, width: int, height: int) -> bytes:
    """Make an EXIF block true of new pixels: their size where it tells one, and no thumbnail of the old ones.

    Every other byte stays where it is; what cannot be read stays as it is.
    """
    new = bytearray(block)
    layout, start, entries = _open(block)
    file = io.BytesIO(block[len(_PREFIX) :])
    link = start + struct.calcsize(layout.length) + len(entries) * struct.calcsize(layout.entry)
    with suppress(ValueError):
        file.seek(link)
        (thumbnail,) = _unpack(file, layout.offset)
        struct.pack_into(layout.offset, new, len(_PREFIX) + link, 0)
        told = {entry[0]: _number(layout, entry) for entry in _entries(file, layout, thumbnail)} if thumbnail else {}
        at, size = told.get(_THUMBNAIL[0]) or 0, told.get(_THUMBNAIL[1]) or 0
        if 0 < at < at + size <= len(block) - len(_PREFIX):
            new[len(_PREFIX) + at : len(_PREFIX) + at + size] = bytes(size)
    with suppress(ValueError):
        directory = next((_number(layout, entry) for entry in entries if entry[0] == _EXIF), None) or 0
        inner = _entries(file, layout, directory) if directory else []
        for i, (tag, kind, count, _) in enumerate(inner):
            value = {_PIXELS[0]: width, _PIXELS[1]: height}.get(tag)
            form = {3: "H", 4: "I"}.get(kind)
            if value is None or form is None or count != 1 or value >= 1 << 8 * struct.calcsize(form):
                continue
            struct.pack_into(layout.order + form, new, _field(layout, directory, i), value)
    return bytes(new)


def without_directory(block: bytes, tag: int) -> bytes:
    """Empty a subdirectory of an EXIF block, such as that of the place; every other byte stays where it is."""
    new = bytearray(block)
    layout, _, entries = _open(block)
    file = io.BytesIO(block[len(_PREFIX) :])

    def blank(at: int, size: int) -> None:
        at += len(_PREFIX)
        new[at : at + size] = bytes(len(new[at : at + size]))

    with suppress(ValueError):
        for start in filter(None, [_number(layout, entry) for entry in entries if entry[0] == tag]):
            inner = _entries(file, layout, start)
            for _, kind, count, field in inner:
                size = _WIDTHS.get(kind, 0) * count * (2 if kind in _RATIONALS else 1)
                if size > len(field):
                    (at,) = struct.unpack(layout.offset, field)
                    blank(at, size)
            blank(start, struct.calcsize(layout.length) + len(inner) * struct.calcsize(layout.entry))
    return bytes(new)


def _field(layout: _Layout, directory: int, i: int) -> int:
    """Where the field of entry i of a directory stands in an EXIF block."""
    end = directory + struct.calcsize(layout.length) + (i + 1) * struct.calcsize(layout.entry)
    return len(_PREFIX) + end - struct.calcsize(layout.offset)


def _number(layout: _Layout, entry: _Entry) -> int | None:
    """The value of an entry that holds one whole number."""
    _, kind, count, field = entry
    form = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(kind)
    if form is None or count != 1 or struct.calcsize(form) > len(field):
        return None
    (value,) = struct.unpack_from(layout.order + form, field)
    return int(value)


def resolution(block: bytes | None) -> tuple[float, float] | None:
    """Read the resolution in dots per inch from an EXIF block; None where it has none."""
    if block is None:
        return None
    layout, _, entries = _open(block)
    file = io.BytesIO(block[len(_PREFIX) :])
    found = _read(file, layout, [entry for entry in entries if entry[0] in _RESOLUTION])
    values = [value.data for value in map(found.get, _RESOLUTION[:2]) if isinstance(value, _Value) and value.kind == 5]
    if len(values) < 2:
        return None
    (x, x_over), (y, y_over) = (struct.unpack_from("<II", value) for value in values)
    centimetres = found.get(_RESOLUTION[2]) == _Value(3, 1, b"\3\0")
    return (x / max(x_over, 1) * (2.54 if centimetres else 1), y / max(y_over, 1) * (2.54 if centimetres else 1))


def upright_xmp(packet: bytes) -> bytes:
    """Reset the orientation that an XMP packet repeats.

    Example:
        >>> upright_xmp(b'<rdf:Description tiff:Orientation="6"/>')
        b'<rdf:Description tiff:Orientation="1"/>'
    """
    return re.sub(rb"""(tiff:Orientation(?:\s*=\s*["']|>))[2-8]""", rb"\g<1>1", packet)


def from_tiff(file: BinaryIO) -> bytes | None:
    """Gather the EXIF of an open TIFF as one block: its descriptive tags, the Exif and the GPS directory.

    Raises:
        ValueError: A directory is damaged.
    """
    layout, _, entries = _open(file)
    directory = _read(file, layout, [entry for entry in entries if entry[0] in _DESCRIPTIVE])
    return _block(directory) if directory else None


def add_to_tiff(file: BinaryIO, block: bytes) -> None:
    """Add EXIF to an open little-endian TIFF: a longer directory at its end takes the place of the first."""
    source = io.BytesIO(block[len(_PREFIX) :])
    layout, _, entries = _open(source)
    directory = _read(source, layout, [entry for entry in entries if entry[0] in _DESCRIPTIVE])
    layout, _, entries = _open(file)
    directory |= {entry[0]: struct.pack(layout.entry, *entry) for entry in entries}
    end = file.seek(0, io.SEEK_END)
    start = end + end % 2
    file.write(bytes(start - end) + _pack(directory, start, layout))
    file.seek(8 if layout.big else 4)
    file.write(struct.pack(layout.offset, start))


def stand_in(block: bytes) -> bytes:
    """Make an EXIF block, longer than `block`, that libvips writes whole and `put_back` finds again."""
    text = _MARK + b"." * len(block)
    return _block({_DESCRIPTION: _Value(2, len(text), text)})


def put_back(file: BinaryIO, block: bytes) -> None:
    """Overwrite the stand-in in an open WebP or AVIF with `block`; what it was longer by becomes zeros.

    Raises:
        ValueError: The file holds no stand-in.
    """
    mark = _find(file, _MARK)
    before = min(mark, 1024)
    file.seek(mark - before)
    start = mark - before + file.read(before).rindex(_LITTLE)
    file.seek(start)
    file.write(block[len(_PREFIX) :].ljust(mark + len(_MARK) + len(block) - start, b"\0"))


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


def _open(source: bytes | BinaryIO) -> tuple[_Layout, int, list[_Entry]]:
    """Read the header and the first directory of a TIFF, or of an EXIF block: layout, offset, entries."""
    file = io.BytesIO(source[len(_PREFIX) :]) if isinstance(source, bytes) else source
    file.seek(0)
    layout = _LAYOUTS.get(file.read(4))
    if layout is None:
        raise ValueError("no TIFF header")
    file.seek(8 if layout.big else 4)
    (start,) = _unpack(file, layout.offset)
    return layout, start, _entries(file, layout, start)


def _entries(file: BinaryIO, layout: _Layout, start: int) -> list[_Entry]:
    _seek(file, start)
    (length,) = _unpack(file, layout.length)
    if length > 0xFFFF:
        raise ValueError(f"a directory of {length} entries")
    return [_unpack(file, layout.entry) for _ in range(length)]


def _seek(file: BinaryIO, offset: int) -> None:
    if offset >= 1 << 40:
        raise ValueError(f"an offset of {offset}")
    file.seek(offset)


def _unpack(file: BinaryIO, form: str) -> Any:
    data = file.read(struct.calcsize(form))
    if len(data) < struct.calcsize(form):
        raise ValueError("it ends too soon")
    return struct.unpack(form, data)


def _read(file: BinaryIO, layout: _Layout, entries: list[_Entry], depth: int = 0) -> _Directory:
    """Read the values of entries, less those that lie outside the file, as some do that editors have moved."""
    directory: _Directory = {}
    room = _LARGEST
    for tag, kind, count, field in {entry[0]: entry for entry in entries}.values():
        if tag in _SUBDIRECTORIES[depth]:
            (offset,) = struct.unpack_from(layout.offset if kind in _LONG else layout.order + "I", field)
            with suppress(ValueError):
                directory[tag] = _read(file, layout, _entries(file, layout, offset), depth + 1)
            continue
        width = _WIDTHS.get(kind, 0)
        size = width * count * (2 if kind in _RATIONALS else 1)
        if len(field) < size <= room:
            _seek(file, *struct.unpack(layout.offset, field))
            field = file.read(size)
            room -= size
        if 0 < size <= len(field):
            data = np.frombuffer(field[:size], f"{layout.order}u{width}").astype(f"<u{width}").tobytes()
            directory[tag] = _Value(kind, count, data)
    return directory


def _block(directory: _Directory) -> bytes:
    return _PREFIX + _LITTLE + struct.pack("<I", 8) + _pack(directory, 8, _Layout("<"))


def _pack(directory: _Directory, start: int, layout: _Layout) -> bytes:
    """Lay out a directory that stands at `start` of its TIFF, its values and subdirectories behind it."""
    length, entry, offset = (struct.calcsize(form) for form in (layout.length, layout.entry, layout.offset))
    behind = start + length + len(directory) * entry + offset
    entries, values = b"", b""
    for tag, item in sorted(directory.items()):
        here = struct.pack(layout.offset, behind + len(values))
        match item:
            case bytes():
                entries += item
            case _Value(kind, count, data) if len(data) <= offset:
                entries += struct.pack(layout.entry, tag, kind, count, data)
            case _Value(kind, count, data):
                entries += struct.pack(layout.entry, tag, kind, count, here)
                values += data + bytes(len(data) % 2)
            case dict():
                entries += struct.pack(layout.entry, tag, 16 if layout.big else 4, 1, here)
                values += _pack(item, behind + len(values), layout)
    return struct.pack(layout.length, len(directory)) + entries + struct.pack(layout.offset, 0) + values
