"""A private folder for a server, deleted at its end; what a killed server left is deleted by the next one."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from resolvent.errors import ResolventError
from resolvent.io import exclusive

__all__ = ["PREFIX", "private_folder", "sweep"]

PREFIX = "resolvent-serve-"

LOCK = "lock"

NEW = 60.0
"""Seconds in which a server makes its lock."""


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that only its owner can open, hold it while the block runs, and delete it."""
    sweep()
    root = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with exclusive(root / LOCK):
            yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def sweep() -> None:
    """Delete the folders of servers that were killed: those of this user that no process holds."""
    for root in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, ResolventError):
            if root.is_symlink() or (hasattr(os, "getuid") and root.stat().st_uid != os.getuid()):
                continue
            if not (root / LOCK).exists() and time.time() - root.stat().st_mtime < NEW:
                continue  # a server that starts just now
            with exclusive(root / LOCK):
                pass
            (root / LOCK).unlink()  # on Windows this fails as long as it is open
            shutil.rmtree(root, ignore_errors=True)
