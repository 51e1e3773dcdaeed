"""Worker processes: each call has one to itself, and kills it when it is canceled or takes too long."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from anyio import BrokenWorkerProcess, CancelScope, CapacityLimiter, Lock, fail_after, to_process

from resolvent.web.problems import Problem
from resolvent.web.work import Outcome, Task, ready, retire

if TYPE_CHECKING:
    from resolvent.web.metrics import Metrics
    from resolvent.web.settings import Settings

__all__ = ["Pool"]

GROWN = 1.5 * 2**30
"""Bytes of memory from which a worker is replaced after its call."""

IDLE = 300.0
"""Seconds without a call after which the workers end."""

QUICK = 60.0
"""Seconds that a picture or a diagnosis may take."""


class Pool:
    """Calls functions of ``work`` in processes of their own.

    Args:
        settings: Of the server.
        metrics: Counts the processes that ended.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.restoring = CapacityLimiter(settings.workers)
        self.quick = CapacityLimiter(max(1, settings.workers))
        self.unlimited = CapacityLimiter(math.inf)
        self.starting = Lock()
        self.pids: set[int] = set()
        self.busy, self.last = 0, time.monotonic()

    async def restore(self, function: Callable[[Task], Outcome], task: Task) -> Outcome:
        """Call what takes long, when it is its turn; its time is counted from there."""
        return await self._call(self.settings.seconds, function, task)

    async def soon(
        self, function: Callable[..., Outcome], *arguments: Any, gone: Callable[[], Awaitable[bool]] | None = None
    ) -> Outcome:
        """Call what does not take long, beside what is restored, unless who asked is gone when it is its turn."""
        async with self.quick:
            if gone is not None and await gone():
                raise Problem(408, "the client: has hung up")
            outcome = await self._call(min(QUICK, self.settings.seconds), function, *arguments)
        if outcome.status != 200:
            raise Problem(outcome.status, outcome.message)
        return outcome

    async def _call(self, seconds: float, function: Callable[..., Outcome], *arguments: Any) -> Outcome:
        self.busy += 1
        try:
            await self._start()
            with fail_after(seconds):
                outcome = await to_process.run_sync(function, *arguments, cancellable=True, limiter=self.unlimited)
        except TimeoutError:
            raise Problem(
                504, f"not finished after {seconds:g} s: the server allows no more; send a smaller photograph"
            ) from None
        except BrokenWorkerProcess as error:
            self.metrics.deaths.inc()
            raise Problem(
                500, "the worker ended: it was killed, or the file made it crash; send it once more"
            ) from error
        finally:
            self.busy, self.last = self.busy - 1, time.monotonic()
        self.pids.add(outcome.pid)
        if outcome.resident > GROWN:
            await self._retire()  # the process that has just been used is the first to be used again
            self.pids.discard(outcome.pid)
        return outcome

    async def _start(self) -> None:
        """See that a worker waits: a call that is canceled while its worker starts would leave that for ever."""
        async with self.starting:
            with CancelScope(shield=True):
                await to_process.run_sync(os.getpid, limiter=self.unlimited)

    async def warm(self) -> None:
        """Start a worker, and let it load its models; raise what hinders it."""
        await self.soon(ready, self.settings.threads)

    async def end_idle(self) -> None:
        """End all workers where there has been nothing to do for a while."""
        if self.busy or not self.pids or time.monotonic() - self.last < IDLE:
            return
        for _ in range(len(self.pids)):
            await self._retire()
        self.pids.clear()

    async def _retire(self) -> None:
        with suppress(BrokenWorkerProcess):
            await to_process.run_sync(retire, limiter=self.unlimited)
