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


@dataclass(frozen=True)
class Evidence:
    """What speaks for a result; none of it says where a result is wrong.

    Attributes:
        residual: Root mean square of y - A x in gray levels of 255, x before it is blended with y. Far above
            ``expected``, x does not explain y; far below, x has noise in it.
        expected: What it is for the truth; None where the noise level is unknown.
        psnr: Of the result in dB, as SURE estimates it; None where that takes what is not known.
        margin: In dB; the PSNR is within it in 19 of 20 cases.
    """

    residual: float
    expected: float | None = None
    psnr: float | None = None
    margin: float | None = None

    def to_json(self) -> dict[str, float | None]:
        """Rounded."""
        numbers = {"residual": self.residual, "expected": self.expected, "psnr": self.psnr, "psnr_margin": self.margin}
        return {name: None if value is None else round(value, 2) for name, value in numbers.items()}

    def __str__(self) -> str:
        """For a person."""
        text = f"residual {self.residual:.1f} of 255"
        if self.expected is not None:
            text += f", where the noise is {self.expected:.1f}"
        if self.psnr is not None:
            text += f"; PSNR about {self.psnr:.1f} dB, ±{self.margin:.1f} (SURE)"
        return text


def of_method(x: NDArray[np.float32], y: NDArray[np.float32], forward_model: ForwardModel) -> Evidence:
    """What there is for the result x of a method, (H, W, C)."""
    expected = forward_model.expected_residual(y)
    return Evidence(255 * forward_model.residual(x, y), None if expected is None else 255 * expected)


class Tally:
    """Sums over a denoised image, block by block.

    Stein's unbiased risk estimate (1981, doi:10.1214/aos/1176345632) of the squared error of f(y), y = x + N(0, σ²), is
    |y - f(y)|² - σ² + 2 σ² div f(y), here per value; σ² div is what ``JacobianSession`` gives.
    """

    def __init__(self, sigma: float, strength: float) -> None:
        self.sigma, self.strength = sigma / 255, strength
        self.values, self.squares, self.variance = 0, 0.0, 0.0

    def add(self, before: NDArray[np.float32], after: NDArray[np.float32], variance: NDArray[np.float32]) -> None:
        """Count in a block (h, w, C) and its variance (h, w)."""
        self.values += before.size
        self.squares += float(np.square(after - before, dtype=np.float64).sum())
        self.variance += before.shape[-1] * float(variance.sum(dtype=np.float64))

    def finish(self, *, known: bool) -> Evidence:
        """What there is.

        Args:
            known: Whether the noise is white and its level known.
        """
        squares, variance, noise = self.squares / self.values, self.variance / self.values, self.sigma**2
        residual, s = Evidence(255 * math.sqrt(squares), 255 * self.sigma), self.strength
        error = s**2 * squares + 2 * (s * variance + (1 - s) * noise) - noise
        if not known or error <= 0:
            return residual
        spread = math.sqrt((2 * noise**2 + 4 * noise * error) / self.values)
        return replace(residual, psnr=-10 * math.log10(error), margin=10 / math.log(10) * 1.96 * spread / error)
