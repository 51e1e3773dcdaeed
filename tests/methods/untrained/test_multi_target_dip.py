import numpy as np
import pytest
import torch

from resolvent import methods
from resolvent.degradations import parse
from resolvent.errors import UsageError
from resolvent.methods.untrained import dip, multi_target_dip
from resolvent.methods.untrained.fit import Settings
from resolvent.physics.forward_model import ForwardModel

NOISE = ForwardModel(parse("noise:sigma=25"))

RNG = np.random.default_rng(0)


@pytest.fixture
def narrow(monkeypatch):
    preset = dip.Preset({"inputs": 8, "down": (16, 16), "skip": (4, 4)}, Settings(200, input_noise=0.03))
    monkeypatch.setitem(dip.PRESETS, "denoise", preset)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def picture(side=32):
    rows, columns = np.mgrid[:side, :side] / side
    return np.stack([0.5 + 0.3 * np.sin(9 * rows + (4 + c) * columns) for c in range(3)], -1).astype(np.float32)


def test_several_targets_are_one_mean_target_and_a_constant():
    """Σ w_i ‖f - t_i‖² - ‖f - t̄‖² does not depend on f."""
    y, a, b = (RNG.random((6, 5, 3)) for _ in range(3))
    weights = (0.5, 0.3, 0.2)
    mean = multi_target_dip.mean_target(y, [a, b], weights)
    rest = []
    for _ in range(4):
        f = RNG.random((6, 5, 3))
        several = sum(w * np.sum((f - t) ** 2) for w, t in zip(weights, (y, a, b), strict=True))
        rest.append(several - np.sum((f - mean) ** 2))
    np.testing.assert_allclose(rest, rest[0], rtol=1e-5)


def test_equal_weights_by_default():
    y, a = RNG.random((2, 4, 4, 1))
    np.testing.assert_allclose(multi_target_dip.mean_target(y, [a]), (y + a) / 2, rtol=1e-6)


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.6, 0.6, -0.2), (0.5, 0.3, 0.3)])
def test_weights_must_fit(weights):
    y = np.zeros((4, 4, 1))
    with pytest.raises(UsageError, match="give 3 from 0 to 1 that sum to 1"):
        multi_target_dip.mean_target(y, [y, y], weights)


def test_ends_by_itself_near_the_clean_image(narrow):
    x, told = picture(), parse("noise:sigma=25")
    y = told(x, np.random.default_rng(0))
    steps = []
    control = multi_target_dip.Control(on_step=lambda done, total, image: steps.append(done))
    restored = multi_target_dip.restore(y, NOISE, targets=("nlm", "tv"), iterations=400, warm=False, control=control)
    assert np.mean((restored - x) ** 2) < 0.7 * np.mean((y - x) ** 2)
    assert len(steps) < 399


def test_cut_off_too_soon_it_gives_the_mean_of_the_targets(narrow):
    y = parse("noise:sigma=25")(picture(), np.random.default_rng(0))
    control = multi_target_dip.Control(on_step=lambda done, total, image: control.cancel())
    restored = multi_target_dip.restore(y, NOISE, targets=("nlm", "tv"), control=control)
    clean = [methods.load(name)(y, NOISE) for name in ("nlm", "tv")]
    np.testing.assert_allclose(restored, (clean[0] + clean[1]) / 2, atol=1e-6)


def test_fast_takes_the_smaller_network(narrow, monkeypatch):
    built = []
    monkeypatch.setattr(dip, "FAST", {"inputs": 8, "down": (8,), "skip": (2,)})
    monkeypatch.setattr(
        multi_target_dip, "start", lambda preset, *rest: built.append(preset) or dip.start(preset, *rest)
    )
    for fast in (False, True):
        multi_target_dip.restore(picture(), NOISE, targets=("tv",), iterations=2, fast=fast)
    assert [preset.network["down"] for preset in built] == [(16, 16), (8,)]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_warm_start_shows_the_network_what_the_targets_are(narrow, monkeypatch, channels):
    y, given = picture()[..., :channels], []
    monkeypatch.setattr(multi_target_dip, "fit", lambda network, z, *rest, **more: given.append(z) or z[:, :channels])
    multi_target_dip.restore(y, NOISE, targets=("nlm", "tv"))
    multi_target_dip.restore(y, NOISE, targets=("nlm", "tv"), warm=False)
    clean = np.concatenate([methods.load(name)(y, NOISE) for name in ("nlm", "tv")], 2)
    np.testing.assert_array_equal(given[0][0].numpy().transpose(1, 2, 0), clean)
    assert given[1].shape == (1, 8, 32, 32)


def test_a_warm_start_is_sooner_as_near_the_clean_image(narrow):
    x, told = picture(), parse("noise:sigma=25")
    y = told(x, np.random.default_rng(0))
    cold, warm = (
        multi_target_dip.restore(y, NOISE, targets=("nlm", "tv"), iterations=60, warm=warm) for warm in (False, True)
    )
    targets = np.mean([methods.load(name)(y, NOISE) for name in ("nlm", "tv")], axis=0)
    assert np.mean((warm - x) ** 2) < 0.8 * np.mean((cold - x) ** 2)
    assert np.mean((warm - x) ** 2) < 0.8 * np.mean((targets - x) ** 2)


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.5, 0.6, -0.1)])
def test_weights_are_refused_before_the_targets_are_made(weights, monkeypatch):
    monkeypatch.setattr(multi_target_dip, "_clean", lambda *rest: pytest.fail("a target was made"))
    with pytest.raises(UsageError, match="give 3 from 0 to 1 that sum to 1"):
        multi_target_dip.restore(picture(), NOISE, targets=("nlm", "tv"), weights=weights)
