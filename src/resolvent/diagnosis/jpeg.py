"""The quality that a JPEG file was saved with, and how much of its color."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["jpeg_chroma", "jpeg_quality"]

# ITU-T T.81, table K.1: the quantization of luminance that libjpeg scales, in zigzag order as files store it.
_LUMINANCE = np.array(
    [
        16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
        26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
        56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
        95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
    ]
)  # fmt: skip


def jpeg_quality(source: Path | bytes) -> int | None:
    """Estimate the quality that a JPEG file was saved with, from its luminance quantization table.

    libjpeg scales the standard table by 50/q below quality 50 and by 2 - q/50 from there on; that is inverted. Exact
    for files of libjpeg and compatible encoders; for another table, the nearest quality.

    Args:
        source: The file, or its bytes.

    Returns:
        1 to 100; None if it is not a JPEG, or its table cannot be found.
    """
    with _opened(source) as file:
        table = _quantization(file)
    if table is None:
        return None
    quality = np.arange(1, 101)
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    scaled = np.clip((_LUMINANCE * percent[:, None] + 50) // 100, 1, 255)
    return int(quality[np.abs(scaled - table).sum(1).argmin()])


def jpeg_chroma(source: Path | bytes) -> float | None:
    """Share of the samples of chroma that a JPEG file keeps: 1 for 4:4:4 and gray, 0.5 for 4:2:2, 0.25 for 4:2:0.

    Args:
        source: The file, or its bytes.

    Returns:
        The share; None if it is not a JPEG, or its frame header cannot be found.
    """
    with _opened(source) as file:
        for marker, segment in _segments(file):
            if marker in _FRAMES and len(segment) >= 6:
                factors = [(sampling >> 4) * (sampling & 15) for sampling in segment[7 : 6 + 3 * segment[5] : 3]]
                if factors and len(factors) == segment[5] and all(factors):
                    return min(factors) / max(factors)
    return None


_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of the frame headers, SOF0 to SOF15 (ITU-T T.81, table B.1)."""


def _opened(source: Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The marker and the content of each segment of a JPEG file, up to the first scan; none if it is not one."""
    if file.read(2) != b"\xff\xd8":
        return
    while file.read(1) == b"\xff":
        marker = file.read(1)
        while marker == b"\xff":  # fill bytes (ITU-T T.81, B.1.1.2)
            marker = file.read(1)
        size = file.read(2)
        if len(size) < 2 or marker[0] == 0xDA:
            return
        yield marker[0], file.read(max(int.from_bytes(size) - 2, 0))


def _quantization(file: BinaryIO) -> NDArray[np.int_] | None:
    """Quantization table 0 of a JPEG file, (64,) in zigzag order."""
    for marker, tables in _segments(file):
        while marker == 0xDB and tables:
            wide, name = divmod(tables[0], 16)
            end = 1 + (128 if wide else 64)
            if name == 0 and len(tables) >= end:
                return np.frombuffer(tables[1:end], ">u2" if wide else np.uint8).astype(int)
            tables = tables[end:]
    return None
