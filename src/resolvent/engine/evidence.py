"""What speaks for a result where nobody knows the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.physics.forward_model import ForwardModel

__all__ = ["Evidence", "Tally", "of_method"]


SILENT = 0.05
"""Of the squared error: SURE may be off by as much for values without their noise, and no more."""

LEAST, WIDEST = 0.25, 1.0
"""In dB: no margin is narrower, for the divergence is of a finite step; an estimate with a wider one is not given."""

SAFETY = 1.25
"""By which the margin is wider than that of the noise alone; see ``benchmarks/evidence.py --only sure``."""

RUN = 8
"""Neighbors in a row that are equal have no noise."""


@dataclass(frozen=True)
class Evidence:
    """What speaks for a result; none of it says where a result is wrong.

    Attributes:
        residual: Root mean square of y - A x in gray levels of 255, x before it is blended with y.
        expected: What it is for the truth; None where the noise level is unknown.
        psnr: Of the result in dB, as SURE estimates it; None where that takes what is not known.
        margin: In dB; the PSNR is within it in some 19 of 20 cases, if the noise is white and its level exact.
        slope: In dB, by how much the PSNR is off if the level is off by 1 %.
        clipped: Share of the values of y that are black or white.
        obstacle: Why there is no PSNR, where the map of errors could have come with one; else empty.
    """

    residual: float
    expected: float | None = None
    psnr: float | None = None
    margin: float | None = None
    slope: float | None = None
    clipped: float = 0.0
    obstacle: str = ""

    def to_json(self) -> dict[str, float | None]:
        """Rounded."""
        numbers = {"residual": self.residual, "expected": self.expected, "psnr": self.psnr}
        numbers |= {"psnr_margin": self.margin, "psnr_slope": self.slope}
        return {name: None if value is None else round(value, 2) for name, value in numbers.items()}

    def __str__(self) -> str:
        """For a person."""
        text = f"residual {self.residual:.1f} of 255"
        if self.expected is not None:
            text += f", where the noise is {self.expected:.1f}"
        if self.psnr is not None:
            text += f"; PSNR about {self.psnr:.1f} dB, ±{self.margin:.1f} (SURE), if the noise is white and its level "
            text += f"exact: 1 % of it is {self.slope:.1f} dB"
        if self.obstacle:
            text += f"; no PSNR (SURE): {self.obstacle}"
        return text


def of_method(x: NDArray[np.float32], y: NDArray[np.float32], forward_model: ForwardModel) -> Evidence:
    """What there is for the result x of a method, (H, W, C)."""
    expected = forward_model.expected_residual(y)
    return Evidence(255 * forward_model.residual(x, y), None if expected is None else 255 * expected)


class Tally:
    """Sums over an image y = x + N(0, σ²) that f has denoised, block by block.

    Stein's unbiased risk estimate (1981, doi:10.1214/aos/1176345632) of the squared error of f(y) is
    |y - f(y)|² - σ² + 2 σ² div f(y), here per value; ``JacobianSession`` gives σ² div. It is too low by σ² for every
    value that has no noise, as in a frame of one color, and by half of that for noise that was clipped at its middle.

    Args:
        sigma: In gray levels of 255.
        strength: At which the result is blended with y.
        step: Between two values of the type of y, in [0, 1]; 0 for floats.
    """

    def __init__(self, sigma: float, strength: float, step: float = 0.0) -> None:
        self.sigma, self.strength, self.rounding = sigma / 255, strength, step**2 / 12
        self.values = self.clips = self.silent = 0
        self.squares = self.variance = 0.0

    def add(
        self, y: NDArray[np.float32], restored: NDArray[np.float32], variance: NDArray[np.float32],
        seen: NDArray[np.bool_] | None = None,
    ) -> None:  # fmt: skip
        """Count in a block.

        Args:
            y: (h, w, C).
            restored: (h, w, C), or with more colors where that has one.
            variance: (h, w), as ``JacobianSession`` gives it.
            seen: (h, w), the pixels that count; all of them if not given.
        """
        result = restored.mean(2, keepdims=True) if y.shape[2] == 1 else restored
        runs = y[:, : y.shape[1] // RUN * RUN].reshape(len(y), -1, RUN, y.shape[2])
        self.silent += RUN * int((runs == runs[:, :, :1]).all(axis=2).sum())
        if seen is not None:
            y, result, variance = y[seen], result[seen], variance[seen]
        self.values += y.size
        self.clips += int(np.count_nonzero((y == 0) | (y == 1)))
        self.squares += float(np.square(result - y, dtype=np.float64).sum())
        self.variance += y.shape[-1] * float(variance.sum(dtype=np.float64))

    @property
    def clipped(self) -> float:
        """The share of values of y that are black or white."""
        return self.clips / max(self.values, 1)

    def finish(self, *, white: bool, sure: bool = True, obstacle: str = "") -> Evidence:
        """What there is.

        Args:
            white: Whether the noise is white and of the level that it is said to be, as far as can be measured.
            sure: Whether the variance is that of the Jacobian, which SURE needs.
            obstacle: Why the PSNR cannot be estimated all the same, such as a level that is only measured.
        """
        count, s = max(self.values, 1), self.strength
        squares, variance, noise = self.squares / count, self.variance / count, self.sigma**2 + self.rounding
        evidence = Evidence(255 * math.sqrt(squares), 255 * self.sigma if white else None, clipped=self.clipped)
        free = s * variance + (1 - s) * noise
        error, lost = s**2 * squares + 2 * free - noise, (self.clips + self.silent) / count * noise
        if not sure:
            return evidence
        if not white:
            obstacle = obstacle or "the noise is not white or not of the level that was given"
        elif error + lost <= 0:
            obstacle = obstacle or "the level that was given is more than the noise"
        elif error <= 0 or lost > SILENT * error:
            obstacle = obstacle or "values that are clipped or flat have lost their noise"
        if obstacle:
            return replace(evidence, obstacle=obstacle)
        decibels = 10 / math.log(10) / error
        spread = 1.96 * SAFETY * math.sqrt((2 * noise**2 + 4 * noise * error) / count)
        margin = max(decibels * (spread + lost), LEAST)
        if margin > WIDEST:
            return replace(
                evidence, obstacle=f"its margin would be {margin:.1f} dB: too few pixels, or the level is not exact"
            )
        slope = decibels * abs(0.02 * (2 * free - noise))
        return replace(evidence, psnr=-10 * math.log10(error), margin=margin, slope=slope)
