"""Restore what is in a folder and what arrives there, until it is stopped."""

from __future__ import annotations

import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack, get_args

from resolvent.batch.arrivals import TICK, Arrivals
from resolvent.batch.driver import Batch, OnFull
from resolvent.batch.executors.local import LocalExecutor
from resolvent.batch.home import is_fresh, mark
from resolvent.batch.jobs import (
    Found,
    Job,
    check_side_files,
    find_jobs,
    output_names,
    written_extension,
)
from resolvent.batch.manifest import Entry, Manifest
from resolvent.batch.many import agree, load_models
from resolvent.batch.places import local
from resolvent.batch.progress import Event, Progress
from resolvent.batch.report import Result, Status
from resolvent.batch.resources import share_out
from resolvent.batch.search import SUFFIX, Search
from resolvent.batch.worker import Files
from resolvent.engine.options import Options, make_request
from resolvent.errors import InputError, UsageError
from resolvent.image import Limits
from resolvent.image.formats import KINDS
from resolvent.io import check_folder, is_folder, sweep
from resolvent.methods.control import Control
from resolvent.system import usable_cpus

__all__ = ["SETTLE", "WatchReport", "restore_watched"]

SETTLE = 2.0
"""Seconds for which a file has to stand still before it is taken to be whole."""


@dataclass(frozen=True)
class WatchReport:
    """What became of the photographs of a folder while it was watched.

    Attributes:
        counts: How many there are of each status.
        seconds: That they took.
        stopped: What ended it early, such as a full disk; None if it was asked to end.
    """

    counts: Mapping[str, int]
    seconds: float
    stopped: str | None = None

    @property
    def exit_code(self) -> int:
        """0 if all is done, 1 if a photograph failed or something ended it early."""
        return int(self.stopped is not None or self.counts["failed"] > 0)


def restore_watched(
    folder: str | Path,
    output: str | Path | None = None,
    *,
    settle: float = SETTLE,
    polling: bool | None = None,
    stop: threading.Event | None = None,
    on_idle: Callable[[], None] = lambda: None,
    retry_failed: bool = False,
    suffix: str = SUFFIX,
    ext: str | None = None,
    quality: int | None = None,
    strip: str | None = None,
    keep_time: bool = False,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    frame: int | None = None,
    workers: int | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    on_full: OnFull = lambda output: False,
    control: Control | None = None,
    **options: Unpack[Options],
) -> WatchReport:
    """Restore the photographs of a folder, then each that arrives in it, until Ctrl-C or ``stop``.

    It goes on where it was when it is started again, as ``restore_many`` does with ``resume``, and by the same
    manifest. A photograph is taken once its size and time have stood still for a while; one that is replaced later is
    restored again; one that is deleted is no failure, and its output stays. The output of a photograph whose name
    would be that of another's output is called by the whole name of its input, as by ``find_jobs``; whichever came
    first keeps its name. Maps of errors are always called so.

    Args:
        folder: Watched with its subfolders; see ``find_jobs`` for what is left out.
        output: A folder, which is not ``folder`` and does not hold it; None puts each output beside its input.
        settle: Seconds that a photograph has to stand still.
        polling: Look again and again instead of waiting for events of the system; None does so on network
            drives, and where watchfiles does.
        stop: Ends it, once the photographs that are at work are done.
        on_idle: Called, in this thread, each time that there is nothing left to do.
        retry_failed: See ``restore_many``, as for all that follow.
        suffix: As there.
        ext: As there.
        quality: As there.
        strip: As there.
        keep_time: As there.
        limits: As there.
        frame: As there.
        workers: As there.
        on_event: As there; the total grows.
        on_full: As there.
        control: As there.
        **options: How to restore, as of ``resolvent.restore``.

    Returns:
        What was done; after Ctrl-C too, which is the way to end it.

    Raises:
        UsageError: The call is wrong, or another process works in the output folder; no file has been touched.
        InputError: The folder is none, or is gone; the manifest is damaged.
        OutputError: Nothing can be written into the output folder, or the folder cannot be watched.
    """
    folder, output = Path(folder), None if output is None else Path(output)
    request = make_request(**options)
    files = Files(resume=True, quality=quality, strip=strip, keep_time=keep_time, limits=limits, frame=frame)
    _check(folder, output, suffix, settle, request.written)
    with ExitStack() as held:
        arrivals = held.enter_context(Arrivals(folder, Search(output, suffix), settle, polling))
        found = find_jobs(folder, output, suffix=suffix, ext=ext)  # after the first event that can come
        jobs = [replace(job, alike=request.uncertain) for job in found.jobs]
        check_side_files(request, jobs, overwrite=False)
        home = folder if output is None else output
        fresh = output is not None and is_fresh(home)
        check_folder(home)
        resources = share_out(request, usable_cpus(), workers)
        sessions = load_models(request, resources)
        manifest = held.enter_context(Manifest.open(home))
        if fresh:
            mark(home)
        keys, resources = agree(manifest, request, files, resources)
        for made in {home, *(local(job.target).parent for job in found.jobs)}:
            sweep(made, alone=True)
        watch = Progress(0, on_event)
        extension = None if ext is None else written_extension("." + ext.lower().removeprefix("."))
        names = _Names(folder, output, suffix, extension, manifest, alike=request.uncertain)
        feed = _Feed(arrivals, found, names, watch, stop or threading.Event(), on_idle)
        batch = Batch(
            request, files, watch, LocalExecutor(resources.workers, sessions, control), resources, manifest=manifest,
            keys=keys, retry_failed=retry_failed, on_full=on_full, on_end=feed.end, vanishing=True,
        )  # fmt: skip
        try:
            stopped = batch.run(feed.suspects(), iter(feed))
        except KeyboardInterrupt:
            stopped = None
    return WatchReport({status: feed.counts[status] for status in get_args(Status)}, feed.seconds, stopped)


