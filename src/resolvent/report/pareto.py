"""Quality against cost: PSNR over seconds per megapixel, one panel for each set and degradation."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from resolvent.errors import MissingDependencyError, counted
from resolvent.evaluation.tables import INPUT, Mean, Row, means
from resolvent.models.registry import bundled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from resolvent.evaluation.suite import Published

__all__ = ["pareto", "pareto_front"]

OURS, OTHERS, QUIET = "#b3402a", "#3a5a78", "#8a929b"


def pareto(rows: Sequence[Row], known: Sequence[Published], *, task: str = "denoise", footer: str = "") -> bytes:
    """Draw the figure as SVG.

    What was measured is a point; what was published for the same images is a line across, for it has no time on this
    machine. The front joins the points that nothing is both faster and better than.

    Args:
        rows: Of a suite.
        known: Published figures.
        task: Whose rows are shown, at the middle one of its degradations.
        footer: Printed small below.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingDependencyError("matplotlib", "lab", "drawing a figure") from error

    found = [mean for mean in means(rows) if mean.task == task and mean.method != INPUT]
    levels = list(dict.fromkeys(mean.degradation for mean in found))
    level = levels[len(levels) // 2]
    shown = [mean for mean in found if mean.degradation == level]
    most = {mean.dataset: max(other.images for other in shown if other.dataset == mean.dataset) for mean in shown}
    shown = [mean for mean in shown if mean.images == most[mean.dataset]]
    panels = [name for name in most if any((k.task, k.dataset) == (task, name) and level in k.psnr for k in known)]
    panels = panels[:2] or list(most)[:2]
    with matplotlib.rc_context({"svg.hashsalt": "resolvent", "font.size": 9, "svg.fonttype": "path"}):
        sheet = Figure(figsize=(5.4 * len(panels), 4.4), layout="constrained")
        for axes, dataset in zip(sheet.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            points = [mean for mean in shown if mean.dataset == dataset]
            lines = {k.method: k.psnr[level] for k in known if (k.task, k.dataset) == (task, dataset)}
            _panel(axes, points, lines)
            axes.set_title(f"{dataset}, {level} ({counted(most[dataset], 'image')})", loc="left", fontsize=10)
        if footer:
            sheet.supxlabel(footer, fontsize=6, color=QUIET, x=0.01, ha="left")
        file = io.BytesIO()
        sheet.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _panel(axes: Axes, points: Sequence[Mean], lines: dict[str, float]) -> None:
    front = pareto_front([(mean.seconds_per_megapixel, mean.psnr) for mean in points])
    axes.step(*zip(*front, strict=True), where="post", color=OURS, linewidth=1, alpha=0.5)
    models = bundled()
    for mean in points:
        ours = mean.method in models
        axes.plot(mean.seconds_per_megapixel, mean.psnr, "o", color=OURS if ours else OTHERS, markersize=7)
        axes.annotate(
            f"{mean.method}  {mean.psnr:.2f}",
            (mean.seconds_per_megapixel, mean.psnr),
            xytext=(8, -3),
            textcoords="offset points",
            color=OURS if ours else OTHERS,
            fontweight="bold" if ours else "normal",
        )
    times = [mean.seconds_per_megapixel for mean in points]
    axes.set_xscale("log")
    axes.set_xlim(min(times) / 2, max(times) * 30)
    right = axes.get_xlim()[1]
    values = [mean.psnr for mean in points] + list(lines.values())
    last, apart = float("-inf"), 0.04 * (max(values) - min(values))
    for name, psnr in sorted(lines.items(), key=lambda line: line[1]):
        axes.axhline(psnr, color=QUIET, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
        last = max(psnr, last + apart)
        axes.annotate(
            f"{name} {psnr:.2f} ",
            (right, last),
            ha="right",
            va="bottom",
            fontsize=7,
            color=QUIET,
            annotation_clip=False,
        )
    axes.set_xlabel("seconds per megapixel, measured here; dashed: published PSNR, no time")
    axes.set_ylabel("PSNR, dB")
    axes.spines[["top", "right"]].set_visible(False)


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points (cost, quality) that no other is at most as costly and better than, by cost.

    Examples:
        >>> pareto_front([(2.0, 31.0), (1.0, 28.0), (3.0, 30.0)])
        [(1.0, 28.0), (2.0, 31.0)]
    """
    front: list[tuple[float, float]] = []
    for cost, quality in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or quality > front[-1][1]:
            front.append((cost, quality))
    return front
