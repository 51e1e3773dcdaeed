"""How far maps of errors can be trusted, beside simpler maps, and what they cost.

python benchmarks/evidence.py --model denoise restore deblur --images CBSD68/ --calibration UNSEEN/
    --flowers FLOWERS/ --run runs/dropout/ --pairs POLYU/ [--only maps blind splits dropout mismatch camera
    sure jacobian] [--limit 34] [--side 256]

A model, a name or a file, has to hold a map of errors; for ``mismatch`` a certificate too. ``splits`` takes the
photographs of ``--calibration``, ``dropout`` those of ``--flowers``; what it trains stands in ``--run``, in the folders
0 and 1, and is taken from there if it is there already, such as longer runs of the recipe ``seed``. ``camera`` takes
pairs NAME_real, a photograph, and NAME_mean, its truth, and the bundled models.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Unpack

import numpy as np
from error_maps import Array, Case, change, contrast, joined, rivals, symmetries
from map_tables import DEFINED, WORST, Row, crossed, factors, holds, markdown, ranking, ranks, table
from results import write_section
from sure import probed, probes, sure

from resolvent.degradations import parse
from resolvent.engine.options import Options
from resolvent.engine.restore import Restorer
from resolvent.engine.uncertainty import NINE_OF_TEN
from resolvent.errors import UsageError
from resolvent.evaluation.calibration import ALPHA, calibrate_halves
from resolvent.evaluation.dropout import ensemble, mc_dropout
from resolvent.evaluation.files import find_images, read_pair
from resolvent.evaluation.metrics import psnr
from resolvent.evaluation.uncertainty import MARGIN, Ranking, Trial, cover, degrade_centers, measure
from resolvent.inference.runtime import Session, open_session

SIGMAS = (25, 50)
GIVEN = (25, 15, 40)
"""Noise levels that the model is given; the first is the true one."""
FIXED = {
    "denoise": ("noise:sigma=25", "noise:sigma=50"),
    "restore": ("noise:sigma=25", "blur:sigma=1.6 + noise:sigma=2", "jpeg:quality=30"),
    "deblur": ("blur:sigma=1.6 + noise:sigma=1", "blur:sigma=3 + noise:sigma=1"),
}
"""What a model is tried on besides its own mixture, by its name; of others, what its training was validated on."""
CAMERA: dict[str, Options] = {
    "automatic": {},
    "`-m denoise`": {"model": "denoise"},
    "`-m restore`": {"model": "restore"},
}
"""Options by which photographs of cameras are restored, by what the table calls them."""
OTHER = "denoise-white"
"""The second member of the ensemble."""
PASSES, TRAINED, SIDE = 20, "300 steps", 64
"""Of dropout; of training, each run; pixels a side of its photographs."""
NETWORK = ("network=seed_unet-lite", 'arguments={"widths"=[8,16,32,192],"output"="residual"}')
"""The paper's U-Net at a quarter of its widths, adding to its input: two minutes of a CPU make it better than that."""


def restoring(session: Session, x: Array) -> tuple[Array, float]:
    """The result of one pass, and its CPU seconds."""
    start = time.process_time()
    y = session.run(x)[0]
    return y, time.process_time() - start


def maps(session: Session, images: Sequence[Path], sigma: float, side: int) -> str:
    """A denoiser's map of errors beside others, on white noise of a level that it is given."""
    other = open_session(OTHER, threads=1)
    drawn: dict[str, tuple[int, Callable[[Case], Array]]] = {
        "constant": (0, lambda case: np.ones(case.y.shape[1:], np.float32)),
        "change of the image, 9x9": (0, change),
        "local sd of the result, 5x5": (0, contrast),
        "sd over 8 symmetries": (7, symmetries),
        "Jacobian, 1 probe": (1, lambda case: probed(session, case.x, 1)[1]),
        "Jacobian, 4 probes": (4, lambda case: probed(session, case.x, 4)[1]),
        f"ensemble with {OTHER}": (1, partial(rivals, other=other.run)),
        "head": (0, lambda case: NINE_OF_TEN * session.run_with_errors(case.x)[0, -1]),
    }
    rows, total = {name: Row(name, passes) for name, (passes, _) in drawn.items()}, 0.0
    for x, target in degrade_centers(session.card, images, degradation=f"noise:sigma={sigma:g}", side=side):
        y, seconds = restoring(session, x)
        total += seconds
        for name, (_, draw) in drawn.items():
            rows[name].add(target, y, partial(draw, Case(session.run, x, y)))
    for name in ("Jacobian, 1 probe", "Jacobian, 4 probes", "head"):
        rows[name].seconds -= total  # these come with the result
    return f"sigma {sigma:g}, {len(images)} photographs\n\n{table(list(rows.values()), total)}"


