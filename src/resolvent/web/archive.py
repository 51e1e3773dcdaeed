"""Results as a ZIP that is sent while it is made."""

from __future__ import annotations

import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import anyio.to_thread

from resolvent.web.problems import Problem

__all__ = ["entry_name", "stream"]

PIECE = 1 << 18
"""Bytes that are read at a time."""


class _Sink:
    """Collects what the ZIP writes, and lets it be taken away."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: Any) -> int:
        """Take a piece."""
        self.pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: there is nothing behind it."""

    def take(self) -> bytes:
        """Give what came since the last time."""
        data, self.pieces = b"".join(self.pieces), []
        return data


async def stream(files: AsyncIterator[tuple[str, Path | Problem]]) -> AsyncIterator[bytes]:
    """Give the bytes of a ZIP that holds files, uncompressed, for photographs are compressed already.

    Args:
        files: The name of each in the archive, and where it is. What is a problem instead is listed in ``errors.txt``.
    """
    sink, names, errors = _Sink(), set[str](), list[str]()
    now = time.localtime()[:6]
    with zipfile.ZipFile(cast("BinaryIO", sink), "w", allowZip64=True) as archive:
        async for wanted, path in files:
            if isinstance(path, Problem):
                errors.append(f"{wanted}: {path.message}")
                continue
            name = unique(wanted, names)
            with path.open("rb") as file, archive.open(zipfile.ZipInfo(name, now), "w", force_zip64=True) as entry:
                while piece := await anyio.to_thread.run_sync(file.read, PIECE):
                    entry.write(piece)
                    yield sink.take()
        if errors:
            archive.writestr(zipfile.ZipInfo(unique("errors.txt", names), now), "\n".join(errors) + "\n")
    yield sink.take()


def unique(name: str, taken: set[str]) -> str:
    """Number a name that is taken already, on systems that know no upper case too.

    Examples:
        >>> taken = set()
        >>> [unique(name, taken) for name in ("a.jpg", "A.jpg", "b.jpg")]
        ['a.jpg', 'A (2).jpg', 'b.jpg']
    """
    path, number, free = PurePosixPath(name), 1, name
    while free.lower() in taken:
        number += 1
        free = str(path.with_name(f"{path.stem} ({number}){path.suffix}"))
    taken.add(free.lower())
    return free


def entry_name(folder: str, name: str, plain: Callable[[str], str]) -> str:
    r"""Give the path of a result in an archive: below it, whatever the folder is called.

    Examples:
        >>> entry_name("../../etc/./holiday\\x/", "a.jpg", str)
        'etc/holiday/x/a.jpg'
    """
    parts: Iterable[str] = folder.replace("\\", "/").split("/")[:16]
    return "/".join([plain(part) for part in parts if part.strip(" .")] + [name])
