"""Files written whole or not at all."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from resolvent.errors import OutputError, UsageError

__all__ = ["exclusive", "write_atomic"]


def write_atomic(path: Path, write: Callable[[BinaryIO], object], *, overwrite: bool = False) -> None:
    """Write a file whole or not at all: `write` fills a hidden one beside `path`, which then takes its name.

    Raises:
        OutputError: `path` exists, its folder does not or is read-only, the disk is full.
    """
    temporary = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        if not overwrite and os.path.lexists(path):
            raise OutputError("it exists; choose another name, or allow to overwrite it")
        try:
            with temporary.open("x+b") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            _publish(temporary, path, overwrite)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error


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


def _hold(file: BinaryIO) -> None:
    """Lock a file until it is closed.

    Raises:
        BlockingIOError: Another process holds it.
    """
    if sys.platform == "win32":  # where an open file cannot be removed
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks
        return


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
