"""How far a batch is, and how long it will take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from resolvent.batch.places import Place
from resolvent.batch.report import Result
from resolvent.engine.plan import Plan

__all__ = ["Event", "FileProgress", "Progress"]


@dataclass(frozen=True)
class Event:
    """Where a batch stands: at the start of a file, when its plan is made, after each tile, at its end.

    Attributes:
        index: Files that are finished; where one follows the other, the number of this one, from 0.
        total: Files.
        source: The file.
        plan: What is being done to it, once known.
        done: Its share that is done, 0 to 1, by tiles or by the steps of a method.
        eta: Seconds that the rest will take; None as long as there is nothing to tell it by.
        result: At its end.
    """

    index: int
    total: int
    source: Place
    plan: Plan | None = None
    done: float = 0.0
    eta: float | None = None
    result: Result | None = None


class Progress:
    """Tells how it goes, and how long the rest will take if it goes on as it did where there was something to do.

    Several files may be at work, each in a thread of its own; events come one at a time.

    Args:
        total: Files; it may grow.
        on_event: Called with each event.
    """

    def __init__(self, total: int, on_event: Callable[[Event], None]) -> None:
        self.total, self.on_event = total, on_event
        self.lock = threading.RLock()
        self.open: dict[FileProgress, None] = {}
        self.finished, self.worked, self.spent = 0, 0, 0.0
        self.stopped = False
        self.broken: Exception | None = None  # what on_event raised

    def start(self, source: Place) -> FileProgress:
        """Begin a file."""
        with self.lock:
            opened = FileProgress(self, source)
            self.open[opened] = None
            self.send(opened)
        return opened

    def send(self, file: FileProgress, result: Result | None = None) -> None:
        """Send an event of a file."""
        working = [other for other in self.open if other.result is None]
        shares = sum(other.done for other in working)
        seconds = sum(time.perf_counter() - other.began for other in working if other.done)
        left = self.total - self.finished - (result is not None) - shares
        rate = (self.spent + seconds) / (self.worked + shares) if self.worked + shares else None
        eta = None if rate is None else rate * left / max(len(working), 1)
        try:
            self.on_event(Event(self.finished, self.total, file.source, file.plan, file.done, eta, result))
        except Exception as error:
            self.broken = error
            raise


class FileProgress:
    """How far one file is; see ``Progress``.

    Args:
        batch: That it belongs to.
        source: The file.
    """

    def __init__(self, batch: Progress, source: Place) -> None:
        self.batch, self.source = batch, source
        self.began = time.perf_counter()
        self.plan: Plan | None = None
        self.done = 0.0
        self.result: Result | None = None

    def tell(self, plan: Plan, done: float = 0.0) -> None:
        """Tell what is being done to it, and which share is done.

        Raises:
            KeyboardInterrupt: The batch is being stopped, and this is one of its other threads.
        """
        if self.batch.stopped:
            raise KeyboardInterrupt
        with self.batch.lock:
            self.plan, self.done = plan, done
            self.batch.send(self)

    def finish(self, result: Result) -> Result:
        """End it; gives the result with its time."""
        batch = self.batch
        with batch.lock:
            seconds = result.seconds or time.perf_counter() - self.began
            self.result = result = replace(result, seconds=seconds)
            if result.status != "skipped":
                batch.worked += 1
                batch.spent += result.seconds
            batch.send(self, result)
            del batch.open[self]
            batch.finished += 1
        return result

    def leave(self) -> None:
        """End it without a result: it will be done later."""
        with self.batch.lock:
            self.batch.open.pop(self, None)
