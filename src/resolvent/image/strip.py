"""Metadata without what its owner does not want to publish."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from resolvent.image.iptc import placeless_resources
from resolvent.image.metadata import Metadata
from resolvent.image.place import ENDS, NAMES, names_place, placeless_exif, placeless_xmp
from resolvent.image.png import keyword_of

if TYPE_CHECKING:
    from resolvent.image.image import Image

__all__ = ["STRIPS", "stripped"]

STRIPS = ("gps", "all")
"""What can be left out: where a photograph was taken; everything but its color profile."""

_RAW = "raw profile type"
"""Of PNG's text that holds EXIF or XMP once more."""

_TOLD = rb"""(?i)Exif\0\0|Photoshop 3.0\0|[:<\s](?:gps\w+|%b|\w*(?:%b))[\s>/=]""" % (
    "|".join(NAMES).encode(),
    "|".join(ENDS).encode(),
)
"""What a gain map may tell the place by, which is a JPEG of its own and kept as it is or not at all."""


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
    known, warnings = image.metadata, image.warnings
    if known.gain_map and re.search(_TOLD, known.gain_map):
        known = known.without_gain_map()
    xmp, extension = (packet and placeless_xmp(packet) for packet in (known.xmp, known.xmp_extension))
    if (known.xmp and xmp is None) or (known.xmp_extension and extension is None):
        known, xmp, extension = known.without_gain_map(), None, None
        warnings = (*warnings, "its XMP cannot be read, and may tell the place: left out")
    public = replace(
        known,
        exif=known.exif and placeless_exif(known.exif),
        xmp=xmp,
        xmp_extension=extension,
        iptc=known.iptc and placeless_resources(known.iptc),
        geo=None,
        text=tuple(text for text in known.text if not _is_private(keyword_of(text).strip())),
    )
    return replace(image, metadata=public, warnings=warnings)


def _is_private(keyword: str) -> bool:
    return keyword.lower().startswith(_RAW) or names_place(keyword)
