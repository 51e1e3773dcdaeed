"""The terminal: what a person sees on stderr, what a script reads from stdout, what comes in through stdin."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, MutableSequence, Sequence
from typing import TYPE_CHECKING, Any, Self

from resolvent.batch.report import AGAIN, CHECKED, TWIN
from resolvent.cli.flags import in_flags
from resolvent.cli.signals import STOP
from resolvent.errors import InputError, OutputError, UsageError, counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from resolvent.batch.places import Place
    from resolvent.batch.progress import Event
    from resolvent.batch.report import BatchReport, Result

__all__ = [
    "Bar",
    "RestoreConsole",
    "console",
    "emit",
    "escaped",
    "left_out",
    "names",
    "say",
    "show_json",
    "stdin",
    "summary",
]


def console() -> Console:
    """Where people read: stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def escaped(text: str) -> str:
    r"""Show characters that would steer a terminal, break the line or turn its direction as escapes.

    Examples:
        >>> print(escaped("a\x1b[31m\nb"))
        a\x1b[31m\nb
    """
    control = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
    return re.sub(control, lambda match: ascii(match[0])[1:-1], text)


def say(line: str) -> None:
    """Print one line for a person, whatever characters a name in it holds."""
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(escaped(line).encode(encoding, "replace").decode(encoding) + "\n")
    sys.stderr.flush()


def emit(data: bytes) -> None:
    """Write to stdout.

    Raises:
        OutputError: It is closed, or what it leads to is full.
    """
    if sys.stdout is None:
        raise OutputError("stdout is closed; open it, or name an output file")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        sys.stdout = None  # else the interpreter tries again as it ends
        raise OutputError(f"stdout: {error.strerror}; choose another place") from error


def show_json(value: dict[str, Any]) -> None:
    """Print one object on one line of stdout, in UTF-8."""
    text = json.dumps(value, ensure_ascii=False)
    text = re.sub(
        "[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", lambda match: f"\\u{ord(match[0]):04x}", text
    )
    emit((text + "\n").encode(errors="replace"))


def stdin(megabytes: float | None = None) -> bytes:
    """Read stdin, and no more of it than is needed to see that it is too large.

    Raises:
        InputError: It is closed.
    """
    if sys.stdin is None:
        raise InputError("stdin is closed; name a file")
    if megabytes is None or megabytes * 1e6 >= sys.maxsize:
        return sys.stdin.buffer.read()
    return sys.stdin.buffer.read(int(megabytes * 1e6) + 1)


def names(source: str, *, null: bool = False) -> list[str]:
    """Read the names of inputs from a file.

    Args:
        source: The file; ``-`` is stdin.
        null: They end with a NUL character, as ``find -print0`` writes them, instead of a line break.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        if source == "-":
            text = stdin()
        else:
            with open(source, "rb") as file:  # noqa: PTH123 - of any name
                text = file.read()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--files-from {source}: cannot be read: {getattr(error, 'strerror', error)}; give a file of names, or -"
        ) from error
    return [os.fsdecode(name) for name in (text.split(b"\0") if null else text.splitlines()) if name]


BEAT = 30.0
"""Seconds after which a line says how far it is, where there is no bar."""


class Bar:
    """A progress bar where stderr is a terminal, else a line every BEAT seconds; for a ``with`` statement.

    Args:
        quiet: Show neither.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.bar: Progress | None = None
        self.began = self.spoke = 0.0
        self.state = "working"
        self.ended = threading.Event()
        self.beat: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.began = self.spoke = time.monotonic()
        if self.quiet:
            return self
        if not sys.stderr.isatty():
            self.beat = threading.Thread(target=self._beat, daemon=True)
            self.beat.start()
        else:
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
        self.ended.set()
        if self.beat is not None:
            self.beat.join()  # so that it says nothing more
        if self.bar is not None:
            self.bar.stop()

    def _beat(self) -> None:
        """Say now and then how far it is, where nothing else is said."""
        while not self.ended.wait(min(BEAT, max(self.spoke + BEAT - time.monotonic(), 0.01))):
            if time.monotonic() - self.spoke < BEAT:
                continue
            if self.state:
                self.line(self.state)
            else:
                self.spoke = time.monotonic()

    def show(self, share: float, description: str = "", eta: float | None = None) -> None:
        """Set the bar to a share of 1; the time that is left is estimated where it is not given, in seconds."""
        if eta is None and share > 0:
            eta = (time.monotonic() - self.began) * (1 - share) / share
        left = "" if eta is None else f"{duration(eta)} left"
        self.state = ", ".join(filter(None, [description, f"{share:.0%}", left]))
        if self.bar is not None:
            self.bar.update(self.task, completed=share, description=escaped(description), left=left)

    def line(self, text: str) -> None:
        """Print one line, above the bar where there is one."""
        self.spoke = time.monotonic()
        if self.bar is not None:
            self.bar.console.print(escaped(text), markup=False, highlight=False, soft_wrap=True)
        else:
            say(text)


