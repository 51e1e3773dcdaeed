"""Workers and servers that die, hang or take too much."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio import to_process
from PIL import Image as Pillow

from resolvent.web import pool, private, work
from resolvent.web.settings import Settings
from tests.web.attacks import FOREVER, GOOD, is_problem, large, multipart
from tests.web.conftest import Live, children, photograph, running, state, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def running_worker(live: Live, job: str, before: set[int]) -> int:
    """Wait until a job is being restored, and give the process that does it."""
    until(lambda: live.job(job)["stage"] == "restoring", 40)

    def ticks() -> dict[int, int]:
        used = {}
        for pid in children() - before:
            with suppress(OSError):  # another's worker that has just ended
                used[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])
        return used

    earlier = ticks()
    return until(
        lambda: next((pid for pid, used in ticks().items() if used > earlier.setdefault(pid, used) + 10), None)
    )


# Workers that die, hang or take too much


@pytest.fixture(scope="module")
def busy() -> Iterator[Live]:
    """A server whose workers are killed."""
    with running(Settings()) as live:
        live.works()
        yield live


@pytest.fixture(scope="module")
def others(busy: Live) -> set[int]:
    """Processes that are no workers of the busy server: those of other servers."""
    return children() - busy.store.pool.pids


def test_a_killed_worker_fails_one_job(busy: Live, others: set[int]) -> None:
    job, waiting = busy.send(large(), **FOREVER), busy.send(GOOD)
    os.kill(running_worker(busy, job, others), signal.SIGKILL)
    body = busy.wait(job)
    assert body["error"]["status"] == 500
    assert "killed" in body["error"]["detail"]
    is_problem(busy.get(f"/v1/jobs/{job}/result"), 500)
    assert busy.get(f"/v1/jobs/{job}/before").status_code == 200
    assert busy.wait(waiting)["state"] == "done"
    assert "resolvent_worker_deaths_total 1.0" in busy.get("/metrics").text
    until(lambda: not [pid for pid in children() if state(pid) == "Z"], 2)


def test_a_worker_that_hangs_is_504(busy: Live, others: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    busy.works()
    monkeypatch.setattr(busy.store.pool, "settings", replace(busy.store.settings, seconds=1.5))
    job = busy.send(large(), **FOREVER)
    worker = running_worker(busy, job, others)
    assert busy.wait(job)["error"]["status"] == 504
    until(lambda: not state(worker), 2)
    monkeypatch.undo()
    busy.works()


def test_a_deleted_job_ends_at_once(busy: Live, others: set[int]) -> None:
    job = busy.send(large(), **FOREVER)
    worker = running_worker(busy, job, others)
    folder = busy.store.jobs[job].task.folder
    waiting = busy.send(GOOD)
    place = busy.store.jobs[waiting].task.folder
    assert busy.job(waiting)["position"] == 1
    assert busy.client.delete(f"/v1/jobs/{waiting}").status_code == 204  # while it waits
    assert busy.client.delete(f"/v1/jobs/{job}").status_code == 204
    start = time.monotonic()
    until(lambda: not state(worker) and not folder.exists() and not place.exists(), 5)
    assert time.monotonic() - start < 1
    is_problem(busy.get(f"/v1/jobs/{job}"), 404)
    is_problem(busy.client.delete(f"/v1/jobs/{job}"), 404)
    is_problem(busy.get(f"/v1/jobs/{waiting}"), 404)
    busy.works()


def test_a_job_deleted_while_its_worker_starts_leaves_none(busy: Live, others: set[int]) -> None:
    for worker in children() - others:
        os.kill(worker, signal.SIGKILL)
    until(lambda: not children() - others)
    for wait in (0.0, 0.05, 0.2, 0.5):
        job = busy.send(large(), **FOREVER)
        time.sleep(wait)
        assert busy.client.delete(f"/v1/jobs/{job}").status_code == 204
    known: set[int] = set()

    async def ask() -> None:
        known.clear()
        known.update(process.pid for process in to_process._process_pool_workers.get())

    def none_is_left() -> bool:
        busy.call(ask)
        return children() - others == known

    until(none_is_left, 5)
    until(lambda: not [pid for pid in children() - others if state(pid) == "Z"], 2)
    busy.works()


def test_who_hangs_up_stops_the_work(busy: Live, others: set[int]) -> None:
    form = multipart(
        *((f'name="{name}"'.encode(), text.encode()) for name, text in FOREVER.items()),
        (b'name="file"; filename="a.png"', large()),
    )
    head = b"POST /v1/restore HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    connection = busy.connect()
    connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(form["content"]) + form["content"])
    job = until(lambda: [job for job in busy.store.jobs.values() if job.state == "running"])[0]
    worker = running_worker(busy, job.id, others)
    connection.close()
    until(lambda: not state(worker) and job.id not in busy.store.jobs and not job.task.folder.exists(), 4)
    busy.works()


def test_pictures_that_nobody_waits_for_are_not_drawn(busy: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    job = busy.send(GOOD)
    busy.wait(job)
    quick, call, calls = busy.store.pool.quick, busy.store.pool._call, []
    monkeypatch.setattr(busy.store.pool, "_call", lambda *arguments: calls.append(arguments) or call(*arguments))

    async def hold() -> None:
        await quick.acquire_on_behalf_of(job)

    async def let_go() -> None:
        quick.release_on_behalf_of(job)

    busy.call(hold)
    asked = [busy.connect() for _ in range(20)]
    for connection in asked:
        connection.sendall(b"GET /v1/jobs/%b/before HTTP/1.1\r\nHost: localhost\r\n\r\n" % job.encode())
    until(lambda: quick.statistics().tasks_waiting == 20)
    for connection in asked[1:]:
        connection.close()
    until(lambda: len(busy.connections) <= 2)  # the one that waits, and that of the client
    busy.call(let_go)
    assert asked[0].recv(12) == b"HTTP/1.1 200"
    asked[0].close()
    until(lambda: not quick.statistics().tasks_waiting)
    assert len(calls) == 1


def test_out_of_memory_is_507(start: Callable[..., Live]) -> None:
    live = start(memory="512M")
    job = live.send(photograph(1, 50, 60))
    assert live.wait(job)["state"] == "done"
    huge = io.BytesIO()
    Pillow.new("RGB", (9990, 9990), (90, 120, 60)).save(huge, "PNG", compress_level=1)
    answer = live.post(huge.getvalue(), path="/v1/restore")
    is_problem(answer, 507)
    live.works()


def test_a_library_that_prints_does_not_stop_its_worker(live: Live) -> None:
    """Nobody reads what a worker prints: a pipe that is full would hold it for ever."""
    job = live.store.jobs[live.send(GOOD)]
    live.wait(job.id)
    outcomes: list[Any] = []

    async def shout() -> None:
        outcomes.append(await live.store.pool.soon(work.attempt, job.task, partial(os.write, 2, bytes(1_000_000))))

    live.call(shout)
    assert outcomes[0].value == 1_000_000


@pytest.mark.parametrize(
    ("error", "status"), [(OSError(24, "Too many open files"), 500), (MemoryError(), 500), (ValueError("?"), 500)]
)
def test_a_worker_that_cannot_start_fails_one_job(
    live: Live, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    async def fail(*arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(pool.to_process, "run_sync", fail)
    job = live.send(GOOD)
    assert live.wait(job)["error"]["status"] == status
    monkeypatch.undo()
    live.works()


def test_a_full_disk_is_507(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("resolvent.web.routes.intake._copy", full)
        assert (
            is_problem(live.post(GOOD), 507)["detail"]
            == "the disk of the server: No space left on device; send it later"
        )
    with monkeypatch.context() as patch:
        patch.setattr(tempfile.SpooledTemporaryFile, "write", full)
        is_problem(live.post(GOOD), 507)
    live.works()


# Servers that are killed


def launch(folder: Path) -> tuple[subprocess.Popen[str], str]:
    environment = {**os.environ, "TMPDIR": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "resolvent", "serve", "--port", "0"], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(r"http://[^/]+/", line)
        if found:
            return process, found[0]
    raise AssertionError("it did not start")


def test_what_a_killed_server_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with private.private_folder() as other:  # of a server that lives
        first, url = launch(tmp_path)
        (own,) = set(tmp_path.glob(f"{private.PREFIX}*")) - {other}
        with httpx.Client(base_url=url, timeout=30) as client:
            sent = client.post("/v1/jobs", files={"file": ("a.png", large())}, data=FOREVER).json()
            until(lambda: client.get(f"/v1/jobs/{sent['id']}").json()["stage"] == "restoring", 40)
        workers = children(first.pid)
        assert workers
        first.kill()
        first.communicate()
        until(lambda: not any(map(state, workers)), 6)
        assert own.exists()
        second, url = launch(tmp_path)
        try:
            assert not own.exists()
            assert other.exists()
            assert httpx.get(f"{url}healthz").status_code == 200
            assert len(set(tmp_path.glob(f"{private.PREFIX}*")) - {other}) == 1
        finally:
            second.send_signal(signal.SIGINT)
            second.communicate(timeout=20)
    assert not list(tmp_path.glob(f"{private.PREFIX}*"))
