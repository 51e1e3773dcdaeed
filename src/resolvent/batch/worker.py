"""One photograph of a batch: read, restored, written."""

from __future__ import annotations

import io
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resolvent.batch.forecast import Forecast
from resolvent.batch.jobs import Job, map_files
from resolvent.batch.maps import check_maps, old_maps, written_maps
from resolvent.batch.places import Url, local
from resolvent.batch.progress import FileProgress
from resolvent.batch.report import CHECKED, LEAST_CHANGE, Result
from resolvent.diagnosis import Blended
from resolvent.engine.plan import Opener, Plan, make_plan
from resolvent.engine.request import ModelRequest, RepairRequest, Request
from resolvent.engine.run import Restoration, run
from resolvent.errors import OutputError, UsageError, unknown
from resolvent.image import QUALITY, Limits, encode_image, output_format, read_image, unsupported, write_image
from resolvent.image.encode import is_lossy
from resolvent.image.files import check_quality
from resolvent.image.formats import KINDS, LONGEST
from resolvent.image.found import LeftOut
from resolvent.image.strip import STRIPS, stripped
from resolvent.io import check_writable, write_atomic
from resolvent.methods.control import Control, Steps

if TYPE_CHECKING:
    from resolvent.image import Image

__all__ = ["Files", "check_size", "copy_file", "make_folder", "restore_one", "result_of", "settled", "take_time"]


@dataclass(frozen=True)
class Files:
    """How the files of a batch are read and written.

    Attributes:
        resume: Keep the outputs that are there and whole, and do the rest; see ``decide.decide``.
        overwrite: Replace outputs that are there.
        same: An output that is there counts as written if its bytes are those that would be.
        quality: 1 to 100, of lossy outputs; None for QUALITY, or that of the input where it is a finer JPEG.
        strip: Metadata that outputs go without: ``gps``, where the photograph was taken; ``all`` but the color profile.
        keep_time: Outputs take the modification time of their inputs.
        limits: The largest input.
        frame: The page or frame of inputs that hold several, from 1; None for the first, and for all of them where a
            file is copied.

    Raises:
        UsageError: A value breaks its rule.
    """

    resume: bool = False
    overwrite: bool = False
    quality: int | None = None
    strip: str | None = None
    keep_time: bool = False
    limits: Limits = field(default_factory=Limits)
    frame: int | None = None
    same: bool = False

    def __post_init__(self) -> None:
        if self.resume and self.overwrite:
            raise UsageError("resume keeps the outputs that are there and overwrite replaces them: choose one")
        if self.quality is not None:
            check_quality(self.quality)
        if self.strip not in (None, *STRIPS):
            raise unknown("strip", str(self.strip), STRIPS)
        if self.frame is not None and self.frame < 1:
            raise UsageError(f"frame {self.frame}: must be at least 1, the first")

    def read(self, source: Path | bytes) -> Image:
        """Read an input, without the metadata that is left out."""
        return stripped(read_image(source, self.limits, frame=self.frame or 1), self.strip)

    @property
    def replaces_maps(self) -> bool:
        """Whether maps of errors that are there are replaced; without its photograph, an interrupted run left one."""
        return self.overwrite or self.resume or self.same

    @property
    def copies(self) -> bool:
        """Whether a photograph that needs no restoring is copied with all that its file holds."""
        return self.strip is None and self.frame is None


