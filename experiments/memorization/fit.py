"""Fit the founding paper's U-Net to pairs of a degraded photograph and a target that may have nothing to do with it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from experiments.seed.measure import degraded, tensor
from resolvent.degradations import parse
from resolvent.evaluation.metrics import psnr
from resolvent.methods.untrained.fit import seeded
from resolvent.networks.seed_unet import WIDTHS, SeedUNet

__all__ = ["TARGETS", "WIDTHS_OF", "Form", "fit", "pairs", "shrink", "variance"]

Images = NDArray[np.float32]
"""(N, H, W, 3)."""

TARGETS = {
    "true": "true pairs",
    "permuted": "permuted: the next photograph",
    "shuffled": "pixels shuffled",
    "noise": "uniform noise",
}

WIDTHS_OF = {"quarter": (8, 16, 32, 192), "half": (16, 32, 64, 384), "whole": WIDTHS["lite"]}
"""Of ``seed_unet-lite``: 0.9, 3.7 and 15 million parameters."""


@dataclass(frozen=True)
class Form:
    """How large a run is.

    Attributes:
        side: Of the photographs, in pixels; 128 or a divisor.
        pairs: Photographs to learn.
        batch: Pairs of an update.
        updates: Of Adam at 0.001.
        widths: A key of WIDTHS_OF.
        dropout: Probability.
        degradation: Of the inputs.
        every: Updates between two measurements.
        seed: Of the weights, the dropout, the order of the pairs and the random targets.
    """

    side: int = 32
    pairs: int = 16
    batch: int = 16
    updates: int = 480
    widths: str = "whole"
    dropout: float = 0.0
    degradation: str = "blur:ksize=5 + quantize"
    every: int = 10
    seed: int = 0

    @property
    def name(self) -> str:
        """For a file."""
        return "-".join(str(value) for value in asdict(self).values()).replace(" ", "").replace(":", "-")


def shrink(photographs: Images, side: int) -> Images:
    """Average blocks of pixels, down to (N, side, side, 3)."""
    n, height, _, channels = photographs.shape
    by = height // side
    blocks = photographs.reshape(n, side, by, side, by, channels)
    return np.ascontiguousarray(blocks.mean((2, 4)), np.float32)


def pairs(clean: Images, kind: str, degradation: str, seed: int = 0) -> tuple[Images, Images]:
    """Degraded photographs and their targets of a kind, a key of TARGETS.

    Permuted targets are each the next photograph, so that no pair is true. Shuffled ones are the true ones with their
    pixels moved about, the three values of each together, by one permutation for all photographs. Noise is uniform in
    [0, 1).
    """
    inputs = degraded(clean, parse(degradation))
    rng = np.random.default_rng(seed)
    if kind == "permuted":
        return inputs, np.roll(clean, -1, axis=0)
    if kind == "shuffled":
        n, height, width, channels = clean.shape
        order = rng.permutation(height * width)
        return inputs, clean.reshape(n, -1, channels)[:, order].reshape(clean.shape)
    return inputs, rng.random(clean.shape, np.float32) if kind == "noise" else clean


def variance(targets: Images) -> float:
    """Mean square of what the best single color leaves of the targets."""
    return float(targets.var(axis=(0, 1, 2), dtype=np.float64).mean())


def fit(clean: Images, held: Images, kind: str, form: Form) -> dict[str, Any]:
    """Train on pairs of a kind, and measure on them and on true pairs of other photographs.

    Args:
        clean: (form.pairs, side, side, 3) in [0, 1].
        held: (M, side, side, 3), other photographs.
        kind: A key of TARGETS.
        form: How.

    Returns:
        ``curve``, of (update, MSE over the training pairs relative to the variance of the targets, mean PSNR in dB of
        the restored other photographs), both without dropout; the relative MSE and the PSNR of the inputs as they are;
        the variance; the parameters; CPU seconds; and the first input, its target and the output for it in 8 bits.
    """
    inputs, targets = (tensor(images) for images in pairs(clean, kind, form.degradation, form.seed))
    scale = variance(_images(targets))
    blurred = tensor(degraded(held, parse(form.degradation)))
    began = time.process_time()
    with seeded(form.seed):
        network = SeedUNet("lite", widths=WIDTHS_OF[form.widths], dropout=form.dropout)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        curve = [_measure(0, network, inputs, targets, scale, blurred, held)]
        order: list[int] = []
        for update in range(1, form.updates + 1):
            if len(order) < form.batch:
                order = torch.randperm(len(inputs)).tolist()
            chosen, order = order[: form.batch], order[form.batch :]
            network.train()
            loss = F.mse_loss(network(inputs[chosen]), targets[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if update % form.every == 0 or update == form.updates:
                curve.append(_measure(update, network, inputs, targets, scale, blurred, held))
    return {
        "curve": curve,
        "identity": float(F.mse_loss(inputs, targets)) / scale,
        "identity_psnr": _psnr(blurred, held),
        "variance": scale,
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "seconds": round(time.process_time() - began),
        "example": [_bytes(image) for image in (inputs[:1], targets[:1], _outputs(network, inputs[:1]))],
    }


def _measure(
    update: int, network: SeedUNet, inputs: Tensor, targets: Tensor, scale: float, blurred: Tensor, held: Images
) -> tuple[int, float, float]:
    mse = float(F.mse_loss(_outputs(network, inputs), targets))
    return update, mse / scale, _psnr(_outputs(network, blurred), held)


def _outputs(network: SeedUNet, inputs: Tensor) -> Tensor:
    network.eval()
    with torch.inference_mode():
        return torch.cat([network(part) for part in inputs.split(10)])


def _psnr(restored: Tensor, truth: Images) -> float:
    shown = np.clip(_images(restored), 0, 1)
    return float(np.mean([psnr(x, t) for x, t in zip(shown, truth, strict=True)]))


def _images(x: Tensor) -> Images:
    return np.ascontiguousarray(x.numpy().transpose(0, 2, 3, 1))


def _bytes(x: Tensor) -> list[Any]:
    """(H, W, 3) from 0 to 255."""
    values: list[Any] = np.round(255 * np.clip(_images(x)[0], 0, 1)).astype(int).tolist()
    return values
