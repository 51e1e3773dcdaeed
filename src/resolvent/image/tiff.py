"""Read the tags of a TIFF that libvips does not, and add tags to one that libvips has written.

libvips neither reads nor writes EXIF and GeoTIFF tags, takes any fourth sample for alpha, and writes a resolution where
there is none.

Sources: Adobe, TIFF 6.0 and its technical notes; OGC GeoTIFF 1.1; ImageJ's TiffEncoder; DNG 1.7, chapters 2 and 4.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from resolvent.errors import InputError
from resolvent.image.complaints import damaged
from resolvent.image.directories import (
    SUBDIRECTORIES,
    Directory,
    Entry,
    Layout,
    Value,
    entries_at,
    number,
    open_tiff,
    pack,
    read_at,
    seek,
    unpack,
    values_of,
)
from resolvent.image.exif import PREFIX, block_of
from resolvent.image.formats import raw_error
from resolvent.image.found import SHORT, Check, Found
from resolvent.image.iptc import iptc_of, resources_of

__all__ = ["UNSPECIFIED_SAMPLE", "add_to_tiff", "enlarged_geo", "examine", "iptc_tags", "resolution_tags"]

MOST_PAGES = 10_000
"""Finding them takes seconds already."""

_SUBFILE, _COMPRESSION, _PHOTOMETRIC, _DESCRIPTION, _ORIENTATION, _SAMPLES = 254, 259, 262, 270, 274, 277
_X, _Y, _UNIT, _SUBS, _EXTRA = 282, 283, 296, 330, 338
_XMP, _IPTC, _PHOTOSHOP, _ICC, _LAYERS, _DNG = 700, 33723, 34377, 34675, 37724, 50706
_DESCRIPTIVE = {  # what TIFF's first directory shares with EXIF's; the rest is how the pixels are stored
    *(0x010D, 0x010E, 0x010F, 0x0110, 0x011D, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749, 0x8298),
    *range(0x9C9B, 0x9CA0),
    *SUBDIRECTORIES[0],
}
_SCALE, _TIE_POINTS, _TRANSFORM = 33550, 33922, 34264
_GEO = {_SCALE, _TIE_POINTS, _TRANSFORM, 34735, 34736, 34737, 42112, 42113, 50844}
_STORAGE = {  # how pixels are stored, or kept in another way
    *range(254, 260), *range(262, 267), 273, 274, *range(277, 285), *range(286, 294), 296, 297, 317, *range(320, 328),
    *(330, 332, 333, 334, 336, 337, 338, 339, 340, 341, 342, 347), *range(512, 533), 559, 700, 33723, 34377, 34675,
}  # fmt: skip
UNSPECIFIED_SAMPLE: Directory = {_EXTRA: Value.of(3, (0,))}
"""The tag of one sample beyond the colors that is no alpha."""

_RAW_PHOTOMETRICS, _RAW_COMPRESSIONS = {32803, 34892}, {32767, 32769, 32770, 34713, 65000, 65535}
_DEFLATE = {8, 32946}
_STEP, _MOST_EXTRAS = 1 << 20, 100
_PLACES = ((273, 279), (324, 325))  # offsets and sizes of strips and of tiles
_STACK = re.compile(r"^(images|slices|frames|channels|hyperstack|loop)=.*\n?", re.MULTILINE)


def examine(file: BinaryIO, check: Check, frame: int = 1) -> Found:
    """Read what libvips does not of a page of an open TIFF; the first is 1.

    Raises:
        InputError: It is a camera's raw file, has too many pages or no such page, is too large or damaged.
    """
    found = Found()
    try:
        layout, start, entries = open_tiff(file)
        directory = values_of(file, layout, entries)
    except ValueError:
        return found  # libvips raises the error
    _refuse_raw(file, layout, directory)
    pages = _pages(file, layout, start)
    found.choose(frame, max(len(pages), 1))
    if frame > 1:
        file = found.whole = _from_page(file, layout, pages[frame - 1])
        entries = entries_at(file, layout, pages[frame - 1])
        directory = values_of(file, layout, entries)
    check(_first(directory, 256), _first(directory, 257), 1)
    _refuse_overlaps(file, directory)
    if lengthened := _lengthened(file, directory):
        file = found.whole = lengthened
        found.warnings.append("its end is missing: the last pixels may be wrong")
    _verify(file, directory)
    found.extras = _extras(directory)
    _describe(directory, len(pages), found)
    found.fields |= _resolution(directory)
    described = {tag: directory[tag] for tag in _DESCRIPTIVE & directory.keys()}
    found.fields["exif"] = block_of(described) if described else None
    geo = {tag: directory[tag] for tag in _GEO & directory.keys()}
    found.fields["geo"] = block_of(geo) if geo else None
    found.orientation = _first(directory, _ORIENTATION, 1)
    for name, tag in (("icc", _ICC), ("xmp", _XMP)):
        if tag in directory:
            found.fields[name] = _bytes(directory, tag, layout)
    found.fields["iptc"] = resources_of(*(_bytes(directory, tag, layout) for tag in (_PHOTOSHOP, _IPTC)))
    tags = {entry[0] for entry in entries}
    if _LAYERS in tags:
        found.leave_out("its Photoshop layers")
    others = sorted(tags - _DESCRIPTIVE - _GEO - _STORAGE - {_LAYERS})
    if others:
        found.leave_out(f"its TIFF tags {', '.join(map(str, others))}")
    return found


def _refuse_raw(file: BinaryIO, layout: Layout, directory: Directory) -> None:
    """Raise InputError where the first picture is the preview of a camera's raw data, or that data itself."""
    if _DNG in directory:
        raise raw_error("DNG")
    subs = directory.get(_SUBS)
    inner = [directory]
    for offset in subs.whole[:16] if isinstance(subs, Value) else ():
        with suppress(ValueError):
            inner.append(values_of(file, layout, entries_at(file, layout, offset), 2))
    for tags in inner:
        if _first(tags, _PHOTOMETRIC) in _RAW_PHOTOMETRICS or _first(tags, _COMPRESSION) in _RAW_COMPRESSIONS:
            make = directory.get(0x010F)
            raise raw_error(make.text.strip().title() if isinstance(make, Value) else "TIFF")
    if _first(directory, _SUBFILE) & 1:
        raise InputError("its first picture is only a preview of another; save that as a TIFF of its own")


