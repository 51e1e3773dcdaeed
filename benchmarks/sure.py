"""How well a denoiser that is not shown the truth tells its PSNR and its errors: SURE and the Jacobian."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from error_maps import Array
from map_tables import holds, markdown

from resolvent.degradations import parse
from resolvent.engine.error_maps import Jacobian
from resolvent.engine.restore import Restorer
from resolvent.evaluation.calibration import calibrate
from resolvent.evaluation.metrics import psnr
from resolvent.evaluation.uncertainty import MARGIN, Trial, cover, degrade_centers, fit_factor
from resolvent.image import read_image
from resolvent.inference.jacobian import JacobianSession, places
from resolvent.inference.runtime import Session
from resolvent.inference.stitch import Box

LEVELS = (15, 25, 50)
ABOUT = (
    "whole photographs with white noise of a level that is given, restored with `--uncertainty jacobian`: 4 probes. "
    "Float: not clipped; 8 bit: rounded and clipped, as in a file. Said: how many get a PSNR; off: that less the PSNR "
    "against the truth, in dB; within ±: by no more than the margin that is said with it. Residual: root mean square "
    "of y - x over the noise level. Coverage: of the map."
)
PROBES = (1, 2, 4, 8)
HEAD = (
    "noise | said | off: mean | sd | worst | within 1 dB | within ± | residual | half-width | coverage | "
    "worst 5 % | coverage by quartile"
)


def sure(models: Sequence[str | Path], images: Sequence[Path]) -> str:
    """The table of denoisers that take the level of noise."""
    return f"{len(images)} {ABOUT}\n\n{markdown(HEAD, (row for each in models for row in rows(each, images)))}"


def rows(model: str | Path, images: Sequence[Path]) -> Iterator[list[str]]:
    """A row for each level, of floats and of 8 bit."""
    for sigma in LEVELS:
        restorer = Restorer(model=model, sigma=sigma, uncertainty="jacobian")
        for rounded in (False, True):
            yield [f"{Path(model).name}, {sigma}, {'8 bit' if rounded else 'float'}", *cells(restorer, images, rounded)]


def cells(restorer: Restorer, images: Sequence[Path], rounded: bool) -> list[str]:
    """Of one level: how far the PSNR is off, the residual, and the map."""
    off, within, residuals, trials, sigma = [], [], [], [], restorer.request.sigma
    noise = parse(f"noise:sigma={sigma}")
    for number, path in enumerate(images):
        truth = read_image(path).pixels
        y = noise(truth, np.random.default_rng(number))
        found = restorer.run(np.rint(255 * y.clip(0, 1)).astype(np.uint8) if rounded else y)
        evidence = found.evidence
        residuals.append(evidence.residual / sigma)
        if evidence.psnr is not None:
            off.append(evidence.psnr - psnr(truth, found.image.pixels))
            within.append(abs(off[-1]) <= evidence.margin)
        trials.append(Trial.after(found, truth))
    said = ["–"] * 5
    if off:
        said = [f"{np.mean(off):+.2f}", f"{np.std(off):.2f}", f"{np.abs(off).max():.2f}"]
        said += [f"{share:.0%}" for share in (np.mean(np.abs(off) <= 1), np.mean(within))]
    return [str(len(off)), *said, f"{np.mean(residuals):.3f}", *holds(cover(trials, 1.0))]


def probes(session: Session, photographs: Sequence[Path], side: int) -> list[list[str]]:
    """Rows of by what the standard deviation of the Jacobian is multiplied, for numbers of probes: found, and taken.

    Found: by risk control over the photographs, as the factor of a learned map; and what holds 90 % of all values.
    """
    trials: dict[int, list[Trial]] = {count: [] for count in PROBES}
    for x, target in degrade_centers(session.card, photographs, side=side):
        for count, found in trials.items():
            restored, deviation = probed(session, x, count)
            found.append(Trial.of(restored, target, deviation, MARGIN))
    return [
        [
            f"{session.card.name}, {count}",
            f"{calibrate([each.histogram for each in found]):.2f}",
            f"{fit_factor(found):.2f}",
            f"{Jacobian(count).factor:.2f}",
        ]
        for count, found in trials.items()
    ]


def probed(session: Session, x: Array, count: int) -> tuple[Array, Array]:
    """The result for colors and level (1, 4, H, W), and the standard deviation that so many probes find, (H, W)."""
    denoiser = JacobianSession(session, 255 * float(x[0, 3, 0, 0]), count, gray=False)
    *restored, variance = denoiser.run(np.concatenate([x, places(Box(0, 0, *x.shape[2:]))[None, None]], axis=1))[0]
    return np.stack(restored), np.sqrt(variance.clip(min=0))
