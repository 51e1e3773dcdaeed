"""Servers to attack: in this process, each in a thread of its own, with the protocol and the bounds of the real one."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image as Pillow

from resolvent.web.app import create_app
from resolvent.web.server import Server, configuration, listen
from resolvent.web.settings import Settings


def photograph(seed: int = 0, height: int = 48, width: int = 64, kind: str = "PNG", mode: str = "RGB") -> bytes:
    """A small noisy picture of a color of its own."""
    generator = np.random.default_rng(seed)
    color = 60 + 130 * np.random.default_rng(seed + 1000).random(3)
    shade = np.linspace(-25, 25, width)[None, :, None]
    pixels = color + shade + generator.normal(0, 18, (height, width, 3))
    file = io.BytesIO()
    Pillow.fromarray(np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)).convert(mode).save(file, kind)
    return file.getvalue()


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait for something that is true soon."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it never became true"
        time.sleep(0.02)
    return value


def children(parent: int | None = None) -> set[int]:
    """The processes that a process has started, zombies too."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == (parent or os.getpid()):
            found.add(int(stat.parent.name))
    return found


def state(pid: int) -> str:
    """The state of a process, such as S or Z; nothing if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


class Live:
    """A server that listens.

    Args:
        port: On 127.0.0.1.
        app: Its application.
        server: That runs it.
        headers: Of every request that ``client`` sends.
    """

    def __init__(self, port: int, app: Any, server: Server, headers: dict[str, str] | None = None) -> None:
        self.port, self.app, self.server = port, app, server
        self.url = f"http://127.0.0.1:{port}"
        self.loop: asyncio.AbstractEventLoop | None = None
        self.client = httpx.Client(base_url=self.url, timeout=60, headers=headers)

    @property
    def store(self) -> Any:
        """Its jobs."""
        return self.app.state.store

    @property
    def connections(self) -> Any:
        """Those that are open."""
        return self.server.server_state.connections

    def call(self, function: Callable[[], Any]) -> None:
        """Wait for a coroutine in the loop of the server."""
        asyncio.run_coroutine_threadsafe(function(), self.loop).result(20)

    def connect(self) -> socket.socket:
        """Open a bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def raw(self, data: bytes, *, seconds: float = 20) -> bytes:
        """Send bytes, and give what comes back until the server hangs up."""
        with self.connect() as connection:
            connection.settimeout(seconds)
            connection.sendall(data)
            answer = b""
            try:
                while piece := connection.recv(1 << 16):
                    answer += piece
            except ConnectionResetError:
                pass
            return answer

    def first(self, data: bytes) -> bytes:
        """Send bytes, and give the first that come back."""
        with self.connect() as connection:
            connection.sendall(data)
            return connection.recv(1 << 16)

    def post(self, data: bytes, name: str = "photo.png", path: str = "/v1/jobs", **options: Any) -> httpx.Response:
        """Send a photograph."""
        headers = options.pop("headers", None)
        return self.client.post(path, files={"file": (name, data)}, data=options, headers=headers)

    def send(self, data: bytes, name: str = "photo.png", **options: Any) -> str:
        """Send a photograph, and give the id of its job."""
        answer = self.post(data, name, **options)
        assert answer.status_code == 202, answer.text
        job: str = answer.json()["id"]
        return job

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Ask for something."""
        return self.client.get(path, **options)

    def job(self, name: str) -> dict[str, Any]:
        """How far a job is."""
        body: dict[str, Any] = self.get(f"/v1/jobs/{name}").json()
        return body

    def wait(self, name: str, seconds: float = 40) -> dict[str, Any]:
        """Wait until a job is over."""

        def over() -> dict[str, Any] | None:
            body = self.job(name)
            return body if body["state"] in ("done", "failed") else None

        body: dict[str, Any] = until(over, seconds)
        return body

    def works(self) -> None:
        """Check that a good photograph is restored."""
        answer = self.post(photograph(7), "good.png", "/v1/restore")
        assert answer.status_code == 200, answer.text
        assert Pillow.open(io.BytesIO(answer.content)).size == (64, 48)
        assert json.loads(answer.headers["Resolvent-Result"])["name"] == "good.restored.png"


@contextmanager
def running(settings: Settings, headers: dict[str, str] | None = None) -> Iterator[Live]:
    """Run a server in a thread while the block runs."""
    app = create_app(settings, warm=False)
    started = threading.Event()
    listening = listen("127.0.0.1", 0)

    def tell() -> None:
        live.loop = asyncio.get_running_loop()
        started.set()

    server = Server(app, configuration(app, settings), tell)
    live = Live(listening.getsockname()[1], app, server, headers)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    assert started.wait(20)
    try:
        yield live
    finally:
        live.client.close()
        server.should_exit = True
        thread.join(20)
        listening.close()
        assert not thread.is_alive()


def nothing_is_left(live: Live) -> None:
    """Check that there are folders of the jobs that are kept alone, and no more processes than calls at once."""

    def left() -> list[Path]:
        known = {job.task.folder.name for job in live.store.jobs.values()}
        folders = {path.name: path for path in live.store.root.iterdir() if path.is_dir()}
        # libraries of this process, and servers of other tests, have their temporary folders there too
        return [path for name, path in folders.items() if re.fullmatch("[0-9a-f]{32}", name) and name not in known]

    until(lambda: live.store.pool.busy == 0)
    time.sleep(0.2)
    assert left() == []
    until(lambda: not [pid for pid in children() if state(pid) == "Z"], 2)
    assert live.store.pool.busy == 0


@pytest.fixture(scope="session")
def live() -> Iterator[Live]:
    """A server as it is by default."""
    with running(Settings()) as server:
        yield server
        nothing_is_left(server)


@pytest.fixture
def start() -> Iterator[Callable[..., Live]]:
    """Start servers of other settings for one test."""
    with ExitStack() as stack:

        def call(headers: dict[str, str] | None = None, **settings: Any) -> Live:
            return stack.enter_context(running(Settings(**settings), headers))

        yield call


@pytest.fixture(scope="module")
def plain(live: Live) -> str:
    """The job of a photograph that is done."""
    job = live.send(photograph(7), strength=0)
    assert live.wait(job)["state"] == "done"
    return job
