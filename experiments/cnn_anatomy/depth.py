"""What depth does: how far a value sees, by counting, and how far it looks, by its gradient."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor
from torch.nn import functional as F

from experiments.cnn_anatomy.convolution import watching
from experiments.seed.figures import COLORS, save
from resolvent.networks.seed_unet import SeedUNet

__all__ = ["LAYERS", "draw", "interval", "measure", "positive", "square"]

Interval = tuple[int, int]

LAYERS = {"e1": 1, "e2": 2, "e3": 4, "middle": 8, "d3": 4, "d2": 2, "d1": 1}
"""In the order of the network, and how many pixels a step of each is."""

LABELS = {
    "e1": "first scale", "e2": "after 1 pooling", "e3": "after 2", "middle": "after 3, the middle",
    "d3": "enlarged once", "d2": "enlarged twice", "d1": "output",
}  # fmt: skip

SIDE = 264
"""Of the reflected picture, which the largest receptive field fits into."""

SEEN = (51.5, 211.5)
"""Part of it that the figure shows."""


def convolved(of: Interval, times: int) -> Interval:
    return of[0] - times, of[1] + times


def pooled(of: Interval) -> Interval:
    return 2 * of[0], 2 * of[1] + 1


def enlarged(of: Interval) -> Interval:
    """By the transposed convolution of stride 2, whose output 2i + k, k = 0, 1, 2, sees i."""
    return math.ceil((of[0] - 2) / 2), of[1] // 2


def interval(layer: str, at: int, skips: bool = True) -> Interval:
    """The first and the last pixel that the value ``at`` of one of LAYERS sees, along one axis, with no border near."""
    return _interval(layer, (at, at), skips)


def _interval(layer: str, of: Interval, skips: bool) -> Interval:
    if layer == "e1":
        return convolved(of, 3)
    if layer in ("e2", "e3", "middle"):
        below = {"e2": "e1", "e3": "e2", "middle": "e3"}[layer]
        return _interval(below, pooled(convolved(of, 3)), skips)
    level = int(layer[1])
    merged = convolved(of, 1)  # t3, of what is concatenated
    inner = _interval("middle" if level == 3 else f"d{level + 1}", enlarged(convolved(merged, 1)), skips)
    if not skips:
        return inner
    beside = _interval(f"e{level}", merged, skips)
    return min(inner[0], beside[0]), max(inner[1], beside[1])


def squared_gradient(network: SeedUNet, layer: str, at: tuple[int, int], x: Tensor) -> Tensor:
    """Squared gradient of the channels' sum at a row and column of a layer by (N, 3, H, W), summed: (H, W)."""
    x = x.clone().requires_grad_()
    with watching(network, (layer,)) as found:
        network(x)
    (gradient,) = torch.autograd.grad(found[layer][:, :, *at].sum(), x)
    return gradient.double().square().sum((0, 1))


def support(gradient: Tensor) -> Interval:
    """First and last column in which a gradient is not zero."""
    columns = torch.nonzero(gradient.sum(0)).flatten()
    return int(columns[0]), int(columns[-1])


def positive(network: SeedUNet) -> SeedUNet:
    """The same network with weights that let everything through, as a test of how it is connected."""
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("bias"):
                weight.zero_()
            else:
                weight.copy_(torch.rand_like(weight) / weight[0].numel())
    return network.eval()


