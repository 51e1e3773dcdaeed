"""docs/engineering/serve.md, the Dockerfile and compose.yaml: what they name exists."""

import json
import re
import shlex
from pathlib import Path

import pytest
import typer

from resolvent.cli import app
from resolvent.web.app import create_app
from resolvent.web.bodies import JobBody
from resolvent.web.forms import JobForm
from resolvent.web.metrics import Metrics
from resolvent.web.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/engineering/serve.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SHELL = [line for language, block in BLOCKS if not language for line in block.splitlines()]


def serve(arguments):
    """The parameters of ``resolvent serve`` with these arguments."""
    command = typer.main.get_command(app).commands["serve"]
    return command, command.make_context("serve", list(arguments)).params


def test_every_option_stands_in_the_table_with_its_default():
    rows = re.findall(r"^\| `(--[\w-]+)` \| (\S+) \|", TEXT, re.MULTILINE)
    command, _ = serve([])
    options = {option.opts[0]: option.default for option in command.params if option.opts != ["--help"]}
    assert [name for name, _ in rows] == list(options)
    for name, written in rows:
        if name != "--token":
            shown = {"none": None, "off": False}.get(written, written)
            assert str(shown) == str(options[name]), name


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith("resolvent serve")])
def test_every_start_parses(line):
    _, given = serve(shlex.split(line)[2:])
    token = "x" * 16 if given["host"] != "127.0.0.1" else None
    Settings(host=given["host"], hosts=tuple(given["allow_host"] or ()), token=token)


def test_every_path_exists_for_its_method():
    paths = create_app(Settings()).openapi()["paths"]
    found = []
    for line in SHELL:
        for url in re.findall(r"http://[\w.]+:8484(/[^\s\"']*)", line.partition("#")[0]):
            path = url.partition("?")[0].replace("$JOB", "{name}")
            method = "delete" if "-X DELETE" in line else "post" if re.search(" -F | --form", line) else "get"
            assert method in paths[path], line
            found.append(path)
    assert len(found) > 12
    assert set(paths) > set(found)


def test_every_field_that_is_sent_is_one():
    known = {field.alias or name for name, field in JobForm.model_fields.items()}
    sent = {name for line in SHELL for name in re.findall(r"-F (\w+)=", line)}
    listed = re.search(r"named as on the command line: (.*?)\.\n", TEXT, re.DOTALL)
    assert sent | set(re.findall(r"`(\w+)`", listed[1])) <= known
    assert {"file", "source", "model"} <= sent


def test_what_is_said_of_an_error_is_what_is_answered():
    (line,) = (line for line in SHELL if line.startswith('{"type"'))
    from resolvent.web.problems import Problem

    given = json.loads(line.replace(",...}", "}"))
    answered = json.loads(Problem(given["status"], given["detail"]).response().body)
    assert given == {name: answered[name] for name in given}


def test_every_metric_is_counted():
    known = Metrics().text().decode()
    for name in re.findall(r"`(resolvent_(?!session)\w+)`", TEXT):
        assert re.search(rf"^# HELP {name} |^{name}(\{{| )", known, re.MULTILINE), name


def test_states_are_those_of_a_job():
    (states,) = re.findall(r"^A job is (.*?);", TEXT, re.MULTILINE)
    assert tuple(re.findall(r"`(\w+)`", states)) == JobBody.model_fields["state"].annotation.__args__


def test_the_container_starts_what_exists():
    lines = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
    given = {line.partition(" ")[0]: line.partition(" ")[2].strip() for line in lines}
    start = [*json.loads(given["ENTRYPOINT"]), *json.loads(given["CMD"])]
    assert start[:2] == ["resolvent", "serve"]
    command, values = serve(start[2:])
    assert values["host"] == "0.0.0.0"
    port = next(option.default for option in command.params if option.name == "port")
    assert f"http://127.0.0.1:{port}/healthz" in given["HEALTHCHECK"]
    assert f'"127.0.0.1:{port}:{port}"' in (ROOT / "compose.yaml").read_text("utf-8")
    assert given["EXPOSE"] == str(port)
    assert given["USER"] == "10001"
    for needed in (ROOT / ".dockerignore").read_text("utf-8").split():
        assert not needed.startswith("!") or (ROOT / needed[1:]).exists(), needed
