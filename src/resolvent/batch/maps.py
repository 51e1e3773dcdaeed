"""The files of a map of errors, beside the photograph that it is of."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from resolvent.batch.jobs import map_files
from resolvent.batch.places import local
from resolvent.errors import OutputError
from resolvent.image import Image, encode_image, write_image
from resolvent.io import check_writable, write_atomic
from resolvent.report.overlay import overlay

if TYPE_CHECKING:
    from resolvent.batch.jobs import Job
    from resolvent.engine.run import Restoration

__all__ = ["check_maps", "encoded_maps", "old_maps", "written_maps"]


def old_maps(job: Job) -> tuple[str, ...]:
    """Warn of files beside an output that are called as its maps would be."""
    there = [path.name for path in map_files(job) if os.path.lexists(local(path))]
    return (f"{', '.join(there)}: not of this result; if of an earlier one, delete it",) if there else ()


def check_maps(job: Job, *, overwrite: bool) -> None:
    """Refuse, before any work, maps that exist or could not be written.

    Raises:
        OutputError: As it says.
    """
    for path in map(local, map_files(job)):
        if os.path.lexists(path) and not overwrite:
            raise OutputError(f"{path}: exists; choose another output, or give --overwrite")
        check_writable(path)


@contextmanager
def written_maps(restored: Restoration, job: Job, *, overwrite: bool) -> Iterator[None]:
    """Write both files, before the photograph that the block writes: one that is there has its maps.

    Where the block fails, they are removed. Without an uncertainty, nothing is written.

    Raises:
        OutputError: One cannot be written.
    """
    with ExitStack() as undo:
        if restored.uncertainty is not None:
            steps, picture = map(local, map_files(job))
            drawn = overlay(restored.image, restored.uncertainty.steps)
            write_image(Image.from_array(restored.uncertainty.steps[..., None]), steps, overwrite=overwrite)
            undo.callback(steps.unlink, missing_ok=True)
            write_atomic(picture, lambda file: drawn.save(file, "PNG"), overwrite=overwrite)
            undo.callback(picture.unlink, missing_ok=True)
        yield
        undo.pop_all()


def encoded_maps(restored: Restoration) -> tuple[bytes, bytes]:
    """Give the bytes of the files that ``written_maps`` writes; of a restoration that has an uncertainty."""
    if restored.uncertainty is None:
        raise ValueError("restored: has no uncertainty")
    picture = io.BytesIO()
    overlay(restored.image, restored.uncertainty.steps).save(picture, "PNG")
    return encode_image(Image.from_array(restored.uncertainty.steps[..., None]), "tiff"), picture.getvalue()
