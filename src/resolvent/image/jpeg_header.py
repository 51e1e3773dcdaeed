"""How a JPEG file is compressed: its quality, and the resolution of its chroma."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["JpegHeader", "jpeg_header"]

# ITU-T T.81, table K.1: the quantization of luminance that libjpeg scales, in zigzag order as files store it.
_LUMINANCE = np.array(
    [
        16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
        26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
        56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
        95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
    ]
)  # fmt: skip


@dataclass(frozen=True)
class JpegHeader:
    """How a JPEG file is compressed.

    Attributes:
        quality: That it was saved with, 1 to 100, estimated from its luminance quantization table: libjpeg scales the
            standard table by 50/q below quality 50 and by 2 - q/50 from there on; that is inverted. Exact for files of
            libjpeg and its variants; for another table, the nearest quality; None without one.
        chroma: Share of the samples of chroma that it keeps: 1 for 4:4:4 and gray, 0.5 for 4:2:2, 0.25 for 4:2:0; None
            without a frame header.
    """

    quality: int | None
    chroma: float | None


def jpeg_header(source: Path | bytes) -> JpegHeader | None:
    """Read the header of a JPEG file, up to the first scan.

    Args:
        source: The file, or its bytes.

    Returns:
        The header; None if it is not a JPEG.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        if file.read(2) != b"\xff\xd8":
            return None
        table = chroma = None
        for marker, segment in _segments(file):
            if marker == 0xDB and table is None:
                table = _luminance_table(segment)
            elif marker in _FRAMES and chroma is None:
                chroma = _chroma(segment)
    return JpegHeader(None if table is None else _quality(table), chroma)


def _quality(table: NDArray[np.int_]) -> int:
    quality = np.arange(1, 101)
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    scaled = np.clip((_LUMINANCE * percent[:, None] + 50) // 100, 1, 255)
    return int(quality[np.abs(scaled - table).sum(1).argmin()])


def _chroma(frame: bytes) -> float | None:
    if len(frame) < 6:
        return None
    factors = [(packed >> 4) * (packed & 15) for packed in frame[7 : 6 + 3 * frame[5] : 3]]
    return min(factors) / max(factors) if len(factors) == frame[5] and factors and all(factors) else None


_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of the frame headers, SOF0 to SOF15 (ITU-T T.81, table B.1)."""


def _segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Give the marker and the content of each segment, up to the first scan."""
    while file.read(1) == b"\xff":
        marker = file.read(1)
        while marker == b"\xff":  # fill bytes (ITU-T T.81, B.1.1.2)
            marker = file.read(1)
        size = file.read(2)
        if len(size) < 2 or marker[0] == 0xDA:
            return
        yield marker[0], file.read(max(int.from_bytes(size) - 2, 0))


def _luminance_table(tables: bytes) -> NDArray[np.int_] | None:
    """Find quantization table 0 in a segment of them, (64,) in zigzag order."""
    while tables:
        wide, name = divmod(tables[0], 16)
        end = 1 + (128 if wide else 64)
        if name == 0 and len(tables) >= end:
            return np.frombuffer(tables[1:end], ">u2" if wide else np.uint8).astype(int)
        tables = tables[end:]
    return None
