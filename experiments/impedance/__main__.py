"""Fit every target, and write results.json, the figures and the table of the page.

python -m experiments.impedance --images FOLDER [--limit 3] [--side 64] [--network dip] [--steps 400]

What was measured is kept in ``runs/impedance``, so that the command can be given again until all is there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from experiments.crops import center
from experiments.impedance.figures import curves_figure, targets_figure
from experiments.impedance.fit import NETWORKS, TARGETS, Target, fit, reached, targets
from experiments.kept import kept
from experiments.page import publish
from resolvent.provenance import provenance
from resolvent.training.data import find_photographs

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


def main() -> None:
    """Fit, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of color photographs")
    parser.add_argument("--limit", type=int, default=3, help="how many of them, sorted by name; 3 unless given")
    parser.add_argument("--side", type=int, default=64, help="of the crops from their middle; 64 unless given")
    parser.add_argument("--network", choices=list(NETWORKS), default="dip", help="dip is the published one")
    parser.add_argument("--steps", type=int, default=400, help="of each fit; 400 unless given")
    parser.add_argument("--sigma", type=float, default=25, help="of the added noise, in gray levels; 25 unless given")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--runs", type=Path, default=Path("runs/impedance"))
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent, help="for results.json and figures")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    paths = find_photographs(options.images, options.limit)
    fitted = [(path.name, targets(center(path, options.side), options.sigma, i)) for i, path in enumerate(paths)]
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
    (options.output / "results.json").write_text(json.dumps(report, ensure_ascii=False) + "\n", "utf-8")
    protocol = f"crops of {options.side}x{options.side}, σ {options.sigma:g}, network of `{options.network}`"
    text = f"{table(results, options.steps)}\n\nMeasured on: {protocol}; {where}."
    publish(options.output, text)


if __name__ == "__main__":
    main()
