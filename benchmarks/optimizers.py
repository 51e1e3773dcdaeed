"""Which optimizer, rate and biases to train with: PSNR after one budget of CPU time.

python benchmarks/optimizers.py --images TRAIN --validation VAL [--budget 8m] [--only NAME ...]

Every variant trains as the recipe ``denoise`` does, for the same time on one core, in ``runs/optimizers/NAME``; one
that is there already is not trained again, so that two can be trained side by side on two cores, each by a call with
--only, before a call without it writes the table.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from pathlib import Path
from typing import Any

from results import write_section

from resolvent.training.loop import Result, load_result, train
from resolvent.training.recipe import Recipe, load_recipe
from resolvent.training.watch import Watch

NO_BIAS = {"bias": False}
# name: (what it is, changes of the recipe)
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "adamw": ("AdamW 1.2e-3", {}),
    "adamw-no-bias": ("AdamW 1.2e-3, no biases", {"arguments": NO_BIAS}),
    "muon": ("Muon 0.01", {"optimizer": "muon"}),
    "muon-low": ("Muon 0.005", {"optimizer": "muon", "kernel_rate": 0.005}),
    "muon-no-bias": ("Muon 0.01, no biases", {"optimizer": "muon", "arguments": NO_BIAS}),
}
RUNS = Path("runs/optimizers")


class Progress(Watch):
    """One line for each measurement."""

    def __init__(self, name: str) -> None:
        self.name = name

    def validation(self, step: int, psnr: dict[str, float], examples: object) -> None:
        """Print it."""
        print(f"{self.name}: step {step}, " + ", ".join(f"{value:.2f}" for value in psnr.values()), flush=True)


def recipe(changes: dict[str, Any], budget: str) -> Recipe:
    """The recipe ``denoise`` from random weights, unclipped, by AdamW with biases, with one thing changed."""
    base = dataclasses.replace(
        load_recipe("denoise", budget=budget),
        start="", optimizer="adamw", learning_rate=1.2e-3, schedule="cosine", warmup=0.02, batch=16, patch=96,
        degradation="noise:sigma=0..75", arguments={"noise_level": True}, validations=4,
    )  # fmt: skip
    return dataclasses.replace(base, **{**changes, "arguments": {**base.arguments, **changes.get("arguments", {})}})


def trained(name: str, options: argparse.Namespace) -> Result:
    """Train a variant, or load it where it has been trained."""
    run, told = RUNS / name, recipe(VARIANTS[name][1], options.budget)
    if not (run / "done").exists():
        resume = (run / "last.safetensors").exists()
        train(told, options.images, run, validation=options.validation, threads=1, resume=resume, watch=Progress(name))
        (run / "done").touch()
    result = load_result(run)
    if result.recipe != told:
        raise SystemExit(f"{run}: was trained with other options; delete it")
    return result


def main() -> None:
    """Train what is not there and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--budget", default="8m")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), help="train these and write nothing")
    options = parser.parse_args()
    results = {name: trained(name, options) for name in options.only or VARIANTS}
    if options.only:
        return
    first = results["adamw"]
    lines = [f"| training | {' | '.join(first.psnr)} | mean | steps |", "|---" * (len(first.psnr) + 3) + "|"]
    for name, result in results.items():
        values = [*result.psnr.values(), statistics.mean(result.psnr.values())]
        lines.append(f"| {VARIANTS[name][0]} | " + " | ".join(f"{v:.2f}" for v in values) + f" | {result.steps} |")
    lines.append(
        f"\nPSNR in dB on the centers of {options.validation.name} (160x160), after {options.budget} of one core each, "
        f"two side by side ({first.device}); batches of {first.recipe.batch} patches of {first.recipe.patch}x"
        f"{first.recipe.patch} pixels, unclipped noise of sigma 0 to 75, cosine schedule, averaged weights, one seed."
    )
    command = f"python benchmarks/optimizers.py --images {options.images.name} --validation {options.validation.name}"
    write_section("Optimizer and biases", command, "\n".join(lines))


if __name__ == "__main__":
    main()
