"""Whether a photograph is to be done, given what its manifest and its files say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from resolvent.batch.jobs import Job, map_files
from resolvent.batch.manifest import Entry, Stamp, stamp_of
from resolvent.batch.places import Place, identity
from resolvent.batch.report import Result
from resolvent.batch.store import exists, modified, readable
from resolvent.batch.worker import Files
from resolvent.errors import ResolventError
from resolvent.image import Limits, read_image

__all__ = ["Decision", "Keys", "decide"]


@dataclass(frozen=True)
class Keys:
    """What a result depends on besides its input.

    Attributes:
        settings: Key of all that decides the bytes of an output.
        limits: The same, with the limits, which decide whether there is one.
    """

    settings: str
    limits: str


@dataclass(frozen=True)
class Decision:
    """What is to be done about a photograph.

    Attributes:
        files: How its files are written; None if nothing is to be done.
        result: What has become of it, if nothing is to be done.
        note: Why it is done again.
        lasting: Whether it has failed, and would again.
        adopted: Whether it was found done, by no manifest.
        noted: Whether what the manifest says of it holds.
    """

    files: Files | None = None
    result: Result | None = None
    note: str = ""
    lasting: bool = False
    adopted: bool = False
    noted: bool = False


def decide(
    job: Job, entry: Entry | None, files: Files, keys: Keys | None, *, retry_failed: bool, uncertain: bool
) -> Decision:
    """Decide what is to be done about a photograph.

    What is there and not known to be ours is never replaced: without a manifest, a whole output is kept and anything
    else refused. With one, an output that was written here is made again if its input or the settings have changed, or
    if it was damaged; one that was edited is refused.

    Args:
        job: The photograph.
        entry: What its manifest says; None if there is none, or it says nothing.
        files: How files are read and written.
        keys: Of the settings.
        retry_failed: Do again what failed and would fail again.
        uncertain: Whether a map of errors is wanted.
    """
    if entry is None or keys is None or entry.read is None:
        return _unknown(job, files, uncertain=uncertain)
    same = _is_same_input(entry.read, job.source)
    if entry.state in ("waiting", "started") and same:
        try:
            ours = files.overwrite or _is_ours(job, entry)
        except OSError:  # what cannot be read is not replaced
            ours = False
        return Decision(files=replace(files, overwrite=ours, same=True, resume=False))
    if files.overwrite or not files.resume:
        return Decision(files=files)
    if entry.state == "failed" and entry.lasting and entry.settings == keys.limits and same and not retry_failed:
        reasons = (*entry.result.get("reasons", ()), FAILED_BEFORE)
        return Decision(result=_failed(job, *dict.fromkeys(reasons)), lasting=True)
    if entry.written is None:
        if not same and exists(job.target):
            return Decision(result=_refused(job, "is not known to be of this version of its input"))
        return _unknown(job, files, uncertain=uncertain)
    if not exists(job.target):
        return Decision(files=files, note="its output was gone")
    return _kept(job, entry, files, keys, same=same, bare=_bare(job, uncertain=uncertain))


FAILED_BEFORE = "it failed before; --retry-failed tries it again"


def _unknown(job: Job, files: Files, *, uncertain: bool) -> Decision:
    """What is to be done where no manifest tells of an output."""
    if files.resume and exists(job.target):
        return _adopted(job, bare=_bare(job, uncertain=uncertain))
    return Decision(files=files)


def _bare(job: Job, *, uncertain: bool) -> bool:
    """Whether an output lacks the map of errors that is wanted."""
    return uncertain and not all(map(exists, map_files(job)))


def _is_ours(job: Job, entry: Entry) -> bool:
    """Whether the output that is there is the one that was written here before."""
    if entry.written is None or not exists(job.target):
        return False
    return entry.written.looks_like(job.target) or entry.written.sha256 == stamp_of(job.target).sha256


def _kept(job: Job, entry: Entry, files: Files, keys: Keys, *, same: bool, bare: bool) -> Decision:
    """Keep an output that was written here, do it again, or refuse to."""
    again = replace(files, overwrite=True, resume=False)
    try:
        ours = _is_ours(job, entry)
    except OSError as error:
        return Decision(result=_refused(job, f"cannot be read ({error.strerror or error})"))
    if not ours:
        if _is_whole(job.target):
            return Decision(result=_refused(job, "was edited since it was written here"))
        return Decision(files=again, note="its output was damaged")
    if bare:
        return Decision(files=again, note="its map of errors was gone")
    if not same:
        if _is_of_another(entry, job):
            other = f"{job.target}: exists and is the result of {entry.input}, another photograph"
            return Decision(result=_failed(job, f"{other}: move it away, or give another output folder"), noted=True)
        return Decision(files=again, note="its input has changed")
    if entry.settings is None:
        return Decision(files=again, note="it failed before")
    if entry.settings != keys.settings:
        return Decision(files=again, note="the settings have changed")
    return Decision(result=Result(job.source, job.target, "skipped", ("output exists",)))


def _is_of_another(entry: Entry, job: Job) -> bool:
    """Whether an output is of another photograph that is still there, and not of this one from before it was moved."""
    known, source = entry.input, job.source
    try:
        if isinstance(known, Path) and isinstance(source, Path):
            return not known.samefile(source)
        return identity(known) != identity(source) and exists(known)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # it may be there
        return True


def _adopted(job: Job, *, bare: bool) -> Decision:
    """Keep an output that no manifest knows, if it looks like a whole result of its input."""
    try:
        made, taken = modified(job.target), modified(job.source)
    except OSError as error:
        return Decision(result=_refused(job, f"cannot be read ({error.strerror or error})"))
    if not _is_whole(job.target):
        return Decision(result=_refused(job, "is no whole image"))
    if made is not None and taken is not None and made < taken:
        return Decision(result=_refused(job, "is older than its input"))
    if not _fits(job.source, job.target):
        return Decision(result=_refused(job, "is not of the size of its input, or a multiple of it"))
    reason = "output exists, without a map of errors; --overwrite makes both" if bare else "output exists"
    return Decision(result=Result(job.source, job.target, "skipped", (reason,)), adopted=True)


def _failed(job: Job, *reasons: str) -> Result:
    return Result(job.source, job.target, "failed", reasons)


def _refused(job: Job, why: str) -> Result:
    return _failed(job, f"{job.target}: exists and {why}: kept; move or delete it, then --resume")


def _is_same_input(read: Stamp, source: Place) -> bool:
    """Whether a file is still what was read; one that is gone, or cannot be read, is not known to be another."""
    try:
        return read.looks_like(source) or read.sha256 == stamp_of(source).sha256
    except OSError:
        return True


UNLIMITED = Limits(float("inf"), float("inf"))


def _is_whole(path: Place) -> bool:
    """Whether a file is an image that can be read to its end."""
    try:
        read_image(readable(path), UNLIMITED)
    except (ResolventError, OSError, MemoryError):
        return False
    return True


class _SizeError(Exception):
    """Carries the size of an image out of its decoder."""


class _Measured(Limits):
    """Limits that tell the size of an image before any of it is decoded."""

    def check_pixels(self, width: int, height: int, size: int) -> None:
        raise _SizeError(width, height)


def _size(path: Place) -> list[int]:
    """The sides of an image in pixels, the shorter first, for a camera may have been turned."""
    try:
        image = read_image(readable(path), _Measured(float("inf"), float("inf")))
    except _SizeError as found:
        return sorted(found.args)
    return sorted((image.width, image.height))


def _fits(source: Place, target: Place) -> bool:
    """Whether an image is as large as another, or a whole number of times as large; True where its size is unknown."""
    try:
        before, after = _size(source), _size(target)
    except (ResolventError, OSError):
        return True
    scale = round(after[0] / before[0])
    return scale >= 1 and [scale * side for side in before] == after
