"""The figures of the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.impedance.fit import TARGETS, Target
from experiments.seed.figures import COLORS, rows_figure, rule, save

__all__ = ["curves_figure", "targets_figure"]


def curves_figure(path: Path, fits: dict[str, dict[str, list[float]]], level: float) -> None:
    """Draw a panel for each photograph: MSE of each target over the steps."""
    sheet = Figure(figsize=(3.4 * len(fits) + 0.4, 3.6), layout="constrained")
    panels = np.atleast_1d(sheet.subplots(1, len(fits), sharey=True))
    for ax, (name, by_target) in zip(panels, fits.items(), strict=True):
        for (target, mse), color in zip(by_target.items(), COLORS, strict=False):
            ax.plot(np.arange(1, len(mse) + 1), mse, color=color, linewidth=1.2, label=TARGETS[target])
        ax.set_yscale("log")
        rule(ax, level, f"{level:g}", dashed=True)
        ax.set_title(name, loc="left", fontsize=10)
        ax.set_xlabel("step")
        ax.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("MSE")
    panels[-1].legend(frameon=False, fontsize=8, loc="lower left")
    save(sheet, path)


def targets_figure(path: Path, photographs: Sequence[tuple[str, dict[str, Target]]]) -> None:
    """Show what is fitted."""
    rows = [(name, list(shown.values())) for name, shown in photographs]
    rows_figure(path, rows, list(TARGETS.values()))
