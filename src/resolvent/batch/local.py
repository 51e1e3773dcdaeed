"""Restore many photographs: one after the other, each written as soon as it is done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Unpack

from resolvent.batch.jobs import SUFFIX, check_side_files, find_jobs
from resolvent.batch.progress import Event, Progress
from resolvent.batch.report import BatchReport, Result
from resolvent.batch.worker import check_quality, restore_one
from resolvent.engine.request import Options, make_request
from resolvent.errors import ResolventError, UsageError, internal
from resolvent.image import Limits
from resolvent.inference.runtime import open_session
from resolvent.methods.control import Control

__all__ = ["restore_many"]


logger = logging.getLogger("resolvent")


def restore_many(
    inputs: Sequence[str | Path],
    output: str | Path | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    suffix: str = SUFFIX,
    ext: str | None = None,
    quality: int | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    on_event: Callable[[Event], None] = lambda event: None,
    control: Control | None = None,
    **options: Unpack[Options],
) -> BatchReport:
    """Restore files and folders. One that fails is reported and does not stop the others.

    Args:
        inputs: See ``find_jobs``, as for ``output``, ``suffix`` and ``ext``.
        output: A file or a folder.
        resume: Skip inputs whose output is there; it is whole, for files appear whole or not at all.
        overwrite: Replace outputs that are there.
        suffix: Of outputs beside their inputs.
        ext: Extension of all outputs.
        quality: 1 to 100, of lossy outputs; None for QUALITY, or that of the input where it is a finer JPEG.
        limits: The largest input.
        on_event: Called at the start and the end of each file, and after each tile or step.
        control: Cancels the iterative method that is at work; the next file begins anew.
        **options: How to restore, as of ``resolvent.restore``.

    Raises:
        UsageError: The call is wrong; no file has been touched.
        InputError: A folder has no photographs; no file has been touched.
    """
    if resume and overwrite:
        raise UsageError("resume keeps the outputs that are there and overwrite replaces them: choose one")
    check_quality(quality)
    request = make_request(**options)
    jobs = find_jobs(inputs, output, suffix=suffix, ext=ext)
    if (mask := request.written.get("write_mask")) is not None and len(jobs) > 1:
        raise UsageError(f"write_mask {mask}: is of one photograph, and there are {len(jobs)}; leave it out")
    check_side_files(request, jobs)
    sessions = cache(open_session)
    for model, runtime in request.models():
        sessions(model, runtime)
    watch = Progress(len(jobs), on_event)
    results = []
    for job in jobs:
        watch.start(job.source)
        try:
            result = restore_one(job, request, sessions, watch, resume, overwrite, quality, limits, control)
        except (ResolventError, OSError, MemoryError) as error:
            result = Result(job.source, job.target, "failed", (str(error) or "out of memory",))
        except Exception as error:  # one file never ends a batch, whatever a codec or a runtime raises
            logger.debug("%s", job.source, exc_info=error)
            result = Result(job.source, job.target, "failed", (internal(error),))
        results.append(watch.finish(result))
    return BatchReport(tuple(results))
