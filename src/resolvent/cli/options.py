"""What the commands share: their common options, and how they fail."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from resolvent.cli.console import say, show_json
from resolvent.errors import OutputError, UsageError
from resolvent.io import check_writable, is_folder, write_atomic
from resolvent.models.card import UNSTATED

__all__ = [
    "DASH",
    "UNSTATED",
    "Json",
    "JsonFile",
    "License",
    "Output",
    "Overwrite",
    "Seed",
    "check_report",
    "fail",
    "to_stdout",
    "write_report",
]

DASH = Path("-")
"""stdin or stdout."""


def to_stdout(param: typer.CallbackParam, given: Any) -> Any:
    """Refuse, before any work, an option that prints on stdout where that is closed.

    Raises:
        OutputError: It is given, and stdout is closed.
    """
    if given in (True, "-") and sys.stdout is None:
        raise OutputError(f"{param.opts[0]}: stdout is closed; leave it out, or open stdout")
    return given


Json = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object on stdout.", callback=to_stdout)
]
JsonFile = Annotated[
    str | None,
    typer.Option("--json", help="JSON file of all rows; without a name, stdout.", callback=to_stdout),
]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Output file.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing output files.")]
License = Annotated[str, typer.Option("--license", help="License of the weights, recorded in the model card.")]
Seed = Annotated[int, typer.Option("--seed", help="Random seed.")]


def check_report(option: str, path: Path | None, suffix: str, *, overwrite: bool) -> None:
    """Refuse, before any work, a file for a report that exists, or whose name is not a report's but a photograph's.

    Raises:
        UsageError: The name has another suffix, its folder does not exist, it is a folder itself, or the file exists
            and is not to be replaced.
        OutputError: Its folder cannot be written into.
    """
    if path is None:
        return
    if path.suffix.lower() != suffix:
        raise UsageError(f"{option} {path}: must end in {suffix}")
    if is_folder(path) or not is_folder(path.parent):
        raise UsageError(f"{option} {path}: must be a file in a folder that exists")
    if not overwrite and os.path.lexists(path):
        raise UsageError(f"{option} {path}: exists; choose another name, or give --overwrite")
    check_writable(path)


def write_report(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a report in UTF-8, whole or not at all; a name of a file that is not Unicode has ``?`` in it."""
    write_atomic(path, lambda file: file.write(text.encode(errors="replace")), overwrite=overwrite)


def fail(message: str, code: int, so_far: dict[str, Any] | None = None) -> NoReturn:
    """Print one line, as JSON too where that was asked for, and exit.

    Args:
        message: What is wrong.
        code: Exit code.
        so_far: What was done before, for JSON.
    """
    say(f"resolvent: {message}")
    if {"--json", "--jsonl"} & set(sys.argv):
        with suppress(OutputError):  # stdout may be what failed
            show_json({**(so_far or {}), "error": message})
    sys.exit(code)