class RestoreConsole(Bar):
    """Shows the events of ``restore_many``.

    Args:
        verbose: Say why a model was chosen, for each file.
        quiet: Show failures alone.
        stream: Print each result on stdout as a line of JSON, as soon as it is there.
        dry_run: Results say what would be done.
    """

    goes_on = "--resume"
    """What goes on with a batch that was ended."""

    def __init__(self, *, verbose: bool, quiet: bool = False, stream: bool = False, dry_run: bool = False) -> None:
        super().__init__(quiet=quiet)
        self.verbose, self.stream, self.dry_run = verbose, stream, dry_run
        self.results: MutableSequence[Result] = []
        self.waited = False

    def __call__(self, event: Event) -> None:
        """Show one event."""
        done = 1.0 if event.result else event.done
        name = f"{event.index + 1} of {event.total}  {event.source.name}"
        self.show((event.index + done) / event.total, name, event.eta)
        result = event.result
        if result is None or result.status == "failed":  # the signal itself may be what ended it
            STOP.check()
        if result is None:
            return
        self.results.append(result)
        self.waited = False
        if self.stream:
            show_json(result.to_json())
        if result.status == "failed" or not (self.quiet or (result.status == "skipped" and event.total > 1)):
            for line in lines(result, verbose=self.verbose, dry_run=self.dry_run):
                self.line(line)

    def wait_for_room(self, output: Place) -> bool:
        """Say, once, that the disk of an output is full, and wait a little; there may be room then."""
        if not self.waited:
            self.line(f"{output.parent}: the disk is full: waiting for room; Ctrl-C ends it, {self.goes_on} goes on")
        self.waited = True
        time.sleep(ROOM)
        return True


ROOM = 5.0
"""Seconds after which it is tried again whether a full disk has room."""


def lines(result: Result, *, verbose: bool, dry_run: bool = False) -> list[str]:
    """Say what became of one file, or what would."""
    would = "would be " * dry_run
    if result.status != "failed" and result.reasons and result.reasons[-1].startswith(TWIN):
        return [f"{result.target}: {result.reasons[-1]}"]
    match result.status:
        case "failed":
            return [f"failed: {_named(result)}"]
        case "skipped":
            return [f"{result.target}: skipped: output exists"]
        case "unchanged":
            said = [f"{result.target}: {would}unchanged"]
        case "restored":
            sigma = "" if result.sigma is None else f", sigma {result.sigma:.1f}"
            took = f" in {duration(result.seconds)}"
            if dry_run:
                took = "" if result.expected is None else f" in about {duration(result.expected)}"
            ended = f", {result.steps.remark}" if result.steps and result.steps.remark else ""
            said = [f"{result.target}: {would}restored by {result.model}{sigma}{took}{ended}"]
    if verbose:
        said += [f"  {reason}" for reason in (*result.reasons, *result.warnings)]
    return said


MANY = 24
"""Files after which failures may have scrolled away."""


KINDS = {
    "video": (".mov", ".mp4", ".m4v", ".avi", ".mkv", ".mts", ".m2ts", ".3gp", ".mpg", ".webm"),
    "sidecar": (".xmp", ".aae", ".thm", ".pp3", ".dop"),
}  # fmt: skip
"""What stands beside photographs and is none, by the extensions of files."""


