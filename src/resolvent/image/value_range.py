"""Which of the values that a type can hold a picture uses, and counts as black and as white.

A microscope stores 12 bits in 16, a renderer floats without a top, a telescope counts of photons above a pedestal. Read
by the range of the type, such a picture is nearly black, and whatever works on it takes its detail for noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ValueRange", "full_range", "used_range"]

INTEGER_BITS = (8, 10, 12, 14, 16)
"""Bits that sensors and files have."""

FLOAT_TOPS = (1.0, *(2.0**bits - 1 for bits in INTEGER_BITS))
"""Values of white that floats commonly have."""

BLOCK = 16
"""Pixels a side of the blocks whose medians separate a picture's content from its noise and from single outliers."""

SAMPLE = 1 << 20
"""Values that the statistics of a float picture rest on at most."""

STRAYS = 1e-4
"""Share of the values of an integer picture that may be outliers: hot pixels."""

TAILS = (0.001, 0.01, 0.05)
"""Shares of the values that may be outliers, at either end: the least, unless what it leaves is far from the rest."""

FAR = 4.0
"""A quantile so many times as far from the median as the one before is of outliers."""

REACH = 6.0
"""Standard deviations of the noise: what is further outside of the range is no noise."""

SLACK = 0.1
"""Share of the range by which ringing and sharpening leave it."""

MARGINS = (0.05, 0.5)
"""Least and greatest share of a measured range that is added at both of its ends."""


