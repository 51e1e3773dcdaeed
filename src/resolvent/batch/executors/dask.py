"""Photographs restored by the workers of Dask: processes of this machine, or of any cluster that Dask runs on."""

from __future__ import annotations

import logging
import queue
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from resolvent.batch.executors.quiet import quiet
from resolvent.batch.executors.remote import Order, Refusal, carry_out, local_folders, order, set_aside
from resolvent.batch.progress import FileProgress
from resolvent.batch.task import Row, Task
from resolvent.errors import ClusterError, MissingDependencyError, UsageError, first_line
from resolvent.io import sweep
from resolvent.system import FALLBACK, available_memory

__all__ = ["DaskExecutor"]

logger = logging.getLogger("resolvent")

AHEAD = 4
"""One task more than a cluster has threads is taken for each so many threads, so that none waits for the driver."""

REFRESH = 2.0
"""Seconds after which the threads of a cluster are counted again, for workers come and go."""

TIMEOUT = 15.0
"""Seconds in which a scheduler has to answer, at the start and when the connection to it was lost."""

INHERITED = {
    f"distributed.nanny.pre-spawn-environ.{name}": None
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
}
"""Local workers have the environment of the driver, so that they compute as its threads would."""

PATIENCE = 60.0
"""Seconds without a worker after which it is said that the batch waits for one."""


