"""Where a photograph was taken: the names under which metadata tells it, and XMP and EXIF without it.

Sources: CIPA DC-008 (Exif 2.32 and 3.0); IPTC Photo Metadata Standard; Adobe, XMP parts 1 and 2; Darwin Core.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from xml.parsers import expat

from resolvent.image.directories import Entry, Layout, entries_at, number, size_of, unpack
from resolvent.image.exif import PREFIX, open_exif

__all__ = ["ENDS", "NAMES", "names_place", "placeless_exif", "placeless_xmp"]

NAMES = {
    *("city", "state", "provincestate", "stateprovince", "country", "countrycode", "countryname", "worldregion"),
    *("location", "locationcreated", "locationshown", "locationname", "locationid", "sublocation", "shotlocation"),
    *("geolocation", "locality", "county", "municipality", "continent", "island", "islandgroup", "waterbody"),
    *("highergeography", "verbatimlocality", "verbatimcoordinates", "footprintwkt", "coverage", "coordinates"),
    *("lat", "lon", "long", "latlong"),
}
"""In small letters, without what separates words."""

ENDS = ("latitude", "longitude", "altitude")

OTHER = ("rdf", "xml", "xmlns")
"""Prefixes of what structures XML, and tells nothing."""

EXIF, GPS = 0x8769, 0x8825
"""EXIF's tags of directories."""

COPIES = (700, 33723, 34377)
"""TIFF's tags of XMP, IPTC and Photoshop's image resources, which EXIF has no use for."""

MOST = 16
"""Directories that are looked into; three is usual."""

TAG = re.compile(rb"""<(?:[^<>"']++|"[^"]*+"|'[^']*+')*+>\s*+""")
ATTRIBUTE = re.compile(rb"""\s++([^\s=<>"'/]++)\s*+=\s*+(?:"[^"]*+"|'[^']*+')""")


def names_place(name: str) -> bool:
    """Whether a property, or the keyword of a text, tells where a photograph was taken; its maker's address does not.

    Examples:
        >>> [names_place(name) for name in ("exif:GPSLatitude", "photoshop:City", "Sub-location", "geo:alt")]
        [True, True, True, True]
        >>> [names_place(name) for name in ("rdf:Alt", "xmlns:location", "Iptc4xmpCore:CiAdrCity", "dc:rights")]
        [False, False, False, False]
    """
    prefix, _, local = name.rpartition(":")
    plain = re.sub(r"[\s_-]", "", local).lower()
    if prefix in OTHER:
        return False
    return plain in NAMES or plain.startswith("gps") or plain.endswith(ENDS) or (prefix, plain) == ("geo", "alt")


def placeless_xmp(packet: bytes) -> bytes | None:
    """Leave the place out of an XMP packet, and every other byte as it is, in time linear in its length.

    Returns:
        The packet; None where it is no XML, or not in an encoding of single bytes, for it may tell the place all the
        same.

    Examples:
        >>> placeless_xmp(b'<a exif:GPSLatitude="52,31N" tiff:Make="x"><exif:GPSAltitude>34/1</exif:GPSAltitude></a>')
        b'<a tiff:Make="x"></a>'
        >>> placeless_xmp(b'<a photoshop:City="Essen" dc:rights="Zoe"/>')
        b'<a dc:rights="Zoe"/>'
    """
    content = packet.rstrip(b"\0")
    if b"\0" in content:
        return None
    cuts: list[tuple[int, int]] = []
    opened: list[bool] = []  # whether each element that is open tells the place, or is in one that does
    begun = 0
    parser = expat.ParserCreate()

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal begun
        hidden, inside = names_place(name), bool(opened) and opened[-1]
        at = parser.CurrentByteIndex
        if hidden and not inside:
            begun = at
        elif not inside and any(map(names_place, attributes)):
            cuts.extend(_attributes(content, at))
        opened.append(hidden or inside)

    def end(name: str) -> None:
        if opened.pop() and not (opened and opened[-1]):
            cuts.append((begun, _tag_end(content, parser.CurrentByteIndex)))

    def refuse(*given: object) -> None:
        raise ValueError("XMP has no document type")

    parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = start, end, refuse
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError):
        return None
    return _without(packet, cuts)


def _tag_end(content: bytes, at: int) -> int:
    tag = TAG.match(content, at)
    return tag.end() if tag else len(content)


def _attributes(content: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Where the attributes of a tag stand that tell the place."""
    for attribute in ATTRIBUTE.finditer(content, at, _tag_end(content, at)):
        if names_place(attribute[1].decode("utf-8", "replace")):
            yield attribute.span()


def _without(data: bytes, cuts: list[tuple[int, int]]) -> bytes:
    ends = [0, *(end for _, end in cuts)]
    starts = [*(start for start, _ in cuts), len(data)]
    return b"".join(data[end:start] for end, start in zip(ends, starts, strict=True))


def placeless_exif(block: bytes) -> bytes:
    """Empty the GPS directory of an EXIF block, wherever it hangs, and copies of XMP and IPTC; the rest stays.

    Every other byte stays where it is. Of a damaged GPS directory, all behind its start is emptied.

    Raises:
        ValueError: The block is not EXIF.
    """
    layout, start, _ = open_exif(block)
    file = io.BytesIO(block[len(PREFIX) :])
    emptied: list[tuple[int, int]] = []  # where each part starts, and its size
    todo, places = [start], list[int]()
    for _, entries in _directories(file, layout, todo):
        for entry in entries or ():
            if entry[0] == EXIF:
                todo.append(_offset(layout, entry))
            elif entry[0] == GPS:
                places.append(_offset(layout, entry))
            elif entry[0] in COPIES:
                emptied += _value(layout, entry)
    for at, entries in _directories(file, layout, [place for place in places if place]):
        if entries is None:
            emptied.append((at, len(block)))
        else:
            emptied.append((at, struct.calcsize(layout.length) + len(entries) * struct.calcsize(layout.entry)))
            emptied += [value for entry in entries for value in _value(layout, entry)]
    new, done = bytearray(block), 0
    for at, size in sorted(emptied):  # damaged ones may overlap
        begin, end = max(at + len(PREFIX), done), min(at + len(PREFIX) + size, len(new))
        if begin < end:
            new[begin:end] = bytes(end - begin)
            done = end
    return bytes(new)


def _directories(file: io.BytesIO, layout: Layout, todo: list[int]) -> Iterator[tuple[int, list[Entry] | None]]:
    """Walk directories and those chained to them, each once: where one stands, and its entries; None of a damaged one.

    Args:
        file: The TIFF of an EXIF block.
        layout: Of it.
        todo: Where they stand, to which more may be added on the way.
    """
    seen = set[int]()
    while todo and len(seen) < MOST:
        at = todo.pop()
        if at in seen:
            continue
        seen.add(at)
        entries = None
        with suppress(ValueError):
            entries = entries_at(file, layout, at)
            todo += filter(None, unpack(file, layout.offset))
        yield at, entries


def _offset(layout: Layout, entry: Entry) -> int:
    """Where a directory stands, of whatever type the entry says that the offset is."""
    known = number(layout, entry)
    (offset,) = struct.unpack(layout.offset, entry[3])
    return int(offset if known is None else known)


def _value(layout: Layout, entry: Entry) -> list[tuple[int, int]]:
    """Where the value of an entry stands, and its size; none where it fits into the entry."""
    _, kind, count, field = entry
    size = size_of(kind, count) or count
    return [(struct.unpack(layout.offset, field)[0], size)] if size > len(field) else []