def agreements(network: SeedUNet, skips: bool) -> list[tuple[str, Interval, Interval]]:
    """Interval and support of the gradient, of each layer at each place with regard to the pooling."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(4, 3, 32, SIDE, generator=generator)
    found = []
    for layer, stride in LAYERS.items():
        phases = 8 // stride if layer.startswith("d") else 1
        middle = SIDE // 2 // 8 * 8 // stride
        found += [
            (layer, interval(layer, at, skips), support(squared_gradient(network, layer, (16 // stride, at), x)))
            for at in range(middle, middle + phases)
        ]
    return found


def square(gradient: Tensor, at: int, share: float) -> int:
    """Side of the smallest square around a pixel that holds a share of a gradient."""
    whole = float(gradient.sum())
    for reach in range(max(gradient.shape)):
        part = gradient[max(at - reach, 0) : at + reach + 1, max(at - reach, 0) : at + reach + 1]
        if float(part.sum()) >= share * whole:
            return 2 * reach + 1
    return max(gradient.shape)


def reflected(x: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) of at least 89 pixels a side, reflected to SIDE."""
    before = [(SIDE - side) // 2 for side in x.shape[-2:]]
    after = [SIDE - side - b for side, b in zip(x.shape[-2:], before, strict=True)]
    return F.pad(x, (before[1], after[1], before[0], after[0]), mode="reflect")


def measure(networks: dict[str, SeedUNet], x: Tensor) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Receptive fields, how many of them the gradient confirms, and where the trained networks look.

    Returns:
        The report: for each network ``checked`` and ``equal``, and for each layer ``side``, of the receptive field, and
        ``90 %`` and ``99 %``, of the square that holds so much of the squared gradient. And the squared gradients of
        the outputs, for the figure.
    """
    padded = reflected(x)
    report: dict[str, Any] = {}
    gradients: dict[str, Tensor] = {}
    for name, network in networks.items():
        skips = bool(network.d1.skip)
        widths = (4, 4, 4, 8)
        checks = agreements(positive(SeedUNet("lite", dropout=0.0, widths=widths, skips=skips)), skips)
        rows: dict[str, dict[str, int]] = {}
        for layer, stride in LAYERS.items():
            at = SIDE // 2 // 8 * 8 // stride
            gradient = squared_gradient(network, layer, (at, at), padded)
            low, high = interval(layer, at, skips)
            center = at * stride + stride // 2
            rows[layer] = {
                "side": high - low + 1, "90 %": square(gradient, center, 0.9), "99 %": square(gradient, center, 0.99),
            }  # fmt: skip
            gradients[name] = gradient
        report[name] = {"checked": len(checks), "equal": sum(a == b for _, a, b in checks), "layers": rows}
    return report, gradients


def draw(path: Path, x: Tensor, report: dict[str, Any], gradients: dict[str, Tensor]) -> None:
    """Draw the receptive fields on a picture (1, 3, H, W), where the outputs look, and both as bars."""
    sheet = Figure(figsize=(9.6, 6.2), layout="constrained")
    upper, lower = sheet.subfigures(2, 1, height_ratios=(10, 9))
    panels = upper.subplots(1, 3)
    panels[0].imshow(reflected(x)[0].permute(1, 2, 0).numpy(), interpolation="nearest")
    panels[0].set_title("receptive fields of the encoder,\nand of the output (dashed)", fontsize=9)
    middle = SIDE // 2 // 8 * 8
    for layer in ("e1", "e2", "e3", "middle", "d1"):
        low, high = interval(layer, middle // LAYERS[layer])
        edge = "--" if layer == "d1" else "-"
        panels[0].add_patch(
            Rectangle((low - 0.5, low - 0.5), high - low + 1, high - low + 1, fill=False, edgecolor="white",
                      linestyle=edge, linewidth=1.2)
        )  # fmt: skip
    titles = {"skips": "with skip connections", "no skips": "trained without"}
    for ax, (name, gradient) in zip(panels[1:], gradients.items(), strict=True):
        relative = (gradient / gradient.max()).numpy()
        shown = ax.imshow(np.maximum(relative, 1e-9), cmap="magma", norm=LogNorm(1e-8, 1), interpolation="nearest")
        low, high = interval("d1", middle, name == "skips")
        side = report[name]["layers"]["d1"]["90 %"]
        for first, length, style in ((low, high - low + 1, "--"), (middle - side // 2, side, "-")):
            ax.add_patch(
                Rectangle((first - 0.5, first - 0.5), length, length, fill=False, edgecolor="white", linestyle=style,
                          linewidth=1)
            )  # fmt: skip
        ax.set_title(f"squared gradient of an output pixel,\n{titles[name]}", fontsize=9)
    upper.colorbar(shown, ax=panels[2], shrink=0.8, ticks=[1e-8, 1e-6, 1e-4, 1e-2, 1])
    for ax in panels:
        ax.set(xticks=[], yticks=[], xlim=SEEN, ylim=SEEN[::-1])
    ax = lower.subplots()
    places = np.arange(len(LAYERS))[::-1]
    rows = report["skips"]["layers"]
    ax.barh(places, [rows[layer]["side"] for layer in LAYERS], height=0.62, color="#d9dde1", label="receptive field")
    for offset, name, color in ((0.15, "skips", COLORS[0]), (-0.15, "no skips", COLORS[1])):
        values = [report[name]["layers"][layer]["90 %"] for layer in LAYERS]
        ax.barh(places + offset, values, height=0.26, color=color, label=f"90 % of the gradient, {titles[name]}")
    for place, layer in zip(places, LAYERS, strict=True):
        ax.annotate(str(rows[layer]["side"]), (rows[layer]["side"], place), xytext=(4, 0), textcoords="offset points",
                    va="center", fontsize=8)  # fmt: skip
    ax.set_yticks(places, [LABELS[layer] for layer in LAYERS])
    ax.set_xlabel("side of the square, pixels")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, loc="upper right")
    save(sheet, path, dpi=110)