def _check(folder: Path, output: Path | None, suffix: str, settle: float, written: Mapping[str, Path]) -> None:
    """Refuse what cannot be watched, and what would be taken for an arrival although it was written here."""
    if not settle > 0:
        raise UsageError(f"settle {settle}: must be more than 0 seconds")
    if not is_folder(folder):
        raise UsageError(f"{folder}: is no folder; give one folder to watch")
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed: {error.strerror}; make it readable") from error
    watched = Path(os.path.realpath(folder))
    if output is not None and watched.is_relative_to(os.path.realpath(output)):
        raise UsageError(f"output {output}: is the folder that is watched, or holds it; give another folder")
    if output is None and not suffix:
        raise UsageError("suffix '': results could not be told from what arrives; give an output folder, or a suffix")
    for name, path in written.items():
        raise UsageError(f"{name} {path}: is of one photograph, and many may arrive; leave it out")


class _Names:
    """Where the outputs of a folder go: each as the manifest says; a new one where no other has been put.

    Args:
        folder: Of the photographs.
        output: Of the outputs; None for beside them.
        suffix: Of those beside them.
        ext: Extension of all outputs.
        manifest: Knows whose each output is.
        alike: See ``Job``.
    """

    def __init__(
        self, folder: Path, output: Path | None, suffix: str, ext: str | None, manifest: Manifest, *, alike: bool
    ) -> None:
        self.folder, self.output, self.suffix, self.ext = folder, output, suffix, ext
        self.manifest, self.alike = manifest, alike

    def job(self, source: Path, wanted: Path | None = None) -> tuple[Job, Entry | None]:
        """Give the job of a photograph, and what the manifest knows of it.

        Args:
            source: The photograph.
            wanted: Its output, unless that is another's.
        """
        names, seen = output_names(source, self.folder, self.output, self.suffix, self.ext), 0
        free = [wanted] if wanted is not None and self.manifest.entry(wanted) is None else []
        while not free or seen <= LENGTHENED:
            name, seen = next(names), seen + 1
            entry = self.manifest.entry(name)
            if entry is None:
                free.append(name)
            elif _is_of(entry, source):
                return self._job(source, name), entry
        return self._job(source, free[0]), None

    def _job(self, source: Path, target: Path) -> Job:
        return Job(source, target, None if self.ext is None else KINDS[self.ext], alike=self.alike)


