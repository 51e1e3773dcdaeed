"""One photograph as work that any executor can do, in this process, in another, or on another machine."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from resolvent.batch.forecast import Forecast
from resolvent.batch.jobs import Job
from resolvent.batch.manifest import Stamp, stamp_of
from resolvent.batch.progress import FileProgress
from resolvent.batch.report import Result
from resolvent.batch.transfer import Passage, fetched
from resolvent.batch.worker import Files, restore_one
from resolvent.engine.request import Request
from resolvent.engine.run import Restoration
from resolvent.errors import InputError, QualityError, ResolventError, UsageError, internal
from resolvent.image import Limits
from resolvent.inference.runtime import Session
from resolvent.io import is_disk_full
from resolvent.methods.control import Control

__all__ = ["Gate", "Row", "Sessions", "Task", "perform"]

logger = logging.getLogger("resolvent")

Sessions = Callable[[str | Path, str, int | None], Session]
"""Loads a model, by name or path, into a runtime with a number of threads; gives the same session again."""


@dataclass(frozen=True)
class Task:
    """One photograph, and all that it takes to restore it.

    Attributes:
        number: By which its row is known.
        job: The photograph, and where it goes.
        request: What is asked.
        files: How files are read and written.
        threads: Of a session, for a photograph that is restored beside others; None for all, which then has the
            process for itself.
        largest: Pixels of the largest photograph that is restored beside others.
        stamped: Whether the row says which version of the output was written.
    """

    number: int
    job: Job
    request: Request
    files: Files
    threads: int | None = None
    largest: float = math.inf
    stamped: bool = False


@dataclass(frozen=True)
class Row:
    """What became of a task.

    Attributes:
        number: Of the task.
        result: What became of the photograph.
        written: The version of the output; None if it failed, or is not asked for.
        pixels: Of the photograph, once it was restored.
        lasting: Whether a failure comes of the photograph, and would come again.
        full: Whether a failure comes of a disk that is full.
        deadly: Whether the photograph ended a process that did nothing else.
        read: The version of the input that was fetched from a store; None if it is a file, or was not fetched.
    """

    number: int
    result: Result
    written: Stamp | None = None
    pixels: int | None = None
    lasting: bool = False
    full: bool = False
    deadly: bool = False
    read: Stamp | None = None


class Gate:
    """Lets many in at once, or one alone; who wants to be alone waits for the others, and none enters before it."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.inside = 0
        self.alone = 0
        self.taken = False

    @contextmanager
    def beside_others(self) -> Iterator[None]:
        """Hold a place beside others."""
        with self.changed:
            self.changed.wait_for(lambda: not self.alone)
            self.inside += 1
        try:
            yield
        finally:
            with self.changed:
                self.inside -= 1
                self.changed.notify_all()

    @contextmanager
    def by_itself(self) -> Iterator[None]:
        """Hold all places."""
        with self.changed:
            self.alone += 1
            self.changed.wait_for(lambda: not self.inside and not self.taken)
            self.taken = True
        try:
            yield
        finally:
            with self.changed:
                self.alone -= 1
                self.taken = False
                self.changed.notify_all()


def perform(
    task: Task,
    sessions: Sessions,
    watch: FileProgress,
    gate: Gate | None = None,
    *,
    control: Control | None = None,
    forecast: Forecast | None = None,
) -> Row:
    """Restore a photograph and tell what became of it, whatever goes wrong.

    Args:
        task: What to do.
        sessions: Loads models.
        watch: Told of the plan and of each step.
        gate: Keeps a photograph that is too large to be restored beside others by itself.
        control: Cancels an iterative method.
        forecast: Nothing is done: tells how long it would take.
    """
    began = time.perf_counter()
    job, seen = task.job, list[int]()
    passage: Passage | None = None

    def note_size(restored: Restoration) -> None:
        seen.append(restored.image.width * restored.image.height // restored.plan.scale**2)

    def attempt(files: Files, threads: int | None) -> Result:
        def opener(model: str | Path, runtime: str) -> Session:
            return sessions(model, runtime, threads)

        if passage is not None:
            return passage.restore(task.request, files, opener, watch, forecast, control, note_size)
        return restore_one(job, task.request, files, opener, watch, forecast, control, on_restored=note_size)

    try:
        passage = fetched(job, task.request, task.files) if job.is_remote else None
        result = _beside_others_or_alone(task, attempt, gate)
        sent = None if passage is None else passage.written
        written = (sent or stamp_of(job.target)) if task.stamped else None
    except (ResolventError, OSError, MemoryError) as error:
        _check_callback(watch)
        failed = Result(job.source, job.target, "failed", (str(error) or "out of memory",))
        of_input = isinstance(error, InputError | QualityError | UsageError)
        row = Row(
            task.number, failed,
            lasting=of_input and not isinstance(error.__cause__, OSError), full=is_disk_full(error),
        )  # fmt: skip
    except Exception as error:  # one file never ends a batch, whatever a codec or a runtime raises
        _check_callback(watch)
        logger.debug("%s", job.source, exc_info=error)
        row = Row(task.number, Result(job.source, job.target, "failed", (internal(error),)), lasting=True)
    else:
        row = Row(task.number, result, written, pixels=seen[0] if seen else None)
    read = None if passage is None else passage.read
    return replace(row, read=read, result=replace(row.result, seconds=time.perf_counter() - began))


def _check_callback(watch: FileProgress) -> None:
    """Raise what the caller's ``on_event`` has raised, which is no fault of a photograph and ends the batch."""
    if watch.batch.broken is not None:
        raise watch.batch.broken


class _TooLargeError(Exception):
    """A photograph is too large to be restored beside others."""


@dataclass(frozen=True)
class _BesideOthers(Limits):
    """Limits of which one is no reason to refuse a photograph, but to restore it by itself."""

    largest: float = math.inf

    def check_pixels(self, width: int, height: int, size: int) -> None:
        super().check_pixels(width, height, size)
        if width * height > self.largest:
            raise _TooLargeError


def _beside_others_or_alone(task: Task, attempt: Callable[[Files, int | None], Result], gate: Gate | None) -> Result:
    if task.threads is not None:
        limits = task.files.limits
        beside = _BesideOthers(limits.megapixels, limits.megabytes, task.largest)
        try:
            with gate.beside_others() if gate else nullcontext():
                return attempt(replace(task.files, limits=beside), task.threads)
        except _TooLargeError:
            pass
    with gate.by_itself() if gate else nullcontext():
        return attempt(task.files, None)
