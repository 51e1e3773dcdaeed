"""The command line: it parses, calls and prints.

What a person reads goes to stderr; ``--json`` prints one object on stdout. Exit codes: 0 all done, 1 some inputs
failed, 2 the call itself is wrong, 128 and more stopped by that signal; ``restore --watch`` is meant to end so, with 0
or 1. What a command needs is imported when it runs, so that its help is there at once.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from glob import glob
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from resolvent import __version__
from resolvent.cli.batch import app as batch
from resolvent.cli.diagnosis import diagnose
from resolvent.cli.flags import in_flags
from resolvent.cli.lab import benchmark, calibrate, compare, export, train
from resolvent.cli.lists import degradations, methods, networks, objectives, recipes
from resolvent.cli.models import app as models
from resolvent.cli.options import fail
from resolvent.cli.photographs import degrade, demo, restore
from resolvent.cli.serve import serve
from resolvent.cli.signals import STOP, stoppable
from resolvent.errors import ElsewhereError, ResolventError, UsageError, internal

__all__ = ["app", "main"]

app = typer.Typer(
    name="resolvent",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def print_version(asked: bool) -> None:
    """Print the version and end, if asked."""
    if asked:
        typer.echo(f"resolvent {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=print_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an internal error.")] = False,
) -> None:
    """Restore noisy, blurred and over-compressed photographs."""
    if debug:
        logging.basicConfig(format="%(message)s", level=logging.WARNING)
        logging.getLogger("resolvent").setLevel(logging.DEBUG)


for command in (restore, diagnose, serve, degrade, train, export, calibrate, benchmark, compare, demo):
    app.command()(command)
app.add_typer(models, name="models")
app.add_typer(batch, name="batch")
for listing in (methods, degradations, networks, objectives, recipes):
    app.command()(listing)

CALL_ERROR: Any = typer.BadParameter.__base__
"""What typer raises for an option or an argument that it cannot read; it does not export the class itself."""

DEBUG = "--debug"
"""Of all commands, wherever it stands."""

RENAMED = {"--licence": "--license"}
"""Options as they were called before this release."""

PARSED = {"float_parsing": "a number, such as 0.5", "int_parsing": "a whole number, such as 2"}
"""What a value has to be where pydantic, by which typer reads it, reports that kind of error."""

SEVERAL = ("--sigma", "--levels", "--degradation", "--methods", "--models", "--tasks")
"""Options of ``benchmark`` and ``compare`` that take several values: ``--sigma 15 25 50``."""

UNCERTAINTY = "--uncertainty"
ERROR_MAPS = ("learned", "jacobian")


def main() -> NoReturn:
    """Run the command line, with one line for every wrong call and every error that Resolvent raises on purpose."""
    if sys.stderr is None:  # closed by the caller
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for the life of the process
    options, files = before_files(expanded(sys.argv[1:]) if os.name == "nt" else sys.argv[1:])
    debug = DEBUG in options
    try:
        arguments = spread([RENAMED.get(option, option) for option in options if option != DEBUG]) + files
        arguments = [DEBUG] * debug + (arguments or ["--help"])
        with stoppable():
            code = app(arguments, prog_name="resolvent", standalone_mode=False)
    except CALL_ERROR as error:
        where = error.ctx.command_path if error.ctx else "resolvent"
        fail(f"{explained(error)} (see {where} -h)", 2)
    except ElsewhereError:
        sys.exit(1)
    except UsageError as error:
        fail(in_flags(str(error)), 2)
    except ResolventError as error:
        fail(in_flags(str(error)), 1)
    except Exception as error:
        if debug:
            raise
        fail(internal(error), 1)
    if code == 130:  # typer's word for Ctrl-C
        fail("stopped", STOP.exit_code)
    sys.exit(code)


def explained(error: Any) -> str:
    """Say what is wrong with a call in one line; typer names no value that is no number, nor the command that is meant.

    Args:
        error: A CALL_ERROR.
    """
    message = " ".join(error.format_message().split())
    wrong = getattr(error.__cause__, "errors", None)
    if wrong is not None and (rule := PARSED.get((found := wrong()[0])["type"])) is not None:
        return f"{'/'.join(error.param.opts)} {found['input']}: must be {rule}"
    name = re.fullmatch("No such command '(.*)'.", message)
    if name and Path(name[1]).exists():
        return f"No such command '{name[1]}'; to restore it, give resolvent restore '{name[1]}'"
    return message


def expanded(arguments: list[str]) -> list[str]:
    """Put the files that a pattern such as ``*.jpg`` finds in its place, which no shell of Windows does."""
    found: list[str] = []
    for argument in arguments:
        pattern = re.search(r"[*?]", argument) and not argument.startswith("-") and "://" not in argument
        found += (sorted(glob(argument)) if pattern else []) or [argument]  # noqa: PTH207 - as text, with .. and drives
    return found


def before_files(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Split before ``--``, after which whatever looks like an option is a file."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:end], arguments[end:]


def spread(arguments: list[str]) -> list[str]:
    """Repeat an option of ``benchmark`` or ``compare`` for each of its values; let some options stand without a value.

    These are ``--json`` of these two, and ``--uncertainty`` of ``restore``.

    Examples:
        >>> spread(["benchmark", "denoise", "--sigma", "15", "25", "--json"])
        ['benchmark', 'denoise', '--sigma', '15', '--sigma', '25', '--json', '-']
        >>> spread(["compare", "--methods", "nlm", "tv", "-o", "a.html", "b.png"])
        ['compare', '--methods', 'nlm', '--methods', 'tv', '-o', 'a.html', 'b.png']
        >>> spread(["restore", "--uncertainty", "photo.jpg"])
        ['restore', '--uncertainty', 'learned', 'photo.jpg']
    """
    if arguments[:1] == ["restore"]:
        return with_kind(arguments)
    if arguments[:1] not in (["benchmark"], ["compare"]):
        return arguments
    result: list[str] = []
    option, values = "", 0
    for argument in [*arguments, "--"]:
        if argument.startswith("--") or (argument[:1] == "-" and argument[1:2].isalpha()):
            if option == "--json" and not values:
                result.append("-")
            option, values = argument, 0
        else:
            if option in SEVERAL and values:
                result.append(option)
            values += 1
        result.append(argument)
    return result[:-1]


def with_kind(arguments: list[str]) -> list[str]:
    """Name the kind of uncertainty where ``--uncertainty`` stands without one."""
    result: list[str] = []
    for argument, following in pairwise([*arguments, "--"]):
        result.append(argument)
        if argument == UNCERTAINTY and not is_kind(following):
            result.append(ERROR_MAPS[0])
    return result


def is_kind(text: str) -> bool:
    """Whether what follows ``--uncertainty`` is its kind, be it misspelled or empty, and no option and no file.

    Examples:
        >>> [is_kind(text) for text in ("jacobian:probes=8", "jacobi", "", "jacobian.png", "-o")]
        [True, True, True, False, False]
    """
    if re.fullmatch(rf"|{'|'.join(ERROR_MAPS)}|jacobian:\s*\w+\s*=.*", text):
        return True
    return bool(re.fullmatch(r"[a-z]+(:.*)?", text)) and not os.path.lexists(text)
