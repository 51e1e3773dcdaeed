import numpy as np
import pytest
import torch

from resolvent.errors import UsageError
from resolvent.networks import build
from resolvent.networks.unet import Enlarge, UNet, fill_coarsely
from resolvent.physics.resize import imresize


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


@pytest.mark.parametrize(("size", "multiple"), [((17, 23), 8), ((5, 8), 8), ((1, 1), 8)])
def test_other_sizes_are_padded_by_their_edge(size, multiple):
    torch.manual_seed(0)
    network = UNet((8, 16, 16), (1, 1, 1))
    x = torch.rand(1, 3, *size)
    height, width = (-(-s // multiple) * multiple for s in size)
    padded = torch.nn.functional.pad(x, (0, width - size[1], 0, height - size[0]), mode="replicate")
    with torch.inference_mode():
        assert torch.equal(network(x), network(padded)[..., : size[0], : size[1]])


def test_macs_per_megapixel_stay_within_the_budget():
    """At most 145 GMAC for the small network, two thirds of FFDNet's, counted by torch on one 64x64 tile."""
    from torch.utils.flop_counter import FlopCounterMode

    network = build("unet-small", noise_level=True)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.rand(1, 4, 64, 64))
    macs = counter.get_total_flops() / 2
    assert macs / (64 * 64) * 1e6 <= 145e9
    assert sum(p.numel() for p in network.parameters()) <= 3.5e6


def test_widths_and_blocks_must_pair():
    with pytest.raises(UsageError, match="one of each"):
        UNet((8, 16), (1,))


def test_unknown_network_suggests_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'unet-small'"):
        build("unet-smal")


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_enlargement_starts_from_matlabs_bicubic(scale):
    x = np.random.default_rng(0).random((9, 7, 3), dtype=np.float32)
    y = Enlarge(scale)(torch.from_numpy(x).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    inside = slice(2 * scale, -2 * scale)  # at the border imresize mirrors
    np.testing.assert_allclose(y[inside, inside], imresize(x, scale)[inside, inside], atol=1e-6)


@pytest.mark.parametrize(("scale", "size"), [(2, (9, 13)), (4, (8, 8))])
def test_enlarging_network_gives_the_larger_size(scale, size):
    torch.manual_seed(0)
    network = UNet((8, 16), (1, 1), fold=1, scale=scale)
    x = torch.rand(1, 3, *size)
    with torch.inference_mode():
        y = network(x)
        assert y.shape == (1, 3, scale * size[0], scale * size[1])
        assert (y - network.enlarge(x)).abs().mean() < 0.05


def test_concatenated_skips_reach_the_decoder():
    torch.manual_seed(0)
    network = UNet((8, 16), (1, 1), skips="concat")
    x = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        before = network(x)
        network.merge[0].weight[:, 8:] = 0  # what comes from the encoder
        assert not torch.allclose(before, network(x), atol=1e-6)


def test_unknown_skips_suggest_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'concat'"):
        build("unet-small", skips="concatenate")


@pytest.mark.parametrize("scale", [1, 2])
def test_without_biases_it_is_homogeneous(scale):
    """f(a x) = a f(x) for a > 0, with the noise level as part of x; with biases it is not."""
    x = torch.rand(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    for bias in (False, True):
        torch.manual_seed(1)
        network = UNet((8, 12), (1, 1), noise_level=True, bias=bias, scale=scale)
        for parameter in network.parameters():
            if parameter.ndim == 1:
                torch.nn.init.normal_(parameter)
        with torch.no_grad():
            assert torch.allclose(network(0.25 * x), 0.25 * network(x), atol=1e-5) is not bias


def holes(height=24, width=32):
    missing = torch.zeros(1, 1, height, width)
    missing[..., 6:12, 5:20] = 1
    missing[..., 3:22, 25] = 1
    return missing


def test_filling_keeps_what_is_known_and_continues_what_is_smooth():
    """A plane is filled within a tenth of its range; a constant exactly."""
    rows, columns = torch.meshgrid(torch.arange(24.0), torch.arange(32.0), indexing="ij")
    plane = (rows + columns)[None, None].expand(1, 3, -1, -1) / 60
    missing = holes()
    filled = fill_coarsely(torch.where(missing > 0, torch.rand(1, 3, 24, 32), plane), missing)
    torch.testing.assert_close(filled * (1 - missing), plane * (1 - missing), rtol=0, atol=0)
    assert (filled - plane).abs().max() < 0.1
    flat = fill_coarsely(0.3 + 0 * plane, missing)
    assert (flat - 0.3).abs().max() < 1e-3


def test_filling_a_whole_image_is_gray():
    filled = fill_coarsely(torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64))
    torch.testing.assert_close(filled, torch.full((1, 3, 64, 64), 0.5))


def test_what_a_mask_hides_does_not_count_and_nothing_else_changes():
    torch.manual_seed(0)
    network = UNet((8, 16, 16), (1, 1, 1), fold=1, mask=True)
    x, other, missing = torch.rand(1, 3, 23, 30), torch.rand(1, 3, 23, 30), holes()[..., :23, :30]
    with torch.inference_mode():
        y = network(torch.cat([x, missing], 1))
        z = network(torch.cat([torch.where(missing > 0, other, x), missing], 1))
    assert torch.equal(y, z)
    known = missing.expand(-1, 3, -1, -1) == 0
    assert torch.equal(y[known], x[known])
    assert (y[~known] - x[~known]).abs().min() > 0


def test_one_output_is_a_probability():
    torch.manual_seed(0)
    with torch.inference_mode():
        y = UNet((8, 16), (1, 1), outputs=1)(20 * torch.rand(2, 3, 17, 24) - 10)
    assert y.shape == (2, 1, 17, 24)
    assert 0 <= y.min() < y.max() <= 1


@pytest.mark.parametrize(
    "arguments",
    [{"outputs": 2}, {"outputs": 1, "mask": True}, {"mask": True, "scale": 2}, {"mask": True, "noise_level": True}],
)
def test_what_does_not_go_together_is_refused(arguments):
    with pytest.raises(UsageError, match="give 3 outputs, or 1 for a mask of damage"):
        UNet((8, 16), (1, 1), **arguments)
