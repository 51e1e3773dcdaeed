"""No silent damage: a result that is not finite, flat or of another color is an error, not an image."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import QualityError

__all__ = ["Checks", "check_finite"]

SHIFT = 5.0
"""Gray levels by which the mean of a channel may move in a large image without noise."""

FLAT = 0.02
"""A result is flat if its values span no more than this share of the standard deviation of the input."""

END = 3.0
"""Gray levels: values as near as this to black or white may be noise that was clipped there."""

CLIPPED_LOSS = 1.75
"""Standard deviation of noise on black over that of what clipping leaves of it: (1/2 - 1/(2π))^(-1/2), rounded up."""


ROWS = 4
"""Of so many rows of the input one is measured for noise."""

BINS = 1020.0
"""Of differences from 0 to 1: a quarter of a gray level each."""


REMEDY = "try another model or method, or other settings of it"


def check_finite(values: NDArray[np.float32]) -> None:
    """Raise QualityError for a result that holds NaN or infinity."""
    if not np.isfinite(values).all():
        raise QualityError(f"a value of the result is NaN or infinite; it is not kept; {REMEDY}")


class Checks:
    """Compares a result with its input, block by block, in constant memory.

    The noise σ that may excuse a change is the known level, if there is one, but no more than what is measured in the
    input: 1.75 times the standard deviation of white noise by which neighbors in a row would differ as much as they
    do. That counts in detail, and what clipping has taken from noise: it is an upper bound.

    The mean of a channel may move by (5 + 0.05 σ + 0.8 σ c) + (80 + 4 σ)/√n gray levels, n the number of pixels, c the
    share of them that are black or white in this channel, ½ at most. Blur and compression keep the mean but for a
    border of some pixels, whose share of an image falls with 1/√n. Noise that was clipped at black or white has moved
    it by up to σ/√(2π) = 0.4 σ where the truth is black, as half of the pixels are then, and by less than 0.8 σ c
    elsewhere; a good restoration moves it back. A model's own bias grows with the noise. The mean of the noise itself
    is σ/√n, here taken four times.

    A flat result, of values that span no more than 2 % of the input's standard deviation or half a step of its type, is
    damage where the input varied by more than its noise: by a standard deviation above 2 σ and two steps.

    Noise of unknown level excuses only what clipping does: over a whole image it cannot be told apart from texture.

    Args:
        channels: Of the image.
        sigma: Of the noise that is to be removed, in 8-bit gray levels; None where it is unknown.
        step: Between two values of the input's type, in 8-bit gray levels; 0 for floats.
    """

    def __init__(self, channels: int, sigma: float | None = 0.0, step: float = 1.0) -> None:
        self.sigma, self.step = sigma, step
        self.sums = np.zeros((2, channels))  # of the input, of the result
        self.squares = 0.0  # of the input
        self.ends = np.zeros(channels, np.int64)  # values of the input that are black or white
        self.pixels = np.zeros(2, np.int64)  # of the input, of the result
        self.differences = np.zeros(1024, np.int64)  # of neighbors of the input, by quarters of a gray level
        self.low, self.high = math.inf, -math.inf

    def add(
        self,
        before: NDArray[np.float32],
        after: NDArray[np.float32],
        judged: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
    ) -> None:
        """Count in a block of the input and what became of it.

        Args:
            before: (h, w, C), nominally in [0, 1].
            after: (s * h, s * w, C), of the same place; judged as clipped to [0, 1].
            judged: The pixels of both that say something, (h, w) and (s * h, s * w); all of them if not given.

        Raises:
            QualityError: The result is not finite.
        """
        seen, made = (before, after) if judged is None else (before[judged[0]], after[judged[1]])
        check_finite(made)
        if not made.size:
            return
        made = np.clip(made, 0, 1)
        self.sums += [[np.sum(x[..., c], dtype=np.float64) for c in range(x.shape[-1])] for x in (seen, made)]
        self.squares += float(np.square(seen, dtype=np.float64).sum())
        ends = (seen <= END / 255) | (seen >= 1 - END / 255)
        self.ends += np.count_nonzero(ends.reshape(-1, ends.shape[-1]), axis=0)
        self.pixels += [seen[..., 0].size, made[..., 0].size]
        self.low, self.high = min(self.low, float(made.min())), max(self.high, float(made.max()))
        if self.sigma != 0:
            self._count_differences(before[::ROWS], None if judged is None else judged[0][::ROWS])

    def _count_differences(self, rows: NDArray[np.float32], judged: NDArray[np.bool_] | None) -> None:
        differences: NDArray[Any] = np.abs(rows[:, 1:] - rows[:, :-1])
        if judged is not None:
            differences = differences[judged[:, 1:] & judged[:, :-1]]
        bins = np.minimum(BINS * differences, len(self.differences) - 1).astype(np.int64)
        self.differences += np.bincount(bins.ravel(), minlength=len(self.differences))

    @property
    def noise(self) -> float:
        """The noise that may excuse a change, in gray levels."""
        total = int(self.differences.sum())
        if not total:
            return self.sigma or 0.0
        most = int(np.searchsorted(np.cumsum(self.differences), 0.75 * total)) + 1
        bound = 255 / BINS * most / (1.1503 * math.sqrt(2))
        return CLIPPED_LOSS * bound if self.sigma is None else min(self.sigma, CLIPPED_LOSS * bound)

    def finish(self) -> None:
        """Judge the whole image.

        Raises:
            QualityError: The result is flat where the input was not, or the mean of a channel has moved too far.
        """
        if not self.pixels.all():
            return
        noise = self.noise
        before, after = 255 * self.sums / self.pixels[:, None]
        variance = 255**2 * self.squares / (self.pixels[0] * len(before)) - np.mean(before**2)
        spread = math.sqrt(max(variance, 0.0))
        span = 255 * (self.high - self.low)
        removed = 0.0 if self.sigma is None else noise
        if span <= max(FLAT * spread, self.step / 2) and spread > 2 * removed + 2 * self.step:
            raise QualityError(
                f"the result is flat, {255 * self.high:.0f} of 255 everywhere, and the image is not; it is not kept; "
                f"{REMEDY}"
            )
        clipped = np.minimum(self.ends / self.pixels[0], 0.5)
        shifts = np.abs(after - before)
        limits = SHIFT + 0.05 * removed + 0.8 * noise * clipped + (16 * SHIFT + 4 * removed) / math.sqrt(self.pixels[0])
        worst = int(np.argmax(shifts - limits))
        if shifts[worst] > limits[worst]:
            overstated = (self.sigma or 0) > 2 * noise + SHIFT
            remedy = f"give less noise than {self.sigma:g}, or leave it to be measured" if overstated else REMEDY
            raise QualityError(
                f"the mean color moved by {shifts[worst]:.1f} of 255, where {limits[worst]:.1f} is the most; "
                f"the result is not kept; {remedy}"
            )
