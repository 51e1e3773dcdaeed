"""Where photographs are: a path of this machine, or the URL of an object in a store such as S3."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple, Self
from urllib.parse import urlsplit
from urllib.request import url2pathname

from resolvent.errors import UsageError

__all__ = ["ABSENT", "Place", "Url", "Version", "as_place", "as_places", "below", "distinct_path", "identity", "local"]


class Version(NamedTuple):
    """What a store tells of an object without giving its bytes.

    Attributes:
        size: In bytes; -1 if it is unknown.
        tag: A number that another version does not have; None if the place reports nothing that it could be made from.
        modified: Nanoseconds since 1970; None if it is unknown.
    """

    size: int
    tag: int | None = None
    modified: int | None = None


ABSENT = Version(-2)
"""Of an object that is not there."""


@dataclass(frozen=True)
class Url:
    """An object in a store, or a folder: what the names of several objects begin with.

    It has those methods of a path that name things, and none that a path of this machine needs to be opened.

    Attributes:
        scheme: Such as ``s3``.
        key: All that follows ``://``, without a slash at its end.
        folder: Whether a slash was at its end.
        listed: Its version when its folder was listed; None if it was not.
    """

    scheme: str
    key: str
    folder: bool = field(default=False, compare=False, repr=False)
    listed: Version | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.key}"

    def __truediv__(self, more: str | PurePath) -> Url:
        added = more if isinstance(more, str) else more.as_posix()
        return Url(self.scheme, f"{self.key}/{added}") if added not in ("", ".") else self

    @property
    def name(self) -> str:
        """What follows the last slash."""
        return self.key.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The extension of the name."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> Url:
        """Its folder."""
        return Url(self.scheme, self.key.rpartition("/")[0])

    @property
    def parents(self) -> Iterator[Url]:
        """Its folder, and those it lies in."""
        folder = self.parent
        while folder.key:
            yield folder
            folder = folder.parent

    def with_name(self, name: str) -> Url:
        """Another object of the same folder."""
        return self.parent / name

    def with_suffix(self, suffix: str) -> Url:
        """The same with another extension."""
        return self.with_name(self.stem + suffix)

    def as_listed(self, version: Version) -> Self:
        """The same, with what a listing tells of it."""
        return replace(self, listed=version)


Place = Path | Url
"""A file of this machine, or an object in a store."""

AnyPlace = str | os.PathLike[str] | Url
"""How one is given."""

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
"""At least two letters, for one is a drive of Windows."""


def as_place(text: AnyPlace) -> Place:
    """Tell a URL from a path; ``file://`` names a path. A Path is one, whatever it is called.

    Raises:
        UsageError: It is no path, the text is empty, or a URL names nothing, another machine, or a password.

    Examples:
        >>> as_place("s3://bucket/scans//a.jpg").name, as_place("C:/scans").name, str(as_place("file:///a%20b"))
        ('a.jpg', 'scans', '/a b')
    """
    if not isinstance(text, str | os.PathLike | Url):
        kind = type(text).__name__
        raise UsageError(
            f"{kind}: is no path or URL, which a batch takes; give a photograph in memory to resolvent.restore"
        )
    if text == "":
        raise UsageError("path '': is empty; give . for the current folder")
    found = SCHEME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return text if isinstance(text, Url) else Path(text)
    scheme, key = found[1].lower(), found[2]
    if scheme in ("file", "local"):
        return _local_path(str(text))
    if ":" in key.partition("/")[0].rpartition("@")[0]:
        raise UsageError(
            f"{scheme}://...@...: holds a password; give it in the environment, or in the store's own file"
        )
    if not key.strip("/"):
        raise UsageError(f"{text}: names no bucket; give {scheme}://BUCKET/FOLDER/")
    return Url(scheme, key.rstrip("/"), folder=key.endswith("/"))


def as_places(inputs: AnyPlace | Iterable[AnyPlace]) -> list[Place]:
    """The places; one that is given alone is not taken for the letters of its name."""
    if isinstance(inputs, str | os.PathLike | Url) or not isinstance(inputs, Iterable):
        return [as_place(inputs)]
    return [as_place(text) for text in inputs]


def _local_path(text: str) -> Path:
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost"):
        raise UsageError(f"{text}: names a machine, {parts.netloc}; a local file has three slashes, as file:///home")
    return Path(url2pathname(parts.path))


def local(place: Place) -> Path:
    """Give a path as it is.

    Raises:
        UsageError: It is a URL, and what is asked for needs a file.
    """
    if isinstance(place, Url):
        raise UsageError(f"{place}: is a URL; this needs a file or folder of this machine")
    return place


def identity(place: Place) -> str:
    """What two names of one file, or one object, have in common."""
    return str(place) if isinstance(place, Url) else os.path.realpath(place)


def distinct_path(place: Place) -> str:
    """Its name as it was given, but absolute: of a URL as a path too, ``/s3/bucket/scans``."""
    if isinstance(place, Url):
        return "/" + "/".join([place.scheme, *(part for part in place.key.split("/") if part)])
    return os.path.abspath(place)  # noqa: PTH100 - Path.resolve follows links


def below(place: Place, folder: Place) -> PurePath | None:
    """The name of a place below a folder; None if it is not there."""
    if isinstance(place, Path):
        return place.relative_to(folder) if isinstance(folder, Path) and place.is_relative_to(folder) else None
    start = f"{folder}/"
    if not isinstance(folder, Url) or not str(place).startswith(start):
        return None
    return PurePosixPath(*filter(None, str(place).removeprefix(start).split("/")))
