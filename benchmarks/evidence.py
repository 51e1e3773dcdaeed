"""How far maps of errors can be trusted, beside simpler maps, and what they cost.

python benchmarks/evidence.py --model denoise.onnx restore.onnx deblur.onnx --images CBSD68/ --calibration UNSEEN/
    --flowers FLOWERS/ --run runs/dropout/ [--only maps blind splits dropout mismatch] [--limit 34] [--side 256]

A model's file has to hold a map of errors; for ``mismatch`` a certificate too. ``splits`` takes the photographs of
``--calibration``, ``dropout`` those of ``--flowers``; what it trains stands in ``--run``, in the folders 0 and 1, and
is taken from there if it is there already, such as longer runs of the recipe ``seed``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from error_maps import Array, Case, change, contrast, jacobian, joined, rivals, symmetries
from results import write_section

from resolvent.degradations import parse
from resolvent.errors import UsageError
from resolvent.evaluation.benchmark import find_images
from resolvent.evaluation.calibration import ALPHA, calibrate_halves
from resolvent.evaluation.dropout import ensemble, mc_dropout
from resolvent.evaluation.uncertainty import (
    MARGIN,
    NINE_OF_TEN,
    Trial,
    cover,
    degrade_centers,
    fit_factor,
    measure,
    rank,
)
from resolvent.inference.runtime import Session, open_session

SIGMAS = (25, 50)
TOLD = (25, 15, 40)
"""Noise levels that the model is told of noise of the first."""
FIXED = {
    "denoise": ("noise:sigma=25", "noise:sigma=50"),
    "restore": ("noise:sigma=25", "blur:sigma=1.6 + noise:sigma=2", "jpeg:quality=30"),
    "deblur": ("blur:sigma=1.6 + noise:sigma=1", "blur:sigma=3 + noise:sigma=1"),
}
"""What a model is tried on besides its own mixture, by its name; of others, what its training was validated on."""
OTHER = "denoise-white"
"""The second member of the ensemble."""
PASSES, TRAINED, SIDE = 20, "300 steps", 64
"""Of dropout; of training, each run; pixels a side of its photographs."""
NETWORK = ("network=seed_unet-lite", 'arguments={"widths"=[8,16,32,192],"output"="residual"}')
"""The paper's U-Net at a quarter of its widths, adding to its input: two minutes of a CPU make it better than that."""

DEFINED = (
    "Spearman: correlation of the ranks of |error| and half-width over the values of a photograph, the mean over "
    "photographs; local: of the root mean square error and the mean half-width over windows of 7x7 pixels. AUSE: area "
    "under the sparsification error over all photographs together, 0 as if ordered by the errors themselves, 1 as by "
    "lot, of values and of the 7x7 windows. Every map is multiplied by one factor, so that it holds 90 % of the values "
    "of one half of the photographs, and its mean half-width, in gray levels, and its coverage are measured on the "
    "other half, both ways. Extra cost: passes of the network, and CPU time over that of the one pass that restores."
)


@dataclass
class Row:
    """A map of errors on all photographs.

    Attributes:
        name: For the table.
        passes: Of the network, beside the one that restores.
        trials: One for each photograph.
        seconds: Of the CPU, for the maps alone.
    """

    name: str
    passes: int
    trials: list[Trial] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, target: Array, y: Array, draw: Callable[[], Array], cut: int = 0) -> None:
        """Draw a map and compare it."""
        start = time.process_time()
        width = draw()
        self.seconds += time.process_time() - start
        self.trials.append(Trial.of(y, target, width, cut))


def factors(trials: Sequence[Trial]) -> tuple[float, float]:
    """What each of two halves of the photographs, every second one, needs to be multiplied by."""
    return fit_factor(trials[::2]), fit_factor(trials[1::2])


def crossed(trials: Sequence[Trial], fitted: tuple[float, float]) -> list[Trial]:
    """Every trial's width multiplied by the factor of the half that it is not in."""
    return [replace(each, width=np.float32(fitted[1 - i % 2]) * each.width) for i, each in enumerate(trials)]


def ranks(trials: Sequence[Trial]) -> list[str]:
    """Cells: Spearman, local, AUSE and that of windows; a map that says the same everywhere ranks nothing."""
    if all(np.ptp(each.width) == 0 for each in trials):
        return ["–"] * 4
    found = rank(trials)
    return [f"{number:.3f}" for number in (found.spearman, found.local, found.ause, found.local_ause)]


