"""IPTC in Photoshop's image resources, as JPEG and TIFF hold it.

Sources: IPTC IIM 4.2; Adobe Photoshop File Formats Specification, "Image Resource Blocks".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["iptc_of", "placeless_resources", "resources_of", "turned_resources"]

_IPTC = 0x0404
_THUMBNAILS = {0x0409, 0x040C}
_PATHS = range(0x07D0, 0x0BB7)
_COPIES = {0x0422, 0x0423, 0x0424, 0x0425}
"""EXIF and XMP once more, and a check sum of the IPTC."""

_PLACES = {(2, number) for number in (26, 27, 90, 92, 95, 100, 101)}
"""Record and number of the datasets that name where a photograph was taken, from its location to its country."""


def _resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Walk the resources: number, and the resource as it stands."""
    at = 0
    while data[at : at + 4] == b"8BIM" and at + 12 <= len(data):
        (number,) = struct.unpack_from(">H", data, at + 4)
        name = 1 + data[at + 6]
        size_at = at + 6 + name + name % 2
        if size_at + 4 > len(data):
            return
        (size,) = struct.unpack_from(">I", data, size_at)
        end = size_at + 4 + size + size % 2
        yield number, data[at:end].ljust(end - at, b"\0") if end - len(data) == 1 else data[at:end]
        at = end


def resources_of(resources: bytes, iptc: bytes = b"") -> bytes | None:
    """Give image resources without thumbnails of the old pixels; `iptc`, where it stands alone, becomes one."""
    found = [(number, data) for number, data in _resources(resources) if number not in _THUMBNAILS]
    if iptc and all(number != _IPTC for number, _ in found):
        found.append((_IPTC, _resource(iptc)))
    return b"".join(data for _, data in found) or None


def turned_resources(resources: bytes) -> bytes | None:
    """Give image resources without paths, which say where something is in a picture that has been turned since."""
    return b"".join(data for number, data in _resources(resources) if number not in _PATHS) or None


def iptc_of(resources: bytes) -> bytes | None:
    """Find the IPTC in image resources."""
    for number, data in _resources(resources):
        if number == _IPTC:
            return _content(data)
    return None


def placeless_resources(resources: bytes) -> bytes | None:
    """Give image resources that name no place, nor hold a copy of what may; of IPTC, what is well formed."""
    kept = []
    for number, data in _resources(resources):
        if number == _IPTC:
            iptc = b"".join(dataset for key, dataset in _datasets(_content(data)) if key not in _PLACES)
            kept.append(_resource(iptc) if iptc else b"")
        elif number not in _COPIES:
            kept.append(data)
    return b"".join(kept) or None


def _resource(iptc: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", _IPTC, 0, len(iptc)) + iptc + bytes(len(iptc) % 2)


def _content(resource: bytes) -> bytes:
    name = 1 + resource[6]
    at = 6 + name + name % 2
    (size,) = struct.unpack_from(">I", resource, at)
    return resource[at + 4 : at + 4 + size]


def _datasets(iptc: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Walk the datasets of IPTC: record and number, and the dataset as it stands."""
    at = 0
    while at + 5 <= len(iptc):
        if iptc[at] == 0:  # what some writers fill up to even places with
            at += 1
            continue
        if iptc[at] != 0x1C:
            return
        record, number, size = struct.unpack_from(">BBH", iptc, at + 1)
        start = at + 5
        if size & 0x8000:  # of a long one, the size of its size
            length = size & 0x7FFF
            size, start = int.from_bytes(iptc[start : start + length]), start + length
        if start + size > len(iptc):
            return
        yield (record, number), iptc[at : start + size]
        at = start + size
