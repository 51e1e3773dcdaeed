"""Metadata without what its owner does not want to publish."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from resolvent.image.exif import without_directory
from resolvent.image.metadata import Metadata
from resolvent.image.png import keyword_of
from resolvent.image.xmp import without_properties

if TYPE_CHECKING:
    from resolvent.image.image import Image

__all__ = ["STRIPS", "stripped"]

STRIPS = ("gps", "all")
"""What can be left out: where a photograph was taken; everything but its color profile."""

_GPS = 0x8825
"""EXIF's tag of the GPS directory."""


_RAW = "Raw profile type"
"""Of PNG's text that holds EXIF or XMP once more."""


def stripped(image: Image, what: str | None) -> Image:
    """Give an image without a part of its metadata.

    Args:
        image: The image.
        what: One of STRIPS, or None for nothing.
    """
    if what is None:
        return image
    if what == "all":
        return replace(image, metadata=Metadata(icc=image.metadata.icc))
    known = image.metadata
    if known.gain_map and re.search(rb"Exif\0\0|:GPS", known.gain_map):
        known = known.without_gain_map()
    public = replace(
        known,
        exif=known.exif and without_directory(known.exif, _GPS),
        xmp=known.xmp and without_gps(known.xmp),
        xmp_extension=known.xmp_extension and without_gps(known.xmp_extension),
        geo=None,
        text=tuple(text for text in known.text if not keyword_of(text).startswith(_RAW)),
    )
    return replace(image, metadata=public)


def without_gps(packet: bytes) -> bytes:
    """Leave the place out of an XMP packet.

    Examples:
        >>> without_gps(b'<a exif:GPSLatitude="52,31N" tiff:Make="x"><exif:GPSAltitude>34/1</exif:GPSAltitude></a>')
        b'<a tiff:Make="x"></a>'
        >>> without_gps(b'<a xmlns:e="http://ns.adobe.com/exif/1.0/" e:GPSLatitude="52,31N"/>')
        b'<a xmlns:e="http://ns.adobe.com/exif/1.0/"/>'
    """
    found = re.findall(rb"""xmlns:([\w.-]+)\s*=\s*["']http://ns\.adobe\.com/exif/1\.0/["']""", packet)
    prefixes = {"exif", *(prefix.decode("ascii") for prefix in found)}
    return without_properties(packet, rf"(?:{'|'.join(map(re.escape, sorted(prefixes)))}):GPS\w+")
