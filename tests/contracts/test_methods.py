"""What every method of METHODS keeps to, as functions of its name: ``CHECKS``."""

import inspect
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from resolvent.degradations import parse
from resolvent.errors import UsageError
from resolvent.methods import METHODS, check, load, methods_for
from resolvent.methods.control import Control
from resolvent.methods.untrained import dip, p_gsure
from resolvent.physics.forward_model import ForwardModel
from resolvent.physics.resize import imresize


def textured(channels):
    """48x48: a grating that fades into flat ground, and two steps."""
    rows, columns = np.mgrid[:48, :48] / 48
    gray = 0.5 + 0.25 * np.sin(2 * np.pi * (3 * rows + 5 * columns * rows)) * (columns < 0.6)
    gray = gray + 0.2 * (rows > 0.7) - 0.3 * ((abs(rows - 0.3) < 0.1) & (columns > 0.7))
    return np.stack([gray * (1 - 0.2 * c) for c in range(channels)], axis=-1).astype(np.float32)


def psnr(x, y):
    return -10 * np.log10(np.mean((x - y) ** 2))


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """The untrained methods with networks so small that a hundred steps take a second, on one thread."""
    small = {"down": (16, 16), "skip": (4, 4)}
    monkeypatch.setattr(dip, "PRESETS", {key: replace(value, network=small) for key, value in dip.PRESETS.items()})
    monkeypatch.setattr(dip, "FAST", small)
    monkeypatch.setattr(p_gsure, "NETWORK", small)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


SMALL_MED = {"levels": (2, 1), "width": 16}
QUICK = {
    "csc": {"iterations": 60},
    "dip": {"iterations": 300, "stop": "none"},
    "dip-fast": {"iterations": 300, "stop": "none"},
    "multi-target-dip": {"iterations": 300, "targets": ("nlm", "tv")},
    "med": {"iterations": 250, "stop": "none", **SMALL_MED},
    "p-gsure": {"iterations": 200},
}
"""Options of the methods that would take seconds otherwise."""

BRIEF = {name: {**options, "iterations": 3} for name, options in QUICK.items()}
BRIEF["multi-target-dip"]["warm"] = False  # warm, it gives the mean of its targets after so few


def run(name, y, degradation, **options):
    return load(name)(y, ForwardModel(degradation), **QUICK.get(name, {}), **options)


def brief(name, y, degradation):
    """A run for its shape alone."""
    return load(name)(y, ForwardModel(degradation), **BRIEF.get(name, {}))


def scale_factor(name):
    return 2 if METHODS[name].example == "downsample:scale=2" else 1


def beats_its_input_and_leaves_it_alone(name):
    for channels in (1, 3):
        x, degradation = textured(channels), parse(METHODS[name].example)
        y = degradation(x, np.random.default_rng(0))
        before = y.copy()
        check(name, ForwardModel(degradation))
        restored = run(name, y, degradation)
        assert restored.shape == x.shape
        assert restored.dtype == np.float32
        assert psnr(restored, x) > psnr(imresize(y, shape=x.shape[:2]), x) + 1
        np.testing.assert_array_equal(y, before)
        assert not np.shares_memory(restored, y)


