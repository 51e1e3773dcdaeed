"""The context that a network needs around a tile, measured: the theoretical receptive field is far too large."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from resolvent.models.card import ModelCard

__all__ = ["LIMIT", "TOLERANCE", "measure_halo", "textures"]

LIMIT = 96
"""Largest context that is tried, in pixels."""

TOLERANCE = 0.25 / 255
"""The largest difference that tiling may make in any value, in [0, 1]."""

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(N, C, H, W) to (N, outputs, scale·H, scale·W)."""


def measure_halo(network: Network, card: ModelCard, *, limit: int = LIMIT) -> int:
    """Measure the context that a tile needs: the least halo at which its core matches the whole image's.

    Measured on random textures from fine to coarse, with hard edges, at the weakest and the strongest noise level
    of the model, where a network that averages has the largest receptive field.

    Args:
        network: With its trained weights.
        card: For the channels, the multiple and the noise levels.
        limit: The answer where none is found up to here, in pixels; rounded up to a multiple of ``card.multiple``.

    Returns:
        Pixels, a multiple of ``card.multiple``, of 8 where that is less.
    """
    step = -(-8 // card.multiple) * card.multiple
    limit = -(-limit // step) * step
    side = 2 * limit + 16 * card.multiple
    s = card.scale
    core = slice(s * limit, s * (side - limit))
    x = textures(card, side)
    whole = network(x)[..., core, core]
    for halo in range(step, limit, step):
        cut = slice(limit - halo, side - limit + halo)
        part = network(np.ascontiguousarray(x[..., cut, cut]))[..., s * halo : -s * halo, s * halo : -s * halo]
        if float(np.abs(part - whole).max()) <= TOLERANCE:
            return halo
    return limit


def textures(card: ModelCard, side: int) -> NDArray[np.float32]:
    """Random textures as a model takes them, (N, card.inputs, side, side): fine and coarse, under each noise level."""
    generator = np.random.default_rng(0)
    inputs = []
    for grain in (4, 32):
        coarse = generator.random((card.channels, side // grain + 2, side // grain + 2), np.float32)
        rows, between = np.divmod(np.arange(side) / grain, 1)
        at, share = rows.astype(int), between.astype(np.float32)
        wide = coarse[..., at] * (1 - share) + coarse[..., at + 1] * share
        texture = wide[:, at] * (1 - share[:, None]) + wide[:, at + 1] * share[:, None]
        texture[..., side // 2 :] = texture[..., side // 2 :].round()
        for sigma in card.sigma_range or (0.0,):
            noisy = texture + sigma / 255 * generator.standard_normal(texture.shape, np.float32)
            level = np.full((int(card.noise_level), side, side), sigma / 255, np.float32)
            holes = np.float32(texture[: int(card.mask)] > 0.6)
            inputs.append(np.concatenate([noisy, level, holes], dtype=np.float32))
    return np.stack(inputs)
