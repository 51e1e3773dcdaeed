import pytest
import torch

from resolvent.errors import UsageError
from resolvent.networks import build
from resolvent.networks.unet import UNet


def test_starts_near_the_identity():
    torch.manual_seed(0)
    x = torch.rand(1, 3, 24, 24)
    with torch.inference_mode():
        assert (build("unet-small")(x) - x).abs().mean() < 0.05


def test_noise_level_channel_is_used():
    torch.manual_seed(0)
    network = UNet((8, 16), (1, 1), noise_level=True)
    x = torch.rand(1, 3, 16, 16)
    low, high = (torch.cat([x, torch.full((1, 1, 16, 16), level)], dim=1) for level in (0.0, 0.2))
    with torch.inference_mode():
        assert not torch.equal(network(low), network(high))


@pytest.mark.parametrize(("size", "multiple"), [((17, 23), 8), ((5, 8), 8)])
def test_other_sizes_are_padded_by_their_edge(size, multiple):
    torch.manual_seed(0)
    network = UNet((8, 16, 16), (1, 1, 1))
    x = torch.rand(1, 3, *size)
    height, width = (-(-s // multiple) * multiple for s in size)
    padded = torch.nn.functional.pad(x, (0, width - size[1], 0, height - size[0]), mode="replicate")
    with torch.inference_mode():
        assert torch.equal(network(x), network(padded)[..., : size[0], : size[1]])


def test_macs_per_megapixel_stay_within_the_budget():
    """At most 115 GMAC for the small network, counted by torch on one 64x64 tile."""
    from torch.utils.flop_counter import FlopCounterMode

    network = build("unet-small", noise_level=True)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.rand(1, 4, 64, 64))
    macs = counter.get_total_flops() / 2
    assert macs / (64 * 64) * 1e6 <= 115e9
    assert sum(p.numel() for p in network.parameters()) <= 2.5e6


def test_widths_and_blocks_must_pair():
    with pytest.raises(UsageError, match="one of each"):
        UNet((8, 16), (1,))


def test_unknown_network_suggests_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'unet-small'"):
        build("unet-smal")
