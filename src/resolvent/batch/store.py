"""Objects in stores, by fsspec; and what is asked of files of this machine and of objects alike.

An output is one whole upload, which only stores of objects give: where a file is written in place, as over SFTP, half
of one could be seen.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from resolvent.batch.places import ABSENT, Place, Url, Version
from resolvent.errors import MissingDependencyError, OutputError, ResolventError, UsageError, first_line
from resolvent.io import is_file as is_local_file
from resolvent.io import is_folder as is_local_folder

__all__ = [
    "StoreError",
    "check_output",
    "delete",
    "exists",
    "find",
    "has_bucket",
    "is_file",
    "is_folder",
    "modified",
    "put",
    "read",
    "readable",
    "version_of",
]

CONTENT_TYPES: Mapping[str, str | None] = {
    "s3": "ContentType",
    "s3a": "ContentType",
    "gs": "content_type",
    "gcs": "content_type",
    "az": None,
    "abfs": None,
    "abfss": None,
    "memory": None,
}
"""The stores that take an object whole or not at all, and how each takes the content type."""

TAGS = ("ETag", "etag", "md5Hash", "content_md5")
TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")
"""By which one version of an object is known from another, the best first."""


class StoreError(OSError):
    """A store did not do what it was asked for; says which object, what, and why."""


def exists(place: Place, *, fresh: bool = False) -> bool:
    """Whether a name is taken, be it by a link that leads nowhere.

    Args:
        place: The name.
        fresh: Ask the store, whatever a listing said.

    Raises:
        StoreError: The store does not tell.
    """
    return version_of(place, fresh=fresh) is not None if isinstance(place, Url) else os.path.lexists(place)


def is_folder(place: Place) -> bool:
    """Whether it is one: of objects, whether there are any whose names begin with it."""
    if not isinstance(place, Url):
        return is_local_folder(place)
    return place.folder or (place.listed is None and _kind(place) == "directory")


def is_file(place: Place) -> bool:
    """Whether it is a file, or an object."""
    if not isinstance(place, Url):
        return is_local_file(place)
    return not place.folder and _kind(place) == "file"


def _kind(url: Url) -> str:
    """``file`` or ``directory``; nothing where the store does not tell, which is said when it is read or written."""
    try:
        return str((_info(url) or {}).get("type", ""))
    except StoreError:
        return ""


def modified(place: Place) -> int | None:
    """Nanoseconds since 1970; None where that is not known.

    Raises:
        OSError: That cannot be found out.
    """
    if isinstance(place, Url):
        return (version_of(place) or ABSENT).modified
    return place.stat().st_mtime_ns


def readable(place: Place) -> Path | bytes:
    """What ``read_image`` takes: a path, or the bytes of an object.

    Raises:
        StoreError: It cannot be read.
    """
    return read(place) if isinstance(place, Url) else place


def version_of(url: Url, *, fresh: bool = False) -> Version | None:
    """What a store reports of an object, now or when its folder was listed; None if there is none.

    Raises:
        StoreError: The store does not tell.
    """
    if url.listed is not None and not fresh:
        return None if url.listed == ABSENT else url.listed
    found = _info(url)
    return None if found is None or found.get("type") == "directory" else _version(found)


def find(url: Url) -> Iterator[tuple[str, Version]]:
    """Give what the names of all objects of a folder say below it, and their versions; in no order.

    Raises:
        StoreError: It cannot be listed; its cause is a FileNotFoundError where there is none.
    """
    store, path = _opened(url)
    with _asked(url, "cannot be listed"):
        store.invalidate_cache()
        for name, found in store.find(path, detail=True).items():
            below = str(name).removeprefix(f"{path}/")
            if below != name and not below.endswith("/") and found.get("type") != "directory":
                yield below, _version(found)


def has_bucket(url: Url) -> bool:
    """Whether there is the bucket of an object.

    Raises:
        StoreError: The store does not tell.
    """
    return _info(Url(url.scheme, url.key.partition("/")[0])) is not None


def read(url: Url) -> bytes:
    """Give the bytes of an object.

    Raises:
        StoreError: It cannot be read.
    """
    store, path = _opened(url)
    with _asked(url, "cannot be read"):
        return bytes(store.cat_file(path))


def put(url: Url, content: bytes, kind: str, *, overwrite: bool) -> None:
    """Write an object whole or not at all, by one upload.

    Without ``overwrite`` the store is asked to refuse if it is there by then, which S3, Google and Azure do; where a
    store does not know that condition, it has been looked for just before.

    Args:
        url: The object.
        content: Its bytes.
        kind: Of its content, such as ``image/jpeg``.
        overwrite: Whether one that is there may be replaced.

    Raises:
        FileExistsError: It is there, with other bytes.
        StoreError: It cannot be written.
    """
    store, path = _opened(url)
    named = CONTENT_TYPES[url.scheme]
    content_type = {} if named is None else {named: kind}
    if not overwrite and exists(url, fresh=True):
        raise FileExistsError(errno.EEXIST, "exists", str(url))
    with _asked(url, "cannot be written"):
        try:
            store.pipe_file(path, content, mode="overwrite" if overwrite else "create", **content_type)
        except OSError as error:
            if overwrite or not (isinstance(error, FileExistsError) or error.errno in (errno.ENOSYS, errno.EINVAL)):
                raise
            if exists(url, fresh=True):  # perhaps by this very upload, whose answer was lost on the way
                if hashlib.sha256(read(url)).digest() != hashlib.sha256(content).digest():
                    raise FileExistsError(errno.EEXIST, "exists", str(url)) from error
            elif error.errno == errno.ENOSYS:  # this store knows no conditions
                store.pipe_file(path, content, mode="overwrite", **content_type)
            else:
                raise


def delete(url: Url) -> None:
    """Delete an object.

    Raises:
        StoreError: It cannot be deleted.
    """
    store, path = _opened(url)
    with _asked(url, "cannot be deleted"):
        store.rm_file(path)


def check_output(url: Url) -> None:
    """Refuse, before any work, to write where a file could be seen before it is whole, or a name that is no text.

    Raises:
        OutputError: As it says.
    """
    if url.scheme not in CONTENT_TYPES:
        known = ", ".join(f"{scheme}://" for scheme in CONTENT_TYPES)
        raise OutputError(f"{url}: outputs go to {known}, which take a file whole; copy them on from a folder")
    try:
        str(url).encode()
    except UnicodeEncodeError as error:
        raise OutputError(f"{url}: the name is not UTF-8, as a URL has to be; rename the input") from error


def _info(url: Url) -> Mapping[str, Any] | None:
    store, path = _opened(url)
    with _asked(url, "cannot be reached"):
        store.invalidate_cache(path)
        try:
            found: Mapping[str, Any] = store.info(path)
        except FileNotFoundError:
            return None
        return found


def _version(found: Mapping[str, Any]) -> Version:
    """What ``fs.info`` and a listing, which write the same time in two ways, tell of an object."""
    times = [found[name] for name in TIMES if found.get(name)]
    seconds = _seconds(times[0]) if times else None
    time = None if seconds is None else round(seconds * 1e6) * 1000
    tag = next((str(found[name]) for name in TAGS if found.get(name)), None if time is None else str(time))
    size = found.get("size")
    number = None if tag is None else int.from_bytes(hashlib.sha256(tag.encode()).digest()[:7])
    return Version(-1 if size is None else int(size), number, time)


def _seconds(time: object) -> float | None:
    if isinstance(time, datetime):
        return time.timestamp()
    if isinstance(time, int | float):
        return float(time)
    try:
        return datetime.fromisoformat(str(time)).timestamp()
    except ValueError:
        return None


def _opened(url: Url) -> tuple[Any, str]:
    """The file system of a URL, and what it calls the object."""
    bucket = url.key.partition("/")[0]
    store = _file_system(url.scheme, bucket)
    return store, str(store._strip_protocol(str(url)))


@cache
def _file_system(scheme: str, bucket: str) -> Any:
    """Open a store with the credentials that its own package finds in the environment.

    Raises:
        MissingDependencyError: A package is missing.
        UsageError: There is no such scheme, or it is not set up.
    """
    start = f"{scheme}://{bucket}"
    try:
        from fsspec import available_protocols, url_to_fs
        from fsspec.registry import known_implementations
    except ImportError as error:
        raise MissingDependencyError("fsspec", "remote", start) from error
    if scheme not in available_protocols():
        raise UsageError(f"{start}: {scheme} is no protocol that is known; give a path, or such as s3://BUCKET/FOLDER/")
    try:
        return url_to_fs(start)[0]
    except ImportError as error:
        known = known_implementations.get(scheme, {})
        package = str(known.get("class", scheme)).partition(".")[0]
        packages = re.findall('"([^"]+)"', known.get("err", "")) if package == "fsspec" else [package]
        if not packages:
            raise UsageError(f"{start}: {known.get('err') or first_line(error)}") from error
        missing = str(getattr(error.__cause__, "name", "") or packages[0])
        raise MissingDependencyError(missing, "remote", start, besides=" ".join(packages)) from error
    except Exception as error:  # each store has errors of its own
        raise UsageError(f"{start}: cannot be opened: {_reason(error)}") from error


@contextmanager
def _asked(url: Url, failed: str) -> Iterator[None]:
    """Turn whatever the package of a store raises into one line."""
    try:
        yield
    except (ResolventError, StoreError, FileExistsError):
        raise
    except Exception as error:  # each store has errors of its own
        raise StoreError(f"{url}: {failed}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "there is no such object or bucket"
        case PermissionError():
            return "access is denied; check the credentials in the environment, and what they permit"
        case TimeoutError():
            return "the store did not answer in time"
    return first_line(error)
