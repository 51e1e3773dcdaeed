"""The commands as plain data, and what is written from them: the manual page and shell completions.

``python -m resolvent.cli.reference share/`` writes ``share/``, which the wheel installs.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

__all__ = ["Command", "Parameter", "command_tree", "completions", "man", "panels", "walk", "write"]

PROGRAM = "resolvent"
ADDRESS = "https://github.com/resolvent/resolvent"
PAGE = Path("man/man1/resolvent.1")

COMPLETIONS = {
    "bash": Path("bash-completion/completions/resolvent"),
    "zsh": Path("zsh/site-functions/_resolvent"),
    "fish": Path("fish/vendor_completions.d/resolvent.fish"),
}
"""Where each shell looks for it below ``share/``. PowerShell has no such folder: --install-completion is for it."""

AUTOLOADED = """
if [[ ${zsh_eval_context[-1]} == loadautofunc ]]; then
  _resolvent_completion "$@"
fi
"""
"""zsh loads the file at the first Tab, and typer's script would answer only the second one."""

EXIT_STATUS = {
    "0": "All is done.",
    "1": "Some inputs failed.",
    "2": "The call itself is wrong; nothing was done.",
    "128+n": "Stopped by the signal n: 130 is Ctrl-C.",
}

ENVIRONMENT = {
    "RESOLVENT_BATCHES": "Folder of the manifests of batches whose outputs are objects of a store.",
    "RESOLVENT_MODELS": "Folder of added models.",
    "RESOLVENT_TOKEN": "Token that requests to the server have to bring.",
    "NO_COLOR": "If set, the output has no colors.",
}

EXAMPLES = {
    "resolvent restore photo.jpg": "Restore a photograph, as photo.restored.jpg beside it.",
    "resolvent restore holiday/ -o clean/ --resume": "Restore a folder; the same command goes on after any stop.",
    "resolvent restore scan.tif --repair": "Find and fill scratches and dust.",
    "resolvent diagnose photo.jpg": "Measure what is wrong with it.",
}


@dataclass(frozen=True)
class Parameter:
    """An argument or an option.

    Attributes:
        name: Of an argument, as its usage has it.
        flags: Of an option, the short one first; an argument has none.
        metavar: What its value is, such as ``<path>``; empty for a flag.
        help: What it is.
        default: As text; empty if there is none.
        required: It must be given.
        panel: The group of options in which the help shows it; empty for that of all.
    """

    name: str
    flags: tuple[str, ...]
    metavar: str
    help: str
    default: str
    required: bool
    panel: str

    @property
    def synopsis(self) -> str:
        """Its flags and its value, such as ``-o, --output <path>``."""
        return " ".join(filter(None, [", ".join(self.flags) or self.name, self.metavar]))

    @property
    def description(self) -> str:
        """Its help, with the default that is not stated there."""
        stated = "default" in self.help.lower() or not self.default
        more = [] if stated else [f"Default: {self.default}."]
        if self.required and self.flags:
            more.append("Required.")
        return " ".join(filter(None, [self.help, *more]))


@dataclass(frozen=True)
class Command:
    """A command with all that its help shows.

    Attributes:
        name: With the commands that it is part of, such as ``resolvent batch status``.
        usage: The line that shows how it is called.
        help: Paragraphs, the first of them a phrase.
        arguments: In their order.
        options: In the order of the help, without ``--help``, which all have.
        commands: Those that are part of it.
    """

    name: str
    usage: str
    help: tuple[str, ...]
    arguments: tuple[Parameter, ...]
    options: tuple[Parameter, ...]
    commands: tuple[Command, ...]


def command_tree() -> Command:
    """The program with its commands, as the help shows them; hidden options and commands are left out."""
    import typer

    from resolvent.cli import app

    return _command(typer.main.get_command(app), PROGRAM, None)


def _command(command: Any, name: str, parent: Any) -> Command:
    import typer

    context = typer.Context(command, info_name=name.rpartition(" ")[2], parent=parent)
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    inner = {key: part for key, part in getattr(command, "commands", {}).items() if not part.hidden}
    return Command(
        name,
        " ".join([name, *command.collect_usage_pieces(context)]),
        tuple(" ".join(paragraph.split()) for paragraph in (command.help or "").split("\n\n")),
        tuple(_parameter(found, context) for found in shown if found.param_type_name == "argument"),
        tuple(_parameter(found, context) for found in shown if found.param_type_name == "option"),
        tuple(_command(part, f"{name} {key}", context) for key, part in inner.items()),
    )


