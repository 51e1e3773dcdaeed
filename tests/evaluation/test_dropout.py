import numpy as np
import pytest
import torch
from torch import nn

from resolvent.errors import UsageError
from resolvent.evaluation.dropout import ensemble, mc_dropout
from resolvent.models.export import as_function
from resolvent.networks.seed_unet import SeedUNet

RNG = np.random.default_rng(0)
X = RNG.random((2, 3, 8, 12), dtype=np.float32)


def dropping(kind=nn.Dropout, p=0.25):
    """A sum of the channels of which each is dropped at random."""
    mix = nn.Conv2d(3, 1, 1, bias=False)
    nn.init.ones_(mix.weight)
    return nn.Sequential(kind(p), mix)


def test_passes_have_the_mean_and_the_variance_of_bernoulli_draws():
    """A value is dropped with probability p, and is x / (1 - p) else: mean x, variance x^2 p / (1 - p)."""
    mean, spread = mc_dropout(dropping(), X, passes=4000)
    assert mean == pytest.approx(X.sum(1, keepdims=True), rel=0.06)
    assert spread == pytest.approx(np.sqrt((X**2).sum(1, keepdims=True) / 3), rel=0.08)
    of_planes = mc_dropout(dropping(nn.Dropout2d), X, passes=4000)[1]
    assert of_planes == pytest.approx(spread, rel=0.12)


@pytest.mark.parametrize("at_once", [2**18, 500, 1])
def test_statistics_are_those_of_the_passes_whatever_is_computed_at_once(monkeypatch, at_once):
    monkeypatch.setattr("resolvent.evaluation.dropout.PIXELS", at_once)
    network, seen = SeedUNet(widths=(4, 4, 4, 8)).eval(), []
    network.register_forward_hook(lambda module, inputs, output: seen.append(output.numpy().copy()))
    mean, spread = mc_dropout(network, X, passes=7)
    passes = np.concatenate(seen).reshape(7, *X.shape)
    assert mean == pytest.approx(passes.mean(0), abs=1e-6)
    assert spread == pytest.approx(passes.std(0), abs=1e-6)
    assert spread.mean() > 1e-4


def test_seed_decides_and_the_caller_notices_nothing():
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5), nn.Conv2d(3, 3, 1))
    network[1].eval()  # a mixture of modes, which has to come back
    before = {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    first, again, other = (mc_dropout(network, X, passes=4, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.rand(4), expected)
    assert [module.training for module in network.modules()] == [True, True, False, True]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], other[0])


def test_networks_without_dropout_and_single_passes_are_refused():
    for network in (nn.Conv2d(3, 3, 1), dropping(p=0), SeedUNet(widths=(4, 4, 4, 8), dropout=0)):
        with pytest.raises(UsageError, match=r"has no dropout.*ensemble"):
            mc_dropout(network, X)
    with pytest.raises(UsageError, match="passes 1: must be 2"):
        mc_dropout(dropping(), X, passes=1)


def test_ensembles_are_the_mean_and_the_deviation_of_their_members():
    torch.manual_seed(0)
    networks = [as_function(nn.Conv2d(3, 3, 1)) for _ in range(3)]
    mean, spread = ensemble(networks, X)
    members = np.stack([network(X) for network in networks])
    assert mean == pytest.approx(members.mean(0), abs=1e-6)
    assert spread == pytest.approx(np.sqrt(((members - mean) ** 2).mean(0)), abs=1e-6)
    assert ensemble([lambda x: x, lambda x: 3 * x], X)[1] == pytest.approx(X)
    with pytest.raises(UsageError, match="ensemble of 1"):
        ensemble(networks[:1], X)
    with pytest.raises(UsageError, match=r"\(2, 3, 8, 12\), \(2, 1, 8, 12\)"):
        ensemble([networks[0], lambda x: x[:, :1]], X)
