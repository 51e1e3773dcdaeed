"""No silent damage: a result that is not finite, flat or of another colour is an error, not an image."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import QualityError

__all__ = ["Checks"]

SHIFT = 5.0
"""Grey levels by which the mean of a channel may move in a large image without noise."""

FLAT = 0.5
"""Grey levels: a result with all its values this near to each other is flat."""


class Checks:
    """Compares a result with its input, block by block, in constant memory.

    The mean of a channel may move by (5 + 0.4 σ) + (80 + 4 σ)/√n grey levels, n the number of pixels. Blur and
    compression keep the mean but for a border of some pixels, whose share of an image falls with 1/√n. Noise of level σ
    that was clipped at black or white has moved it by up to σ/√(2π) = 0.4 σ, and a good restoration moves it back. The
    mean of the noise itself is σ/√n, here taken four times.

    A flat result is damage where the input varied by more than its noise: by a standard deviation above 2 + 2 σ.

    Args:
        channels: Of the image.
        sigma: Of the noise that is to be removed, in 8-bit grey levels.
    """

    def __init__(self, channels: int, sigma: float = 0.0) -> None:
        self.sigma = sigma
        self.sums = np.zeros((2, channels))  # of the input, of the result
        self.squares = 0.0  # of the input
        self.pixels = np.zeros(2, np.int64)  # of the input, of the result
        self.low, self.high = math.inf, -math.inf

    def add(self, before: NDArray[np.float32], after: NDArray[np.float32]) -> None:
        """Count in a block of the input and what became of it.

        Args:
            before: (..., C), nominally in [0, 1].
            after: (..., C), of the same place; judged as clipped to [0, 1].

        Raises:
            QualityError: The result is not finite.
        """
        if not np.isfinite(after).all():
            raise QualityError("a value of the result is NaN or infinite; it is not kept")
        if not after.size:
            return
        after = np.clip(after, 0, 1)
        self.sums += [[np.sum(x[..., c], dtype=np.float64) for c in range(x.shape[-1])] for x in (before, after)]
        self.squares += float(np.square(before).sum())
        self.pixels += [before[..., 0].size, after[..., 0].size]
        self.low, self.high = min(self.low, float(after.min())), max(self.high, float(after.max()))

    def finish(self) -> None:
        """Judge the whole image.

        Raises:
            QualityError: The result is flat where the input was not, or the mean of a channel has moved too far.
        """
        if not self.pixels.all():
            return
        before, after = 255 * self.sums / self.pixels[:, None]
        variance = 255**2 * self.squares / (self.pixels[0] * len(before)) - np.mean(before**2)
        level = 255 * self.high
        if level - 255 * self.low <= FLAT and variance > (2 + 2 * self.sigma) ** 2:
            raise QualityError(
                f"the result is flat, {level:.0f} of 255 everywhere, and the image is not; it is not kept"
            )
        shift = np.abs(after - before).max()
        limit = SHIFT + 0.4 * self.sigma + (16 * SHIFT + 4 * self.sigma) / math.sqrt(self.pixels[0])
        if shift > limit:
            raise QualityError(
                f"the mean colour moved by {shift:.1f} of 255, where {limit:.1f} is the most; the result is not kept"
            )
