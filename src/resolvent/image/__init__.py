"""Photographs: read within limits, written whole or not at all, all that a file holds kept with the pixels.

What a file is, its bytes decide, never its name::

    image.py        a photograph in memory
    files.py        read and write one
    value_range.py  which values of a type a picture uses
    formats.py      the formats, their extensions and what they hold
    decode.py       an open file to pixels, alpha and metadata; also Pillow images
    encode.py       the way back
    vips.py         libvips: its errors, its logs, its images over NumPy arrays
    complaints.py   what decoders complain of: damage, or not
    unusual.py      samples and colors that photographs seldom have
    metadata.py     what a file holds besides pixels, and which format can hold it

What decoders do not tell of a file, ``found.py``, is read, and written, here::

    jpeg.py, png.py, tiff.py, webp.py, gif.py, boxes.py (AVIF and HEIF)
    directories.py  TIFF's, of which EXIF is made too
    exif.py, xmp.py, iptc.py
    color.py        color told otherwise than by an ICC profile, as one
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
