"""What a worker process does: one thing at a time, with files in the private folder of a job.

Nothing here is called by the server itself. What comes back is plain data, for an exception may not survive the way.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resolvent.batch.forecast import Forecast
from resolvent.batch.jobs import Job
from resolvent.batch.progress import Event, Progress
from resolvent.batch.words import diagnose_alone
from resolvent.batch.worker import Files, fine_quality, restore_one
from resolvent.engine.options import Options, make_request
from resolvent.errors import FormatError, InputError, OutputError, ResolventError, SizeError, UsageError, internal
from resolvent.image import Image, Limits, read_image, write_image
from resolvent.image.formats import sniff
from resolvent.inference.runtime import Session, open_session
from resolvent.io import is_disk_full
from resolvent.system import tile_memory
from resolvent.web.facts import diagnosis_facts, facts, plan_facts
from resolvent.web.folder import Folder

if TYPE_CHECKING:
    from resolvent.engine.run import Restoration

__all__ = ["Outcome", "Task", "Variant", "attempt", "diagnose", "format_of", "ready", "restore", "retire", "variant"]

logger = logging.getLogger("resolvent")

ORPHAN = 1.0
"""Seconds between two looks whether the server is there."""

OFTEN = 0.1
"""Seconds between two reports of progress."""


@dataclass(frozen=True)
class Task:
    """One photograph, and how it is restored.

    Attributes:
        folder: Of the job.
        name: Of the photograph, as its owner calls it; for messages alone.
        options: As of ``resolvent.restore``.
        format: Of the result; None for that of the photograph.
        quality: Of a lossy result.
        strip: Metadata that the result goes without.
        frame: Of a photograph that holds several.
        limits: The largest photograph.
        keep: Whether the pixels are kept, for pictures and variants.
        memory: Bytes of data that the process may take.
        threads: Of a session.
    """

    folder: Path
    name: str
    options: Options
    format: str | None = None
    quality: int | None = None
    strip: str | None = None
    frame: int | None = None
    limits: Limits = field(default_factory=Limits)
    keep: bool = True
    memory: int | None = None
    threads: int | None = None


@dataclass(frozen=True)
class Variant:
    """Another form of a result.

    Attributes:
        strength: At which it is blended with the photograph.
        format: As of Task, as for the next two.
        quality: 1 to 100.
        strip: ``gps`` or ``all``.
    """

    strength: float = 1.0
    format: str | None = None
    quality: int | None = None
    strip: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a call.

    Attributes:
        value: Plain data; None if it failed.
        status: Of HTTP.
        message: What went wrong.
        pid: Of the process.
        resident: Bytes that it takes now.
    """

    value: Any = None
    status: int = 200
    message: str = ""
    pid: int = 0
    resident: int = 0


def restore(task: Task) -> Outcome:
    """Restore a photograph as ``resolvent restore`` does, and report how it goes in a file."""
    return attempt(task, lambda: _restore(task))


def diagnose(task: Task) -> Outcome:
    """Diagnose a photograph as ``resolvent diagnose`` does."""
    return attempt(task, lambda: _diagnose(task))


def variant(task: Task, wanted: Variant) -> Outcome:
    """Write another form of a result; the value is its format."""
    return attempt(task, lambda: _variant(task, wanted))


def ready(threads: int) -> Outcome:
    """Load what the first photograph needs, so that it does not wait for it."""
    use(threads)
    for model in ("denoise", "deblur", "dejpeg", "restore"):
        sessions(model)
    return Outcome(pid=os.getpid(), resident=resident())


def retire() -> None:
    """End this process."""
    os._exit(0)


THREADS: int | None = None
"""Of the sessions of this process."""


def use(threads: int | None) -> None:
    """Give so many threads to the sessions that are loaded from now on; a process serves one server."""
    global THREADS
    THREADS = threads


@cache
def sessions(model: str | Path, runtime: str = "auto") -> Session:
    """Load a model once in the life of the process."""
    return open_session(model, runtime, THREADS)


FORECAST = Forecast(sessions)


def attempt(task: Task, do: Callable[[], Any]) -> Outcome:
    """Do it within the limits of the task; whatever it raises becomes a status and a message."""
    settle()
    confine(task.memory)
    use(task.threads)
    value, status, message = None, 200, ""
    try:
        value = do()
    except Exception as error:  # one file never ends a worker, whatever a codec or a runtime raises
        logger.debug("%s", task.name, exc_info=error)
        status, message = status_of(error), str(error) if isinstance(error, ResolventError) else internal(error)
        if is_out_of_memory(error):
            message = "out of memory: the photograph takes more than a worker may; give the server more with --memory"
    mask = str(task.folder / "mask")
    message = message.replace(f"mask {mask}", "mask").replace(mask, "mask")
    for path in (task.folder / "photograph", task.folder / "result", task.folder):
        message = message.replace(str(path), task.name)
    return Outcome(value, status, message, os.getpid(), resident())


def status_of(error: BaseException) -> int:
    """The status of HTTP for an exception."""
    if is_disk_full(error) or is_out_of_memory(error):
        return 507
    for kind, status in ((FormatError, 415), (SizeError, 413), (OutputError, 422), (ResolventError, 422)):
        if isinstance(error, kind):
            return status
    return 500


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error comes of too little memory; libraries say so in words of their own."""
    while error is not None:
        if isinstance(error, MemoryError) or re.search(r"out of memory|bad.?alloc", str(error), re.IGNORECASE):
            return True
        error = error.__cause__
    return False


@cache
def settle() -> None:
    """Keep this process from outliving the server, and from waiting for somebody to read what a library prints."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    if sys.platform != "win32":
        threading.Thread(target=follow, args=(os.getppid(),), daemon=True).start()


