"""What pooling does: three ways to keep one number of four, and two to give the size back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from experiments.seed.figures import save
from resolvent.evaluation.metrics import psnr

__all__ = ["POOLS", "draw", "give_back", "measure"]

POOLS: dict[str, Callable[[Tensor], Tensor]] = {
    "max": lambda x: F.max_pool2d(x, 2),
    "average": lambda x: F.avg_pool2d(x, 2),
    "subsampling": lambda x: x[..., ::2, ::2],
}
BACK = ("nearest", "bilinear")
BORDER = 8
"""Pixels at each side that are not compared."""

DETAIL = slice(40, 88)


def give_back(pooled: Tensor, pool: str, how: str) -> Tensor:
    """Double the size of (N, C, H, W), with the samples where the pooling took them: centers of blocks, or corners."""
    if how == "nearest":
        return F.interpolate(pooled, scale_factor=2, mode="nearest")
    if pool != "subsampling":
        return F.interpolate(pooled, scale_factor=2, mode="bilinear", align_corners=False)
    height, width = pooled.shape[-2:]
    padded = F.pad(pooled, (0, 1, 0, 1), mode="replicate")
    size = (2 * height + 1, 2 * width + 1)
    return F.interpolate(padded, size=size, mode="bilinear", align_corners=True)[..., :-1, :-1]


def inner(x: Tensor) -> Tensor:
    return x[..., BORDER:-BORDER, BORDER:-BORDER]


def rms(x: Tensor) -> float:
    return 255 * float(x.double().square().mean().sqrt())


def measure(x: Tensor) -> dict[str, dict[str, float]]:
    """What each pooling loses of pictures (N, 3, H, W) of even size, and how a shift of one pixel changes it.

    Returns:
        For each of POOLS ``nearest`` and ``bilinear``, the PSNR of what comes back in dB; ``shift nearest`` and ``shift
        bilinear``, its RMS distance in gray levels from what comes back of the shifted picture, shifted back;
        ``brighter``, the mean of the pooled numbers less that of the pixels in gray levels; and ``change``, the RMS
        change of the pooled numbers over that of the pixels.
    """
    still, moved = x[..., :-2], x[..., 1:-1]
    results: dict[str, dict[str, float]] = {}
    for name, pool in POOLS.items():
        row: dict[str, float] = {}
        for how in BACK:
            pairs = zip(inner(x).numpy(), inner(give_back(pool(x), name, how)).numpy(), strict=True)
            row[how] = float(
                np.mean([psnr(back.transpose(1, 2, 0), truth.transpose(1, 2, 0)) for truth, back in pairs])
            )
            apart = shifted_apart(x, name, how)
            row[f"shift {how}"] = rms(inner(apart))
        row["brighter"] = 255 * float(pool(x).mean() - x.mean())
        row["change"] = rms(pool(moved) - pool(still)) / rms(moved - still)
        results[name] = row
    return results


def shifted_apart(x: Tensor, name: str, how: str) -> Tensor:
    """What pooling and back makes of a picture that is shifted by a pixel, shifted back, less that of the picture."""
    there = give_back(POOLS[name](x[..., :-2]), name, how)
    shifted = give_back(POOLS[name](x[..., 1:-1]), name, how)
    return shifted[..., :-1] - there[..., 1:]


def draw(path: Path, x: Tensor, results: dict[str, dict[str, float]]) -> None:
    """Draw a detail of a picture (1, 3, H, W), pooled and given back, and what a shift changes."""
    half = slice(DETAIL.start // 2, DETAIL.stop // 2)
    sheet = Figure(figsize=(9.6, 5.6), layout="constrained")
    grid = sheet.subplots(len(POOLS), 6, squeeze=False)
    for i, (axes, (name, pool)) in enumerate(zip(grid, POOLS.items(), strict=True)):
        row = results[name]
        panels = [("picture" * (i == 0), "", x[..., DETAIL, DETAIL]), ("pooled", "", pool(x)[..., half, half])]
        panels += [(how, f"{row[how]:.2f} dB", give_back(pool(x), name, how)[..., DETAIL, DETAIL]) for how in BACK]
        for how in BACK:
            change = 4 * shifted_apart(x, name, how).abs()[..., DETAIL, DETAIL]
            panels += [(f"shift, {how}, 4 times", f"{row[f'shift {how}']:.1f} gray levels", change)]
        for ax, (title, figure, picture) in zip(axes, panels, strict=True):
            ax.imshow(picture[0].clamp(0, 1).permute(1, 2, 0).numpy(), interpolation="nearest")
            ax.set_title(f"{title}\n{figure}" if i == 0 else figure, fontsize=8)
            ax.set_xticks([])
            ax.set_yticks([])
            for side in ax.spines.values():
                side.set_visible(False)
        axes[0].set_ylabel(name, fontsize=9)
    save(sheet, path, dpi=110)