LENGTHENED = 2
"""How often a name is lengthened at most by ``find_jobs``, as good as always."""


def _is_of(entry: Entry, source: Path) -> bool:
    """Whether an output is that of a photograph, which may have been moved with its folder."""
    known = local(entry.input)
    if known.name != source.name:
        return False
    return os.path.realpath(known) == os.path.realpath(source) or not os.path.lexists(known)


class _Feed:
    """Gives the jobs of a folder as they come, and None while there is none.

    Args:
        arrivals: The photographs that stand still.
        found: Those that were there.
        names: Where outputs go.
        watch: Told how many there are.
        stop: Ends it.
        on_idle: See ``restore_watched``.
    """

    def __init__(
        self,
        arrivals: Arrivals,
        found: Found,
        names: _Names,
        watch: Progress,
        stop: threading.Event,
        on_idle: Callable[[], None],
    ) -> None:
        self.arrivals, self.names, self.watch, self.stop, self.on_idle = arrivals, names, watch, stop, on_idle
        self.there: dict[Path, Path | None] = dict.fromkeys(map(local, found.repeated))
        self.there |= {local(job.source): local(job.target) for job in found.jobs}
        self.ready, self.open = deque[Job](), set[Path]()
        self.counts, self.seconds = Counter[str](), 0.0
        self.busy = True
        for path, reason in found.unusable.items():
            if path != arrivals.folder:  # which may be empty yet
                watch.total += 1
                self._count(watch.start(path).finish(Result(path, path, "failed", (reason,))))

    def suspects(self) -> list[Job]:
        """The photographs that are there and at which the program ended before."""
        jobs = []
        for entry in self.names.manifest.entries("started"):
            source = self.arrivals.folder / self._place(local(entry.output)) / entry.input.name
            if source in self.there:
                job, known = self.names.job(source)
                if known is not None and job.target == entry.output:
                    del self.there[source]
                    jobs.append(job)
        for job in jobs:
            self._open(job)
        return jobs

    def _place(self, output: Path) -> Path:
        return output.parent.relative_to(local(self.names.manifest.folder))

    def __iter__(self) -> Iterator[Job | None]:
        for source in self.there:
            self.arrivals.see(source)
        while not self.stop.is_set():
            self._look(0.0 if self.ready else TICK)
            if self.ready:
                yield self.ready.popleft()
                continue
            if self.busy and not self.open and not self.arrivals.unsettled:
                self.busy = False
                self.on_idle()
            yield None

    def _look(self, seconds: float) -> None:
        """Take in what stands still: what was there, and what is not as it was when it was restored."""
        for source in self.arrivals.wait(seconds, needed=self._may_be_new):
            if source in self.open:  # wait for it
                self.arrivals.see(source)
                continue
            first = source in self.there
            job, entry = self.names.job(source, self.there.pop(source, None))
            if first or entry is None or not _is_done(entry, source):
                self.names.manifest.expect([(source, job.target)])
                self._open(job)
                self.ready.append(job)

    def _may_be_new(self, source: Path) -> bool:
        if source in self.open:
            return False
        _, entry = self.names.job(source)
        return entry is None or not (_is_done(entry, source) or (entry.state == "failed" and entry.read is None))

    def _open(self, job: Job) -> None:
        self.open.add(local(job.source))
        self.watch.total += 1
        self.busy = True

    def end(self, number: int, job: Job, result: Result | None) -> None:
        """Take note of the end of a job."""
        self.open.discard(local(job.source))
        if result is None:
            self.watch.total -= 1
        else:
            self._count(result)

    def _count(self, result: Result) -> None:
        self.counts[result.status] += 1
        self.seconds += result.seconds


def _is_done(entry: Entry, source: Path) -> bool:
    """Whether this version of a photograph has been restored, or has failed."""
    try:
        return entry.state in ("done", "failed") and entry.read is not None and entry.read.looks_like(source)
    except OSError:
        return False
