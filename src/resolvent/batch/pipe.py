"""One photograph that comes from a pipe or goes into one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Unpack

from resolvent.batch.jobs import Job, check_side_files, format_named
from resolvent.batch.progress import Event, Progress
from resolvent.batch.report import Result
from resolvent.batch.worker import Files, restore_one
from resolvent.engine.options import Options, make_request
from resolvent.errors import UsageError
from resolvent.image import Limits
from resolvent.inference.runtime import open_session
from resolvent.methods.control import Control

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
    on_event: Callable[[Event], None] = lambda event: None,
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
        on_event: Called at the start and the end, and after each tile or step.
        control: Cancels an iterative method.
        **options: How to restore, as of ``resolvent.restore``.

    Returns:
        What became of it, with ``-`` for a pipe; and, where no file is written, the bytes of the restored one, those of
        the input if there was nothing to fix.

    Raises:
        ResolventError: As ``restore_many`` reports it.
    """
    if output is not None:
        if ext is not None:
            raise UsageError(f"output {output} and ext {ext}: both name a format; leave ext out")
        ext = output.suffix
    kind = format_named(ext)
    path, content = (Path("-"), source) if isinstance(source, bytes) else (source, None)
    job = Job(path, output or Path("-"), kind, content)
    files = Files(overwrite=overwrite, quality=quality, strip=strip, keep_time=keep_time, limits=limits, frame=frame)
    request = make_request(**options)
    check_side_files(request, [job], overwrite=overwrite)
    watch = Progress(1, on_event).start(job.source)
    emitted: list[bytes] = []
    emit = emitted.append if output is None else None
    result = restore_one(job, request, files, cache(open_session), watch, control=control, emit=emit)
    return watch.finish(result), b"".join(emitted)
