"""A trained denoiser as a building block: an image and a noise level in, the cleaner image out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resolvent.errors import UsageError
from resolvent.models.runtime import open_session

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Denoiser"]

STRIP = 512 * 512
"""Pixels that one run of the model sees, about, without its context."""


class Denoiser:
    """A model that is told the noise level, on images of any size, strip by strip.

    Args:
        model: Name of a bundled model, or a model file.
        runtime: See ``open_session``.

    Raises:
        UsageError: The model takes no noise level.
    """

    def __init__(self, model: str | Path = "denoise", runtime: str = "auto") -> None:
        self.session = open_session(model, runtime)
        card = self.session.card
        if not card.noise_level:
            raise UsageError(f"model {card.name!r}: takes no noise level; give one that does, such as denoise")
        self.low, self.high = card.sigma_range or (0.0, 255.0)

    def __call__(self, x: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        """Denoise (H, W, C), C = 1 or 3, whose noise has this standard deviation in grey levels."""
        height, width, channels = x.shape
        card = self.session.card
        sigma = min(max(sigma, self.low), self.high)
        rows = max(STRIP // width, card.multiple) // card.multiple * card.multiple
        halo = -(-card.halo // card.multiple) * card.multiple
        result = np.empty((height, width, 3), np.float32)
        for top in range(0, height, rows):
            first, last = max(top - halo, 0), min(top + rows + halo, height)
            part = self._run(x[first:last], sigma)
            result[top : top + rows] = part[top - first :][:rows]
        return result if channels == 3 else result.mean(2, keepdims=True)

    def _run(self, x: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        height, width = x.shape[:2]
        multiple = self.session.card.multiple
        padded = np.pad(x, ((0, -height % multiple), (0, -width % multiple), (0, 0)), mode="symmetric")
        tensor = np.empty((1, 4, *padded.shape[:2]), np.float32)
        tensor[0, :3] = padded.transpose(2, 0, 1)
        tensor[0, 3] = sigma / 255
        return self.session.run(tensor)[0, :, :height, :width].transpose(1, 2, 0)
