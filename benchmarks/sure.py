"""How well a denoiser that is not shown the truth tells its PSNR and its errors: SURE and the Jacobian."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from map_tables import holds, markdown

from resolvent.degradations import parse
from resolvent.engine.restore import Restorer
from resolvent.evaluation.metrics import psnr
from resolvent.evaluation.uncertainty import Trial, cover
from resolvent.image import read_image

LEVELS = (15, 25, 50)
ABOUT = (
    "whole photographs with white noise of a level that is given, restored with `--uncertainty jacobian`: 4 probes. "
    "Float: not clipped; 8 bit: rounded and clipped, as in a file. Off: the PSNR that is said less that against the "
    "truth, in dB; within ±: by no more than the margin that is said with it; by: how many SURE tells, and where noise was "
    "clipped the Jacobian. Residual: root mean square of y - x over the noise level. Coverage: of the map."
)
HEAD = (
    "noise | off: mean | sd | worst | within 1 dB | within ± | by SURE, Jacobian | residual | half-width | coverage | "
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
    """Of one level: how far the PSNR is off, what it is said by, the residual, and the map."""
    off, within, residuals, sources, trials = [], [], [], Counter[str | None](), []
    noise = parse(f"noise:sigma={restorer.request.sigma}")
    for number, path in enumerate(images):
        truth = read_image(path).pixels
        y = noise(truth, np.random.default_rng(number))
        found = restorer.run(np.rint(255 * y.clip(0, 1)).astype(np.uint8) if rounded else y)
        restored, evidence = found.image.pixels, found.evidence
        residuals.append(evidence.residual / evidence.expected)
        sources[evidence.source] += 1
        if evidence.psnr is not None:
            off.append(evidence.psnr - psnr(truth, restored))
            within.append(abs(off[-1]) <= evidence.margin)
        width = found.uncertainty.half_width / 255
        trials.append(Trial.of(restored.transpose(2, 0, 1), truth.transpose(2, 0, 1), width))
    share = np.mean(np.abs(off) <= 1) if off else np.nan
    said = (
        f"{np.mean(off):+.2f}",
        f"{np.std(off):.2f}",
        f"{np.abs(off).max():.2f}",
        f"{share:.0%}",
        f"{np.mean(within):.0%}",
    )
    return [*said, f"{sources['SURE']}, {sources['Jacobian']}", f"{np.mean(residuals):.3f}", *holds(cover(trials, 1.0))]
