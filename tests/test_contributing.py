"""The samples of CONTRIBUTING.md do what it says, and keep to the contracts of what is built in."""

import importlib.util
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resolvent import degradations, methods, networks
from resolvent.degradations import DEGRADATIONS, parse
from resolvent.methods import METHODS, registry
from resolvent.models.registry import read_card
from resolvent.networks import NETWORKS
from resolvent.plugins import Registry
from resolvent.training import objectives
from resolvent.training.objectives import OBJECTIVES
from tests.contracts import test_settings as contract
from tests.contracts.test_degradations import check_degradation, textured
from tests.contracts.test_methods import check_method
from tests.contracts.test_networks import check_network
from tests.models import test_bundled as bundled
from tests.test_architecture import ROOMS
from tests.training import test_objectives

PROJECT = Path(__file__).parent.parent
TEXT = (PROJECT / "CONTRIBUTING.md").read_text("utf-8")
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SAMPLES = [(kind, textwrap.dedent(body)) for _, kind, body in FENCE.findall(TEXT)]


def sample(start):
    """The one sample that starts so, without its indentation."""
    (found,) = [body for _, body in SAMPLES if body.startswith(start)]
    return found


def files():
    """The samples that are files, by path."""
    found = {}
    for kind, body in SAMPLES:
        if match := re.match(r"# (src/\S+\.py)\n", body):
            assert kind == "python"
            found[match[1]] = body
    return found


def entry(name):
    """What a sample of an entry defines."""
    scope = {}
    exec(sample(f"# the entry of {name}\n"), scope)
    (found,) = [
        value for value in scope.values() if isinstance(value, methods.Method | networks.Network | objectives.Entry)
    ]
    return found


@pytest.fixture
def added(tmp_path, monkeypatch):
    """All samples, added as the text says."""
    for path, body in files().items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(body)
        name = ".".join(Path(path).with_suffix("").parts[1:])
        spec = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
    monkeypatch.setitem(DEGRADATIONS, "haze", sys.modules["resolvent.degradations.haze"].Haze)
    monkeypatch.setitem(NETWORKS, "dncnn", entry("NETWORKS: dncnn"))
    monkeypatch.setitem(METHODS, "median", entry("METHODS: median"))
    monkeypatch.setitem(OBJECTIVES, "edges", entry("OBJECTIVES: edges"))


def test_every_sample_is_checked():
    assert len(files()) == 4
    assert [kind for kind, _ in SAMPLES] == ["sh", *["python"] * 7, "toml", "sh", "toml"]


def test_the_samples_pass_the_linter():
    for path, body in files().items():
        command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--stdin-filename", path, "-"]
        checked = subprocess.run(command, input=body, text=True, capture_output=True, cwd=PROJECT)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_folders_are_those_of_the_source():
    rows = [re.findall(r"`(\w+)/`", line) for line in TEXT.splitlines() if line.startswith("| `")]
    left, right = tuple(row[0] for row in rows), tuple(row[1] for row in rows if row[1:])
    below = ("parameters",)  # which stands in the line after the table
    assert left + right + below == ("cli", *(room for room in ROOMS if (PROJECT / "src" / "resolvent" / room).is_dir()))


def test_the_degradation(added):
    check_degradation(DEGRADATIONS["haze"])
    np.testing.assert_allclose(parse("haze:density=0.25")(np.full((2, 2, 1), 0.4, np.float32)), 0.55, atol=1e-6)


def test_the_network(added, monkeypatch):
    check_network("dncnn")
    check_settings("dncnn", NETWORKS["dncnn"], monkeypatch)


def test_the_objective(added):
    test_objectives.test_the_settings_are_those_of_the_class("edges")
    test_objectives.test_the_loss_falls_on_a_tiny_set_and_its_gradient_is_finite("edges")


def test_the_method(added, monkeypatch):
    check_method("median")
    check_settings("median", METHODS["median"], monkeypatch)
    contract.test_both_ends_work_or_are_refused("median", "size")


def check_settings(name, entry, monkeypatch):
    monkeypatch.setitem(contract.OWNERS, name, entry)
    contract.test_declarations_are_those_of_the_function(name)
    for setting in entry.settings:
        contract.test_the_default_keeps_the_rule_and_has_a_text_form(name, setting)
        contract.test_what_breaks_the_rule_is_refused_by_name(name, setting)


def test_the_model(added, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(sample("# mine.toml").replace("30m", "3 steps"))
    Path("DIR").mkdir()
    for seed, path in enumerate(("DIR/0.png", "DIR/1.png", "PHOTO.png")):
        pixels = np.random.default_rng(seed).integers(256, size=(64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    for line in sample("resolvent train").replace("PHOTO", "PHOTO.png").splitlines():
        program, *arguments = shlex.split(line)
        code, _, err = run(*arguments)
        assert (program, code) == ("resolvent", 0), err
    card = read_card("runs/mine")
    assert (card.network, card.license, card.data["source"]) == ("dncnn", "CC0-1.0", "my own photographs")
    assert Path("restored/PHOTO.png").is_file()
    bundled.test_torch_module_and_runtime_agree("runs/mine", textured())


def test_another_package(tmp_path, monkeypatch, caplog):
    """The samples as modules of a package ``acme``, found by its entry points."""
    package, info = tmp_path / "acme", tmp_path / "acme-1.0.dist-info"
    package.mkdir()
    info.mkdir()
    for path, body in files().items():
        (package / Path(path).name).write_text(body)
    names = ("NETWORKS: dncnn", "OBJECTIVES: edges", "METHODS: median")
    entries = "".join(sample(f"# the entry of {name}\n") for name in names)
    entries = entries.replace("resolvent.training.objectives.edges:", "acme.edges:")
    entries = entries.replace("resolvent.networks.dncnn:", "acme.dncnn:")
    entries = entries.replace("resolvent.methods.classical.median:", "acme.median:")
    (package / "registry.py").write_text(entries)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    groups = tomllib.loads(sample("# pyproject.toml"))["project"]["entry-points"]
    lines = [f"[{group}]\n{key} = {value}\n" for group, found in groups.items() for key, value in found.items()]
    (info / "entry_points.txt").write_text("".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    last = []
    for module, name in (
        (degradations, "DEGRADATIONS"), (registry, "METHODS"), (networks, "NETWORKS"), (objectives, "OBJECTIVES"),
    ):  # fmt: skip
        found = getattr(module, name)
        monkeypatch.setattr(module, name, Registry(found._kind, module.BUILT_IN, found._fault))
        last.append(list(getattr(module, name))[-1])
    assert last == ["haze", "median", "dncnn", "edges"]
    assert str(parse("haze:density=0.4")) == "haze:density=0.4"
    assert networks.build("dncnn").layers[0].in_channels == 3
    assert methods.load("median").__module__ == "acme.median"
    assert objectives.build("edges", {"weight": 2}).weight == 2
    assert not caplog.messages
    for name in ("acme", "acme.haze", "acme.dncnn", "acme.median", "acme.edges", "acme.registry"):
        monkeypatch.delitem(sys.modules, name)