def table(rows: Sequence[Row], pass_seconds: float) -> str:
    """A line for each map; ``pass_seconds`` of the CPU restored all photographs."""
    lines = [
        "| map | Spearman | local | AUSE | AUSE 7x7 | half-width | coverage | passes | CPU |",
        "|---" * 9 + "|",
    ]
    for row in rows:
        found = cover(crossed(row.trials, factors(row.trials)), 1.0)
        cost = [f"+{row.passes}", f"+{row.seconds / pass_seconds:.2f}"]
        cells = [*ranks(row.trials), f"{found.width:.2f}", f"{found.inside:.3f}", *cost]
        lines.append(f"| {row.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def restoring(session: Session, x: Array) -> tuple[Array, float]:
    """The result of one pass, and its CPU seconds."""
    start = time.process_time()
    y = session.run(x)[0]
    return y, time.process_time() - start


def maps(session: Session, images: Sequence[Path], sigma: float, side: int) -> str:
    """A denoiser's map of errors beside others, on white noise of a level that it is told."""
    other = open_session(OTHER, threads=1)
    drawn: dict[str, tuple[int, Callable[[Case], Array]]] = {
        "constant": (0, lambda case: np.ones(case.y.shape[1:], np.float32)),
        "change of the image, 9x9": (0, change),
        "local sd of the result, 5x5": (0, contrast),
        "sd over 8 symmetries": (7, symmetries),
        "Jacobian, 1 probe": (1, partial(jacobian, probes=1, sigma=sigma)),
        "Jacobian, 4 probes": (4, partial(jacobian, probes=4, sigma=sigma)),
        f"ensemble with {OTHER}": (1, partial(rivals, other=other.run)),
        "head": (0, lambda case: NINE_OF_TEN * session.run_with_errors(case.x)[0, -1]),
    }
    rows, total = {name: Row(name, passes) for name, (passes, _) in drawn.items()}, 0.0
    for x, target in degrade_centers(session.card, images, degradation=f"noise:sigma={sigma:g}", side=side):
        y, seconds = restoring(session, x)
        total += seconds
        for name, (_, draw) in drawn.items():
            rows[name].add(target, y, partial(draw, Case(session.run, x, y)), MARGIN)
    rows["head"].seconds -= total  # it comes with the result
    return f"sigma {sigma:g}, {len(images)} photographs\n\n{table(list(rows.values()), total)}"


def blind(session: Session, images: Sequence[Path], side: int) -> list[str]:
    """Lines of a model on its own mixture and on fixed degradations; the factors are those of its own mixture."""
    card, lines, fitted = session.card, [], {}
    for degradation in (None, *FIXED.get(card.name, card.recipe["validation"])):
        rows = [Row(name, 0) for name in ("head", "local sd", "8 symmetries")]
        for x, target in degrade_centers(card, images, degradation=degradation, side=side):
            *colors, b = session.run_with_errors(x)[0]
            case = Case(session.run, x, np.stack(colors))
            for row, draw in zip(
                rows, (lambda b=b: b, partial(contrast, case), partial(symmetries, case)), strict=True
            ):
                row.add(target, case.y, draw, MARGIN * card.scale)
        for row in rows:
            fitted.setdefault(row.name, factors(row.trials))
            found = cover(crossed(row.trials, fitted[row.name]), 1.0)
            cells = [*ranks(row.trials), f"{found.width:.2f}", f"{found.inside:.3f}", f"{found.worst:.3f}"]
            cells.append(" ".join(f"{share:.3f}" for share in found.quartiles))
            name = f"{card.name}, {f'`{degradation}`' if degradation else 'own mixture'}"
            lines.append(f"| {name} | {row.name} | " + " | ".join(cells) + " |")
    return lines


def splits(session: Session, photographs: Sequence[Path], side: int) -> list[str]:
    """Lines of how a calibration on one half holds on the other, for each of the card's factors."""
    lines = []
    for wide in (False, True) if session.card.noise_level else (False,):
        histograms = [each.histogram for each in measure(session, photographs, wide=wide, side=side)]
        found, misses = calibrate_halves(histograms)
        low, middle, high = np.quantile(found, (0.05, 0.5, 0.95))
        cells = [
            session.card.name + ", wide" * wide, str(len(photographs)), f"{low:.3f} {middle:.3f} {high:.3f}",
            f"{misses.mean():.3f}", f"{misses.max():.3f}", f"{(misses <= ALPHA).mean():.0%}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def mismatch(session: Session, images: Sequence[Path], side: int) -> list[str]:
    """Lines of a denoiser that is told a wrong level, by both factors of its card.

    Raises:
        UsageError: The card holds no certificate.
    """
    card = session.card
    if card.factors is None:
        raise UsageError(f"{card.name}: its map of errors has no certificate; give it one with certify()")
    lines = []
    for told in TOLD:
        row = Row("head", 0)
        for x, target in degrade_centers(card, images, degradation=f"noise:sigma={TOLD[0]}", side=side):
            x[:, 3] = told / 255
            *colors, b = session.run_with_errors(x)[0]
            row.add(target, np.stack(colors), lambda b=b: NINE_OF_TEN * b, MARGIN)
        cells = [f"{card.name}, {TOLD[0]} told {told}", *ranks(row.trials)]
        for factor in card.factors:
            found = cover(row.trials, factor)
            cells += [f"{found.inside:.3f}", f"{found.worst:.3f}", f"{found.width:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def trained(flowers: Path, runs: Path) -> list[Path]:
    """Model files of two runs of the recipe ``seed``; trained with two seeds if they are not there."""
    files = []
    for seed in (0, 1):
        run = runs / str(seed)
        if not list(run.glob("*.onnx")):
            settings = (*NETWORK, f"patch={SIDE}", f"resize={SIDE}", f"seed={seed}")
            command = [sys.executable, "-m", "resolvent", "train", "seed", "--images", str(flowers), "-o", str(run)]
            command += ["--budget", TRAINED, "--threads", "1"]
            command += [part for setting in settings for part in ("--set", setting)]
            subprocess.run(command, check=True)
        files.append(next(iter(sorted(run.glob("*.onnx")))))
    return files


def dropout(flowers: Path, runs: Path, limit: int | None) -> str:
    """The paper's U-Net on its own blur: passes with dropout, and two networks, beside local contrast."""
    import torch

    from resolvent.models.export import as_function, load_module
    from resolvent.training.batches import example
    from resolvent.training.data import find_photographs, pack
    from resolvent.training.recipe import Recipe

    torch.set_num_threads(1)
    loaded = [load_module(path) for path in trained(flowers, runs)]
    (network, card), networks = loaded[0], [as_function(module) for module, _ in loaded]
    recipe = Recipe.from_json(card.recipe, card.name)
    unseen = find_photographs(flowers)[recipe.limit or 0 :][:limit]
    with TemporaryDirectory() as folder:
        shard = pack(unseen, Path(folder) / "test.shard", minimum=recipe.cut, resize=recipe.resize)
        rgb = shard.pixels.reshape(len(shard), recipe.resize, recipe.resize, 3).permute(0, 3, 1, 2) / 255.0
    rows = [
        Row("one pass: constant", 0), Row("one pass: local sd, 5x5", 0), Row("one pass: sd over 8 symmetries", 7),
        Row(f"MC-dropout, {PASSES} passes", PASSES), Row("ensemble of two", 1),
    ]  # fmt: skip
    total, inputs = 0.0, []
    for number, clean in enumerate(rgb):
        degradation = parse(recipe.validation[number // 2 % len(recipe.validation)])  # all in both halves
        truth, given = example(recipe, degradation, clean[None], number)
        target, x = truth[0].numpy(), np.ascontiguousarray(given.numpy())
        start = time.process_time()
        y = networks[0](x)
        total += time.process_time() - start
        case = Case(networks[0], x, y[0])
        draws: list[Callable[[], tuple[Array, Array]]] = [
            lambda y=y: (y[0], np.ones(y.shape[2:], np.float32)),
            lambda case=case: (case.y, contrast(case)),
            lambda case=case: (case.y, symmetries(case)),
            lambda x=x: in_one(mc_dropout(network, x, PASSES)),
            lambda x=x, y=y: in_one(ensemble([lambda x: y, networks[1]], x)),
        ]
        for row, draw in zip(rows, draws, strict=True):
            start = time.process_time()
            result, width = draw()
            row.seconds += time.process_time() - start
            row.trials.append(Trial.of(result, target, width))
        inputs.append(Trial.of(x[0], target, np.ones(y.shape[2:])))
    for row in rows:
        row.name += f" ({psnr(row.trials):.2f} dB)"
    about = (
        f"{card.parameters / 1e6:.1f} million parameters, trained for {card.steps} steps "
        f"({card.seconds:.0f} s) at {recipe.resize}x{recipe.resize}; {len(unseen)} flowers that it has not seen, "
        f"blurred by {', '.join(recipe.validation)} in turn, {psnr(inputs):.2f} dB."
    )
    return f"{about}\n\n{table(rows, total)}"


def in_one(found: tuple[Array, Array]) -> tuple[Array, Array]:
    """Mean and joined standard deviation of a batch of one."""
    return found[0][0], joined(found[1][0] ** 2)


def psnr(trials: Sequence[Trial]) -> float:
    """In dB, the mean over photographs."""
    return float(np.mean([-10 * np.log10(np.square(each.error / 255).mean()) for each in trials]))


def write_maps(options: argparse.Namespace, sessions: Sequence[Session], images: Sequence[Path]) -> str:
    """Tables of the denoisers at every level."""
    tables = [maps(each, images, sigma, options.side) for each in sessions if leveled(each) for sigma in SIGMAS]
    return "\n\n".join([f"White noise, float, not clipped, of a level that the model is told. {DEFINED}", *tables])


def write_blind(options: argparse.Namespace, sessions: Sequence[Session], images: Sequence[Path]) -> str:
    """The table of all models."""
    header = (
        "| model, test | map | Spearman | local | AUSE | AUSE 7x7 | half-width | coverage | worst 5 % | quartiles |\n"
        + "|---" * 10 + "|"
    )  # fmt: skip
    about = (
        f"{len(images)} photographs. {DEFINED.partition(' Extra cost')[0]} The factors are fitted to the model's own "
        "mixture and kept for every other degradation. Worst 5 %: mean coverage of the worst photographs; quartiles: "
        "coverage among the narrowest quarter of the intervals, to the widest."
    )
    return "\n".join([about, "", header, *(line for each in sessions for line in blind(each, images, options.side))])


def write_splits(options: argparse.Namespace, sessions: Sequence[Session], images: Sequence[Path]) -> str:
    """The table of all models."""
    photographs = find_images(options.calibration)[: options.limit]
    header = (
        "| model | photographs | factor: 5 %, median, 95 % | mean miss | largest | splits within |\n" + "|---" * 6 + "|"
    )
    about = (
        f"100 random splits: calibrated on one half with the betting bound (alpha = delta = {ALPHA:g}), measured on "
        f"the other. Miss: share of the values outside; within: it is at most {ALPHA:g}."
    )
    return "\n".join(
        [about, "", header, *(line for each in sessions for line in splits(each, photographs, options.side))]
    )


def write_mismatch(options: argparse.Namespace, sessions: Sequence[Session], images: Sequence[Path]) -> str:
    """The table of the denoisers."""
    header = (
        "| noise | Spearman | local | AUSE | AUSE 7x7 | matched factor: coverage | worst 5 % | half-width | "
        "wide factor: coverage | worst 5 % | half-width |\n" + "|---" * 11 + "|"
    )
    about = (
        f"{len(images)} photographs, white noise of another level than the model is told, by the card's own factors."
    )
    lines = [line for each in sessions if leveled(each) for line in mismatch(each, images, options.side)]
    return "\n".join([about, "", header, *lines])


def write_dropout(options: argparse.Namespace, sessions: Sequence[Session], images: Sequence[Path]) -> str:
    """The table of the paper's U-Net."""
    return f"{dropout(options.flowers, options.run, options.limit)}\n\n{DEFINED}"


def leveled(session: Session) -> bool:
    """Whether a model is told the level of noise."""
    return session.card.noise_level


SECTIONS = {
    "maps": ("white noise", ("model", "images"), write_maps),
    "blind": ("blind models", ("model", "images"), write_blind),
    "splits": ("calibration on halves", ("model", "calibration"), write_splits),
    "dropout": ("the paper's U-Net", ("flowers", "run"), write_dropout),
    "mismatch": ("a wrong level of noise", ("model", "images"), write_mismatch),
}
"""By name: the title, the options that it needs, and what writes it."""


def main() -> None:
    """Measure and write the sections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, nargs="+", default=[], help="model files with maps of errors")
    parser.add_argument("--images", type=Path, help="folder of clean photographs to measure on")
    parser.add_argument("--calibration", type=Path, help="folder of clean photographs that no model has seen")
    parser.add_argument("--flowers", type=Path, help="folder of the photographs of the recipe seed")
    parser.add_argument("--run", type=Path, help="folder of the runs of the paper's U-Net")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--limit", type=int, help="only the first so many photographs")
    parser.add_argument("--side", type=int, default=256, help="of the centers, in pixels")
    options = parser.parse_args()
    sessions = [open_session(path, threads=1) for path in options.model]
    images = find_images(options.images)[: options.limit] if options.images else []
    for name in options.only:
        title, needs, write = SECTIONS[name]
        if missing := [need for need in needs if not getattr(options, need)]:
            parser.error(f"--only {name} needs --{' --'.join(missing)}")
        command = f"python benchmarks/evidence.py --only {name}"
        for need in needs:
            given = getattr(options, need)
            command += f" --{need} " + (" ".join(p.name for p in given) if need == "model" else f"{given.name}/")
        command += f" --limit {options.limit}" * bool(options.limit) + f" --side {options.side}" * (options.side != 256)
        write_section(f"Maps of errors: {title}", command, write(options, sessions, images))


if __name__ == "__main__":
    main()
