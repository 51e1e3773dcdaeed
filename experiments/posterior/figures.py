"""The figure of the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.posterior.photographs import Samples
from experiments.seed.figures import save

__all__ = ["samples_figure"]

BRIGHTEST = 24
"""Gray levels that a map shows as its brightest color."""


def samples_figure(path: Path, rows: Sequence[tuple[str, str, Samples]]) -> None:
    """Draw a row for each (task, sampler, samples): pictures, and how much they differ beside how wrong they are."""
    titles = ("truth", "start", "sample", "sample", "mean of all", "sd", "|error of the mean|")
    sheet = Figure(figsize=(1.42 * len(titles) + 0.6, 1.42 * len(rows) + 0.8), layout="constrained")
    sheet.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    grid = sheet.subplots(len(rows), len(titles), squeeze=False)
    shown = None
    for axes, (task, sampler, result) in zip(grid, rows, strict=True):
        mean = result.samples.mean(0)
        pictures = (result.truth, result.start, *result.samples[:2], mean)
        sd = np.sqrt(result.samples.var(0, ddof=1).mean(0))
        error = np.sqrt(np.square(mean - result.truth).mean(0))
        for ax, picture in zip(axes, (*pictures, sd, error), strict=True):
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
            if picture.ndim == 3:
                ax.imshow(np.clip(picture, 0, 1).transpose(1, 2, 0), interpolation="nearest")
            else:
                shown = ax.imshow(255 * picture, cmap="magma", vmin=0, vmax=BRIGHTEST, interpolation="nearest")
        axes[0].set_ylabel(f"{task}\n{sampler}", fontsize=9)
    for ax, title in zip(grid[0], titles, strict=True):
        ax.set_title(title, fontsize=9)
    bar = sheet.colorbar(shown, ax=grid[:, -2:], location="bottom", fraction=0.02, aspect=40, pad=0.01)
    bar.set_label("gray levels", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    save(sheet, path, dpi=90)
