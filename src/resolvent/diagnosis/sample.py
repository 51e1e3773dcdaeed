"""The part of a photograph that is measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["windows"]


def windows(
    read: Callable[[int, int, int, int], NDArray[np.float32]], height: int, width: int, size: int = 64, count: int = 64
) -> NDArray[np.float32]:
    """Cut square windows from an image, evenly spread, at native resolution.

    Args:
        read: Top, left, bottom, right of a box to its pixels, as ``Image.read``.
        height: Of the image.
        width: Of the image.
        size: Side of a window in pixels; less where the image has less.
        count: At most so many windows.

    Returns:
        (K, h, w, C).
    """
    tall, wide = min(size, height), min(size, width)
    rows, columns = -(-height // tall), -(-width // wide)
    if rows * columns > count:
        rows = min(rows, max(round(count**0.5), count // columns))
        columns = min(columns, count // rows)
    tops = np.linspace(0, height - tall, rows).astype(int).tolist()
    lefts = np.linspace(0, width - wide, columns).astype(int).tolist()
    return np.stack([read(top, left, top + tall, left + wide) for top in tops for left in lefts])
