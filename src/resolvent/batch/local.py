"""Restore many photographs: one after the other, each written as soon as it is done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from resolvent.batch.forecast import Forecast
from resolvent.batch.jobs import SUFFIX, Job, check_side_files, find_jobs
from resolvent.batch.progress import Event, Progress
from resolvent.batch.report import BatchReport, Result
from resolvent.batch.worker import Files, restore_one
from resolvent.engine.request import Options
from resolvent.errors import ResolventError, UsageError, internal
from resolvent.image import Limits
from resolvent.inference.runtime import Session, open_session
from resolvent.io import check_folder, is_disk_full, sweep

__all__ = ["restore_many"]


logger = logging.getLogger("resolvent")


def restore_many(
    inputs: Sequence[str | Path],
    output: str | Path | None = None,
    *,
    options: Options = Options(),  # noqa: B008 - frozen
    resume: bool = False,
    overwrite: bool = False,
    suffix: str = SUFFIX,
    ext: str | None = None,
    quality: int | None = None,
    strip: str | None = None,
    keep_time: bool = False,
    dry_run: bool = False,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    on_event: Callable[[Event], None] = lambda event: None,
) -> BatchReport:
    """Restore files and folders. One that fails is reported and does not stop the others; a full disk stops all.

    Args:
        inputs: See ``find_jobs``, as for ``output``, ``suffix`` and ``ext``.
        output: A file or a folder.
        options: How to restore.
        resume: See ``Files``, as for all up to ``keep_time`` and for ``limits``.
        overwrite: Replace outputs that are there.
        suffix: Of outputs beside their inputs.
        ext: Extension of all outputs.
        quality: 1 to 100, of lossy outputs.
        strip: Metadata that outputs go without: ``gps`` or ``all``.
        keep_time: Outputs take the modification time of their inputs.
        dry_run: Write nothing; tell what would be done to each, and how long it would take.
        limits: The largest input.
        on_event: Called with how it goes.

    Raises:
        UsageError: The call is wrong; no file has been touched.
        OutputError: Nothing can be written into the output folder; no file has been touched.
    """
    files = Files(resume, overwrite, quality, strip, keep_time, limits)
    found = find_jobs(inputs, output, suffix=suffix, ext=ext)
    jobs = found.jobs
    if options.write_mask is not None and len(jobs) > 1:
        raise UsageError(
            f"write_mask {options.write_mask}: is of one photograph, and there are {len(jobs)}; leave it out"
        )
    check_side_files(options, jobs, overwrite=overwrite)
    if output is not None and jobs and jobs[0].target != Path(output) and not resume:
        check_folder(Path(output))
    sessions = cache(open_session)
    if options.requested_model is not None:
        sessions(options.requested_model, options.runtime)
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
        result, stops = _attempt(job, options, files, sessions, watch, forecast)
        results.append(watch.finish(result))
        if stops:
            stopped = f"the disk is full, with {len(jobs) - done} of {len(jobs)} photographs left"
            break
    return BatchReport(tuple(results), found.ignored, found.repeated, stopped, dry_run)


def _attempt(
    job: Job,
    options: Options,
    files: Files,
    sessions: Callable[[str | Path, str], Session],
    watch: Progress,
    forecast: Forecast | None,
) -> tuple[Result, bool]:
    """What became of a photograph, and whether the next ones would fare no better: the disk is full."""
    try:
        return restore_one(job, options, files, sessions, watch, forecast), False
    except (ResolventError, OSError, MemoryError) as error:
        return Result(job.source, job.target, "failed", (str(error) or "out of memory",)), is_disk_full(error)
    except Exception as error:  # one file never ends a batch, whatever a codec or a runtime raises
        logger.debug("%s", job.source, exc_info=error)
        return Result(job.source, job.target, "failed", (internal(error),)), False
