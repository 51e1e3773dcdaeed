"""Restore one photograph from stdin, or to stdout."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from resolvent.cli.console import Bar, emit, say, show_json, stdin
from resolvent.cli.options import DASH
from resolvent.cli.signals import canceling
from resolvent.errors import OutputError, UsageError

if TYPE_CHECKING:
    from resolvent.batch.places import Place
    from resolvent.image import Limits

__all__ = ["restore_pipe"]


def restore_pipe(
    paths: Sequence[Place],
    place: Place | None,
    *,
    refused: Mapping[str, bool],
    quiet: bool,
    as_json: bool,
    stream: bool,
    limits: Limits,
    **options: Any,
) -> None:
    """Restore one photograph from stdin, or to stdout.

    Args:
        paths: The inputs.
        place: The output.
        refused: Options that make no sense here, and whether each is given.
        quiet: Print failures alone.
        as_json: Print the result as JSON.
        stream: Print it as one line of JSON.
        limits: The largest photograph.
        **options: See ``restore_piped``.
    """
    from resolvent.batch.pipe import restore_piped
    from resolvent.batch.places import local
    from resolvent.batch.report import BatchReport

    if (as_json or stream) and place in (None, DASH):
        raise UsageError("--json and a photograph cannot both go to stdout; name an output file with -o")
    for flag in (flag for flag, given in refused.items() if given):
        raise UsageError(f"{flag}: is for files, and one photograph is piped here; leave it out")
    if len(paths) != 1:
        raise UsageError(f"{len(paths)} inputs: - takes one photograph")
    if place in (None, DASH) and sys.stdout is None:
        raise OutputError("stdout is closed; name an output file with -o")
    target = None if place in (None, DASH) else local(place)
    source = stdin(limits.megabytes) if paths[0] == DASH else local(paths[0])
    with Bar(quiet=quiet) as bar, canceling() as control:
        result, encoded = restore_piped(
            source,
            target,
            limits=limits,
            on_event=lambda event: bar.show(event.done, str(paths[0])),
            control=control,
            **options,
        )
    ended = result.steps.remark if result.steps else ""
    for line in () if quiet else (*result.reasons, *filter(None, [ended]), *result.warnings):
        say(line)
    if place in (None, DASH):
        emit(encoded)
    if as_json or stream:
        show_json(result.to_json() if stream else BatchReport((result,)).to_json())
