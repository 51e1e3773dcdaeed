"""Restore many photographs: one after the other, each written as soon as it is done."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from resolvent.codecs import DEPTHS, FORMATS
from resolvent.codecs.encode import heif_is_written, is_lossy
from resolvent.diagnosis.jpeg import jpeg_quality
from resolvent.engine.restore import Options, Plan, plan, run
from resolvent.errors import InputError, OutputError, ResolventError, UsageError, internal, unknown
from resolvent.image import QUALITY, Limits, encode_image, losses, output_format, read_image, write_image, write_whole
from resolvent.models.runtime import Session, open_session

if TYPE_CHECKING:
    from resolvent.image import Image

__all__ = ["SUFFIX", "BatchReport", "Event", "Job", "Result", "find_jobs", "restore_many", "restore_piped"]

logger = logging.getLogger("resolvent")

SUFFIX = ".restored"
"""What an output's name gains where it stands beside its input."""

KINDS = {extension: kind for kind, extensions in FORMATS.items() for extension in extensions}


Status = Literal["restored", "unchanged", "skipped", "failed"]


@dataclass(frozen=True)
class Job:
    """One input and where its output goes."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Result:
    """What became of one input.

    Attributes:
        source: The input.
        target: The output; only there if the status is not ``failed``.
        status: ``restored``; ``unchanged``: copied, for there was nothing to fix; ``skipped``: the output was there.
        reasons: Why: what was chosen, or what went wrong.
        warnings: What of the file was not read, could not be kept, or changes besides.
        model: Name or path of the model, or the method; None if nothing ran.
        sigma: Noise level that the model was told.
        seconds: That it took.
    """

    source: Path
    target: Path
    status: Status
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    model: str | None = None
    sigma: float | None = None
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain data, in characters that any terminal prints."""
        return {
            "input": _printable(self.source),
            "output": None if self.status == "failed" else _printable(self.target),
            "status": self.status,
            "reasons": [_printable(reason) for reason in self.reasons],
            "warnings": [_printable(warning) for warning in self.warnings],
            "model": self.model and _printable(self.model),
            "sigma": self.sigma,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class BatchReport:
    """What became of all inputs, in their order."""

    results: tuple[Result, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each status."""
        counted = Counter(result.status for result in self.results)
        return {status: counted[status] for status in get_args(Status)}

    @property
    def exit_code(self) -> int:
        """0 if all is done, 1 if an input failed."""
        return int(any(result.status == "failed" for result in self.results))

    def to_json(self) -> dict[str, Any]:
        """Plain data: how many of each status, and every result."""
        return {**self.counts, "results": [result.to_json() for result in self.results]}


@dataclass(frozen=True)
class Event:
    """Where a batch stands: at the start of a file, when its plan is made, after each tile, at its end.

    Attributes:
        index: Of the file, from 0.
        total: Files.
        source: The file.
        plan: What is being done to it, once known.
        done: Its share that is done, 0 to 1, by tiles or by the steps of a method.
        eta: Seconds that the rest will take; None as long as there is nothing to tell it by.
        result: At its end.
    """

    index: int
    total: int
    source: Path
    plan: Plan | None = None
    done: float = 0.0
    eta: float | None = None
    result: Result | None = None


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
    limits: Limits = Limits(),  # noqa: B008 - frozen
    on_event: Callable[[Event], None] = lambda event: None,
) -> BatchReport:
    """Restore files and folders. One that fails is reported and does not stop the others.

    Args:
        inputs: See ``find_jobs``, as for ``output``, ``suffix`` and ``ext``.
        output: A file or a folder.
        options: How to restore.
        resume: Skip inputs whose output is there; it is whole, for files appear whole or not at all.
        overwrite: Replace outputs that are there.
        suffix: Of outputs beside their inputs.
        ext: Extension of all outputs.
        quality: 1 to 100, of lossy outputs; None for QUALITY, or that of the input where it is a finer JPEG.
        limits: The largest input.
        on_event: Told how it goes.

    Raises:
        UsageError: The call is wrong; no file has been touched.
        InputError: A folder has no photographs; no file has been touched.
    """
    if resume and overwrite:
        raise UsageError("resume keeps the outputs that are there and overwrite replaces them: choose one")
    _check_quality(quality)
    jobs = find_jobs(inputs, output, suffix=suffix, ext=ext)
    if options.write_mask is not None and len(jobs) > 1:
        raise UsageError(
            f"write_mask {options.write_mask}: is of one photograph, and there are {len(jobs)}; leave it out"
        )
    _check_side_files(options, jobs)
    sessions = cache(open_session)
    if options.requested_model is not None:
        sessions(options.requested_model, options.runtime)
    watch = _Watch(len(jobs), on_event)
    results = []
    for job in jobs:
        watch.start(job.source)
        try:
            result = _restore_one(job, options, sessions, watch, resume, overwrite, quality, limits)
        except (ResolventError, OSError, MemoryError) as error:
            result = Result(job.source, job.target, "failed", (str(error) or "out of memory",))
        except Exception as error:  # one file never ends a batch, whatever a codec or a runtime raises
            logger.debug("%s", job.source, exc_info=error)
            result = Result(job.source, job.target, "failed", (internal(error),))
        results.append(watch.finish(result))
    return BatchReport(tuple(results))


def _restore_one(
    job: Job,
    options: Options,
    sessions: Callable[[str | Path, str], Session],
    watch: _Watch,
    resume: bool,
    overwrite: bool,
    quality: int | None,
    limits: Limits,
) -> Result:
    if os.path.lexists(job.target) and not overwrite:
        if resume:
            return Result(job.source, job.target, "skipped", ("the output is there",))
        raise OutputError(f"{job.target}: exists; choose another output, or give --resume or --overwrite")
    image = read_image(job.source, limits)
    chosen = plan(image, options, open_session=sessions)
    watch.tell(chosen)
    before, after = job.source.suffix.lower(), job.target.suffix.lower()
    kind = KINDS[after] if after != before and after in KINDS else output_format(image)
    restored = run(image, chosen, lambda done, total: watch.tell(chosen, done / total), sessions)
    chosen = _settled(image, restored, chosen)
    _make_folder(job.target.parent)
    if chosen.unchanged and kind == image.format:
        _copy(job.source, job.target, overwrite)
        lost: tuple[str, ...] = ()
    else:
        fine = _fine(quality, job.source)
        lost = write_image(restored, job.target, overwrite=overwrite, format=kind, quality=fine)
        lost += _recompressed(chosen, kind, fine)
    return _result(job, chosen, image.warnings + lost)


ROWS = 256
"""Rows of a photograph that are compared at a time."""

LEAST_CHANGE = 0.5
"""Gray levels, root mean square: of less, writing a lossy file again would cost more than it gains."""


def _settled(image: Image, restored: Image, chosen: Plan) -> Plan:
    """The plan; one that leaves the photograph alone where the model that diagnosis chose changes next to nothing."""
    asked = chosen.options
    if chosen.unchanged or asked.strength < 1 or asked.requested_model is not None or asked.method or asked.repairs:
        return chosen
    total, known = 0.0, image.value_range
    for top in range(0, image.height, ROWS):
        part = np.s_[top : top + ROWS]
        total += float(np.square(restored.data[part].astype(np.float64) - image.data[part]).sum())
    change = 255 / (known.high - known.low) * (total / image.data.size) ** 0.5
    if change >= LEAST_CHANGE:
        return chosen
    reason = f"{chosen.model} would change it by {change:.2f} gray levels, next to nothing: left as it is"
    return replace(chosen, model=None, sigma=None, reasons=(*chosen.reasons, reason))


def _check_quality(quality: int | None) -> None:
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"quality {quality}: must be from 1 to 100")


def _fine(quality: int | None, source: Path | bytes) -> int:
    """The quality as asked; else such that a lossy result loses no more than its JPEG did."""
    return quality or max(QUALITY, jpeg_quality(source) or 0)


def _recompressed(chosen: Plan, kind: str, quality: int) -> tuple[str, ...]:
    """Say that a lossy format keeps no pixel exactly, where a repair was to change only some."""
    if not (chosen.options.only_repairs and is_lossy(kind, quality)):
        return ()
    return (f"{kind} compresses all of it again: the other pixels change a little too; ext png (--ext png) keeps them",)


def _result(job: Job, chosen: Plan, warnings: tuple[str, ...]) -> Result:
    if chosen.unchanged:
        return Result(job.source, job.target, "unchanged", chosen.reasons, warnings)
    model = str(chosen.model or chosen.options.method or chosen.options.filler)
    return Result(job.source, job.target, "restored", chosen.reasons, warnings, model, chosen.sigma)


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
    kind = KINDS[_written("." + ext.lower().removeprefix("."))] if ext else None
    _check_quality(quality)
    _check_side_files(options, [job])
    began = time.perf_counter()
    image = read_image(source, limits)
    sessions = cache(open_session)
    chosen = plan(image, options, source if isinstance(source, bytes) else None, sessions)
    kind = kind or output_format(image)
    restored = run(image, chosen, open_session=sessions)
    chosen = _settled(image, restored, chosen)
    if chosen.unchanged and kind == image.format:
        encoded = source if isinstance(source, bytes) else source.read_bytes()
        lost: tuple[str, ...] = ()
    else:
        fine = _fine(quality, source)
        encoded = encode_image(restored, kind, fine)
        lost = losses(restored, kind) + _recompressed(chosen, kind, fine)
    if output is not None:
        _make_folder(output.parent)
        write_whole(output, lambda file: file.write(encoded), overwrite=overwrite)
    result = _result(job, chosen, image.warnings + lost)
    return replace(result, seconds=time.perf_counter() - began), encoded


class _Watch:
    """Tells how it goes, and how long the rest will take if it goes on as it did where there was something to do."""

    def __init__(self, total: int, on_event: Callable[[Event], None]) -> None:
        self.on_event = on_event
        self.event = Event(-1, total, Path())
        self.worked, self.spent, self.began = 0, 0.0, 0.0

    def start(self, source: Path) -> None:
        self.began = time.perf_counter()
        self._send(Event(self.event.index + 1, self.event.total, source), 0.0, 0.0)

    def tell(self, plan: Plan, done: float = 0.0) -> None:
        self._send(replace(self.event, plan=plan, done=done), done, time.perf_counter() - self.began)

    def finish(self, result: Result) -> Result:
        result = replace(result, seconds=time.perf_counter() - self.began)
        worked = result.status != "skipped"
        self._send(replace(self.event, result=result), float(worked), worked * result.seconds)
        self.worked += worked
        self.spent += worked * result.seconds
        return result

    def _send(self, event: Event, share: float, seconds: float) -> None:
        """``share``: of the present file that is done, in ``seconds``."""
        finished = self.worked + share
        left = event.total - event.index - (1 if event.result else share)
        self.event = replace(event, eta=(self.spent + seconds) / finished * left if finished else None)
        self.on_event(self.event)


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
        ext = _written("." + ext.lower().removeprefix("."))
    if place is not None and len(paths) == 1 and place.suffix and not place.is_dir() and not paths[0].is_dir():
        if ext not in (None, _written(place.suffix.lower())):
            raise UsageError(f"output {place} and ext {ext}: name two formats; leave one of them out")
        jobs = [Job(paths[0], place)]
    else:
        named = place is not None and place.suffix.lower() in KINDS and not place.is_dir()
        if place is not None and (place.is_file() or named):
            raise UsageError(f"output {place}: is a file; for several inputs or a folder, give a folder")
        once: dict[str, Job] = {}
        for job in (job for path in paths for job in _found(path, place, suffix)):
            once.setdefault(os.path.realpath(job.source), job)
        added = suffix if place is None else ""
        jobs = [Job(job.source, _named(job.target, added, ext)) for job in once.values()]
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


def _written(extension: str) -> str:
    """The extension, if it is one of a format that is written."""
    written = [known for known, kind in KINDS.items() if kind in DEPTHS]
    if extension not in written:
        raise unknown("output extension", extension, written)
    return extension


def _check_side_files(options: Options, jobs: Sequence[Job]) -> None:
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


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error


def _copy(source: Path, target: Path, overwrite: bool) -> None:
    with source.open("rb") as whole:
        write_whole(target, lambda file: shutil.copyfileobj(whole, file), overwrite=overwrite)


def _printable(text: object) -> str:
    """Without the halves of characters that stand for bytes of a name that is not UTF-8."""
    return str(text).encode(errors="replace").decode()
