"""Train what is not trained yet, take the network apart, and write results.json, the figures and the page's tables.

python -m experiments.cnn_anatomy --images FLOWERS [--epochs 60] [--limit 50]

Both networks train in ``runs/cnn-anatomy`` and go on from there if they were stopped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.cnn_anatomy import convolution, depth, dropout, pooling, skips
from experiments.cnn_anatomy.networks import NETWORKS, trained
from experiments.cnn_anatomy.tables import tables
from experiments.command import Parser, command, count
from experiments.page import publish, save
from experiments.seed.flowers import SIDE, gather, needed, prepare
from experiments.seed.measure import degraded, tensor
from experiments.seed.variants import blur
from resolvent.degradations import parse
from resolvent.provenance import provenance

SHOWN = 2
"""Test flowers in the figure of the skip connections; that of pooling shows the last of them, the others the first."""

FEW = 8
"""Test flowers of what takes many passes: shifts, dropout, gradients."""


@command
def main() -> None:
    """Train, measure, draw and write."""
    parser = Parser(__doc__, Path(__file__).parent, "cnn-anatomy")
    parser.add_argument("--images", type=Path, required=True, help="folder of flowers, or the archive flower_photos")
    parser.add_argument("--epochs", type=count, default=60, help="of each network")
    parser.add_argument("--limit", type=count, default=50, help="how many of the test flowers")
    options = parser.read()
    if options.limit < SHOWN:
        parser.error(f"--limit {options.limit}: the figures show {SHOWN} test flowers; give {SHOWN} or more")
    work: Path = options.runs
    photographs = gather(options.images, work, needed(max(SHOWN, min(FEW, options.limit))))
    test = prepare(photographs, work).test[: options.limit]
    out: Path = options.output
    out.mkdir(parents=True, exist_ok=True)
    networks, training = {}, {}
    for name in NETWORKS:
        networks[name], result = trained(name, work, photographs, options.epochs, options.threads)
        training[name] = {
            "psnr": result.psnr, "inputs": result.inputs, "steps": result.steps, "seconds": result.seconds,
            "photographs": result.photographs, "weights": sum(weight.numel() for weight in networks[name].parameters()),
        }  # fmt: skip
        print(f"{name}: {result}", flush=True)
    network, where = networks["skips"], provenance()
    clean = tensor(test)
    blurred = tensor(degraded(test, parse(blur(skips.SHOWN_BLUR))))
    report: dict[str, Any] = {"training": training, "epochs": options.epochs, "pictures": len(test), "few": FEW}

    recipe = NETWORKS["skips"].recipe(1, 1, options.epochs)
    report["filters"] = convolution.filters(network, recipe, blurred)
    report["shifts"] = {name: convolution.shift_errors(each, blurred[:FEW]) for name, each in networks.items()}
    convolution.draw(out / "convolution.png", network, blurred, report["filters"], report["shifts"])
    print("convolution", flush=True)
    report["pooling"] = pooling.measure(clean)
    pooling.draw(out / "pooling.png", clean[SHOWN - 1 : SHOWN], report["pooling"])
    print("pooling", flush=True)
    report["dropout"] = dropout.measure(network, blurred[:FEW], clean[:FEW])
    dropout.draw(out / "dropout.png", network, blurred[:1], clean[:1], report["dropout"])
    print("dropout", flush=True)
    report["skips"] = skips.measure(networks, test)
    skips.draw(out / "skips.png", networks, test[:SHOWN], report["skips"])
    print("skips", flush=True)
    report["depth"], gradients = depth.measure(networks, blurred[:FEW])
    depth.draw(out / "depth.png", blurred[:1], report["depth"], gradients)

    report["measured_on"] = str(where)
    save(out / "results.json", report)
    protocol = (
        f"{len(test)} test flowers of {SIDE}x{SIDE}, the first {min(FEW, len(test))} for shifts, dropout and gradients"
    )
    text = f"{tables(report)}\n\nMeasured on: {protocol}; {where}."
    publish(out, text)


if __name__ == "__main__":
    main()
