"""The terminal: what a person sees on stderr, what a script reads from stdout, what comes in through stdin."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from resolvent.errors import InputError, OutputError
from resolvent.image import Limits
from resolvent.methods.control import Control

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from resolvent.batch.progress import Event
    from resolvent.batch.report import BatchReport, Result

__all__ = ["Bar", "RestoreConsole", "canceling", "console", "emit", "say", "show_json", "stdin", "summary"]


def console() -> Console:
    """Where people read: stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def say(line: str) -> None:
    """Print one line for a person, whatever characters a name in it holds."""
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(line.encode(encoding, "replace").decode(encoding) + "\n")


def emit(data: bytes) -> None:
    """Write to stdout.

    Raises:
        OutputError: It is closed, or what it leads to is full.
    """
    if sys.stdout is None:
        raise OutputError("stdout is closed; name an output file")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        sys.stdout = None  # else the interpreter tries again as it ends
        raise OutputError(f"stdout: {error.strerror}; choose another place") from error


def show_json(value: dict[str, Any]) -> None:
    """Print one object on stdout, in UTF-8."""
    emit((json.dumps(value, ensure_ascii=False) + "\n").encode(errors="replace"))


def stdin(limits: Limits = Limits()) -> bytes:  # noqa: B008 - frozen
    """Read stdin, and no more of it than is needed to see that it is too large.

    Raises:
        InputError: It is closed.
    """
    if sys.stdin is None:
        raise InputError("stdin is closed; name a file")
    return sys.stdin.buffer.read(int(min(limits.megabytes * 1e6, sys.maxsize - 1)) + 1)


@contextmanager
def canceling() -> Iterator[Control]:
    """Give a control that Ctrl-C cancels: an iterative method that is running gives what it has.

    A second Ctrl-C, or one where no such method is running, interrupts as always.
    """
    control = Control()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before == signal.SIG_IGN:
        yield control
        return

    def cancel(number: int, frame: object) -> None:
        if not control.cancel():
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, cancel)
    try:
        yield control
    finally:
        signal.signal(signal.SIGINT, before)


class Bar:
    """A progress bar where stderr is a terminal, else nothing; for a ``with`` statement."""

    def __init__(self) -> None:
        self.bar: Progress | None = None
        self.began = 0.0

    def __enter__(self) -> Self:
        self.began = time.monotonic()
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            self.bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f}%"),
                TextColumn("{task.fields[left]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self.task = self.bar.add_task("", total=1.0, left="")
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def show(self, share: float, description: str = "", eta: float | None = None) -> None:
        """Set the bar to a share of 1; the time that is left is estimated where it is not given, in seconds."""
        if self.bar is not None:
            if eta is None and share > 0:
                eta = (time.monotonic() - self.began) * (1 - share) / share
            left = "" if eta is None else f"{duration(eta)} left"
            self.bar.update(self.task, completed=share, description=description, left=left)

    def line(self, text: str) -> None:
        """Print one line, above the bar where there is one."""
        if self.bar is not None:
            self.bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            say(text)


class RestoreConsole(Bar):
    """Shows the events of ``restore_many``.

    Args:
        verbose: Say why a model was chosen, for each file.
    """

    def __init__(self, *, verbose: bool) -> None:
        super().__init__()
        self.verbose = verbose
        self.finished = 0

    def __call__(self, event: Event) -> None:
        """Show one event."""
        done = 1.0 if event.result else event.done
        name = f"{event.index + 1} of {event.total}  {event.source.name}"
        self.show((event.index + done) / event.total, name, event.eta)
        if event.result is not None:
            self.finished += 1
            for line in lines(event.result, verbose=self.verbose):
                self.line(line)


def lines(result: Result, *, verbose: bool) -> list[str]:
    """Say what became of one file."""
    match result.status:
        case "failed":
            return [f"failed: {_named(result)}"]
        case "skipped":
            return [f"{result.target}: skipped, it is there"]
        case "unchanged":
            said = [f"{result.target}: unchanged"]
        case "restored":
            told = "" if result.sigma is None else f", sigma {result.sigma:.1f}"
            ended = f", {result.steps.remark}" if result.steps and result.steps.remark else ""
            said = [f"{result.target}: restored by {result.model}{told} in {duration(result.seconds)}{ended}"]
    if verbose:
        said += [f"  {reason}" for reason in (*result.reasons, *result.warnings)]
    return said


MANY = 10
"""Files after which failures may have scrolled away."""


def summary(report: BatchReport) -> list[str]:
    """Say what became of all files: how many of each, what was lost, and again which failed where there are many."""
    counts = ", ".join(f"{count} {status}" for status, count in report.counts.items() if count)
    said = [f"{counts} in {duration(sum(result.seconds for result in report.results))}"]
    if warned := [result for result in report.results if result.warnings]:
        said.append(f"{len(warned)} with warnings, the first {warned[0].source}: {warned[0].warnings[0]} (all: --json)")
    if len(report.results) > MANY:
        said += [f"failed: {_named(result)}" for result in report.results if result.status == "failed"]
    return said


def _named(result: Result) -> str:
    """The reason of a failure, which names the file."""
    reason = "; ".join(result.reasons)
    return reason if str(result.source) in reason else f"{result.source}: {reason}"


def duration(seconds: float) -> str:
    """A time for people.

    Example:
        >>> duration(3.21), duration(75), duration(7300)
        ('3.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left} min" if hours else f"{minutes} min {rest} s"
