"""One photograph that comes from a pipe or goes into one."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from resolvent.batch.jobs import KINDS, Job, check_side_files, written_extension
from resolvent.batch.report import Result
from resolvent.batch.worker import check_quality, fine_quality, make_folder, recompressed, result_of, settled, whole_of
from resolvent.engine.plan import plan
from resolvent.engine.request import Options
from resolvent.engine.run import run
from resolvent.errors import OutputError, UsageError
from resolvent.image import Limits, encode_image, output_format, read_image, unsupported
from resolvent.inference.runtime import open_session
from resolvent.io import write_atomic

if TYPE_CHECKING:
    pass

__all__ = ["restore_piped"]


def restore_piped(
    source: Path | bytes,
    output: Path | None = None,
    *,
    options: Options = Options(),  # noqa: B008 - frozen
    overwrite: bool = False,
    ext: str | None = None,
    quality: int | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> tuple[Result, bytes]:
    """Restore one photograph that comes from a pipe or goes into one.

    Args:
        source: Its path, or the bytes of its file.
        output: The file to write; None writes none.
        options: How to restore.
        overwrite: Replace the output if it is there.
        ext: Extension that names the format; by default that of `output`, else the format of the input.
        quality: 1 to 100, of a lossy output; None as in ``restore_many``.
        limits: The largest input.

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
        ext = output.suffix
    kind = KINDS[written_extension("." + ext.lower().removeprefix("."))] if ext else None
    check_quality(quality)
    check_side_files(options, [job])
    began = time.perf_counter()
    image = read_image(source, limits)
    sessions = cache(open_session)
    chosen = plan(image, options, source if isinstance(source, bytes) else None, sessions)
    kind = kind or output_format(image)
    restored = run(image, chosen, open_session=sessions)
    chosen = settled(image, restored, chosen)
    if chosen.unchanged and kind == image.format:
        encoded = source if isinstance(source, bytes) else source.read_bytes()
        lost = whole_of(image)
    else:
        fine = fine_quality(quality, source)
        encoded = encode_image(restored, kind, fine)
        lost = image.warnings + unsupported(restored, kind) + recompressed(chosen, kind, fine)
    if output is not None:
        make_folder(output.parent)
        like = source if isinstance(source, Path) else None
        write_atomic(output, lambda file: file.write(encoded), overwrite=overwrite, like=like)
    result = result_of(job, chosen, lost)
    return replace(result, seconds=time.perf_counter() - began), encoded
