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


CLIPPED = 0.05
"""Of the squared error: SURE may be off by as much for noise that was clipped at black or white."""

MARGIN = 1.0
"""In dB, of the PSNR by the Jacobian; see ``benchmarks/evidence.py --only sure``."""


@dataclass(frozen=True)
class Evidence:
    """What speaks for a result; none of it says where a result is wrong.

    Attributes:
        residual: Root mean square of y - A x in gray levels of 255, x before it is blended with y. Far above
            ``expected``, x does not explain y; far below, x has noise in it.
        expected: What it is for the truth; None where the noise level is unknown.
        psnr: Of the result in dB, estimated; None where that takes what is not known.
        margin: In dB, of the PSNR: for SURE, within it in 19 of 20 cases.
        source: Of the PSNR: ``SURE``, or ``Jacobian`` where noise was clipped.
    """

    residual: float
    expected: float | None = None
    psnr: float | None = None
    margin: float | None = None
    source: str | None = None

    def to_json(self) -> dict[str, float | str | None]:
        """Rounded."""
        numbers = {"residual": self.residual, "expected": self.expected, "psnr": self.psnr, "psnr_margin": self.margin}
        rounded = {name: None if value is None else round(value, 2) for name, value in numbers.items()}
        return {**rounded, "psnr_source": self.source}

    def __str__(self) -> str:
        """For a person."""
        text = f"residual {self.residual:.1f} of 255"
        if self.expected is not None:
            text += f", where the noise is {self.expected:.1f}"
        if self.psnr is not None:
            text += f"; PSNR about {self.psnr:.1f} dB, ±{self.margin:.1f} (by {self.source})"
        return text


def of_method(x: NDArray[np.float32], y: NDArray[np.float32], forward_model: ForwardModel) -> Evidence:
    """What there is for the result x of a method, (H, W, C)."""
    expected = forward_model.expected_residual(y)
    return Evidence(255 * forward_model.residual(x, y), None if expected is None else 255 * expected)


class Tally:
    """Sums over an image y = x + N(0, σ²) that f has denoised, block by block.

    Stein's unbiased risk estimate (1981, doi:10.1214/aos/1176345632) of the squared error of f(y) is
    |y - f(y)|² - σ² + 2 σ² div f(y), here per value; ``JacobianSession`` gives σ² div. Clipped noise is weaker than σ,
    and the estimate is too low then. σ² div alone, which is the error of the best f (Miyasawa), hardly depends on that.

    Args:
        sigma: In gray levels of 255.
        strength: At which the result is blended with y.
    """

    def __init__(self, sigma: float, strength: float) -> None:
        self.sigma, self.strength = sigma / 255, strength
        self.values = self.clipped = 0
        self.squares = self.variance = 0.0

    def add(self, y: NDArray[np.float32], restored: NDArray[np.float32], variance: NDArray[np.float32]) -> None:
        """Count in a block (h, w, C) and what ``JacobianSession`` gives for it, (h, w)."""
        result = restored.mean(2, keepdims=True) if y.shape[2] == 1 else restored
        self.values += y.size
        self.clipped += int(np.count_nonzero((y == 0) | (y == 1)))
        self.squares += float(np.square(result - y, dtype=np.float64).sum())
        self.variance += y.shape[2] * float(variance.sum(dtype=np.float64))

    def finish(self, *, known: bool, best: bool) -> Evidence:
        """What there is.

        Args:
            known: Whether the noise is white and of the level that it is said to be.
            best: Whether f was trained to be the best denoiser.
        """
        squares, variance, noise = self.squares / self.values, self.variance / self.values, self.sigma**2
        residual, s = Evidence(255 * math.sqrt(squares), 255 * self.sigma), self.strength
        error = s**2 * squares + 2 * (s * variance + (1 - s) * noise) - noise
        if known and error > 0 and self.clipped / self.values * noise <= CLIPPED * error:
            spread = math.sqrt((2 * noise**2 + 4 * noise * error) / self.values)
            return replace(
                residual, psnr=_decibels(error), margin=10 / math.log(10) * 1.96 * spread / error, source="SURE"
            )
        error = variance + (1 - s) ** 2 * squares  # of the best f, f(y) - x and y - f(y) are not correlated
        if known and best and error > 0:
            return replace(residual, psnr=_decibels(error), margin=MARGIN, source="Jacobian")
        return residual


def _decibels(error: float) -> float:
    return -10 * math.log10(error)
