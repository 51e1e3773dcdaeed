"""Methods through the engine: what is judged, what is refused, what the caller's torch may be set to."""

import numpy as np
import pytest
import torch

import resolvent
from resolvent.degradations import parse
from resolvent.errors import QualityError, UsageError
from resolvent.methods import check, load
from resolvent.physics.forward_model import ForwardModel


def waves(side=40):
    rows, columns = np.mgrid[:side, :side]
    return (0.5 + 0.3 * np.sin(rows / 3 + columns / 6))[..., None].repeat(3, 2).astype(np.float32)


def psnr(a, b):
    return -10 * np.log10(np.mean((a - b) ** 2))


def test_a_result_is_judged_by_what_the_degradation_makes_of_it():
    """A mask before a blur dims the whole picture: its mean is not that of the scene."""
    text = "mask:keep=0.7,seed=3 + blur:sigma=1 + noise:sigma=2"
    y = parse(text)(waves(), np.random.default_rng(0))
    restored = resolvent.restore(y, method="pnp", degradation=text)
    assert psnr(restored, waves()) > psnr(y, waves()) + 10


def test_the_noise_level_that_a_method_is_given_excuses_what_it_clipped(monkeypatch):
    """Noise of sigma 50 on black, clipped, has a mean of 20 levels; black is the right answer, and flat."""
    monkeypatch.setattr("resolvent.methods.load", lambda name: lambda y, forward_model, **options: 0 * y)
    noisy = np.clip(50 / 255 * np.random.default_rng(0).standard_normal((64, 64, 3), np.float32), 0, 1)
    assert resolvent.restore(noisy, method="nlm", degradation="noise:sigma=50").max() == 0
    with pytest.raises(QualityError, match="flat"):
        resolvent.restore(noisy, method="nlm", degradation="noise:sigma=1")


@pytest.mark.parametrize("method", ["csc", "pnp"])
def test_a_mask_that_hides_everything_is_refused(method):
    with pytest.raises(UsageError, match="hides every pixel"):
        resolvent.restore(waves(), method=method, degradation="mask:keep=0,seed=1")


def test_a_border_that_is_mirrored_and_wraps_is_exact_or_refused():
    text = "blur:sigma=1 + blur:sigma=1,boundary=circular + noise:sigma=1"
    forward_model = ForwardModel(parse(text))
    for name in ("wiener", "richardson-lucy", "p-gsure"):
        with pytest.raises(UsageError, match="undoes what mirrors the border or what wraps around, and not both"):
            check(name, forward_model)
    y = forward_model.degradation(waves(), np.random.default_rng(0))
    assert psnr(load("pnp")(y, forward_model), waves()) > psnr(y, waves()) + 2


def test_a_method_that_is_cut_off_keeps_what_it_has():
    """After a step or two a network gives a gray picture, whose mean is not that of the photograph."""
    dark = waves(48) * 0.4
    plan = resolvent.plan(dark, method="dip-fast", degradation="noise:sigma=5", budget=1e-6)
    done = resolvent.run(dark, plan)
    assert done.steps.ended == "budget"
    assert abs(float(done.image.pixels.mean() - dark.mean())) > 10 / 255


def test_what_does_nothing_is_no_obstacle():
    check("wiener", ForwardModel(parse("blur:sigma=1.5 + none + noise:sigma=1")))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_networks_are_fitted_whatever_the_caller_has_turned_off(mode):
    with mode():
        restored = load("dip-fast")(waves(24), ForwardModel(parse("noise:sigma=15")), iterations=2)
    assert np.isfinite(restored).all()
