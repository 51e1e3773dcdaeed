"""Which inputs there are, and where their outputs go."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resolvent.engine.request import Options
from resolvent.errors import InputError, UsageError, unknown
from resolvent.image.encode import heif_is_written
from resolvent.image.formats import DEPTHS, FORMATS

if TYPE_CHECKING:
    pass

__all__ = ["KINDS", "SUFFIX", "Job", "check_side_files", "find_jobs", "written_extension"]


SUFFIX = ".restored"
"""What an output's name gains where it stands beside its input."""


KINDS = {extension: kind for kind, extensions in FORMATS.items() for extension in extensions}


@dataclass(frozen=True)
class Job:
    """One input and where its output goes; `asked`: the extension of that, and so its format, has been asked for."""

    source: Path
    target: Path
    asked: bool = False


def find_jobs(
    inputs: Sequence[str | Path], output: str | Path | None = None, *, suffix: str = SUFFIX, ext: str | None = None
) -> list[Job]:
    """Pair each input with its output, before any work.

    A folder is searched with its subfolders, but not through links, for files with the extension of an image; hidden
    ones, the output folder and what has ``suffix`` already are left out. A file that is named is taken whatever it is
    called. Outputs keep the extension of their input, and gain ``.png`` where that is of a format that is only read.

    Args:
        inputs: Files and folders. What is given twice is taken once.
        output: None puts each output beside its input. Otherwise a folder, in which the folders among the inputs are
            mirrored; or a file, for one input file: a path with an extension that is no folder.
        suffix: Put between name and extension of outputs beside their inputs.
        ext: Extension of all outputs.

    Raises:
        UsageError: Two inputs have one output; an output is an input; a format is not written; no input.
        InputError: A folder holds no image or cannot be listed.
    """
    paths, place = [Path(path) for path in inputs], None if output is None else Path(output)
    if not paths:
        raise UsageError("no input; give files or folders")
    if {"/", "\\"} & set(suffix):
        raise UsageError(f"suffix {suffix!r}: goes into the name of a file; give it without separators")
    if ext is not None:
        ext = written_extension("." + ext.lower().removeprefix("."))
    if place is not None and len(paths) == 1 and place.suffix and not place.is_dir() and not paths[0].is_dir():
        if ext not in (None, written_extension(place.suffix.lower())):
            raise UsageError(f"output {place} and ext {ext}: name two formats; leave one of them out")
        jobs = [Job(paths[0], place, asked=True)]
    else:
        named = place is not None and place.suffix.lower() in KINDS and not place.is_dir()
        if place is not None and (place.is_file() or named):
            raise UsageError(f"output {place}: is a file; for several inputs or a folder, give a folder")
        once: dict[str, Job] = {}
        for job in (job for path in paths for job in _found(path, place, suffix)):
            once.setdefault(os.path.realpath(job.source), job)
        added = suffix if place is None else ""
        jobs = [Job(job.source, _named(job.target, added, ext), asked=ext is not None) for job in once.values()]
    _check_targets(jobs)
    return jobs


def _found(path: Path, place: Path | None, suffix: str) -> Iterator[Job]:
    """The inputs that a path stands for, each with a target of the same name."""
    if not path.is_dir():
        yield Job(path, (place or path.parent) / path.name)
        return
    empty = True
    for source in _images(path, place, suffix):
        empty = False
        yield Job(source, (place or path) / source.relative_to(path))
    if empty:
        raise InputError(f"{path}: holds no image; accepted extensions are {' '.join(sorted(KINDS))}")


def _images(folder: Path, place: Path | None, suffix: str) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise InputError(
            f"{error.filename}: cannot be listed: {error.strerror}; make it readable, or move it away"
        ) from error

    outputs = None if place is None else os.path.realpath(place)
    for root, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and os.path.realpath(Path(root, name)) != outputs
        )
        for path in (Path(root, name) for name in sorted(files) if not name.startswith(".")):
            ours = place is None and suffix and path.stem.endswith(suffix)
            if path.suffix.lower() in KINDS and not ours:
                yield path


def _named(target: Path, suffix: str, ext: str | None) -> Path:
    kind = KINDS.get(target.suffix.lower())
    only_read = (kind is not None and kind not in DEPTHS) or (kind == "heif" and not heif_is_written())
    if ext is None and only_read:
        return target.with_name(f"{target.name}{suffix}.png")
    return target.with_name(target.stem + suffix + (ext or target.suffix))


def written_extension(extension: str) -> str:
    """The extension, if it is one of a format that is written."""
    written = [known for known, kind in KINDS.items() if kind in DEPTHS]
    if extension not in written:
        raise unknown("output extension", extension, written)
    return extension


def check_side_files(options: Options, jobs: Sequence[Job]) -> None:
    """A mask is an input too; one that is written, and a preview, are files of their own."""
    masks = [options.mask, *(options.told.files if options.told else ())]
    read = {os.path.realpath(mask) for mask in masks if isinstance(mask, str | Path)}
    for job in jobs:
        if os.path.realpath(job.target) in read:
            raise UsageError(f"output {job.target}: is a mask, and inputs are never replaced; give another output")
    taken = read | {os.path.realpath(path) for job in jobs for path in (job.source, job.target)}
    for name, path in (("write_mask", options.write_mask), ("preview", options.preview)):
        if path is None:
            continue
        if os.path.realpath(path) in taken:
            raise UsageError(f"{name} {path}: is an input or the output too; give another name")
        taken.add(os.path.realpath(path))


def _check_targets(jobs: Iterable[Job]) -> None:
    sources = {os.path.realpath(job.source) for job in jobs}
    taken: dict[str, Path] = {}
    for job in jobs:
        where = os.path.realpath(job.target)
        if where in sources:
            raise UsageError(f"output {job.target}: is an input, and inputs are never replaced; give another output")
        if where in taken:
            raise UsageError(
                f"{taken[where]} and {job.source}: would both become {job.target}; restore them separately"
            )
        taken[where] = job.source