class DaskExecutor:
    """Workers of Dask, which may come and go: a task whose worker was lost is done again by another.

    A worker that is lost may take with it tasks that are not to blame. One that was lost more often than the scheduler
    allows is done once more at the end, with none beside it; if it ends its workers again, it is set aside.

    Args:
        where: ``local:4`` for four processes of this machine, or the address of a scheduler.
        workers: Tasks that are sent at most at a time.

    Raises:
        UsageError: There is no such cluster.
        MissingDependencyError: Dask is not installed.
    """

    def __init__(self, where: str, workers: int | None = None) -> None:
        self.where, self.most = where, workers
        self.processes = int(where.removeprefix("local:")) if where.startswith("local:") else 0
        try:
            import dask
            import distributed
        except ModuleNotFoundError as error:
            raise MissingDependencyError("dask", "dask", f"cluster {where}") from error
        self.held = ExitStack()
        with ExitStack() as opened:
            try:
                if not logger.isEnabledFor(logging.DEBUG):
                    opened.enter_context(quiet("distributed"))
                address: Any = where
                if self.processes:
                    scratch = tempfile.TemporaryDirectory(prefix="resolvent-dask-", ignore_cleanup_errors=True)
                    place = {"temporary-directory": opened.enter_context(scratch)}
                    opened.enter_context(dask.config.set(INHERITED | place))
                    address = opened.enter_context(
                        distributed.LocalCluster(  # type: ignore[no-untyped-call]
                            self.processes, threads_per_worker=1, processes=True, memory_limit=0,
                            dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL,
                            scheduler_kwargs={"allowed_failures": 0},
                        )
                    )  # fmt: skip
                self.client: Any = opened.enter_context(
                    distributed.Client(address, timeout=TIMEOUT, set_as_default=False)  # type: ignore[no-untyped-call]
                )
                if self.processes:
                    self.client.register_plugin(_unmoved_by_interrupts(distributed.WorkerPlugin))
            except (OSError, RuntimeError, ValueError) as error:
                raise UsageError(
                    f"cluster {where}: cannot be reached ({first_line(error)}); give the address of a Dask scheduler, "
                    "or local:4 for four processes of this machine"
                ) from error
            self.held = opened.pop_all()
        self.killed: type[Exception] = distributed.scheduler.KilledWorker
        self.running: dict[Any, Order] = {}
        self.done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.folders: set[Path] = set()
        self.counted, self.threads, self.seen = 0.0, 0, time.monotonic()

    @property
    def workers(self) -> int:
        """See Executor."""
        now = time.monotonic()
        if now - self.counted > REFRESH:
            with self._connected():
                self.threads = sum(self.client.nthreads().values())
            self.counted = now
            if self.threads:
                self.seen = now
            elif now - self.seen > PATIENCE:
                self.seen = now
                logger.warning("cluster %s: has no worker; the batch waits for one", self.where)
        ahead = max(self.threads // AHEAD, 1) if self.threads else 1
        return min(self.most or sys.maxsize, self.threads + ahead)

    def share(self) -> int:
        """Bytes of memory that each task may take, on the worker that has the least."""
        try:
            with self._connected():
                free = self.client.run(available_memory)
                known = self.client.scheduler_info()["workers"]
        except ImportError as error:
            raise self._unfit(error) from error
        workers = [(known[address], free[address]) for address in free.keys() & known.keys()]
        threads: Counter[str] = Counter()
        for worker, _ in workers:
            threads[worker["host"]] += worker["nthreads"]
        shares = [memory // threads[worker["host"]] for worker, memory in workers]
        shares += [worker["memory_limit"] // worker["nthreads"] for worker, _ in workers if worker["memory_limit"]]
        return min(shares, default=FALLBACK)

    def map(self, tasks: Iterator[Task | None], watch: Callable[[Task], FileProgress]) -> Iterator[Row]:
        """See Executor."""
        suspects: deque[tuple[Order, int]] = deque()
        deaths = 0
        waiting = filter(None, tasks)
        while True:
            while len(self.running) < self.workers and (following := next(waiting, None)) is not None:
                self._send(order(following))
            if not self.running:
                if not suspects:
                    return
                suspect, deaths = suspects.popleft()
                self._send(suspect)
            future = self._next_done()
            if future is None:
                continue
            given = self.running.pop(future)
            outcome = self._outcome(future)
            if isinstance(outcome, Row):
                yield outcome
            elif deaths:
                yield set_aside(given.task, deaths + outcome)
            else:
                suspects.append((given, outcome))
            if not self.running:
                deaths = 0

    def _send(self, given: Order) -> None:
        self.folders.update(local_folders(given.task.job))
        with self._connected():
            future = self.client.submit(carry_out, given, key=f"resolvent-{uuid4().hex}", pure=False)
        self.running[future] = given
        future.add_done_callback(self.done.put)

    def _next_done(self) -> Any:
        """Wait for a task; None from time to time."""
        try:
            return self.done.get(timeout=REFRESH)
        except queue.Empty:
            with self._connected():
                return None

    def _outcome(self, future: Any) -> Row | int:
        """What became of a task, or how many workers were lost with it."""
        with self._connected():
            error = future.exception()
        if error is None:
            with self._connected():
                outcome: Row | Refusal = future.result()
            if isinstance(outcome, Row):
                return outcome
            raise UsageError(f"cluster {self.where}: {outcome.reason}")
        if isinstance(error, self.killed):
            return int(error.allowed_failures) + 1  # type: ignore[attr-defined]
        raise self._unfit(error) from error

    def _unfit(self, error: BaseException) -> UsageError:
        return UsageError(
            f"cluster {self.where}: a worker cannot run Resolvent ({type(error).__name__}: {first_line(error)}); "
            "install the same version of resolvent[dask] on all"
        )

    @contextmanager
    def _connected(self) -> Iterator[None]:
        if self.client.status != "running":  # it may come back, but has forgotten all tasks
            raise self._gone("the connection was lost")
        try:
            yield
        except (OSError, CancelledError) as error:
            raise self._gone(first_line(error)) from error

    def _gone(self, reason: str) -> ClusterError:
        return ClusterError(
            f"cluster {self.where}: its scheduler is gone ({reason}); what is finished is kept, and --resume goes on"
        )

    def close(self) -> list[Row]:
        """See Executor."""
        running, self.running = self.running, {}
        rows = []
        with suppress(ClusterError), self._connected():  # what is lost here is found out by the next run
            outcomes = [future.result(TIMEOUT) for future in running if future.status == "finished"]
            rows = [outcome for outcome in outcomes if isinstance(outcome, Row)]
            self.client.cancel(list(running))
        self.held.close()
        for folder in self.folders:
            sweep(folder, alone=bool(self.processes) or not running)
        self.folders.clear()
        return rows


def _unmoved_by_interrupts(base: type[Any]) -> Any:
    """A plugin for workers in the terminal of the driver: Ctrl-C is for that alone, which then ends them."""

    class UnmovedByInterrupts(base):  # type: ignore[misc]
        def setup(self, worker: object) -> None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    return UnmovedByInterrupts()
