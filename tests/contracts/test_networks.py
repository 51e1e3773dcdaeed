"""What every network of NETWORKS keeps to, as functions of its name: ``CHECKS``."""

import pytest
import torch

from resolvent.networks import NETWORKS, build


def fresh(name, seed=0):
    torch.manual_seed(seed)
    return build(name).eval()


def noise(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def has_the_parameters_that_its_entry_says(name):
    assert sum(p.numel() for p in fresh(name).parameters()) == NETWORKS[name].parameters


def any_size_from_its_multiple_up_comes_back_at_its_size_and_finite(name):
    network, multiple = fresh(name), NETWORKS[name].multiple
    for height, width in ((multiple, multiple), (multiple + 1, multiple + 5), (32, 17)):
        with torch.inference_mode():
            y = network(noise(1, 3, height, width))
        assert y.shape == (1, 3, height, width)
        assert torch.isfinite(y).all()


def a_shift_by_its_multiple_shifts_the_result(name):
    """Far from the border: what tiles that start at a multiple rely on."""
    network, multiple = fresh(name), NETWORKS[name].multiple
    assert getattr(network, "multiple", multiple) == multiple
    x = noise(1, 3, 96 + multiple, 96)
    with torch.inference_mode():
        whole, shifted = network(x)[:, :, multiple:], network(x[:, :, multiple:])
    torch.testing.assert_close(whole[..., 40:56, 40:56], shifted[..., 40:56, 40:56], atol=2e-4, rtol=0)


def samples_of_a_batch_do_not_touch_each_other(name):
    network, x = fresh(name), noise(2, 3, 16, 24)
    with torch.inference_mode():
        torch.testing.assert_close(network(x)[1:], network(x[1:]), atol=1e-5, rtol=1e-5)


def gradient_reaches_every_weight(name):
    network, x = fresh(name).train(), noise(1, 3, 32, 32)
    (network(x) - x.flip(-1)).square().mean().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not silent


def weights_survive_a_state_dict(name):
    network, other, x = fresh(name), fresh(name, seed=7), noise(1, 3, 16, 16)
    with torch.inference_mode():
        assert not torch.equal(other(x), network(x))
        other.load_state_dict(network.state_dict())
        assert torch.equal(other(x), network(x))


CHECKS = [
    has_the_parameters_that_its_entry_says,
    any_size_from_its_multiple_up_comes_back_at_its_size_and_finite,
    a_shift_by_its_multiple_shifts_the_result,
    samples_of_a_batch_do_not_touch_each_other,
    gradient_reaches_every_weight,
    weights_survive_a_state_dict,
]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_network(check, name):
    check(name)


def check_network(name):
    """Run the checks on an entry of NETWORKS."""
    for check in CHECKS:
        check(name)
