"""Train what is not trained yet, measure everything, and write results.json, the figures and the tables of the page.

python -m experiments.seed --images FLOWERS [--epochs 500] [--only lite unet-small] [--ablation-epochs 100]

Every network trains in ``runs/seed/NAME`` and goes on from there if it was stopped, so that the command can be given
again until all is there; ``--train NAME`` trains one and measures nothing, for several at once.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from experiments.command import Parser, command, count
from experiments.page import publish, save
from experiments.seed.curves import Curves
from experiments.seed.figures import curves_figure, rows_figure, sweep_figure
from experiments.seed.flowers import Flowers, gather, prepare, sizes
from experiments.seed.measure import BASELINES, MIXTURE, Restorer, baselines, compare, degraded, network, sweep
from experiments.seed.variants import ABLATIONS, BLURS, VARIANTS, Variant, blur
from resolvent.degradations import parse
from resolvent.provenance import provenance
from resolvent.training.loop import train
from resolvent.training.release import release
from resolvent.training.runs import Result, load_result

SWEPT = tuple(range(3, 42, 2))
NOISES = (5, 10, 15, 20, 25, 30, 40, 50)
SHOWN = 3
"""Test photographs in the figures."""


def trained(name: str, variant: Variant, work: Path, photographs: Path, options: argparse.Namespace) -> Result:
    """Train a variant to its end, or go on where it was stopped."""
    run = work / name.replace(" ", "-")
    count = len(list(photographs.iterdir()))
    epochs = options.ablation_epochs if variant in ABLATIONS.values() else options.epochs
    recipe = variant.recipe(*sizes(count), epochs)
    if options.reached:
        return load_result(run)
    if variant.after:
        recipe = dataclasses.replace(recipe, start=str(work / variant.after / f"{variant.after}.onnx"))
    resume = (run / "last.safetensors").exists()
    print(f"{name}: {recipe.budget} of {recipe.network}{', going on' * resume}", flush=True)
    return train(
        recipe, photographs, run, threads=options.threads, compiled=options.compile, resume=resume, watch=Curves(run)
    )


def export(run: Result, name: str, work: Path) -> None:
    """Write the model file of a run into its folder."""
    rebuild = f"python -m experiments.seed --images FLOWERS --train {name!r}"
    data = f"flower_photos (CC BY 2.0); trained by {rebuild}"
    release(run, work / name.replace(" ", "-") / f"{name}.onnx", data=data, license="CC-BY-2.0")


def table(results: dict[str, Any], labels: dict[str, str], keras: dict[str, Any]) -> str:
    """Accuracy and gain on each split, on the mixture and on the blur of 15 pixels."""
    lines = [
        "| | epochs | train accuracy, Keras | train | val | test | val PSNR | test PSNR | at 15x15 | gain |",
        "|---" * 10 + "|",
    ]
    nothing = results["identity"]["15"]["test"]["psnr"]
    for name, scores in results.items():
        mixture, at15 = scores[MIXTURE], scores["15"]["test"]["psnr"]
        keras_line = keras.get(name)
        cells = ["", ""] if keras_line is None else [str(keras_line["epoch"]), f"{100 * keras_line['accuracy']:.2f} %"]
        cells += [f"{100 * mixture[split]['accuracy']:.2f} %" for split in ("train", "val", "test")]
        cells += [f"{mixture['val']['psnr']:.2f}", f"{mixture['test']['psnr']:.2f}", f"{at15:.2f}"]
        lines.append("| " + " | ".join([labels[name], *cells, f"{at15 - nothing:+.2f}"]) + " |")
    return "\n".join(lines)


def by_blur(results: dict[str, Any], labels: dict[str, str]) -> str:
    """Train and validation accuracy for each blur."""
    lines = ["| accuracy, train / val | " + " | ".join(f"{k}x{k}" for k in BLURS) + " |", "|---" * 5 + "|"]
    for name, scores in results.items():
        cells = [
            " / ".join(f"{100 * scores[str(k)][split]['accuracy']:.1f}" for split in ("train", "val")) for k in BLURS
        ]
        lines.append("| " + " | ".join([labels[name], *cells]) + " |")
    return "\n".join(lines)


def ablation_table(results: dict[str, Any], epochs: int) -> str:
    """What each part of the network does, after fewer epochs."""
    lines = [
        f"| lite, {epochs} epochs | train accuracy | val accuracy | val PSNR | test PSNR |",
        "|---|---|---|---|---|",
    ]
    for name, scores in results.items():
        mixture = scores[MIXTURE]
        cells = [f"{100 * mixture[split]['accuracy']:.2f} %" for split in ("train", "val")]
        cells += [f"{mixture[split]['psnr']:.2f}" for split in ("val", "test")]
        lines.append("| " + " | ".join([ABLATIONS[name].label, *cells]) + " |")
    return "\n".join(lines)


def best_of(results: dict[str, Any]) -> dict[str, Any]:
    """The trained variant of the highest validation accuracy on the mixture."""
    able = [name for name in results if name in VARIANTS]
    name = max(able, key=lambda variant: results[variant][MIXTURE]["val"]["accuracy"])
    gain = results[name]["15"]["test"]["psnr"] - results["identity"]["15"]["test"]["psnr"]
    return {
        "variant": name,
        "train_accuracy": results[name][MIXTURE]["train"]["accuracy"],
        "val_accuracy": results[name][MIXTURE]["val"]["accuracy"],
        "test_gain_db_15": gain,
    }


def _after(first: str, curves: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The curve of a variant, beginning where that of the one whose weights it starts from ends."""
    done = curves[first][-1]["epoch"] if curves.get(first) else 0
    return [line | {"epoch": done + line["epoch"]} for line in curves[name]]


