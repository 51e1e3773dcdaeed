"""Fit all targets, and write results.json, the figures and the tables of the page.

python -m experiments.memorization --images FLOWERS [--parts small large grid] [--large-widths quarter]

Every run is kept in ``runs/memorization``, so that the command can be given again until all is there.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from experiments.command import Parser, command, count
from experiments.kept import kept
from experiments.memorization.figures import curves_figure, examples_figure
from experiments.memorization.fit import TARGETS, WIDTHS_OF, Form, fit, shrink
from experiments.page import publish, save
from experiments.seed.flowers import Flowers, gather, prepare
from resolvent.provenance import provenance

SMALL = Form()
LARGE = Form(
    side=128, pairs=90, batch=30, updates=90, widths="quarter", degradation="blur:ksize=15 + quantize", every=15
)
PARTS = ("small", "large", "grid")

DROPOUTS = (0.0, 0.2, 0.5)
KINDS = ("true", "permuted")
"""Targets of the grid of widths and dropouts."""

SHOWN = (30, 60, 120, 240, 480)
"""Updates in the table, as far as a run has them."""

LEARNED = 0.1
"""Relative MSE at which pairs count as learned."""


def run(flowers: Flowers, kind: str, form: Form, work: Path) -> dict[str, Any]:
    """Fit one kind of target, unless that is kept."""
    clean, held = (shrink(images, form.side) for images in (flowers.train[: form.pairs], flowers.val))
    settings = {"kind": kind, **asdict(form)}
    result = kept(work / f"{kind}-{form.name}.json", settings, lambda: fit(clean, held, kind, form))
    print(f"{kind}, {form.name}: relative MSE {result['curve'][-1][1]:.4f}", flush=True)
    return result


def at(result: dict[str, Any], update: int) -> tuple[float, float]:
    """Relative MSE and PSNR in dB at the first measurement from an update on."""
    return next((mse, psnr) for reached, mse, psnr in result["curve"] if reached >= update)


def learned(result: dict[str, Any]) -> int | None:
    """The first update with a relative MSE of LEARNED; None if there is none."""
    return next((update for update, mse, _ in result["curve"] if mse <= LEARNED), None)


def in_order(runs: dict[str, dict[str, Any]], update: int) -> bool:
    """Whether the MSE of true pairs is less than that of permuted and shuffled ones, and theirs less than noise's."""
    true, permuted, shuffled, noise = (at(runs[kind], update)[0] for kind in TARGETS)
    return true < min(permuted, shuffled) and max(permuted, shuffled) < noise


def label(form: Form, result: dict[str, Any]) -> str:
    """What a form is, for a figure and a table."""
    size = f"{form.side}x{form.side} pixels"
    return f"{result['parameters'] / 1e6:.1f} M parameters, {form.pairs} pairs of {size}"


def shown_of(form: Form) -> list[int]:
    """The updates of a form that are shown, its last among them."""
    return sorted({update for update in SHOWN if update <= form.updates} | {form.updates})


def table(runs: dict[str, dict[str, Any]], form: Form) -> str:
    """Relative MSE of each kind of target over the updates."""
    shown = shown_of(form)
    heads = (
        [label(form, runs["true"]), "variance", "nothing done"]
        + [f"at {update}" for update in shown]
        + [f"updates to {LEARNED:g}", "PSNR best", "last"]
    )
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for kind, result in runs.items():
        cells = [TARGETS[kind], f"{result['variance']:.4f}", f"{result['identity']:.3f}"]
        cells += [f"{at(result, update)[0]:.3f}" for update in shown]
        reached = learned(result)
        cells += ["-" if reached is None else str(reached)]
        cells += [f"{max(psnr for _, _, psnr in result['curve']):.2f}", f"{result['curve'][-1][2]:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    lines.append(
        f"| nothing done, on other photographs |{' |' * (len(heads) - 2)} {runs['true']['identity_psnr']:.2f} |"
    )
    return "\n".join(lines)


def grid_table(grid: list[dict[str, Any]], updates: int) -> str:
    """Relative MSE and PSNR for each width and dropout."""
    lines = [
        f"| after {updates} updates | dropout | true pairs, MSE | PSNR | permuted, MSE | PSNR |",
        "|---" * 6 + "|",
    ]
    for row in grid:
        cells = [f"{row['parameters'] / 1e6:.1f} M", f"{row['dropout']:g}"]
        for kind in KINDS:
            cells += [f"{row[kind]['mse']:.3f}", f"{row[kind]['psnr']:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def measure_grid(flowers: Flowers, small: Form, work: Path) -> tuple[list[dict[str, Any]], int]:
    """Fit all widths and dropouts for half of the updates; those of the small form itself are there already."""
    updates = small.updates // 2
    grid = []
    for widths in WIDTHS_OF:
        for dropout in DROPOUTS:
            form = replace(small, widths=widths, dropout=dropout)
            there = form == small and updates % small.every == 0  # and so measured on the way
            form = form if there else replace(form, updates=updates)
            row: dict[str, Any] = {"widths": widths, "dropout": dropout}
            for kind in KINDS:
                result = run(flowers, kind, form, work)
                row["parameters"] = result["parameters"]
                row[kind] = dict(zip(("mse", "psnr"), at(result, updates), strict=True))
            grid.append(row)
    return grid, updates


@command
def main() -> None:
    """Fit, draw and write."""
    parser = Parser(__doc__, Path(__file__).parent, "memorization")
    parser.add_argument("--images", type=Path, required=True, help="folder of flowers, or the archive flower_photos")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--updates", type=count, default=SMALL.updates, help="of the small form; the grid takes half")
    parser.add_argument("--large-updates", type=count, default=LARGE.updates)
    parser.add_argument("--large-widths", choices=list(WIDTHS_OF), default=LARGE.widths)
    options = parser.read()
    work: Path = options.runs
    flowers = prepare(gather(options.images, work), work)
    small, large = (replace(form, pairs=min(form.pairs, len(flowers.train))) for form in (SMALL, LARGE))
    small = replace(small, updates=options.updates)
    large = replace(large, updates=options.large_updates, widths=options.large_widths)
    options.output.mkdir(parents=True, exist_ok=True)
    where = provenance()

    report: dict[str, Any] = {"forms": {}, "measured_on": str(where)}
    drawn, text = {}, []
    for part, form in (("small", small), ("large", large)):
        if part not in options.parts:
            continue
        runs = {kind: run(flowers, kind, form, work) for kind in TARGETS}
        drawn[label(form, runs["true"])] = runs
        text.append(table(runs, form))
        if part == "small":
            examples_figure(options.output / "examples.png", runs)
        report["forms"][part] = {
            "form": asdict(form),
            "order": {str(update): in_order(runs, update) for update in shown_of(form)},
            "runs": {
                kind: {key: value for key, value in result.items() if key != "example"} | {"learned": learned(result)}
                for kind, result in runs.items()
            },
        }
    if drawn:
        curves_figure(options.output / "curves.svg", drawn)
    if "grid" in options.parts:
        grid, updates = measure_grid(flowers, small, work)
        report["grid"] = {"updates": updates, "rows": grid}
        text.append(grid_table(grid, updates))
    save(options.output / "results.json", report)
    text.append(f"Measured on: {where}.")
    publish(options.output, "\n\n".join(text))


if __name__ == "__main__":
    main()
