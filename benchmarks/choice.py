"""How often ``resolvent restore`` without options chooses well, among the bundled models and doing nothing.

python benchmarks/choice.py --images VAL [--count 200] [--seed 0]
python benchmarks/choice.py --images TRAIN --learn [--drawings DIR] [--count 3000] [--cases FILE]

Each case is one photograph, degraded at random in one of the ways of ``resolvent.evaluation.choice.kinds``, rounded to
8 bit, and, where the last fault is JPEG, a real JPEG file. To learn, pieces of many sizes of other photographs are
degraded in the same ways, some of them soft, some gray, some with borders, and drawings, those of a folder too; the
result replaces the bundled ``choice.npz``. It has to be learned again when the noise estimate or one of the models
changes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from photo_checks.common import pixels_of
from results import write_section

import resolvent.diagnosis
from resolvent.degradations import parse
from resolvent.diagnosis.choice import Candidate, Chooser, decide, load_chooser
from resolvent.evaluation.choice import AGAIN, CANDIDATES, NOTHING, Case, drawing, foundations, kinds, learn, make_cases
from resolvent.evaluation.files import find_images
from resolvent.image import read_image
from resolvent.provenance import provenance

NEAR = 0.2
"""dB that a choice may lie below the best."""
SIDES = (48, 72, 96, 144, 192, 256, 256)
"""Pixels of the squares that are learned from."""
SOFT = 0.5
"""Share of the squares that are as soft as photographs often are; their softness is no fault."""
SOFTNESS, SOFTEST = "rescale:factor=0.85..0.97", "rescale:factor=0.2..0.9"
"""How soft; and how soft where noise is left sharp, which shows that there was no blur."""
NOISY = ("camera", "camera, soft", "noise", "weak noise", "shot noise", "grain", "soft noise of the colors", "rows")
"""Kinds whose noise shows that a scene is soft but was not blurred."""
DRAWINGS, GRAYS, BORDERS, HIDDEN = 0.15, 0.1, 0.08, 0.2
"""Shares of the squares: no photograph; gray; with a plain border; a JPEG that was converted to another format."""
MORE = ("clean", "good jpeg", "camera", "clean", "good jpeg", "camera", "clean", "camera", AGAIN)
"""Kinds that are learned from more often: most photographs are good."""
FIRST_SEED = 1_000_000
"""First random seed for learning, far from those for measuring."""


def square(path: Path, drawings: Sequence[Path], seed: int, softness: str = SOFTNESS) -> np.ndarray:
    """A square of a photograph, at random; sometimes a soft one, a gray one, one with a border, or a drawing."""
    rng = np.random.default_rng(seed)
    side = int(rng.choice(SIDES))
    if rng.random() < DRAWINGS:
        if not drawings or rng.random() < 0.25:
            return drawing(side, seed)
        path = drawings[rng.integers(len(drawings))]
    pixels = read_image(path).pixels
    top, left = (int(rng.integers(max(length - side, 0) + 1)) for length in pixels.shape[:2])
    cut = pixels[top : top + side, left : left + side].copy()
    if rng.random() < SOFT:
        cut = np.clip(parse(softness).sample(rng)(cut), 0, 1)
    if rng.random() < BORDERS:
        rows, columns = rng.integers(0, side // 3, 2)
        value = np.float32(rng.choice([0.0, 1.0, rng.random()]))
        cut[:rows] = cut[len(cut) - rows :] = value
        cut[:, :columns] = cut[:, cut.shape[1] - columns :] = value
    return cut.mean(2, keepdims=True) if rng.random() < GRAYS else cut


def report(done: int, total: int) -> None:
    """Print how far it is, now and then."""
    if done % 100 == 0:
        print(f"{done} of {total}", flush=True)


def label(candidate: Candidate) -> str:
    """The model, and its strength where that is not 1."""
    model, strength = candidate
    return model if strength in (0, 1) else f"{model}, half" if strength == 0.5 else f"{model}, {strength:.0%}"


def taken(case: Case, chooser: Chooser) -> Candidate:
    """What is chosen without options."""
    if case.features is None:
        return NOTHING
    return (
        decide(
            chooser,
            case.features,
            case.sigma,
            drawing=case.drawing,
            blur_sigma=case.blur,
            jpeg_quality=case.quality,
            jpeg_chroma=case.chroma,
        ).candidate
        or NOTHING
    )


def table(cases: Sequence[Case], chooser: Chooser) -> str:
    """Share of good choices for each kind, and what a fixed choice would give."""
    choices = ["resolvent restore", *map(label, (NOTHING, *CANDIDATES))]
    ends = ["mean loss, dB", "worst loss, dB", "worst change, dB"]
    lines = ["| cases | " + " | ".join([*choices, *ends]) + " |", "|---" * (len(choices) + 4) + "|"]
    for kind in (*kinds(), "all"):
        members = [case for case in cases if kind in (case.kind, "all")]
        if not members:
            continue
        top = np.array([max(case.psnr.values()) for case in members])
        ours = np.array([case.psnr[taken(case, chooser)] for case in members])
        every = [ours, *(np.array([case.psnr[name] for case in members]) for name in (NOTHING, *CANDIDATES))]
        rates = [f"{np.mean(top - values <= NEAR):.0%}" for values in every]
        losses = [f"{np.mean(top - ours):.2f}", f"{np.max(top - ours):.2f}", f"{np.min(ours - every[1]):.2f}"]
        lines.append("| " + " | ".join([f"{kind} ({len(members)})", *rates, *losses]) + " |")
    return "\n".join(lines)


def write_cases(path: Path, cases: Sequence[Case]) -> None:
    """Write cases to a JSON file."""
    rows = [
        {
            **dataclasses.asdict(case),
            "features": None if case.features is None else case.features.round(4).tolist(),
            "psnr": [[*candidate, value] for candidate, value in case.psnr.items()],
        }
        for case in cases
    ]
    path.write_text(json.dumps(rows), "utf-8")


def read_cases(path: Path) -> list[Case]:
    """Read what ``write_cases`` wrote."""
    cases = []
    for row in json.loads(path.read_text("utf-8")):
        seen, scores = row.pop("features"), row.pop("psnr")
        psnr = {(model, strength): value for model, strength, value in scores}
        cases.append(Case(**row, features=None if seen is None else np.array(seen, np.float32), psnr=psnr))
    return cases


def make_learning_cases(files: Sequence[Path], drawings: Sequence[Path], count: int) -> list[Case]:
    """Degrade squares of photographs and drawings, and restore them with every model."""
    order, turns = np.random.default_rng(0).permutation(len(files)), [*kinds(), *MORE]
    sources = []
    for i in range(count):
        path, seed = files[order[i % len(files)]], FIRST_SEED + i
        kind = turns[i % len(turns)]
        softness = SOFTEST if kind in NOISY else SOFTNESS
        sources.append((path.name, partial(square, path, drawings, seed, softness), kind, seed))
    return list(make_cases(sources, report, HIDDEN))


def learn_choice(cases: list[Case], photographs: int) -> None:
    """Learn from nine tenths of the cases to see how well that goes, then from all, and replace the bundled file."""
    about = {"cases": len(cases), "photographs": photographs, "commit": provenance().code, "with": foundations()}
    tenth = len(cases) // 10
    print(f"on {tenth} cases that were held back:")
    print(table(cases[:tenth], learn(cases[tenth:], about=about)))
    learn(cases, about=about).save(Path(resolvent.diagnosis.__file__).parent / "choice.npz")


def main() -> None:
    """Learn, or measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--drawings", type=Path, help="folder of drawings, text and screenshots, to learn from as well")
    parser.add_argument("--learn", action="store_true", help="replace the bundled choice.npz")
    parser.add_argument("--cases", type=Path, help="file that stores the cases to learn from")
    options = parser.parse_args()
    folders = [options.images, *sorted(path for path in options.images.iterdir() if path.is_dir())]
    files = [file for folder in folders for file in find_images(folder)]
    if options.learn:
        if options.cases and options.cases.exists():
            cases = read_cases(options.cases)
        else:
            drawings = find_images(options.drawings) if options.drawings else []
            cases = make_learning_cases(files, drawings, options.count or 3000)
            if options.cases:
                write_cases(options.cases, cases)
        learn_choice(cases, len(files))
        return
    count = options.count or 200
    sources, turns = [], list(kinds())
    for i in range(count):
        path = files[i % len(files)]
        sources.append((path.name, partial(pixels_of, path), turns[i % len(turns)], options.seed + i))
    cases = list(make_cases(sources, report))
    body = (
        f"Share of {len(cases)} random degradations of {len(files)} photographs of {options.images.name} where a "
        f"choice comes within {NEAR} dB (PSNR-RGB, 8 bit) of the best of doing nothing and of the models "
        f"{', '.join(map(label, CANDIDATES))}. The first column is what `resolvent restore` chooses without options; "
        "the others, one fixed choice for every photograph. `denoise` is given the measured noise level.\n\n"
        + table(cases, load_chooser())
    )
    write_section(
        "Diagnosis: the choice of the model", f"python benchmarks/choice.py --images {options.images.name}", body
    )


if __name__ == "__main__":
    main()
