"""The figures of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.seed.figures import COLORS, QUIET, rows_figure, save

__all__ = ["crops_figure", "tradeoff_figure"]

ROWS, WINDOW = 4, 112


def tradeoff_figure(path: Path, found: dict[str, Any], steps: Sequence[str], bins: NDArray[np.float64]) -> None:
    """PSNR against the feature distance; and how steep the edges are, beside the truth."""
    sheet = Figure(figsize=(9.6, 4.0), layout="constrained")
    left, right = sheet.subplots(1, 2)
    points = [(found[step]["features"], found[step]["psnr"]) for step in steps]
    left.plot(*zip(*points, strict=True), color=COLORS[1], marker="o", markersize=4, linewidth=1.2)
    for step, point in zip(steps, points, strict=True):
        left.annotate(step, point, xytext=(6, 3), textcoords="offset points", fontsize=8, color=QUIET)
    left.set_xlabel("feature distance to the truth")
    left.set_ylabel("PSNR, dB")
    left.set_title("realism from 0 to 1", loc="left", fontsize=10)
    middles = 255 * (bins[1:] + bins[:-1]) / 2
    curves = {
        "truth": found["truth"],
        **{f"realism {step}": found[step]["histogram"] for step in (steps[0], steps[-1])},
    }
    for (label, shares), color in zip(curves.items(), (QUIET, COLORS[1], COLORS[0]), strict=True):
        right.plot(middles, 100 * np.maximum(shares, 1e-6), color=color, linewidth=1.4, label=label)
    right.set_yscale("log")
    right.set_xlabel("magnitude of the gradient, gray levels a pixel")
    right.set_ylabel("pixels, %")
    right.set_title("edges", loc="left", fontsize=10)
    right.legend(frameon=False, fontsize=8)
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    save(sheet, path)


def crops_figure(path: Path, shown: Mapping[str, Sequence[NDArray[np.float32]]]) -> None:
    """Windows of a few crops, a column for each way; those whose truth has the most detail."""
    detail = [np.abs(np.diff(image.mean(axis=2))).mean() for image in shown["truth"]]
    rows = []
    for number in sorted(np.argsort(detail)[-ROWS:]):
        pictures = [images[number][72 : 72 + WINDOW, 72 : 72 + WINDOW] for images in shown.values()]
        rows.append((str(number + 1), pictures))
    rows_figure(path, rows, list(shown))
