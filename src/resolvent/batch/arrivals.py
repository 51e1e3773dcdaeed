"""What arrives in a folder: found by the events of its file system, and taken once it is written to its end."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

from resolvent.batch.search import Search
from resolvent.errors import InputError, MissingDependencyError, OutputError, first_line
from resolvent.io import is_folder

__all__ = ["Arrivals", "on_network"]

TICK = 0.25
"""Seconds between two looks at what has happened."""

POLL = 2.0
"""Seconds between two looks at a folder that has to be polled."""

AGAIN = 1.0
"""Seconds after which a folder is watched again whose events were lost; twice as many each time it is in vain."""

SELDOM = 60.0
"""The most of these seconds."""

RESCAN = 600.0
"""Seconds between two looks at all of a folder, for events get lost: the system's queue of them may overflow."""

MODIFIED = 2
"""The watchfiles.Change of a file that was written to, and of a folder in which something was made."""

REMOTE = {
    "9p", "afs", "ceph", "cifs", "coda", "davfs", "drvfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
    "prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs",
}  # fmt: skip
"""Types of file systems that tell nothing of what other machines write; so do those of FUSE."""


def on_network(folder: Path, mounts: Path = Path("/proc/mounts")) -> bool:
    """Whether a folder, or one in it, is on a file system that others may write to without an event here.

    Args:
        folder: The folder.
        mounts: What is mounted where, as Linux tells it; elsewhere nothing is known.
    """
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return False
    real = Path(os.path.realpath(folder))
    types = dict[Path, str]()
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        types[Path(re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), point))] = kind
    holding = max((point for point in types if real.is_relative_to(point)), key=lambda it: len(it.parts), default=None)
    concerned = [kind for point, kind in types.items() if point == holding or point.is_relative_to(real)]
    return any(kind in REMOTE or kind.startswith("fuse.") for kind in concerned)


class _Changes:
    """Collects the paths that change in a folder, in a thread of its own; for a ``with`` statement.

    Args:
        folder: Watched with its subfolders.
        polling: Whether to look again and again instead of waiting for events; None where the system reports none.

    Raises:
        MissingDependencyError: watchfiles is not installed.
        OutputError: The system does not let the folder be watched.
    """

    def __init__(self, folder: Path, polling: bool | None) -> None:
        self.folder, self.polling = folder, polling
        self.changed = threading.Condition()
        self.paths, self.complete = set[str](), True
        self.error: OSError | None = None
        self.subscribed, self.stopped = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._collect, name="resolvent-watch", daemon=True)
        try:
            import watchfiles  # noqa: F401 - that it is there
        except ImportError as error:
            raise MissingDependencyError("watchfiles", "watch", "watching a folder") from error

    def __enter__(self) -> Self:
        self.thread.start()
        self.subscribed.wait()
        self._check()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.thread.join()

    def take(self, seconds: float) -> tuple[set[str], bool]:
        """Wait a while for changes; give their paths, and whether none was lost."""
        with self.changed:
            self.changed.wait_for(lambda: self.paths or self.error or not self.complete, seconds)
            self._check()
            paths, complete = self.paths, self.complete
            self.paths, self.complete = set(), True
        return paths, complete

    def _check(self) -> None:
        if self.error is not None:
            raise OutputError(
                f"{self.folder}: cannot be watched: {first_line(self.error)}; set WATCHFILES_FORCE_POLLING=1, which "
                "needs less of the system"
            ) from self.error

    def _collect(self) -> None:
        import watchfiles

        lost, pause = False, AGAIN
        while not self.stopped.is_set():
            try:
                for changes in watchfiles.watch(
                    self.folder,
                    watch_filter=None,
                    debounce=int(TICK * 1000),
                    rust_timeout=int(TICK * 1000),
                    yield_on_timeout=True,
                    stop_event=self.stopped,
                    force_polling=self.polling,
                    poll_delay_ms=int(POLL * 1000),
                    ignore_permission_denied=True,
                ):
                    self.subscribed.set()
                    paths = {path for change, path in changes if change != MODIFIED or not is_folder(Path(path))}
                    if paths or lost:
                        self._tell(paths, complete=not lost)
                    lost, pause = False, AGAIN
            except RuntimeError:  # events are lost: a name that is not UTF-8, a subfolder that is polled in vain
                self._tell(set(), complete=False)
                self.subscribed.set()
                self.stopped.wait(pause)
                lost, pause = True, min(2 * pause, SELDOM)
            except OSError as error:
                self._tell(set(), error=error)
                self.subscribed.set()
                return

    def _tell(self, paths: set[str], *, complete: bool = True, error: OSError | None = None) -> None:
        with self.changed:
            self.paths |= paths
            self.complete &= complete
            self.error = error
            self.changed.notify_all()


