"""The commands as plain data, and what is made of it: the reference in Markdown, the man page, shell completions.

``python -m resolvent.cli.reference share`` writes the man page and the completions below a folder, as packages of Unix
lay them out; ``make reference`` does so for those that the wheel holds.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer

__all__ = ["COMPLETIONS", "Command", "Option", "command_tree", "man_page", "markdown", "write_share"]

COMPLETIONS = {
    "bash": "bash-completion/completions/resolvent",
    "zsh": "zsh/site-functions/_resolvent",
    "fish": "fish/vendor_completions.d/resolvent.fish",
}
"""Where each shell looks for completions, below ``share``."""

OTHERS = "Options"
"""The group of options that name none."""

INTRODUCTION = (
    "Restores noisy, blurred, small, scratched and over-compressed photographs, trains models for that, and measures "
    "them. What a person reads is printed to the standard error; --json prints one object to the standard output."
)
EXIT_CODES = {
    "0": "All done.",
    "1": "An input failed, or could not be read or written.",
    "2": "The call is wrong; nothing was done.",
    "128 + N": "Stopped by signal N: 130 by Ctrl-C, 143 by kill.",
}
ENVIRONMENT = {
    "RESOLVENT_TOKEN": "Token that requests to resolvent serve have to bring.",
    "RESOLVENT_MODELS": "Folder of the models that resolvent models add has added.",
    "RESOLVENT_BATCHES": "Folder of the manifests of batches whose output is a URL.",
}


@dataclass(frozen=True)
class Option:
    """An option or an argument.

    Attributes:
        usage: How it is written, such as ``-o, --output PATH``.
        help: What it does.
        group: The heading that it stands under; empty for an argument.
    """

    usage: str
    help: str
    group: str


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        name: As it is typed, such as ``resolvent models add``.
        usage: What follows the name.
        help: Paragraphs of text; the first is a line.
        options: Its arguments, then its options, in the order of ``--help``.
        commands: Those below it.
    """

    name: str
    usage: str
    help: tuple[str, ...]
    options: tuple[Option, ...]
    commands: tuple[Command, ...]

    def walk(self) -> Iterator[Command]:
        """This command, and all below it."""
        yield self
        for command in self.commands:
            yield from command.walk()

    def grouped(self) -> dict[str, list[Option]]:
        """The options by their heading, those of no group last; arguments first, under no heading."""
        groups: dict[str, list[Option]] = {"": [], **{option.group: [] for option in self.options}}
        for option in self.options:
            groups[option.group].append(option)
        groups[OTHERS] = groups.pop(OTHERS, [])
        return {group: options for group, options in groups.items() if options}


def command_tree() -> Command:
    """The whole command line."""
    from resolvent.cli import app

    return _described(typer.main.get_command(app), "resolvent", None)


def _described(command: Any, name: str, parent: Any) -> Command:
    context = command.make_context(name.rpartition(" ")[2], [], parent=parent, resilient_parsing=True)
    options = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None or parameter.name in ("install_completion", "show_completion"):
            continue
        argument = parameter.param_type_name == "argument"
        usage = re.sub(r" ?<(?:list\[)?(\w+)\]?>", "" if argument else lambda found: f" {found[1].upper()}", record[0])
        group = "" if argument else parameter.rich_help_panel or OTHERS
        options.append(Option(usage.replace(" BOOL", ""), " ".join(record[1].split()), group))
    below = getattr(command, "commands", {})
    return Command(
        name,
        " ".join(command.collect_usage_pieces(context)),
        tuple(" ".join(part.split()) for part in cleandoc(command.help or "").split("\n\n")),
        tuple(options),
        tuple(_described(inner, f"{name} {key}", context) for key, inner in below.items()),
    )


