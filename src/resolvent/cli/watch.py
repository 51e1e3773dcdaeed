"""Restore with ``--watch``: what is in a folder, and what arrives there."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from resolvent.cli.console import RestoreConsole, duration, say
from resolvent.cli.options import DASH
from resolvent.cli.signals import canceling
from resolvent.errors import UsageError

if TYPE_CHECKING:
    from resolvent.batch.watch import WatchReport

__all__ = ["watch_folder"]


class WatchConsole(RestoreConsole):
    """Shows the events of ``restore_watched``; it keeps no results, for they have no end.

    Args:
        folder: The one that is watched.
        quiet: Show failures alone.
        stream: Print each result on stdout as a line of JSON.
    """

    goes_on = "the next start"

    def __init__(self, folder: Path, *, quiet: bool = False, stream: bool = False) -> None:
        super().__init__(verbose=False, quiet=quiet, stream=stream)
        self.folder, self.greeted = folder, quiet
        self.results = deque(maxlen=0)
        self.state = ""

    def idle(self) -> None:
        """Show that all is done that has arrived; say so once."""
        if not self.greeted:
            self.line(f"{self.folder}: all is done, waiting for photographs; Ctrl-C ends it")
        self.greeted, self.state = True, ""
        if self.bar is not None:
            self.bar.update(self.task, completed=0.0, description="waiting for photographs", left="")


def watch_folder(
    inputs: Sequence[Path],
    output: Path | None,
    *,
    refused: Mapping[str, bool],
    quiet: bool,
    stream: bool,
    **how: Any,
) -> NoReturn:
    """Restore what is in a folder and what arrives there, until a signal comes, which is no failure.

    Args:
        inputs: The folder.
        output: See ``restore_watched``.
        refused: Options that make no sense here, and whether each is given.
        quiet: Print failures alone.
        stream: Print each result as a line of JSON.
        **how: See ``restore_watched``.
    """
    from resolvent.batch.watch import restore_watched

    for option in (option for option, given in refused.items() if given):
        remedy = "give --jsonl" if option == "--json" else "leave it out"
        raise UsageError(f"{option}: cannot be combined with --watch; {remedy}")
    if len(inputs) != 1 or DASH in (*inputs, output):
        raise UsageError("--watch: takes one folder, and writes files; give a folder, and another one with -o")
    folder = inputs[0]
    with WatchConsole(folder, quiet=quiet, stream=stream) as shown, canceling() as control:
        report = restore_watched(
            folder, output, on_event=shown, on_idle=shown.idle, on_full=shown.wait_for_room, control=control, **how
        )
    for line in () if quiet and report.stopped is None else _summary(folder, report):
        say(line)
    raise typer.Exit(report.exit_code)


def _summary(folder: Path, report: WatchReport) -> list[str]:
    counts = ", ".join(f"{count} {status}" for status, count in report.counts.items() if count)
    ended = "stopped watching" if report.stopped is None else f"stopped: {report.stopped}; make room"
    again = "the same command goes on"
    return [f"{counts or 'nothing done'} in {duration(report.seconds)}", f"{folder}: {ended}; {again}"]
