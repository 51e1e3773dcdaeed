"""Samples and colors that libvips does not read: packed bits, floats of 64 bits, CIELAB.

Sources: Adobe, TIFF 6.0, sections 2, 3, 8, 15 and 23, and its technical note 3.
"""

from __future__ import annotations

import warnings
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import InputError
from resolvent.image.complaints import PILLOW_ERRORS, damaged
from resolvent.image.directories import Value, open_tiff, read_at, values_of
from resolvent.image.found import Check

__all__ = ["lab_tiff", "narrowed", "unpack_tiff"]


def narrowed(values: NDArray[Any]) -> NDArray[Any]:
    """Bring numbers of any type to uint8, uint16 or float32: the least of these that holds them, else rounded."""
    if values.dtype in (np.uint8, np.uint16, np.float32):
        return values
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return values.astype(np.float32)
    if values.min() >= 0 and values.max() <= 0xFFFF:
        return values.astype(np.uint8 if values.dtype.itemsize == 1 else np.uint16)
    return values.astype(np.float32)


def lab_tiff(file: BinaryIO, check: Check) -> NDArray[np.uint8] | None:
    """Read a TIFF in CIELAB of 8 bits, which libvips cannot, as sRGB (H, W, 3); None for any other.

    Raises:
        InputError: It is damaged.
    """
    tags = _tags(file)
    if tags is None or _one(tags, 262) != 8 or _one(tags, 258, 1) != 8 or _one(tags, 277, 1) != 3:
        return None
    from PIL import ImageCms, TiffImagePlugin

    check(_one(tags, 256), _one(tags, 257), 3)
    try:
        file.seek(0)
        with warnings.catch_warnings(action="error"):
            image = TiffImagePlugin.TiffImageFile(file)
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, ImageCms.createProfile("LAB"), srgb, outputMode="RGB")
    except (OSError, UserWarning, ImageCms.PyCMSError, *PILLOW_ERRORS) as error:
        raise damaged(error) from error
    return np.asarray(converted)


def unpack_tiff(file: BinaryIO, check: Check) -> NDArray[Any] | None:
    """Read samples that libvips cannot: 10, 12 and 14 bits that are packed, and floats of 64 bits.

    They are in strips, and may be compressed by deflate, without predictor.

    Returns:
        (H, W, C); None for a TIFF that libvips may read.

    Raises:
        InputError: It is damaged, or stored in a way that is not read.
    """
    tags = _tags(file)
    if tags is None:
        return None
    bits, kind = _one(tags, 258, 1), _one(tags, 339, 1)
    if bits in (1, 2, 4, 8, 16, 32):
        return None
    plain = _one(tags, 259, 1) in (1, 8, 32946) and _one(tags, 262) in (1, 2) and _one(tags, 317, 1) == 1
    plain = plain and _one(tags, 284, 1) == _one(tags, 266, 1) == 1 and len(set(tags[258])) == 1
    if not plain or (bits, kind) not in ((10, 1), (12, 1), (14, 1), (64, 3)) or not {256, 257, 273, 279} <= tags.keys():
        name = {1: "unsigned", 2: "signed", 3: "float"}.get(kind, "complex")
        raise InputError(f"its samples are {name}, of {bits} bits; convert them to 8 or 16 bits or to 32-bit float")
    width, height, samples = _one(tags, 256), _one(tags, 257), _one(tags, 277, 1)
    check(width, height, samples * (8 if bits == 64 else 2))
    row = (width * samples * bits + 7) // 8
    if width * height * samples <= 0:
        raise damaged("it holds no pixels")
    data = bytearray()
    for offset, size in zip(tags[273], tags[279], strict=False):
        room = row * height - len(data)
        if room == 0:
            break
        part = read_at(file, offset, size)
        try:
            data += part[:room] if _one(tags, 259, 1) == 1 else zlib.decompressobj().decompress(part, room)
        except zlib.error as error:
            raise damaged(error) from error
    if len(data) < row * height:
        raise damaged(f"{len(data)} bytes of pixels, where its size takes {row * height}")
    if kind == 3:
        file.seek(0)
        order = "<" if file.read(1) == b"I" else ">"
        values = np.frombuffer(data, f"{order}f{bits // 8}").astype(f"f{bits // 8}")
    else:
        packed = np.frombuffer(data, np.uint8).reshape(height, row)
        split = np.unpackbits(packed, axis=1, count=width * samples * bits).reshape(height, -1, bits)
        values = (split @ (1 << np.arange(bits, dtype=np.uint16)[::-1])).astype(np.uint16)
    return values.reshape(height, width, samples)


def _tags(file: BinaryIO) -> dict[int, tuple[int, ...]] | None:
    """Read the whole numbers of a TIFF's first directory; None if there is none."""
    try:
        layout, _, entries = open_tiff(file)
        read = values_of(file, layout, entries)
    except ValueError:
        return None
    return {tag: value.whole for tag, value in read.items() if isinstance(value, Value)}


def _one(tags: dict[int, tuple[int, ...]], tag: int, default: int = 0) -> int:
    return tags.get(tag, (default,))[0]
