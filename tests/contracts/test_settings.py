"""What every setting of a method and every argument of a network keeps to."""

import importlib
import inspect
from contextlib import suppress

import numpy as np
import pytest

from resolvent.degradations import parse
from resolvent.engine.options import make_request
from resolvent.errors import UsageError
from resolvent.methods import METHODS, check_settings, load, read_settings
from resolvent.methods.control import Control
from resolvent.methods.kinds import DenoiserName, Picture
from resolvent.methods.registry import PRESETS
from resolvent.methods.untrained import dip
from resolvent.networks import NETWORKS, build
from resolvent.parameters import Flag, Number, Several, Word
from resolvent.physics.forward_model import ForwardModel

OWNERS = {**METHODS, **NETWORKS}
SETTINGS = [(owner, name) for owner, entry in OWNERS.items() for name in entry.settings]
CHEAP = {
    "med": {"levels": (1,), "width": 4},
    "multi-target-dip": {"targets": ("tv",), "fast": True},
    "dip": {"preset": "jpeg"},
}
"""Settings of the methods whose networks are large otherwise, unless another value is tried."""


def ends(kind):
    """Values at both ends of what a setting may be."""
    match kind:
        case Number():
            return [kind.high * 1e-4 if kind.above else kind.low, kind.high]
        case Word():
            return kind.words
        case Flag():
            return [False, True]
        case Several():
            low, high = ends(kind.kind)[0], ends(kind.kind)[-1]
            return [(low,) * kind.low, (high,) * kind.high]
        case DenoiserName():
            return ["denoise", "nlm" if kind.methods else "denoise-white"]
        case Picture():
            return [np.zeros((8, 10, 3), np.float32)]


def beyond(kind):
    """Values that break the rule."""
    match kind:
        case Number():
            low = kind.low if kind.above else kind.low - 1
            return [low, kind.high + 1, float("nan"), float("inf"), 10**400, "many", [1], *[1.5] * kind.whole]
        case Several():
            return ["many", 3, (beyond(kind.kind)[0],) * kind.high, (ends(kind.kind)[0],) * (kind.high + 1)]
        case Flag():
            return ["yes", 1, None]
        case Word():
            return ["foo", 3, ["foo"]]
        case DenoiserName():
            return ["foo", "dejpeg", "wiener", 3, "x" * 5000]
        case Picture():
            return ["no such file", np.zeros(3), 3, "x" * 5000]


@pytest.mark.parametrize("owner", OWNERS)
def test_declarations_are_those_of_the_function(owner):
    """Each keyword is declared, in order, with the default of the function."""
    entry = OWNERS[owner]
    module, _, attribute = entry.entry.partition(":")
    parameters = inspect.signature(getattr(importlib.import_module(module), attribute)).parameters.values()
    common = ("y", "forward_model", *getattr(entry, "common_options", ()))
    own = {parameter.name: parameter.default for parameter in parameters if parameter.name not in common}
    assert {name: setting.default for name, setting in entry.settings.items()} == own
    assert list(entry.settings) == list(own)


@pytest.mark.parametrize(("owner", "name"), SETTINGS)
def test_the_default_keeps_the_rule_and_has_a_text_form(owner, name):
    setting = OWNERS[owner].settings[name]
    assert setting.help
    assert "  " not in setting.help
    assert setting.check("x", setting.default) == setting.default
    assert set(setting.to_json()) == {"rule", "default", "help"}


@pytest.mark.parametrize(("owner", "name"), SETTINGS)
def test_what_breaks_the_rule_is_refused_by_name(owner, name):
    setting = OWNERS[owner].settings[name]
    for value in beyond(setting.kind):
        with pytest.raises(UsageError) as refused:
            setting.check(f"{name} of {owner}", value)
        assert len(str(refused.value)) < 500
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("method", "name"), [(owner, name) for owner, name in SETTINGS if owner in METHODS])
def test_both_ends_work_or_are_refused(method, name):
    degradation = parse(METHODS[method].example)
    y = degradation(np.random.default_rng(0).random((8, 10, 3), np.float32), np.random.default_rng(1))
    control = {"control": Control(1e-9)} if "control" in METHODS[method].common_options else {}
    for value in ends(METHODS[method].settings[name].kind):
        with suppress(UsageError):
            restored = load(method)(y, ForwardModel(degradation), **CHEAP.get(method, {}) | {name: value}, **control)
            assert np.isfinite(restored).all()


def test_declared_words_are_those_of_the_code():
    pywt = pytest.importorskip("pywt")
    assert tuple(dip.PRESETS) == PRESETS
    wavelets = METHODS["wavelet"].settings["wavelet"].kind.words
    assert all(pywt.Wavelet(name).orthogonal for name in wavelets)


