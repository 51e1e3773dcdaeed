"""The command line of an experiment: what is wrong with its input is one line and exit code 2, before any work."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import torch

from resolvent.errors import InputError, OutputError, ResolventError, UsageError

__all__ = ["Parser", "command", "count"]


def count(text: str) -> int:
    """The type of an option that is 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}: give 1 or more")
    return number


class Parser(argparse.ArgumentParser):
    """The options of an experiment, with those that all have: ``--threads``, ``--runs`` and ``--output``.

    Args:
        doc: Docstring of the module.
        home: Folder of the experiment, where results go unless told otherwise.
        runs: Name of the folder in ``runs`` that keeps what was measured or trained; empty if nothing is kept.
        threads: Unless given; None leaves it to torch.
    """

    def __init__(self, doc: str | None, home: Path, runs: str = "", *, threads: int | None = None) -> None:
        super().__init__(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
        self.add_argument("--threads", type=count, default=threads)
        if runs:
            self.add_argument("--runs", type=Path, default=Path("runs") / runs, help="folder of what is kept")
        self.add_argument("-o", "--output", type=Path, default=home, help="folder of results and figures")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line."""
        self.exit(2, f"error: {message}\n")

    def read(self) -> argparse.Namespace:
        """Parse the command line, check that its folders can be written, and set the threads.

        Raises:
            OutputError: A folder cannot be written.
        """
        options = self.parse_args()
        check_writable(options.output)
        if "runs" in options:
            check_writable(options.runs)
        if options.threads:
            torch.set_num_threads(options.threads)
        return options


def check_writable(folder: Path) -> None:
    """Check that a folder can be written or made, and make nothing.

    Raises:
        OutputError: It cannot.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise OutputError(f"{folder}: {there} is a file; give a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: {there} cannot be written; give another folder")


def command(main: Callable[[], None]) -> Callable[[], None]:
    """End a command with one line for an error that is raised on purpose: exit code 2 for wrong input, else 1."""

    @functools.wraps(main)
    def run() -> None:
        try:
            main()
        except ResolventError as error:
            print(f"error: {error}", file=sys.stderr)
            raise SystemExit(2 if isinstance(error, (UsageError, InputError, OutputError)) else 1) from None

    return run
