"""What there is, is listed and printed, for people and as JSON."""

import json
import os
import subprocess
import sys

import pytest

import resolvent.cli


def test_version_is_printed(run):
    assert run("--version") == (0, f"resolvent {resolvent.__version__}\n", "")


def test_json_is_utf8_whatever_the_terminal(photo):
    """A name that is not UTF-8 included: its foreign byte becomes a question mark."""
    command = [sys.executable, "-m", "resolvent", "models", "höl\udcff.onnx", "--json"]
    ended = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert ended.returncode == 1
    assert "höl?.onnx" in json.loads(ended.stdout.decode())["error"]


def test_models_and_methods_are_listed(run):
    code, out, _ = run("models", "--json")
    assert code == 0
    for name, card in json.loads(out).items():
        assert card["name"] == name
        assert card["license"] == "Apache-2.0"
    code, out, _ = run("methods", "--json")
    assert {"nlm", "wiener", "richardson-lucy"} <= set(json.loads(out))


def test_what_recipes_are_written_in_is_listed(run):
    from resolvent.degradations import DEGRADATIONS
    from resolvent.training.recipe_file import load_recipe

    found = json.loads(run("degradations", "--json")[1])
    assert list(found) == list(DEGRADATIONS)
    sigma = found["noise"]["parameters"]["sigma"]
    assert sigma == {"rule": "a number from 0 to 255 gray levels", "required": True, "default": None}
    assert found["rownoise"]["parameters"]["axis"]["default"] == "rows"
    assert json.loads(run("networks", "--json")[1])["unet-small"]["multiple"] == 8
    assert json.loads(run("recipes", "--keys", "--json")[1])["learning_rate"]["default"] == 1.5e-3
    code, _, err = run("recipes", "--keys")
    assert code == 0
    assert "learning_rate" in err
    assert run("recipes", "denoise", "--keys")[0] == 2
    assert json.loads(run("recipes", "--json")[1])["denoise"] == load_recipe("denoise").to_json()
    for command in ("degradations", "networks", "recipes"):
        code, _, err = run(command)
        assert code == 0
        assert len(err.splitlines()) > 5


@pytest.mark.parametrize(
    ("command", "name", "shown"),
    [
        ("methods", "nlm", ("patch_size", "an odd number from 1 to 99 pixels")),
        ("methods", "med", ("levels", "5,4,3")),
        ("networks", "unet-small", ("noise_level", "true or false")),
        ("degradations", "blur", ("ksize", "a whole number from 0 to 999")),
    ],
)
def test_one_entry_is_printed_with_what_can_be_set(run, monkeypatch, command, name, shown):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = run(command, name)
    assert (code, out) == (0, "")
    assert all(text in err for text in shown)
    found = json.loads(run(command, name, "--json")[1])
    assert list(found) == [name]
    code, _, err = run(command, name + "x")
    assert code == 2
    assert f"did you mean {name!r}" in err


def test_the_models_can_be_read_on_a_narrow_terminal(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("models")[2].splitlines()
    head = lines[1 : next(number for number, line in enumerate(lines) if line.startswith("┡"))]
    assert len(head) == 1
    titles = [cell.strip() for cell in head[0].strip("┃").split("┃")]
    assert titles == ["model", "for", "parameters", "license"]
    assert len(head[0].split("┃")[2]) - 2 >= 30
    assert len(lines[0]) <= 80
    assert "a wider terminal, or --json, shows more: photographs, origin" in " ".join(" ".join(lines).split())
    monkeypatch.setenv("COLUMNS", "140")
    assert "photographs ┃ origin" in run("models")[2]


def test_declared_settings_are_printed_as_json(run):
    found = json.loads(run("methods", "tv", "--json")[1])["tv"]["settings"]
    assert found["weight"] == {
        "rule": "a number above 0, up to 1000",
        "default": 0.75,
        "help": "weight of the variation, as a share of sigma",
    }


def test_the_defaults_of_a_network_are_what_it_is_built_with(run, monkeypatch):
    from resolvent.networks import NETWORKS

    for name, about in json.loads(run("networks", "--json")[1]).items():
        for argument, value in NETWORKS[name].arguments.items():
            assert about["settings"][argument]["default"] == (list(value) if isinstance(value, tuple) else value)
    monkeypatch.setenv("COLUMNS", "200")
    shown = run("networks", "unet-small")[2]
    assert "1,1,1,1" in shown
    assert "2,2,2" not in shown
    assert "a recipe's [arguments]" in shown


def test_a_recipe_is_printed_as_a_start_for_an_own_one(run, tmp_path):
    from resolvent.training.recipe_file import load_recipe

    code, out, _ = run("recipes", "deblur")
    assert code == 0
    own = tmp_path / "own.toml"
    own.write_text(out, "utf-8")
    assert load_recipe(str(own)) == load_recipe("deblur")
