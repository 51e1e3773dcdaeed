"""Methods, degradations and networks of other distributions, found by their entry points."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from resolvent import degradations, methods, networks
from resolvent.degradations import parse
from resolvent.errors import UsageError
from resolvent.methods import registry
from resolvent.methods.untrained import dip
from resolvent.physics.forward_model import ForwardModel
from resolvent.plugins import Registry

MODULE = """
from dataclasses import dataclass
from resolvent.degradations import Degradation
from resolvent.methods import Method, Needs
from resolvent.networks import Network

@dataclass(frozen=True)
class Invert(Degradation):
    '''Negative, y = 1 - x.'''
    name = "invert"
    def _apply(self, image, numbers, rng):
        return 1 - image
    def _apply_batch(self, x, numbers, generator):
        return 1 - x

def restore(y, degradation):
    return 1 - y

METHOD = Method("acme_invert:restore", "turns a negative", Needs(("invert",)), "invert", "none", "seconds", memory=50)
NETWORK = Network("acme_invert:Nowhere", "does not exist", 0)
TEXT = "no entry at all"
"""
X = MODULE.replace('name = "invert"', 'name = "x"')


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a distribution with these entry points into a folder on sys.path, and forget what was found before."""

    def put(text, name="acme-invert", version="1.2", module=MODULE):
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (folder / "entry_points.txt").write_text(text)
        (tmp_path / "acme_invert.py").write_text(module)
        sys.modules.pop("acme_invert", None)

    monkeypatch.syspath_prepend(tmp_path)
    for package, name in ((degradations, "DEGRADATIONS"), (registry, "METHODS"), (networks, "NETWORKS")):
        found = getattr(package, name)
        monkeypatch.setattr(package, name, Registry(found._kind, package.BUILT_IN, found._fault))
    yield put
    sys.modules.pop("acme_invert", None)


GOOD = """
[resolvent.degradations]
invert = acme_invert:Invert
[resolvent.methods]
upright = acme_invert:METHOD
[resolvent.networks]
nowhere = acme_invert:NETWORK
"""


def test_a_plug_in_is_used_by_name_and_listed_after_the_built_in_ones(install):
    install(GOOD)
    assert str(parse("invert + noise:sigma=5")) == "invert + noise:sigma=5"
    methods.check("upright", ForwardModel(parse("invert")))
    assert methods.load("upright")(0.25, ForwardModel(parse("invert"))) == 0.75
    assert methods.methods_for(ForwardModel(parse("invert"))) == ["upright"]
    assert list(degradations.DEGRADATIONS) == [*degradations.BUILT_IN, "invert"]
    assert list(methods.METHODS) == [*registry.BUILT_IN, "upright"]
    assert len(networks.NETWORKS) == len(networks.BUILT_IN) + 1
    with pytest.raises(UsageError, match=r"^the network 'nowhere': acme_invert:Nowhere cannot be imported"):
        networks.build("nowhere")


def test_the_command_line_knows_it(install, tmp_path):
    install(GOOD)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    listing = subprocess.run(
        [sys.executable, "-m", "resolvent", "degradations", "--json"], env=environment, capture_output=True, check=True
    )
    assert json.loads(listing.stdout)["invert"]["summary"] == "Negative, y = 1 - x."
    assert not listing.stderr


def test_nothing_is_searched_for_a_built_in_name(install, monkeypatch):
    def search():
        raise AssertionError("searched")

    monkeypatch.setattr("importlib.metadata.distributions", search)
    parse("blur:sigma=1 + noise:sigma=5")
    methods.check("nlm", ForwardModel(parse("noise:sigma=5")))
    networks.resolve_arguments("unet-small")
    with pytest.raises(AssertionError, match="searched"):
        parse("invert")


@pytest.mark.parametrize(
    ("entry", "module", "complaint"),
    [
        (
            "x = acme_invert:Invert",
            "raise RuntimeError('no license')",
            r"cannot be loaded \(RuntimeError: no license\)",
        ),
        ("x = acme_missing:Invert", "", r"cannot be loaded \(ModuleNotFoundError: No module named 'acme_missing'\)"),
        ("x = acme_invert:Absent", MODULE, r"cannot be loaded \(AttributeError: .*'Absent'\)"),
        ("x = acme_invert:TEXT", MODULE, "must be a frozen dataclass derived from resolvent.degradations.Degradation"),
        ("x = acme_invert:Invert", MODULE, "must have the name 'x', not 'invert'"),
        (
            "x = acme_invert:Invert",
            X.replace("(frozen=True)", ""),
            "must be a frozen dataclass derived from resolvent.degradations.Degradation",
        ),
        ("x = acme_invert:Invert", X.replace("def _apply(", "def apply("), "must define _apply"),
        (
            "x = acme_invert:Invert",
            X.replace("def _apply(", "share: float = 1.0\n    def _apply("),
            r"must give the kind of share, as in field\(metadata={'kind': Number\(0, 1\)}\)",
        ),
        (
            "x = acme_invert:Invert",
            X.replace("'''Negative, y = 1 - x.'''", ""),
            "must have a docstring, whose first line is its summary",
        ),
        ("x = acme_invert:Invert", X.replace('name = "x"', ""), "must have the name 'x', not None"),
    ],
)
def test_a_broken_plug_in_is_an_error_by_name_and_one_warning_in_a_list(install, caplog, entry, module, complaint):
    install(f"[resolvent.degradations]\n{entry}\n", module=module)
    complaint = (
        rf"^plug-in acme-invert 1.2: its degradation 'x' \(.*\) {complaint}; update or uninstall acme-invert 1.2$"
    )
    with pytest.raises(UsageError, match=complaint):
        parse("x")
    assert not caplog.messages
    for _ in range(2):
        assert list(degradations.DEGRADATIONS) == list(degradations.BUILT_IN)
    (message,) = caplog.messages
    with pytest.raises(UsageError, match=complaint):
        raise UsageError(message)
    with pytest.raises(UsageError, match=complaint):
        parse("x")


