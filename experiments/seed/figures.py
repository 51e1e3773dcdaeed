"""The figures of the page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = ["curves_figure", "rows_figure", "sweep_figure"]

COLORS = ("#b3402a", "#3a5a78", "#c58b2b", "#5f7d4f", "#7a4f7d")
QUIET = "#8a929b"
PAPER = {"training": 0.8509, "validation": 0.9201}


def save(sheet: Figure, path: Path, **options: Any) -> None:
    """Write a figure; the same figure gives the same bytes."""
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "resolvent"}):
        sheet.savefig(file, format=path.suffix[1:], metadata={"Date": None} if path.suffix == ".svg" else {}, **options)
    path.write_bytes(file.getvalue())


def rows_figure(path: Path, rows: Sequence[tuple[str, Sequence[NDArray[np.float32]]]], columns: Sequence[str]) -> None:
    """Pictures in rows, each row and each column with its name."""
    sheet = Figure(figsize=(1.7 * len(columns) + 1, 1.72 * len(rows)), layout="constrained")
    grid = sheet.subplots(len(rows), len(columns), squeeze=False)
    for axes, (label, pictures) in zip(grid, rows, strict=True):
        for ax, picture in zip(axes, pictures, strict=True):
            ax.imshow(np.clip(picture, 0, 1), interpolation="nearest")
            ax.set_xticks([])
            ax.set_yticks([])
            for side in ax.spines.values():
                side.set_visible(False)
        axes[0].set_ylabel(label.replace(", ", ",\n"), fontsize=9)
    for ax, title in zip(grid[0], columns, strict=True):
        ax.set_title(title, fontsize=9)
    save(sheet, path, dpi=110)


def curves_figure(path: Path, curves: dict[str, list[dict[str, Any]]], identity: dict[str, float]) -> None:
    """Accuracy over the epochs, in training and in validation, with that of the input and the paper's."""
    sheet = Figure(figsize=(9.6, 4.2), layout="constrained")
    panels = sheet.subplots(1, 2, sharey=True)
    low = min(*PAPER.values(), *identity.values())
    for ax, title, key, split in (
        (panels[0], "training", "accuracy", "train"),
        (panels[1], "validation", "val_accuracy", "val"),
    ):
        for (label, lines), color in zip(curves.items(), COLORS, strict=False):
            points = [(line["epoch"], 100 * line[key]) for line in lines if key in line]
            ax.plot(*zip(*points, strict=True), color=color, linewidth=1.1, label=label)
            low = min(low, points[-1][1] / 100)
        rule(ax, 100 * identity[split], "nothing done")
        rule(ax, 100 * PAPER[title], "the paper", dashed=True)
        ax.set_title(title, loc="left", fontsize=10)
        ax.set_xlabel("epoch")
        ax.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylim(100 * low - 5, 100)
    panels[0].set_ylabel("pixels with the right largest channel, %")
    panels[1].legend(frameon=False, fontsize=8, loc="lower right")
    save(sheet, path)


def sweep_figure(
    path: Path, blurs: Sequence[int], by_blur: dict[str, list[float]], noises: Sequence[float],
    by_noise: dict[str, list[float]], trained: Sequence[int],
) -> None:  # fmt: skip
    """The gain over doing nothing against the intensity of a blur and of noise."""
    sheet = Figure(figsize=(9.6, 4.2), layout="constrained")
    panels = sheet.subplots(1, 2, width_ratios=(3, 2))
    for ax, levels, results, name in (
        (panels[0], blurs, by_blur, "side of the Gaussian kernel, pixels"),
        (panels[1], noises, by_noise, "standard deviation of added noise, gray levels"),
    ):
        for (label, values), color in zip(
            ((k, v) for k, v in results.items() if k != "identity"), COLORS, strict=False
        ):
            gains = np.subtract(values, results["identity"])
            ax.plot(levels, gains, color=color, marker="o", markersize=3, linewidth=1.2, label=label)
        ax.axhline(0, color=QUIET, linewidth=0.8)
        ax.set_xlabel(name)
        ax.spines[["top", "right"]].set_visible(False)
    panels[0].axvspan(min(trained), max(trained), color=QUIET, alpha=0.12, linewidth=0)
    panels[0].annotate("trained on", (min(trained), 1), xycoords=("data", "axes fraction"), xytext=(4, -12),
                       textcoords="offset points", fontsize=8, color=QUIET)  # fmt: skip
    panels[0].set_ylabel("gain in PSNR over doing nothing, dB")
    panels[0].legend(frameon=False, fontsize=8)
    save(sheet, path)


def rule(ax: Axes, value: float, label: str, *, dashed: bool = False) -> None:
    """A level line with its name."""
    ax.axhline(value, color=QUIET, linewidth=1, linestyle="--" if dashed else "-")
    ax.annotate(label, (0.02, value), xycoords=("axes fraction", "data"), xytext=(0, 3), textcoords="offset points",
                fontsize=8, color=QUIET)  # fmt: skip
