"""The manifest of a batch: what has become of each photograph, in a database that outlives the program and the power.

One connection holds the database for itself, so that no two runs work in one folder; SQLite's write-ahead log then
needs no shared memory, which network drives lack, and each commit is on the disk before it returns.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Literal, NamedTuple, Self, get_args

from resolvent.batch.home import BATCHES, adopt_copy, copy_of, database, read_copy, write_copy
from resolvent.batch.places import Place, Url, as_place, below
from resolvent.batch.store import StoreError, read, version_of
from resolvent.errors import InputError, OutputError, UsageError, first_line

__all__ = ["Entry", "Manifest", "Stamp", "State", "stamp_before", "stamp_of"]

VERSION = 1
"""Of the tables."""

State = Literal["waiting", "started", "done", "failed"]

TABLES = """
CREATE TABLE photographs (
    output NOT NULL PRIMARY KEY,     -- path below the output folder, bytes where it is not UTF-8
    state TEXT NOT NULL,             -- waiting, started, done, failed
    attempts INTEGER NOT NULL,       -- counted before the input is opened
    input,                           -- absolute path, bytes where it is not UTF-8
    input_size INTEGER, input_modified INTEGER, input_sha256 TEXT,
    output_size INTEGER, output_modified INTEGER, output_sha256 TEXT,
    settings TEXT,                   -- SHA-256 of all that decides the bytes of the output
    form TEXT,                       -- how the names of input and output ask for a format
    lasting INTEGER,                 -- whether a failure comes of the input, and would come again
    pixels INTEGER, seconds REAL,
    result TEXT                      -- as --json prints it
) WITHOUT ROWID;
CREATE INDEX twins ON photographs (input_sha256);
CREATE INDEX states ON photographs (state);
CREATE TABLE facts (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class Stamp(NamedTuple):
    """What tells one version of a file from another.

    Attributes:
        size: In bytes.
        modified: In nanoseconds; of an object in a store, the tag of its version, and 0 if there is none.
        sha256: Of its bytes; empty if they were not read yet.
    """

    size: int
    modified: int
    sha256: str

    def looks_like(self, path: Place) -> bool:
        """Whether a file has this size and time, so that its bytes need not be read.

        Raises:
            OSError: It is gone, or the store does not tell.
        """
        if isinstance(path, Url):
            return self.modified != 0 and stamp_before(path)[:2] == self[:2]
        known = path.stat()
        return (known.st_size, known.st_mtime_ns) == self[:2]


def stamp_before(path: Place) -> Stamp:
    """Stamp a file before it is read: an object in a store without its bytes, which a worker will fetch.

    Raises:
        OSError: It cannot be read.
    """
    if isinstance(path, Path):
        return stamp_of(path)
    known = version_of(path)
    if known is None:
        raise StoreError(f"{path}: there is no such object")
    return Stamp(known.size, known.tag or 0, "")


def stamp_of(path: Place) -> Stamp:
    """Read a file and stamp it.

    Raises:
        OSError: It cannot be read.
    """
    if isinstance(path, Url):
        return stamp_before(path)._replace(sha256=hashlib.sha256(read(path)).hexdigest())
    if not stat.S_ISREG(path.stat().st_mode):  # to open a pipe would be to wait for it
        raise OSError(errno.EINVAL, "it is not a file", str(path))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        known = os.fstat(file.fileno())
    return Stamp(known.st_size, known.st_mtime_ns, digest)


@dataclass(frozen=True)
class Entry:
    """What a manifest knows of one photograph.

    Attributes:
        output: Where it goes, below the output folder.
        state: ``waiting``; ``started``, and a run that ended then was killed; ``done``; ``failed``.
        attempts: Starts that were not ended in good order: the program died, or a process that did nothing else.
        input: Its file.
        read: The version of the input that was read last.
        written: The version of the output that was written.
        settings: Key of the settings of that.
        form: See ``jobs.form``.
        lasting: Whether a failure would come again.
        pixels: Of the photograph.
        seconds: That it took.
        result: What became of it, as ``Result.to_json`` gives it.
    """

    output: Place
    state: State = "waiting"
    attempts: int = 0
    input: Place = field(default_factory=Path)
    read: Stamp | None = None
    written: Stamp | None = None
    settings: str | None = None
    form: str | None = None
    lasting: bool = False
    pixels: int | None = None
    seconds: float | None = None
    result: Mapping[str, Any] = field(default_factory=dict)


class Manifest:
    """The manifest of an output folder; see ``open``.

    Args:
        connection: That holds it.
        folder: The output folder.
    """

    def __init__(self, connection: sqlite3.Connection, folder: Place) -> None:
        self.connection, self.folder, self.path = connection, folder, database(folder)
        self.pending: list[tuple[str, tuple[Any, ...]]] = []

    @classmethod
    @contextmanager
    def open(cls, folder: Place, *, create: bool = True) -> Iterator[Self]:
        """Hold the manifest of an output folder until the block ends.

        Args:
            folder: The output folder.
            create: Make it, and its folder, where there is none.

        Raises:
            UsageError: Another process holds it; there is none; it is of another version of Resolvent.
            InputError: It is damaged.
            OutputError: It cannot be made or written.
        """
        path, copy = database(folder), read_copy(folder)
        if not create and copy is None and not path.exists():
            raise UsageError(f"{folder}: holds no batch; give the output folder of one")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            remedy = f"set {BATCHES} to another folder" if isinstance(folder, Url) else "choose another folder with -o"
            made = path.parent if isinstance(folder, Url) else folder
            raise OutputError(f"{made}: cannot be made: {error.strerror}; {remedy}") from error
        with _explained(path, folder):
            connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            with _explained(path, folder):
                for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
                    connection.execute(f"PRAGMA {pragma}")
                connection.execute("BEGIN IMMEDIATE")
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if version == 0:
                    for statement in TABLES.split(";"):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {VERSION}")
                elif version != VERSION:
                    raise UsageError(
                        f"{path}: was written by another version of Resolvent; go on with that, or choose another "
                        "output folder"
                    )
                connection.execute("COMMIT")
                if copy is not None:
                    adopt_copy(connection, folder, copy)
            yield cls(connection, folder)
        finally:
            connection.close()

    def commit(self) -> None:
        """Make all changes last; those that a full disk did not take are tried again by the next call.

        Raises:
            OutputError: They could not be written.
        """
        try:
            if self.pending and not self.connection.in_transaction:
                self._run("BEGIN IMMEDIATE")
                for statement, values in self.pending:
                    self._run(statement, *values)
            if self.connection.in_transaction:
                self._run("COMMIT")
        except OutputError:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        self.pending.clear()

    def send(self) -> str | None:
        """Send a copy to the store of the outputs, if they are in one; gives what is wrong if that fails."""
        if not isinstance(self.folder, Url):
            return None
        try:
            self.note("runs", (self.fact("runs") or 0) + 1)
            self.commit()
            write_copy(self.folder, copy_of(self.connection))
        except (OutputError, StoreError) as error:
            return f"{error}; without a copy of the manifest only this machine knows what was done"
        return None

    def fact(self, name: str) -> Any:
        """Give plain data that was noted for the whole batch; None if it was not."""
        with self._explained():
            row = self._run("SELECT value FROM facts WHERE name = ?", name).fetchone()
            return None if row is None else json.loads(row[0])

    def note(self, name: str, value: Any) -> None:
        """Note plain data for the whole batch."""
        self._change("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, json.dumps(value))

    def forget_plans(self) -> None:
        """Drop what an earlier run was to do and never began: a later one may be of other photographs."""
        self._change(
            "DELETE FROM photographs WHERE state = 'waiting' AND input_sha256 IS NULL AND output_sha256 IS NULL"
        )

    def expect(self, pairs: Iterable[tuple[Place, Place]]) -> None:
        """List photographs, each input with its output, that are to be done; those that are listed stay as they are."""
        if not self.connection.in_transaction:
            self._run("BEGIN IMMEDIATE")
        with self._explained():
            self.connection.executemany(
                "INSERT OR IGNORE INTO photographs (output, state, attempts, input) VALUES (?, 'waiting', 0, ?)",
                ((self._key(output), _input(source)) for source, output in pairs),
            )

    def entry(self, output: Place) -> Entry | None:
        """What is known of the photograph with this output."""
        with self._explained():
            row = self._run("SELECT * FROM photographs WHERE output = ?", self._key(output)).fetchone()
            return None if row is None else self._entry(row)

    def entries(self, state: State | None = None) -> Iterator[Entry]:
        """All photographs by the name of their output, or those of one state."""
        where, values = ("", ()) if state is None else ("WHERE state = ?", (state,))
        with self._explained():
            for row in self._run(f"SELECT * FROM photographs {where} ORDER BY output", *values):
                yield self._entry(row)

    def twin(self, sha256: str, settings: str, form: str, output: Place) -> Entry | None:
        """Another photograph of the same bytes that is done with the same settings."""
        with self._explained():
            row = self._run(
                "SELECT * FROM photographs WHERE input_sha256 = ? AND state = 'done' AND settings = ? AND form = ? "
                "AND output <> ? AND output_sha256 NOT NULL LIMIT 1",
                sha256, settings, form, self._key(output),
            ).fetchone()  # fmt: skip
            return None if row is None else self._entry(row)

    def counts(self) -> dict[State, int]:
        """How many photographs there are of each state."""
        with self._explained():
            found = dict(self._run("SELECT state, count(*) FROM photographs GROUP BY state"))
        return {state: found.get(state, 0) for state in get_args(State)}

    def begin(self, output: Place, source: Place, read: Stamp | None, form: str) -> None:
        """Count an attempt at a photograph; only once that is committed may its input be opened."""
        entry = self.entry(output)
        attempts = 1 if entry is None else entry.attempts + 1  # a number, for Ctrl-C in a commit has it done again
        self._change(
            "INSERT INTO photographs (output, state, attempts, input, input_size, input_modified, input_sha256, form) "
            "VALUES (?1, 'started', ?7, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET state = 'started', "
            "attempts = ?7, input = ?2, input_size = ?3, input_modified = ?4, input_sha256 = ?5, form = ?6, "
            "lasting = NULL",
            self._key(output), _input(source), *(read or (None, None, None)), form, attempts,
        )  # fmt: skip

    def release(self, output: Place) -> None:
        """Take back an attempt that ended in good order, by Ctrl-C or a full disk; it may have written its output.

        What ended the program before stays suspect.
        """
        self._change(
            "UPDATE photographs SET state = iif(attempts > 1, 'started', 'waiting'), attempts = max(attempts - 1, 0) "
            "WHERE output = ? AND state = 'started'",
            self._key(output),
        )

    def forget(self, output: Place) -> None:
        """Drop a photograph that waits and was never restored; one that was stays."""
        self._change(
            "DELETE FROM photographs WHERE output = ? AND state IN ('waiting', 'started') AND output_sha256 IS NULL",
            self._key(output),
        )

    def finish(self, entry: Entry) -> None:
        """Note what became of a photograph."""
        self._change(
            "INSERT OR REPLACE INTO photographs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self._key(entry.output), entry.state, entry.attempts, _input(entry.input),
            *(entry.read or (None, None, None)), *(entry.written or (None, None, None)), entry.settings, entry.form,
            entry.lasting, entry.pixels, entry.seconds, json.dumps(entry.result),
        )  # fmt: skip

    def _key(self, output: Place) -> str | bytes:
        if isinstance(output, Url):
            return _text(str(output).removeprefix(f"{self.folder}/"))
        return _text(below(output, self.folder) or output)

    def _place(self, output: str) -> Place:
        place = as_place(output)
        return place if isinstance(place, Url) else self.folder / output

    def _change(self, statement: str, *values: Any) -> None:
        if not self.connection.in_transaction and not self.pending:
            self._run("BEGIN IMMEDIATE")
        self.pending.append((statement, values))
        if self.connection.in_transaction:
            self._run(statement, *values)

    def _run(self, statement: str, *values: Any) -> sqlite3.Cursor:
        with self._explained():
            return self.connection.execute(statement, values)

    def _explained(self) -> AbstractContextManager[None]:
        return _explained(self.path, self.folder)

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        output, state, attempts, source, *stamps, settings, form, lasting, pixels, seconds, result = row
        read, written = (Stamp(*part) if part[2] is not None else None for part in (stamps[:3], stamps[3:]))
        return Entry(
            self._place(os.fsdecode(output)), state, attempts, as_place(os.fsdecode(source)), read, written, settings,
            form, bool(lasting), pixels, seconds, {} if result is None else json.loads(result),
        )  # fmt: skip


def _input(place: Place) -> str | bytes:
    """An input by a name that means the same wherever the next run is started."""
    return _text(place if isinstance(place, Url) else os.path.abspath(place))  # noqa: PTH100 - Path.resolve follows links


def _text(path: str | PurePath | Url) -> str | bytes:
    """A path as the database holds it: text, or the bytes of a name that is not UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return os.fsencode(str(path))
    return str(path)


@contextmanager
def _explained(path: Path, folder: Place) -> Iterator[None]:
    """Turn SQLite's errors into ours; a disk that is full is one as of any other file."""
    damaged = f"{path}: is damaged ({{}}); delete it, and outputs that are whole are kept"
    try:
        yield
    except (json.JSONDecodeError, UnicodeDecodeError) as error:  # what a row holds is not what was written
        raise InputError(damaged.format(first_line(error))) from error
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise UsageError(f"{folder}: another resolvent works in this folder; wait for it, or stop it") from error
        if name.startswith("SQLITE_FULL"):
            raise OutputError(f"{path}: the disk is full") from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")) or "decode" in str(error):
            raise InputError(damaged.format(first_line(error))) from error
        remedy = "make its folder writable, or choose another"
        raise OutputError(f"{path}: cannot be written ({error}); {remedy}") from error
