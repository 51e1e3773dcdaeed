"""What the commands share: their common options, and how they fail."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from resolvent.cli.console import say, show_json
from resolvent.errors import OutputError, UsageError

__all__ = ["DASH", "UNSTATED", "Json", "License", "Output", "Overwrite", "Seed", "check_report", "fail"]

UNSTATED = "unstated"
"""What a card says of photographs or a license that nobody has told."""

DASH = Path("-")
"""stdin or stdout."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Where the result goes.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
License = Annotated[str, typer.Option("--license", help="Of the weights, for the card.")]
Seed = Annotated[int, typer.Option("--seed", help="Of everything random.")]


def check_report(option: str, path: Path | None, suffix: str, *, overwrite: bool) -> None:
    """Refuse, before any work, a file for a report that exists, or whose name is not a report's but a photograph's.

    Raises:
        UsageError: The name has another suffix, its folder does not exist, it is a folder itself, or the file exists
            and is not to be replaced.
    """
    if path is None:
        return
    if path.suffix.lower() != suffix:
        raise UsageError(f"{option} {path}: must end in {suffix}")
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"{option} {path}: must be a file in a folder that exists")
    if not overwrite and os.path.lexists(path):
        raise UsageError(f"{option} {path}: exists; choose another name, or give --overwrite")


def fail(message: str, code: int) -> NoReturn:
    """Print one line, as JSON too where that was asked for, and exit."""
    say(f"resolvent: {message}")
    if "--json" in sys.argv:
        with suppress(OutputError):  # stdout may be what failed
            show_json({"error": message})
    sys.exit(code)
