"""How often ``resolvent restore`` without options chooses well, among the bundled models and doing nothing.

python benchmarks/choice.py --images VAL [--count 200] [--seed 0]
python benchmarks/choice.py --images TRAIN --learn [--count 3000] [--cases FILE]

Each case is one photograph, degraded at random, rounded to 8 bit, and, where the last fault is JPEG, a real JPEG file.
A fifth of the cases has noise alone, a fifth blur, a fifth JPEG; two fifths are drawn from the chain that the recipe
``restore`` trains on. To learn, squares of other photographs, some of them gray, some left clean, and drawings are
degraded in the same ways; the result replaces the bundled ``choice.npz``. It has to be learned again when a model
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
from results import write_section

import resolvent.diagnosis
from resolvent.diagnosis import Content, Measurements, Noise
from resolvent.diagnosis.choice import Chooser, best, load_chooser
from resolvent.evaluation.benchmark import find_images
from resolvent.evaluation.choice import CANDIDATES, NOTHING, Case, drawing, kinds, learn, make_cases
from resolvent.image import read_image
from resolvent.provenance import provenance

TURNS = ("noise", "blur", "jpeg", "mixture", "mixture")
LEARNING_TURNS = (
    *("noise", "blur", "jpeg", "mixture", "noisy blur", "mixture"),
    *("noise", "blur", "jpeg", "mixture", "noisy blur", "clean"),
)
NEAR = 0.2
"""dB that a choice may lie below the best."""
SIDE = 256
"""Pixels of the squares that are learned from."""
DRAWINGS, GRAYS, HIDDEN = 0.1, 0.1, 0.2
"""Shares of the squares: no photograph; gray; a JPEG that was converted to another format."""
FIRST_SEED = 1_000_000
"""Of learning, far from those of measuring."""


def whole(path: Path) -> np.ndarray:
    """All of a photograph."""
    return read_image(path).pixels


def square(path: Path, seed: int) -> np.ndarray:
    """A square of a photograph, at random; or, sometimes, a gray one, or a drawing."""
    rng = np.random.default_rng(seed)
    if rng.random() < DRAWINGS:
        return drawing(SIDE, seed)
    pixels = read_image(path).pixels
    top, left = (int(rng.integers(max(side - SIDE, 0) + 1)) for side in pixels.shape[:2])
    cut = pixels[top : top + SIDE, left : left + SIDE]
    return cut.mean(2, keepdims=True) if rng.random() < GRAYS else cut


def report(done: int, total: int) -> None:
    """Print how far it is, now and then."""
    if done % 100 == 0:
        print(f"{done} of {total}", flush=True)


def table(cases: Sequence[Case], chooser: Chooser) -> str:
    """How often each kind was met well, and what always taking one model would give."""

    def choose(case: Case) -> str:
        seen = case.measured.features
        return (seen is not None and best(chooser.gains(seen))) or NOTHING

    choices = ["resolvent restore", NOTHING, *CANDIDATES]
    lines = ["| cases | " + " | ".join(choices) + " | mean loss of the choice, dB |", "|---" * (len(choices) + 2) + "|"]
    for kind in (*kinds(), "all"):
        some = [each for each in cases if kind in (each.kind, "all")]
        if not some:
            continue
        top = np.array([max(each.psnr.values()) for each in some])
        taken = [np.array([each.psnr[choose(each)] for each in some])]
        taken += [np.array([each.psnr[name] for each in some]) for name in (NOTHING, *CANDIDATES)]
        rates = [f"{np.mean(top - values <= NEAR):.0%}" for values in taken]
        lines.append("| " + " | ".join([f"{kind} ({len(some)})", *rates, f"{np.mean(top - taken[0]):.2f}"]) + " |")
    return "\n".join(lines)


def keep(path: Path, cases: Sequence[Case]) -> None:
    """Write cases to a JSON file."""
    rows = [
        {
            **dataclasses.asdict(case),
            "measured": {
                **dataclasses.asdict(case.measured),
                "features": None if case.measured.features is None else case.measured.features.round(4).tolist(),
            },
        }
        for case in cases
    ]
    path.write_text(json.dumps(rows), "utf-8")


def kept(path: Path) -> list[Case]:
    """Read what ``keep`` wrote."""
    cases = []
    for row in json.loads(path.read_text("utf-8")):
        seen = row.pop("measured")
        features = seen.pop("features")
        noise, content = Noise(**seen.pop("noise")), Content(**seen.pop("content"))
        measured = Measurements(
            noise=noise,
            content=content,
            features=None if features is None else np.array(features, np.float32),
            **seen,
        )
        cases.append(Case(**row, measured=measured))
    return cases


def make_learning_cases(files: Sequence[Path], count: int) -> list[Case]:
    """Degrade squares of photographs and drawings, and restore them with every model."""
    order = np.random.default_rng(0).permutation(len(files))
    sources = []
    for i in range(count):
        path, seed = files[order[i % len(files)]], FIRST_SEED + i
        sources.append((path.name, partial(square, path, seed), LEARNING_TURNS[i % len(LEARNING_TURNS)], seed))
    return list(make_cases(sources, report, HIDDEN))


def learn_choice(cases: list[Case], photographs: int) -> None:
    """Learn from nine tenths of the cases to see how well that goes, then from all, and replace the bundled file."""
    about = {"cases": len(cases), "photographs": photographs, "commit": provenance().code}
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
    parser.add_argument("--learn", action="store_true", help="replace the bundled choice.npz")
    parser.add_argument("--cases", type=Path, help="a file that keeps the cases to learn from")
    options = parser.parse_args()
    folders = [options.images, *sorted(path for path in options.images.iterdir() if path.is_dir())]
    files = [file for folder in folders for file in find_images(folder)]
    if options.learn:
        if options.cases and options.cases.exists():
            cases = kept(options.cases)
        else:
            cases = make_learning_cases(files, options.count or 3000)
            if options.cases:
                keep(options.cases, cases)
        learn_choice(cases, len(files))
        return
    count = options.count or 200
    sources = []
    for i in range(count):
        path = files[i % len(files)]
        sources.append((path.name, partial(whole, path), TURNS[i // len(files) % len(TURNS)], options.seed + i))
    cases = list(make_cases(sources, report))
    body = (
        f"Share of {len(cases)} random degradations of {len(files)} photographs of {options.images.name} where a "
        f"choice ends within {NEAR} dB (PSNR-RGB, 8 bit) of the best of doing nothing and of the models "
        f"{', '.join(CANDIDATES)}. The first column is what `resolvent restore` chooses by itself; the others, what "
        "taking one of them every time would give. `denoise` is told the noise level that was measured.\n\n"
        + table(cases, load_chooser())
    )
    write_section(
        "Diagnosis: the choice of the model", f"python benchmarks/choice.py --images {options.images.name}", body
    )


if __name__ == "__main__":
    main()
