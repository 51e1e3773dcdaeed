"""Metadata without what its owner does not want to publish."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from resolvent.image.exif import without_directory
from resolvent.image.iptc import placeless_resources
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

_PLACE = (  # GPS of EXIF and of drones, Darwin Core, W3C's geo; IPTC Core and Extension, and Photoshop
    r"(?:[Gg][Pp][Ss]\w+|\w*(?:[Ll]atitude|[Ll]ongitude)|lat|long|alt|shotLocation|"
    r"(?:[Ll]ocation|Sub-?location)(?:Created|Shown|Name|Id)?|City|State|ProvinceState|Country(?:Code|Name)?|WorldRegion)"
)
"""The names of properties that tell where a photograph was taken; its maker's address is none of them."""

_PREFIX = r"""[^\s<>=/"':]+:"""

_PRIVATE = rf"{_RAW}|(?:{_PREFIX})?{_PLACE}$"
"""The keywords of PNG's text that is left out with the place."""


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
    if known.gain_map and re.search(rb"Exif\0\0|Photoshop 3.0\0|:%b[\s>/=]" % _PLACE.encode(), known.gain_map):
        known = known.without_gain_map()
    public = replace(
        known,
        exif=known.exif and without_directory(known.exif, _GPS),
        xmp=known.xmp and without_places(known.xmp),
        xmp_extension=known.xmp_extension and without_places(known.xmp_extension),
        iptc=known.iptc and placeless_resources(known.iptc),
        geo=None,
        text=tuple(text for text in known.text if not re.match(_PRIVATE, keyword_of(text))),
    )
    return replace(image, metadata=public)


def without_places(packet: bytes) -> bytes:
    """Leave out of an XMP packet where the photograph was taken: coordinates, and the fields that name the place.

    Examples:
        >>> without_places(b'<a exif:GPSLatitude="52,31N" tiff:Make="x"><exif:GPSAltitude>34/1</exif:GPSAltitude></a>')
        b'<a tiff:Make="x"></a>'
        >>> without_places(b'<a photoshop:City="Essen" dc:rights="Zoe"/>')
        b'<a dc:rights="Zoe"/>'
    """
    return without_properties(packet, _PREFIX + _PLACE)
