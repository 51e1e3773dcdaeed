"""A trained denoiser as a building block: an image and a noise level in, the cleaner image out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resolvent.errors import UsageError
from resolvent.inference.runtime import open_session
from resolvent.inference.stitch import Box, Runner
from resolvent.inference.tiles import SMALLEST_TILE, largest_tile, reflected

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Denoiser"]

AREA = 768 * 768
"""Pixels that one run of the model sees at most."""


class Denoiser:
    """A model with a noise-level input, on images of any size, tile by tile.

    Args:
        model: Name of a bundled model, or a model file.
        runtime: See ``open_session``.

    Raises:
        UsageError: The model takes no noise level.
    """

    def __init__(self, model: str | Path = "denoise-white", runtime: str = "auto") -> None:
        self.session = open_session(model, runtime)
        card = self.session.card
        if not card.noise_level:
            raise UsageError(f"model {card.name!r}: takes no noise level; give one that does, such as denoise-white")
        self.schedule = card.schedule
        self.low, self.high = card.sigma_range or (0.0, 255.0)

    def __call__(self, x: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        """Denoise (H, W, C), C = 1 or 3, whose noise has this standard deviation in gray levels."""
        height, width, channels = x.shape
        card = self.session.card
        level = min(max(sigma, self.low), self.high) / 255

        def read(box: Box) -> NDArray[np.float32]:
            part = x[box.slices()]
            tensor = np.full((1, 4, *part.shape[:2]), level, np.float32)
            tensor[0, :3] = part.transpose(2, 0, 1)
            return tensor

        sides = reflected(height, card.multiple), reflected(width, card.multiple)
        tile = largest_tile(AREA, *sides, card.halo, card.multiple) or SMALLEST_TILE
        result = np.empty((height, width, 3), np.float32)
        for box, values in Runner(self.session).blocks(read, height, width, tile):
            result[box.slices()] = values.transpose(1, 2, 0)
        return result if channels == 3 else result.mean(2, keepdims=True)
