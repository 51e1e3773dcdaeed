"""Compare the automatic result with the best of doing nothing and every bundled model."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resolvent.degradations import parse
from resolvent.models.registry import bundled

from .common import SAME, Finding, Sets, degraded_file, models_of, pixels_of, restore_files, score
from .generator import draw_case, kind_of, left_out

COUNT, SEED = 300, 20261126
NEAR = 0.2
"""dB that a choice may lie below the best."""
CONVERTED = 0.2
"""Share of the JPEG files that were converted to PNG since."""
NOTHING = "nothing"
MODELS = ("denoise", "deblur", "dejpeg", "restore")
SHOWN = 12
"""How many of the worst cases are listed."""


@dataclass(frozen=True)
class Case:
    """One degraded photograph.

    Attributes:
        image: Name of the photograph.
        text: Its degradation.
        scores: PSNR in dB of NOTHING and of each model.
        chosen: A key of ``scores``.
        automatic: PSNR of the result of ``resolvent restore``.
    """

    image: str
    text: str
    scores: dict[str, float]
    chosen: str
    automatic: float

    @property
    def best(self) -> str:
        """The best of doing nothing and the models."""
        return max(self.scores, key=lambda name: self.scores[name])

    @property
    def loss(self) -> float:
        """What the automatic result lacks to the best, in dB; negative where blending is better."""
        return self.scores[self.best] - self.automatic

    @property
    def choice_loss(self) -> float:
        """What the chosen model at full strength lacks to the best."""
        return self.scores[self.best] - self.scores.get(self.chosen, self.automatic)


def choice(sets: Sets) -> Finding:
    """Random degradations of photographs that nothing was learned from."""
    photographs = [*sets.files("Kodak24"), *sets.files("CBSD68")]
    order = np.random.default_rng(SEED).permutation(len(photographs))
    count = COUNT if sets.limit is None else min(COUNT, 10 * sets.limit)
    return summary(make_cases([photographs[i] for i in order], count))


def make_cases(photographs: Sequence[Path], count: int) -> list[Case]:
    """Degrade ``count`` photographs, and restore them with every model and without options."""
    texts, truths, files = [], [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for place in range(count):
            truth = pixels_of(photographs[place % len(photographs)])
            rng = np.random.default_rng((SEED, place, 1))
            drawn = parse(draw_case(place, SEED)).sample(rng)
            if drawn.parts[-1].name == "jpeg" and rng.random() < CONVERTED:
                drawn = drawn + parse("quantize")  # no longer a JPEG file
            texts.append(str(drawn))
            truths.append(drawn.with_target(truth, copy.deepcopy(rng))[1])
            files.append(degraded_file(truth, drawn, rng, folder / f"{place:03d}"))
        calls = {name: {"model": name} for name in MODELS if name in bundled()}
        found = {}
        for name, options in {"automatic": {}, **calls}.items():
            print(f" {name}", flush=True)
            found[name] = restore_files(files, folder / name, ext="png", **options)
        cases = []
        for i, (text, truth, file) in enumerate(zip(texts, truths, files, strict=True)):
            scores = {NOTHING: score(pixels_of(file), truth)}
            scores |= {name: score(found[name][i].pixels, truth) for name in calls}
            automatic = found["automatic"][i]
            name = photographs[i % len(photographs)].stem
            cases.append(Case(name, text, scores, automatic.model or NOTHING, score(automatic.pixels, truth)))
    print(f" automatic: {models_of(found['automatic'])}")
    return cases


def summary(cases: Sequence[Case]) -> Finding:
    """Share near the best, mean and worst loss, by kind; and the worst cases."""
    kinds = [kind_of(case.text.removesuffix(" + quantize")) for case in cases]
    taken = [NOTHING, *(name for name in MODELS if name in cases[0].scores)]
    table = [
        ["degradation", "cases", f"automatic within {NEAR:g} dB", "mean loss", "worst loss", "chosen model within"]
        + [f"always {name}" for name in taken]
    ]
    for kind in (*sorted(set(kinds)), "all"):
        members = [case for case, label in zip(cases, kinds, strict=True) if kind in (label, "all")]
        losses = np.array([case.loss for case in members])
        rates = [np.mean([case.choice_loss <= NEAR for case in members])]
        rates += [np.mean([case.scores[case.best] - case.scores[name] <= NEAR for case in members]) for name in taken]
        cells = [f"{np.mean(losses <= NEAR):.0%}", f"{losses.mean():.2f}", f"{losses.max():.2f}"]
        table.append([kind, str(len(members)), *cells, *(f"{rate:.0%}" for rate in rates)])
    every = np.array([case.loss for case in cases])
    worst = sorted(cases, key=lambda case: -case.loss)[:SHOWN]
    harm = np.array([case.automatic - case.scores[NOTHING] for case in cases])
    notes = [
        f"{case.image}, {case.text}: {case.chosen} {case.automatic:.2f}, {case.best} {case.scores[case.best]:.2f} dB"
        for case in worst
        if case.loss > NEAR
    ]
    return Finding(
        protocol=(
            f"{len(cases)} random degradations (seed {SEED}) of photographs of Kodak24 and CBSD68, by a generator with "
            f"separate ranges, not used for learning; written as files, {CONVERTED:.0%} of the JPEG files converted "
            "to PNG; results as PNG. The reference of `camera` is its result without noise. Loss: PSNR-RGB "
            f"in dB, at most {SAME:g} each, of the best of doing nothing and {', '.join(taken[1:])} less that of "
            "`resolvent restore` without options (`denoise` is given the measured noise level). Chosen model: the same "
            "for the chosen model at full strength. The last columns: one fixed choice for all. Not sampled: "
            f"{', '.join(left_out()) or 'none'}."
        ),
        table=table,
        figures={
            "near": float(np.mean(every <= NEAR)),
            "loss": every.mean(),
            "worst": every.max(),
            "chosen": float(np.mean([case.choice_loss <= NEAR for case in cases])),
            "worst_change": harm.min(),
            "count": len(cases),
        },
        notes=[f"Automatic result below its input by more than 0.1 dB: {(harm < -0.1).sum()} of {len(cases)}; worst "
               f"{harm.min():+.2f} dB.", *notes],
    )  # fmt: skip