def _parameter(parameter: Any, context: Any) -> Parameter:
    is_option = parameter.param_type_name == "option"
    is_flag = is_option and parameter.is_flag
    metavar = "" if is_flag else re.sub(r"<list\[(.*)\]>", r"<\1>", parameter.display_type_rich(context))
    default = "" if is_flag or parameter.default in (None, "", (), []) else parameter.default
    return Parameter(
        parameter.get_usage_pieces(context)[0] if not is_option else parameter.name,
        tuple(sorted(parameter.opts, key=len)) if is_option else (),
        metavar,
        parameter.help or "",
        f"{default:g}" if isinstance(default, float) else str(default),
        parameter.required,
        getattr(parameter, "rich_help_panel", None) or "",
    )


def walk(tree: Command) -> Iterator[Command]:
    """All commands, each before those that are part of it."""
    yield tree
    for command in tree.commands:
        yield from walk(command)


def panels(command: Command) -> dict[str, list[Parameter]]:
    """The options by panel, in the order of the help."""
    panels: dict[str, list[Parameter]] = {}
    for option in command.options:
        panels.setdefault(option.panel or "Options", []).append(option)
    return panels


def man(tree: Command, version: str, day: date) -> str:
    """The manual page of all commands, in the man macros of roff."""
    lines = [
        f'.TH {PROGRAM.upper()} 1 "{day}" "{PROGRAM} {version}" "User Commands"',
        ".SH NAME", f"{PROGRAM} \\- {_roff(tree.help[0][0].lower() + tree.help[0][1:].rstrip('.'))}",
        ".SH SYNOPSIS", "\n.br\n".join(_synopsis(command) for command in walk(tree) if not command.commands),
        ".SH DESCRIPTION", *_paragraphs(tree.help),
        ".PP", "Inputs are never changed or replaced.",
        ".SH OPTIONS", *_list(tree.options), *_item("-h, --help", "Show the help of the program or of a command."),
        ".SH COMMANDS",
    ]  # fmt: skip
    for command in walk(tree):
        if command is tree:
            continue
        lines += [f".SS {_roff(command.name)}", *_paragraphs(command.help), *_list(command.arguments)]
        for title, options in panels(command).items():
            lines += [".PP", f".I {title}", *_list(options)]
    for title, items in (
        ("EXIT STATUS", EXIT_STATUS),
        ("ENVIRONMENT", ENVIRONMENT),
        ("EXAMPLES", EXAMPLES),
        ("SEE ALSO", {ADDRESS: "Documentation, models, and where to report what is wrong."}),
    ):
        lines += [f".SH {title}", *(line for name, text in items.items() for line in _item(name, text))]
    return "\n".join(lines) + "\n"


def _synopsis(command: Command) -> str:
    return f".B {_roff(command.name)}\n{_roff(command.usage.removeprefix(command.name).strip())}"


def _paragraphs(texts: tuple[str, ...]) -> list[str]:
    """Paragraphs; the first follows a heading, which makes the space before it."""
    return [line for i, text in enumerate(texts) for line in ([".PP"] * bool(i) + [_roff(text)])]


def _list(parameters: tuple[Parameter, ...] | list[Parameter]) -> list[str]:
    return [line for parameter in parameters for line in _item(parameter.synopsis, parameter.description)]


def _item(name: str, text: str) -> list[str]:
    return [".TP", f".B {_roff(name)}", _roff(text)]


def _roff(text: str) -> str:
    """Text for roff, in short lines: no character of it is a request, and a hyphen can be copied into a shell."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in text)
    lines = textwrap.wrap(text, 76, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"\\&{line}" if line[0] in ("'", ".") else line for line in lines)


def completions() -> dict[str, str]:
    """The scripts that typer makes for each shell that loads them from a folder."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # not exported

    scripts = {
        shell: get_completion_script(prog_name=PROGRAM, complete_var=f"_{PROGRAM.upper()}_COMPLETE", shell=shell) + "\n"
        for shell in COMPLETIONS
    }
    return scripts | {"zsh": scripts["zsh"] + AUTOLOADED}


def write(share: Path) -> None:
    """Write the manual page and the completions below a folder; the page keeps its date if nothing else has changed."""
    from resolvent import __version__

    page, tree = share / PAGE, command_tree()
    before = page.read_text("utf-8") if page.exists() else ""
    dated = re.match(r'\.TH \S+ 1 "([0-9-]{10})"', before)
    text = man(tree, __version__, date.fromisoformat(dated[1])) if dated else ""
    if text != before or not text:
        text = man(tree, __version__, datetime.now(UTC).date())
    for path, content in {
        PAGE: text,
        **{COMPLETIONS[shell]: script for shell, script in completions().items()},
    }.items():
        (share / path).parent.mkdir(parents=True, exist_ok=True)
        (share / path).write_text(content, "utf-8", newline="\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
