"""The metadata of a photograph, as the bytes that the camera and the editor wrote."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from resolvent.errors import UsageError
from resolvent.image import color, jpeg
from resolvent.image.exif import open_exif, resolution
from resolvent.image.png import comment_of, keyword_of
from resolvent.image.tiff import enlarged_geo
from resolvent.image.xmp import merged_xmp, of_new_size, truthful_xmp

__all__ = ["Metadata"]

_MOST = {  # bytes
    "jpeg": {"icc": 255 * (jpeg.SEGMENT - 14), "exif": jpeg.SEGMENT, "xmp": jpeg.SEGMENT - len(jpeg.XMP)},
    "bmp": {"icc": 0, "exif": 0, "xmp": 0},
}

_HOLDERS = {"iptc": {"jpeg", "tiff"}, "geo": {"tiff"}, "density": {"jpeg", "png", "tiff"}}
_HOLDERS |= {"xmp_extension": {"jpeg"}, "gain_map": {"jpeg"}}
"""The formats that hold what not all do."""

_ALWAYS_RGB = {"webp", "avif"}
"""The formats that store gray as three equal channels."""

_NAMES = {
    "density": "pixel size",
    "gain_map": "gain map",
    "geo": "GeoTIFF tags",
    "iptc": "IPTC",
    "xmp_extension": "extended XMP",
}
"""What a person calls it, where that is not the attribute's name."""

_HIGHEST = {"jpeg": (1 << 16) - 1, "png": ((1 << 31) - 1) * 0.0254, "bmp": ((1 << 31) - 1) * 0.0254}
"""Dots per inch that a header has room for: 16 bits of them, or 31 bits of dots per meter."""


@dataclass(frozen=True)
class Metadata:
    """What a file holds besides pixels; None where it holds none.

    Attributes:
        icc: ICC profile; color given in another way is converted to one.
        exif: EXIF block, from its ``Exif`` prefix on.
        xmp: XMP packet.
        dpi: Horizontal and vertical resolution, in dots per inch.
        density: The same in pixels for a unit that the file does not name, such as ImageJ's, or as an aspect ratio.
        xmp_extension: What a JPEG's XMP has in further segments.
        iptc: IPTC, in Photoshop's image resources.
        geo: GeoTIFF tags, as a block like that of EXIF.
        gain_map: A JPEG of any size that makes the picture HDR, as Ultra HDR, ISO 21496-1 and Apple define it.
        text: PNG's chunks of text, each its type and content; a JPEG's comments are among them.

    Raises:
        UsageError: `exif` is not an EXIF block.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    density: tuple[float, float] | None = None
    xmp_extension: bytes | None = None
    iptc: bytes | None = None
    geo: bytes | None = None
    gain_map: bytes | None = None
    text: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.exif is not None:
            try:
                open_exif(self.exif)
            except ValueError as error:
                raise UsageError(f"exif is not an EXIF block: {error}; leave it out") from None

    def held_by(self, container: str, channels: int = 3) -> Metadata:
        """Give what of it a file of that format can hold; WebP, AVIF and HEIF hold the resolution in EXIF alone.

        Args:
            container: A key of DEPTHS.
            channels: Of the image, 1 or 3, which an ICC profile has to fit.
        """
        return self._fitted(container, channels)[0]

    def lost_by(self, container: str, channels: int = 3) -> tuple[str, ...]:
        """Name what of it a file of that format cannot hold."""
        return self._fitted(container, channels)[1]

    def _fitted(self, container: str, channels: int) -> tuple[Metadata, tuple[str, ...]]:
        given = self if container == "jpeg" else self._promising_no_gain_map()
        if given.xmp and given.xmp_extension and container != "jpeg":
            given = replace(self, xmp=merged_xmp(given.xmp, given.xmp_extension), xmp_extension=None)
        changes: dict[str, Any] = {
            name: None for name, most in _MOST.get(container, {}).items() if len(getattr(given, name) or b"") > most
        }
        changes |= {name: None for name, holders in _HOLDERS.items() if container not in holders}
        if container in ("webp", "avif", "heif"):
            there = resolution(self.exif)
            if there is None or self.dpi is None or np.abs(np.subtract(there, self.dpi)).max() > 0.5:
                changes["dpi"] = None
        if self.dpi is not None and not all(1 <= round(dots) <= _HIGHEST.get(container, np.inf) for dots in self.dpi):
            changes["dpi"] = None
        whole = container in ("jpeg", "png")
        if whole and self.density and not all(dots % 1 == 0 and dots < _HIGHEST["jpeg"] for dots in self.density):
            changes["density"] = None
        if self.icc and "icc" not in changes:
            changes["icc"] = color.for_channels(self.icc, channels if container not in _ALWAYS_RGB else 3)
        names = [name for name, value in changes.items() if value is None and getattr(given, name) is not None]
        names = [_NAMES.get(name, name) for name in sorted(names, key=list(vars(self)).index)]
        if container != "png":
            changes["text"] = tuple(text for text in self.text if container == "jpeg" and comment_of(text) is not None)
            carried = set(changes["text"])
            lost = dict.fromkeys(keyword_of(text) for text in self.text if text not in carried)
            names += [f"text ({', '.join(lost)})"] if lost else []
        return replace(given, **changes), tuple(names)

    def without_gain_map(self) -> Metadata:
        """Leave the gain map out, and what XMP says of it."""
        return replace(self._promising_no_gain_map(), gain_map=None)

    def _promising_no_gain_map(self) -> Metadata:
        if self.gain_map is None:
            return self
        xmp, extension = (packet and truthful_xmp(packet) for packet in (self.xmp, self.xmp_extension))
        return replace(self, xmp=xmp, xmp_extension=extension)

    def resized(self, x: float, y: float) -> Metadata:
        """Make it true of an image so many times as wide and as high; dots per inch stay, as they are of the print."""
        return replace(
            self,
            xmp=self.xmp and of_new_size(self.xmp, x, y),
            xmp_extension=self.xmp_extension and of_new_size(self.xmp_extension, x, y),
            density=self.density and (self.density[0] * x, self.density[1] * y),
            geo=self.geo and enlarged_geo(self.geo, x, y),
        )
