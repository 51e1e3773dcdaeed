"""Where the manifest of a batch lies; and, of one whose outputs are in a store, its copy there.

A database cannot be kept in a store of objects. So it is kept in the user's folder, and a copy goes up when a run ends:
another machine goes on from that, and so does this one if it knows of fewer runs.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path, PurePath

from resolvent.batch.places import Place, Url
from resolvent.batch.store import StoreError, exists, find, put, read
from resolvent.errors import InputError, OutputError, UsageError, first_line
from resolvent.image.formats import KINDS
from resolvent.io import is_file
from resolvent.system import user_data

__all__ = [
    "BATCHES",
    "FOLDER",
    "MARK",
    "adopt_copy",
    "copy_of",
    "database",
    "holds_batch",
    "holds_results",
    "is_fresh",
    "mark",
    "read_copy",
    "write_copy",
]

FOLDER = ".resolvent"
"""In the output folder: where the manifest lies."""

NAME = "manifest.sqlite"

MARK = f"{FOLDER}/results"
"""In the output folder: the empty file that says that what is there was not there before."""

BATCHES = "RESOLVENT_BATCHES"
"""The environment variable that names another folder for the manifests of batches in stores."""

ROLLBACK_JOURNAL = b"\1\1"
"""In the header of a database: that it has no write-ahead log, without which none opens in memory."""

RUNS = "SELECT value FROM facts WHERE name = 'runs'"
"""How many runs have ended, each with a copy."""


def database(folder: Place) -> Path:
    """Give the file of the manifest of an output folder."""
    if not isinstance(folder, Url):
        return folder / FOLDER / NAME
    given = os.environ.get(BATCHES)
    batches = Path(given) if given else user_data() / "batches"
    key = hashlib.sha256(str(folder).encode(errors="surrogateescape")).hexdigest()[:16]
    return batches / f"{folder.scheme}-{key}" / NAME


def holds_batch(folder: Place) -> bool:
    """Whether an output folder has a manifest.

    Raises:
        OutputError: Its store does not tell.
    """
    if not isinstance(folder, Url):
        return (folder / FOLDER).exists()
    return database(folder).exists() or read_copy(folder) is not None


def holds_results(folder: Path) -> bool:
    """Whether a folder is the output folder of photographs that lie elsewhere; see ``mark``."""
    return is_file(folder / MARK)


def is_fresh(folder: Place) -> bool:
    """Whether an output folder holds no batch and no photograph yet.

    Raises:
        OutputError: Its store does not tell.
    """
    if holds_batch(folder):
        return False
    if isinstance(folder, Url):
        names = (name for name, _ in find(folder))
    else:
        names = (name for _, _, files in os.walk(folder) for name in files)
    try:
        return not any(PurePath(name).suffix.lower() in KINDS for name in names)
    except StoreError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return True
        raise OutputError(str(error)) from error


def mark(folder: Place) -> None:
    """Say of an output folder that was fresh that it holds no originals, so that none are looked for in it.

    Raises:
        OutputError: It cannot be written into.
    """
    try:
        if isinstance(folder, Url):
            put(folder / MARK, b"", "text/plain", overwrite=True)
        else:
            (folder / MARK).touch()
    except OSError as error:
        raise OutputError(f"{folder / MARK}: cannot be written: {first_line(error)}") from error


def read_copy(folder: Place) -> bytes | None:
    """Read the copy of a manifest that is in a store; None if there is none.

    Raises:
        OutputError: The store does not give it.
    """
    if not isinstance(folder, Url):
        return None
    url = folder / FOLDER / NAME
    try:
        return read(url) if exists(url, fresh=True) else None
    except StoreError as error:
        raise OutputError(str(error)) from error


def write_copy(folder: Url, content: bytes) -> None:
    """Write the copy of a manifest into its store, whole.

    Raises:
        StoreError: It cannot be written.
    """
    put(folder / FOLDER / NAME, content, "application/vnd.sqlite3", overwrite=True)


def copy_of(connection: sqlite3.Connection) -> bytes:
    """Give a database as the bytes of a file, whatever has been written of it."""
    with closing(sqlite3.connect(":memory:")) as copy:
        connection.backup(copy)
        content = copy.serialize()
    return content[:18] + ROLLBACK_JOURNAL + content[20:]


def adopt_copy(connection: sqlite3.Connection, folder: Place, content: bytes) -> None:
    """Take a copy for the manifest itself, if it knows of more runs.

    Raises:
        InputError: It is damaged.
        UsageError: It is of another version of Resolvent.
    """
    with closing(sqlite3.connect(":memory:")) as copy:
        try:
            copy.deserialize(content)
            if _version(copy) != _version(connection):
                raise UsageError(f"{folder}: was written by another version of Resolvent; choose another output folder")
            if _runs(copy) > _runs(connection):
                copy.backup(connection)
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"{folder}/{FOLDER}/{NAME}: is damaged ({error}); delete it, and outputs that are whole are kept"
            ) from error


def _runs(connection: sqlite3.Connection) -> int:
    row = connection.execute(RUNS).fetchone()
    return 0 if row is None else int(row[0])


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