def test_settings_are_read_from_text():
    given = ["levels=3,2", "cascade=true", "resize=0.5", " width = 8", "stop=none", "iterations=7"]
    expected = {"levels": (3, 2), "cascade": True, "resize": 0.5, "width": 8, "stop": "none", "iterations": 7}
    assert read_settings("med", given) == expected
    assert read_settings("multi-target-dip", ["targets=nlm, tv"]) == {"targets": ("nlm", "tv")}
    assert read_settings("multi-target-dip", ["targets="]) == {"targets": ()}


@pytest.mark.parametrize(
    ("method", "texts", "message"),
    [
        ("med", ["iterations"], "setting 'iterations' of med: give NAME=VALUE, of levels, width"),
        ("med", ["iteration=5"], "unknown setting of med 'iteration': did you mean 'iterations'"),
        ("med", ["iterations=many"], "iterations of med = 'many': must be a whole number from 1 to 1000000"),
        ("med", ["cascade=1"], "cascade of med = '1': must be true or false"),
        ("med", ["levels=5,0"], "levels of med = 0: must be a whole number from 1 to 6"),
        ("med", ["width=8", "width=9"], "width of med: is given twice; give it once"),
        ("nlm", ["patch_size=-3"], "patch_size of nlm = -3: must be an odd number from 1 to 99 pixels"),
        ("nlm", ["patch_size=4"], "patch_size of nlm = 4: must be an odd number from 1 to 99 pixels"),
        ("nlm", ["patch_distance=1..5"], "patch_distance of nlm = 1..5: must be one number, a whole number from 1"),
        ("tv", ["weight=-1"], "weight of tv = -1: must be a number above 0, up to 1000"),
        ("wiener", ["regularization=nan"], "regularization of wiener = nan: must be a number above 0"),
        ("wavelet", ["wavelet=foo"], "unknown wavelet of wavelet 'foo'"),
        ("pnp", ["model=dejpeg"], "model of pnp = 'dejpeg': must be a model that takes a noise level, such as denoise"),
        ("multi-target-dip", ["targets=nlm,dejpeg"], "targets of multi-target-dip = 'dejpeg': must be a model that"),
    ],
)
def test_wrong_settings_are_refused_the_same_from_every_side(method, texts, message, run):
    with pytest.raises(UsageError) as refused:
        read_settings(method, texts)
    assert str(refused.value).startswith(message)
    code, _, err = run("restore", "none.png", "--method", method, *(f"--set={text}" for text in texts))
    assert code == 2
    assert err.startswith(f"resolvent: {message}")


def test_python_is_checked_before_any_work():
    """With a value that makes scikit-image corrupt the heap, the function itself is never reached."""
    y = np.zeros((8, 8, 1), np.float32)
    for call in (
        lambda: load("nlm")(y, ForwardModel(parse("noise:sigma=25")), patch_size=-3),
        lambda: make_request(method="nlm", degradation="noise:sigma=25", settings={"patch_size": -3}),
        lambda: check_settings("nlm", {"patch_size": -3}),
    ):
        with pytest.raises(UsageError, match="patch_size of nlm = -3"):
            call()


def test_names_before_this_release_are_still_read():
    assert read_settings("wiener", ["regularisation=2"]) == {"regularization": 2.0}
    assert check_settings("self-similarity", {"neighbours": 5}) == {"neighbors": 5}
    with pytest.raises(UsageError, match="neighbors of self-similarity: is given twice"):
        check_settings("self-similarity", {"neighbours": 5, "neighbors": 6})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 3}, "unknown setting of unet-small 'width': did you mean 'widths'"),
        ({"widths": "wide"}, "widths of unet-small = 'wide': must be 1 to 8 values, each a whole number from 1"),
        ({"widths": [8, 0]}, "widths of unet-small = 0: must be a whole number from 1 to 4096"),
        ({"scale": 1.5}, "scale of unet-small = 1.5: must be a whole number from 1 to 8"),
        ({"bias": "no"}, "bias of unet-small = 'no': must be true or false"),
    ],
)
def test_wrong_arguments_of_a_network_are_refused_by_building_and_by_recipes(arguments, message):
    from resolvent.training.recipe_file import load_recipe

    with pytest.raises(UsageError) as refused:
        build("unet-small", **arguments)
    assert str(refused.value).startswith(message)
    with pytest.raises(UsageError) as refused:
        load_recipe("denoise", arguments=arguments)
    assert str(refused.value).startswith(message)
