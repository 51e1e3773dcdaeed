"""Files with more in them than pixels, byte by byte, and how they are read again."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms

from resolvent.image import Image, encode_image, read_image

SRGB = ImageCms.createProfile("sRGB")
PIXELS = np.random.default_rng(4).integers(0, 256, (24, 32, 3), np.uint8)
GRAY = PIXELS[..., :1]


def saved(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(pixels.squeeze()).save(file, kind, **options)
    return file.getvalue()


def opened(data: bytes) -> Pillow.Image:
    image = Pillow.open(io.BytesIO(data))
    image.load()
    return image


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg(*segments: bytes, behind: bytes = b"", pixels: np.ndarray = PIXELS) -> bytes:
    data = saved(pixels, "JPEG", quality=95)
    return data[:20] + b"".join(segments) + data[20:] + behind


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*chunks: bytes, late: bytes = b"", pixels: np.ndarray = PIXELS) -> bytes:
    data = saved(pixels, "PNG")
    return data[:33] + b"".join(chunks) + data[33:-12] + late + data[-12:]


def tiff(pixels: np.ndarray = PIXELS, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **{"photometric": "rgb" if pixels.ndim == 3 else "minisblack", **options})
    return file.getvalue()


def again(data: bytes, kind: str) -> Image:
    """The picture, after it has been written in another format."""
    return read_image(encode_image(read_image(data), kind))


REAL = np.random.default_rng(2).random((24, 32, 3))