@dataclass(frozen=True)
class ValueRange:
    """What counts as black and as white in stored values.

    Attributes:
        low: Value that is read as 0.
        high: Value that is read as 1.
        floor: Least value that is restored; what is below is an outlier, and kept as it is.
        ceiling: Greatest value that is restored.
        note: A sentence for a person; empty for the whole range of an integer type and for floats in [0, 1].
    """

    low: float = 0.0
    high: float = 1.0
    floor: float = 0.0
    ceiling: float = 1.0
    note: str = ""

    def outliers(self, values: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Find the values outside of ``floor`` to ``ceiling``; None if there are none."""
        if values.dtype.kind == "u" and self.ceiling == np.iinfo(values.dtype).max:
            return None
        outside: NDArray[np.bool_] = (values < self.floor) | (values > self.ceiling)
        return outside if outside.any() else None


def full_range(dtype: np.dtype[Any]) -> ValueRange:
    """Give the range of a type: 0 to the largest integer; of floats 0 to 1, and nothing is an outlier."""
    if dtype.kind == "f":
        return ValueRange(floor=-np.inf, ceiling=np.inf)
    top = float(np.iinfo(dtype).max)
    return ValueRange(0.0, top, 0.0, top)


def used_range(data: NDArray[Any]) -> ValueRange:
    """Find the range that a picture uses.

    Integers of 16 bits: 0 to 2^b - 1, with the least b of 8, 10, 12, 14 and 16 that holds every value but for one of
    ten thousand; those are outliers.

    Floats: 0 to the least top of 1, 255, 1023, 4095, 16383 and 65535 which the medians of blocks of 16x16 pixels keep
    to, within a tenth and the noise; a top above 1 only where the picture's quantiles (see below) keep to it within a
    tenth, and use more than half of it. Values beyond, by no more than a tenth of the range or six standard deviations
    of the noise, are noise and ringing, and are read as they are; what is further outside is an outlier.

    Other floats: the 0.1 % and 99.9 % quantiles, with a margin of three standard deviations of the noise, but from 5
    to 50 % of what lies between them; all outside is an outlier. Where that of 1 % is more than four times as far from
    the median as that of 5 %, or that of 0.1 % as that of 1 %, it is one of outliers itself, such as the lamps in a
    dark room, and the one before is taken.

    Args:
        data: (H, W, C), uint8, uint16 or finite float32.

    Returns:
        The range, with a note where it is another than that of the type.
    """
    if data.dtype.kind == "f":
        return _float_range(data)
    whole = full_range(data.dtype)
    if data.dtype.itemsize == 1:
        return whole
    above = [(bits, int(np.count_nonzero(data > 2**bits - 1))) for bits in INTEGER_BITS]
    bits, strays = next((bits, count) for bits, count in above if count <= STRAYS * data.size)
    if bits == 8 * data.dtype.itemsize:
        return whole
    top = float(2**bits - 1)
    note = f"uses {bits} of its 16 bits: values from 0 to {top:g} are black to white"
    if strays:
        note += f"; {strays} of {data.size} values above are kept as they are"
    return ValueRange(0.0, top, 0.0, top, note)


def _float_range(data: NDArray[np.float32]) -> ValueRange:
    medians, noise = _block_medians(data), _noise(data)
    tails = _tails(_thinned(data), noise)
    for top in FLOAT_TOPS:
        slack = SLACK * top
        stray = slack + 0.4 * noise  # a median of 256 values strays by 0.08 σ: five times that
        fits = medians.min() >= -stray and medians.max() <= top + stray
        if fits and (top == 1 or (tails[0] >= -slack and top / 2 < tails[1] <= top + slack)):
            reach = max(SLACK * top, REACH * noise)
            return _noted(data, 0.0, top, -reach, top + reach, plain=top == 1)
    low, high = tails
    margin = float(np.clip(REACH / 2 * noise, MARGINS[0] * (high - low), MARGINS[1] * (high - low)))
    low, high = low - margin, high + margin
    if high <= low:  # all alike but for outliers
        low, high = min(0.0, float(data.min())), max(1.0, float(data.max()))
    return _noted(data, low, high, low, high)


def _noted(
    data: NDArray[np.float32], low: float, high: float, floor: float, ceiling: float, plain: bool = False
) -> ValueRange:
    note = "" if plain else f"values from {low:.4g} to {high:.4g} are black to white"
    outside = int(np.count_nonzero((data < floor) | (data > ceiling)))
    if outside:
        outliers = f"{outside} of {data.size} values outside of {floor:.4g} to {ceiling:.4g} are kept as they are"
        note = f"{note}; {outliers}" if note else outliers
    return ValueRange(low, high, floor, ceiling, note)


def _tails(values: NDArray[np.float32], noise: float) -> tuple[float, float]:
    """Quantiles at both ends of the values, without those that are of outliers."""
    shares = (*TAILS, 0.5, *(1 - share for share in reversed(TAILS)))
    quantiles = np.quantile(values, shares).tolist()
    middle = len(TAILS)
    median = quantiles[middle]
    ends = [quantiles[:middle], quantiles[:middle:-1]]
    low, high = (median + _tail([value - median for value in end], noise) for end in ends)
    return float(low), float(high)


def _tail(distances: list[float], noise: float) -> float:
    """The first, and greatest, of the distances from the median; a later one of content where the next goes too far."""
    for inner, outer in pairwise(reversed(distances)):
        if abs(outer) > FAR * abs(inner) and abs(inner) > 3 * noise:
            return inner
    return distances[0]


def _thinned(data: NDArray[np.float32]) -> NDArray[np.float32]:
    step = int(np.ceil(np.sqrt(max(data.size / SAMPLE, 1))))
    return data[::step, ::step]


def _block_medians(data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Medians of the blocks in each channel, of evenly spread ones where there are many."""
    height, width, channels = data.shape
    side = min(BLOCK, height, width)
    rows, columns = height // side, width // side
    step = int(np.ceil(np.sqrt(max(data.size / SAMPLE, 1))))
    blocks = data[: rows * side, : columns * side].reshape(rows, side, columns, side, channels)[::step, :, ::step]
    medians: NDArray[np.float32] = np.median(blocks, axis=(1, 3))
    return medians


def _noise(data: NDArray[np.float32]) -> float:
    """Standard deviation of white noise that would make neighbors differ as much as they do; detail counts in."""
    if data.shape[1] < 2:
        return 0.0
    step = int(np.ceil(np.sqrt(max(data.size / SAMPLE, 1))))
    rows = data[::step]
    differences = np.abs(rows[:, 1::step] - rows[:, :-1:step][:, : rows[:, 1::step].shape[1]])
    return float(np.quantile(differences, 0.75) / (1.1503 * np.sqrt(2)))
