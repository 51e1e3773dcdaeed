from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from resolvent import networks
from resolvent.errors import InputError, OutputError, UsageError
from resolvent.inference.runtime import open_session
from resolvent.models.card import ModelCard
from resolvent.models.context import measure_halo
from resolvent.models.export import adopt, as_function, estimate_memory, export, load_module, write
from resolvent.models.registry import read_card

CARD = ModelCard("x", "denoise", "for tests", "unet-small", {}, "noise:sigma=5")


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino", "torch"])
@pytest.mark.parametrize("shape", [(1, 4, 8, 8), (3, 4, 40, 24)])
def test_every_runtime_agrees_with_the_trained_module(tiny, runtime, shape):
    network, _, path = tiny
    x = np.random.default_rng(0).random(shape, dtype=np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(x)).numpy()
    torch.set_num_threads(2)
    got = open_session(path, runtime, threads=1).run(x)
    assert torch.get_num_threads() == 2  # the caller's
    assert got.dtype == np.float32
    assert np.abs(got - expected).max() <= 1e-3
    assert np.abs(expected - x[:, :3]).max() > 0.02


def test_module_comes_back_with_the_very_same_weights(tiny):
    network, card, path = tiny
    module, read = load_module(path)
    assert read == card
    for name, value in network.state_dict().items():
        assert torch.equal(module.state_dict()[name], value), name


def test_file_holds_halves_and_nothing_of_the_machine(tiny):
    _, _, path = tiny
    model = onnx.load(path)
    kinds = {i.data_type for i in model.graph.initializer}
    assert onnx.TensorProto.FLOAT not in kinds
    assert onnx.TensorProto.FLOAT16 in kinds
    raw = path.read_bytes()
    assert b".py" not in raw
    assert b"/src/" not in raw


def test_weights_beyond_halves_stay_exact_and_the_card_tells_what_the_others_lost(tmp_path):
    """1e5 would be infinite as float16."""
    network = torch.nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        network.weight.fill_(1e5)
        network.bias.fill_(1 / 3)
    card = export(network, CARD, tmp_path / "x.onnx")
    assert card.rounding == pytest.approx(1 / 3 - float(np.float16(1 / 3)), rel=1e-3)
    assert read_card(tmp_path / "x.onnx") == card
    x = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    expected = 1e5 * x.sum(1, keepdims=True) + float(np.float16(1 / 3))
    np.testing.assert_allclose(open_session(tmp_path / "x.onnx").run(x), expected.repeat(3, 1), rtol=1e-5)


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path, value):
    network = torch.nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        network.weight[0] = value
    with pytest.raises(InputError, match=r"weight.*hold NaN or infinity"):
        export(network, CARD, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_a_network_without_biases_has_constant_ones_in_its_file(tmp_path):
    """For onnxruntime joins no convolution with what follows if its bias is computed."""
    arguments = {"noise_level": True, "widths": [8, 8, 8], "blocks": [1, 1, 1], "bias": False}
    arguments = networks.resolve_arguments("unet-small", **arguments)
    torch.manual_seed(0)
    module = networks.build("unet-small", **arguments).eval()
    with torch.no_grad():
        module.tail.weight.normal_()
    card = ModelCard("plain", "denoise", "", "unet-small", arguments, "noise:sigma=0..75", noise_level=True)
    path = tmp_path / "plain.onnx"
    export(module, card, path)
    graph = onnx.load(path).graph
    constant = {initializer.name for initializer in graph.initializer}
    computed = {node.output[0] for node in graph.node if node.op_type != "Cast"}
    convolutions = [node for node in graph.node if node.op_type in ("Conv", "ConvTranspose")]
    assert len(convolutions) > 10
    for node in convolutions:
        assert len(node.input) == 3
        assert node.input[2] in constant
        assert node.input[2] not in computed
    assert not any(node.op_type in ("Expand", "CastLike") for node in graph.node)
    x = torch.rand(1, 4, 40, 56)
    with torch.inference_mode():
        expected = load_module(path)[0].eval()(x).numpy()
    np.testing.assert_allclose(open_session(path).run(x.numpy()), expected, atol=1e-5, rtol=1e-5)


def test_weights_that_do_not_fit_the_card_are_refused(tiny, tmp_path):
    _, _, path = tiny
    model = onnx.load(path)
    del model.graph.initializer[0]
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="has no weights for"):
        load_module(broken)


class Box(torch.nn.Module):
    """A mean over 17x17 pixels: depends on 8 pixels of context, exactly."""

    def __init__(self):
        super().__init__()
        self.pool = torch.nn.AvgPool2d(17, stride=1, padding=8)

    def forward(self, x):
        return self.pool(x)


def test_halo_is_the_context_of_a_known_filter():
    card = ModelCard("box", "denoise", "", "unet-small", {}, "noise:sigma=25")
    assert measure_halo(as_function(Box()), card, limit=32) == 8


def test_folder_that_cannot_be_written_is_refused_and_left_clean(tiny, tmp_path):
    _, card, path = tiny
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        write(onnx.load(path), card, tmp_path / "file" / "model.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_adopting_takes_what_fits_and_leaves_the_rest(tiny):
    """Without the noise level, the first layer keeps the weights of the image's channels."""
    donor, _, path = tiny
    torch.manual_seed(5)
    blind = networks.build("unet-small", widths=[8, 16, 16], blocks=[1, 1, 2])
    fresh = {name: value.clone() for name, value in blind.state_dict().items()}
    adopt(blind, path)
    own, given = blind.state_dict(), donor.state_dict()
    assert torch.equal(own["head.weight"], given["head.weight"][:, :3])
    assert torch.equal(own["encoder.0.0.conv1.weight"], given["encoder.0.0.conv1.weight"])
    assert torch.equal(own["middle.1.conv1.weight"], fresh["middle.1.conv1.weight"])
    with pytest.raises(UsageError, match="no weight of its network"):
        adopt(torch.nn.Linear(3, 3), path)


def test_memory_is_that_of_the_largest_tensors():
    """Four tensors of 16 channels at half the sides, 4 bytes each, and two thirds more."""
    network = networks.build("unet-small", widths=[16, 16], blocks=[1, 1], fold=2)
    assert estimate_memory(network, CARD) == round(5 / 3 * 4 * 4 * 16 / 4)
    doubled = networks.build("unet-small", widths=[16, 16], blocks=[1, 1], fold=1, scale=2)
    assert estimate_memory(doubled, CARD) == round(5 / 3 * 4 * 4 * 16)


def test_enlarging_model_survives_the_export(tmp_path):
    arguments = {"widths": [8, 16], "blocks": [1, 1], "skips": "concat", "fold": 1, "scale": 2}
    torch.manual_seed(0)
    network = networks.construct("unet-small", arguments).eval()
    card = replace(CARD, arguments=arguments, scale=2)
    assert measure_halo(as_function(network), card, limit=24) <= 24
    export(network, card, tmp_path / "x2.onnx")
    x = np.random.default_rng(0).random((1, 3, 16, 24), dtype=np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(x)).numpy()
    for runtime in ("onnxruntime", "openvino", "torch"):
        got = open_session(tmp_path / "x2.onnx", runtime, threads=1).run(x)
        assert got.shape == (1, 3, 32, 48)
        assert np.abs(got - expected).max() <= 1e-3
