"""Metadata without what its owner does not want to publish."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from resolvent.image.metadata import Metadata, without_directory

if TYPE_CHECKING:
    from resolvent.image.image import Image

__all__ = ["STRIPS", "stripped"]

STRIPS = ("gps", "all")
"""What can be left out: where a photograph was taken; everything but its color profile."""

_GPS = 0x8825
"""EXIF's tag of the directory that tells the place."""


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
    exif = known.exif and without_directory(known.exif, _GPS)
    return replace(image, metadata=replace(known, exif=exif, xmp=known.xmp and without_gps(known.xmp)))


def without_gps(packet: bytes) -> bytes:
    """Leave the place out of an XMP packet.

    Example:
        >>> without_gps(b'<a exif:GPSLatitude="52,31N" tiff:Make="x"><exif:GPSAltitude>34/1</exif:GPSAltitude></a>')
        b'<a tiff:Make="x"></a>'
    """
    packet = re.sub(rb"""\s+exif:GPS\w+\s*=\s*("[^"]*"|'[^']*')""", b"", packet)
    packet = re.sub(rb"<exif:GPS\w+\s*/>", b"", packet)
    return re.sub(rb"(?s)<(exif:GPS\w+)(?:\s[^>]*)?>.*?</\1\s*>", b"", packet)
