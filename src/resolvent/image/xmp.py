"""XMP packets, kept true of the file that they are written into; changed as text, so that the rest stays as it is.

Sources: Adobe, XMP parts 1 to 3; Google, GPano, Ultra HDR and Motion Photo formats; Adobe, Gain Map 1.0.
"""

from __future__ import annotations

import re
from functools import partial

__all__ = ["extended_guid", "merged_xmp", "of_new_size", "truthful_xmp", "upright_xmp", "without_properties"]

_PROMISES = (  # names of properties
    r"(?:G?Camera):(?:MotionPhoto|MicroVideo)\w*|xmp:Thumbnails|xapGImg:image"
)
_PROMISES_OF_PICTURES = r"(?:hdrgm|HDRGainMap):\w+|G?Container:(?:Directory|Version)"
_SIZES = {  # of GPano: by width, by height
    "GPano": (
        ("CroppedAreaImageWidthPixels", "FullPanoWidthPixels", "CroppedAreaLeftPixels"),
        ("CroppedAreaImageHeightPixels", "FullPanoHeightPixels", "CroppedAreaTopPixels"),
    ),
    "tiff": (("ImageWidth",), ("ImageLength", "ImageHeight")),
    "exif": (("PixelXDimension",), ("PixelYDimension",)),
}


def upright_xmp(packet: bytes) -> bytes:
    """Reset the orientation that an XMP packet repeats.

    Examples:
        >>> upright_xmp(b'<rdf:Description tiff:Orientation="6"/>')
        b'<rdf:Description tiff:Orientation="1"/>'
    """
    return re.sub(rb"""(tiff:Orientation(?:\s*=\s*["']|>))[2-8]""", rb"\g<1>1", packet)


def truthful_xmp(packet: bytes, gain_map: bool = False) -> bytes:
    """Take out what an XMP packet promises behind the picture, such as a gain map or a video, and its thumbnails.

    Args:
        packet: The packet.
        gain_map: Whether a gain map is there.

    Examples:
        >>> truthful_xmp(b'<rdf:Description GCamera:MotionPhoto="1" xmp:Rating="5"/>')
        b'<rdf:Description xmp:Rating="5"/>'
    """
    return without_properties(packet, _PROMISES if gain_map else f"{_PROMISES}|{_PROMISES_OF_PICTURES}")


def without_properties(packet: bytes, names: str) -> bytes:
    """Take properties out of an XMP packet, elements and attributes, in time linear in its length.

    Args:
        packet: The packet.
        names: A regular expression of their names, without groups.
    """
    tags = list(re.finditer(rf"<(/?)({names})(?=[\s>/])[^<>]*?(/?)>\s*".encode(), packet))
    last_end = {tag[2]: tag.start() for tag in tags if tag[1]}
    parts, at = [], 0
    opened: re.Match[bytes] | None = None
    for tag in tags:
        if opened is None and not tag[1] and not tag[3] and last_end.get(tag[2], -1) > tag.start():
            opened = tag
        elif (opened and tag[1] and tag[2] == opened[2]) or (opened is None and tag[3]):
            parts.append(packet[at : (opened or tag).start()])
            at, opened = tag.end(), None
    packet = b"".join(parts) + packet[at:]
    return re.sub(rf"""(?<!\s)\s++(?:{names})\s*=\s*(?:"[^"]*"|'[^']*')""".encode(), b"", packet)


def of_new_size(packet: bytes, x: float, y: float) -> bytes:
    """Make the sizes in an XMP packet true of an image so many times as wide and as high.

    Examples:
        >>> of_new_size(b'<x GPano:FullPanoWidthPixels="4000"/>', 2, 2)
        b'<x GPano:FullPanoWidthPixels="8000"/>'
    """
    for prefix, both in _SIZES.items():
        for factor, names in zip((x, y), both, strict=True):
            form = rf"""({prefix}:(?:{"|".join(names)})(?:\s*=\s*["']|>)\s*)(\d{{1,9}})(?!\d)"""
            packet = re.sub(form.encode(), partial(_times, factor), packet)
    return packet


def _times(factor: float, match: re.Match[bytes]) -> bytes:
    return match[1] + b"%d" % round(int(match[2]) * factor)


def extended_guid(packet: bytes) -> bytes | None:
    """Give the name of the extension that a JPEG's XMP has in further segments."""
    match = re.search(rb"""xmpNote:HasExtendedXMP(?:\s*=\s*["']|>)\s*([0-9A-Fa-f]{32})""", packet)
    return match and match[1]


def merged_xmp(packet: bytes, extension: bytes) -> bytes:
    """Put the extension of an XMP packet into it, for a format that has room for all of it.

    Examples:
        >>> merged_xmp(b"<rdf:RDF><a/></rdf:RDF>", b"<rdf:RDF><b/></rdf:RDF>")
        b'<rdf:RDF><a/><b/></rdf:RDF>'
    """
    start = re.search(rb"<rdf:RDF[^<>]*>", extension)
    inner, inner_end, _ = extension[start.end() if start else 0 :].rpartition(b"</rdf:RDF>")
    before, end, after = without_properties(packet, "xmpNote:HasExtendedXMP").rpartition(b"</rdf:RDF>")
    return before + inner + end + after if start and inner_end and end else packet
