"""The figures of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.seed.figures import COLORS, QUIET, rows_figure, save

__all__ = ["curves_figure", "pictures_figure"]

COLUMNS = 5

MARKS = {"told": ("σ given", COLORS[0], "o"), "estimated": ("σ estimated", COLORS[2], "s"),
         "variance": ("ES-WMV, as published", COLORS[3], "v"), "longer": ("ES-WMV, longer", COLORS[4], "^"),
         "oracle": ("the best", "black", "+")}  # fmt: skip


def curves_figure(path: Path, photographs: dict[str, dict[str, Any]]) -> None:
    """Draw a panel for each photograph: PSNR over the steps, and which of the images each rule gives."""
    rows = -(-len(photographs) // COLUMNS)
    sheet = Figure(figsize=(11.5, 2.5 * rows + 0.6), layout="constrained")
    grid = sheet.subplots(rows, COLUMNS, squeeze=False, sharex=True)
    for ax in grid.flat[len(photographs) :]:
        ax.set_visible(False)
    for ax, (name, result) in zip(grid.flat, photographs.items(), strict=False):
        steps, mean, output, _ = zip(*result["curve"], strict=True)
        ax.plot(steps, output, color=QUIET, linewidth=0.6, alpha=0.7, label="output of the step")
        ax.plot(steps, mean, color=COLORS[1], linewidth=1.3, label="running mean")
        for key, (label, color, marker) in MARKS.items():
            rule = result["rules"][key]
            size = 9 if key == "oracle" else 5
            ax.plot(rule["step"], rule["psnr"], marker, color=color, markersize=size, label=label, linestyle="none")
        given = [rule["psnr"] for key, rule in result["rules"].items() if key in MARKS]
        ax.set_ylim(min(*given, *output[len(output) // 4 :]) - 0.3, None)
        ax.set_title(name, loc="left", fontsize=9)
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in grid[-1]:
        ax.set_xlabel("step", fontsize=9)
    for ax in grid[:, 0]:
        ax.set_ylabel("PSNR, dB", fontsize=9)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    sheet.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=8)
    save(sheet, path)


def pictures_figure(path: Path, truth: NDArray[np.float32], images: dict[str, NDArray[np.float32]]) -> None:
    """Show what the rules give for one photograph, above the error that remains."""
    errors = [np.clip(4 * np.abs(np.clip(image, 0, 1) - truth), 0, 1) for image in images.values()]
    rows = [("image", [truth, *images.values()]), ("4 |error|", [np.zeros_like(truth), *errors])]
    rows_figure(path, rows, ["true", *images])
