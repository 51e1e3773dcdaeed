"""Calibrating a map of errors: the factor by which its widths must be multiplied so that nine of ten pixels lie within.

Risk-controlling prediction sets (Bates et al., 2021, doi:10.1145/3478535) with the betting bound of Waudby-Smith and
Ramdas (2024, doi:10.1093/jrsssb/qkad009, theorem 3): with probability 1 - delta over the photographs that it was
calibrated on, the share of pixels outside is at most alpha on average over photographs like them. The unit is the
photograph: its pixels are not independent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import UsageError, counted

__all__ = ["ALPHA", "DELTA", "LAMBDAS", "Histogram", "calibrate", "calibrate_halves", "least_count", "upper_bound"]

ALPHA = DELTA = 0.1
"""The share of pixels that may lie outside, and the probability that more do."""

LAMBDAS = np.geomspace(0.1, 10, 461)
"""Factors tried, one percent apart."""

GRID = np.linspace(0, 1, 1001)
"""Mean losses that the bound is looked for among."""


def upper_bound(losses: NDArray[np.floating], delta: float = DELTA) -> float:
    """Bound the mean of independent losses in [0, 1] from above, with probability 1 - delta.

    Waudby-Smith and Ramdas bet against each candidate of the mean; the bound is the least candidate above which the
    bettor is richer than 1 / delta at some time.

    Args:
        losses: (n,), in the order in which they were drawn.
        delta: Probability that the mean is above the bound.

    Raises:
        UsageError: A loss is not in [0, 1], or there is none.
    """
    losses = np.asarray(losses, np.float64)
    if losses.ndim != 1 or not len(losses) or not (0 <= losses.min() <= losses.max() <= 1):
        raise UsageError("losses: give at least one, each from 0 to 1")
    seen = np.arange(1, len(losses) + 1)
    means = (0.5 + losses.cumsum()) / (seen + 1)
    variances = (0.25 + np.square(losses - means).cumsum()) / (seen + 1)
    before = np.concatenate([[0.25], variances[:-1]])  # a bet knows the past alone
    stakes = np.minimum(1, np.sqrt(2 * np.log(1 / delta) / (len(losses) * before)))
    wealth = np.log1p(-stakes[:, None] * (losses[:, None] - GRID).clip(max=1 - 1e-12)).cumsum(axis=0).max(axis=0)
    rejected = np.flatnonzero(wealth > np.log(1 / delta))
    return float(GRID[rejected[0]]) if len(rejected) else 1.0


def least_count(alpha: float = ALPHA, delta: float = DELTA) -> int:
    """Count the photographs below which no factor can be certified, not even one that all values are within.

    Examples:
        >>> least_count(alpha=0.2, delta=0.1)
        13
    """
    return next(n for n in count(1) if upper_bound(np.zeros(n), delta) <= alpha)


@dataclass
class Histogram:
    """How many times its width each error of a photograph is: what the miss is for any factor, without the pixels.

    Attributes:
        counts: (len(LAMBDAS) + 1,), values whose error needs each factor, none below, and more than the last.
    """

    counts: NDArray[np.int64]

    @classmethod
    def of(cls, error: NDArray[np.floating], width: NDArray[np.floating]) -> Histogram:
        """Count the ratios of absolute errors to widths, of one shape."""
        ratios = np.abs(error) / np.maximum(width, 1e-12)
        return cls(np.bincount(np.searchsorted(LAMBDAS, ratios.ravel()), minlength=len(LAMBDAS) + 1))

    @property
    def misses(self) -> NDArray[np.float64]:
        """The share of values outside, for each of LAMBDAS."""
        outside: NDArray[np.float64] = 1 - self.counts.cumsum()[:-1] / self.counts.sum()
        return outside


def calibrate(
    histograms: list[Histogram],
    alpha: float = ALPHA,
    delta: float = DELTA,
    bound: Callable[[NDArray[np.floating], float], float] = upper_bound,
) -> float:
    """The least factor from which on, for all larger ones, the bound of the mean miss is at most alpha.

    Args:
        histograms: One for each photograph, in an order that has nothing to do with what they show.
        alpha: Largest share of values outside.
        delta: Probability that it is larger.
        bound: See ``upper_bound``.

    Raises:
        UsageError: No factor is large enough: the photographs are too few.
    """
    misses = np.stack([histogram.misses for histogram in histograms])
    chosen = None
    for i in reversed(range(len(LAMBDAS))):
        if bound(misses[:, i], delta) > alpha:
            break
        chosen = float(LAMBDAS[i])
    if chosen is None:
        raise UsageError(
            f"{counted(len(histograms), 'photograph')} cannot certify that at most {alpha:.0%} of pixels lie "
            "outside; give 200"
        )
    return chosen


def calibrate_halves(
    histograms: list[Histogram], splits: int = 100, alpha: float = ALPHA, delta: float = DELTA, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Calibrate on a random half of the photographs and look at the other, again and again.

    Args:
        histograms: One for each photograph.
        splits: How many times.
        alpha: See ``calibrate``.
        delta: See ``calibrate``.
        seed: Random seed.

    Returns:
        The factor of each split, and the mean miss by it on the other half.

    Raises:
        UsageError: The photographs of a half are too few.
    """
    rng, factors, misses = np.random.default_rng(seed), [], []
    for _ in range(splits):
        order = rng.permutation(len(histograms))
        half, rest = np.array_split(order, 2)
        factors.append(calibrate([histograms[i] for i in half], alpha, delta))
        at = int(np.searchsorted(LAMBDAS, factors[-1]))
        misses.append(float(np.mean([histograms[i].misses[at] for i in rest])))
    return np.array(factors), np.array(misses)
