"""The geometry of tiles: pure arithmetic, one axis at a time.

All tiles of an image read the same number of pixels, from an origin that is a multiple of the network's, so that its
grid lies where it does when the whole image is run. What a tile contributes ends ``halo`` pixels before what it reads,
except at the border of the image. Neighbors share a seam, over which one fades into the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLEND", "BORDER", "SMALLEST_TILE", "Span", "border", "largest_tile", "margin", "reflected", "spans"]

BLEND = 16
"""Pixels over which neighboring tiles fade into each other."""

BORDER = 8
"""Pixels by which an image is reflected at its borders, beyond which a network sees the zeros that it pads with."""

SMALLEST_TILE = 16
"""Pixels; what a smaller tile reads is next to nothing but context."""


@dataclass(frozen=True)
class Span:
    """A tile along one axis, in pixels of the image.

    Attributes:
        origin: First pixel that it reads, a multiple of the network's.
        size: Pixels that it reads, a multiple too; may pass the end of the image by less than one multiple.
        start: First pixel that it contributes to.
        stop: The pixel after the last one that it contributes to.
        lead: How many of these it shares with the span before.
        trail: How many of these it shares with the span after.
    """

    origin: int
    size: int
    start: int
    stop: int
    lead: int
    trail: int

    def weights(self, scale: int = 1) -> NDArray[np.float32]:
        """Its share in each pixel from ``start`` to ``stop``; those of all spans sum to one.

        Examples:
            >>> Span(origin=0, size=8, start=0, stop=6, lead=0, trail=4).weights().tolist()
            [1.0, 1.0, 0.875, 0.625, 0.375, 0.125]
        """
        share = np.ones(scale * (self.stop - self.start), np.float32)
        if self.lead:
            share[: scale * self.lead] = _ramp(scale * self.lead)
        if self.trail:
            share[-scale * self.trail :] = 1 - _ramp(scale * self.trail)
        return share


def spans(length: int, tile: int, halo: int, multiple: int, blend: int = BLEND) -> tuple[Span, ...]:
    """Divide one axis into as few spans as ``tile`` allows, all of one size.

    Args:
        length: Pixels of the axis.
        tile: Pixels that a span contributes at most, without its seams; rounded up to ``multiple``. Those at the
            border of the image, which need no context there, contribute more.
        halo: Pixels of context that each contributed pixel has on both sides, where the image has them.
        multiple: Origins and sizes are multiples of this.
        blend: Pixels of a seam, even; less where spans are smaller.

    Examples:
        >>> [(s.origin, s.size, s.start, s.stop) for s in spans(100, tile=32, halo=8, multiple=8, blend=4)]
        [(0, 56, 0, 42), (24, 56, 38, 66), (48, 56, 62, 100)]
    """
    padded = _ceil(length, multiple)
    around = 2 * margin(halo, multiple, blend)
    inner = _ceil(tile, multiple)
    count = max(1, math.ceil((padded - around) / inner))
    if count == 1:
        return (Span(0, padded, 0, length, 0, 0),)
    size = _ceil(math.ceil((padded - around) / count), multiple) + around
    origins = [i * (padded - size) // (count - 1) // multiple * multiple for i in range(count)]
    cuts = [(left + size + right) // 2 for left, right in pairwise(origins)]
    narrowest = min((b - a for a, b in pairwise(cuts)), default=blend)
    half = min(blend, narrowest) // 2
    starts = [0, *(cut - half for cut in cuts)]
    stops = [*(cut + half for cut in cuts), length]
    return tuple(
        Span(origin, size, start, stop, lead=2 * half * (i > 0), trail=2 * half * (i < count - 1))
        for i, (origin, start, stop) in enumerate(zip(origins, starts, stops, strict=True))
    )


def largest_tile(area: int, height: int, width: int, halo: int, multiple: int, blend: int = BLEND) -> int:
    """Find the largest ``tile`` with which no tile of the image reads more than ``area`` pixels.

    Returns:
        Pixels; zero if it would be less than SMALLEST_TILE and the image does not fit in one tile.

    Examples:
        >>> largest_tile(160 * 160, height=3000, width=4000, halo=8, multiple=8)
        128
    """
    short, long = sorted((_ceil(height, multiple), _ceil(width, multiple)))
    if short * long <= area:
        return max(long, SMALLEST_TILE)
    root = math.isqrt(area)
    side = area // short if short <= root else root
    tile = (side - 2 * margin(halo, multiple, blend)) // multiple * multiple
    return tile if tile >= SMALLEST_TILE else 0


def margin(halo: int, multiple: int, blend: int = BLEND) -> int:
    """What a tile reads around what it contributes, half a seam included."""
    return _ceil(halo + blend // 2, multiple)


def border(multiple: int) -> int:
    """Pixels by which an image is reflected at its top and its left: BORDER, rounded up to the network's multiple."""
    return _ceil(BORDER, multiple)


def reflected(length: int, multiple: int) -> int:
    """Pixels of one axis with both borders: the second is half as wide or more, and makes them the network's multiple.

    Examples:
        >>> reflected(64, multiple=8), reflected(65, multiple=8)
        (80, 80)
    """
    return _ceil(length + border(multiple) + BORDER // 2, multiple)


def _ceil(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _ramp(length: int) -> NDArray[np.float32]:
    return (np.arange(length, dtype=np.float32) + np.float32(0.5)) / np.float32(length)
