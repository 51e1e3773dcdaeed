"""A server in a process of its own, and what its processes take; clients that send photographs. Linux only."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE = 60.0
"""Seconds in which a server has to answer its page, at most."""

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Taken:
    """What a process has taken so far.

    Attributes:
        cpu: Seconds of all its threads and of its processes that ended, system time included.
        resident: Bytes of memory that it takes now.
    """

    cpu: float
    resident: int

    @classmethod
    def by(cls, pid: int) -> Taken:
        """What the process of that number has taken; nothing where it has ended."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            return cls(0.0, 0)
        return cls(sum(map(int, fields[11:15])) / TICKS, pages * os.sysconf("SC_PAGE_SIZE"))


def children(pid: int) -> list[int]:
    """The processes that a process has started and that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found.append(int(path.parent.name))
    return found


class Server:
    """``resolvent serve`` on a free port of this machine, ended with the block.

    Attributes:
        port: Where it listens.
        wall: Seconds from its start until the page was answered.
        own: What the server itself had taken then.
        worker: What its worker, which starts in the meantime, had taken then.
    """

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]

    def __enter__(self) -> Self:
        self.folder = tempfile.TemporaryDirectory()
        self.log = Path(self.folder.name) / "log"
        command = [sys.executable, "-m", "resolvent", "serve", "--port", str(self.port)]
        environment = {**os.environ, "TMPDIR": self.folder.name}
        environment.pop("RESOLVENT_TOKEN", None)
        start = time.perf_counter()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            self._wait(start + PATIENCE)
            self.wall = time.perf_counter() - start
            self.own, self.worker = self.taken()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _wait(self, until: float) -> None:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=PATIENCE) as answer:
                    answer.read()
                    return
            except OSError:
                if self.process.poll() is not None or time.perf_counter() > until:
                    raise SystemExit(f"resolvent serve does not answer:\n{self.log.read_text()}") from None
                time.sleep(0.005)

    def _end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()

    def taken(self) -> tuple[Taken, Taken]:
        """What the server and its worker have taken; several workers count together."""
        workers = [Taken.by(pid) for pid in children(self.process.pid)]
        together = Taken(sum(each.cpu for each in workers), sum(each.resident for each in workers))
        return Taken.by(self.process.pid), together

    def cpu(self) -> float:
        """Seconds of the CPU that server and worker have taken together."""
        return sum(each.cpu for each in self.taken())


@dataclass(frozen=True)
class Answer:
    """What came back for a photograph.

    Attributes:
        data: The file of the result.
        seconds: From the first byte sent to the last one received; of refusals, with the waiting that they ask for.
        refusals: How often the server asked to come back later.
    """

    data: bytes
    seconds: float
    refusals: int


class Client:
    """Sends photographs one after the other, over a connection that stays open.

    Args:
        port: Of a server on this machine.
    """

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def restore(self, name: str, photograph: bytes, **options: str) -> Answer:
        """Send a photograph, and wait for the result.

        Raises:
            RuntimeError: The answer is an error, and not one to come back later.
        """
        body, kind = multipart(name, photograph, options)
        start, refusals = time.perf_counter(), 0
        while True:
            self.connection.request("POST", "/v1/restore", body, {"Content-Type": kind})
            response = self.connection.getresponse()
            data = response.read()
            if response.status == 200:
                return Answer(data, time.perf_counter() - start, refusals)
            if response.status not in (429, 503):
                raise RuntimeError(f"{name}: {response.status} {data.decode(errors='replace')}")
            refusals += 1
            time.sleep(float(response.headers["Retry-After"]))


def multipart(name: str, photograph: bytes, options: dict[str, str]) -> tuple[bytes, str]:
    """A form as a browser sends it, and its media type.

    Example:
        >>> body, kind = multipart("a.png", b"pixels", {"model": "denoise"})
        >>> kind.partition("=")[0], body.count(b"Content-Disposition"), body.endswith(b"pixels")
        ('multipart/form-data; boundary', 2, False)
    """
    boundary = "resolvent-" + os.urandom(16).hex()
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in options.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return b"".join([*parts, head.encode(), photograph, f"\r\n--{boundary}--\r\n".encode()]), (
        f"multipart/form-data; boundary={boundary}"
    )
