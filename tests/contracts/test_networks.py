"""What every network of NETWORKS promises."""

import pytest
import torch

from resolvent.networks import NETWORKS, build

PARAMETERS = {"seed_unet": 15_088_451, "seed_unet-lite": 14_983_075, "unet-small": 2_301_699, "unet-base": 14_698_956}

networks = pytest.mark.parametrize("name", NETWORKS)


@pytest.fixture(scope="module")
def built():
    torch.manual_seed(0)
    return {name: build(name).eval() for name in NETWORKS}


@networks
def test_parameter_count_is_pinned(name, built):
    assert sum(p.numel() for p in built[name].parameters()) == PARAMETERS[name]


@networks
@pytest.mark.parametrize("size", [(8, 8), (9, 13), (32, 17), (1, 1)])
def test_any_size_comes_back_at_its_size_and_finite(name, built, size):
    if name.startswith("seed") and min(size) < 8:
        pytest.skip("three poolings need 8 pixels a side")
    with torch.inference_mode():
        y = built[name](torch.rand(1, 3, *size))
    assert y.shape == (1, 3, *size)
    assert torch.isfinite(y).all()


@networks
def test_samples_of_a_batch_do_not_touch_each_other(name, built):
    x = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(built[name](x)[1:], built[name](x[1:]), atol=1e-5, rtol=1e-5)


@networks
def test_gradient_reaches_every_weight(name):
    torch.manual_seed(0)
    network = build(name).train()
    x = torch.rand(1, 3, 32, 32)
    (network(x) - x.flip(-1)).square().mean().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not silent


@networks
def test_weights_survive_a_state_dict(name, built):
    torch.manual_seed(7)
    other = build(name).eval()
    x = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        assert not torch.equal(other(x), built[name](x))
        other.load_state_dict(built[name].state_dict())
        assert torch.equal(other(x), built[name](x))


def test_registry_and_module_agree_on_the_multiple(built):
    assert NETWORKS["unet-small"].multiple == built["unet-small"].multiple
    assert NETWORKS["unet-base"].multiple == built["unet-base"].multiple
