"""Learn to denoise without a clean photograph: every objective at as many updates, beside the supervised one.

python -m experiments.objectives.noisy --images CLEAN --held OTHERS [--updates 600] [--seeds 3]

Each photograph gets two noisy shots, of which only noise2noise sees the second; the clean ones are for the supervised
network, and to measure. It writes noisy.json and the table of the page; a run that is done is not repeated.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from torch.nn import functional as F

from experiments.command import Parser, command, count
from experiments.page import publish, save
from resolvent.errors import InputError
from resolvent.image import read_image
from resolvent.provenance import provenance
from resolvent.training.data import find_photographs
from resolvent.training.loop import train
from resolvent.training.objectives import OBJECTIVES, Entry
from resolvent.training.objectives.base import Batch, Objective, Outcome, Predict
from resolvent.training.recipe import Recipe
from resolvent.training.runs import load_result

SIGMA, SIDE = 25, 160

LARGEST_GAP = {"noise2noise": 0.3, "sure": 0.4, "r2r": 0.6, "neighbor2neighbor": 0.7}
"""Goals: at most so many dB below the supervised network."""

ROWS = ("mse", "noise2noise", "sure", "r2r", "neighbor2neighbor", "noise2self", "noise2void", "identity")


class Identity(Objective):
    """Its own noisy input as target: the control, which learns nothing."""

    def forward(self, predict: Predict, batch: Batch, share: float) -> Outcome:
        restored = predict(batch.inputs)
        return Outcome(F.mse_loss(restored, batch.inputs[:, :3]), restored, {})


CONTROL = Entry(f"{Identity.__module__}:Identity", "the control", "noisy")


def prepare(images: Path, folder: Path, count: int) -> None:
    """Write the center of each photograph, clean and as two shots with white noise that is not clipped.

    Raises:
        InputError: None is large enough.
    """
    found = find_photographs(images)
    for number, path in enumerate(found[:: max(1, len(found) // count)][:count]):
        pixels = read_image(path).pixels
        pixels = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
        top, left = ((side - SIDE) // 2 for side in pixels.shape[:2])
        if min(top, left) < 0:
            continue
        clean = pixels[top : top + SIDE, left : left + SIDE].astype(np.float32)
        generator = np.random.default_rng(number)
        name = f"{number:03d}"
        for place, image in {
            f"clean/{name}.tif": clean,
            f"one/{name}.tif": (one := clean + generator.normal(0, SIGMA / 255, clean.shape).astype(np.float32)),
            f"bursts/{name}/1.tif": one,
            f"bursts/{name}/2.tif": clean + generator.normal(0, SIGMA / 255, clean.shape).astype(np.float32),
        }.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(folder / place, image, photometric="rgb")
    if not folder.is_dir():
        raise InputError(f"{images}: holds no photograph of {SIDE} pixels a side; give larger ones")


def recipe(objective: str, updates: int, seed: int) -> Recipe:
    """The same small network and the same budget for every objective."""
    return Recipe(
        name=objective,
        task="denoise",
        summary=f"noise of sigma {SIGMA}, by {objective}",
        degradation=f"noise:sigma={SIGMA}",
        validation=(f"noise:sigma={SIGMA}",),
        arguments={"widths": (16, 32, 64), "blocks": (1, 1, 2), "fold": 2},
        patch=80 if objective == "neighbor2neighbor" else 40,
        batch=8,
        objective=objective,
        objective_settings={"sigma": SIGMA} if objective in ("sure", "r2r") else {},
        learning_rate=2e-3,
        ema=0.99,
        budget=f"{updates} steps",
        validations=1,
        seed=seed,
    )


def table(found: dict[str, Any]) -> str:
    """One row for each objective."""
    supervised = statistics.mean(found["psnr"]["mse"])
    lines = ["| | PSNR | spread of the seeds | below supervised | goal |", "|---|---|---|---|---|"]
    for name, values in found["psnr"].items():
        mean, goal = statistics.mean(values), LARGEST_GAP.get(name)
        label = "supervised" if name == "mse" else name
        spread = max(values) - min(values)
        figures = f"{mean:.2f} | {spread:.2f} | {supervised - mean:.2f}"
        lines.append(f"| {label} | {figures} | {'' if goal is None else f'<= {goal}'} |")
    lines.append(f"| the noisy input | {found['input']:.2f} | | {supervised - found['input']:.2f} | |")
    return "\n".join(lines)


@command
def main() -> None:
    """Train all, and write the table."""
    parser = Parser(__doc__, Path(__file__).parent, "objectives")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--held", type=Path, required=True, help="clean photographs to measure on")
    parser.add_argument("--updates", type=count, default=600)
    parser.add_argument("--seeds", type=count, default=3)
    parser.add_argument("--photographs", type=count, default=120)
    parser.add_argument("--only", nargs="+", choices=ROWS, default=ROWS)
    options = parser.read()
    find_photographs(options.held)
    OBJECTIVES["identity"] = CONTROL
    data: Path = options.runs / "data"
    if not (data / "one").is_dir():
        prepare(options.images, data, options.photographs)
    found: dict[str, Any] = {"updates": options.updates, "psnr": {}, "seconds": {}}
    for seed in range(options.seeds):
        for name in options.only:
            run = options.runs / f"{name}-{options.updates}-{seed}"
            folder = data / {"clean": "clean", "noisy": "one", "bursts": "bursts"}[OBJECTIVES[name].photographs]
            if (run / "best.safetensors").exists():
                result = load_result(run)
            else:
                chosen = recipe(name, options.updates, seed)
                resume = (run / "last.safetensors").exists()
                result = train(chosen, folder, run, validation=options.held, threads=options.threads, resume=resume)
            (value,) = result.psnr.values()
            (found["input"],) = result.inputs.values()
            found["psnr"].setdefault(name, []).append(round(value, 3))
            found["seconds"].setdefault(name, []).append(round(result.seconds, 1))
            print(f"{name}, seed {seed}: {value:.2f} dB, {result.seconds:.0f} s", flush=True)
    found["measured_on"] = str(provenance())
    save(options.output / "noisy.json", found)
    publish(options.output, f"{table(found)}\n\nMeasured on: {found['measured_on']}.", "noisy")


if __name__ == "__main__":
    main()
