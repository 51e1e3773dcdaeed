"""Completion, as the shells ask for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from resolvent.cli import complete
from resolvent.cli.reference import command_tree
from resolvent.evaluation.benchmark import TASKS
from resolvent.image.formats import DEPTHS
from resolvent.image.strip import STRIPS
from resolvent.inference.runtime import RUNTIMES
from resolvent.methods import METHODS
from resolvent.models.registry import bundled
from resolvent.training.recipe_file import recipes

SHARE = Path(__file__).parent.parent.parent / "share"


@pytest.fixture
def environment(tmp_path):
    """One in which the program is on the path."""
    program = tmp_path / "bin" / "resolvent"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m resolvent "$@"\n')
    program.chmod(0o755)
    (tmp_path / "photo.jpg").touch()
    here = {"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path)}
    return {**os.environ, **here}


BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_resolvent_completion resolvent
printf '%s\\n' "${COMPREPLY[@]}"
complete -p resolvent
"""


def completed(environment, *words):
    """What bash offers for the last word."""
    script = SHARE / "bash-completion/completions/resolvent"
    command = ["bash", "--norc", "-c", BASH, "bash", script, "resolvent", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    *offered, registered = done.stdout.splitlines()
    assert (done.stderr, registered) == ("", "complete -o default -F _resolvent_completion resolvent")
    return [word for word in offered if word]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["re"], ["restore", "recipes"]),
        (["restore", "--stre"], ["--strength"]),
        (["restore", "-m", "denoise"], ["denoise", "denoise-white"]),
        (["restore", "--method", "pn"], ["pnp"]),
        (["restore", "pho"], []),  # the shell's own: files
        (["models", "upscale"], ["upscale2", "upscale4"]),
        (["models", "re"], ["remove", "restore"]),
        (["models", "denoise", "--js"], ["--json"]),
        (["batch", ""], ["status", "report"]),
    ],
)
def test_bash(environment, words, offered):
    assert completed(environment, *words) == offered


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes_at_the_first_tab(environment, tmp_path):
    program = f"""
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; unsetopt zle_bracketed_paste 2> /dev/null; fpath=({SHARE}/zsh/site-functions $fpath)'
zpty -w shell 'autoload -Uz compinit; compinit -u; echo R''EADY'
zpty -r shell said '*READY*'
zpty -w -n shell $'resolvent restore --stre\\t'
zpty -r shell said '*--strength*' && echo completed
"""
    done = subprocess.run(["zsh", "-f", "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert "completed" in done.stdout


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish(environment):
    script = SHARE / "fish/vendor_completions.d/resolvent.fish"
    program = f"source {script}; complete -C 'resolvent restore --method pn'"
    done = subprocess.run(["fish", "-N", "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.split("\t")[0] == "pnp"
    assert METHODS["pnp"].summary[:20] in done.stdout


def test_values_are_those_that_the_commands_take():
    def names(values):
        return [value if isinstance(value, str) else value[0] for value in values]

    assert names(complete.models()) == list(bundled())
    assert names(complete.recipes()) == sorted(recipes())
    assert names(complete.tasks()) == [*TASKS, "all"]
    assert names(complete.formats()) == sorted(DEPTHS)
    assert names(complete.stripped()) == list(STRIPS)
    assert set(names(complete.runtimes())) == {"auto", *RUNTIMES}
    assert command_tree().commands  # and so every parameter was made


def test_completion_loads_no_runtime():
    program = (
        "import sys\nimport resolvent.cli\nfrom resolvent.cli import complete\n"
        f"for name in {complete.__all__}: assert isinstance(getattr(complete, name)(), list)\n"
        "heavy = {'torch', 'onnxruntime', 'pyvips', 'PIL', 'scipy', 'skimage'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
