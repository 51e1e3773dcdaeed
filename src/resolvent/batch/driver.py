"""The driver of a batch: it has the jobs done by an executor, and alone keeps the manifest."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import cast

from resolvent.batch.decide import Decision, Keys, decide
from resolvent.batch.executors import Executor
from resolvent.batch.executors.child import ChildExecutor
from resolvent.batch.jobs import Job
from resolvent.batch.manifest import Entry, Manifest, Stamp, stamp_before
from resolvent.batch.places import Place, Url, local
from resolvent.batch.progress import FileProgress, Progress
from resolvent.batch.report import AGAIN, Result
from resolvent.batch.resources import Resources, pinned
from resolvent.batch.status import Live
from resolvent.batch.task import Row, Task
from resolvent.batch.twins import copy_twin
from resolvent.batch.worker import Files
from resolvent.engine.request import Request
from resolvent.errors import OutputError, counted
from resolvent.io import is_disk_full

__all__ = ["Batch", "OnEnd", "OnFull"]

logger = logging.getLogger("resolvent")

OnFull = Callable[[Place], bool]
"""Called with an output that a full disk did not take; waits, and gives whether to try it again."""

OnEnd = Callable[[int, Job, Result | None], None]
"""Called with the number of a job, counted from 0, the job, and what became of it; None if its input was gone."""

NO_MORE: Iterator[Job | None] = iter(())


@dataclass
class _Flight:
    """A photograph that is being done.

    Attributes:
        watch: Told how it goes.
        note: Why it is done again.
        read: The version of its input.
        twins: Photographs of the same bytes, which wait for it.
    """

    watch: FileProgress
    note: str
    read: Stamp | None
    twins: list[int]


class Batch:
    """Does the jobs of a batch by an executor, and keeps its manifest.

    Args:
        request: What is asked.
        files: How files are read and written.
        watch: Told how it goes.
        executor: Does it.
        resources: What each photograph may take.
        manifest: Knows what was done before; None keeps none.
        keys: Of the settings, with a manifest.
        retry_failed: Do again what failed before.
        on_full: See ``restore_many``.
        on_end: Called at the end of each job.
        vanishing: Inputs may be deleted before they are restored, which is no failure.
    """

    def __init__(
        self,
        request: Request,
        files: Files,
        watch: Progress,
        executor: Executor,
        resources: Resources,
        *,
        manifest: Manifest | None = None,
        keys: Keys | None = None,
        retry_failed: bool = False,
        on_full: OnFull = lambda output: False,
        on_end: OnEnd = lambda number, job, result: None,
        vanishing: bool = False,
    ) -> None:
        self.files, self.watch, self.executor = files, watch, executor
        self.resources, self.manifest, self.keys = resources, manifest, keys
        self.retry_failed, self.on_full, self.on_end, self.vanishing = retry_failed, on_full, on_end, vanishing
        self.uncertain = request.uncertain
        self.request = pinned(request, resources.memory) if manifest is not None or resources.workers > 1 else request
        self.jobs: dict[int, Job] = {}
        self.added = 0
        self.flying: dict[int, _Flight] = {}
        self.leaders: dict[tuple[str, str], int] = {}
        self.fresh: set[Place] = set()
        self.stopped: str | None = None
        self.live = None if manifest is None else Live(manifest)

    def run(self, jobs: Iterable[Job], more: Iterator[Job | None] = NO_MORE) -> str | None:
        """Do all jobs; give what stopped the batch early.

        Args:
            jobs: What is to be done; at which the program ended before, first.
            more: What is to be done after that, as it comes; None where there is nothing yet. It is asked, in this
                thread, when a worker is free.
        """
        numbers = deque(self._add(job) for job in jobs)
        suspects = self._suspects()
        if self.live is not None:
            self.live.write(0)
        try:
            if suspects:
                self._do(deque(suspects), ChildExecutor())
            self._do(deque(number for number in numbers if number not in suspects), self.executor, more)
        except OutputError as error:
            if not is_disk_full(error):
                raise
            self.stopped = self._full()
        finally:
            self._end()
        return self.stopped

    def _add(self, job: Job) -> int:
        number, self.added = self.added, self.added + 1
        self.jobs[number] = job
        return number

    def _suspects(self) -> dict[int, None]:
        """The jobs at which the program ended, or would if they were tried again."""
        if self.manifest is None:
            return {}
        started = {entry.output for entry in self.manifest.entries("started")}
        if self.retry_failed:
            started |= {entry.output for entry in self.manifest.entries("failed") if entry.attempts}
        return {number: None for number, job in self.jobs.items() if job.target in started}

    def _do(self, numbers: deque[int], executor: Executor, more: Iterator[Job | None] = NO_MORE) -> None:
        """Do the jobs of these numbers, and more; what a full disk did not take comes back to them."""
        while self.stopped is None:
            for row in executor.map(self._tasks(numbers, more), lambda task: self.flying[task.number].watch):
                self._take(row, numbers)
            self._commit()
            if not numbers:
                return

    def _tasks(self, numbers: deque[int], more: Iterator[Job | None]) -> Iterator[Task | None]:
        while self.stopped is None:
            if not numbers:
                try:
                    job = next(more)
                except StopIteration:
                    return
                if job is None:
                    self._commit()
                    if self.live is not None:
                        self.live.write(len(self.flying))
                    yield None
                    continue
                numbers.append(self._add(job))
            task = self._task(numbers.popleft(), numbers)
            if task is not None:
                yield task

    def _task(self, number: int, numbers: deque[int]) -> Task | None:
        """The work on a photograph; None where nothing is to be done, or the same one is being done."""
        job, manifest, keys = self.jobs[number], self.manifest, self.keys
        if self._is_gone(job):
            self._end_job(number, None)
            return None
        watch = self.watch.start(job.source)
        entry, decision = self.decide(job)
        if decision.files is None:
            self._settle(number, watch, entry, decision)
            return None
        read = None
        if manifest is not None and keys is not None:
            read = _stamped(job.source)
            known = None if read is None else read.sha256
            leader = self.leaders.setdefault((known, job.form), number) if known else None
            if leader not in (None, number):
                self.flying[leader].twins.append(number)
                watch.leave()
                return None
            self.flying[number] = _Flight(watch, decision.note, read, [])
            if read is not None and (row := self._copied(number, decision.files, read)) is not None:
                self._take(row, numbers)
                return None
            manifest.begin(job.target, job.source, read, job.form)
            self._commit()
            if self.live is not None:
                self.live.write(len(self.flying))
        else:
            self.flying[number] = _Flight(watch, decision.note, None, [])
        threads, largest = self.resources.threads, self.resources.largest
        return Task(number, job, self.request, decision.files, threads, largest, manifest is not None)

    def decide(self, job: Job) -> tuple[Entry | None, Decision]:
        """What the manifest knows of a photograph, and what is to be done about it."""
        entry = None if self.manifest is None else self.manifest.entry(job.target)
        return entry, decide(
            job, entry, self.files, self.keys, retry_failed=self.retry_failed, uncertain=self.uncertain
        )

    def _copied(self, number: int, files: Files, read: Stamp) -> Row | None:
        """Copy the result of a photograph of the same bytes, if one is done."""
        job = self.jobs[number]
        if self.manifest is None or self.keys is None:
            return None
        twin = self.manifest.twin(read.sha256, self.keys.settings, job.form, job.target)
        if twin is None or (self.files.overwrite and twin.output not in self.fresh):
            return None
        return copy_twin(number, job, files, twin)

    def _take(self, row: Row, numbers: deque[int]) -> None:
        """Note what became of a photograph; what a full disk did not take, and what waits for it, is done later."""
        job, flight = self.jobs[row.number], self.flying[row.number]  # it flies until it is noted: Ctrl-C may come
        if flight.read is not None:
            self.leaders.pop((flight.read.sha256, job.form), None)
        read = row.read or flight.read
        numbers.extendleft(reversed(flight.twins))
        if row.full:
            del self.flying[row.number]
            flight.watch.leave()
            numbers.appendleft(row.number)
            if self.manifest is not None:
                self.manifest.release(job.target)
            if not self.on_full(job.target):
                self.stopped = self._full()
            return
        result = row.result
        if result.status == "failed" and self._is_gone(job):
            flight.watch.leave()
            if self.manifest is not None:
                self.manifest.release(job.target)
            self._end_job(row.number, None)
            return
        if result.status != "failed":
            again = (f"{AGAIN}: {flight.note}",) if flight.note else ()
            changed = () if read is None or _looks_like(read, job.source) else (CHANGED,)
            result = replace(result, reasons=again + result.reasons, warnings=result.warnings + changed)
            if self.files.overwrite:
                self.fresh.add(job.target)
        result = flight.watch.finish(result)
        if self.manifest is not None and self.keys is not None:
            failed = result.status == "failed"
            before = self.manifest.entry(job.target)
            entry = Entry(
                job.target,
                "failed" if failed else "done",
                attempts=int(row.deadly),
                input=job.source,
                read=read,
                written=before.written if failed and before is not None else row.written,
                settings=self._settings(row),
                form=job.form,
                lasting=row.lasting,
                pixels=row.pixels,
                seconds=result.seconds,
                result=result.to_json(),
            )
            self.manifest.finish(entry)
            if self.live is not None:
                self.live.finish(row.pixels)
        self._end_job(row.number, result)

    def _settings(self, row: Row) -> str | None:
        """The key that an entry keeps: of its output, or of why there is none; None if it may be there next time."""
        if self.keys is None:
            return None
        if row.result.status != "failed":
            return self.keys.settings
        return self.keys.limits if row.lasting else None

    def _is_gone(self, job: Job) -> bool:
        return self.vanishing and not os.path.lexists(local(job.source))

    def _end_job(self, number: int, result: Result | None) -> None:
        job = self.jobs.pop(number)
        self.flying.pop(number, None)
        if result is None and self.manifest is not None:
            self.manifest.forget(job.target)
        self.on_end(number, job, result)

    def _settle(self, number: int, watch: FileProgress, entry: Entry | None, decision: Decision) -> None:
        """Note what has become of a photograph of which nothing is to be done."""
        job = self.jobs[number]
        result = watch.finish(cast("Result", decision.result))
        self._note_settled(job, result, entry, decision)
        self._end_job(number, result)

    def _note_settled(self, job: Job, result: Result, entry: Entry | None, decision: Decision) -> None:
        if self.manifest is None or self.keys is None or decision.noted:
            return
        entry = entry or Entry(job.target, input=job.source)
        if result.status == "failed":
            deaths = entry.attempts if entry.state == "failed" else 0
            entry = replace(entry, state="failed", attempts=deaths, lasting=decision.lasting, result=result.to_json())
            self.manifest.finish(replace(entry, settings=self.keys.limits if decision.lasting else entry.settings))
            return
        done = replace(entry, state="done", attempts=0, lasting=False, result=result.to_json())
        if decision.adopted:
            done = replace(done, input=job.source, read=_stamped(job.source), written=_stamped(job.target))
            self.manifest.finish(replace(done, settings=self.keys.settings, form=job.form))
        elif entry.state == "failed":  # what was wrong with its output was taken back
            self.manifest.finish(done)
        elif entry.read is not None and not _looks_like(entry.read, job.source):  # the same bytes, with another time
            read = _stamped(job.source)
            if read is not None and read.sha256 == entry.read.sha256:
                self.manifest.finish(replace(entry, input=job.source, read=read))

    def _full(self) -> str:
        return f"the disk is full, with {len(self.jobs)} of {counted(self.added, 'photograph')} left"

    def _commit(self) -> None:
        """Make what was noted last, once there is room for it."""
        while self.manifest is not None:
            try:
                self.manifest.commit()
            except OutputError as error:
                if not is_disk_full(error) or not self.on_full(self.manifest.folder):
                    raise
            else:
                return

    def _end(self) -> None:
        """End what is being done; it is no fault of a photograph."""
        self.watch.stopped = True
        for row in self.executor.close():
            self._take(row, deque())
        if self.manifest is None:
            return
        for number in self.flying:
            self.manifest.release(self.jobs[number].target)
        if self.live is not None:
            self.live.close()
        try:
            self.manifest.commit()
        except OutputError as error:  # the disk is full or gone: what is not noted is found out by the next run
            logger.debug("%s", error)


CHANGED = "its input was changed while it was restored: --resume does it again"


def _looks_like(stamp: Stamp, path: Place) -> bool:
    """Whether a file is still the version that was read; an object is known by the version that was fetched."""
    try:
        return isinstance(path, Url) or stamp.looks_like(path)
    except OSError:
        return True


def _stamped(path: Place) -> Stamp | None:
    """The version of a file; None where it cannot be read, and reading it as an image will say why."""
    try:
        return stamp_before(path)
    except OSError:
        return None
