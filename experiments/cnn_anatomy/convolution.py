"""What convolution does: its filters, what they respond to, and what a shift of the picture changes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.seed.figures import COLORS, QUIET, save
from resolvent import networks
from resolvent.networks.seed_unet import SeedUNet
from resolvent.training.recipe import Recipe

__all__ = ["SHIFTS", "STRIDES", "draw", "filters", "shift_errors"]

STRIDES = {"e1": 1, "e2": 2, "e3": 4, "middle": 8}
"""Layers of the encoder, and how many pixels a step of each is."""

SHIFTS = range(9)
MARGIN = 72
"""Pixels of reflection around the picture, so that the center of it sees no border."""

CENTER = 64


@contextmanager
def watching(network: nn.Module, names: tuple[str, ...]) -> Iterator[dict[str, Tensor]]:
    """Collect what the named layers give in the next forward pass."""
    found: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
        found[name] = output

    handles = [network.get_submodule(name).register_forward_hook(partial(keep, name)) for name in names]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def activations(network: SeedUNet, x: Tensor) -> dict[str, Tensor]:
    """The encoder's tensors and the output, each enlarged to the pixels of (N, 3, H, W) by repetition."""
    with watching(network, tuple(STRIDES)) as found, torch.inference_mode():
        output = network(x)
    enlarged = {
        name: found[name].repeat_interleave(stride, 2).repeat_interleave(stride, 3) for name, stride in STRIDES.items()
    }
    return enlarged | {"output": output}


def shift_errors(network: SeedUNet, x: Tensor) -> dict[str, list[float]]:
    """How far each tensor is from a shifted copy of itself when the picture shifts by 0 to 8 pixels.

    Pictures (N, 3, H, W) are reflected at their borders and a window slides across; the same 64 pixels of each window
    are compared. Of the output the distance is the RMS in gray levels, of the layers that over the standard deviation.
    """
    padded = F.pad(x, (MARGIN,) * 4, mode="reflect")
    size = [(side - max(SHIFTS)) // 8 * 8 for side in padded.shape[-2:]]
    top, left = ((side - CENTER) // 2 for side in size)
    squares: dict[str, list[float]] = {}
    energies: dict[str, float] = {}
    for picture in padded.split(1):
        still: dict[str, Tensor] = {}
        for i, shift in enumerate(SHIFTS):
            given = activations(network, picture[..., : size[0], shift : shift + size[1]])
            moved = {k: v[..., top : top + CENTER, left - shift : left - shift + CENTER] for k, v in given.items()}
            still = still or moved
            for name, part in moved.items():
                sums = squares.setdefault(name, [0.0] * len(SHIFTS))
                sums[i] += float((part - still[name]).double().square().mean())
                if i == 0:
                    spread = (part - part.mean((2, 3), keepdim=True)).double().square().mean()
                    energies[name] = energies.get(name, 0.0) + float(spread)
    of = {name: energies[name] for name in STRIDES} | {"output": len(x) / 255**2}
    return {name: [math.sqrt(value / of[name]) if value else 0.0 for value in sums] for name, sums in squares.items()}


def filters(network: SeedUNet, recipe: Recipe, x: Tensor) -> dict[str, list[float]]:
    """Of each filter of the first layer.

    Returns:
        ``mean``: share of its energy that is a mean color; 1/9 is expected of random weights. ``positive``: share of
        the pixels at which it passes the ReLU. ``moved``: distance from where training began, over the length there.
    """
    weight = network.e1.c1.weight.detach()
    torch.manual_seed(recipe.seed)
    begun = networks.build(recipe.network, **recipe.arguments).e1.c1.weight.detach()  # type: ignore[union-attr]
    with torch.inference_mode():
        positive = (network.e1.c1(x) > 0).float().mean((0, 2, 3))
    energy = weight.square().sum((1, 2, 3))
    mean = 9 * weight.mean((2, 3)).square().sum(1) / energy
    moved = (weight - begun).square().sum((1, 2, 3)).sqrt() / begun.square().sum((1, 2, 3)).sqrt()
    return {"mean": mean.tolist(), "positive": positive.tolist(), "moved": moved.tolist()}


def draw(path: Path, network: SeedUNet, x: Tensor, of: dict[str, list[float]], errors: dict[str, Any]) -> None:
    """Draw the filters, their responses to the first of the pictures, and the shift errors."""
    weight = network.e1.c1.weight.detach()
    with torch.inference_mode():
        responses = network.e1.c1(x[:1])[0]
    count = len(weight)
    sheet = Figure(figsize=(9.6, 6.0), layout="constrained")
    upper, lower = sheet.subfigures(2, 1, height_ratios=(5, 6))
    grid = upper.subplots(2, count + 1, squeeze=False)
    for ax in grid.flat:
        ax.set_xticks([])
        ax.set_yticks([])
        for side in ax.spines.values():
            side.set_visible(False)
    grid[0, 0].text(0.5, 0.5, "filter\n\n% of it\nmean color", ha="center", va="center", fontsize=8)
    grid[1, 0].imshow(x[0].permute(1, 2, 0).numpy(), interpolation="nearest")
    grid[1, 0].set_title("input", fontsize=8)
    for i in range(count):
        kernel = weight[i].permute(1, 2, 0).numpy()
        grid[0, i + 1].imshow(0.5 + 0.5 * kernel / np.abs(kernel).max(), interpolation="nearest")
        grid[0, i + 1].set_title(f"{100 * of['mean'][i]:.0f} %", fontsize=8)
        response = responses[i].numpy()
        limit = float(np.quantile(np.abs(response), 0.99))
        grid[1, i + 1].imshow(response, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        grid[1, i + 1].set_title(f"{100 * of['positive'][i]:.0f} % pass", fontsize=8)
    panels = lower.subplots(1, 2)
    names = {"e1": "first scale", "e2": "after 1 pooling", "e3": "after 2", "middle": "after 3"}
    for (name, label), color in zip(names.items(), COLORS, strict=False):
        share = [100 * value for value in errors["skips"][name]]
        panels[0].plot(SHIFTS, share, color=color, marker="o", markersize=3, linewidth=1.2, label=label)
    for (network_name, label), color in zip(
        {"skips": "with skip connections", "no skips": "trained without"}.items(), COLORS, strict=False
    ):
        panels[1].plot(SHIFTS, errors[network_name]["output"], color=color, marker="o", markersize=3, linewidth=1.2,
                       label=label)  # fmt: skip
    panels[0].set_title("encoder, % of the standard deviation", loc="left", fontsize=10)
    panels[1].set_title("output, gray levels", loc="left", fontsize=10)
    for ax in panels:
        ax.axhline(0, color=QUIET, linewidth=0.8)
        ax.set_xlabel("shift, pixels")
        ax.set_xticks(list(SHIFTS))
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_ylim(top=1.25 * ax.get_ylim()[1])
        ax.legend(frameon=False, fontsize=8, ncols=2, loc="upper left")
    save(sheet, path, dpi=110)
