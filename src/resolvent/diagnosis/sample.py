"""The part of a photograph that is measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from resolvent.diagnosis.content import empty_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.image import Image

__all__ = ["sample_of", "windows"]


def windows(
    read: Callable[[int, int, int, int], NDArray[np.float32]], height: int, width: int, size: int = 64, count: int = 64
) -> NDArray[np.float32]:
    """Cut square windows from an image, evenly spread, at native resolution.

    Args:
        read: Top, left, bottom, right of a box to its pixels, as ``Image.read``.
        height: Of the image.
        width: Of the image.
        size: Side of a window in pixels; less where the image has less.
        count: Largest number of windows.

    Returns:
        (K, h, w, C).
    """
    return np.stack([read(*box) for box in _boxes(height, width, size, count)])


def sample_of(image: Image) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Cut the windows that are measured; where most hold no content, cut others around those that do.

    Returns:
        (K, h, w, C) in gray levels 0 to 255, C = 1 where all channels are equal; and (K, h, w), 0 where pixels are
        hidden, or None without transparency.
    """
    top, left, bottom, right = _within_frame(image)
    boxes = _shifted(_boxes(bottom - top, right - left), top, left)
    sample, cover = _read(image, boxes)
    empty = empty_share(sample, cover)
    full = np.array(boxes)[empty < 1]
    if np.mean(empty) <= MOSTLY or not len(full):
        return sample, cover
    tops, lefts = {box[0] for box in boxes}, {box[1] for box in boxes}
    apart = np.array([-(-image.height // len(tops)), -(-image.width // len(lefts))])  # it may begin between windows
    top, left = np.maximum(full[:, :2].min(0) - apart, (top, left)).tolist()
    bottom, right = np.minimum(full[:, 2:].max(0) + apart, (bottom, right)).tolist()
    return _read(image, _shifted(_boxes(bottom - top, right - left), top, left))


def _within_frame(image: Image) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of what a hidden border, or one of exactly one color, surrounds; of all if it is all."""
    data = image.data if image.alpha is None else image.alpha
    first, last = (data[0, 0], data[-1, -1]) if image.alpha is None else (0, 0)
    top, bottom = _same(data, first), image.height - _same(data[::-1], last)
    across = data[top:bottom].swapaxes(0, 1)
    left, right = _same(across, first), image.width - _same(across[::-1], last)
    if min(image.height, image.width) <= WINDOW or min(bottom - top, right - left) < LEAST_SIDE:
        return 0, 0, image.height, image.width
    return top, left, bottom, right


def _same(lines: NDArray[Any], value: Any) -> int:
    """How many of the first lines hold nothing but this value, in steps of STRIP."""
    count = 0
    while count + STRIP <= len(lines) and (lines[count : count + STRIP] == value).all():
        count += STRIP
    return count


STRIP, LEAST_SIDE = 8, 16
WINDOW = 64  # pixels a side; of what is no larger, all is measured


def _shifted(boxes: list[tuple[int, int, int, int]], down: int, across: int) -> list[tuple[int, int, int, int]]:
    return [(top + down, left + across, bottom + down, right + across) for top, left, bottom, right in boxes]


MOSTLY = 0.5
"""Share without content from which other windows are cut."""


def _read(
    image: Image, boxes: list[tuple[int, int, int, int]]
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    sample = 255 * np.stack([image.read(*box) for box in boxes])
    if (sample == sample[..., :1]).all():
        sample = sample[..., :1]
    alpha = image.alpha
    if alpha is None:
        return sample, None
    return sample, np.stack([alpha[t:b, a:r] for t, a, b, r in boxes]).astype(np.float32)


def _boxes(height: int, width: int, size: int = WINDOW, count: int = 64) -> list[tuple[int, int, int, int]]:
    """Top, left, bottom, right of the windows."""
    tall, wide = min(size, height), min(size, width)
    rows, columns = -(-height // tall), -(-width // wide)
    if rows * columns > count:
        rows = min(rows, max(round(count**0.5), count // columns))
        columns = min(columns, count // rows)
    tops = np.linspace(0, height - tall, rows).astype(int).tolist()
    lefts = np.linspace(0, width - wide, columns).astype(int).tolist()
    return [(top, left, top + tall, left + wide) for top in tops for left in lefts]
