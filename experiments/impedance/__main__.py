"""Fit every target, and write results.json, the figures and the table of the page.

python -m experiments.impedance --images FOLDER [--limit 3] [--side 64] [--network dip] [--steps 400]

What was measured is kept in ``runs/impedance``, so that the command can be given again until all is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.command import Parser, command, count
from experiments.crops import centers
from experiments.impedance.figures import curves_figure, targets_figure
from experiments.impedance.fit import NETWORKS, TARGETS, Target, fit, reached, targets
from experiments.kept import kept
from experiments.page import publish, save
from resolvent.provenance import provenance

LEVEL = 0.01
"""MSE of the claim."""

SHARE = 0.1
"""Of the target's variance: the same demand on each."""


def summarize(target: Target, mse: list[float]) -> dict[str, Any]:
    """Steps until the MSE is low, absolutely and for this target; and where it ends."""
    variance = float(target.var((0, 1)).mean())
    return {
        "variance": variance,
        "steps": reached(mse, LEVEL),
        "steps_of_variance": reached(mse, SHARE * variance),
        "last": min(mse[-20:]),
    }


def holds(rows: dict[str, dict[str, Any]], steps: int, key: str = "steps") -> bool:
    """Whether the image and the noisy one were both fitted before the other two."""
    first = {name: steps + 1 if row[key] is None else row[key] for name, row in rows.items()}
    return bool(max(first["image"], first["noisy"]) < min(first["shuffled"], first["noise"]))


def table(results: dict[str, dict[str, dict[str, Any]]], steps: int) -> str:
    """Steps of each target of each photograph."""
    heads = (
        "photograph",
        "target",
        "variance",
        f"steps to MSE {LEVEL:g}",
        f"to {SHARE:g} of the variance",
        "MSE at the end",
    )
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for photograph, rows in results.items():
        for target, row in rows.items():
            cells = [photograph, TARGETS[target], f"{row['variance']:.4f}"]
            cells += [f"> {steps}" if row[key] is None else str(row[key]) for key in ("steps", "steps_of_variance")]
            lines.append("| " + " | ".join([*cells, f"{row['last']:.5f}"]) + " |")
    return "\n".join(lines)


@command
def main() -> None:
    """Fit, draw and write."""
    parser = Parser(__doc__, Path(__file__).parent, "impedance")
    parser.add_argument("--images", type=Path, required=True, help="folder of color photographs")
    parser.add_argument("--limit", type=count, default=3, help="how many of them, sorted by name; 3 unless given")
    parser.add_argument("--side", type=count, default=64, help="of the crops from their middle; 64 unless given")
    parser.add_argument("--network", choices=list(NETWORKS), default="dip", help="dip is the published one")
    parser.add_argument("--steps", type=count, default=400, help="of each fit; 400 unless given")
    parser.add_argument("--sigma", type=float, default=25, help="of the added noise, in gray levels; 25 unless given")
    options = parser.read()
    crops = centers(options.images, options.side, options.limit)
    fitted = [(path.name, targets(crop, options.sigma, i)) for i, (path, crop) in enumerate(crops.items())]
    options.output.mkdir(parents=True, exist_ok=True)
    where = provenance()

    curves: dict[str, dict[str, list[float]]] = {}
    results: dict[str, dict[str, dict[str, Any]]] = {}
    for number, (name, by_target) in enumerate(fitted):
        curves[name], results[name] = {}, {}
        for key, target in by_target.items():
            settings = {
                "photograph": name, "target": key, "side": options.side, "network": options.network,
                "steps": options.steps, "sigma": options.sigma, "seed": number,
            }  # fmt: skip
            mse = kept(
                options.runs / f"{Path(name).stem}-{key}.json",
                settings,
                lambda target=target, seed=number: {  # type: ignore[misc]
                    "mse": fit(target, network=options.network, steps=options.steps, seed=seed)
                },
            )["mse"]
            curves[name][key], results[name][key] = mse, summarize(target, mse)
            print(f"{name}, {TARGETS[key]}: {results[name][key]}", flush=True)

    curves_figure(options.output / "curves.svg", curves, LEVEL)
    targets_figure(options.output / "targets.png", fitted)
    claims = {
        name: {key: holds(rows, options.steps, key) for key in ("steps", "steps_of_variance")}
        for name, rows in results.items()
    }
    report = {
        "results": results, "holds": claims, "curves": curves, "level": LEVEL, "share": SHARE,
        "network": options.network, "side": options.side, "steps": options.steps, "sigma": options.sigma,
        "measured_on": str(where),
    }  # fmt: skip
    save(options.output / "results.json", report, indent=None)
    protocol = f"crops of {options.side}x{options.side}, σ {options.sigma:g}, network of `{options.network}`"
    text = f"{table(results, options.steps)}\n\nMeasured on: {protocol}; {where}."
    publish(options.output, text)


if __name__ == "__main__":
    main()
