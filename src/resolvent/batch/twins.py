"""Photographs that are the same: restored once, and copied."""

from __future__ import annotations

from resolvent.batch.jobs import Job
from resolvent.batch.manifest import Entry, stamp_of
from resolvent.batch.places import Url
from resolvent.batch.report import TWIN, Result
from resolvent.batch.task import Row
from resolvent.batch.worker import Files, copy_file, make_folder, take_time
from resolvent.errors import ResolventError
from resolvent.io import is_disk_full

__all__ = ["copy_twin"]


def copy_twin(number: int, job: Job, files: Files, twin: Entry) -> Row | None:
    """Copy the output of a photograph of the same bytes.

    Args:
        number: Of the row.
        job: The photograph whose output is written.
        files: How it is written.
        twin: The other one, which is done with the same settings.

    Returns:
        What became of it; None where the other output is not as it was written, was not made here, or has a map of
        errors; and of objects in stores.
    """
    known = twin.result
    if twin.written is None or known.get("status") not in ("restored", "unchanged") or known.get("half_widths"):
        return None
    if isinstance(job.source, Url) or isinstance(job.target, Url) or isinstance(twin.output, Url):
        return None
    try:
        if stamp_of(twin.output).sha256 != twin.written.sha256:
            return None
    except OSError:
        return None
    try:
        make_folder(job.target.parent)
        copy_file(twin.output, job.target, files, like=job.source)
        if files.keep_time:
            take_time(job.source, job.target)
        written = stamp_of(job.target)
    except (ResolventError, OSError) as error:
        return Row(number, Result(job.source, job.target, "failed", (str(error),)), full=is_disk_full(error))
    reasons = (*known["reasons"], f"{TWIN} {twin.input}: its result, copied")
    result = Result(
        job.source, job.target, known["status"], reasons, tuple(known["warnings"]), known["model"], known["sigma"],
        evidence=known.get("evidence"),
    )  # fmt: skip
    return Row(number, result, written, twin.pixels)
