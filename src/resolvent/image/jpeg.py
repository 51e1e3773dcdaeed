"""Read the segments of a JPEG that libvips does not, and make those of a JPEG that libvips writes.

Sources: ITU-T T.81, annex B; JFIF 1.02; Adobe, XMP part 3, 1.1.3; CIPA DC-007 (multi-picture format); ICC.1:2022, annex
B; Adobe Photoshop File Formats Specification.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from resolvent.errors import InputError, counted
from resolvent.image.found import SHORT, Check, Found
from resolvent.image.iptc import resources_of
from resolvent.image.jpeg_header import jpeg_header
from resolvent.image.png import comment_of, text_chunk
from resolvent.image.xmp import extended_guid

if TYPE_CHECKING:
    from resolvent.image.metadata import Metadata

__all__ = ["SEGMENT", "XMP", "append_gain_map", "examine", "segments"]

SEGMENT = 65533
"""Bytes that one segment holds."""

XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
_ICC = b"ICC_PROFILE\0"
_MULTI_PICTURE = b"MPF\0"
_GAIN_MAP = (b"http://ns.adobe.com/hdr-gain-map/", b"urn:iso:std:iso:ts:21496:-1", b"HDRGainMap")
_KNOWN = (b"JFIF\0", b"JFXX\0", b"Exif\0", b"Adobe", b"Ducky", _MULTI_PICTURE, b"urn:iso:std:iso:ts:21496:-1")
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")  # neither a stuffed zero nor a restart
_ZEROS = re.compile(rb"\0*")
_END, _SCAN, _COMMENT = 0xD9, 0xDA, 0xFE

MOST_SCANS = 100
"""A camera's progressive JPEG has ten; each costs a pass over all pixels."""


def examine(file: BinaryIO, _check: Check) -> Found:
    """Read what libvips does not of an open JPEG.

    Raises:
        InputError: It has too many scans.
    """
    file.seek(0)
    data = file.read()
    found = Found(jpeg=jpeg_header(data))
    data, strays = _without_strays(data)
    if strays:  # libjpeg would complain of them, and of nothing else that it finds
        found.whole = io.BytesIO(data)
        found.warnings.append(f"holds {counted(strays, 'byte')} outside of any segment: it may be damaged")
    parts: dict[int, list[bytes]] = {}
    end = len(data)
    for marker, payload, _, at in _walk(data):
        parts.setdefault(marker, []).append(payload)
        if marker == _END:
            end = at
    scans = parts.get(_SCAN, [])
    if len(scans) > MOST_SCANS:
        raise InputError(f"it has {len(scans)} scans, more than {MOST_SCANS}; save it again as a baseline JPEG")
    if _END not in parts and _complete(parts):
        # bits that are missing are read as zeros; were more missing than these, libjpeg would complain
        found.whole = io.BytesIO(data.rstrip(b"\xff") + bytes(SHORT) + b"\xff\xd9")
        found.warnings.append("its end is missing: the last pixels may be wrong")
    _density(parts, found)
    _segments_of(parts, found)
    _xmp(parts, found)
    _behind(data[end:].strip(b"\0"), b"".join(parts.get(0xE1, []) + parts.get(0xE2, [])), found)
    return found


def _walk(data: bytes, start: int = 0) -> Iterator[tuple[int, bytes, int, int]]:
    """Give the segments of the JPEG that begins at `start`, and its end: marker, content, where it starts and ends."""
    at = start + 2
    while match := _MARKER.search(data, at):
        marker, at = match[1][0], match.end()
        if marker in (0x01, 0xD8):
            continue
        if marker == _END:
            yield marker, b"", match.start(), at
            return
        size = int.from_bytes(data[at : at + 2], "big")
        yield marker, data[at + 2 : at + size], match.start(), at + size
        at += max(size, 2)


def _without_strays(data: bytes) -> tuple[bytes, int]:
    """Take out bytes that belong to no segment, before the first scan, and say how many they are."""
    parts, strays, expected = [data[:2]], 0, 2
    for marker, _, start, end in _walk(data):
        strays, expected = strays + len(data[expected:start].rstrip(b"\xff")), end  # any number of those is allowed
        if marker in (_SCAN, _END):
            return (b"".join(parts) + data[start:] if strays else data), strays
        parts.append(data[start:end])
    return data, 0


