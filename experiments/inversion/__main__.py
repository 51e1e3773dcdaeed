"""Train the decoders, measure them on held-out crops, and write results.json, the figures and the table of the page.

python -m experiments.inversion --images FOLDER --held FOLDER [--steps 1500] [--only hog middle] [--objective mse]

Every decoder trains in ``runs/inversion`` and goes on from there if it was stopped; ``--reached`` trains nothing and
measures how far they have come.
"""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch

from experiments.command import Parser, command, count
from experiments.inversion.decoder import OBJECTIVES, SIDE, Run, train
from experiments.inversion.features import FEATURES, MODEL, SIGMA, Layers
from experiments.inversion.figures import spectrum_figure
from experiments.inversion.measure import BASELINES, baseline, decode, held_crops, score, spectrum
from experiments.page import publish, save
from experiments.seed.figures import rows_figure
from resolvent.provenance import provenance
from resolvent.training.data import Shard, find_photographs, pack

PHOTOGRAPH = 4 * SIDE
"""Side to which a photograph's center square is resized, in pixels."""

PERCEPTUAL = ("hog", "middle")
"""Features of which a decoder is trained for another objective as well."""

SHOWN = 6


def shard(folder: Path, path: Path) -> Shard:
    """The photographs of a folder, packed once."""
    if path.exists():
        return Shard.open(path)
    return pack(find_photographs(folder), path, minimum=SIDE, resize=PHOTOGRAPH)