def blind(session: Session, images: Sequence[Path], side: int) -> tuple[list[list[str]], str]:
    """Rows of a model on its own mixture and on fixed degradations; and a sentence on its head.

    The factors are those of its own mixture.
    """
    card, rows, fitted, own = session.card, [], {}, {}
    for degradation in (None, *FIXED.get(card.name, card.recipe["validation"])):
        trials: dict[str, list[Trial]] = {"head": [], "local sd": [], "8 symmetries": []}
        for x, target in degrade_centers(card, images, degradation=degradation, side=side):
            *colors, b = session.run_with_errors(x)[0]
            case = Case(session.run, x, np.stack(colors))
            for name, width in zip(trials, (b, contrast(case), symmetries(case)), strict=True):
                trials[name].append(Trial.of(case.y, target, width, MARGIN * card.scale))
        test = f"{card.name}, {f'`{degradation}`' if degradation else 'own mixture'}"
        for name, found in trials.items():
            factor, ranked = fitted.setdefault(name, factors(found)), ranking(found)
            own.setdefault(name, ranked)
            rows.append([test, name, *ranks(ranked), *holds(cover(crossed(found, factor), 1.0))])
    return rows, compared(card.name, own["head"], own["local sd"])


def compared(model: str, head: Ranking | None, local_sd: Ranking | None) -> str:
    """Say whether a head ranks better than local contrast, within a photograph and over all of them."""
    if head is None or local_sd is None:
        return f"{model}: a map that says the same everywhere ranks nothing."

    def than(one: float, other: float) -> str:
        return "as well as" if round(one, 3) == round(other, 3) else "better than" if one > other else "worse than"

    regions, values = than(head.local, local_sd.local), than(-head.ause, -local_sd.ause)
    return (
        f"{model}, own mixture: within one photograph the head ranks the regions {regions} the local sd (local "
        f"{head.local:.3f} and {local_sd.local:.3f}); over all photographs together, where it counts which of them are "
        f"bad, it ranks the values {values} that (AUSE {head.ause:.3f} and {local_sd.ause:.3f}, lower is better)."
    )


def splits(session: Session, photographs: Sequence[Path], side: int) -> list[list[str]]:
    """Rows of how a calibration on one half holds on the other, for each of the card's factors."""
    rows = []
    for wide in (False, True) if session.card.noise_level else (False,):
        trials = measure(session, degrade_centers(session.card, photographs, wide=wide, side=side))
        found, misses = calibrate_halves([each.histogram for each in trials])
        low, middle, high = np.quantile(found, (0.05, 0.5, 0.95))
        rows.append([
            session.card.name + ", wide" * wide, str(len(photographs)), f"{low:.3f} {middle:.3f} {high:.3f}",
            f"{misses.mean():.3f}", f"{misses.max():.3f}", f"{(misses <= ALPHA).mean():.0%}",
        ])  # fmt: skip
    return rows


def mismatch(session: Session, images: Sequence[Path], side: int) -> list[list[str]]:
    """Rows of a denoiser that is given a wrong level, by both factors of its card.

    Raises:
        UsageError: The card holds no certificate.
    """
    card = session.card
    if card.factors is None:
        raise UsageError(f"{card.name}: its map of errors has no certificate; give it one with resolvent calibrate")
    rows = []
    for given in GIVEN:
        centers = degrade_centers(card, images, degradation=f"noise:sigma={GIVEN[0]}", side=side)
        wrong = ((np.concatenate([x[:, :3], 0 * x[:, 3:] + given / 255], 1), target) for x, target in centers)
        trials = list(measure(session, wrong))
        cells = [cell for factor in card.factors for cell in holds(cover(trials, factor))[:3]]
        rows.append([f"{card.name}, {GIVEN[0]} given as {given}", *ranks(ranking(trials)), *cells])
    return rows


