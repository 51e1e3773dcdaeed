"""How near the decoded pictures are to the true ones, and how much of their detail they have."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from experiments.inversion.decoder import SIDE, Decoder
from experiments.inversion.features import Layers
from resolvent.evaluation.metrics import psnr
from resolvent.physics.resize import imresize_tensor
from resolvent.training.data import Shard

__all__ = ["BASELINES", "Scores", "decode", "held_crops", "score", "spectrum"]

BASELINES = {"gray": "mid-gray", "mean": "mean color of the crop", "thumbnail": "8x8 pixels, bicubic"}


def held_crops(shard: Shard, photographs: int) -> Tensor:
    """All crops of each photograph that do not overlap, (N, 3, 64, 64)."""
    side = int(shard.index[0, 1])
    whole = shard.patches(torch.arange(min(photographs, len(shard))), side, None)
    rows = whole.unfold(2, SIDE, SIDE).unfold(3, SIDE, SIDE)
    return rows.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, SIDE, SIDE).contiguous()


def decode(decoder: Decoder, feature: str, layers: Layers, clean: Tensor, batch: int = 32) -> Tensor:
    """Pictures from the features of crops."""
    with torch.no_grad():
        return torch.cat([decoder(layers.feature(feature, part)) for part in clean.split(batch)])


def baseline(name: str, clean: Tensor) -> Tensor:
    """What one of BASELINES makes of crops."""
    if name == "gray":
        return torch.full_like(clean, 0.5)
    if name == "mean":
        return clean.mean((2, 3), keepdim=True).expand_as(clean)
    return imresize_tensor(imresize_tensor(clean, shape=(8, 8), kernel="area"), shape=(SIDE, SIDE))


@dataclass(frozen=True)
class Scores:
    """Of decoded crops.

    Attributes:
        psnr: Mean over the crops, in dB.
        deviation: Its standard deviation over the crops.
        energy: Energy of the gradient, as a share of that of the true pictures.
        error: Energy of the gradient of the error, as a share of the same. For a conditional mean the two add up to 1:
            the error is orthogonal to everything that the features tell.
    """

    psnr: float
    deviation: float
    energy: float
    error: float


def gradient_energy(x: Tensor) -> float:
    """Sum of squared differences of neighbors, down and across."""
    return float(x.diff(dim=2).double().square().sum() + x.diff(dim=3).double().square().sum())


def score(restored: Tensor, clean: Tensor) -> Scores:
    """Compare pictures as they are, not clipped, but for the PSNR."""
    pairs = zip(clean.numpy(), restored.clamp(0, 1).numpy(), strict=True)
    values = [psnr(truth.transpose(1, 2, 0), picture.transpose(1, 2, 0)) for truth, picture in pairs]
    whole = gradient_energy(clean)
    return Scores(
        float(np.mean(values)),
        float(np.std(values)),
        gradient_energy(restored) / whole,
        gradient_energy(restored - clean) / whole,
    )


def spectrum(x: Tensor, bins: int = 16) -> list[float]:
    """Mean power of (N, 3, 64, 64) by spatial frequency, from 1/64 to 1/2 cycle a pixel, in equal steps."""
    side = x.shape[-1]
    window = torch.hann_window(side, periodic=False)
    centered = (x - x.mean((2, 3), keepdim=True)) * window[:, None] * window
    power = torch.fft.fft2(centered).abs().square().mean((0, 1))
    frequency = torch.fft.fftfreq(side)
    radius = torch.hypot(frequency[:, None], frequency[None])
    edges = torch.linspace(0.5 / side, 0.5, bins + 1)
    return [float(power[(radius >= low) & (radius < high)].mean()) for low, high in pairwise(edges)]
