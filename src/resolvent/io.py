"""Files written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from resolvent.errors import OutputError

__all__ = ["write_atomic"]


def write_atomic(
    path: Path, write: Callable[[BinaryIO], object], *, overwrite: bool = False, like: Path | None = None
) -> None:
    """Write a file whole or not at all: `write` fills a hidden one beside `path`, which then takes its name.

    Args:
        path: The file.
        write: Fills it.
        overwrite: Whether a file that is there may be replaced.
        like: A file that it is made from: who may not read that, may not read it either.

    Raises:
        OutputError: `path` exists, its folder does not or is read-only, the disk is full.
    """
    temporary = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        if not overwrite and os.path.lexists(path):
            raise OutputError("it exists; choose another name, or allow to overwrite it")
        try:
            with temporary.open("x+b") as file:
                _close_off(file, like)
                write(file)
                file.flush()
                os.fsync(file.fileno())
            _publish(temporary, path, overwrite)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error


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