def obeys_its_seed_gives_the_same_twice_and_leaves_the_global_generator_alone(name):
    degradation = parse(METHODS[name].example)
    y = degradation(textured(3), np.random.default_rng(0))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again = (brief(name, y, degradation) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert torch.equal(torch.get_rng_state(), before)
    if "seed" in METHODS[name].common_options:
        assert not np.array_equal(load(name)(y, ForwardModel(degradation), **BRIEF[name], seed=1), first)


PARTS = ("blur:sigma=0.8", "downsample:scale=2", "mask:keep=0.7,seed=1")
CHAINS = [" + ".join(parts) for count in (1, 2, 3) for parts in product(PARTS, repeat=count)
          if count < 3 or parts[0] != parts[1] != parts[2]]  # fmt: skip
"""All of one and two parts; of three those without equal neighbors, which the pairs have."""
SHORT = {"pnp": {"iterations": 8}, "red": {"iterations": 12}, "csc": {"iterations": 40}, "p-gsure": {"iterations": 200}}
"""Enough for a gain."""


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("name", METHODS)
def test_every_chain_is_undone_in_its_order_or_refused_by_name(name, chain, monkeypatch):
    """Untrained networks take minutes: of those that fit ‖A f - y‖², the truth leaves the noise, and nothing else."""
    forward_model = ForwardModel(parse(f"{chain} + noise:sigma=4"))
    x = textured(1) if name == "p-gsure" else textured(1)[8:40, 8:40]
    y = forward_model.degradation(x, np.random.default_rng(0))
    if name not in methods_for(forward_model):
        with pytest.raises(UsageError, match=f"^{name} cannot undo .*(blur|downsample|mask|noise)"):
            check(name, forward_model)
        return
    if name in ("dip", "dip-fast", "med"):
        left = []
        monkeypatch.setattr(dip, "fit", lambda network, z, loss, **rest: left.append(loss(dip.to_tensor(x))) or z)
        brief(name, y, forward_model.degradation)
        assert left[0][1] == pytest.approx((4 / 255) ** 2, rel=0.4)  # the estimate of a variance by 64 pixels or more
        return
    if name == "p-gsure" and "+" in chain:
        return  # needs thousands of steps; the closed forms of chains are in the contracts of the operators
    given = y if forward_model.scale == 1 else imresize(y, shape=x.shape[:2])
    restored = load(name)(y, forward_model, **SHORT.get(name, {}))
    assert psnr(restored, x) > psnr(given, x)


def canceled_keeps_what_it_has(name):
    if "control" not in METHODS[name].common_options:
        return
    degradation, seen, last = parse(METHODS[name].example), [], []

    def watch(done, total, image):
        assert 1 <= done <= total
        seen.append(image())
        last.append(min(3, total))
        if done == 3:
            control.cancel()

    for channels in (1, 3):
        y = degradation(textured(channels), np.random.default_rng(0))
        control = Control(on_step=watch)
        seen.clear()
        restored = run(name, y, degradation, control=control)
        assert len(seen) == last[-1]
        np.testing.assert_array_equal(restored, seen[-1])


def keeps_its_budget(name):
    if "control" not in METHODS[name].common_options:
        return
    degradation, steps = parse(METHODS[name].example), []
    y = degradation(textured(3), np.random.default_rng(0))
    control = Control(1e-9, lambda done, total, image: steps.append(done))
    assert np.isfinite(run(name, y, degradation, control=control)).all()
    assert len(steps) == 1


def any_size(name):
    for boundary in ("reflect", "circular"):
        for shape in ((1, 1, 3), (1, 9, 1), (7, 20, 3)):
            example = METHODS[name].example.replace(",boundary=circular", "")
            degradation = parse(example.replace("blur:", f"blur:boundary={boundary},"))
            y = np.random.default_rng(0).random(shape, np.float32)
            restored = brief(name, y, degradation)
            scale = scale_factor(name)
            assert restored.shape == (scale * shape[0], scale * shape[1], shape[2])
            assert np.isfinite(restored).all()


def a_flat_image_stays_flat(name):
    if "seed" in METHODS[name].common_options:
        return  # a network that is fitted for a while comes near it, no more
    degradation = parse(METHODS[name].example)
    flat = np.full((24, 24, 3), 0.4, np.float32)
    learned = name in ("pnp", "red")
    large = flat.repeat(scale_factor(name), 0).repeat(scale_factor(name), 1)
    np.testing.assert_allclose(run(name, flat, degradation), large, atol=0.02 if learned else 1e-4)


def estimates_a_noise_level_that_is_not_given(name):
    if not METHODS[name].needs.linear or "noise" not in METHODS[name].example:
        return
    degradation = parse(METHODS[name].example)
    x = textured(1)
    y = degradation(x, np.random.default_rng(0))
    given, estimated = (psnr(run(name, y, d), x) for d in (degradation, degradation.split()[0]))
    assert abs(given - estimated) < 0.5


def options_are_keyword_only_after_image_and_forward_model(name):
    parameters = list(inspect.signature(load(name)).parameters.values())
    assert [p.name for p in parameters[:2]] == ["y", "forward_model"]
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in parameters[2:])


def refuses_by_name_before_any_work(name):
    for text in ("jpeg:quality=20", "mask:keep=0.5,seed=1", "downsample:scale=2"):
        degradation = parse(text)
        if name in methods_for(ForwardModel(degradation)):
            check(name, ForwardModel(degradation))
            continue
        others = ", ".join(methods_for(ForwardModel(degradation)))
        remedy = f"these can: {others}" if others else "no method can; use a model"
        with pytest.raises(UsageError, match=f"^{name} cannot undo {degradation.name}; {remedy}$"):
            check(name, ForwardModel(degradation))
    varied = METHODS[name].example.replace("noise:sigma=2", "noise:sigma=2..5") + " + noise:sigma=1..2" * (
        "noise" not in METHODS[name].example
    )
    if not {part.name for part in parse(varied).parts} <= set(METHODS[name].needs.handles):
        return  # nothing that it undoes varies
    with pytest.raises(UsageError, match="give each parameter one value"):
        check(name, ForwardModel(parse(varied)))


def handling(*names):
    """The methods that take each of these degradations and need no other."""
    return ", ".join(
        name
        for name, method in METHODS.items()
        if set(names) <= set(method.needs.handles) and not (method.needs.linear and names == ("noise",))
    )


def test_refusal_names_the_methods_that_can():
    with pytest.raises(UsageError, match=rf"^nlm cannot undo blur; these can: {handling('blur', 'noise')}$"):
        check("nlm", ForwardModel(parse("blur:sigma=2 + noise:sigma=5")))
    with pytest.raises(
        UsageError, match=rf"^wiener undoes blur, .*, and there is none of them in .*; these can: {handling('noise')}$"
    ):
        check("wiener", ForwardModel(parse("noise:sigma=5")))


@pytest.mark.parametrize("call", [load, lambda name: check(name, ForwardModel(parse("noise:sigma=5")))])
def test_unknown_method_suggests_the_nearest(call):
    with pytest.raises(UsageError, match="unknown method 'weiner': did you mean 'wiener'"):
        call("weiner")


CHECKS = [
    beats_its_input_and_leaves_it_alone,
    obeys_its_seed_gives_the_same_twice_and_leaves_the_global_generator_alone,
    canceled_keeps_what_it_has,
    keeps_its_budget,
    any_size,
    a_flat_image_stays_flat,
    estimates_a_noise_level_that_is_not_given,
    options_are_keyword_only_after_image_and_forward_model,
    refuses_by_name_before_any_work,
]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("keeps", CHECKS, ids=lambda keeps: keeps.__name__)
def test_method(keeps, name):
    keeps(name)


def check_method(name):
    """Run the checks on an entry of METHODS."""
    for keeps in CHECKS:
        keeps(name)
