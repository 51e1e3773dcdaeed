"""Fit every photograph, and write results.json, the figures and the tables of the page.

python -m experiments.early_stopping --images FOLDER [--limit 10] [--side 96] [--network dip-fast] [--steps 2000]

What was measured is kept in ``runs/early_stopping``, so that the command can be given again until all is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from experiments.command import Parser, command, count
from experiments.crops import centers
from experiments.early_stopping.figures import curves_figure, pictures_figure
from experiments.early_stopping.rules import NETWORKS, RULES, measure
from experiments.kept import kept
from experiments.page import publish, save
from resolvent.provenance import provenance

CLAIM = 0.5
"""dB that a rule may lose against the oracle."""

LABELS = {"oracle": "oracle: the best step", **RULES, "last": "the last step"}

SHOWN = {"noisy": "noisy", "told": "σ given", "estimated": "σ estimated", "variance": "ES-WMV", "oracle": "oracle",
         "last": "last step"}  # fmt: skip
"""Images in the figure."""


def compare(photographs: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Steps, PSNR and loss against the oracle of each rule, over all photographs."""
    results = {}
    for name in LABELS:
        rows = [result["rules"][name] for result in photographs.values()]
        best = [result["rules"]["oracle"]["psnr"] for result in photographs.values()]
        losses = [top - row["psnr"] for top, row in zip(best, rows, strict=True)]
        results[name] = {
            "step": float(np.mean([row["step"] for row in rows])),
            "ended": sum(row["stopped"] is not None for row in rows),
            "psnr": float(np.mean([row["psnr"] for row in rows])),
            "loss": float(np.mean(losses)),
            "worst": max(losses),
            "within": sum(loss <= CLAIM for loss in losses),
        }
    return results


def table(results: dict[str, dict[str, float]], steps: int) -> str:
    """What each rule gives."""
    lines = [
        f"| rule | step of its image | fits that it ended before {steps} | PSNR | loss | worst | within {CLAIM:g} dB |",
        "|---" * 7 + "|",
    ]
    for name, row in results.items():
        ended = "" if name in ("oracle", "last") else str(row["ended"])
        cells = [LABELS[name], f"{row['step']:.0f}", ended, f"{row['psnr']:.2f}", f"{row['loss']:.2f}"]
        lines.append("| " + " | ".join([*cells, f"{row['worst']:.2f}", str(row["within"])]) + " |")
    return "\n".join(lines)


def photograph_table(photographs: dict[str, dict[str, Any]]) -> str:
    """PSNR of each rule on each photograph, with the estimate of the noise."""
    lines = ["| | noisy | estimated σ | oracle | σ given | σ estimated | ES-WMV | last |", "|---" * 8 + "|"]
    for name, result in photographs.items():
        levels = [result["rules"][key]["psnr"] for key in ("oracle", "told", "estimated", "variance", "last")]
        cells = [f"{result['noisy']:.2f}", f"{result['estimated']:.1f}", *(f"{level:.2f}" for level in levels)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


@command
def main() -> None:
    """Measure, draw and write."""
    parser = Parser(__doc__, Path(__file__).parent, "early_stopping")
    parser.add_argument("--images", type=Path, required=True, help="folder of color photographs")
    parser.add_argument("--limit", type=count, default=10, help="how many of them, sorted by name; 10 unless given")
    parser.add_argument("--side", type=count, default=96, help="of the crops from their middle; 96 unless given")
    parser.add_argument("--network", choices=list(NETWORKS), default="dip-fast", help="dip is the published one")
    parser.add_argument("--steps", type=count, default=2000, help="of each fit; 2000 unless given")
    parser.add_argument("--sigma", type=float, default=25, help="of the noise, in gray levels; 25 unless given")
    parser.add_argument("--shown", type=int, default=0, help="number of the photograph in the figure, from 0")
    options = parser.read()
    crops = centers(options.images, options.side, options.limit)
    if not 0 <= options.shown < len(crops):
        parser.error(f"--shown {options.shown}: there are {len(crops)} photographs; give 0 to {len(crops) - 1}")
    options.output.mkdir(parents=True, exist_ok=True)
    where = provenance()

    photographs: dict[str, dict[str, Any]] = {}
    for number, (path, truth) in enumerate(crops.items()):
        settings = {
            "photograph": path.name, "side": options.side, "network": options.network, "sigma": options.sigma,
            "steps": options.steps, "seed": number,
        }  # fmt: skip
        folder = options.runs / f"{options.network}-{options.side}"

        def fitted(truth: Any = truth, number: int = number, images: Path = folder / f"{path.stem}.npz") -> Any:
            result, shown = measure(
                truth, network=options.network, sigma=options.sigma, steps=options.steps, seed=number
            )
            images.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(images, **shown)
            return result

        result = kept(folder / f"{path.stem}.json", settings, fitted)
        photographs[path.name] = result
        print(f"{path.name}: " + ", ".join(f"{k} {v['psnr']:.2f}" for k, v in result["rules"].items()), flush=True)
        if number == options.shown:
            with np.load(folder / f"{path.stem}.npz") as images:
                shown = {label: images[key] for key, label in SHOWN.items()}
            pictures_figure(options.output / "pictures.png", truth, shown)

    curves_figure(options.output / "curves.svg", photographs)
    results = compare(photographs)
    report = {
        "rules": results, "photographs": photographs, "network": options.network, "side": options.side,
        "sigma": options.sigma, "steps": options.steps, "claim": CLAIM, "measured_on": str(where),
    }  # fmt: skip
    save(options.output / "results.json", report, indent=None)
    protocol = (
        f"{len(crops)} crops of {options.side}x{options.side}, σ {options.sigma:g}, network of `{options.network}`"
    )
    text = "\n\n".join(
        [table(results, options.steps), photograph_table(photographs), f"Measured on: {protocol}; {where}."]
    )
    publish(options.output, text)


if __name__ == "__main__":
    main()
