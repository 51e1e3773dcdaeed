"""Metadata and warnings that the decoder of a file does not give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from resolvent.errors import InputError
from resolvent.image.jpeg_header import JpegHeader

__all__ = ["SHORT", "Check", "Found", "LeftOut"]

Check = Callable[[int, int, int], None]
"""Called with width, height and bytes of a pixel before any is decoded; raises to refuse."""


SHORT = 64
"""Bytes of the end of a file that may be missing: of a few pixels."""


class LeftOut(str):
    """A warning of something that the file holds, and a copy of it keeps, but what is read from it does not."""


@dataclass
class Found:
    """Metadata and warnings that the decoder of a file does not give.

    Attributes:
        fields: Of Metadata, by name.
        warnings: What is left out, or wrong with the file, one line each.
        extras: What the samples beyond the colors are, by TIFF's ExtraSamples; None where the decoder knows.
        orientation: That of EXIF, where it has been read; the decoder knows it else.
        whole: A file to decode in the place of one that lacks its end, or that begins with another page.
        jpeg: How it is compressed, if it is a JPEG.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    extras: tuple[int, ...] | None = None
    orientation: int = 1
    whole: BinaryIO | None = None
    jpeg: JpegHeader | None = None

    def choose(self, frame: int, count: int) -> None:
        """Say that one of several images is used.

        Raises:
            InputError: There are fewer.
        """
        if frame > count:
            held = f"{count} images" if count > 1 else "one image that can be read"
            raise InputError(f"it holds {held}, and no frame {frame} (--frame {frame}); give 1 to {count}")
        if count > 1:
            used = "the first" if frame == 1 else f"number {frame}"
            self.warnings.insert(0, f"holds {count} images: only {used} is used")

    def leave_out(self, what: str) -> None:
        """Name what is not kept."""
        self.warnings.append(LeftOut(f"{what}: left out"))