def restore_one(
    job: Job,
    request: Request,
    files: Files,
    sessions: Opener,
    watch: FileProgress,
    forecast: Forecast | None = None,
    control: Control | None = None,
    emit: Callable[[bytes], None] | None = None,
    on_restored: Callable[[Restoration], None] = lambda restored: None,
) -> Result:
    """Restore one photograph and write it, or copy it where there is nothing to fix; with a forecast, only tell.

    Args:
        job: The photograph, and where it goes.
        request: What is asked.
        files: How files are read and written.
        sessions: Loads models.
        watch: Told of the plan and of each step.
        forecast: Tells how long it would take.
        control: Cancels an iterative method.
        emit: Takes the bytes of the result in the place of a file. Where the output is a URL, its maps of errors are
            those of what ``on_restored`` is given.
        on_restored: Is given the result before it is written.

    Raises:
        ResolventError: Whatever ends it; see ``restore_many``.
    """
    if emit is None:
        target = local(job.target)
        if os.path.lexists(target) and not (files.overwrite or files.same):
            remedy = "--overwrite" if job.content is not None and not job.is_remote else "--resume or --overwrite"
            raise OutputError(f"{target}: exists; choose another output, or give {remedy}")
        check_writable(target)
        if request.uncertain:
            check_maps(job, overwrite=files.replaces_maps)
    elif request.uncertain and not isinstance(job.target, Url):
        raise UsageError(
            "uncertainty: the map of errors is a file beside the result, which goes into a pipe; give an output file "
            "with -o"
        )
    began = time.perf_counter()
    source = job.readable
    image = files.read(source)
    chosen = make_plan(image, request, job.content, sessions)
    watch.tell(chosen)
    kind = _kind(job, image)
    check_size(image, chosen, kind)
    if forecast is not None:
        spent, left = time.perf_counter() - began, forecast(image, chosen)
        if _by_diagnosis(chosen) and chosen.change is not None and chosen.change < LEAST_CHANGE:
            chosen = _left_alone(chosen, f"about {chosen.change:.2f}")
        planned = result_of(job, Restoration(image, chosen, Steps()), ())
        reasons = planned.reasons if chosen.unchanged else (*planned.reasons, CHECKED)
        return replace(planned, reasons=reasons, expected=None if left is None else spent + left)
    restored = run(image, chosen, lambda done, total: watch.tell(chosen, done / total), sessions, control=control)
    restored = settled(image, restored)
    on_restored(restored)
    copied = restored.plan.unchanged and kind == image.format and files.copies
    fine = fine_quality(files.quality, image)
    lost = () if copied else unsupported(restored.image, kind) + recompressed(restored.plan, kind, fine)
    if emit is not None:
        emit(_content(source) if copied else encode_image(restored.image, kind, fine))
        return result_of(job, restored, lost, copied=copied)
    if restored.uncertainty is None:
        lost += old_maps(job)
    target = local(job.target)
    make_folder(target.parent)
    with written_maps(restored, job, overwrite=files.replaces_maps):
        if copied:
            copy_file(source, target, files, like=source if isinstance(source, Path) else None)
        else:
            how = {"overwrite": files.overwrite, "same": files.same}
            write_image(restored.image, target, format=kind, quality=fine, **how)
    if files.keep_time and isinstance(source, Path):
        take_time(source, target)
    return result_of(job, restored, lost, copied=copied)


def check_size(image: Image, chosen: Plan, kind: str) -> None:
    """Refuse, before any work, a result of more pixels a side than its format holds.

    Raises:
        OutputError: It has more.
    """
    width, height = (side * chosen.scale for side in (image.width, image.height))
    if max(width, height) > LONGEST.get(kind, math.inf):
        raise OutputError(
            f"{image.path or 'the image'}: {width}x{height} pixels, and {kind} holds at most {LONGEST[kind]} a side; "
            "give ext png or tiff (--ext png)"
        )


def _kind(job: Job, image: Image) -> str:
    """The format that is asked for, or that the output's name asks for; a name kept from the input asks for none."""
    before, after = job.source.suffix.lower(), job.target.suffix.lower()
    return job.format or (KINDS[after] if after in KINDS and after != before else output_format(image))


ROWS = 256
"""Rows of a photograph that are compared at a time."""