def test_one_that_declares_linear_without_an_operator_says_so(install):
    install(GOOD, module=MODULE.replace('name = "invert"', 'name = "invert"\n    linear = True'))
    expected = "^invert: declares linear = True and defines no operator; define Invert.operator$"
    with pytest.raises(UsageError, match=expected):
        parse("invert").operator((8, 8))


def test_a_built_in_name_cannot_be_replaced(install, caplog):
    install("[resolvent.methods]\nnlm = acme_invert:METHOD\n")
    assert list(methods.METHODS) == list(registry.BUILT_IN)
    assert methods.METHODS["nlm"] is registry.BUILT_IN["nlm"]
    expected = "plug-in acme-invert 1.2: its method 'nlm' (acme_invert:METHOD) is left out, for that name is built in"
    assert caplog.messages == [expected]


def test_of_two_distributions_with_one_name_neither_is_used(install):
    install(GOOD)
    install(GOOD, name="other")
    with pytest.raises(UsageError, match=r"^degradation 'invert': comes from .*(acme-invert 1.2|other 1.2); uninstall"):
        parse("invert")


def test_another_version_further_back_on_the_path_does_not_count(install, tmp_path, monkeypatch):
    install(GOOD)
    (tmp_path / "first").mkdir()
    (tmp_path / "acme_invert-1.2.dist-info").rename(tmp_path / "first" / "acme_invert-1.2.dist-info")
    install(GOOD, version="1.1")
    monkeypatch.syspath_prepend(tmp_path / "first")
    assert parse("invert").name == "invert"


def test_entry_points_that_cannot_be_read_are_a_warning(install, caplog):
    install("[resolvent.methods]\nno equals sign\n")
    with pytest.raises(UsageError, match="unknown method 'upright'"):
        methods.check("upright", ForwardModel(parse("noise:sigma=5")))
    assert caplog.messages == ["acme-invert 1.2: its entry_points.txt cannot be read; reinstall it"]


VIGNETTE = """
from dataclasses import dataclass, field
import numpy as np
from array_api_compat import array_namespace, device
from resolvent.degradations import Degradation
from resolvent.parameters import Number
from resolvent.physics.operators import LinearOperator

def falloff(shape, strength):
    rows, columns = (np.linspace(-1, 1, side) ** 2 for side in shape)
    return 1 - strength * (rows[:, None] + columns) / 2

@dataclass(frozen=True, eq=False)
class Diagonal(LinearOperator):
    values: np.ndarray
    def _forward(self, x):
        return x * array_namespace(x).asarray(self.values, dtype=x.dtype, device=device(x))
    _adjoint = _forward

@dataclass(frozen=True)
class Vignette(Degradation):
    '''Darken towards the corners.'''
    name = "vignette"
    linear = True
    strength: float = field(metadata={"kind": Number(0, 1)})
    def operator(self, shape):
        return Diagonal(shape, falloff(shape, self.strength))
    def _apply(self, image, numbers, rng):
        return image * falloff(image.shape[:2], numbers["strength"]).astype(np.float32)[..., None]
    def _apply_batch(self, x, numbers, generator):
        raise NotImplementedError
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pnp", "vignette:strength=0.7"),
        ("pnp", "vignette:strength=0.7 + blur:sigma=1"),
        ("red", "vignette:strength=0.7"),
        ("dip-fast", "vignette:strength=0.7"),
    ],
)
def test_a_linear_one_is_undone_by_the_methods_that_take_any_operator(install, monkeypatch, name, text):
    install("[resolvent.degradations]\nvignette = acme_invert:Vignette\n", module=VIGNETTE)
    monkeypatch.setattr(dip, "FAST", {"down": (16, 16), "skip": (4, 4)})
    forward_model = ForwardModel(parse(f"{text} + noise:sigma=2"))
    rows, columns = np.mgrid[:32, :32] / 32
    x = (0.6 + 0.25 * np.sin(12 * rows + 9 * columns * rows)).astype(np.float32)[..., None]
    y = forward_model.degradation(x, np.random.default_rng(0))
    methods.check(name, forward_model)
    options = {"iterations": 200, "stop": "none"} if name == "dip-fast" else {}
    restored = methods.load(name)(y, forward_model, **options)
    assert np.mean((restored - x) ** 2) < 0.1 * np.mean((y - x) ** 2)


def test_a_linear_one_is_refused_by_the_methods_that_need_more(install):
    install("[resolvent.degradations]\nvignette = acme_invert:Vignette\n", module=VIGNETTE)
    able = [name for name, method in registry.BUILT_IN.items() if method.needs.any_linear]
    assert {"pnp", "red", "dip", "dip-fast", "med"} <= set(able)
    with pytest.raises(UsageError, match=rf"^wiener cannot undo vignette; these can: {', '.join(able)}$"):
        methods.check("wiener", ForwardModel(parse("vignette:strength=0.5 + noise:sigma=2")))
    with pytest.raises(UsageError, match=r"^pnp cannot undo jpeg"):
        methods.check("pnp", ForwardModel(parse("vignette:strength=0.5 + jpeg:quality=50")))