def _refuse_overlaps(file: BinaryIO, directory: Directory) -> None:
    """Raise InputError where strips or tiles share so many bytes that reading them would never end."""
    lengths = (value.whole for _, sizes in _PLACES if isinstance(value := directory.get(sizes), Value))
    if sum(map(sum, lengths)) > file.seek(0, io.SEEK_END) + _most_unpacked(directory):
        raise damaged("its strips or tiles overlap")


def _most_unpacked(directory: Directory) -> int:
    """Bytes that the pixels take at most, with samples of 128 bits."""
    return 16 * math.prod(_first(directory, tag, 1) for tag in (256, 257, _SAMPLES))


def _lengthened(file: BinaryIO, directory: Directory) -> BinaryIO | None:
    """Make a whole TIFF of one that lacks the last few bytes of its pixels; None for any other."""
    ends = [
        place + length
        for offsets, sizes in _PLACES
        if isinstance(places := directory.get(offsets), Value) and isinstance(lengths := directory.get(sizes), Value)
        for place, length in zip(places.whole, lengths.whole, strict=False)
    ]
    missing = max(ends, default=0) - file.seek(0, io.SEEK_END)
    if not 0 < missing <= SHORT:
        return None
    file.seek(0)
    return io.BytesIO(file.read() + bytes(missing))


def _verify(file: BinaryIO, directory: Directory) -> None:
    """Compare the check sums of deflate, which libtiff does not for strips.

    Raises:
        InputError: One is wrong.
    """
    if _first(directory, _COMPRESSION) not in _DEFLATE:
        return
    room = _most_unpacked(directory)
    for offsets, sizes in _PLACES:
        places, lengths = directory.get(offsets), directory.get(sizes)
        if not (isinstance(places, Value) and isinstance(lengths, Value)):
            continue
        for i, (offset, size) in enumerate(zip(places.whole, lengths.whole, strict=False)):
            data, unpacker = read_at(file, offset, size), zlib.decompressobj()
            try:
                while room > 0:
                    made = unpacker.decompress(data, _STEP)
                    room -= len(made)
                    data = unpacker.unconsumed_tail
                    if unpacker.eof:
                        break
                    if not data and not made:
                        raise zlib.error("it has no end")
            except zlib.error as error:
                raise damaged(f"strip or tile {i}: {error}") from error


def _first(directory: Directory, tag: int, default: int = 0) -> int:
    value = directory.get(tag)
    return value.whole[0] if isinstance(value, Value) else default


def _bytes(directory: Directory, tag: int, layout: Layout) -> bytes:
    """Bytes as they stand in the file, though the tag may say that they are numbers."""
    value = directory.get(tag)
    if not isinstance(value, Value):
        return b""
    return np.frombuffer(value.data, "<u4").astype(layout.order + "u4").tobytes() if value.kind == 4 else value.data


def _pages(file: BinaryIO, layout: Layout, start: int) -> list[int]:
    """Find the directories of the pages, without previews and masks of them."""
    pages = []
    for i, (place, entry) in enumerate(_first_entries(file, layout, start)):
        if i == MOST_PAGES:
            raise InputError(f"it has more than {MOST_PAGES} pages; split it")
        if not (entry[0] == _SUBFILE and (number(layout, entry) or 0) & 5):
            pages.append(place)
    return pages


def _from_page(file: BinaryIO, layout: Layout, start: int) -> BinaryIO:
    """Make the TIFF that begins with the page whose directory stands at `start`."""
    file.seek(0)
    data = bytearray(file.read())
    struct.pack_into(layout.offset, data, 8 if layout.big else 4, start)
    return io.BytesIO(data)