class _Version(NamedTuple):
    """What a file looks like that may still be written."""

    size: int
    modified: int
    inode: int


class Arrivals:
    """The photographs of a folder: those that are there, and those that arrive; for a ``with`` statement.

    Args:
        folder: Searched with its subfolders, as ``find_jobs`` does.
        search: Tells photographs from other files.
        settle: Seconds for which size and time of a file have to stand still before it is taken.
        polling: See ``restore_watched``.
    """

    def __init__(self, folder: Path, search: Search, settle: float, polling: bool | None = None) -> None:
        self.folder, self.search, self.settle = folder, search, settle
        self.real = Path(os.path.realpath(folder))
        self.changes = _Changes(self.real, True if polling is None and on_network(folder) else polling)
        self.unsettled: dict[Path, tuple[float, _Version]] = {}  # the next to be looked at first
        self.scanned = time.monotonic()

    def __enter__(self) -> Self:
        self.changes.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.changes.__exit__()

    def see(self, path: Path) -> None:
        """Take note of a file that is there or has changed; a wait that has begun goes on.

        Another name of a file of the folder is left out.
        """
        if path.is_symlink() and Path(os.path.realpath(path)).is_relative_to(self.real):
            return
        if path not in self.unsettled and (version := _version(path)) is not None:
            self.unsettled[path] = (time.monotonic() + self.settle, version)

    def wait(self, seconds: float, *, needed: Callable[[Path], bool]) -> Iterator[Path]:
        """Wait a while, less where there is news, and give the files that stand still.

        Args:
            seconds: At most.
            needed: Whether a file, which is found when all of the folder is looked at, may be of interest.

        Raises:
            InputError: The folder is gone.
            OutputError: It cannot be watched any more.
        """
        if self.unsettled:
            due, _ = next(iter(self.unsettled.values()))
            seconds = max(min(seconds, due - time.monotonic()), 0.0)
        paths, complete = self.changes.take(seconds)
        for changed in sorted(paths):
            self._note(self.folder / Path(changed).relative_to(self.real))
        if not complete or time.monotonic() >= self.scanned + RESCAN:
            self._check_folder()
            for path in self.search.walk(self.folder):
                if needed(path):
                    self.see(path)
            self.scanned = time.monotonic()
        while self.unsettled:
            path, (due, before) = next(iter(self.unsettled.items()))
            if due > time.monotonic():
                return
            del self.unsettled[path]
            version = _version(path)
            if version == before:
                yield path
            elif version is not None:
                self.unsettled[path] = (time.monotonic() + self.settle, version)

    def _note(self, path: Path) -> None:
        """Take note of what has changed: a photograph, or a folder that was made, whose files may have no events."""
        if path == self.folder:
            self._check_folder()
        elif is_folder(path):
            if self.search.holds(self.folder, path, is_folder=True):
                for image in self.search.walk(path):
                    self.see(image)
        elif self.search.holds(self.folder, path, is_folder=False):
            self.see(path)

    def _check_folder(self) -> None:
        if not is_folder(self.folder):
            raise InputError(f"{self.folder}: is gone, and nothing can arrive there; make it again, and start again")


def _version(path: Path) -> _Version | None:
    """What a file looks like; None if it is gone."""
    try:
        known = path.stat()
    except OSError:
        return None
    return _Version(known.st_size, known.st_mtime_ns, known.st_ino)
