"""The colors of an image as a model is to see them, where some are hidden by transparency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from resolvent.image import Image
from resolvent.inference.stitch import Box

__all__ = ["nearest_true", "visible_colors"]


def visible_colors(image: Image, box: Box, halo: int) -> NDArray[np.float32]:
    """Read a box; fully transparent pixels get the color of the nearest pixel that can be seen.

    What lies there is arbitrary, often black, and would bleed into the edges. Those within ``halo`` of a visible pixel
    influence it, and have a visible one within √2 halo: so much more is read, so that tiles fill in the same colors.

    Returns:
        (h, w, C) float32 in [0, 1].
    """
    if image.alpha is None:
        return image.read(*box)
    around = 2 * halo
    top, left = max(0, box.top - around), max(0, box.left - around)
    bottom, right = min(image.height, box.bottom + around), min(image.width, box.right + around)
    hidden = image.alpha[top:bottom, left:right] == 0
    if hidden.all() or not hidden.any():
        return image.read(*box)
    rows, columns = nearest_true(~hidden)
    inside = (slice(box.top - top, box.bottom - top), slice(box.left - left, box.right - left))
    filled: NDArray[np.float32] = image.read(top, left, bottom, right)[rows[inside], columns[inside]]
    return filled


def nearest_true(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the nearest True pixel of every pixel, by the exact Euclidean distance transform of [1].

    First the nearest within each column; then, in each row, the lower envelope of the parabolas that the squared
    distances to these make, column by column for all rows at once.

    Args:
        mask: (H, W), True at least once.

    Returns:
        Its row and its column, (H, W) each.

    References:
        [1] P. F. Felzenszwalb, D. P. Huttenlocher, Distance transforms of sampled functions, Theory of Computing 8,
        2012. https://doi.org/10.4086/toc.2012.v008a019
    """
    height, width = mask.shape
    rows, far = np.arange(height)[:, None], 2 * (height + width)
    above = np.maximum.accumulate(np.where(mask, rows, -far), 0)
    below = np.minimum.accumulate(np.where(mask, rows, far)[::-1], 0)[::-1]
    row = np.where(rows - above <= below - rows, above, below)
    cost = ((row - rows) ** 2 + np.arange(width) ** 2).T.astype(float)
    # Of each row: the columns of the parabolas in the envelope, where each begins to be the lowest, and the last one.
    hull, start = np.zeros((width, height), int), np.full((width, height), -np.inf)
    top, lines = np.zeros(height, int), np.arange(height)
    for column in range(1, width):
        cross, todo = np.empty(height), lines
        while todo.size:
            last = hull[top[todo], todo]
            cross[todo] = (cost[column, todo] - cost[last, todo]) / (2 * (column - last))
            todo = todo[cross[todo] <= start[top[todo], todo]]
            top[todo] -= 1
        top += 1
        hull[top, lines], start[top, lines] = column, cross
    place, line = np.nonzero((np.arange(width)[:, None] <= top) & (start < width - 1))
    lowest = np.zeros((width, height), int)
    lowest[np.maximum(np.floor(start[place, line]) + 1, 0).astype(int), line] = hull[place, line]
    columns = np.maximum.accumulate(lowest, 0).T
    return row[rows, columns], columns
