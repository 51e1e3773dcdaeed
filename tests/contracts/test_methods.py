"""What every method keeps to."""

import inspect

import numpy as np
import pytest

from resolvent.degradations import parse
from resolvent.degradations.resize import imresize
from resolvent.errors import UsageError
from resolvent.methods import METHODS, able, check, load


def textured(channels):
    """48x48: a grating that fades into flat ground, and two steps."""
    rows, columns = np.mgrid[:48, :48] / 48
    gray = 0.5 + 0.25 * np.sin(2 * np.pi * (3 * rows + 5 * columns * rows)) * (columns < 0.6)
    gray = gray + 0.2 * (rows > 0.7) - 0.3 * ((abs(rows - 0.3) < 0.1) & (columns > 0.7))
    return np.stack([gray * (1 - 0.2 * c) for c in range(channels)], axis=-1).astype(np.float32)


def psnr(x, y):
    return -10 * np.log10(np.mean((x - y) ** 2))


def enlargement(name):
    return 2 if METHODS[name].example == "downsample:scale=2" else 1


@pytest.fixture(params=METHODS)
def name(request):
    return request.param


@pytest.mark.parametrize("channels", [1, 3])
def test_beats_its_input_and_leaves_it_alone(name, channels):
    x, degradation = textured(channels), parse(METHODS[name].example)
    y = degradation(x, np.random.default_rng(0))
    before = y.copy()
    check(name, degradation)
    restored = load(name)(y, degradation)
    assert restored.shape == x.shape
    assert restored.dtype == np.float32
    assert psnr(restored, x) > psnr(imresize(y, shape=x.shape[:2]), x) + 1
    np.testing.assert_array_equal(y, before)
    assert not np.shares_memory(restored, y)
    np.testing.assert_array_equal(load(name)(y, degradation), restored)


@pytest.mark.parametrize("boundary", ["reflect", "circular"])
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 1), (7, 20, 3)])
def test_any_size(name, shape, boundary):
    degradation = parse(METHODS[name].example.replace("blur:", f"blur:boundary={boundary},"))
    y = np.random.default_rng(0).random(shape, np.float32)
    restored = load(name)(y, degradation)
    scale = enlargement(name)
    assert restored.shape == (scale * shape[0], scale * shape[1], shape[2])
    assert np.isfinite(restored).all()


def test_a_flat_image_stays_flat(name):
    degradation = parse(METHODS[name].example)
    flat = np.full((24, 24, 3), 0.4, np.float32)
    learned = name in ("pnp", "red")
    large = flat.repeat(enlargement(name), 0).repeat(enlargement(name), 1)
    np.testing.assert_allclose(load(name)(flat, degradation), large, atol=0.02 if learned else 1e-4)


@pytest.mark.parametrize("name", [n for n, m in METHODS.items() if m.needs.linear and "noise" in m.example])
def test_finds_the_noise_level_that_it_is_not_told(name):
    degradation = parse(METHODS[name].example)
    x = textured(1)
    y = degradation(x, np.random.default_rng(0))
    told, untold = (psnr(load(name)(y, d), x) for d in (degradation, degradation.split()[0]))
    assert abs(told - untold) < 0.5


def test_options_are_keyword_only_after_image_and_degradation(name):
    parameters = list(inspect.signature(load(name)).parameters.values())
    assert [p.name for p in parameters[:2]] == ["y", "degradation"]
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in parameters[2:])


def test_refuses_by_name_before_any_work(name):
    for text in ("jpeg:quality=20", "mask:keep=0.5,seed=1", "downsample:scale=2"):
        told = parse(text)
        if name in able(told):
            check(name, told)
            continue
        remedy = f"these can: {', '.join(able(told))}" if able(told) else "no method can; use a model"
        with pytest.raises(UsageError, match=f"^{name} cannot undo {told.name}; {remedy}$"):
            check(name, told)
    varied = METHODS[name].example.replace("noise:sigma=2", "noise:sigma=2..5") + " + noise:sigma=1..2" * (
        "noise" not in METHODS[name].example
    )
    if not {part.name for part in parse(varied).parts} <= set(METHODS[name].needs.undoes):
        return  # nothing that it undoes varies
    with pytest.raises(UsageError, match="give each parameter one value"):
        check(name, parse(varied))


def test_refusal_names_the_methods_that_can():
    with pytest.raises(UsageError, match=r"^nlm cannot undo blur; these can: wiener, richardson-lucy, pnp, red$"):
        check("nlm", parse("blur:sigma=2 + noise:sigma=5"))
    with pytest.raises(
        UsageError, match=r"^wiener undoes a blur, .* does not begin with one; these can: nlm, tv, wavelet$"
    ):
        check("wiener", parse("noise:sigma=5"))


@pytest.mark.parametrize("call", [load, lambda name: check(name, parse("noise:sigma=5"))])
def test_unknown_method_suggests_the_nearest(call):
    with pytest.raises(UsageError, match="unknown method 'weiner': did you mean 'wiener'"):
        call("weiner")
