"""Photographs: read within limits, and written atomically with all their metadata.

The format of an input is recognized by its bytes, never by its name::

    image.py        a photograph in memory
    files.py        read and write one
    value_range.py  which values of a type a picture uses
    formats.py      the formats, their extensions and what they hold
    decode.py       an open file to pixels, alpha and metadata; also Pillow images
    encode.py       the way back
    vips.py         libvips: its errors, its logs, its images over NumPy arrays
    complaints.py   errors and warnings of decoders: damage, or not
    unusual.py      types of samples and colors that libvips does not read
    metadata.py     metadata, and which format can hold it

Metadata that decoders do not give (``found.py``) is read, and written, here::

    jpeg.py, png.py, tiff.py, webp.py, gif.py, boxes.py (AVIF and HEIF)
    directories.py  TIFF's, of which EXIF is made too
    jpeg_header.py  quality and chroma of a JPEG
    exif.py, xmp.py, iptc.py
    place.py        where it was taken, which strip.py leaves out
    color.py        ICC profiles equivalent to color given in another way
"""

from resolvent.image.files import QUALITY, encode_image, output_format, read_image, unsupported, write_image
from resolvent.image.formats import FORMATS
from resolvent.image.image import Image, Limits, check_limits
from resolvent.image.metadata import Metadata

__all__ = [
    "FORMATS",
    "QUALITY",
    "Image",
    "Limits",
    "Metadata",
    "check_limits",
    "encode_image",
    "output_format",
    "read_image",
    "unsupported",
    "write_image",
]
