"""Restore many photographs: one after the other, each written as soon as it is done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Unpack

from resolvent.batch.forecast import Forecast
from resolvent.batch.jobs import SUFFIX, Job, check_side_files, find_jobs
from resolvent.batch.progress import Event, Progress
from resolvent.batch.report import BatchReport, Result
from resolvent.batch.worker import Files, restore_one
from resolvent.engine.options import Options, make_request
from resolvent.engine.plan import Opener
from resolvent.engine.request import Request
from resolvent.errors import ResolventError, UsageError, internal
from resolvent.image import Limits
from resolvent.inference.runtime import open_session
from resolvent.io import check_folder, is_disk_full, sweep
from resolvent.methods.control import Control

__all__ = ["restore_many"]


logger = logging.getLogger("resolvent")


def restore_many(
    inputs: str | Path | Sequence[str | Path],
    output: str | Path | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    suffix: str = SUFFIX,
    ext: str | None = None,
    quality: int | None = None,
    strip: str | None = None,
    keep_time: bool = False,
    dry_run: bool = False,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    frame: int | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    control: Control | None = None,
    **options: Unpack[Options],
) -> BatchReport:
    """Restore files and folders. One that fails is reported and does not stop the others; a full disk stops all.

    Args:
        inputs: See ``find_jobs``, as for ``output``, ``suffix`` and ``ext``.
        output: A file or a folder.
        resume: See ``Files``, as for all up to ``keep_time`` and for ``limits``.
        overwrite: Replace outputs that are there.
        suffix: Of outputs beside their inputs.
        ext: Extension of all outputs.
        quality: 1 to 100, of lossy outputs.
        strip: Metadata that outputs go without: ``gps`` or ``all``.
        keep_time: Outputs take the modification time of their inputs.
        dry_run: Write nothing; tell what would be done to each, and how long it would take.
        limits: The largest input.
        frame: The page or frame of inputs that hold several, from 1; by default the first.
        on_event: Called at the start and the end of each file, and after each tile or step.
        control: Cancels the iterative method that is at work; the next file begins anew.
        **options: How to restore, as of ``resolvent.restore``.

    Raises:
        UsageError: The call is wrong; no file has been touched.
        OutputError: Nothing can be written into the output folder; no file has been touched.
    """
    files = Files(resume, overwrite, quality, strip, keep_time, limits, frame)
    request = make_request(**options)
    found = find_jobs(inputs, output, suffix=suffix, ext=ext)
    jobs = found.jobs
    if (mask := request.written.get("write_mask")) is not None and len(jobs) > 1:
        raise UsageError(f"write_mask {mask}: is of one photograph, and there are {len(jobs)}; leave it out")
    check_side_files(request, jobs, overwrite=overwrite)
    if output is not None and jobs and jobs[0].target != Path(output) and not resume:
        check_folder(Path(output))
    sessions = cache(open_session)
    for model, runtime in request.models():
        sessions(model, runtime)
    forecast = Forecast(sessions) if dry_run else None
    watch = Progress(len(found.unusable) + len(jobs), on_event)
    results = []
    for folder, reason in found.unusable.items():
        watch.start(folder)
        results.append(watch.finish(Result(folder, folder, "failed", (reason,))))
    if not dry_run:
        for folder in {job.target.parent for job in jobs}:
            sweep(folder)
    stopped = None
    for done, job in enumerate(jobs, 1):
        watch.start(job.source)
        result, stops = _attempt(job, request, files, sessions, watch, forecast, control)
        results.append(watch.finish(result))
        if stops:
            stopped = f"the disk is full, with {len(jobs) - done} of {len(jobs)} photographs left"
            break
    return BatchReport(tuple(results), found.ignored, found.repeated, stopped, dry_run)


def _attempt(
    job: Job,
    request: Request,
    files: Files,
    sessions: Opener,
    watch: Progress,
    forecast: Forecast | None,
    control: Control | None,
) -> tuple[Result, bool]:
    """What became of a photograph, and whether the next ones would fare no better: the disk is full."""
    try:
        return restore_one(job, request, files, sessions, watch, forecast, control), False
    except (ResolventError, OSError, MemoryError) as error:
        return Result(job.source, job.target, "failed", (str(error) or "out of memory",)), is_disk_full(error)
    except Exception as error:  # one file never ends a batch, whatever a codec or a runtime raises
        logger.debug("%s", job.source, exc_info=error)
        return Result(job.source, job.target, "failed", (internal(error),)), False
