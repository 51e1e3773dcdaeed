"""Find the parts of a photograph with content to measure, and recognize drawings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Content", "content_of", "empty_share", "with_content"]

CELL = 16  # pixels a side of what is judged as empty or not: JPEG leaves smaller blocks uniform, seldom these
TILE = 32  # pixels a side that a window is cut into where parts of it are empty
TOLERATED = 0.25  # share of a window that may be empty
CLIPPED = 0.9  # share of the values of a cell at the same end of the range, from which it is empty
FEWEST = 4  # tiles: with fewer, more has to be taken

CONTRAST = 50.0  # gray levels between the 2 % and 98 % quantiles of a tile that shows a contour
SOME = 0.01  # share of the tiles that show one: with fewer, a drawing cannot be recognized
UNTOUCHED = 0.05  # share of all pixels that equal their neighbors; fewer do where there is noise
# What a drawing needs at contours: share of pixels that equal their neighbors, share of pixels of the commonest tone.
DRAWN = ((0.6, 0.0), (0.1, 0.42))
# Compressed text has fewer of them, but paper and ink almost everywhere: equal, commonest tone, the two commonest.
PRINTED = ((0.05, 0.5, 0.0), (0.01, 0.55, 0.7))
TWO_TONED = (0.95, 0.1)  # near black or white: share of all pixels together, of each at least; dots of a dithered page
NEAR = 40.0  # gray levels
CROWDED = 0.5  # share of the tiles of text that show a contour


@dataclass(frozen=True)
class Content:
    """How much of a picture is uniform, clipped or drawn.

    Attributes:
        flat_share: Share of the pixels that equal their right and lower neighbors exactly, in every channel.
        clipped_share: Share of the values that are black or white.
        drawing: Whether it looks drawn or printed (text, a diagram, a screenshot), not photographed.
    """

    flat_share: float
    clipped_share: float
    drawing: bool


def empty_share(sample: NDArray[np.float32], cover: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
    """Measure how much of each window holds nothing to measure: uniform, clipped or hidden cells of 16x16 pixels.

    Args:
        sample: (K, h, w, C) windows, in gray levels 0 to 255.
        cover: (K, h, w), 0 where pixels are hidden.

    Returns:
        (K,) in [0, 1]; where a window is smaller than a cell, the whole window is one.
    """
    cells = _cells(sample)
    flat = (np.ptp(cells, axis=2) == 0).all(-1)
    black, white = (cells <= 0).mean((2, 3)), (cells >= 255).mean((2, 3))
    empty = flat | (black >= CLIPPED) | (white >= CLIPPED)
    if cover is not None:
        empty |= (_cells(cover[..., None]) <= 0).any((2, 3))
    share: NDArray[np.float64] = empty.mean(1)
    return share


def with_content(sample: NDArray[np.float32], cover: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Leave out what holds nothing to measure.

    Args:
        sample: (K, h, w, C) windows, in gray levels 0 to 255.
        cover: (K, h, w), 0 where pixels are hidden.

    Returns:
        The windows, if no window lacks content in more than a quarter; else the tiles of 32x32 pixels that hold nothing
        but content, or, where there are too few of them, hold some; all of it where nothing does.
    """
    if (empty_share(sample, cover) <= TOLERATED).all():
        return sample
    tiles = _cut(sample)
    empty = empty_share(tiles, None if cover is None else _cut(cover[..., None])[..., 0])
    for limit in (0.0, TOLERATED, 0.5, 0.99):
        if np.count_nonzero(empty <= limit) >= FEWEST:
            return tiles[empty <= limit]
    return tiles[empty < 1] if (empty < 1).any() else sample


def content_of(sample: NDArray[np.float32], cover: NDArray[np.float32] | None = None) -> Content:
    """Measure what is uniform, clipped and drawn; hidden pixels do not count.

    A photograph has tones of every kind, and neighbors that differ. What is drawn or printed has contours between areas
    of exactly one value; JPEG leaves few such areas between letters, but their paper and ink stay the two tones of the
    whole page.

    Args:
        sample: (K, h, w, C) windows, in gray levels 0 to 255.
        cover: (K, h, w), 0 where pixels are hidden.
    """
    if min(sample.shape[1:3]) < 2:
        return Content(0.0, 0.0, False)
    corner = sample[:, :-1, :-1]
    flat = ((corner == sample[:, 1:, :-1]) & (corner == sample[:, :-1, 1:])).all(-1)
    seen = np.ones(flat.shape, bool) if cover is None else cover[:, :-1, :-1] > 0
    if not seen.any():
        seen[:] = True
    clipped = ((corner <= 0) | (corner >= 255)).mean(-1)
    flat_share = float(flat[seen].mean())
    shown = _visible(sample, cover)
    drawing = _is_two_toned(shown) or (flat_share > UNTOUCHED and _is_drawing(shown))
    return Content(flat_share, float(clipped[seen].mean()), drawing)


def _is_drawing(sample: NDArray[np.float32]) -> bool:
    tiles = _cut(sample)
    luma = tiles.mean(-1).reshape(len(tiles), -1)
    low, high = np.quantile(luma, [0.02, 0.98], axis=1)
    contours = high - low > CONTRAST
    crowded = float(contours.mean())
    if crowded < SOME:
        return False
    tiles, luma = tiles[contours], luma[contours]
    corner = tiles[:, :-1, :-1]
    equal_shares = ((corner == tiles[:, 1:, :-1]) & (corner == tiles[:, :-1, 1:])).all(-1).mean((1, 2))
    equal = float(np.median(equal_shares))
    tones = np.histogram(luma, bins=64, range=(0, 256))[0] / luma.size
    tones = np.convolve(tones, np.ones(5), "same")  # of a tone and what is within 8 gray levels
    most = int(tones.argmax())
    first = float(tones[most])
    tones[max(most - 5, 0) : most + 6] = 0
    both = first + float(tones.max())
    drawn = any(equal > alike and first > paper for alike, paper in DRAWN)
    printed = any(equal > alike and first > paper and both > two for alike, paper, two in PRINTED)
    return drawn or (printed and crowded > CROWDED)


def _is_two_toned(sample: NDArray[np.float32]) -> bool:
    luma = sample.mean(-1)
    black, white = float((luma <= NEAR).mean()), float((luma >= 255 - NEAR).mean())
    return black + white >= TWO_TONED[0] and min(black, white) >= TWO_TONED[1]


def _visible(sample: NDArray[np.float32], cover: NDArray[np.float32] | None) -> NDArray[np.float32]:
    if cover is None or (cover > 0).all():
        return sample
    tiles, shown = _cut(sample), (_cut(cover[..., None]) > 0).all((1, 2, 3))
    return tiles[shown] if shown.any() else sample


def _cut(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """(K, h, w, C) into tiles; as it is where it is no larger than one."""
    count, height, width, channels = x.shape
    if min(height, width) < 2 * TILE:
        return x
    rows, columns = height // TILE, width // TILE
    x = x[:, : rows * TILE, : columns * TILE].reshape(count, rows, TILE, columns, TILE, channels)
    return x.swapaxes(2, 3).reshape(-1, TILE, TILE, channels)


def _cells(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """(K, h, w, C) into (K, cells, pixels, C)."""
    count, height, width, channels = x.shape
    tall, wide = min(CELL, height), min(CELL, width)
    rows, columns = height // tall, width // wide
    x = x[:, : rows * tall, : columns * wide].reshape(count, rows, tall, columns, wide, channels)
    return x.swapaxes(2, 3).reshape(count, rows * columns, tall * wide, channels)
