"""What skip connections do: each replaced by its mean over the picture, which holds no place."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn

from experiments.inversion.measure import spectrum
from experiments.seed.figures import COLORS, QUIET, save
from experiments.seed.measure import degraded, score, tensor
from experiments.seed.variants import BLURS, blur
from resolvent.degradations import parse
from resolvent.networks.seed_unet import SeedUNet

__all__ = ["draw", "high_power", "measure", "without_skips"]

MIDDLE = 4

CUTS: dict[str, tuple[int, ...]] = {
    "all skips": (),
    "skip 1 averaged": (1,),
    "skip 2 averaged": (2,),
    "skip 3 averaged": (3,),
    "skips averaged": (1, 2, 3),
    "middle averaged": (MIDDLE,),
}
"""Which skip connections are replaced; 1 is that of the whole size, MIDDLE what is below all."""

HIGH = 1 / 8
"""Cycles a pixel from which power counts as of high frequency."""

SHOWN_BLUR = 9


def without_skips(network: SeedUNet, x: Tensor, cut: Iterable[int], batch: int = 10) -> Tensor:
    """The output for (N, 3, H, W), with some skip connections, or the middle, replaced by spatial means."""

    def flatten(which: int, module: nn.Module, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        return tuple(x.mean((2, 3), keepdim=True).expand_as(x) if i == which else x for i, x in enumerate(inputs))

    with ExitStack() as stack, torch.inference_mode():
        for level in cut:
            block = network.get_submodule("d3" if level == MIDDLE else f"d{level}")
            handle = block.register_forward_pre_hook(partial(flatten, 0 if level == MIDDLE else 1))
            stack.callback(handle.remove)
        return torch.cat([network(part) for part in x.split(batch)])


def high_power(x: Tensor) -> float:
    """Power of (N, C, H, W) from HIGH up, under a Hann window."""
    height, width = x.shape[-2:]
    window = torch.hann_window(height, periodic=False)[:, None] * torch.hann_window(width, periodic=False)
    power = torch.fft.fft2((x - x.mean((2, 3), keepdim=True)) * window).abs().double().square()
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)[None])
    return float(power[..., radius >= HIGH].sum())


def restored(networks: dict[str, SeedUNet], y: Tensor) -> dict[str, Tensor]:
    """The blurred pictures, what every cut and the network without skips makes of them, and their mean colors."""
    made = {"nothing done": y}
    made |= {name: without_skips(networks["skips"], y, cut) for name, cut in CUTS.items()}
    made["trained without"] = without_skips(networks["no skips"], y, ())
    made["mean color"] = y.mean((2, 3), keepdim=True).expand_as(y)
    return made


def measure(networks: dict[str, SeedUNet], clean: NDArray[np.float32]) -> dict[str, dict[str, Any]]:
    """What is left of pictures (N, H, W, 3) with each cut.

    Returns:
        For each ``psnr``, the mean PSNR in dB by blur; ``high``, the power of high frequency of what was blurred by
        9x9, over that of the true pictures; ``error``, that of the error over the same; ``spectrum``, the power by
        frequency, over that of the true pictures.
    """
    results: dict[str, dict[str, Any]] = {}
    truth = tensor(clean)
    for ksize in BLURS:
        made = restored(networks, tensor(degraded(clean, parse(blur(ksize)))))
        for name, x in made.items():
            row = results.setdefault(name, {"psnr": {}})
            row["psnr"][str(ksize)] = score(x.permute(0, 2, 3, 1).numpy(), clean)["psnr"]
            if ksize == SHOWN_BLUR:
                row["high"] = high_power(x) / high_power(truth)
                row["error"] = high_power(x - truth) / high_power(truth)
                row["spectrum"] = np.divide(spectrum(x), spectrum(truth)).tolist()
    return results


def draw(
    path: Path, networks: dict[str, SeedUNet], clean: NDArray[np.float32], results: dict[str, dict[str, Any]]
) -> None:
    """Draw pictures with each cut, and the power that is left by frequency."""
    made = restored(networks, tensor(degraded(clean, parse(blur(SHOWN_BLUR)))))
    names = [name for name in made if name not in ("mean color", "middle averaged")]
    sheet = Figure(figsize=(9.6, 3.4 + 1.45 * len(clean)), layout="constrained")
    upper, lower = sheet.subfigures(2, 1, height_ratios=(1.45 * len(clean), 3.4))
    grid = upper.subplots(len(clean), len(names) + 1, squeeze=False)
    columns = [("truth", tensor(clean)), *((name, made[name]) for name in names)]
    for j, (name, pictures) in enumerate(columns):
        for i, ax in enumerate(grid[:, j]):
            ax.imshow(pictures[i].clamp(0, 1).permute(1, 2, 0).numpy(), interpolation="nearest")
            ax.set_axis_off()
        level = f"\n{results[name]['psnr'][str(SHOWN_BLUR)]:.2f} dB" if name in results else "\n"
        grid[0, j].set_title({"nothing done": "blurred 9x9"}.get(name, name) + level, fontsize=8)
    ax = lower.subplots()
    for (name, row), color in zip(
        ((name, results[name]) for name in names if name != "nothing done"), (*COLORS, "#2f8f8b"), strict=True
    ):
        edges = np.linspace(0, 0.5, len(row["spectrum"]) + 1)
        ax.plot((edges[1:] + edges[:-1]) / 2, 100 * np.array(row["spectrum"]), color=color, linewidth=1.3, label=name)
    blurred = 100 * np.array(results["nothing done"]["spectrum"])
    ax.plot((edges[1:] + edges[:-1]) / 2, blurred, color=QUIET, linestyle="--", linewidth=1.2, label="blurred 9x9")
    ax.axhline(100, color=QUIET, linewidth=0.8)
    ax.set_yscale("log")
    ax.set_ylim(0.03, 300)
    ax.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    ax.set_xlabel("spatial frequency, cycles a pixel")
    ax.set_ylabel("power, % of the truth's")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    save(sheet, path, dpi=110)
