"""What is written from the commands: the manual page and the completions say what the help says."""

import re
import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest
import typer

from resolvent import __version__
from resolvent.cli import app
from resolvent.cli.reference import command_tree, man, walk, write

SHARE = Path(__file__).parent.parent.parent / "share"
TREE = command_tree()


def commands(command, name="resolvent"):
    """All commands of typer, by name."""
    yield name, command
    for key, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, f"{name} {key}")


def test_every_command_and_every_option_that_help_shows_is_there():
    found = {command.name: command for command in walk(TREE)}
    known = dict(commands(typer.main.get_command(app)))
    assert list(found) == list(known)
    for name, command in known.items():
        flags = {flag for parameter in command.params if not parameter.hidden for flag in parameter.opts}
        arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
        shown = found[name]
        assert {flag for option in shown.options for flag in option.flags} == {f for f in flags if f.startswith("-")}
        assert len(shown.arguments) == len([argument for argument in arguments if not argument.hidden])
    assert "--input" not in {flag for option in found["resolvent restore"].options for flag in option.flags}


def test_what_is_told_of_an_option():
    restore = next(command for command in walk(TREE) if command.name == "resolvent restore")
    options = {option.flags[-1]: option for option in restore.options}
    assert restore.usage == "resolvent restore [OPTIONS] [inputs]..."
    assert (options["--output"].flags, options["--output"].metavar) == (("-o", "--output"), "<str>")
    assert (options["--repair"].metavar, options["--repair"].default, options["--repair"].panel) == ("", "", "Common")
    assert options["--strength"].description.endswith("Default: 1.")
    assert options["--sigma"].description.count("Default") == 1
    train = next(command for command in walk(TREE) if command.name == "resolvent train")
    assert next(option for option in train.options if "--images" in option.flags).description.endswith("Required.")


@pytest.mark.parametrize("check", [["groff", "-man", "-ww", "-z"], ["mandoc", "-Tlint"]], ids=["groff", "mandoc"])
def test_the_manual_page_has_no_warning(check):
    if shutil.which(check[0]) is None:
        pytest.skip(f"{check[0]} is not installed")
    done = subprocess.run([*check, SHARE / "man/man1/resolvent.1"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_manual_page_shows_text_as_it_is():
    page = man(TREE, "1.2", date(2026, 1, 2))
    assert page.startswith('.TH RESOLVENT 1 "2026-01-02" "resolvent 1.2"')
    assert "\\-\\-dry\\-run" in page
    assert page.isascii()
    requests = {line.split()[0] for line in page.splitlines() if line[:1] in (".", "'")}
    assert requests <= {".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".I", ".br"}


def test_what_is_committed_is_what_the_commands_give(tmp_path):
    """If not: make reference."""
    page = SHARE / "man/man1/resolvent.1"
    (tmp_path / "man/man1").mkdir(parents=True)
    (tmp_path / "man/man1/resolvent.1").write_bytes(page.read_bytes())
    write(tmp_path)
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(files) == sorted(path.relative_to(SHARE) for path in SHARE.rglob("*") if path.is_file())
    for file in files:
        assert (tmp_path / file).read_bytes() == (SHARE / file).read_bytes(), f"{file}: run make reference"
    assert f"resolvent {__version__}" in page.read_text("utf-8")


def test_the_date_of_the_manual_page_changes_with_its_text_alone(tmp_path):
    write(tmp_path)
    page = tmp_path / "man/man1/resolvent.1"
    text = re.sub(r'"\d{4}-\d\d-\d\d"', '"2001-02-03"', page.read_text("utf-8"), count=1)
    page.write_text(text, "utf-8")
    write(tmp_path)
    assert page.read_text("utf-8") == text
    page.write_text(text + ".PP\nmore\n", "utf-8")
    write(tmp_path)
    assert '"2001-02-03"' not in page.read_text("utf-8")
