"""The man page, the completions and the reference are those of the commands; completion works in a shell."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import resolvent
from resolvent.cli import app
from resolvent.cli.complete import degradations, recipes
from resolvent.cli.reference import COMPLETIONS, command_tree, man_page, markdown, write_share

ROOT = Path(__file__).parents[2]


def test_what_the_wheel_holds_is_what_the_commands_give(tmp_path):
    write_share(tmp_path)
    made = {path.relative_to(tmp_path): path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file()}
    kept = {path.relative_to(ROOT / "share"): path for path in (ROOT / "share").rglob("*") if path.is_file()}
    assert set(made) == set(kept) == {Path("man/man1/resolvent.1"), *map(Path, COMPLETIONS.values())}
    for name, text in made.items():
        assert text == kept[name].read_text("utf-8"), f"{name} is not what the commands give: make reference"


def commands(group, name=()):
    for key, command in getattr(group, "commands", {}).items():
        yield (*name, key), command
        yield from commands(command, (*name, key))


def test_every_command_and_every_option_is_in_both():
    tree, text = command_tree(), markdown(command_tree())
    man = man_page(tree, resolvent.__version__).replace("\\-", "-")
    for name, command in commands(typer.main.get_command(app)):
        assert f"## resolvent {' '.join(name)} {{ #resolvent-{'-'.join(name)} }}" in text
        section = text.partition(f"{{ #resolvent-{'-'.join(name)} }}")[2].partition("\n## ")[0]
        for parameter in command.params:
            if parameter.param_type_name == "option" and not parameter.hidden:
                for option in parameter.opts:
                    assert re.search(rf"`[^`]*{option}\b[^`]*`", section), (name, option)
                    assert re.search(rf"^\.B .*{option}\b", man, re.MULTILINE), (name, option)


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_man_page_has_no_warning():
    command = ["groff", "-man", "-ww", "-Tutf8", "-z", str(ROOT / "share/man/man1/resolvent.1")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""


COMPLETE = """
source {script}
COMP_WORDS=({words}); COMP_CWORD={last}
_resolvent_completion resolvent
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("resolvent rest", ["restore"]),
        ("resolvent restore --mod", ["--model"]),
        ("resolvent restore -m den", ["denoise", "denoise-white"]),
        ("resolvent restore --method rich", ["richardson-lucy"]),
        ("resolvent train upsc", ["upscale2", "upscale4", "upscale4-gan"]),
        ("resolvent degrade photo.png chr", ["chroma"]),
        ("resolvent models de", ["deblur", "dejpeg", "denoise", "denoise-white"]),
    ],
)
def test_bash_completes(tmp_path, words, offered):
    program = tmp_path / "resolvent"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -m resolvent\n")
    program.chmod(0o755)
    script = COMPLETE.format(script=ROOT / "share" / COMPLETIONS["bash"], words=words, last=len(words.split()) - 1)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert sorted(done.stdout.split()) == offered


def test_a_degradation_behind_a_plus_is_completed():
    assert degradations("blur:sigma=2 + nois") == ["blur:sigma=2 + noise"]
    assert degradations("nois") == ["noise"]
    assert "denoise" in recipes("")


def test_completion_loads_nothing_heavy():
    program = (
        "import sys; from resolvent.cli import complete\n"
        "for name in complete.__all__: assert getattr(complete, name)(''), name\n"
        "print([m for m in ('torch', 'onnxruntime', 'PIL', 'pyvips', 'onnx', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
