"""docs/engineering/serve.md, containers.md, security.md, the Dockerfile and compose.yaml: what they name exists."""

import json
import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from resolvent.batch.executors import dask
from resolvent.batch.resources import EACH
from resolvent.batch.watch import SETTLE
from resolvent.cli import app
from resolvent.image import Limits, decode, jpeg, tiff
from resolvent.image.formats import LONGEST
from resolvent.inference import runtime
from resolvent.inference.tiles import SMALLEST_TILE
from resolvent.methods import METHODS
from resolvent.models import graph
from resolvent.system import CEILING
from resolvent.web import guard, pool, server
from resolvent.web.app import create_app
from resolvent.web.bodies import JobBody
from resolvent.web.documents import Assets
from resolvent.web.forms import JobForm
from resolvent.web.guard import CSP
from resolvent.web.metrics import Metrics
from resolvent.web.settings import LEAST_MEMORY, LEAST_TOKEN, TOKEN, Settings

ROOT = Path(__file__).parents[2]
PAGES = {path.stem: path.read_text("utf-8") for path in (ROOT / "docs/engineering").glob("*.md")}
TEXT = PAGES["serve"]
SHELL = [
    line.removeprefix("$ ")
    for block in re.findall(r"^```(?:sh|console)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    for line in block.replace("\\\n", "").splitlines()
]


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
    _, given = serve(shlex.split(line, comments=True)[2:])
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


def test_the_deployment_starts_what_the_container_does_and_writes_nowhere_else():
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", PAGES["containers"], re.MULTILINE | re.DOTALL)
    pod = yaml.safe_load(block)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"][0] == "serve"
    command, values = serve(container["args"][1:])
    assert (values["host"], values["allow_host"]) == ("0.0.0.0", ["resolvent"])
    port = next(option.default for option in command.params if option.name == "port")
    paths = create_app(Settings()).openapi()["paths"]
    for probe in ("livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert (asked["port"], asked["path"] in paths) == (port, True)
    assert container["ports"] == [{"containerPort": port}]
    assert pod["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["volumeMounts"] == [{"name": pod["volumes"][0]["name"], "mountPath": "/tmp"}]
    assert container["env"][0]["name"] == TOKEN


@pytest.mark.parametrize("page", ["security", "limits", "performance", "batch", "cluster", "remote", "containers"])
def test_files_and_tests_that_a_page_names_exist(page):
    text, tests = PAGES[page], {path.name: path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    for name in re.findall(r"`((?:tests|\.ci)/[\w/.]+)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`(\w+/[\w/]+\.py)`", text):
        assert (ROOT / "src/resolvent" / name).is_file() or name.startswith("tests/"), name
    for name in re.findall(r"`(test_\w+\.py)`", text):
        assert name in tests, name
    for name in re.findall(r"`(test_\w+)`", text):
        assert any(f"\ndef {name}(" in source for source in tests.values()), name


def test_the_policy_of_the_page_is_the_one_that_is_sent():
    (policy,) = re.findall(r"`(default-src .*?); \.\.\.`", PAGES["security"])
    assert CSP.startswith(policy)


def test_limits_are_those_of_the_code():
    text = " ".join(PAGES["limits"].split())
    settings, limits = Settings(), Limits()
    for said in (
        f"| {limits.megapixels} megapixels |", f"| {limits.megabytes} MB |", f"| {tiff.MOST_PAGES:,} |",
        f"| {jpeg.MOST_SCANS} |", f"| {decode.MOST_RUN_LENGTH_PIXELS // 10**6} megapixels |",
        f"{graph.MAX_BYTES >> 30} GiB, {graph.MAX_NODES:,} nodes", f"| {runtime.MOST_MEMORY >> 30} GiB |",
        f"{settings.kept}, of one client {settings.kept_share}", f"| {settings.connections} |",
        f"| {server.HEADER_SECONDS:.0f} s |", f"| {server.STALLED_SECONDS:.0f} s |", f"| {pool.QUICK:.0f} s |",
        f"{guard.PATIENCE:.0f} s, and has to come at {guard.PACE / 1000:.0f} kB a second",
        f"at least {LEAST_TOKEN} characters", f"at least {LEAST_MEMORY >> 20}M", f"| {pool.GROWN / 2**30} GiB |",
        f"| {pool.IDLE / 60:.0f} minutes |", f"| {SMALLEST_TILE} pixels or more |",
        f"at most {CEILING >> 20} MiB for tiles",
        f"if {EACH >> 20} MiB are free for each", f"| {SETTLE:.0f} s |", f"| {dask.TIMEOUT:.0f} s |",
        *(f"| {side:,} |" for side in LONGEST.values()),
    ):  # fmt: skip
        assert said in text, said
    most = max(METHODS.values(), key=lambda method: method.memory)
    assert f"{most.memory:,} bytes for each pixel (`med`)" in text
    assert METHODS["med"] is most


def test_scripts_of_the_page_import_what_is_served_and_are_short():
    assets = Assets()
    scripts = {name: data.decode() for name, (data, _) in assets.files.items() if name.endswith(".js")}
    assert any(f'src="/static/{name}"' in assets.page for name in scripts)
    assert len(scripts) > 1
    for text in scripts.values():
        assert set(re.findall(r'from "\./([^"]+)"', text)) <= set(scripts)
        assert len(text.splitlines()) <= 400
    assert "{{" not in assets.page
