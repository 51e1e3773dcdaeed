"""What a process of a cluster does: it restores the photographs that it is given, with sessions that it keeps."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from resolvent.batch.executors.local import SharedSessions
from resolvent.batch.jobs import Job, map_files
from resolvent.batch.progress import Progress
from resolvent.batch.report import Result
from resolvent.batch.settings import describe_settings, key_of
from resolvent.batch.store import exists
from resolvent.batch.task import Gate, Row, Task, perform
from resolvent.errors import ResolventError

__all__ = ["HostGate", "Order", "Refusal", "carry_out", "local_folders", "order", "set_aside"]


@dataclass(frozen=True)
class Order:
    """A task as it is sent to a process that may be lost with it, so that it is done again elsewhere.

    Attributes:
        task: With all that it takes.
        settings: What decides the bytes of its output, as the driver has it; see ``describe_settings``.
    """

    task: Task
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Refusal:
    """Why a process can do no task of this batch.

    Attributes:
        reason: In one line.
    """

    reason: str


def order(task: Task) -> Order:
    """Make a task one that may be done twice.

    Where none of its outputs is there, one that is there later is its own, written by a process that was lost.
    """
    outputs = (task.job.target, *(map_files(task.job) if task.request.uncertain else ()))
    fresh = not any(map(exists, outputs))
    files = replace(task.files, same=task.files.same or fresh)
    return Order(replace(task, files=files), describe_settings(task.request, files))


def local_folders(job: Job) -> tuple[Path, ...]:
    """The folder that the output of a job is written into; none for an object in a store."""
    return (job.target.parent,) if isinstance(job.target, Path) else ()


def set_aside(task: Task, deaths: int) -> Row:
    """Tell of a photograph that has ended too many processes."""
    reason = f"{task.job.source}: ended its worker {deaths} times: set aside; --retry-failed tries again"
    return Row(task.number, Result(task.job.source, task.job.target, "failed", (reason,)), lasting=True, deadly=True)


def carry_out(given: Order) -> Row | Refusal:
    """Restore a photograph in a process of a cluster."""
    try:
        sessions = _PROCESS.sessions(given)
    except (ResolventError, OSError) as error:
        return Refusal(f"{socket.gethostname()}: {error}")
    task = given.task
    with _PROCESS.alone if task.threads is None else nullcontext():
        watch = Progress(1, lambda event: None).start(task.job.source)
        return perform(task, sessions, watch, _PROCESS.gate)


class HostGate(Gate):
    """A gate for all processes of this user on one host, so that what is by itself has the host's memory for itself.

    The system opens it again where a process ends that holds it.

    Args:
        folder: Of its two files, on a disk of the host.
    """

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        place = Path(tempfile.gettempdir()) if folder is None else folder
        name = f"resolvent-{os.getuid() if hasattr(os, 'getuid') else ''}"
        self.entrance, self.room = place / f"{name}.entrance", place / f"{name}.room"

    @contextmanager
    def beside_others(self) -> Iterator[None]:
        """Hold a place beside others."""
        with super().beside_others():
            with _locked(self.entrance):  # who waits to be alone holds it
                room = _opened(self.room)
                _lock(room, shared=True)
            try:
                yield
            finally:
                os.close(room)

    @contextmanager
    def by_itself(self) -> Iterator[None]:
        """Hold all places."""
        with super().by_itself(), _locked(self.entrance), _locked(self.room):
            yield


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = _opened(path)
    try:
        _lock(descriptor, shared=False)
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0), 0o600)


def _lock(descriptor: int, *, shared: bool) -> None:
    """Wait for a lock; where the system has none, the gate is that of the process alone."""
    if sys.platform == "win32":
        return
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)


class _Process:
    """What a process keeps from one photograph to the next.

    Attributes:
        alone: Held by a task that has the process for itself.
        gate: Of the photographs that are restored beside others.
    """

    def __init__(self) -> None:
        self.lock, self.alone, self.gate = threading.Lock(), threading.Lock(), HostGate()
        self.key: str | None = None
        self.opened = SharedSessions()

    def sessions(self, given: Order) -> SharedSessions:
        """Give what loads models, once this process is known to restore as the driver would.

        Raises:
            ResolventError: It would not, or a model cannot be loaded.
            OSError: A file that the settings name cannot be read here.
        """
        key = key_of(given.settings)
        with self.lock:
            if key != self.key:
                task = given.task
                here = describe_settings(task.request, task.files)
                if key_of(here) != key:
                    raise ResolventError(_difference(given.settings, here))
                opened = SharedSessions()
                for model, runtime in task.request.models():
                    opened(model, runtime, task.threads)
                self.key, self.opened = key, opened
            return self.opened


_PROCESS = _Process()


def _difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Say in which respect this process is not as the driver."""
    for package, version in there["versions"].items():
        if here["versions"].get(package) != version:
            return (
                f"has {package} {here['versions'].get(package)}, and the driver {version}, so that results would "
                "differ; install the same on all"
            )
    for part in ("models", "read"):
        for name, digest in there[part].items():
            if here[part].get(name) != digest:
                return f"{name} is another file here than where the batch was started; give all the same"
    return "understands the options otherwise than the driver; install the same version of Resolvent on all"
