"""The up-convolutional decoder, its objectives and its training."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.inversion.features import FEATURES, Layers
from resolvent.training.data import Shard

__all__ = ["OBJECTIVES", "SIDE", "Decoder", "Objective", "Run", "objective", "train"]

SIDE = 64
"""Side of a crop in pixels."""

BATCH, RATE, WARMUP = 16, 2e-3, 50
SAVE_EVERY = 100
COMPARED = ("skip 2", "skip 3", "middle")
"""Layers in which the perceptual objective compares."""

PIXEL_WEIGHT = 1.0
"""Of the mean squared error in the perceptual objective, beside the relative feature distance."""

Objective = Callable[[Tensor, Tensor], Tensor]
"""(restored, clean), both (N, 3, H, W), to the loss."""


def mse(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean squared error of the pixels: its best answer is the mean of all pictures that have these features."""
    return F.mse_loss(restored, clean)


def perceptual(layers: Layers) -> Objective:
    """Squared distance in the denoiser's encoder, relative to the features' own square, and that of the pixels.

    This is DeePSiM (Dosovitskiy and Brox, 2016, arXiv:1602.02644) without its discriminator.
    """

    def loss(restored: Tensor, clean: Tensor) -> Tensor:
        ours = layers(restored)
        with torch.no_grad():
            theirs = layers(clean)
        distances = [F.mse_loss(ours[name], theirs[name]) / theirs[name].square().mean() for name in COMPARED]
        return PIXEL_WEIGHT * F.mse_loss(restored, clean) + torch.stack(distances).mean()

    return loss


OBJECTIVES: dict[str, Callable[[Layers], Objective]] = {"mse": lambda layers: mse, "perceptual": perceptual}


def objective(name: str, layers: Layers) -> Objective:
    """One of OBJECTIVES."""
    return OBJECTIVES[name](layers)


class Decoder(nn.Module):
    """3x3 convolutions at the size of the features, then 4x4 transposed ones of stride 2 up to the size of the picture.

    Args:
        channels: Of the features.
        stride: Pixels from one place of the features to the next, a power of 2.
        width: Channels at a stride of 8; a half at each doubling, but ``narrowest`` at least.
        narrowest: Channels at the finest scale.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, channels: int, stride: int, width: int = 128, narrowest: int = 32) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("scale", torch.ones(channels, 1, 1))
        ups = int(math.log2(stride))
        widths = [max(narrowest, width // 2 ** (3 - left)) for left in range(ups, -1, -1)]
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 3, padding=1), nn.LeakyReLU(0.2)]
        layers += [nn.Conv2d(widths[0], widths[0], 3, padding=1), nn.LeakyReLU(0.2)]
        for wide, narrow in pairwise(widths):
            layers += [nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
            layers += [nn.Conv2d(narrow, narrow, 3, padding=1), nn.LeakyReLU(0.2)]
        layers.append(nn.Conv2d(widths[-1], 3, 3, padding=1))
        self.layers = nn.Sequential(*layers)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight, 0.2)
                nn.init.zeros_(module.bias)
        layers[-1].weight.data.mul_(0.1)

    def calibrate(self, features: Tensor) -> None:
        """Take the mean and the standard deviation of each channel from features, to normalize by."""
        self.mean = features.mean((0, 2, 3))[:, None, None]
        self.scale = features.std((0, 2, 3)).clamp_min(1e-6)[:, None, None]

    def forward(self, features: Tensor) -> Tensor:
        picture: Tensor = self.layers((features - self.mean) / self.scale)
        return 0.5 + picture


@dataclass(frozen=True)
class Run:
    """A decoder and how it is trained.

    Attributes:
        feature: A key of FEATURES.
        objective: A key of OBJECTIVES.
        steps: Updates.
    """

    feature: str
    objective: str
    steps: int

    @property
    def name(self) -> str:
        """For files and keys."""
        return f"{self.feature}, {self.objective}"

    def path(self, work: Path) -> Path:
        """Its checkpoint."""
        return work / f"{self.name.replace(', ', '-').replace(' ', '')}.pt"


def crops(shard: Shard, generator: torch.Generator, count: int) -> Tensor:
    """Draw crops, (count, 3, 64, 64), each of another photograph or place."""
    return shard.patches(torch.randint(len(shard), (count,), generator=generator), SIDE, generator, flips=True)


def rate(step: int, steps: int, peak: float) -> float:
    """Cosine to zero after a short linear warm-up."""
    return peak * min(1.0, (step + 1) / WARMUP) * 0.5 * (1 + math.cos(math.pi * step / steps))


def train(
    run: Run, shard: Shard, layers: Layers, work: Path, *, reached: bool = False
) -> tuple[Decoder, dict[str, Any]]:
    """Train a decoder to its end, or go on where it was stopped; a perceptual one starts from that of ``mse``.

    Args:
        run: What to train.
        shard: Photographs to draw crops from.
        layers: The denoiser.
        work: Folder of the checkpoints.
        reached: Take it as far as it has come.

    Returns:
        The decoder; and ``steps``, CPU ``seconds`` and ``losses``, (step, loss, PSNR in dB) by the hundred.
    """
    feature = FEATURES[run.feature]
    torch.manual_seed(0)
    decoder = Decoder(feature.channels, feature.stride)
    optimizer = torch.optim.Adam(decoder.parameters(), betas=(0.9, 0.99))
    book: dict[str, Any] = {"steps": 0, "seconds": 0.0, "losses": []}
    peak, path = RATE, run.path(work)
    first = Run(run.feature, "mse", run.steps).path(work)
    if run.objective != "mse":
        decoder.load_state_dict(torch.load(first, weights_only=True)["decoder"])
        peak = RATE / 4
    elif not path.exists():
        decoder.calibrate(layers.feature(run.feature, crops(shard, torch.Generator().manual_seed(2**40), 128)))
    if path.exists():
        saved = torch.load(path, weights_only=True)
        decoder.load_state_dict(saved["decoder"])
        optimizer.load_state_dict(saved["optimizer"])
        book = saved["book"]
    loss_function = objective(run.objective, layers)
    began, before = time.process_time(), book["seconds"]
    sums = torch.zeros(2, dtype=torch.float64)
    for step in range(book["steps"], 0 if reached else run.steps):
        clean = crops(shard, torch.Generator().manual_seed(step), BATCH)
        for group in optimizer.param_groups:
            group["lr"] = rate(step, run.steps, peak)
        restored = decoder(layers.feature(run.feature, clean))
        loss = loss_function(restored, clean)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimizer.step()
        sums += torch.stack([loss.detach(), F.mse_loss(restored.detach(), clean)])
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == run.steps:
            done = step + 1 - book["steps"]
            psnr = -10 * math.log10(float(sums[1]) / done)
            book["losses"].append([step + 1, float(sums[0]) / done, psnr])
            book |= {"steps": step + 1, "seconds": before + time.process_time() - began}
            sums.zero_()
            print(f"{run.name}: {step + 1} steps, {book['seconds']:.0f} s, training {psnr:.2f} dB", flush=True)
            save({"decoder": decoder.state_dict(), "optimizer": optimizer.state_dict(), "book": book}, path)
    return decoder.eval(), book


def save(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    torch.save(state, partial)
    partial.replace(path)
