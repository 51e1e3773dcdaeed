"""What the decoders start from: HOG, and three layers of the bundled denoiser."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from resolvent.errors import UsageError
from resolvent.models.export import load_module
from resolvent.networks.unet import UNet

__all__ = ["FEATURES", "MODEL", "SIGMA", "Layers", "hog_cells"]

CELL = 8
"""Side of a cell of HOG in pixels."""

MODEL = "denoise"
SIGMA = 15.0
"""Noise level in gray levels that the denoiser is told, of a photograph without noise."""


@dataclass(frozen=True)
class Feature:
    """One entry of FEATURES.

    Attributes:
        label: For tables and figures.
        channels: How many numbers it holds at each place.
        stride: Pixels from one place to the next.
    """

    label: str
    channels: int
    stride: int

    def numbers(self, side: int) -> int:
        """How many numbers describe a square crop."""
        return self.channels * (side // self.stride) ** 2


FEATURES = {
    "hog unsigned": Feature("HOG without signs", 36, CELL),
    "hog": Feature("HOG", 72, CELL),
    "middle": Feature("denoiser, middle", 256, 8),
    "skip 2": Feature("denoiser, skip 2", 64, 2),
    "skip 1": Feature("denoiser, skip 1", 32, 1),
}


def hog_cells(x: Tensor, *, signed: bool = True) -> Tensor:
    """Histograms of oriented gradients (Dalal and Triggs, 2005, doi:10.1109/CVPR.2005.177), as scikit-image has them.

    Args:
        x: (N, 3, H, W) in [0, 1], H and W multiples of 8. The gradient is that of the channel where it is largest.
        signed: Count 18 directions, from dark to bright, instead of 9 orientations, which scikit-image counts.

    Returns:
        (N, 4 * 18, H/8, W/8) or (N, 4 * 9, H/8, W/8): the histogram of each cell, normalized by each of the four blocks
        of 2x2 cells that it belongs to; 0 for a block that would reach over the border.
    """
    bins, turn = (18, 360.0) if signed else (9, 180.0)
    down, across = torch.zeros_like(x), torch.zeros_like(x)
    down[:, :, 1:-1] = x[:, :, 2:] - x[:, :, :-2]
    across[..., 1:-1] = x[..., 2:] - x[..., :-2]
    strength, channel = torch.hypot(down, across).max(1, keepdim=True)
    angle = torch.rad2deg(torch.atan2(down.gather(1, channel), across.gather(1, channel))) % turn
    which = (angle * (bins / turn)).long().clamp_max(bins - 1)
    votes = torch.zeros_like(x[:, :1]).repeat(1, bins, 1, 1).scatter_(1, which, strength)
    cells = F.avg_pool2d(votes, CELL)
    rows, columns = cells.shape[-2:]
    corners = [(i, j) for i in range(2) for j in range(2)]
    blocks = torch.stack([cells[..., i : rows - 1 + i, j : columns - 1 + j] for i, j in corners], 1)
    for limit in (0.2, None):
        blocks = blocks / (blocks.square().sum((1, 2), keepdim=True) + 1e-10).sqrt()
        blocks = blocks.clamp_max(limit) if limit else blocks
    by_block = torch.zeros(len(x), 4, bins, rows, columns)
    for number, (i, j) in enumerate(corners):
        by_block[:, number, :, i : rows - 1 + i, j : columns - 1 + j] = blocks[:, number]
    return by_block.flatten(1, 2)


class Layers:
    """The encoder of the bundled denoiser, fixed."""

    def __init__(self, model: str = MODEL) -> None:
        network, card = load_module(model)
        if not isinstance(network, UNet) or not card.noise_level:
            raise UsageError(f"{model!r}: not a U-Net that is told the noise level; give denoise")
        self.network = network.requires_grad_(False)

    def __call__(self, x: Tensor, last: str = "middle") -> dict[str, Tensor]:
        """Give ``skip 1``, ``skip 2``, ... and ``middle`` of (N, 3, H, W), H and W multiples of 8, up to ``last``."""
        told = torch.full_like(x[:, :1], SIGMA / 255)
        net, layers = self.network, {}
        features = net.head(F.pixel_unshuffle(torch.cat([x, told], 1), net.fold))
        for level, (encode, down) in enumerate(zip(net.encoder, net.down, strict=True), 1):
            features = layers[f"skip {level}"] = encode(features)
            if last == f"skip {level}":
                return layers
            features = down(features)
        layers["middle"] = net.middle(features)
        return layers

    def feature(self, name: str, x: Tensor) -> Tensor:
        """One of FEATURES of (N, 3, H, W), without a gradient."""
        if name in ("hog", "hog unsigned"):
            return hog_cells(x, signed=name == "hog")
        with torch.no_grad():
            return self(x, name)[name]
