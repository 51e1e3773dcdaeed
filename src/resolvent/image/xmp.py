"""XMP packets, kept true of the file that they are written into; changed as text, so that the rest stays as it is.

Sources: Adobe, XMP parts 1 to 3; Google, GPano, Ultra HDR and Motion Photo formats; Adobe, Gain Map 1.0.
"""

from __future__ import annotations

import re
from functools import partial

__all__ = ["extended_guid", "merged_xmp", "of_new_size", "truthful_xmp", "upright_xmp"]

_PROMISES = (  # names of properties
    r"(?:G?Camera):(?:MotionPhoto|MicroVideo)\w*|(?:hdrgm|HDRGainMap):\w+|G?Container:(?:Directory|Version)"
    r"|xmp:Thumbnails|xapGImg:image"
)
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

    Example:
        >>> upright_xmp(b'<rdf:Description tiff:Orientation="6"/>')
        b'<rdf:Description tiff:Orientation="1"/>'
    """
    return re.sub(rb"""(tiff:Orientation(?:\s*=\s*["']|>))[2-8]""", rb"\g<1>1", packet)


def truthful_xmp(packet: bytes) -> bytes:
    """Take out what an XMP packet promises behind the picture, such as a gain map or a video, and its thumbnails.

    Example:
        >>> truthful_xmp(b'<rdf:Description GCamera:MotionPhoto="1" xmp:Rating="5"/>')
        b'<rdf:Description xmp:Rating="5"/>'
    """
    return _without(packet, _PROMISES)


def _without(packet: bytes, names: str) -> bytes:
    name = rb"(" + names.encode() + rb")"
    packet = re.sub(rb"<" + name + rb"(?=[\s>/])[^>]*(?:/>|(?<!/)>.*?</\1>)\s*", b"", packet, flags=re.DOTALL)
    return re.sub(rb"\s+" + name + rb"""\s*=\s*(?:"[^"]*"|'[^']*')""", b"", packet)


def of_new_size(packet: bytes, x: float, y: float) -> bytes:
    """Make the sizes in an XMP packet true of an image so many times as wide and as high.

    Example:
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

    Example:
        >>> merged_xmp(b"<rdf:RDF><a/></rdf:RDF>", b"<rdf:RDF><b/></rdf:RDF>")
        b'<rdf:RDF><a/><b/></rdf:RDF>'
    """
    inner = re.search(rb"<rdf:RDF[^>]*>(.*)</rdf:RDF>", extension, re.DOTALL)
    before, end, after = _without(packet, "xmpNote:HasExtendedXMP").rpartition(b"</rdf:RDF>")
    return before + inner[1] + end + after if inner and end else packet
