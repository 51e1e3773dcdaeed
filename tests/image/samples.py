"""What tests of image files share: pixels, metadata and files that other programs write."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms

from resolvent.image import Image, Metadata

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="1">é</rdf:Description></x:xmpmeta>'.encode()
)


WRITTEN = ("jpeg", "png", "webp", "tiff", "avif", "bmp")


def texture(height: int = 40, width: int = 52, channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    """(H, W, C) with detail, smooth parts and both extremes, the same at every call."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / (3 + c)) + np.cos(y / (5 - c)) for c in range(channels)], axis=2) / 4 + 0.5
    values = np.clip(waves + rng.normal(0, 0.08, waves.shape), 0, 1)
    if dtype == np.float32:
        return values.astype(np.float32)
    return np.rint(values * np.iinfo(dtype).max).astype(dtype)


def exif(orientation: int = 1) -> Pillow.Exif:
    """An EXIF block such as a camera writes: strings, rationals, a maker note, an unknown tag, GPS."""
    tags = Pillow.Exif()
    tags.update({0x010F: "Canon", 0x0112: orientation, 0x8298: "Zoe", 0x9C9B: "ü".encode("utf-16le"), 0xC62F: "7"})
    tags.get_ifd(0x8769).update({0x829A: (1, 50), 0x9003: "2024:05:06 07:08:09", 0x927C: b"\x00maker note\xff" * 9})
    tags.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.5)})
    return tags


def full(**changes: object) -> Image:
    """An RGB image with everything that a file can hold."""
    metadata = Metadata(ICC, exif().tobytes(), XMP, (300.0, 300.0))
    return replace(Image.from_array(texture()), metadata=metadata, **changes)


def pillow(data: bytes) -> Pillow.Image:
    image = Pillow.open(io.BytesIO(data))
    image.load()
    return image


def saved(image: Pillow.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def tiff(array: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


PALETTE = Pillow.fromarray(texture()).quantize(16, dither=Pillow.Dither.NONE)
SOURCES = {
    "palette.png": (saved(PALETTE, "PNG"), PALETTE.convert("RGB")),
    "transparent palette.png": (
        saved(PALETTE, "PNG", transparency=bytes(range(0, 160, 10))),
        pillow(saved(PALETTE, "PNG", transparency=bytes(range(0, 160, 10)))).convert("RGBA"),
    ),
    "1-bit.png": (
        saved(Pillow.fromarray(texture(channels=1)[..., 0]).convert("1"), "PNG"),
        Pillow.fromarray(texture(channels=1)[..., 0]).convert("1").convert("L"),
    ),
    "keyed.png": (
        saved(Pillow.fromarray(texture()), "PNG", transparency=tuple(texture()[0, 0].tolist())),
        pillow(saved(Pillow.fromarray(texture()), "PNG", transparency=tuple(texture()[0, 0].tolist()))).convert("RGBA"),
    ),
    "gray.jpg": (saved(Pillow.fromarray(texture(channels=1)[..., 0]), "JPEG"), None),
    "progressive.jpg": (saved(Pillow.fromarray(texture()), "JPEG", progressive=True, subsampling=0), None),
    "lossy.webp": (saved(Pillow.fromarray(texture()), "WEBP", quality=90), None),
    "alpha.webp": (saved(Pillow.fromarray(texture(channels=4)), "WEBP", lossless=True, exact=True), None),
    "still.gif": (saved(PALETTE, "GIF"), PALETTE.convert("RGB")),
    "1-bit.tif": (
        saved(Pillow.fromarray(texture(channels=1)[..., 0]).convert("1"), "TIFF", compression="group4"),
        Pillow.fromarray(texture(channels=1)[..., 0]).convert("1").convert("L"),
    ),
    "planar.tif": (
        tiff(np.moveaxis(texture(), 2, 0), photometric="rgb", planarconfig="separate"),
        Pillow.fromarray(texture()),
    ),
    "tiled.tif": (tiff(texture(), photometric="rgb", tile=(16, 16)), Pillow.fromarray(texture())),
    "big.tif": (tiff(texture(), photometric="rgb", bigtiff=True, byteorder=">"), Pillow.fromarray(texture())),
    "miniswhite.tif": (
        tiff(texture(channels=1)[..., 0], photometric="miniswhite"),
        Pillow.fromarray(255 - texture(channels=1)[..., 0]),
    ),
    "rgb.bmp": (saved(Pillow.fromarray(texture()), "BMP"), None),
    "palette.bmp": (saved(PALETTE, "BMP"), PALETTE.convert("RGB")),
}
