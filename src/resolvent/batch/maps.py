"""The files of a map of errors, beside the photograph that it is of."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from resolvent.batch.jobs import MAP_SUFFIX
from resolvent.errors import OutputError
from resolvent.image import Image, write_image
from resolvent.io import check_writable, write_atomic
from resolvent.report.overlay import overlay

if TYPE_CHECKING:
    from pathlib import Path

    from resolvent.batch.jobs import Job
    from resolvent.engine.uncertainty import Uncertainty

__all__ = ["check_maps", "map_files", "old_maps", "write_maps"]


def map_files(job: Job) -> tuple[Path, Path]:
    """The half-widths, a TIFF of 16 bit in 1/256 gray level, and the overlay, a PNG, of an output."""
    name = job.target.name if job.alike else job.target.stem
    return job.target.with_name(f"{name}{MAP_SUFFIX}.tif"), job.target.with_name(f"{name}{MAP_SUFFIX}.png")


def old_maps(job: Job) -> tuple[str, ...]:
    """Warn of maps beside an output that were made with an earlier one."""
    there = [path.name for path in map_files(job) if os.path.lexists(path)]
    return (f"{', '.join(there)}: of an earlier result, not of this one; delete it",) if there else ()


def check_maps(job: Job, *, overwrite: bool) -> None:
    """Refuse, before any work, maps that exist or could not be written.

    Raises:
        OutputError: As it says.
    """
    for path in map_files(job):
        if os.path.lexists(path) and not overwrite:
            raise OutputError(f"{path}: exists; choose another output, or give --overwrite")
        check_writable(path)


def write_maps(photograph: Image, uncertainty: Uncertainty, job: Job, *, overwrite: bool) -> None:
    """Write both files.

    Raises:
        OutputError: One cannot be written.
    """
    steps, picture = map_files(job)
    write_image(Image.from_array(uncertainty.steps[..., None]), steps, overwrite=overwrite)
    drawn = overlay(photograph, uncertainty.steps)
    write_atomic(picture, lambda file: drawn.save(file, "PNG"), overwrite=overwrite)
