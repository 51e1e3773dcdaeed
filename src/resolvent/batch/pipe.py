"""One photograph that comes from a pipe or goes into one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from resolvent.batch.jobs import KINDS, Job, check_side_files, written_extension
from resolvent.batch.report import Result
from resolvent.batch.worker import (
    Files,
    check_size,
    fine_quality,
    make_folder,
    recompressed,
    result_of,
    settled,
    take_time,
)
from resolvent.engine.options import Options, make_request
from resolvent.engine.plan import make_plan
from resolvent.engine.run import run
from resolvent.errors import OutputError, UsageError
from resolvent.image import Limits, encode_image, output_format, unsupported
from resolvent.inference.runtime import open_session
from resolvent.io import check_writable, write_atomic
from resolvent.methods.control import Control

if TYPE_CHECKING:
    pass

__all__ = ["restore_piped"]


def restore_piped(
    source: Path | bytes,
    output: Path | None = None,
    *,
    overwrite: bool = False,
    ext: str | None = None,
    quality: int | None = None,
    strip: str | None = None,
    keep_time: bool = False,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    frame: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    control: Control | None = None,
    **options: Unpack[Options],
) -> tuple[Result, bytes]:
    """Restore one photograph that comes from a pipe or goes into one.

    Args:
        source: Its path, or the bytes of its file.
        output: The file to write; None writes none.
        overwrite: Replace the output if it is there.
        ext: Extension that names the format; by default that of `output`, else the format of the input.
        quality: See ``Files``, as for ``strip`` and ``keep_time``.
        strip: Metadata that the output goes without.
        keep_time: The output takes the modification time of the input, where both are files.
        limits: The largest input.
        frame: The page or frame of an input that holds several, from 1.
        progress: Called with the tiles or steps that are done and all of them.
        control: Cancels an iterative method.
        **options: How to restore, as of ``resolvent.restore``.

    Returns:
        What became of it, with ``-`` for a pipe; and the bytes of the restored file, those of the input if there was
        nothing to fix.

    Raises:
        ResolventError: As ``restore_many`` reports it.
    """
    job = Job(Path("-") if isinstance(source, bytes) else source, output or Path("-"))
    if output is not None:
        if ext is not None:
            raise UsageError(f"output {output} and ext {ext}: both name a format; leave ext out")
        if os.path.lexists(output) and not overwrite:
            raise OutputError(f"{output}: exists; choose another output, or give --overwrite")
        check_writable(output)
        ext = output.suffix
    kind = KINDS[written_extension("." + ext.lower().removeprefix("."))] if ext else None
    files = Files(overwrite=overwrite, quality=quality, strip=strip, keep_time=keep_time, limits=limits, frame=frame)
    request = make_request(**options)
    check_side_files(request, [job], overwrite=overwrite)
    began = time.perf_counter()
    image = files.read(source)
    sessions = cache(open_session)
    chosen = make_plan(image, request, source if isinstance(source, bytes) else None, sessions)
    kind = kind or output_format(image)
    check_size(image, chosen, kind)
    restoration = settled(image, run(image, chosen, progress, sessions, control=control))
    copied = restoration.plan.unchanged and kind == image.format and files.copies
    if copied:
        encoded = source if isinstance(source, bytes) else source.read_bytes()
        lost: tuple[str, ...] = ()
    else:
        fine = fine_quality(files.quality, image)
        encoded = encode_image(restoration.image, kind, fine)
        lost = unsupported(restoration.image, kind) + recompressed(restoration.plan, kind, fine)
    if output is not None:
        make_folder(output.parent)
        like = source if isinstance(source, Path) else None
        write_atomic(output, lambda file: file.write(encoded), overwrite=overwrite, like=like)
        if keep_time and isinstance(source, Path):
            take_time(source, output)
    result = result_of(job, restoration, lost, copied=copied)
    return replace(result, seconds=time.perf_counter() - began), encoded