def _complete(parts: dict[int, list[bytes]]) -> bool:
    """Whether a scan has begun for every bit of every coefficient of every component."""
    frames = [frame for marker in (0xC0, 0xC1, 0xC2) for frame in parts.get(marker, [])]
    if len(frames) != 1 or len(frames[0]) < 6:
        return False
    missing = {(frames[0][6 + 3 * i], k) for i in range(frames[0][5]) for k in range(64) if len(frames[0]) > 6 + 3 * i}
    for scan in parts.get(_SCAN, []):
        if len(scan) < 1 or len(scan) < 4 + 2 * scan[0]:
            return False
        first, last, bits = scan[1 + 2 * scan[0] :][:3]
        if not bits & 15:
            missing -= {(scan[1 + 2 * i], k) for i in range(scan[0]) for k in range(first, last + 1)}
    return not missing


def _density(parts: dict[int, list[bytes]], found: Found) -> None:
    for payload in parts.get(0xE0, []):
        if payload.startswith(b"JFIF\0") and len(payload) >= 12:
            unit, x, y = struct.unpack_from(">BHH", payload, 7)
            if unit == 0 and x and y and x != y:
                found.fields["density"] = (float(x), float(y))


def _segments_of(parts: dict[int, list[bytes]], found: Found) -> None:
    photoshop = b"".join(part[len(_PHOTOSHOP) :] for part in parts.get(0xED, []) if part.startswith(_PHOTOSHOP))
    found.fields["iptc"] = resources_of(photoshop)
    comments = [part.rstrip(b"\0") for part in parts.get(_COMMENT, [])]
    found.fields["text"] = tuple(text_chunk("Comment", comment) for comment in comments if comment)
    for marker in range(0xE0, 0xF0):
        for part in parts.get(marker, []):
            if not part.startswith((*_KNOWN, XMP, _EXTENSION, _PHOTOSHOP, _ICC)):
                name = re.match(rb"[ -~]*", part[:40])[0].decode()  # type: ignore[index]  # it also matches nothing
                content = "content credentials (C2PA)" if marker == 0xEB and b"jumb" in part[:40] else name
                found.leave_out(f"its APP{marker - 0xE0} segment {content}".rstrip())
    found.warnings[:] = dict.fromkeys(found.warnings)


def _xmp(parts: dict[int, list[bytes]], found: Found) -> None:
    """Find the XMP and its extension; libvips may take one for the other."""
    packet = next((part for part in parts.get(0xE1, []) if part.startswith(XMP)), None)
    found.fields["xmp"] = packet and packet[len(XMP) :]
    pieces = [part[len(_EXTENSION) :] for part in parts.get(0xE1, []) if part.startswith(_EXTENSION)]
    if not pieces:
        return
    guid = extended_guid(packet or b"")
    whole = bytearray()
    for piece in sorted((piece for piece in pieces if guid and piece.startswith(guid)), key=lambda piece: piece[36:40]):
        if len(whole) == int.from_bytes(piece[36:40], "big"):
            whole += piece[40:]
    if whole and len(whole) == int.from_bytes(pieces[0][32:36], "big"):
        found.fields["xmp_extension"] = bytes(whole)
    else:
        found.leave_out("its extended XMP, which is incomplete")


def _behind(rest: bytes, head: bytes, found: Found) -> None:
    """Take a gain map that stands behind the picture alone, and name whatever else does; `head`: APP1 and APP2."""
    pictures, at = 0, 0
    while rest.startswith(b"\xff\xd8", at):
        end = next((end for marker, _, _, end in _walk(rest, at) if marker == _END), len(rest))
        pictures, at = pictures + 1, _ZEROS.match(rest, end).end()  # type: ignore[union-attr]  # it also matches nothing
    video = b"ftyp" in rest
    gain_map = pictures and any(mark in head or mark in rest for mark in _GAIN_MAP)
    if gain_map and pictures == 1 and at == len(rest) and _is_located(len(rest), head):
        found.fields["gain_map"] = rest
    elif gain_map:
        found.leave_out("its gain map, which makes it HDR")
    if pictures - bool(gain_map) > 0:
        found.leave_out(f"{counted(pictures - bool(gain_map), 'further picture')} in it")
    if video:
        found.leave_out("its video, of a motion photo")
    if rest and not pictures and not video:
        found.leave_out(f"{counted(len(rest), 'byte')} behind its end")


