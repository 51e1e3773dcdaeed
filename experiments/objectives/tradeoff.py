"""What realism costs and what it brings: between two sets of weights, PSNR against the distance of features.

python -m experiments.objectives.tradeoff --images KODAK24 CBSD68 --model upscale4 --realistic runs/upscale4-gan

Without --realistic the second set of weights is that which comes with the model. It writes tradeoff-MODEL.json, the
figures, and the table of the page.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.command import Parser, command, count
from experiments.crops import centers
from experiments.objectives.figures import crops_figure, tradeoff_figure
from experiments.page import publish, save
from resolvent.degradations import parse
from resolvent.evaluation.metrics import psnr
from resolvent.inference.runtime import OnnxSession
from resolvent.models.realism import blended, write_realism
from resolvent.models.registry import find, read_card, realistic
from resolvent.physics.resize import imresize
from resolvent.provenance import provenance
from resolvent.training.objectives.comparator import Comparator, load_comparator

SIDE = 256

STEPS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

SHOWN = (0.0, 0.4, 1.0)

BINS = np.linspace(0, 0.4, 41)
"""Of the magnitude of the gradient of the gray image, in its range for each pixel."""

LOSS = 0.3, 2.5
"""Goal: the dB that PSNR falls in all."""

Array = NDArray[np.float32]


def histogram(images: Sequence[Array]) -> NDArray[np.float64]:
    """How the magnitudes of the gradient are distributed in images (H, W, 3): shares of BINS; the last is open."""
    found = np.zeros(len(BINS) - 1)
    for image in images:
        down, right = np.gradient(image.mean(axis=2))
        found += np.histogram(np.minimum(np.hypot(down, right), BINS[-1]), BINS)[0]
    return found / found.sum()


def compare(
    truths: Sequence[Array], images: Sequence[Array], comparator: Comparator, truth: NDArray[np.float64]
) -> dict[str, Any]:
    """What is between images and the truth; ``truth`` is the histogram of the latter."""
    shape = histogram(images)
    distances = [float(comparator.distance(_tensor(a), _tensor(b))) for a, b in zip(truths, images, strict=True)]
    shift = np.mean([np.abs((b - a).mean((0, 1))).max() for a, b in zip(truths, images, strict=True)])
    return {
        "psnr": float(np.mean([psnr(a, b) for a, b in zip(truths, images, strict=True)])),
        "features": float(np.mean(distances)),
        "gradients": float(np.abs(shape - truth).sum() / 2),
        "color": float(255 * shift),
        "histogram": [round(float(value), 6) for value in shape],
    }


def degrade(truth: Array, text: str, seed: int) -> Array:
    """An image under a degradation, whose values are drawn if they are not fixed."""
    rng = np.random.default_rng(seed)
    return np.asarray(parse(text).sample(rng)(truth, rng), np.float32)


def _tensor(image: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)[None]))


@torch.no_grad()
def measure(
    model: str, change: Path, crops: Sequence[Array], degradations: Sequence[str]
) -> tuple[dict[str, Any], Any]:
    """Restore all crops at all steps; the figures, and what to show of the first crops."""
    card, base, comparator = read_card(model), find(model), load_comparator()
    cases = [(truth, text) for truth in crops for text in degradations]
    truths = [truth for truth, _ in cases]
    given = [degrade(*case, number) for number, case in enumerate(cases)]
    baseline = [np.clip(y if card.scale == 1 else imresize(y, shape=(SIDE, SIDE)), 0, 1) for y in given]
    truth = histogram(truths)
    found = {"truth": [round(float(v), 6) for v in truth], "input": compare(truths, baseline, comparator, truth)}
    shown = {"input": baseline}
    for realism in STEPS:
        session = OnnxSession(base, card, None, content=blended(base, change, realism))
        images = [
            np.clip(session.run(y.transpose(2, 0, 1)[None].astype(np.float32))[0].transpose(1, 2, 0), 0, 1)
            for y in given
        ]
        found[f"{realism:g}"] = compare(truths, images, comparator, truth)
        print(f"{model}, realism {realism:g}: {found[f'{realism:g}']['psnr']:.2f} dB", flush=True)
        if realism in SHOWN:
            shown[f"realism {realism:g}"] = images
    return found, shown | {"truth": truths}


def table(name: str, found: dict[str, Any]) -> str:
    """A row for each step, and which of the claims hold."""
    lines = [
        f"| {name} | PSNR | feature distance | distance of gradients | color shift, gray levels |",
        "|---|---|---|---|---|",
    ]
    for label, values in found.items():
        if label != "truth":
            row = "input" if label == "input" else f"realism {label}"
            figures = f"{values['psnr']:.2f} | {values['features']:.4f} | {values['gradients']:.3f}"
            lines.append(f"| {row} | {figures} | {values['color']:.2f} |")
    steps = [found[f"{step:g}"] for step in STEPS]
    loss = steps[0]["psnr"] - steps[-1]["psnr"]
    claims = {
        "PSNR falls at each step": all(a["psnr"] > b["psnr"] for a, b in itertools.pairwise(steps)),
        f"by {LOSS[0]} to {LOSS[1]} dB in all ({loss:.2f})": LOSS[0] <= loss <= LOSS[1],
        "gradients come nearer to the truth's": steps[-1]["gradients"] < steps[0]["gradients"],
        "features come nearer": steps[-1]["features"] < steps[0]["features"],
    }
    return "\n".join(
        [*lines, "", "; ".join(f"{claim}: {'yes' if holds else '**no**'}" for claim, holds in claims.items())]
    )


@command
def main() -> None:
    """Measure, draw and write."""
    parser = Parser(__doc__, Path(__file__).parent)
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="photographs not trained on")
    parser.add_argument("--model", default="upscale4")
    parser.add_argument("--realistic", type=Path, help="the other set: a model file, or the folder of a run")
    parser.add_argument("--keep", type=Path, help="the file to keep it in, NAME.realism.npz beside the model's")
    parser.add_argument("--limit", type=count, help="photographs of each folder")
    options = parser.read()
    crops = [crop for folder in options.images for crop in centers(folder, SIDE, options.limit).values()]
    validation = read_card(options.model).recipe.get("validation", [])
    with tempfile.TemporaryDirectory() as work:
        change = realistic().get(options.model)
        if options.realistic is not None:
            change = options.keep or Path(work) / "change.npz"
            write_realism(find(options.model), find(options.realistic), change)
            validation = read_card(options.realistic).recipe["validation"]
        if change is None:
            parser.error(f"model {options.model} comes without a second set of weights; give --realistic")
        found, shown = measure(options.model, change, crops, validation)
    path = options.output / f"tradeoff-{options.model}.json"
    result = {"photographs": len(crops), "degradations": validation, **found, "measured_on": str(provenance())}
    save(path, result)
    tradeoff_figure(path.with_suffix(".svg"), found, [f"{step:g}" for step in STEPS], BINS)
    crops_figure(path.with_suffix(".png"), shown)
    text = table(options.model, found)
    publish(options.output, f"{text}\n\n{len(crops)} crops of {SIDE}x{SIDE}; {result['measured_on']}.", options.model)


if __name__ == "__main__":
    main()
