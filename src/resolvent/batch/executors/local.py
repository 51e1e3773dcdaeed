"""Photographs restored in this process: one after the other, or one on each core."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from resolvent.batch.progress import FileProgress
from resolvent.batch.task import Gate, Row, Task, perform
from resolvent.inference.runtime import Session, open_session
from resolvent.methods.control import Control

__all__ = ["LocalExecutor", "SharedSessions"]


class SharedSessions:
    """Opens each model once, for all threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.opened: dict[tuple[str, str, int | None], Session] = {}

    def __call__(self, model: str | Path, runtime: str = "auto", threads: int | None = None) -> Session:
        """Give the session of a model in a runtime with a number of threads."""
        key = (str(model), runtime, threads)
        with self.lock:
            if key not in self.opened:
                self.opened[key] = open_session(model, runtime, threads)
            return self.opened[key]


class LocalExecutor:
    """Threads of this process; a single worker is the thread of the caller.

    Args:
        workers: Tasks that are done at once.
        sessions: Loads models.
        control: Cancels the iterative method that is at work.
    """

    def __init__(self, workers: int, sessions: SharedSessions, control: Control | None = None) -> None:
        self.workers, self.sessions, self.control = workers, sessions, control
        self.gate, self.running = Gate(), list[Future[Row]]()
        self.pool = ThreadPoolExecutor(workers, "resolvent") if workers > 1 else None

    def map(self, tasks: Iterator[Task | None], watch: Callable[[Task], FileProgress]) -> Iterator[Row]:
        """See Executor."""
        if self.pool is None:
            for task in filter(None, tasks):
                yield perform(task, self.sessions, watch(task), control=self.control)
            return
        more = True
        while more or self.running:
            patience = None
            while more and len(self.running) < self.workers:
                try:
                    following = next(tasks)
                except StopIteration:
                    more = False
                    break
                if following is None:
                    patience = 0.0
                    break
                self.running.append(self.pool.submit(perform, following, self.sessions, watch(following), self.gate))
            if self.running:
                wait(self.running, timeout=patience, return_when=FIRST_COMPLETED)
            for future in [future for future in self.running if future.done()]:
                self.running.remove(future)
                yield future.result()

    def close(self) -> list[Row]:
        """See Executor."""
        if self.pool is None:
            return []
        self.pool.shutdown(cancel_futures=True)
        return [future.result() for future in self.running if not (future.cancelled() or future.exception())]
