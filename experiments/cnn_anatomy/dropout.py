"""What dropout does: passes that differ, and what the mean of many of them approaches."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import spearmanr
from torch import Tensor

from experiments.seed.figures import COLORS, QUIET, save
from resolvent.networks.seed_unet import Dropout, SeedUNet

__all__ = ["PASSES", "RATES", "draw", "measure", "passes"]

RATES = (0.05, 0.1, 0.2, 0.3, 0.5)
PASSES = 64
"""A power of two."""

SHOWN = (0.1, 0.2, 0.5)
TRAINED = 0.2


def passes(network: SeedUNet, x: Tensor, rate: float, count: int, seed: int = 0) -> Tensor:
    """Outputs (count, N, 3, H, W) with dropout of a rate, whatever the network was trained with."""
    drops = [module for module in network.modules() if isinstance(module, Dropout)]
    before = [module.dropped for module in drops]
    for module in drops:
        module.dropped = round(rate * 2**16)
        module.train()
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(seed)
            return torch.stack([network(x) for _ in range(count)])
    finally:
        for module, dropped in zip(drops, before, strict=True):
            module.dropped = dropped
            module.eval()


def measure(network: SeedUNet, degraded: Tensor, clean: Tensor) -> dict[str, dict[str, Any]]:
    """The spread and the distance of means from the network without dropout, for each of RATES.

    Returns:
        For each rate ``spread``, the standard deviation over passes s, as RMS over all values in gray levels;
        ``means``, how many passes T are averaged; ``distance``, RMS of their mean from the output without dropout, in
        gray levels; ``bias``, what remains of it without end, from the product of the deviations of two independent
        means, those of the spread's passes and of the distances'; ``rank``, the rank correlation of the spread of a
        pixel with its error; ``psnr`` of one pass, of the mean of all, and of none dropped, in dB.
    """
    with torch.inference_mode():
        without = network(degraded)
    results: dict[str, dict[str, Any]] = {}
    for rate in RATES:
        others = passes(network, degraded, rate, PASSES, seed=1).double()
        deviation, apart = others.std(0), others.mean(0) - without
        del others
        outputs = passes(network, degraded, rate, PASSES).double()
        spread = float(deviation.square().mean().sqrt())
        means = [2**i for i in range(int(math.log2(PASSES)) + 1)]
        grouped = [outputs.unflatten(0, (-1, count)).mean(1) for count in means]
        distance = [float((mean - without).square().mean().sqrt()) for mean in grouped]
        error = (without - clean).abs().mean(1)
        rank = spearmanr(deviation.mean(1).flatten().numpy(), error.flatten().numpy()).statistic
        results[str(rate)] = {
            "spread": 255 * spread,
            "means": means,
            "distance": [255 * value for value in distance],
            "bias": 255 * math.sqrt(max(float((apart * (outputs.mean(0) - without)).mean()), 0.0)),
            "rank": float(rank),
            "psnr": [decibels(outputs[0], clean), decibels(outputs.mean(0), clean), decibels(without, clean)],
        }
    return results


def decibels(x: Tensor, clean: Tensor) -> float:
    """Mean PSNR of the pictures, as a file would hold them."""
    errors = (x.clamp(0, 1) - clean).double().square().mean((1, 2, 3))
    return float((-10 * errors.log10()).mean())


def draw(path: Path, network: SeedUNet, degraded: Tensor, clean: Tensor, results: dict[str, dict[str, Any]]) -> None:
    """Draw a picture (1, 3, H, W) without, one pass, the spread, and the curves."""
    outputs = passes(network, degraded, TRAINED, PASSES)
    with torch.inference_mode():
        without = network(degraded)
    error = (without - clean).abs()
    spread = outputs.std(0)
    sheet = Figure(figsize=(9.6, 5.9), layout="constrained")
    upper, lower = sheet.subfigures(2, 1, height_ratios=(4, 5))
    shown = (
        ("without dropout", without), (f"one pass, rate {TRAINED}", outputs[0]),
        (f"mean of {PASSES} passes", outputs.mean(0)), ("spread, 6 times", 6 * spread), ("error, 6 times", 6 * error),
    )  # fmt: skip
    for ax, (title, picture) in zip(upper.subplots(1, len(shown)), shown, strict=True):
        ax.imshow(picture[0].clamp(0, 1).permute(1, 2, 0).numpy(), interpolation="nearest")
        ax.set_title(title, fontsize=9)
        ax.set_axis_off()
    left, right = lower.subplots(1, 2)
    left.plot(RATES, [results[str(rate)]["spread"] for rate in RATES], color=COLORS[0], marker="o", markersize=3,
              label="spread of passes")  # fmt: skip
    left.plot(RATES, [results[str(rate)]["bias"] for rate in RATES], color=COLORS[1], marker="o", markersize=3,
              label="distance that stays")  # fmt: skip
    left.set_xlabel("rate of dropout")
    left.set_ylabel("gray levels")
    left.set_ylim(bottom=0)
    left.legend(frameon=False, fontsize=8)
    for rate, color in zip(SHOWN, COLORS, strict=False):
        row = results[str(rate)]
        means = np.array(row["means"])
        right.loglog(means, row["distance"], color=color, marker="o", markersize=3, linewidth=1.2, label=f"rate {rate}")
        right.loglog(means, row["spread"] / np.sqrt(means), color=color, linestyle="--", linewidth=0.9)
    right.plot([], [], color=QUIET, linestyle="--", linewidth=0.9, label="spread / √T")
    right.set_xlabel("T, passes that are averaged")
    right.set_ylabel("distance from no dropout, gray levels")
    right.set_xticks(means, [str(count) for count in means])
    right.minorticks_off()
    right.set_yticks([0.5, 1, 2, 5, 10], ["0.5", "1", "2", "5", "10"])
    right.legend(frameon=False, fontsize=8)
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    save(sheet, path, dpi=110)
