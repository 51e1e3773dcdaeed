"""Read the chunks of a PNG that libvips does not, and make those of a PNG that libvips writes.

libvips drops color that is not given by an ICC profile, reads an aspect ratio as a resolution, and compresses
XMP, which XMP forbids.

Sources: PNG 3rd edition, 11.3; Adobe, XMP part 3, 1.1.5.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from resolvent.image import color
from resolvent.image.found import Check, Found, LeftOut

if TYPE_CHECKING:
    from resolvent.image.metadata import Metadata

__all__ = ["chunks", "comment_of", "examine", "keyword_of", "text_chunk"]

_SIGNATURE = 8
_INCH = 0.0254
_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
_XMP = b"XML:com.adobe.xmp\0"
_READ = {*_TEXT, b"IHDR", b"iCCP", b"cICP", b"sRGB", b"gAMA", b"cHRM", b"pHYs", b"acTL"}
_ASIDE = {b"IDAT", b"IEND", b"PLTE", b"tRNS", b"eXIf", b"tIME", b"bKGD", b"hIST", b"sPLT", b"sBIT", b"iDOT"}
_ANIMATION = {b"acTL", b"fcTL", b"fdAT"}
_LARGEST = 1 << 26
"""Bytes of a color profile; zlib could make gigabytes of a small file."""


def examine(file: BinaryIO, check: Check) -> Found:
    """Read what libvips does not of an open PNG."""
    found = Found()
    read: dict[bytes, bytes] = {}
    text: list[bytes] = []
    kinds: dict[bytes, None] = {}
    for kind, payload, sound in _walk(file):
        kinds[kind] = None
        if not sound:
            found.warnings.append(f"the check sum of its {kind.decode()} is wrong: it may be damaged")
        elif kind in _TEXT and not payload.startswith(_XMP):
            text.append(kind + payload)
        elif payload:
            read.setdefault(kind, payload)
    if b"IEND" not in kinds:
        found.whole = _completed(file, read.get(b"IHDR", b""), check)
        if found.whole:
            found.warnings.append("its end is missing: the last pixels may be wrong")
    if b"acTL" in kinds:
        found.warnings.append("holds an animation: only its still image is used")
    others = [kind.decode() for kind in kinds if kind not in _READ | _ASIDE | _ANIMATION]
    if others:
        found.leave_out(f"its PNG chunks {', '.join(others)}")
    found.fields["text"] = tuple(text)
    if len(phys := read.get(b"pHYs", b"")) == 9:
        x, y, unit = struct.unpack(">IIB", phys)
        if unit == 1:
            found.fields["dpi"] = (x * _INCH, y * _INCH)
        elif x != y:
            found.fields["density"] = (float(x), float(y))
    _color(read, found)
    return found


def _walk(file: BinaryIO) -> Iterator[tuple[bytes, bytes, bool]]:
    """Give the chunks that are whole: kind, content where it is wanted, whether its check sum is right."""
    size = file.seek(0, io.SEEK_END)
    at = _SIGNATURE
    while at + 12 <= size:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        at += 12 + length
        if at > size or not kind.isalpha():
            return
        payload = file.read(length) if kind in _READ else b""
        sound = not payload or zlib.crc32(kind + payload) == int.from_bytes(file.read(4), "big")
        yield kind, payload, sound or kind == b"IHDR"  # of that, libpng says so
        if kind == b"IEND":
            return


def _completed(file: BinaryIO, header: bytes, check: Check) -> BinaryIO | None:
    """Make a whole PNG of one that lacks its end, unless more than the last row of pixels is missing."""
    if len(header) != 13:
        return None
    width, height, bits, kind, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    depth = bits * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(kind, 4)
    check(width, height, (depth + 7) // 8)
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = [
        (len(range(y, height, down)), (len(range(x, width, across)) * depth + 7) // 8 + 1)
        for x, y, across, down in (passes if interlaced else ((0, 0, 1, 1),))
    ]
    expected = sum(count * row for count, row in rows if row > 1)
    file.seek(0)
    data = file.read()
    at, first, packed = _SIGNATURE, len(data), []
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"IDAT":
            first = min(first, at)
            packed.append(data[at + 8 : at + 8 + length])
        at += 12 + length
    unpack = zlib.decompressobj()
    try:
        pixels = unpack.decompress(b"".join(packed), expected)
    except zlib.error:
        return None
    if len(pixels) < expected - rows[-1][1]:
        return None
    return io.BytesIO(data[:first] + _chunk(b"IDAT", zlib.compress(pixels.ljust(expected, b"\0"), 1)) + _chunk(b"IEND"))


def _color(read: dict[bytes, bytes], found: Found) -> None:
    """Find the color; what takes precedence is as the third edition says."""
    profile = _profile(read.get(b"iCCP"))
    if cicp := read.get(b"cICP"):
        try:
            made = color.of_cicp(cicp[0], cicp[1])
        except (LookupError, IndexError):
            found.leave_out(f"its color (cICP {', '.join(map(str, cicp))})")
        else:
            if made and profile and made != profile:
                found.warnings.append(LeftOut("its ICC profile is left out: its cICP takes precedence"))
            profile = made or profile
    elif profile is None and b"sRGB" not in read and (b"gAMA" in read or b"cHRM" in read):
        gamma = int.from_bytes(read.get(b"gAMA", b"")[:4], "big") / 1e5
        primaries = (
            [value / 1e5 for value in struct.unpack(">8I", read[b"cHRM"])]
            if len(read.get(b"cHRM", b"")) == 32
            else None
        )
        try:
            profile = color.of_gamma(gamma or None, primaries)
        except ValueError:
            found.leave_out("its color (gAMA, cHRM)")
    found.fields["icc"] = profile


def _profile(payload: bytes | None) -> bytes | None:
    """Unpack an ICC profile; None if there is none, or it is damaged."""
    name, end, packed = (payload or b"").partition(b"\0")
    try:
        return zlib.decompressobj().decompress(packed[1:], _LARGEST) or None if name and end else None
    except zlib.error:
        return None


def _chunk(kind: bytes, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def chunks(metadata: Metadata, exif: bytes | None) -> bytes:
    """Make the chunks of a PNG that hold its metadata; `exif` without its prefix."""
    made = []
    if metadata.icc:
        if cicp := color.cicp_of(metadata.icc):
            made.append(_chunk(b"cICP", bytes([*cicp, 0, 1])))
        made.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.dpi:
        made.append(_chunk(b"pHYs", struct.pack(">IIB", *(round(value / _INCH) for value in metadata.dpi), 1)))
    elif metadata.density:
        made.append(_chunk(b"pHYs", struct.pack(">IIB", *map(round, metadata.density), 0)))
    if exif:
        made.append(_chunk(b"eXIf", exif))
    if metadata.xmp:
        made.append(_chunk(b"iTXt", _XMP + b"\0\0\0\0" + metadata.xmp))
    made += [_chunk(text[:4], text[4:]) for text in metadata.text]
    return b"".join(made)


def text_chunk(keyword: str, text: bytes) -> bytes:
    """Make a text chunk, its type and content, of text that is UTF-8, or else Latin-1."""
    try:
        text.decode("ascii")
    except UnicodeDecodeError:
        try:
            text.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            return b"iTXt" + keyword.encode("latin-1") + b"\0\0\0\0\0" + text
    return b"tEXt" + keyword.encode("latin-1") + b"\0" + text


def keyword_of(chunk: bytes) -> str:
    """Give the keyword of a text chunk."""
    return chunk[4:].partition(b"\0")[0].decode("latin-1")


def comment_of(chunk: bytes) -> bytes | None:
    """Give the text of a comment that is not compressed, as a JPEG can hold it; None for any other chunk."""
    kind, (keyword, _, text) = chunk[:4], chunk[4:].partition(b"\0")
    if keyword != b"Comment":
        return None
    if kind == b"tEXt":
        return text
    if kind == b"iTXt" and text.startswith(b"\0"):
        return text[2:].split(b"\0", 2)[-1]
    return None
