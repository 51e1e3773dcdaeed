"""Photographs: read within limits, written whole or not at all, all that a file holds kept with the pixels.

What a file is, its bytes decide, never its name::

    image.py        a photograph in memory
    files.py        read and write one
    value_range.py  which values of a type a picture uses
    formats.py      the formats, their extensions and what they hold
    decode.py       an open file to pixels, alpha and metadata; also Pillow images
    encode.py       the way back
    metadata.py     EXIF, XMP, ICC and resolution as bytes, and their places in the files
    vips.py         libvips: its errors, its logs, its images over NumPy arrays
"""

from resolvent.image.files import QUALITY, encode_image, output_format, read_image, unsupported, write_image
from resolvent.image.formats import FORMATS
from resolvent.image.image import Image, Limits
from resolvent.image.metadata import Metadata

__all__ = [
    "FORMATS",
    "QUALITY",
    "Image",
    "Limits",
    "Metadata",
    "encode_image",
    "output_format",
    "read_image",
    "unsupported",
    "write_image",
]