def planned(options: Namespace) -> list[Run]:
    """The runs that the options ask for, mean squared error first, since others start from it."""
    runs = [
        Run(feature, objective, options.steps if objective == "mse" else options.steps // 5)
        for feature in options.only
        for objective in options.objective
        if objective == "mse" or feature in PERCEPTUAL
    ]
    return sorted(runs, key=lambda run: list(OBJECTIVES).index(run.objective))


def label(run: Run) -> str:
    """For tables and figures."""
    return FEATURES[run.feature].label + ("" if run.objective == "mse" else f"; {run.objective}")


def table(results: dict[str, dict[str, Any]]) -> str:
    """PSNR and gradient energy of every decoder and baseline."""
    lines = [
        "| from | numbers a crop | steps | CPU s | PSNR, dB | sd over crops | gradient energy | of the error | sum |",
        "|---" * 9 + "|",
    ]
    for row in results.values():
        cells = [row["label"], *(f"{row[key]:.0f}" if key in row else "" for key in ("numbers", "steps", "seconds"))]
        cells += [f"{row['psnr']:.2f}", f"{row['deviation']:.2f}"]
        cells += [f"{value:.3f}" for value in (row["energy"], row["error"], row["energy"] + row["error"])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def verdicts(results: dict[str, dict[str, Any]]) -> str:
    """What came out of the claims, of the runs that are there."""
    lines = ["| claim | measured | |", "|---|---|---|"]
    for claim, better, worse, least in (
        ("the middle is 3 dB or more above HOG", "middle, mse", "hog, mse", 3.0),
        ("skip 1 is above the middle", "skip 1, mse", "middle, mse", 0.0),
        ("the middle is above 8x8 pixels enlarged", "middle, mse", "thumbnail", 0.0),
    ):
        if better in results and worse in results:
            gain = results[better]["psnr"] - results[worse]["psnr"]
            lines.append(f"| {claim} | {gain:+.2f} dB | {'yes' if gain > least else '**no**'} |")
    sums = [row["energy"] + row["error"] for name, row in results.items() if name.endswith(", mse")]
    if sums:
        near = max(abs(value - 1) for value in sums) <= 0.05
        text = f"{min(sums):.3f} to {max(sums):.3f}"
        claim = "blur is the conditional mean: energies add up to 1 within 0.05"
        lines.append(f"| {claim} | {text} | {'yes' if near else '**no**'} |")
    for feature in PERCEPTUAL:
        plain, other = results.get(f"{feature}, mse"), results.get(f"{feature}, perceptual")
        if plain and other:
            text = f"{other['energy'] / plain['energy']:.1f} times the gradient energy, "
            text += f"{other['psnr'] - plain['psnr']:+.2f} dB, error {other['error']:.3f} from {plain['error']:.3f}"
            truer = other["energy"] > plain["energy"] and other["error"] < plain["error"]
            claim = f"{FEATURES[feature].label}: what the perceptual objective adds is true detail"
            lines.append(f"| {claim} | {text} | {'yes' if truer else '**no**'} |")
    return "\n".join(lines)


@command
def main() -> None:
    """Train, measure, draw and write."""
    parser = Parser(__doc__, Path(__file__).parent, "inversion")
    parser.add_argument(
        "--images", type=Path, required=True, help=f"photographs to train on, {PHOTOGRAPH} pixels a side"
    )
    parser.add_argument("--held", type=Path, required=True, help="other photographs, to measure on")
    parser.add_argument("--steps", type=int, default=1500, help="of each decoder; a fifth of it for other objectives")
    parser.add_argument("--only", nargs="+", choices=list(FEATURES), default=list(FEATURES))
    parser.add_argument("--objective", nargs="+", choices=list(OBJECTIVES), default=list(OBJECTIVES))
    parser.add_argument("--limit", type=count, default=16, help="how many of the held photographs")
    parser.add_argument("--reached", action="store_true", help="train nothing, measure how far the runs have come")
    options = parser.read()
    if options.steps < 5:
        parser.error(f"--steps {options.steps}: give 5 or more, 1500 for the page")
    if "mse" not in options.objective:
        options.objective = ["mse", *options.objective]  # which the others start from
    work: Path = options.runs
    find_photographs(options.held)
    photographs = shard(options.images, work / "training.shard")
    clean = held_crops(shard(options.held, work / "held.shard"), options.limit)
    layers, where = Layers(), provenance()
    options.output.mkdir(parents=True, exist_ok=True)

    results: dict[str, dict[str, Any]] = {
        name: {"label": text} | dataclasses.asdict(score(baseline(name, clean), clean))
        for name, text in BASELINES.items()
    }
    picked = torch.linspace(0, len(clean) - 1, SHOWN + 2)[1:-1].long()
    rows = [("truth", clean[picked])]
    powers: dict[str, list[float]] = {}
    for run in sorted(planned(options), key=lambda run: list(FEATURES).index(run.feature)):
        if options.reached and not run.path(work).exists():
            continue
        decoder, book = train(run, photographs, layers, work, reached=options.reached)
        restored = decode(decoder, run.feature, layers, clean)
        results[run.name] = {
            "label": label(run), "numbers": FEATURES[run.feature].numbers(SIDE), **book,
            **dataclasses.asdict(score(restored, clean)),
        }  # fmt: skip
        rows.append((label(run).replace("; ", ", "), restored[picked]))
        powers[label(run)] = spectrum(restored)
        print(f"{run.name}: {results[run.name]['psnr']:.2f} dB", flush=True)

    pictures = [(name, list(row.permute(0, 2, 3, 1).numpy())) for name, row in rows]
    rows_figure(options.output / "rows.png", pictures, [""] * len(picked))
    dashed = {name for name in powers if "; " in name}
    spectrum_figure(options.output / "spectrum.svg", spectrum(clean), powers, dashed)
    report = {
        "results": results, "spectrum": {"truth": spectrum(clean), **powers}, "crops": len(clean), "model": MODEL,
        "sigma": SIGMA, "trained_on": len(photographs), "measured_on": str(where),
    }  # fmt: skip
    save(options.output / "results.json", report)
    protocol = f"{len(clean)} crops of {SIDE}x{SIDE}, trained on crops of {len(photographs)} photographs"
    text = f"{table(results)}\n\n{verdicts(results)}\n\nMeasured on: {protocol}; {where}."
    publish(options.output, text)


if __name__ == "__main__":
    main()