def summary(report: BatchReport) -> list[str]:
    """Say what became of all files: how many of each, what was left out, what was lost, and which failed.

    Those that failed are said again only where there are many files, for the first lines may have scrolled away.
    """
    counts = ", ".join(f"{count} {status}" for status, count in report.counts.items() if count)
    said = [f"{counts or 'nothing done'} in {duration(report.seconds)}"]
    if report.dry_run:
        expected = sum(result.expected or 0.0 for result in report.results)
        said = [f"would be: {counts or 'nothing'}, in about {duration(expected)}; nothing was written"]
        said += [CHECKED] * (report.counts["restored"] > 0)
    said += left_out(report.ignored, report.repeated, report.earlier)
    warned: dict[str, list[Place]] = defaultdict(list)
    for result in report.results:
        for warning in dict.fromkeys(result.warnings):
            warned[warning].append(result.source)
    commonest = sorted(warned.items(), key=lambda item: -len(item[1]))[:WARNINGS]
    said += [f"warning, {len(paths)} of {len(report.results)}: {text} ({_first(paths)})" for text, paths in commonest]
    if len(warned) > WARNINGS:
        said.append(f"and {len(warned) - WARNINGS} other warnings; all are in --json")
    again = Counter(result.reasons[0] for result in report.results if result.reasons[:1] and _is_again(result))
    said += [f"{reason}: {count}" for reason, count in again.items()]
    if len(report.results) > MANY:
        failed = [result for result in report.results if result.status == "failed"]
        said += [f"failed: {_named(result)}" for result in failed[:FAILED]]
        if len(failed) > FAILED:
            said.append(f"and {len(failed) - FAILED} more failed; resolvent batch report lists all")
    said += [f"warning: {text}" for text in report.warnings]
    if report.stopped:
        said.append(f"stopped: {report.stopped}; make room, then go on with --resume")
    return said


def _is_again(result: Result) -> bool:
    return result.status != "failed" and result.reasons[0].startswith(AGAIN)


FAILED = 20
"""The most failures that are said again at the end."""

WARNINGS = 5
"""The most different warnings that are said at the end."""

NAMED = 3
"""The most files that are named of those that share a warning."""


def _first(paths: Sequence[Place]) -> str:
    """Name the first files.

    Examples:
        >>> from pathlib import Path
        >>> _first([Path("a.jpg")]), _first([Path(f"{name}.jpg") for name in "abcde"])
        ('a.jpg', 'a.jpg, b.jpg, c.jpg and 2 more')
    """
    more = len(paths) - NAMED
    return ", ".join(map(str, paths[:NAMED])) + (f" and {more} more" if more > 0 else "")


def left_out(ignored: Mapping[str, int], repeated: Sequence[Place], earlier: Sequence[Place]) -> list[str]:
    """Say which files of folders are no photographs, and which inputs other names of the same ones, or results."""
    said = [f"left out: {_kinds(ignored)}"] if ignored else []
    if repeated:
        said.append(f"left out, other names of the same photographs: {len(repeated)} ({_first(repeated)})")
    if earlier:
        said.append(f"left out, results of earlier runs: {len(earlier)} ({_first(earlier)})")
    return said


def _kinds(ignored: Mapping[str, int]) -> str:
    """How many files of each kind, with their extensions.

    Examples:
        >>> _kinds({".nef": 6, ".pdf": 1, ".txt": 2})
        '6 camera raws (.nef; develop them first), 3 other files (.pdf, .txt)'
    """
    from resolvent.image.formats import RAW

    known = {"camera raw": RAW, **KINDS}
    kinds: dict[str, Counter[str]] = {}
    for extension, count in ignored.items():
        kind = next((kind for kind, extensions in known.items() if extension in extensions), "other file")
        kinds.setdefault(kind, Counter())[extension or "no extension"] += count
    hints = {"camera raw": "; develop them first"}
    return ", ".join(
        f"{counted(found.total(), kind)} ({', '.join(sorted(found))}{hints.get(kind, '')})"
        for kind, found in sorted(kinds.items(), key=lambda item: (item[0] == "other file", item[0]))
    )


def _named(result: Result) -> str:
    """The reason of a failure, which names the file."""
    reason = in_flags("; ".join(result.reasons))
    return reason if str(result.source) in reason else f"{result.source}: {reason}"


def duration(seconds: float) -> str:
    """A time for people.

    Examples:
        >>> duration(3.21), duration(75), duration(7300)
        ('3.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left} min" if hours else f"{minutes} min {rest} s"
