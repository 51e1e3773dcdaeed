import numpy as np
import pytest
import torch

from resolvent.errors import UsageError
from resolvent.networks import build
from resolvent.networks.seed_unet import ConvTransposeSame, Dropout, SeedUNet


def test_stride_two_transposed_convolution_is_aligned_as_in_keras():
    """Keras's is the adjoint of its "same" convolution of stride 2, which pads below: out[i] = sum_k w[k] x[2i + k]."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 3, 3))
    expected = np.zeros((5, 6, 8))
    for c, o, i, j, k, m in np.ndindex(2, 5, 3, 4, 3, 3):
        if 2 * i + k < 6 and 2 * j + m < 8:
            expected[o, 2 * i + k, 2 * j + m] += w[c, o, k, m] * x[c, i, j]
    layer = ConvTransposeSame(2, 5).double()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(w))
        layer.bias.zero_()
        got = layer(torch.from_numpy(x)[None])[0].numpy()
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_lambda_layers_resize_to_the_papers_size_and_back():
    torch.manual_seed(0)
    paper = SeedUNet("lite", size=32).eval()
    free = SeedUNet("lite").eval()
    free.load_state_dict(paper.state_dict())
    x = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(paper(x), free(x))
        large = torch.rand(1, 3, 50, 70)
        resized = torch.nn.functional.interpolate(large, (32, 32), mode="bilinear")
        expected = torch.nn.functional.interpolate(free(resized), (50, 70), mode="bilinear")
        torch.testing.assert_close(paper(large), expected)


def test_outputs():
    torch.manual_seed(0)
    x = torch.rand(1, 3, 16, 16)
    kinds = {kind: build("seed_unet-lite", output=kind).eval() for kind in ("relu", "linear", "residual")}
    for network in kinds.values():
        network.load_state_dict(kinds["linear"].state_dict())
    with torch.inference_mode():
        linear = kinds["linear"](x)
        assert torch.equal(kinds["relu"](x), linear.clamp(min=0))
        assert torch.equal(kinds["residual"](x), x + linear)
    assert (linear < 0).any()


def test_relu_preset_starts_alive():
    torch.manual_seed(0)
    network = build("seed_unet-lite").eval()
    assert network.d1.t3.bias.tolist() == pytest.approx([0.1] * 3)
    with torch.inference_mode():
        assert (network(torch.rand(1, 3, 16, 16)).amax(dim=(0, 2, 3)) > 0).all()


def test_dropout_is_drawn_in_training_only():
    torch.manual_seed(0)
    network = build("seed_unet-lite")
    x = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        assert not torch.equal(network.train()(x), network(x))
        assert torch.equal(network.eval()(x), network(x))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_dropout_zeroes_a_share_of_the_values_and_keeps_the_mean(layout):
    torch.manual_seed(0)
    x = torch.rand(4, 7, 61, 53).add(1).to(memory_format=layout)
    y = Dropout(0.2)(x)
    share = (y == 0).double()
    assert share.mean().item() == pytest.approx(0.2, abs=3 * (0.2 * 0.8 / x.numel()) ** 0.5)
    neighbors = [torch.corrcoef(torch.stack([share[..., :-1].flatten(), share[..., 1:].flatten()]))[0, 1],
                  torch.corrcoef(torch.stack([share[:, :-1].flatten(), share[:, 1:].flatten()]))[0, 1]]  # fmt: skip
    assert max(map(abs, neighbors)) < 0.015
    torch.testing.assert_close(y[y > 0], x[y > 0] / 0.8, rtol=1e-4, atol=0)
    torch.manual_seed(0)
    torch.rand(4, 7, 61, 53)
    assert torch.equal(Dropout(0.2)(x), y)
    assert Dropout(0.2).eval()(x) is x


@pytest.mark.parametrize(
    "arguments",
    [{"variant": "30m"}, {"output": "tanh"}, {"depth": 3}, {"widths": (4, 8)}, {"dropout": 1.0}],
)
def test_wrong_arguments_are_refused_by_name(arguments):
    (key,) = arguments
    with pytest.raises(UsageError, match=key):
        build("seed_unet", **arguments)


def test_widths_and_skips():
    """Without skips the last convolutions have fewer inputs, and the decoder hears from the middle alone."""
    whole = build("seed_unet-lite", widths=(4, 6, 8, 10))
    bare = build("seed_unet-lite", widths=(4, 6, 8, 10), skips=False)
    assert whole.d1.t3.in_channels - bare.d1.t3.in_channels == 2 * 4
    assert whole.middle.c1.out_channels == 10
    x = torch.rand(1, 3, 24, 16)
    with torch.inference_mode():
        features = bare.eval().e1(x)
        assert torch.equal(bare.d1(torch.ones(1, 6, 12, 8), features), bare.d1(torch.ones(1, 6, 12, 8), 0 * features))
