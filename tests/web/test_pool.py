"""Worker processes: kept while they are useful, and no longer."""

import os
import time

import anyio
import pytest

from resolvent.web import pool as module
from resolvent.web.metrics import Metrics
from resolvent.web.pool import Pool
from resolvent.web.settings import Settings
from resolvent.web.work import Outcome


def small() -> Outcome:
    return Outcome(pid=os.getpid())


def grown() -> Outcome:
    return Outcome(pid=os.getpid(), resident=1 << 40)


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def ended(pid: int) -> bool:
    until = time.monotonic() + 5
    while runs(pid) and time.monotonic() < until:
        await anyio.sleep(0.02)
    return not runs(pid)


def in_a_loop(function):
    """Run it with a pool; what it returns."""

    async def call():
        return await function(Pool(Settings(), Metrics()))

    return anyio.run(call)


def test_a_worker_serves_one_call_after_the_other():
    async def twice(pool):
        return [(await pool.soon(small)).pid for _ in range(2)]

    first, second = in_a_loop(twice)
    assert first == second != os.getpid()


def test_a_worker_that_has_grown_is_replaced():
    async def twice(pool):
        first = (await pool.soon(grown)).pid
        assert await ended(first)
        return first, (await pool.soon(small)).pid

    first, second = in_a_loop(twice)
    assert first != second


@pytest.mark.parametrize("idle", [0.0, 300.0])
def test_idle_workers_end_after_a_while(monkeypatch, idle):
    monkeypatch.setattr(module, "IDLE", idle)

    async def wait(pool):
        pid = (await pool.soon(small)).pid
        await pool.end_idle()
        return await ended(pid) if not idle else not runs(pid)

    assert in_a_loop(wait) == (idle == 0)
