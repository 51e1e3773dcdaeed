"""The figures of the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.seed.figures import COLORS, QUIET, save

__all__ = ["spectrum_figure"]


def spectrum_figure(path: Path, truth: list[float], pictures: dict[str, list[float]], dashed: set[str]) -> None:
    """Draw the share of the true pictures' power that decoded ones have, by spatial frequency."""
    sheet = Figure(figsize=(7.2, 4.0), layout="constrained")
    ax = sheet.subplots()
    edges = np.linspace(0.5 / 64, 0.5, len(truth) + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    colors: dict[str, str] = {}
    for label, power in pictures.items():
        color = colors.setdefault(label.split("; ")[0], COLORS[len(colors) % len(COLORS)])
        share = 100 * np.divide(power, truth)
        ax.plot(middle, share, color=color, linewidth=1.4, linestyle="--" if label in dashed else "-", label=label)
    ax.axhline(100, color=QUIET, linewidth=0.8)
    ax.set_yscale("log")
    ax.set_ylim(0.1, 200)
    ax.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    ax.set_xlabel("spatial frequency, cycles a pixel")
    ax.set_ylabel("power, % of the true pictures'")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, loc="lower left", ncols=2)
    save(sheet, path)
