"""Fading: what light and time bleach."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from resolvent.degradations.base import Degradation, Pixels
from resolvent.parameters import Choice, Number, Range, values_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Fading"]

CAST = (0.0, 0.3, 1.0)
"""Of the cast, what red, green and blue lose: yellow to brown."""


@dataclass(frozen=True)
class Fading(Degradation):
    """Bleached and yellowed: in channel c, y = (1 - k_c cast) (lift + contrast x), k = 0, 0.3, 1 for red, green, blue.

    Not clipped. A gray photograph has no cast.

    Attributes:
        contrast: What is left of it.
        lift: Where black has risen to.
        cast: What blue loses.
        uneven: Share of the contrast that is lost from one side of the photograph to the other, in a random direction.
    """

    name = "fading"
    examples = ("fading", "fading:uneven=0.4", "fading:contrast=0.3..1,lift=0..0.2,cast=0..0.5")
    contrast: float | Range | Choice = field(default=0.7, metadata={"kind": Number(0, 1, above=True)})
    lift: float | Range | Choice = field(default=0.12, metadata={"kind": Number(0, 1)})
    cast: float | Range | Choice = field(default=0.15, metadata={"kind": Number(0, 1)})
    uneven: float | Range | Choice = field(default=0.0, metadata={"kind": Number(0, 1)})

    @property
    def random(self) -> bool:
        """Whether the direction of the uneven loss is random."""
        return max(values_of(self.uneven)) > 0

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        contrast: Any = numbers["contrast"]
        if self.random:
            rows, columns = (np.linspace(-1, 1, side, dtype=np.float32) for side in image.shape[:2])
            angle = 2 * math.pi * rng.random()
            slope = (rows[:, None] * math.sin(angle) + columns * math.cos(angle)) / math.sqrt(2)
            contrast = contrast * (1 - numbers["uneven"] * (0.5 + 0.5 * slope))[..., None]
        gain = 1 - numbers["cast"] * np.array(CAST)
        faded = (numbers["lift"] + contrast * image) * (gain if image.shape[2] == 3 else 1)
        return np.asarray(faded, np.float32)

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        import torch

        from resolvent.degradations import tensors

        contrast = tensors.column(numbers["contrast"])
        if self.random:
            rows, columns = (torch.linspace(-1, 1, side, device=x.device) for side in x.shape[2:])
            angle = tensors.column(2 * math.pi * tensors.uniform((len(x),), generator, x.device))
            slope = (rows[:, None] * torch.sin(angle) + columns * torch.cos(angle)) / math.sqrt(2)
            contrast = contrast * (1 - tensors.column(numbers["uneven"]) * (0.5 + 0.5 * slope))
        faded = tensors.column(numbers["lift"]) + contrast * x
        if x.shape[1] == 3:
            faded = faded * (1 - tensors.column(numbers["cast"]) * torch.tensor(CAST, device=x.device)[:, None, None])
        return faded
