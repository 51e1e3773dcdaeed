"""Files written whole or not at all."""

from __future__ import annotations

import errno
import filecmp
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from resolvent.errors import OutputError, UsageError

__all__ = [
    "check_folder",
    "check_writable",
    "exclusive",
    "folds_case",
    "is_disk_full",
    "is_file",
    "is_folder",
    "sweep",
    "write_atomic",
]

STALE = 60.0
"""Seconds after which a hidden file that nobody holds was left by a run that was killed."""


def write_atomic(
    path: Path,
    write: Callable[[BinaryIO], object],
    *,
    overwrite: bool = False,
    same: bool = False,
    like: Path | None = None,
) -> None:
    """Write a file whole or not at all: `write` fills a hidden file in the same folder, which is then renamed.

    Args:
        path: The file.
        write: Fills it.
        overwrite: Whether an existing file may be replaced.
        same: Whether an existing file of the same bytes counts as written, as one does that a killed run has left.
        like: A file that it is made from: who may not read that, may not read it either.

    Raises:
        OutputError: `path` exists, its folder does not or is read-only, the disk is full.
    """
    temporary = path.parent / f".{os.urandom(8).hex()}.part"
    try:
        if not overwrite and not same and os.path.lexists(path):
            raise OutputError("exists; choose another name, or give overwrite=True (--overwrite)")
        try:
            with temporary.open("x+b") as file:
                _hold(file)
                _close_off(file, like)
                write(file)
                file.flush()
                os.fsync(file.fileno())
            if not (same and is_file(path) and filecmp.cmp(temporary, path, shallow=False)):
                _publish(temporary, path, overwrite)
        finally:
            temporary.unlink(missing_ok=True)
    except FileNotFoundError as error:
        raise OutputError(f"{path}: its folder does not exist; make it, or choose another path") from error
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error


def sweep(folder: Path, *, alone: bool = False) -> None:
    """Remove the hidden files that killed runs have left in a folder: named as ours are, old, and held by no run.

    Args:
        folder: Of the files.
        alone: Whether no other run works there, so that young ones have been left too.
    """
    with suppress(OSError):
        for path in [path for path in folder.iterdir() if re.fullmatch(r"\.[0-9a-f]{16}\.part", path.name)]:
            with suppress(OSError):  # held by another run, or removed by one meanwhile
                old = time.time() - path.lstat().st_mtime > STALE
                if old or alone:
                    with path.open("rb") as file:
                        held = _hold(file)
                    if old or held:
                        path.unlink()


def _hold(file: BinaryIO) -> bool:
    """Lock a file until it is closed; False where there are no locks.

    Raises:
        BlockingIOError: Another process holds it.
    """
    if sys.platform == "win32":  # where an open file cannot be removed
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks
        return False
    return True


def is_folder(path: Path) -> bool:
    """Whether it is one; False for a name that the system does not take, where ``Path.is_dir`` raises."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: Path) -> bool:
    """Whether it is one; False for a name that the system does not take, where ``Path.is_file`` raises."""
    return os.path.isfile(path)  # noqa: PTH113


def folds_case(folder: Path) -> bool:
    """Whether names that differ in case alone are one file there, as on most disks of Windows and macOS.

    Args:
        folder: It need not exist yet; then the nearest one above it counts.
    """
    for there in (folder, *folder.parents):
        other = there.parent / there.name.swapcase()
        if other != there and is_folder(there):
            return is_folder(other) and other.samefile(there)
    return False


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error comes of a disk, or a quota, that is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    return False


def check_writable(path: Path) -> None:
    """Refuse, before any work, a file that could not be written when the work is done.

    Raises:
        OutputError: It is a folder, its name is too long, or its folder cannot be made or written.
    """
    if is_folder(path):
        raise OutputError(f"{path}: is a folder; give another output")
    check_folder(path.parent, path.name)


def check_folder(folder: Path, name: str = "") -> None:
    """Refuse a folder that could not be made, or in which no file of that name could be made.

    Raises:
        OutputError: It could not.
    """
    there = folder
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    if not is_folder(there):
        raise OutputError(f"{folder}: cannot be made: {there} is no folder; give another output")
    longest = os.pathconf(there, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
    for part in (folder / name).parts[len(there.parts) :]:
        if len(os.fsencode(part)) > longest:
            raise OutputError(f"{folder / name}: a name of more than {longest} bytes; give a shorter one")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{there}: cannot be written into; make it writable, or choose another folder with -o")


def _close_off(file: BinaryIO, like: Path | None) -> None:
    """Take from group and others what they may not do with the file `like`."""
    if like is None or os.name == "nt":
        return
    with suppress(OSError):  # it may be gone, or the file system may know no permissions
        os.fchmod(file.fileno(), os.fstat(file.fileno()).st_mode & (like.stat().st_mode | stat.S_IRWXU))


def _publish(temporary: Path, path: Path, overwrite: bool) -> None:
    """Give a finished file its name; without `overwrite`, one that appeared meanwhile stays."""
    if overwrite:
        temporary.replace(path)
    elif os.name == "nt":
        temporary.rename(path)  # fails there if `path` exists
    else:
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if os.path.lexists(path):
                raise
            temporary.rename(path)
    with suppress(OSError):  # not every system lets a folder be opened, or flushed
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock on a file, which is made if needed, until the block or the process ends, where there are locks.

    Raises:
        UsageError: Another process holds it, or another block of this one.
        OutputError: The file cannot be written.
    """
    try:
        file = path.open("ab")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}; choose another folder") from error
    with file:
        try:
            _hold(file)
        except BlockingIOError as error:
            raise UsageError(f"{path.parent}: another process works there; wait for it, or stop it") from error
        yield
