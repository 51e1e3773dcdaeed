"""How far a batch is, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from resolvent.batch.report import Result
from resolvent.engine.plan import Plan

if TYPE_CHECKING:
    pass

__all__ = ["Event", "Progress"]


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


class Progress:
    """Tells how it goes, and how long the rest will take if it goes on as it did where there was something to do."""

    def __init__(self, total: int, on_event: Callable[[Event], None]) -> None:
        self.on_event = on_event
        self.event = Event(-1, total, Path())
        self.worked, self.spent, self.began = 0, 0.0, 0.0

    def start(self, source: Path) -> None:
        """Begin a file."""
        self.began = time.perf_counter()
        self._send(Event(self.event.index + 1, self.event.total, source), 0.0, 0.0)

    def tell(self, plan: Plan, done: float = 0.0) -> None:
        """Tell what is being done to it, and which share is done."""
        self._send(replace(self.event, plan=plan, done=done), done, time.perf_counter() - self.began)

    def finish(self, result: Result) -> Result:
        """End it; gives the result with its time."""
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
