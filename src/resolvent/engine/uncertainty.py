"""How far a restored image may be from the truth, pixel by pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.image import Image
    from resolvent.inference.stitch import Box

__all__ = ["FAINT", "NINE_OF_TEN", "RED", "STRONG", "Uncertainty", "Widths", "visible"]

NINE_OF_TEN = math.log(10)
"""|e| < b ln 10 holds for nine of ten errors e of a Laplace distribution of scale b."""

FAINT, STRONG = 8.0, 32.0
"""Half-widths in gray levels of 255 from which an overlay turns red, and at which it is red."""

RED = (FAINT + STRONG) / 2

LARGEST = np.iinfo(np.uint16).max


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """An interval for each pixel: on average nine of ten values lie within ``half_width`` of the truth.

    Attributes:
        steps: uint16 (H, W), the half-widths in steps of 1/256 of a gray level of 255; the largest of the colors. The
            largest number stands for itself and all above, 0 for pixels that are fully transparent and did not change.
        basis: What the intervals rest on, in a sentence.
    """

    steps: NDArray[np.uint16]
    basis: str

    @property
    def half_width(self) -> NDArray[np.float32]:
        """float32 (H, W), in gray levels of 255."""
        return self.steps.astype(np.float32) * np.float32(1 / 256)

    def to_json(self) -> dict[str, float | str]:
        """The median, the 90th percentile and the share of the red areas."""
        median, high = (float(value) / 256 for value in np.percentile(self.seen, [50, 90]))
        return {
            "median": round(median, 2),
            "percentile_90": round(high, 2),
            "red_share": round(self.red_share, 4),
            "basis": self.basis,
        }

    @property
    def red_share(self) -> float:
        """Share of the pixels whose half-width is RED or more."""
        return float((self.seen >= 256 * RED).mean())

    @property
    def seen(self) -> NDArray[np.uint16]:
        """The steps of the pixels that are not fully transparent."""
        return self.steps[visible(self.steps)]

    def __str__(self) -> str:
        """For a person."""
        width, red = float(np.median(self.seen)) / 256, 100 * self.red_share
        text = f"9 of 10 pixels are within ±w of the truth, w {width:.{0 if width >= 2 else 1}f} of 255 at the median"
        if red >= 0.05:
            text += f", {RED:.0f} or more in the red areas ({red:.{0 if red >= 1 else 1}f} %)"
        return f"{text}; {self.basis}"


def visible(widths: NDArray[Any]) -> NDArray[np.bool_]:
    """Which pixels are not fully transparent: the half-width of those is 0, unless that of all is."""
    return widths > 0 if widths.any() else widths == 0


class Widths:
    """The half-widths while they are put together, block by block.

    Args:
        image: That is restored.
        scale: By how much the result is larger.
        strength: At which the result is blended with the image.
    """

    def __init__(self, image: Image, scale: int, strength: float) -> None:
        self.image, self.strength, self.scale = image, strength, scale
        self.rounding = 0.0 if image.depth == 32 else 0.5 / (image.value_range.high - image.value_range.low)
        self.steps = np.empty((scale * image.height, scale * image.width), np.uint16)

    def put(self, box: Box, restored: NDArray[np.float32], half_width: NDArray[np.float32]) -> None:
        """Take what the model says of a box of the image.

        The interval around the model's result is moved, by what blending moves that, and widened by as much.

        Args:
            box: Of the image.
            restored: (scale * h, scale * w, C), by the model.
            half_width: (scale * h, scale * w), around that, in the unit of the image.
        """
        width = half_width + self.rounding
        if self.strength < 1:
            before = self.image.read(*box)
            result = restored.mean(2, keepdims=True) if self.image.channels == 1 else restored
            width = width + (1 - self.strength) * np.abs(np.clip(result, 0, 1) - before).max(axis=2)
        steps = np.minimum(np.ceil(256 * 255 * width), LARGEST)
        if self.image.alpha is not None and self.scale == 1:
            steps[self.image.alpha[box.slices()] == 0] = 0
        self.steps[box.slices(self.scale)] = steps

    def finish(self, basis: str) -> Uncertainty:
        """Give the whole; ``basis`` as of that."""
        return Uncertainty(self.steps, basis)
