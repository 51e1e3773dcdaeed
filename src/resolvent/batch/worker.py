"""One photograph of a batch: read, restored, written."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resolvent.batch.jobs import KINDS, Job
from resolvent.batch.progress import Progress
from resolvent.batch.report import Result
from resolvent.diagnosis.jpeg import jpeg_quality
from resolvent.engine.plan import Opener, Plan, make_plan
from resolvent.engine.request import ModelRequest, RepairRequest, Request
from resolvent.engine.run import Restoration, run
from resolvent.errors import OutputError, UsageError
from resolvent.image import QUALITY, Limits, output_format, read_image, write_image
from resolvent.image.encode import is_lossy
from resolvent.io import write_atomic
from resolvent.methods.control import Control

if TYPE_CHECKING:
    from resolvent.image import Image

__all__ = ["check_quality", "fine_quality", "make_folder", "recompressed", "restore_one", "result_of", "settled"]


def restore_one(
    job: Job,
    request: Request,
    sessions: Opener,
    watch: Progress,
    resume: bool,
    overwrite: bool,
    quality: int | None,
    limits: Limits,
    control: Control | None = None,
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
    chosen = make_plan(image, request, open_session=sessions)
    watch.tell(chosen)
    before, after = job.source.suffix.lower(), job.target.suffix.lower()
    kind = KINDS[after] if after != before and after in KINDS else output_format(image)
    restored = run(image, chosen, lambda done, total: watch.tell(chosen, done / total), sessions, control=control)
    restored = settled(image, restored)
    make_folder(job.target.parent)
    if restored.plan.unchanged and kind == image.format:
        _copy(job.source, job.target, overwrite)
        lost: tuple[str, ...] = ()
    else:
        fine = fine_quality(quality, job.source)
        lost = write_image(restored.image, job.target, overwrite=overwrite, format=kind, quality=fine)
        lost += recompressed(restored.plan, kind, fine)
    return result_of(job, restored, lost)


ROWS = 256
"""Rows of a photograph that are compared at a time."""


LEAST_CHANGE = 0.5
"""Gray levels, root mean square: of less, writing a lossy file again would cost more than it gains."""


def settled(image: Image, restored: Restoration) -> Restoration:
    """The restoration; none, where the model that diagnosis chose changes next to nothing."""
    plan = restored.plan
    chosen = isinstance(plan.request, ModelRequest) and plan.request.named() is None and plan.first is None
    if plan.unchanged or plan.request.strength < 1 or not chosen:
        return restored
    total, known = 0.0, image.value_range
    for top in range(0, image.height, ROWS):
        part = np.s_[top : top + ROWS]
        total += float(np.square(restored.image.data[part].astype(np.float64) - image.data[part]).sum())
    change = 255 / (known.high - known.low) * (total / image.data.size) ** 0.5
    if change >= LEAST_CHANGE:
        return restored
    reason = f"{plan.model} would change it by {change:.2f} gray levels, next to nothing: left as it is"
    return replace(restored, image=image, plan=replace(plan, model=None, sigma=None, reasons=(*plan.reasons, reason)))


def check_quality(quality: int | None) -> None:
    """Raise UsageError for a quality out of range."""
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"quality {quality}: must be from 1 to 100")


def fine_quality(quality: int | None, source: Path | bytes) -> int:
    """The quality as asked; else such that a lossy result loses no more than its JPEG did."""
    return quality or max(QUALITY, jpeg_quality(source) or 0)


def recompressed(chosen: Plan, kind: str, quality: int) -> tuple[str, ...]:
    """Say that a lossy format keeps no pixel exactly, where a repair was to change only some."""
    if not (isinstance(chosen.request, RepairRequest) and is_lossy(kind, quality)):
        return ()
    return (f"{kind} compresses all of it again: the other pixels change a little too; ext png (--ext png) keeps them",)


def result_of(job: Job, restored: Restoration, lost: tuple[str, ...]) -> Result:
    """What became of a photograph that was written."""
    plan = restored.plan
    return Result(
        job.source,
        job.target,
        "unchanged" if plan.unchanged else "restored",
        plan.reasons,
        restored.warnings + lost,
        model=plan.runs,
        sigma=plan.sigma,
        steps=None if plan.unchanged else restored.steps,
    )


def make_folder(folder: Path) -> None:
    """Make a folder, and those it lies in; OutputError where that is not allowed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error


def _copy(source: Path, target: Path, overwrite: bool) -> None:
    with source.open("rb") as whole:
        write_atomic(target, lambda file: shutil.copyfileobj(whole, file), overwrite=overwrite)