def markdown(tree: Command) -> str:
    """A page with a section for each command."""
    parts = ["# Command line", INTRODUCTION]
    rows = [f"| [`{c.name}`](#{_anchor(c)}) | {_escaped(c.help[0])} |" for c in tree.walk() if c is not tree]
    parts.append("\n".join(["| command | what it does |", "|---|---|", *rows]))
    for command in tree.walk():
        level = "##" if command.name.count(" ") < 2 else "###"
        parts += [f"{level} {command.name} {{ #{_anchor(command)} }}", *map(_escaped, command.help)]
        parts.append(f"```text\n{command.name} {command.usage}\n```")
        for group, options in command.grouped().items():
            rows = [f"| `{option.usage}` | {_escaped(option.help)} |" for option in options]
            parts.append("\n".join([f"| {group or 'Arguments'} | |", "|---|---|", *rows]))
    parts.append("## Exit codes\n\n" + "\n".join(f"- {code}: {meaning}" for code, meaning in EXIT_CODES.items()))
    parts.append("## Environment\n\n" + "\n".join(f"- `{name}`: {what}" for name, what in ENVIRONMENT.items()))
    return "\n\n".join(parts) + "\n"


def _anchor(command: Command) -> str:
    return command.name.replace(" ", "-")


def _escaped(text: str) -> str:
    """Text in which Markdown finds no markup."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text)


def man_page(tree: Command, version: str) -> str:
    """The manual of all commands, in the macros of man(7).

    Args:
        tree: All commands.
        version: Of Resolvent.
    """
    lines = [f'.TH RESOLVENT 1 "" "Resolvent {_roff(version)}" "User Commands"']
    lines += [".SH NAME", f"resolvent \\- {_roff(tree.help[0].rstrip('.').lower())}"]
    lines += [".SH SYNOPSIS", ".B resolvent", _roff(tree.usage), ".SH DESCRIPTION", _roff(INTRODUCTION)]
    lines += [".SH OPTIONS", *_roff_options(tree)]
    lines.append(".SH COMMANDS")
    for command in tree.walk():
        if command is not tree:
            lines += [".SS", _roff(f"{command.name} {command.usage}"), _roff(command.help[0])]
            for paragraph in command.help[1:]:
                lines += [".PP", _roff(paragraph)]
            lines += _roff_options(command)
    for title, table in (("EXIT STATUS", EXIT_CODES), ("ENVIRONMENT", ENVIRONMENT)):
        lines.append(f".SH {title}")
        for name, what in table.items():
            lines += [".TP", f".B {_roff(name)}", _roff(what)]
    lines += [".SH EXAMPLES"]
    for example, what in EXAMPLES.items():
        lines += [".TP", f".B {_roff(example)}", _roff(what)]
    return "\n".join(lines) + "\n"


EXAMPLES = {
    "resolvent restore photo.jpg": "Writes photo.restored.jpg.",
    "resolvent restore holiday/ -o clean/ --resume": "A folder with its subfolders; goes on where it was stopped.",
    "resolvent serve --open": "A page in the browser: drop photographs on it.",
    "resolvent train denoise --images photos/ --budget 30m": "Trains a model on clean photographs.",
}


def _roff_options(command: Command) -> list[str]:
    lines = []
    for group, options in command.grouped().items():
        lines += [".PP", f".I {_roff(group)}"] if group not in ("", OTHERS) else []
        for option in options:
            if option.usage != "-h, --help":
                lines += [".TP", f".B {_roff(option.usage)}", _roff(option.help)]
    return lines


def _roff(text: str) -> str:
    """Text in which roff finds no request and no escape."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text)


def write_share(share: Path) -> None:
    """Write the man page and the completions below a folder."""
    from resolvent import __version__

    for name, text in _files(__version__).items():
        path = share / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def _files(version: str) -> Mapping[str, str]:
    from typer._completion_shared import get_completion_script

    files = {"man/man1/resolvent.1": man_page(command_tree(), version)}
    for shell, name in COMPLETIONS.items():
        script = get_completion_script(prog_name="resolvent", complete_var="_RESOLVENT_COMPLETE", shell=shell)
        files[name] = script.strip() + "\n"
    return files


if __name__ == "__main__":
    write_share(Path(sys.argv[1]))
