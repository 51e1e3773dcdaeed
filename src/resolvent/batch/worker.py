"""One photograph of a batch: read, restored, written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resolvent.batch.jobs import KINDS, Job
from resolvent.batch.progress import Progress
from resolvent.batch.report import Result
from resolvent.diagnosis.jpeg import jpeg_quality
from resolvent.engine.plan import Plan, plan
from resolvent.engine.request import Options
from resolvent.engine.run import run
from resolvent.errors import OutputError, UsageError
from resolvent.image import QUALITY, Limits, output_format, read_image, write_image
from resolvent.image.encode import is_lossy
from resolvent.inference.runtime import Session
from resolvent.io import write_atomic

if TYPE_CHECKING:
    from resolvent.image import Image

__all__ = [
    "check_quality",
    "fine_quality",
    "make_folder",
    "recompressed",
    "restore_one",
    "result_of",
    "settled",
    "whole_of",
]


def restore_one(
    job: Job,
    options: Options,
    sessions: Callable[[str | Path, str], Session],
    watch: Progress,
    resume: bool,
    overwrite: bool,
    quality: int | None,
    limits: Limits,
) -> Result:
    """Restore one photograph and write it, or copy it where there is nothing to fix.

    Raises:
        ResolventError: Whatever ends it; see ``restore_many``.
    """
    if os.path.lexists(job.target) and not overwrite:
        if resume:
            return Result(job.source, job.target, "skipped", ("the output is there",))
        raise OutputError(f"{job.target}: exists; choose another output, or give --resume or --overwrite")
    image = read_image(job.source, limits)
    chosen = plan(image, options, open_session=sessions)
    watch.tell(chosen)
    kind = _kind(job, image)
    restored = run(image, chosen, lambda done, total: watch.tell(chosen, done / total), sessions)
    chosen = settled(image, restored, chosen)
    make_folder(job.target.parent)
    if chosen.unchanged and kind == image.format:
        _copy(job.source, job.target, overwrite)
        lost = whole_of(image)
    else:
        fine = fine_quality(quality, job.source)
        lost = image.warnings + write_image(restored, job.target, overwrite=overwrite, format=kind, quality=fine)
        lost += recompressed(chosen, kind, fine)
    return result_of(job, chosen, lost)


def _kind(job: Job, image: Image) -> str:
    """The format that the output's name asks for; a name that is only kept from the input asks for none."""
    before, after = job.source.suffix.lower(), job.target.suffix.lower()
    return KINDS[after] if after in KINDS and (job.asked or after != before) else output_format(image)


def whole_of(image: Image) -> tuple[str, ...]:
    """The warnings of a photograph whose file is copied: it keeps what reading it leaves out."""
    return tuple(line for line in image.warnings if not line.endswith("left out"))


ROWS = 256
"""Rows of a photograph that are compared at a time."""


LEAST_CHANGE = 0.5
"""Gray levels, root mean square: of less, writing a lossy file again would cost more than it gains."""


def settled(image: Image, restored: Image, chosen: Plan) -> Plan:
    """The plan; one that leaves the photograph alone where the model that diagnosis chose changes next to nothing."""
    asked = chosen.options
    if chosen.unchanged or asked.strength < 1 or asked.requested_model is not None or asked.method or asked.repairs:
        return chosen
    total, known = 0.0, image.value_range
    for top in range(0, image.height, ROWS):
        part = np.s_[top : top + ROWS]
        total += float(np.square(restored.data[part].astype(np.float64) - image.data[part]).sum())
    change = 255 / (known.high - known.low) * (total / image.data.size) ** 0.5
    if change >= LEAST_CHANGE:
        return chosen
    reason = f"{chosen.model} would change it by {change:.2f} gray levels, next to nothing: left as it is"
    return replace(chosen, model=None, sigma=None, reasons=(*chosen.reasons, reason))


def check_quality(quality: int | None) -> None:
    """Raise UsageError for a quality out of range."""
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"quality {quality}: must be from 1 to 100")


def fine_quality(quality: int | None, source: Path | bytes) -> int:
    """The quality as asked; else such that a lossy result loses no more than its JPEG did."""
    return quality or max(QUALITY, jpeg_quality(source) or 0)


def recompressed(chosen: Plan, kind: str, quality: int) -> tuple[str, ...]:
    """Say that a lossy format keeps no pixel exactly, where a repair was to change only some."""
    if not (chosen.options.only_repairs and is_lossy(kind, quality)):
        return ()
    return (f"{kind} compresses all of it again: the other pixels change a little too; ext png (--ext png) keeps them",)


def result_of(job: Job, chosen: Plan, warnings: tuple[str, ...]) -> Result:
    """What became of a photograph that was written."""
    if chosen.unchanged:
        return Result(job.source, job.target, "unchanged", chosen.reasons, warnings)
    model = str(chosen.model or chosen.options.method or chosen.options.filler)
    return Result(job.source, job.target, "restored", chosen.reasons, warnings, model, chosen.sigma)


def make_folder(folder: Path) -> None:
    """Make a folder, and those it lies in; OutputError where that is not allowed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error


def _copy(source: Path, target: Path, overwrite: bool) -> None:
    with source.open("rb") as whole:
        write_atomic(target, lambda file: shutil.copyfileobj(whole, file), overwrite=overwrite, like=source)
