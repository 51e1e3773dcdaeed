"""The figures of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.memorization.fit import TARGETS
from experiments.seed.figures import COLORS, QUIET, rows_figure, rule, save

__all__ = ["curves_figure", "examples_figure"]


def curves_figure(path: Path, forms: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Draw a row for each form, label to runs: MSE on the pairs, and PSNR on other photographs, over the updates."""
    sheet = Figure(figsize=(9.6, 3.9 * len(forms)), layout="constrained")
    grid = sheet.subplots(len(forms), 2, squeeze=False)
    for (left, right), (label, runs) in zip(grid, forms.items(), strict=True):
        for (kind, run), color in zip(runs.items(), COLORS, strict=False):
            updates, mse, psnr = zip(*run["curve"], strict=True)
            left.plot(updates, mse, color=color, linewidth=1.3, label=TARGETS[kind])
            right.plot(updates, psnr, color=color, linewidth=1.3)
        left.set_yscale("log")
        rule(left, 1, "", dashed=True)
        left.annotate("a single color", (0.98, 1), xycoords=("axes fraction", "data"), xytext=(0, 3),
                      textcoords="offset points", fontsize=8, color=QUIET, ha="right")  # fmt: skip
        rule(left, runs["true"]["identity"], "true pairs, nothing done")
        rule(right, runs["true"]["identity_psnr"], "nothing done")
        left.set_title(label, loc="left", fontsize=10)
        left.set_ylabel("MSE on the pairs / variance of the targets")
        right.set_ylabel("PSNR on other photographs, dB")
        for ax in (left, right):
            ax.set_xlabel("update")
            ax.spines[["top", "right"]].set_visible(False)
    grid[0, 0].legend(frameon=False, fontsize=8, loc="lower left")
    save(sheet, path)


def examples_figure(path: Path, runs: dict[str, dict[str, Any]]) -> None:
    """Show the first input, its target and the output for it, a column for each kind of target."""
    pictures = [[np.array(run["example"][i], np.float32) / 255 for run in runs.values()] for i in range(3)]
    rows = list(zip(("input", "target", "output"), pictures, strict=True))
    rows_figure(path, rows, [TARGETS[kind] for kind in runs])