def follow(parent: int) -> None:
    """End this process when another one is its parent."""
    while os.getppid() == parent:
        time.sleep(ORPHAN)
    os._exit(1)


def confine(memory: int | None) -> None:
    """Limit the data of this process, so that a greedy photograph fails instead of the machine; not on Windows."""
    if memory is None or sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def resident() -> int:
    """Bytes of memory that this process takes, or took at most where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        if sys.platform == "win32":
            return 0
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class _Report:
    """Rewrites a small file that the server reads."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path, self.limits, self.last = path, limits, 0.0
        self.known: dict[str, Any] = {"stage": "reading", "progress": 0.0, "eta": None}
        self.image: Image | None = None
        self.expected: float | None = None

    def read(self, image: Image) -> None:
        """Report what the photograph is."""
        self.image = image
        self.tell(photograph=facts(image))

    def on_event(self, event: Event) -> None:
        """Report the plan once, then how far it is."""
        if event.plan is not None and self.image is not None and "plan" not in self.known:
            check_result(self.image, event.plan.scale, self.limits)
            self.expected = FORECAST(self.image, event.plan)
            self.tell(stage="restoring", eta=self.expected, plan=plan_facts(event.plan, self.expected))
            if event.plan.diagnosis is not None:
                self.tell(diagnosis=diagnosis_facts(event.plan.diagnosis))
        elif event.plan is not None and time.monotonic() - self.last > OFTEN:
            self.tell(progress=event.done, eta=event.eta if event.done else self.expected)

    def tell(self, **more: Any) -> None:
        """Write what is known."""
        self.known |= more
        self.last = time.monotonic()
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.known))
        part.replace(self.path)


@dataclass(frozen=True)
class _Watched(Files):
    """Tells of the image that is read."""

    report: _Report | None = None

    def read(self, source: Path | bytes) -> Image:
        image = super().read(source)
        if self.report is not None:
            self.report.read(image)
        return image


def _restore(task: Task) -> dict[str, Any]:
    folder = Folder(task.folder)
    report = _Report(folder.progress, task.limits)
    options: Options = {**task.options}
    if task.memory is not None:
        options["memory"] = min(tile_memory(), task.memory // 2)
    files = _Watched(quality=task.quality, strip=task.strip, limits=task.limits, frame=task.frame, report=report)
    job = Job(folder.photograph, folder.result, task.format)
    restored: list[Restoration] = []

    def keep(done: Restoration) -> None:
        report.tell(stage="writing", progress=1.0, eta=None)
        restored.append(done)
        if task.keep and not done.plan.unchanged:
            folder.save_pixels(done.image)

    watch = Progress(1, report.on_event).start(job.source)
    result = watch.finish(restore_one(job, make_request(**options), files, sessions, watch, on_restored=keep))
    done = restored[0]
    about = {key: value for key, value in result.to_json().items() if key not in ("input", "output", "half_widths")}
    if done.uncertainty is not None:
        about["uncertainty"] = {**about["uncertainty"], "sentence": str(done.uncertainty)}
    enlarged = (done.image.width, done.image.height) != (report.image.width, report.image.height)  # type: ignore[union-attr]
    layers = [
        *(["uncertainty"] if done.uncertainty is not None else []),
        *(["change"] if task.keep and not (done.plan.unchanged or enlarged) else []),
    ]
    return {
        **report.known,
        "result": {
            **about,
            "format": format_of(folder.result),
            "width": done.image.width,
            "height": done.image.height,
            "blendable": task.keep and not (done.plan.unchanged or enlarged),
            "layers": layers,
        },
    }


def check_result(image: Image, scale: int, limits: Limits) -> None:
    """Refuse a result that is larger than a photograph may be.

    Raises:
        SizeError: It is.
    """
    width, height = scale * image.width, scale * image.height
    if width * height > limits.megapixels * 1e6:
        total = f"{width} x {height} are {width * height / 1e6:.1f} megapixels"
        raise SizeError(f"scale {scale}: {total}, more than the {limits.megapixels:g} that a result may have")


def _diagnose(task: Task) -> dict[str, Any]:
    image = read_image(Folder(task.folder).photograph, task.limits, frame=task.frame or 1)
    return {"photograph": facts(image), "diagnosis": diagnosis_facts(diagnose_alone(image, open_session=sessions))}


def _variant(task: Task, wanted: Variant) -> str:
    folder = Folder(task.folder)
    target = folder.variant(wanted)
    files = Files(quality=wanted.quality, strip=wanted.strip or task.strip, limits=task.limits, frame=task.frame)
    before = files.read(folder.photograph)
    restored = folder.restored(before)
    if wanted.strength < 1 and restored is not before:
        if restored.data.shape != before.data.shape:
            raise UsageError(f"strength {wanted.strength:g}: the result is larger, and there is nothing to blend with")
        restored = replace(restored, data=blend(before, restored, wanted.strength))
    kind = wanted.format or task.format or format_of(folder.result)
    if not target.exists():
        write_image(restored, target, format=kind, quality=fine_quality(wanted.quality or task.quality, before))
    return kind


def blend(before: Image, after: Image, strength: float) -> Any:
    """Give y + strength (x - y) in the type of the data; ``strength=0`` gives exactly y."""
    y = before.data.astype(np.float32)
    mixed = y + np.float32(strength) * (after.data - y)
    return mixed if before.depth == 32 else np.rint(mixed).astype(before.data.dtype)


def format_of(path: Path) -> str:
    """The format of a file that was written here, a key of FORMATS."""
    with path.open("rb") as file:
        kind = sniff(file.read(4096))
    if kind is None:
        raise InputError("the result is of no known format")
    return kind