def camera(name: str, photographs: Sequence[Path], **options: Unpack[Options]) -> list[str]:
    """A row of how often the map holds that comes with a restored photograph, against the mean of many exposures.

    Photographs that are left alone, or whose noise cannot be told, have no map; the coverage is that of the others.
    """
    restorer, trials, scores, wide = Restorer(uncertainty=True, **options), list[Trial](), [], 0
    for image, truth in map(read_pair, photographs):
        restoration = restorer.run(image)
        scores.append((psnr(truth, image.pixels), psnr(truth, restoration.image.pixels)))
        if (trial := Trial.after(restoration, truth)) is not None:
            trials.append(trial)
            wide += restoration.plan.wide
    counts = [str(count) for count in (len(photographs), len(photographs) - len(trials), wide)]
    before, after = np.mean(scores, axis=0)
    held = holds(cover(trials, 1.0)) if trials else ["–"] * 4
    return [name, *counts, f"{before:.2f}", f"{after:.2f}", *held]


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
        files.append(min(run.glob("*.onnx")))
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
        row.name += f" ({mean_psnr(row.trials):.2f} dB)"
    about = (
        f"{card.parameters / 1e6:.1f} million parameters, trained for {card.steps} steps "
        f"({card.seconds:.0f} s) at {recipe.resize}x{recipe.resize}; {len(unseen)} flowers that it has not seen, "
        f"blurred by {', '.join(recipe.validation)} in turn, {mean_psnr(inputs):.2f} dB."
    )
    return f"{about}\n\n{table(rows, total)}"


def in_one(found: tuple[Array, Array]) -> tuple[Array, Array]:
    """Mean and joined standard deviation of a batch of one."""
    return found[0][0], joined(found[1][0] ** 2)


def mean_psnr(trials: Sequence[Trial]) -> float:
    """In dB, the mean over photographs."""
    return float(np.mean([-10 * np.log10(np.square(each.error / 255).mean()) for each in trials]))


def write_maps(options: argparse.Namespace, sessions: Sequence[Session], images: Sequence[Path]) -> str:
    """Tables of the denoisers at every level."""
    tables = [maps(each, images, sigma, options.side) for each in sessions if leveled(each) for sigma in SIGMAS]
    return "\n\n".join([f"White noise, float, not clipped, of a level that the model is given. {DEFINED}", *tables])


def write_blind(options: argparse.Namespace, sessions: Sequence[Session], images: Sequence[Path]) -> str:
    """The table of all models, and what it says of each."""
    found = [blind(each, images, options.side) for each in sessions]
    about = (
        f"{len(images)} photographs. {DEFINED.partition(' Extra cost')[0]} The factors are fitted to the model's own "
        f"mixture and kept for every other degradation. {WORST}"
    )
    head = (
        "model, test | map | Spearman | local | AUSE | AUSE 7x7 | half-width | coverage | worst 5 % | "
        "coverage by quartile"
    )
    rows = markdown(head, (row for rows, _ in found for row in rows))
    return "\n\n".join([about, rows, "\n".join(f"- {sentence}" for _, sentence in found)])


def write_splits(options: argparse.Namespace, sessions: Sequence[Session], images: Sequence[Path]) -> str:
    """The table of all models."""
    photographs = find_images(options.calibration)[: options.limit]
    about = (
        f"100 random splits: calibrated on one half with the betting bound (alpha = delta = {ALPHA:g}), measured on "
        f"the other. Miss: share of the values outside; within: it is at most {ALPHA:g}."
    )
    head = "model | photographs | factor: 5 %, median, 95 % | mean miss | largest | splits within"
    return f"{about}\n\n{markdown(head, (row for each in sessions for row in splits(each, photographs, options.side)))}"


def write_mismatch(options: argparse.Namespace, sessions: Sequence[Session], images: Sequence[Path]) -> str:
    """The table of the denoisers."""
    about = f"{len(images)} photographs, white noise of another level than the model is given, by the card's factors."
    head = (
        "noise | Spearman | local | AUSE | AUSE 7x7 | matched factor: half-width | coverage | worst 5 % | "
        "wide factor: half-width | coverage | worst 5 %"
    )
    rows = [row for each in sessions if leveled(each) for row in mismatch(each, images, options.side)]
    return f"{about}\n\n{markdown(head, rows)}"