def _first_entries(file: BinaryIO, layout: Layout, start: int) -> Iterator[tuple[int, Entry]]:
    """Read where each directory in the chain stands, and its first entry, which has the least tag."""
    seen: set[int] = set()
    with suppress(ValueError):
        while start and start not in seen:
            seen.add(start)
            seek(file, start)
            (length,) = unpack(file, layout.length)
            yield start, unpack(file, layout.entry)
            seek(file, start + struct.calcsize(layout.length) + length * struct.calcsize(layout.entry))
            (start,) = unpack(file, layout.offset)


def _extras(directory: Directory) -> tuple[int, ...] | None:
    """Say what each sample beyond the colors is: 1 and 2 alpha, 0 unknown; None where the colors are unusual."""
    colors = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}.get(_first(directory, _PHOTOMETRIC, -1))
    if colors is None:
        return None
    count = max(_first(directory, _SAMPLES, 1) - colors, 0)
    if count > _MOST_EXTRAS:
        return None
    extras = directory.get(_EXTRA)
    kinds = extras.whole[:count] if isinstance(extras, Value) else ()
    return kinds + (0,) * (count - len(kinds))


def _describe(directory: Directory, pages: int, found: Found) -> None:
    """Remove page counts and shapes from the description."""
    value = directory.get(_DESCRIPTION)
    if not isinstance(value, Value):
        return
    text = value.text
    if text.startswith("ImageJ="):
        text = _STACK.sub("", text)
    elif text.startswith('{"shape":'):  # of tifffile
        text = ""
    elif "<OME" in text and pages > 1:
        text = ""
        found.leave_out("its OME description, which is of all its images")
    if text != value.text:
        del directory[_DESCRIPTION]
        if text:
            data = text.encode() + b"\0"
            directory[_DESCRIPTION] = replace(value, count=len(data), data=data)


def _resolution(directory: Directory) -> dict[str, tuple[float, float] | None]:
    """Read the resolution, in dots per inch, or in pixels for a unit that the file does not name."""
    x, y = directory.get(_X), directory.get(_Y)
    if not (isinstance(x, Value) and isinstance(y, Value)):
        return {}
    values = (x.numbers[0], y.numbers[0])
    match _first(directory, _UNIT, 2):
        case 2:
            return {"dpi": values}
        case 3:
            return {"dpi": (values[0] * 2.54, values[1] * 2.54)}
    return {"density": values if values != (1, 1) else None}


def add_to_tiff(file: BinaryIO, exif: bytes | None, more: Directory | None = None, geo: bytes | None = None) -> None:
    """Add tags to an open little-endian TIFF: a longer directory at its end takes the place of the first.

    Args:
        file: The TIFF.
        exif: An EXIF block, whose descriptive tags are added.
        more: Tags that take the place of its own.
        geo: GeoTIFF tags, as a block.
    """
    directory: Directory = {}
    for block, wanted in ((exif, _DESCRIPTIVE), (geo, _GEO)):
        if block:
            source = io.BytesIO(block[len(PREFIX) :])
            layout, _, entries = open_tiff(source)
            directory |= values_of(source, layout, [entry for entry in entries if entry[0] in wanted])
    layout, _, entries = open_tiff(file)
    directory |= {entry[0]: struct.pack(layout.entry, *entry) for entry in entries}
    directory |= more or {}
    end = file.seek(0, io.SEEK_END)
    start = end + end % 2
    file.write(bytes(start - end) + pack(directory, start, layout))
    file.seek(8 if layout.big else 4)
    file.write(struct.pack(layout.offset, start))


def resolution_tags(dpi: tuple[float, float] | None, density: tuple[float, float] | None) -> Directory:
    """Make TIFF's tags of a resolution; without one they say that pixels are square, and no more."""
    x, y = dpi or density or (1, 1)

    def rational(value: float) -> Value:
        below = min(1_000_000, int((2**32 - 1) / max(value, 1)))
        return Value.of(5, (round(value * below), below))

    return {_X: rational(x), _Y: rational(y), _UNIT: Value.of(3, (2 if dpi else 1,))}


def iptc_tags(resources: bytes | None) -> Directory:
    """Make TIFF's tags of IPTC in image resources, and of these."""
    tags = {_PHOTOSHOP: resources, _IPTC: resources and iptc_of(resources)}
    return {tag: Value(1, len(data), data) for tag, data in tags.items() if data}


def enlarged_geo(block: bytes, x: float, y: float) -> bytes:
    """Make GeoTIFF tags true of an image so many times as wide and as high."""
    source = io.BytesIO(block[len(PREFIX) :])
    layout, _, entries = open_tiff(source)
    directory = values_of(source, layout, entries)
    steps = {  # a pixel's size; column, row, height, and three coordinates of points; rows of a matrix
        _SCALE: (1 / x, 1 / y, 1),
        _TIE_POINTS: (x, y, 1, 1, 1, 1),
        _TRANSFORM: (1 / x, 1 / y, 1, 1),
    }
    for tag, factors in steps.items():
        value = directory.get(tag)
        if isinstance(value, Value) and value.kind == 12 and value.count % len(factors) == 0:
            directory[tag] = Value.of(12, (np.reshape(value.numbers, (-1, len(factors))) * factors).ravel())
    return block_of(directory)
