"""The pages: every command that they show parses, and every call from Python has arguments that exist.

`make doctest` runs most of their blocks; this also reads those that it skips.
"""

import ast
import doctest
import inspect
import re
import shlex
from functools import cache
from itertools import pairwise
from pathlib import Path
from pkgutil import resolve_name
from textwrap import dedent

import pytest
import typer

from resolvent.cli import CALL_ERROR, app, spread
from resolvent.engine.options import Options

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(r"^( *)```(\w+)[^\n`]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
PUNCTUATION = "();<>|&"
NO_CALL = {"cd", "pip", "git", "kubectl", "make"}
"""Commands that take the name of the package, of a folder or of a cluster."""


def blocks_of(text, *languages):
    """The blocks of a page that are in one of these languages, and comments ``<!--- sh``, whose text is run too."""
    found = [dedent(block) for _, language, block in BLOCK.findall(text) if language in languages]
    hidden = re.findall(r"<!--- sh\n(.*?)-->", text, re.DOTALL) if "sh" in languages else []
    return [*found, *hidden]


def lines_of(block):
    """Lines of a shell, those that go on joined; of a session those after ``$``."""
    lines = re.sub(r"\\\n", " ", block).splitlines()
    session = any(line.startswith("$ ") for line in lines)
    waiting = ""
    for line in (line[2:] if session else line for line in lines if not session or line.startswith("$ ")):
        try:
            yield list(words_of(waiting + line))
            waiting = ""
        except ValueError:  # a quotation that goes on in the next line
            waiting += line + "\n"


def words_of(line):
    """Words of a line, without where its streams go; what separates commands is a word too."""
    line = re.sub(r"(?<=\s)[012](?=[<>])", "", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars=PUNCTUATION)
    lexer.whitespace_split = True
    words, redirected = [], False
    for word in lexer:
        if redirected:
            redirected = False
        elif set(word) <= set("<>&") and word not in ("&", "&&"):
            redirected = True
        else:
            words.append(word)
    return words


def calls_in(block):
    """The arguments of each call of ``resolvent`` in a block of a shell."""
    for words in lines_of(block):
        starts = [0, *(i + 1 for i, word in enumerate(words) if set(word) <= set(PUNCTUATION)), len(words) + 1]
        for start, end in pairwise(starts):
            command = words[start : end - 1]
            if "resolvent" in command[:-1] and command[0] not in NO_CALL:
                yield command[command.index("resolvent") + 1 :]


@cache
def command_line():
    """All commands, which parse their arguments and do nothing."""
    return idle(typer.main.get_command(app))


def idle(command):
    command.callback = lambda **_: None
    for inner in getattr(command, "commands", {}).values():
        idle(inner)
    return command


def parse(arguments):
    command_line().main(spread(arguments), prog_name="resolvent", standalone_mode=False)


def check_calls(code):
    """Check the calls of public names in a program or a doctest, but those that are to fail; how many there are."""
    if code.startswith(">>>"):
        examples = doctest.DocTestParser().get_examples(code)
        code = "".join(example.source for example in examples if example.exc_msg is None)
    tree = ast.parse(code)
    imported = {
        alias.asname or alias.name: f"resolvent.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "resolvent"
        for alias in node.names
    }
    count = 0
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        name = imported.get(name, name)
        if not re.fullmatch(r"resolvent(\.\w+)+", name):
            continue
        count += 1
        signature = inspect.signature(resolve_name(name))
        names = [keyword.arg for keyword in call.keywords if keyword.arg is not None]
        if len(names) == len(call.keywords) and not any(isinstance(value, ast.Starred) for value in call.args):
            signature.bind(*call.args, **dict.fromkeys(names))
        if any(kind.kind is kind.VAR_KEYWORD for kind in signature.parameters.values()):
            assert set(names) <= {*signature.parameters, *Options.__annotations__}, ast.unparse(call)
    return count


@pytest.mark.parametrize("page", PAGES)
def test_every_command_parses(page):
    for block in blocks_of((ROOT / page).read_text("utf-8"), "sh", "console"):
        for arguments in calls_in(block):
            parse(arguments)


@pytest.mark.parametrize("page", PAGES)
def test_every_call_from_python_has_arguments_that_exist(page):
    for block in blocks_of((ROOT / page).read_text("utf-8"), "python"):
        check_calls(block)


def test_the_readme_shows_commands_and_calls():
    text = (ROOT / "README.md").read_text("utf-8")
    commands = [arguments for block in blocks_of(text, "sh", "console") for arguments in calls_in(block)]
    assert len(commands) >= 15
    assert sum(map(check_calls, blocks_of(text, "python"))) >= 2


def test_commands_are_found_wherever_they_stand():
    shell = """
# resolvent restore comment.jpg
cd resolvent && pip install 'resolvent[web]' resolvent
A=1 resolvent restore tcp://host:1 "a|b" 2> log.txt > out; cat x | resolvent restore - -s 2 > y   # and a comment
if true; then (resolvent models); fi
resolvent degrade a.png \\
  'blur:sigma=2' -o b.png && torchrun -m resolvent train
python -m resolvent batch status 'two
lines' &
"""
    session = "$ resolvent models  # exit code 1\nresolvent restore is what it prints\n$ ls\n"
    found = [
        ["restore", "tcp://host:1", "a|b"],
        ["restore", "-", "-s", "2"],
        ["models"],
        ["degrade", "a.png", "blur:sigma=2", "-o", "b.png"],
        ["train"],
        ["batch", "status", "two\nlines"],
    ]
    assert list(calls_in(shell)) == found
    assert list(calls_in(session)) == [["models"]]
    page = (
        f"1. A list\n\n   ```sh\n   resolvent models\n   ```\n\n```console\n{session}```\n<!--- sh\nresolvent x\n-->\n"
    )
    assert [list(calls_in(block)) for block in blocks_of(page, "sh", "console")] == [
        [["models"]],
        [["models"]],
        [["x"]],
    ]


@pytest.mark.parametrize("line", ["restore a.jpg --nope", "retore a.jpg", "restore -s big a.jpg", "batch status"])
def test_a_wrong_command_is_seen(line):
    with pytest.raises(CALL_ERROR):
        parse(line.split())


@pytest.mark.parametrize(
    "code",
    [
        "resolvent.restore(a, modell=1)",
        "resolvent.nothing(a)",
        "resolvent.restore_many(a, b, resumed=True)",
        "from resolvent import Limits\nLimits(gigabytes=1)",
        ">>> import resolvent\n>>> resolvent.Control(1, 2, 3, 4)\n",
        "resolvent.batch.watch.restore_watched(a, sleep=1)",
    ],
)
def test_a_wrong_call_is_seen(code):
    with pytest.raises((AssertionError, AttributeError, TypeError)):
        check_calls(code)


def test_right_calls_are_counted_and_those_that_are_to_fail_are_not():
    failing = ">>> resolvent.restore(1, no=2)\nTraceback (most recent call last):\n  ...\nValueError\n"
    assert check_calls(f"{failing}>>> resolvent.Limits()\n") == 1
    assert check_calls("import resolvent\nfrom resolvent import plan\nplan(resolvent.Image(x), **y)\nprint(x)") == 2


def test_every_figure_of_the_readme_stands_in_the_results():
    readme, results = ((ROOT / name).read_text("utf-8") for name in ("README.md", "benchmarks/RESULTS.md"))
    figures = re.findall(r"(?<![\d.])\d+\.\d\d(?!\d)", readme)
    assert len(figures) > 10
    assert [figure for figure in figures if figure not in results] == []
