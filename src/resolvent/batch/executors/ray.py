"""Photographs restored by actors of Ray Data, for those who run a Ray cluster already.

Ray Data does all that it is given, and the driver gives a task only once it is noted as begun. So what goes through its
pipeline are slots, as many as there are photographs; an actor that has taken one asks the desk for a task, and waits
until the driver has put one there. The pipeline runs as long as the executor, so that its start is paid for once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from resolvent.batch.executors.quiet import quiet
from resolvent.batch.executors.remote import Order, Refusal, carry_out, local_folders, order, set_aside
from resolvent.batch.progress import FileProgress
from resolvent.batch.task import Row, Task
from resolvent.errors import ClusterError, MissingDependencyError, UsageError, first_line
from resolvent.io import sweep
from resolvent.system import usable_cpus

__all__ = ["RayExecutor"]

logger = logging.getLogger("resolvent")

AHEAD = 4
"""One task more than there are actors is put on the desk for each so many, so that none waits for the driver."""

MOST_SLOTS = 10_000
"""Of one run of the pipeline."""

OBJECTS = 128 * 2**20
"""Bytes of the store of objects of a node that is started here: only tasks and rows go through it."""

REFRESH = 2.0
"""Seconds after which the processors of a cluster are counted again."""


class RayExecutor:
    """Actors of Ray Data. Ray starts one that is lost again, and has it do what it was at.

    Args:
        where: ``ray:4`` for a node of four processors on this machine; ``ray`` for the cluster that the environment
            variable RAY_ADDRESS names, or a node of all processors; ``ray://host:10001`` for a server of Ray Client.
        photographs: How many tasks there will be.
        workers: Actors at most.

    Raises:
        UsageError: There is no such cluster.
        MissingDependencyError: Ray is not installed.
    """

    def __init__(self, where: str, photographs: int, workers: int | None = None) -> None:
        self.where, self.photographs, self.most = where, photographs, workers
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported, as is the next
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        try:
            import ray
            import ray.data
        except ModuleNotFoundError as error:
            raise MissingDependencyError("ray", "ray", f"cluster {where}") from error
        self.ray: Any = ray
        self.held = ExitStack()
        with ExitStack() as opened:
            if not logger.isEnabledFor(logging.DEBUG):
                opened.enter_context(quiet("ray"))
            opened.callback(ray.shutdown)
            handler = signal.getsignal(signal.SIGTERM)
            try:
                ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **self._place())
            except Exception as error:  # Ray's have no base class in common
                raise UsageError(
                    f"cluster {where}: cannot be reached ({first_line(error)}); give ray:4 for four processors of this "
                    "machine, or ray://host:10001"
                ) from error
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)  # Ray has put its own
            self.desk: Any = ray.remote(num_cpus=0)(Desk).remote()
            self.held = opened.pop_all()
        self.rows: Iterator[dict[str, Any]] = iter(())
        self.slots = 0
        self.running: dict[int, Task] = {}
        self.folders: set[Path] = set()
        self.counted, self.cpus = 0.0, 0

    def _place(self) -> dict[str, Any]:
        """Arguments of ``ray.init`` that say where to work."""
        if self.where.startswith("ray://"):
            return {"address": self.where}
        if self.where == "ray" and "RAY_ADDRESS" in os.environ:
            return {}
        self.cpus = int(self.where.removeprefix("ray").removeprefix(":") or usable_cpus())
        return {
            "address": "local", "num_cpus": self.cpus, "include_dashboard": False, "object_store_memory": OBJECTS
        }  # fmt: skip

    @property
    def workers(self) -> int:
        """See Executor."""
        if time.monotonic() - self.counted > REFRESH:
            with self._connected():
                self.cpus = int(self.ray.cluster_resources().get("CPU", 0))
            self.counted = time.monotonic()
        actors = min(self.cpus, self.most or sys.maxsize)
        return actors + max(actors // AHEAD, 1)

    def share(self) -> int:
        """Bytes of memory that each task may take."""
        with self._connected():
            resources = self.ray.cluster_resources()
        return int(resources.get("memory", 0) / max(resources.get("CPU", 1), 1))

    def map(self, tasks: Iterator[Task | None], watch: Callable[[Task], FileProgress]) -> Iterator[Row]:
        """See Executor."""
        given = filter(None, tasks)
        while True:
            while len(self.running) < self.workers and (following := next(given, None)) is not None:
                self.folders.update(local_folders(following.job))
                self.running[following.number] = following
                with self._connected():
                    self.desk.put.remote(pickle.dumps(order(following)))
            if not self.running:
                return
            outcome = self._next()
            if isinstance(outcome, Refusal):
                raise UsageError(f"cluster {self.where}: {outcome.reason}")
            del self.running[outcome.number]
            yield outcome

    def _next(self) -> Row | Refusal:
        """Wait for what comes out of the pipeline, which is started again where all its slots are taken."""
        with self._connected():
            while (found := next(self.rows, None)) is None:
                self.rows = self._pipeline()
            (slot,), (outcome,) = found["slot"], found["outcome"]
            self.desk.forget.remote(int(slot))
        row: Row | Refusal = pickle.loads(outcome)
        return row

    def _pipeline(self) -> Iterator[dict[str, Any]]:
        data = self.ray.data
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        count = max(min(self.photographs, MOST_SLOTS), 1)
        items = [{"slot": self.slots + number} for number in range(count)]
        self.slots += count
        actors = data.ActorPoolStrategy(min_size=1, max_size=self.most)
        slots = data.from_items(items, override_num_blocks=count)
        done = slots.map_batches(
            Actor, batch_size=1, compute=actors, num_cpus=1, fn_constructor_kwargs={"desk": self.desk}
        )
        return iter(done.iter_batches(batch_size=None, prefetch_batches=0))

    @contextmanager
    def _connected(self) -> Iterator[None]:
        try:
            yield
        except (self.ray.exceptions.RayError, OSError, RuntimeError) as error:
            raise ClusterError(
                f"cluster {self.where}: is gone ({first_line(error)}); what is finished is kept, and --resume goes on"
            ) from error

    def close(self) -> list[Row]:
        """See Executor."""
        rows, self.rows = self.rows, iter(())
        with suppress(AttributeError):
            rows.close()  # type: ignore[attr-defined]
        self.held.close()
        for folder in self.folders:
            sweep(folder, alone=True)
        self.folders.clear()
        return []


class Desk:
    """Where actors get their tasks, in a process of its own.

    A slot that is taken again, for its actor was lost, has the same task again; one that has lost too many is set aside
    by the actor.
    """

    def __init__(self) -> None:
        self.orders: asyncio.Queue[bytes] = asyncio.Queue()
        self.bound: dict[int, bytes] = {}
        self.binding: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.given: Counter[int] = Counter()

    async def put(self, given: bytes) -> None:
        """Lay down a task."""
        self.orders.put_nowait(given)

    async def take(self, slot: int) -> tuple[bytes, int]:
        """Give the task of a slot, and how many actors were lost with it."""
        async with self.binding[slot]:  # one that was lost while it waited waits here still
            if slot not in self.bound:
                self.bound[slot] = await self.orders.get()
        self.given[slot] += 1
        return self.bound[slot], self.given[slot] - 1

    async def forget(self, slot: int) -> None:
        """Drop a task that is done."""
        self.bound.pop(slot, None)
        self.binding.pop(slot, None)
        self.given.pop(slot, None)


class Actor:
    """Does the tasks of slots, one at a time.

    Args:
        desk: Where it gets them.
    """

    def __init__(self, desk: Any) -> None:
        self.desk = desk

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Do the task of one slot."""
        import ray

        (slot,) = batch["slot"]
        content, deaths = ray.get(self.desk.take.remote(int(slot)))
        given: Order = pickle.loads(content)
        outcome = set_aside(given.task, deaths) if deaths >= 2 else carry_out(given)
        return {"slot": [slot], "outcome": [pickle.dumps(outcome)]}