def draw(
    out: Path, flowers: Flowers, restorers: dict[str, Restorer], curves: dict[str, Any], results: dict[str, Any]
) -> dict[str, Any]:
    """Draw all figures; give what the sweep measured."""
    labels = {name: VARIANTS[name].label for name in restorers}
    clean = flowers.test[:SHOWN]
    last = list(restorers)[-1]
    for i, truth in enumerate(clean):
        kernels = [parse(blur(k)) for k in BLURS]
        ys = [degraded(truth[None], kernel)[0] for kernel in kernels]
        rows: list[tuple[str, Any]] = [("true", [truth] * len(BLURS)), ("degraded", ys)]
        for name in dict.fromkeys([next(iter(restorers)), last]):
            xs = [restorers[name](y[None], kernel)[0] for y, kernel in zip(ys, kernels, strict=True)]
            rows.append((labels[name], xs))
            rows.append(("4 |restored - true|", [4 * np.abs(np.clip(x, 0, 1) - truth) for x in xs]))
        rows_figure(out / f"rows-{i}.png", rows, [f"blur {k}x{k}" for k in BLURS])
    identity = {split: results["identity"][MIXTURE][split]["accuracy"] for split in ("train", "val")}
    shown = {labels[name]: _after(VARIANTS[name].after, curves, name) for name in restorers if curves[name]}
    curves_figure(out / "curves.svg", shown, identity)
    by_ksize = sweep(restorers, flowers.test, [blur(k) for k in SWEPT])
    by_sigma = sweep(restorers, flowers.test, [f"noise:sigma={s}" for s in NOISES])
    named = [{labels.get(name, name): values for name, values in swept.items()} for swept in (by_ksize, by_sigma)]
    sweep_figure(out / "sweep.svg", SWEPT, named[0], NOISES, named[1], BLURS)
    return {"ksize": list(SWEPT), "psnr_by_ksize": by_ksize, "sigma": list(NOISES), "psnr_by_sigma": by_sigma}


@command
def main() -> None:
    """Train, measure, draw and write."""
    parser = Parser(__doc__, Path(__file__).parent, "seed")
    parser.add_argument("--images", type=Path, required=True, help="folder of flowers, or the archive flower_photos")
    parser.add_argument("--epochs", type=count, help="of every variant; 500 if not given")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--ablation-epochs", type=int, default=100, help="0 leaves the ablations out")
    parser.add_argument("--train", choices=[*VARIANTS, *ABLATIONS], help="train this one and measure nothing")
    parser.add_argument("--reached", action="store_true", help="train nothing, measure how far the runs have come")
    parser.add_argument("--compile", action="store_true", help="faster; needs a C++ compiler")
    options = parser.read()
    work: Path = options.runs
    photographs = gather(options.images, work)
    everything = {**VARIANTS, **ABLATIONS}
    if options.train:
        run = trained(options.train, everything[options.train], work, photographs, options)
        export(run, options.train, work)
        return

    flowers = prepare(photographs, work)
    options.output.mkdir(parents=True, exist_ok=True)
    labels = BASELINES | {name: variant.label for name, variant in VARIANTS.items()}
    results: dict[str, Any] = {name: compare(restorer, flowers) for name, restorer in baselines().items()}
    runs, restorers, keras, curves = {}, {}, {}, {}
    for name in options.only:
        run = trained(name, VARIANTS[name], work, photographs, options)
        export(run, name, work)
        restorers[name] = network(run.network)
        results[name] = compare(restorers[name], flowers)
        curves[name] = Curves.read(work / name)
        keras[name] = [line for line in curves[name] if "val_accuracy" in line][-1]
        runs[name] = {
            "recipe": run.recipe.to_json() | {"start": VARIANTS[name].after},
            "steps_of_the_weights": run.steps,
            "seconds": round(run.seconds),
            "device": run.device,
            "code": run.code,
            "machine": run.machine,
        }
    ablations: dict[str, Any] = {}
    if options.ablation_epochs:
        for name, variant in ABLATIONS.items():
            if options.reached and not (work / name.replace(" ", "-") / "best.safetensors").exists():
                continue
            run = trained(name, variant, work, photographs, options)
            ablations[name] = compare(network(run.network), flowers)
    swept = draw(options.output, flowers, restorers, curves, results)
    where = provenance()
    best = best_of(results)
    report = {
        "best": best, "results": results, "keras": keras, "ablations": ablations, "sweep": swept, "runs": runs,
        "measured_on": str(where), "photographs": {s: len(flowers.split(s)) for s in ("train", "val", "test")},
    }  # fmt: skip
    save(options.output / "results.json", report)
    text = [table(results, labels, keras), by_blur(results, labels)]
    if ablations:
        text.append(ablation_table(ablations, options.ablation_epochs))
    text.append(f"Measured on: {where}.")
    publish(options.output, "\n\n".join(text))


if __name__ == "__main__":
    main()
