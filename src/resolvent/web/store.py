"""Jobs: what was sent, what is done with it, and what is kept of it, all within bounds."""

from __future__ import annotations

import json
import logging
import math
import re
import secrets
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

import anyio
from anyio.abc import TaskGroup

from resolvent.errors import counted, internal
from resolvent.image.formats import FORMATS, KINDS
from resolvent.web.folder import Folder
from resolvent.web.problems import Problem
from resolvent.web.work import Task, restore

if TYPE_CHECKING:
    from resolvent.web.metrics import Metrics
    from resolvent.web.pool import Pool
    from resolvent.web.settings import Settings

__all__ = ["Job", "Store", "plain_name", "result_name"]

logger = logging.getLogger("resolvent")

State = Literal["queued", "running", "done", "failed"]

GUESS = 2.5
"""Seconds a megapixel, and megapixels of a photograph, before there is one to measure."""


@dataclass(eq=False)
class Job:
    """One photograph that was sent.

    Attributes:
        id: That nobody guesses: who knows it may see the job.
        client: Address of who sent it.
        name: Of the photograph, as its owner calls it.
        task: What is done.
        state: Where it is.
        facts: What the worker has reported.
        problem: What went wrong.
        created: When it was sent.
        seen: When it was asked for the last time, by the monotonic clock.
        size: Bytes on the disk.
        finished: Set when it is done or failed.
        scope: Cancels it.
        abandon: Seconds without a request for it after which it is stopped and deleted.
    """

    id: str
    client: str
    name: str
    task: Task
    state: State = "queued"
    facts: dict[str, Any] = field(default_factory=dict)
    problem: Problem | None = None
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    seen: float = field(default_factory=time.monotonic)
    size: int = 0
    finished: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    abandon: float = math.inf

    @property
    def folder(self) -> Folder:
        """Its files."""
        return Folder(self.task.folder)

    @property
    def over(self) -> bool:
        """Whether it is done or failed."""
        return self.state in ("done", "failed")

    def refresh(self) -> None:
        """Read what the worker reports."""
        if self.state != "running":
            return
        try:
            self.facts = json.loads(self.folder.progress.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return

    def done(self) -> Job:
        """Give the job, if it has a result; raise a Problem otherwise."""
        if self.problem is not None:
            raise self.problem
        if self.state != "done":
            raise Problem(409, f"job {self.id}: is {self.state} and has no result yet; ask again when it is done")
        return self


class Store:
    """All jobs of a server.

    Args:
        settings: Their bounds.
        pool: Restores them.
        metrics: Counts them.
        root: The private folder of the server.
    """

    def __init__(self, settings: Settings, pool: Pool, metrics: Metrics, root: Path) -> None:
        self.settings, self.pool, self.metrics, self.root = settings, pool, metrics, root
        self.jobs: dict[str, Job] = {}
        self.keys: dict[tuple[str, str], tuple[str, str]] = {}
        self.group: TaskGroup | None = None
        self.ending = False
        self.seconds_a_megapixel, self.megapixels = GUESS, GUESS
        self.most_bytes = min(settings.kept_megabytes * 1e6, shutil.disk_usage(root).free / 2)

    @property
    def waiting(self) -> list[Job]:
        """Those that are queued, the oldest first."""
        return [job for job in self.jobs.values() if job.state == "queued"]

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(job.size for job in self.jobs.values())

    def admit(self, client: str, length: int = 0) -> None:
        """Refuse one more photograph where there is no place for it.

        Raises:
            Problem: 429 for a client that has its share, 503 where the queue or the disk is full.
        """
        if self.ending:
            raise ended()
        waiting = self.waiting
        own = Counter(job.client for job in waiting)[client]
        if own >= self.settings.share:
            raise Problem(
                429, f"{counted(own, 'photograph')} of yours in the queue: that is your share; send more when some "
                "are done",
                retry_after=self.expected,
            )  # fmt: skip
        if len(waiting) >= self.settings.queue:
            raise Problem(
                503, f"{counted(len(waiting), 'photograph')} in the queue: it is full; send it later",
                retry_after=self.expected,
            )  # fmt: skip
        self._expire()
        own = Counter(job.client for job in self.jobs.values())[client]
        full = f"{counted(own, 'job')} of yours kept: that is your share; download and delete some"
        if own >= self.settings.kept_share:
            raise Problem(429, full, retry_after=60)
        if len(self.jobs) >= self.settings.kept or self.size + 2 * length > self.most_bytes:
            raise Problem(
                503, f"{counted(len(self.jobs), 'job')} of {self.size / 1e6:.0f} megabytes kept: no place for more; "
                "download and delete some, or wait", retry_after=60,
            )  # fmt: skip

    @property
    def expected(self) -> float:
        """Seconds until the next one is done, by those that were restored."""
        return self.seconds_a_megapixel * self.megapixels / self.settings.workers

    def new_folder(self) -> Folder:
        """Make a private folder for a job."""
        path = self.root / secrets.token_hex(16)
        path.mkdir(mode=0o700)
        return Folder(path)

    def submit(self, client: str, name: str, task: Task, abandon: float | None = None) -> Job:
        """Take a photograph whose files are in its folder, and restore it when it is its turn."""
        job = Job(secrets.token_urlsafe(16), client, name, task, abandon=abandon or math.inf)
        job.size = job.folder.size
        self.jobs[job.id] = job
        assert self.group is not None  # noqa: S101 - the server runs
        self.group.start_soon(self._work, job)
        return job

    async def _work(self, job: Job) -> None:
        with job.scope:
            try:
                async with self.pool.restoring:
                    job.state = "running"
                    outcome = await self.pool.restore(restore, job.task)
                if outcome.status != 200:
                    raise Problem(outcome.status, outcome.message)
                self._finish(job, outcome.value)
            except Problem as problem:
                self._fail(job, problem)
            except Exception as error:  # the jobs share a group, which none of them may end
                logger.error("job %s: %s", job.id, internal(error))
                logger.debug("it was", exc_info=error)
                self._fail(job, Problem(500, internal(error)))
        if job.scope.cancelled_caught:
            self.metrics.jobs.labels("canceled").inc()
        self.sweep(job)
        job.finished.set()

    def _finish(self, job: Job, facts: dict[str, Any]) -> None:
        job.facts, job.state = facts, "done"
        result, photograph = facts["result"], facts["photograph"]
        result["name"] = result_name(job.name, result["format"])
        result["bytes"] = job.folder.result.stat().st_size
        job.size = job.folder.size
        job.seen = time.monotonic()
        self.metrics.jobs.labels(result["status"]).inc()
        if result["status"] == "restored":
            megapixels = photograph["width"] * photograph["height"] / 1e6
            self.metrics.megapixels.inc(megapixels)
            self.metrics.seconds.observe(result["seconds"])
            self.seconds_a_megapixel += 0.3 * (result["seconds"] / megapixels - self.seconds_a_megapixel)
            self.megapixels += 0.3 * (megapixels - self.megapixels)

    def _fail(self, job: Job, problem: Problem) -> None:
        job.refresh()
        job.state, job.problem, job.seen = "failed", problem, time.monotonic()
        self.metrics.jobs.labels("failed").inc()

    def find(self, name: str) -> Job:
        """Give a job by its id, or raise a Problem."""
        job = self.jobs.get(name)
        if job is None:
            raise Problem(
                404, f"job {name!r:.40}: is not there, or was deleted, as jobs are after {self.settings.minutes:g} "
                "minutes without a request; send the photograph again",
            )  # fmt: skip
        job.seen = time.monotonic()
        return job

    def remove(self, job: Job) -> None:
        """Stop a job at once, and delete all of it."""
        job.scope.cancel()
        self.jobs.pop(job.id, None)
        self.keys = {key: known for key, known in self.keys.items() if known[1] != job.id}
        self.sweep(job)

    def sweep(self, job: Job) -> None:
        """Delete what a worker has written for a job that was deleted meanwhile; to be called when it has ended."""
        if job.id not in self.jobs:
            shutil.rmtree(job.task.folder, ignore_errors=True)

    def end(self) -> None:
        """Stop all work, and tell whoever waits for it."""
        self.ending = True
        for job in self.jobs.values():
            if not job.over:
                job.state, job.problem = "failed", ended()
                job.scope.cancel()

    def position(self, job: Job) -> int:
        """Which one it is among those that wait, from 1; 0 where it does not wait, or was deleted."""
        waiting = self.waiting
        return waiting.index(job) + 1 if job in waiting else 0

    def expires(self, job: Job) -> datetime:
        """When it is deleted if nobody asks for it."""
        left = job.seen + self._patience(job) - time.monotonic()
        return datetime.fromtimestamp(time.time() + left, UTC)

    async def tend(self) -> None:
        """Delete what nobody asked for, and end idle workers, for ever."""
        while True:
            await anyio.sleep(5)
            self._expire()
            await self.pool.end_idle()

    def _expire(self) -> None:
        now = time.monotonic()
        for job in list(self.jobs.values()):
            if (job.over or job.abandon < math.inf) and now - job.seen > self._patience(job):
                self.remove(job)

    def _patience(self, job: Job) -> float:
        """Seconds without a request after which a job is deleted; one that waits or runs may have its own."""
        kept = 60 * self.settings.minutes
        return kept if job.over or job.abandon == math.inf else job.abandon

    def count(self) -> None:
        """Bring the gauges up to date."""
        self.metrics.waiting.set(len(self.waiting))
        self.metrics.running.set(sum(job.state == "running" for job in self.jobs.values()))
        self.metrics.kept.set(len(self.jobs))
        self.metrics.kept_bytes.set(self.size)


def ended() -> Problem:
    """What is answered while the server ends."""
    return Problem(503, "the server: is ending; send the photograph again when it is back", retry_after=60)


def result_name(name: str, kind: str) -> str:
    """Call a result as the command line does; one of another format takes its extension.

    Examples:
        >>> result_name("a b.JPG", "jpeg"), result_name("scan.gif", "png"), result_name("x", "png")
        ('a b.restored.JPG', 'scan.restored.png', 'x.restored.png')
    """
    path = PurePosixPath(name)
    extension = path.suffix if KINDS.get(path.suffix.lower()) == kind else FORMATS[kind][0]
    stem = path.stem if path.suffix.lower() in KINDS else path.name
    return f"{stem}.restored{extension}"


def plain_name(name: str | None) -> str:
    r"""The last part of a name as a browser sends it, without what no file system takes.

    Examples:
        >>> plain_name("C:\\photos\\a.jpg"), plain_name("../../etc/passwd"), plain_name("")
        ('a.jpg', 'passwd', 'photograph')
    """
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    cleaned = "".join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*').strip(" .")
    shortened = cleaned.encode(errors="replace")[-200:].decode(errors="ignore").strip(" .")
    if re.fullmatch(r"(?i)(con|prn|aux|nul|com[1-9]|lpt[1-9]) *(\..*)?", shortened):  # devices of Windows
        shortened = f"_{shortened}"
    return shortened or "photograph"
