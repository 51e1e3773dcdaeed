"""Crops of photographs that experiments measure on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import UsageError
from resolvent.image import read_image
from resolvent.training.data import find_photographs

__all__ = ["center", "centers"]


def center(path: Path, side: int) -> NDArray[np.float32]:
    """The middle of a photograph, (side, side, 3) in [0, 1].

    Raises:
        UsageError: It is smaller than that, or gray.
    """
    pixels = read_image(path).pixels
    height, width, channels = pixels.shape
    if min(height, width) < side or channels != 3:
        raise UsageError(
            f"{path}: is {height}x{width}x{channels}; give color photographs of {side} pixels a side or more"
        )
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def centers(folder: Path, side: int, limit: int | None = None) -> dict[Path, NDArray[np.float32]]:
    """The middles of the first photographs of a folder, sorted by path.

    Raises:
        InputError: There is no such folder, or it holds no photograph.
        UsageError: One is smaller than that, or gray.
    """
    return {path: center(path, side) for path in find_photographs(folder, limit)}
