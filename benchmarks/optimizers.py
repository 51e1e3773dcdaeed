"""Which optimizer, rate and biases to train with: PSNR after one budget of CPU time.

python benchmarks/optimizers.py --images TRAIN --validation VAL [--seconds 240] [--only NAME ...]

Every variant trains as the recipe ``denoise`` does, for as many steps as the budget of CPU seconds on one core allows
by the time of its first steps, in ``runs/optimizers/NAME``; one that is there already is not trained again, so that two
can be trained side by side, each by a call with --only, before a call without it writes the table.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from progress import Progress
from results import write_section

from resolvent.training.callbacks import Callback
from resolvent.training.loop import train
from resolvent.training.recipe import Recipe
from resolvent.training.recipe_file import load_recipe
from resolvent.training.runs import Result, load_result

NO_BIAS = {"bias": False}
# name: (what it is, changes of the recipe)
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "adamw": ("AdamW 1.2e-3", {}),
    "muon": ("Muon 0.01", {"optimizer": "muon"}),
    "muon-no-bias": ("Muon 0.01, no biases", {"optimizer": "muon", "arguments": NO_BIAS}),
}
RUNS = Path("runs/optimizers")


class Clock(Callback):
    """The CPU time of every step."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def step(self, *_: object) -> None:
        """Note it."""
        self.times.append(time.process_time())

    def median(self) -> float:
        """Seconds a step."""
        return statistics.median(b - a for a, b in itertools.pairwise(self.times))


def recipe(changes: dict[str, Any], steps: int) -> Recipe:
    """The recipe ``denoise`` from random weights, unclipped, by AdamW with biases, with one thing changed."""
    base = dataclasses.replace(
        load_recipe("denoise", budget=f"{steps} steps"),
        start="", optimizer="adamw", learning_rate=1.2e-3, schedule="cosine", warmup=0.02, batch=8, patch=64,
        objective="charbonnier", degradation="noise:sigma=0..75", arguments={"noise_level": True}, validations=4,
        overstated=0.0,
    )  # fmt: skip
    return dataclasses.replace(base, **{**changes, "arguments": {**base.arguments, **changes.get("arguments", {})}})


def trained(name: str, options: argparse.Namespace) -> Result:
    """Train a variant, or load it where it has been trained."""
    run, changes = RUNS / name, VARIANTS[name][1]
    if not (run / "best.safetensors").exists():
        clock = Clock()
        with tempfile.TemporaryDirectory() as folder:
            short = dataclasses.replace(recipe(changes, 20), limit=16)
            train(short, options.images, Path(folder), validation=options.validation, threads=1, watch=clock)
        steps = round(options.seconds / clock.median())
        print(f"{name}: {clock.median():.3f} s a step, {steps} steps", flush=True)
        train(
            recipe(changes, steps), options.images, run, validation=options.validation, threads=1, watch=Progress(name)
        )
    return load_result(run)


def main() -> None:
    """Train what is not there and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=240.0)
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
        f"\nPSNR in dB on the centers of {options.validation.name} (160x160), after {options.seconds:.0f} CPU "
        f"seconds each ({first.device}; trained at commit {first.code}); batches of {first.recipe.batch} patches of "
        f"{first.recipe.patch}x{first.recipe.patch} pixels, unclipped noise of sigma 0 to 75, cosine schedule, "
        "averaged weights, one seed."
    )
    command = f"python benchmarks/optimizers.py --images {options.images.name} --validation {options.validation.name}"
    write_section("Optimizer and biases", command, "\n".join(lines))


if __name__ == "__main__":
    main()
