"""IPTC in Photoshop's image resources, as JPEG and TIFF hold it.

Sources: IPTC IIM 4.2; Adobe Photoshop File Formats Specification, "Image Resource Blocks".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["iptc_of", "resources_of", "turned_resources"]

_IPTC = 0x0404
_THUMBNAILS = {0x0409, 0x040C}
_PATHS = range(0x07D0, 0x0BB7)


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
        size = struct.pack(">HHI", _IPTC, 0, len(iptc))
        found.append((_IPTC, b"8BIM" + size + iptc + bytes(len(iptc) % 2)))
    return b"".join(data for _, data in found) or None


def turned_resources(resources: bytes) -> bytes | None:
    """Give image resources without paths, which say where something is in a picture that has been turned since."""
    return b"".join(data for number, data in _resources(resources) if number not in _PATHS) or None


def iptc_of(resources: bytes) -> bytes | None:
    """Find the IPTC in image resources."""
    for number, data in _resources(resources):
        if number == _IPTC:
            name = 1 + data[6]
            at = 6 + name + name % 2
            (size,) = struct.unpack_from(">I", data, at)
            return data[at + 4 : at + 4 + size]
    return None
