"""A photograph that comes from a store or goes into one: fetched, restored in memory, and sent whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace

from resolvent.batch.forecast import Forecast
from resolvent.batch.jobs import Job, map_files
from resolvent.batch.manifest import Stamp
from resolvent.batch.maps import encoded_maps
from resolvent.batch.places import ABSENT, Place, Url
from resolvent.batch.progress import FileProgress
from resolvent.batch.report import Result
from resolvent.batch.store import StoreError, check_output, delete, exists, put, read, version_of
from resolvent.batch.worker import Files, restore_one
from resolvent.engine.plan import Opener
from resolvent.engine.request import Request
from resolvent.engine.run import Restoration
from resolvent.errors import InputError, OutputError, ResolventError
from resolvent.image import Limits
from resolvent.image.files import misnamed
from resolvent.image.formats import sniff
from resolvent.methods.control import Control

__all__ = ["Passage", "fetched"]


@dataclass
class Passage:
    """A photograph on its way; see ``fetched``.

    Attributes:
        job: With the bytes of its input, if that is in a store.
        read: The version of that; None if it is a file.
        written: The version of the output, once it is sent; None if it is a file.
    """

    job: Job
    read: Stamp | None = None
    written: Stamp | None = None

    def restore(
        self,
        request: Request,
        files: Files,
        sessions: Opener,
        watch: FileProgress,
        forecast: Forecast | None = None,
        control: Control | None = None,
        on_restored: Callable[[Restoration], None] = lambda restored: None,
    ) -> Result:
        """Restore it as ``restore_one`` does.

        Raises:
            ResolventError: Whatever ends it.
            StoreError: A store does not take its output.
        """
        job, contents, results = self.job, list[bytes](), list[Restoration]()

        def keep(restored: Restoration) -> None:
            results.append(restored)
            on_restored(restored)

        emit = contents.append if isinstance(job.target, Url) else None
        with _named(job):
            result = restore_one(job, request, files, sessions, watch, forecast, control, emit, keep)
        if job.content is not None and (kind := sniff(job.content[:4096])) is not None:
            result = replace(result, warnings=(*misnamed(kind, job.source.suffix), *result.warnings))
        if not isinstance(job.target, Url) or not contents:
            return result
        with ExitStack() as undo:
            if results[0].uncertainty is not None:
                for place, content in zip(map_files(job), encoded_maps(results[0]), strict=True):
                    _send(place, content, overwrite=files.replaces_maps)
                    undo.callback(_take_back, place)
            _send(job.target, contents[0], overwrite=files.overwrite, same=files.same)
            undo.pop_all()
        known = version_of(job.target, fresh=True) or ABSENT
        self.written = Stamp(len(contents[0]), known.tag or 0, hashlib.sha256(contents[0]).hexdigest())
        return result


def fetched(job: Job, request: Request, files: Files) -> Passage:
    """Refuse, before any work, an output that is there or cannot be written; then fetch the input, within its limits.

    Raises:
        InputError: The input cannot be read.
        OutputError: As it says.
    """
    if isinstance(job.target, Url):
        check_output(job.target)
        taken = [] if files.overwrite or files.same else [job.target]
        maps = map_files(job) if request.uncertain and not files.replaces_maps else ()
        try:
            there = [place for place in (*taken, *maps) if exists(place, fresh=True)]
        except StoreError as error:
            raise OutputError(str(error)) from error
        if there:
            raise OutputError(f"{there[0]}: exists; choose another output, or give --resume or --overwrite")
    if not isinstance(job.source, Url):
        return Passage(job)
    content, stamp = fetch(job.source, files.limits)
    return Passage(replace(job, content=content), stamp)


def fetch(url: Url, limits: Limits) -> tuple[bytes, Stamp]:
    """Read an object that is not larger than allowed, which is known before it is read; and its version.

    Raises:
        InputError: It cannot be read, or is too large.
    """
    try:
        known = version_of(url, fresh=True)
        if known is None:
            raise StoreError(f"{url}: cannot be read: there is no such object")
        if known.size < 0:
            raise InputError(f"{url}: the store does not tell its size, which may be more than allowed; download it")
        try:
            limits.check_bytes(known.size)
        except InputError as error:
            raise type(error)(f"{url}: {error}") from error
        content = read(url)
        if len(content) != known.size:
            raise StoreError(f"{url}: {len(content)} of {known.size} bytes came; it may be changing: try again")
    except StoreError as error:
        raise InputError(str(error)) from error
    return content, Stamp(known.size, known.tag or 0, hashlib.sha256(content).hexdigest())


def _send(place: Place, content: bytes, *, overwrite: bool, same: bool = False) -> None:
    """Write an object; with ``same``, one that is there counts as written if it has the same bytes."""
    if not isinstance(place, Url):
        raise TypeError(f"{place}: is no URL")
    try:
        put(place, content, f"image/{sniff(content[:4096]) or 'unknown'}", overwrite=overwrite)
    except FileExistsError as error:
        if not (same and read(place) == content):
            raise OutputError(f"{place}: exists; choose another name, or give --overwrite") from error
    except StoreError as error:
        raise OutputError(str(error)) from error


def _take_back(place: Place) -> None:
    if isinstance(place, Url):
        with suppress(StoreError):
            delete(place)


@contextmanager
def _named(job: Job) -> Iterator[None]:
    """Put the URL into errors that know nothing but bytes."""
    try:
        yield
    except ResolventError as error:
        if job.content is None or not str(error).startswith("the input: "):
            raise
        raise type(error)(f"{job.source}: {str(error).removeprefix('the input: ')}") from error.__cause__
