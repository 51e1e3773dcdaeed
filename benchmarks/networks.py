"""Which network, loss and averaging to ship: PSNR after one training budget against seconds per megapixel.

python benchmarks/networks.py --images TRAIN --validation VAL [--steps 2000] [--threads 1] [--only NAME ...]

Every variant trains as the recipe ``denoise`` does, for the same number of updates on the same patches, in
``runs/networks/NAME``; one that is there already is not trained again, so that the variants can be trained side by
side, each by a call with --only, before one call without it writes the table.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from progress import Progress
from results import write_section

from resolvent.inference.runtime import Session, open_session
from resolvent.training.loop import train
from resolvent.training.recipe import Recipe
from resolvent.training.recipe_file import load_recipe
from resolvent.training.release import release
from resolvent.training.runs import Result, load_result

BASE: dict[str, Any] = {"widths": [48, 96, 192], "blocks": [2, 2, 2], "skips": "add", "fold": 2, "noise_level": True}
# name: (what it is, changes of the recipe)
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "small": ("48/96/192, 2/2/2 blocks, space-to-depth 2, additive skips", {}),
    "concat": ("the same with concatenated skips", {"arguments": {"skips": "concat"}}),
    "wide": ("64/128/256, 1/1/2 blocks", {"arguments": {"widths": [64, 128, 256], "blocks": [1, 1, 2]}}),
    "wide-concat": (
        "64/128/256, 1/1/2 blocks, concatenated skips",
        {"arguments": {"widths": [64, 128, 256], "blocks": [1, 1, 2], "skips": "concat"}},
    ),
    "deep": ("32/64/128, 4/5/6 blocks", {"arguments": {"widths": [32, 64, 128], "blocks": [4, 5, 6]}}),
    "four-scales": (
        "48/96/192/256, 2/2/2/2 blocks",
        {"arguments": {"widths": [48, 96, 192, 256], "blocks": [2, 2, 2, 2]}},
    ),
    "bottom-heavy": ("48/96/192, 1/2/6 blocks", {"arguments": {"widths": [48, 96, 192], "blocks": [1, 2, 6]}}),
    "no-fold": (
        "16/48/96/192, 1/2/2/2 blocks, no space-to-depth",
        {"arguments": {"widths": [16, 48, 96, 192], "blocks": [1, 2, 2, 2], "fold": 1}},
    ),
    "no-fold-wide": (
        "16/64/128/256, 1/1/1/2 blocks, no space-to-depth",
        {"arguments": {"widths": [16, 64, 128, 256], "blocks": [1, 1, 1, 2], "fold": 1}},
    ),
    "no-fold-fine": (
        "32/64/128/256, 1/1/1/1 blocks, no space-to-depth",
        {"arguments": {"widths": [32, 64, 128, 256], "blocks": [1, 1, 1, 1], "fold": 1}},
    ),
}
TRAININGS: dict[str, tuple[str, dict[str, Any]]] = {
    "small": ("L1, averaged weights", {}),
    "mse": ("MSE", {"objective": "mse"}),
    "charbonnier": ("Charbonnier", {"objective": "charbonnier"}),
    "no-ema": ("L1, the weights themselves", {"ema": 0.0}),
}
RUNS = Path("runs/networks")


def recipe(changes: dict[str, Any], options: argparse.Namespace) -> Recipe:
    """The recipe ``denoise``, without rounding and at a higher rate, with one thing changed."""
    base = load_recipe("denoise", budget=f"{options.steps} steps", batch=options.batch, patch=options.patch)
    base = dataclasses.replace(
        base,
        network="unet-small",
        arguments=BASE,
        objective="l1",
        degradation="noise:sigma=0..75",
        learning_rate=1.5e-3,
        optimizer="adamw",
        overstated=0.0,
    )
    return dataclasses.replace(base, **{**changes, "arguments": {**BASE, **changes.get("arguments", {})}})


def trained(name: str, changes: dict[str, Any], options: argparse.Namespace) -> Result:
    """Train a variant, or load it where it has been trained."""
    run, wanted = RUNS / name, recipe(changes, options)
    if not (run / "done").exists():
        resume = (run / "last.safetensors").exists()
        train(
            wanted, options.images, run, validation=options.validation, threads=options.threads, resume=resume,
            watch=Progress(name),
        )  # fmt: skip
        (run / "done").touch()
    result = load_result(run)
    if result.recipe != wanted:
        raise SystemExit(f"{run}: was trained with other options; delete it")
    return result


def seconds_per_megapixel(session: Session, side: int, repeats: int) -> float:
    """Median time of a square image, after a run that is not counted."""
    x = np.random.default_rng(0).random((1, 4, side, side), np.float32)
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        session.run(x)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:]) / (side * side / 1e6)


def row(label: str, result: Result, *extra: str) -> str:
    """One line of a table."""
    psnr = [f"{value:.2f}" for value in result.psnr.values()]
    return "| " + " | ".join([label, *psnr, f"{statistics.mean(result.psnr.values()):.2f}", *extra]) + " |"


def main() -> None:
    """Train what is not there, measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--patch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--side", type=int, default=768, help="of the image that is timed")
    parser.add_argument("--only", nargs="+", help="train these and write nothing")
    options = parser.parse_args()
    everything = NETWORKS | TRAININGS
    for name in options.only or everything:
        trained(name, everything[name][1], options)
    if options.only:
        return

    results = {name: trained(name, changes, options) for name, (_, changes) in everything.items()}
    levels = " | ".join(next(iter(results.values())).psnr)
    rule = "|---" * (levels.count("|") + 3)
    lines = [f"| network | {levels} | mean | parameters | onnxruntime, s/MP | OpenVINO, s/MP |", rule + "|---|---|---|"]
    for name, (label, _) in NETWORKS.items():
        result, path = results[name], RUNS / name / f"{name}.onnx"
        release(result, path, data=options.images.name, license="unstated")
        times = [seconds_per_megapixel(open_session(path, r), options.side, 5) for r in ("onnxruntime", "openvino")]
        parameters = sum(p.numel() for p in result.network.parameters()) / 1e6
        lines.append(row(f"{name}: {label}", result, f"{parameters:.2f} M", *(f"{t:.2f}" for t in times)))
    lines += ["", f"| training of `small` | {levels} | mean |", rule + "|"]
    lines += [row(f"{name}: {label}", results[name]) for name, (label, _) in TRAININGS.items()]
    lines.append(
        f"\nPSNR in dB on the centers of {options.validation.name} (160x160), after {options.steps} updates of "
        f"{options.batch} patches of {options.patch}x{options.patch} pixels on {results['small'].device}; the best of "
        f"ten measurements. Times: median of 5, one {options.side}x{options.side} image, float32, all cores."
    )
    command = f"python benchmarks/networks.py --images {options.images.name} --validation {options.validation.name}"
    write_section("Network, loss and averaging", command, "\n".join(lines))


if __name__ == "__main__":
    main()
