"""The README: its commands parse, and its Python calls what exists with arguments that exist."""

import ast
import inspect
import re
import shlex
from pathlib import Path

import typer

import resolvent
from resolvent.cli import app, spread
from resolvent.engine.options import Options

TEXT = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SHELL = "\n".join(text for language, text in BLOCKS if language == "sh").splitlines()
PYTHON = "\n".join(text for language, text in BLOCKS if language == "python")


def calls_in(line):
    """The arguments of each call of ``resolvent`` in a line of a shell."""
    words = list(shlex.shlex(line, posix=True, punctuation_chars="|;<>"))
    for start in [i for i, word in enumerate(words) if word == "resolvent"]:
        end = next((i for i in range(start, len(words)) if set(words[i]) <= set("|;<>")), len(words))
        yield words[start + 1 : end]


def idle(command):
    """A command whose calls are parsed and do nothing."""
    command.callback = lambda **_: None
    for inner in getattr(command, "commands", {}).values():
        idle(inner)
    return command


def test_every_command_parses():
    command = idle(typer.main.get_command(app))
    found = [arguments for line in SHELL for arguments in calls_in(line) if arguments]
    assert len(found) >= 15
    for arguments in found:
        command.main(spread(arguments), prog_name="resolvent", standalone_mode=False)


def test_every_call_from_python_has_arguments_that_exist():
    calls = [node for node in ast.walk(ast.parse(PYTHON)) if isinstance(node, ast.Call)]
    calls = [node for node in calls if ast.unparse(node.func).startswith("resolvent.")]
    assert len(calls) >= 1
    for call in calls:
        signature = inspect.signature(getattr(resolvent, call.func.attr))
        names = [keyword.arg for keyword in call.keywords]
        signature.bind(*call.args, **dict.fromkeys(names))
        assert set(names) <= {*signature.parameters, *Options.__annotations__}, ast.unparse(call)