def settled(image: Image, restored: Restoration) -> Restoration:
    """The restoration; none, where the model that diagnosis chose changes next to nothing."""
    if not _by_diagnosis(restored.plan):
        return restored
    total, known = 0.0, image.value_range
    for top in range(0, image.height, ROWS):
        part = np.s_[top : top + ROWS]
        total += float(np.square(restored.image.data[part].astype(np.float64) - image.data[part]).sum())
    change = 255 / (known.high - known.low) * (total / image.data.size) ** 0.5
    if change >= LEAST_CHANGE:
        return restored
    return replace(
        restored, image=image, plan=_left_alone(restored.plan, f"{change:.2f}"), uncertainty=None, evidence=None
    )


def _by_diagnosis(plan: Plan) -> bool:
    """Whether a model changes the photograph that diagnosis chose, and nothing else was asked for."""
    if plan.unchanged or plan.request.strength < 1 or plan.first is not None:
        return False
    return isinstance(plan.request, ModelRequest) and plan.request.named() is None


def _left_alone(plan: Plan, change: str) -> Plan:
    """The plan of a photograph that its model would change by so many gray levels, next to nothing: none."""
    reason = f"{plan.model} would change it by {change} gray levels, next to nothing: left as it is"
    reasons = (*(line for line in plan.reasons if not isinstance(line, Blended)), reason)
    return replace(plan, model=None, sigma=None, reasons=reasons)


def fine_quality(quality: int | None, image: Image) -> int:
    """The quality as asked; else such that a lossy result loses no more than its JPEG did."""
    return quality or max(QUALITY, (image.jpeg and image.jpeg.quality) or 0)


def recompressed(chosen: Plan, kind: str, quality: int) -> tuple[str, ...]:
    """Say that a lossy format keeps no pixel exactly, where none or only some were to change."""
    if not is_lossy(kind, quality) or not (chosen.unchanged or isinstance(chosen.request, RepairRequest)):
        return ()
    pixels = "its pixels change a little" if chosen.unchanged else "the other pixels change a little too"
    return (f"{kind} compresses all of it again: {pixels}; ext png (--ext png) keeps them",)


SMALL = 640
"""Pixels of the longer side up to which a photograph that needs no restoring may be meant to be enlarged."""


def result_of(job: Job, restored: Restoration, lost: tuple[str, ...], *, copied: bool = False) -> Result:
    """What became of a photograph that was written, or whose file was copied."""
    plan, image = restored.plan, restored.image
    reasons = plan.reasons + restored.trust
    if plan.unchanged and plan.request.uncertain:
        reasons += ("no map of errors: nothing was changed, and what is wrong with it is not known",)
    if plan.unchanged and max(image.width, image.height) <= SMALL and plan.request == ModelRequest():
        reasons += (f"small, {image.width}x{image.height} pixels: scale 2 (-s 2) enlarges it",)
    return Result(
        job.source,
        job.target,
        "unchanged" if plan.unchanged else "restored",
        reasons,
        tuple(line for line in restored.warnings if not (copied and isinstance(line, LeftOut))) + lost,
        model=plan.runs,
        sigma=plan.sigma,
        steps=None if plan.unchanged else restored.steps,
        uncertainty=None if restored.uncertainty is None else restored.uncertainty.to_json(),
        evidence=None if restored.evidence is None else restored.evidence.to_json(),
        half_widths=None if restored.uncertainty is None else map_files(job)[0],
    )


def make_folder(folder: Path) -> None:
    """Make a folder, and those it lies in; OutputError where that is not allowed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error


def take_time(source: Path, target: Path) -> None:
    """Give an output the modification time of its input."""
    known = source.stat()
    os.utime(target, ns=(known.st_atime_ns, known.st_mtime_ns))


def copy_file(source: Path | bytes, target: Path, files: Files, *, like: Path | None) -> None:
    """Write the bytes of a file, or these, to an output, which those may read who may read the file ``like``."""
    with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as whole:
        write_atomic(
            target,
            lambda file: shutil.copyfileobj(whole, file),
            overwrite=files.overwrite,
            same=files.same,
            like=like,
        )


def _content(source: Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()