def write_camera(options: argparse.Namespace, sessions: Sequence[Session], images: Sequence[Path]) -> str:
    """The table of what the bundled models say of photographs of cameras.

    Raises:
        UsageError: There is no pair.
    """
    photographs = find_images(options.pairs, pairs=True)[: options.limit]
    if not photographs:
        raise UsageError(f"{options.pairs}: no pairs in it; give a folder of NAME_real and NAME_mean images")
    about = (
        f"{len(photographs)} photographs as a camera wrote them, whole, restored with `--uncertainty`; the model, the "
        "noise level and the factor of the map are those that `resolvent restore` takes. Truth: the mean of many "
        "exposures. PSNR-RGB in dB, the mean over all; half-width in gray levels and coverage, the share of the values "
        "within it, the mean over those that got a map; the others were left alone, or JPEG may hide their noise. "
        f"{WORST}"
    )
    head = (
        "model | photographs | without a map | wide factor | PSNR before | after | half-width | coverage | worst 5 % | "
        "coverage by quartile"
    )
    return f"{about}\n\n{markdown(head, (camera(name, photographs, **given) for name, given in CAMERA.items()))}"


def write_sure(options: argparse.Namespace, sessions: Sequence[Session], images: Sequence[Path]) -> str:
    """The table of the denoisers."""
    known = [model for model, session in zip(options.model, sessions, strict=True) if leveled(session)]
    return sure(known, images)


def write_jacobian(options: argparse.Namespace, sessions: Sequence[Session], images: Sequence[Path]) -> str:
    """The table of the denoisers."""
    photographs = find_images(options.calibration)[: options.limit]
    about = (
        f"{len(photographs)} photographs, degraded as in training. By what the standard deviation of "
        "`--uncertainty jacobian` has to be multiplied: by the betting bound (alpha = delta = "
        f"{ALPHA:g}), and so that 90 % of all values are within; and by what it is."
    )
    rows = [row for each in sessions if leveled(each) for row in probes(each, photographs, options.side)]
    return f"{about}\n\n{markdown('model, probes | bound | 90 % | taken', rows)}"


def write_dropout(options: argparse.Namespace, sessions: Sequence[Session], images: Sequence[Path]) -> str:
    """The table of the paper's U-Net."""
    return f"{dropout(options.flowers, options.run, options.limit)}\n\n{DEFINED}"


def leveled(session: Session) -> bool:
    """Whether a model takes the level of noise."""
    return session.card.noise_level


SECTIONS = {
    "maps": ("white noise", ("model", "images"), write_maps),
    "blind": ("blind models", ("model", "images"), write_blind),
    "splits": ("calibration on halves", ("model", "calibration"), write_splits),
    "dropout": ("the paper's U-Net", ("flowers", "run"), write_dropout),
    "mismatch": ("a wrong level of noise", ("model", "images"), write_mismatch),
    "camera": ("photographs of cameras", ("pairs",), write_camera),
    "sure": ("without the truth", ("model", "images"), write_sure),
    "jacobian": ("probes of the Jacobian", ("model", "calibration"), write_jacobian),
}
"""By name: the title, the options that it needs, and what writes it."""


def main() -> None:
    """Measure and write the sections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=[], help="models with maps of errors, by name or file")
    parser.add_argument("--images", type=Path, help="folder of clean photographs to measure on")
    parser.add_argument("--calibration", type=Path, help="folder of clean photographs that no model has seen")
    parser.add_argument("--flowers", type=Path, help="folder of the photographs of the recipe seed")
    parser.add_argument("--run", type=Path, help="folder of the runs of the paper's U-Net")
    parser.add_argument("--pairs", type=Path, help="folder of photographs NAME_real and their truths NAME_mean")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--limit", type=int, help="only the first so many photographs")
    parser.add_argument("--side", type=int, default=256, help="of the centers, in pixels")
    options = parser.parse_args()
    sessions = [open_session(model, threads=1) for model in options.model]
    images = find_images(options.images)[: options.limit] if options.images else []
    for name in options.only:
        title, needs, write = SECTIONS[name]
        if missing := [need for need in needs if not getattr(options, need)]:
            parser.error(f"--only {name} needs --{' --'.join(missing)}")
        command = f"python benchmarks/evidence.py --only {name}"
        for need in needs:
            given = getattr(options, need)
            command += f" --{need} " + (" ".join(Path(m).name for m in given) if need == "model" else f"{given.name}/")
        command += f" --limit {options.limit}" * bool(options.limit) + f" --side {options.side}" * (options.side != 256)
        write_section(f"Maps of errors: {title}", command, write(options, sessions, images))


if __name__ == "__main__":
    main()