def _is_located(size: int, head: bytes) -> bool:
    """Whether XMP, where it lists the pictures, lists one gain map of that size, right behind the first."""
    lengths = {int(length) for length in re.findall(rb"""Item:Length\s*=\s*["'](\d{1,12})["']""", head)} - {0}
    semantics = re.findall(rb"""Item:Semantic\s*=\s*["'](\w+)""", head)
    padded = re.search(rb"""Item:Padding\s*=\s*["']0*[1-9]""", head)
    return lengths <= {size} and set(semantics) <= {b"Primary", b"GainMap"} and not padded


def segments(metadata: Metadata) -> bytes:
    """Make the segments of a JPEG that hold its metadata, which must fit into them."""
    x, y = (round(value) for value in metadata.dpi or metadata.density or (1, 1))
    payloads = [(0xE0, b"JFIF\0" + struct.pack(">BBBHHBB", 1, 2, int(metadata.dpi is not None), x, y, 0, 0))]
    if metadata.exif:
        payloads.append((0xE1, metadata.exif))
    if metadata.xmp:
        payloads.append((0xE1, XMP + metadata.xmp))
    if metadata.xmp_extension and (guid := extended_guid(metadata.xmp or b"")):
        total = struct.pack(">I", len(metadata.xmp_extension))
        for at, part in _parts(metadata.xmp_extension, SEGMENT - len(_EXTENSION) - 40):
            payloads.append((0xE1, _EXTENSION + guid + total + struct.pack(">I", at) + part))
    if metadata.icc:
        parts = list(_parts(metadata.icc, SEGMENT - 14))
        payloads += [(0xE2, _ICC + bytes([i, len(parts)]) + part) for i, (_, part) in enumerate(parts, 1)]
    if metadata.iptc:
        payloads += [(0xED, _PHOTOSHOP + part) for _, part in _parts(metadata.iptc, SEGMENT - len(_PHOTOSHOP))]
    comments = [comment for chunk in metadata.text if (comment := comment_of(chunk)) is not None]
    payloads += [(_COMMENT, part) for comment in comments for _, part in _parts(comment, SEGMENT)]
    if metadata.gain_map:
        if _GAIN_MAP[1] in metadata.gain_map:
            payloads.append((0xE2, _GAIN_MAP[1] + bytes(5)))  # its versions, of the reader and the writer, are 0
        payloads.append((0xE2, _multi_picture(0, 0)))  # the last, for append_gain_map
    return b"".join(struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload for marker, payload in payloads)


def append_gain_map(file: BinaryIO, metadata: Metadata) -> None:
    """Put the gain map behind the picture of an open JPEG that begins with the segments of its metadata."""
    picture = metadata.gain_map or b""
    size = file.seek(0, io.SEEK_END)
    file.write(picture)
    file.seek(2 + len(segments(metadata)) - len(_multi_picture(0, 0)))
    start = file.tell() + len(_MULTI_PICTURE)
    file.write(_multi_picture(size, len(picture), size - start))


def _multi_picture(size: int, added: int, offset: int = 0) -> bytes:
    """Make the index of a picture of so many bytes and an added one, whose offset counts from behind ``MPF``."""
    entries = (0xB000, 7, 4, b"0100"), (0xB001, 4, 1, struct.pack(">I", 2)), (0xB002, 7, 32, struct.pack(">I", 50))
    index = struct.pack(">4sIH", b"MM\0*", 8, len(entries)) + b"".join(struct.pack(">HHI4s", *e) for e in entries)
    return _MULTI_PICTURE + index + struct.pack(">I4I4I", 0, 0x030000, size, 0, 0, 0, added, offset, 0)


def _parts(data: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    for at in range(0, len(data), size):
        yield at, data[at : at + size]
