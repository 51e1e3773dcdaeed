"""Unrolled half-quadratic splitting, before any update, against plug-and-play."""

import numpy as np
import pytest
import torch

from resolvent.degradations import parse
from resolvent.inference import tiles
from resolvent.methods.classical.wiener import continued
from resolvent.methods.plug_and_play.pnp import restore
from resolvent.models.export import adopt
from resolvent.networks import build, unrolled
from resolvent.physics.forward_model import ForwardModel


@pytest.fixture(scope="module")
def network():
    network = build("unrolled-hqs", noise_level=True, kernel=True).eval()
    adopt(network, "denoise-white")
    return network


def as_input(y, text, sigma):
    """The image, its noise level and the kernel that the blur makes of one bright pixel, (1, 5, H, W)."""
    impulse = np.zeros((*y.shape[:2], 1), np.float32)
    impulse[y.shape[0] // 2, y.shape[1] // 2] = 1
    planes = [y, np.full_like(impulse, sigma / 255), parse(text)(impulse)]
    return torch.from_numpy(np.concatenate(planes, 2).transpose(2, 0, 1)[None])


def apply(network, inputs):
    with torch.inference_mode():
        return network(inputs)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("blur", "sigma"), [("shake:length=7,seed=5", 2), ("blur:sigma=1.2", 1), ("none", 60)])
def test_without_an_update_it_is_plug_and_play(network, blur, sigma):
    y = np.random.default_rng(0).random((40, 45, 3)).astype(np.float32)
    circular = blur if blur == "none" else f"{blur},boundary=circular"
    expected = restore(y, ForwardModel(parse(f"{circular} + noise:sigma={sigma}")), iterations=5)
    np.testing.assert_allclose(apply(network, as_input(y, circular, sigma)), expected, atol=1e-4)


def test_a_photograph_that_is_continued_is_that_of_plug_and_play(network):
    y = np.random.default_rng(1).random((32, 37, 3)).astype(np.float32)
    forward_model = ForwardModel(parse("motion:length=5,angle=30 + noise:sigma=3"))
    extended, inside = continued(y, forward_model)
    restored = apply(network, as_input(extended, "motion:length=5,angle=30,boundary=circular", 3))[inside]
    np.testing.assert_allclose(restored, restore(y, forward_model, iterations=5), atol=1e-4)


def test_its_border_is_that_of_a_model_that_is_run():
    assert unrolled.BORDER == tiles.BORDER


def test_a_sample_has_its_own_kernel_and_noise_level(network):
    y = np.random.default_rng(2).random((24, 24, 3)).astype(np.float32)
    texts = ("blur:sigma=1,boundary=circular", 2), ("motion:length=5,boundary=circular", 9)
    both = torch.cat([as_input(y, text, sigma) for text, sigma in texts])
    with torch.inference_mode():
        together = network(both)
        alone = torch.cat([network(both[:1]), network(both[1:])])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)
    assert (together[0] - together[1]).abs().max() > 0.1


def test_every_step_learns_its_level_and_its_weight(network):
    y = np.random.default_rng(3).random((16, 16, 3)).astype(np.float32)
    network.zero_grad()
    network(as_input(y, "blur:sigma=1,boundary=circular", 5)).square().mean().backward()
    for parameter in (network.levels, network.weights):
        assert (parameter.grad != 0).all()
    network.zero_grad()


@pytest.mark.parametrize("k", range(8))
def test_turning_back_undoes_turning(k):
    x = torch.rand(2, 3, 5, 8)
    assert torch.equal(unrolled.turned(unrolled.turned(x, k), k, back=True), x)
