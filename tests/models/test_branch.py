from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from resolvent.errors import InputError, UsageError
from resolvent.inference.runtime import open_session
from resolvent.models.branch import with_branch
from resolvent.models.export import load_module, write
from resolvent.models.graph import check_graph
from resolvent.networks.uncertainty import UncertaintyHead, features_of

X = np.random.default_rng(0).random((1, 4, 24, 40), dtype=np.float32)


@pytest.fixture(scope="module")
def branched(tiny, tmp_path_factory):
    """A model with a head of random weights, and that head."""
    network, card, path = tiny
    torch.manual_seed(1)
    head = UncertaintyHead(network.tail.in_channels, fold=network.fold, channels=4).eval()
    torch.nn.init.normal_(head.leave.weight, std=0.3)
    model = onnx.load(path)
    card = replace(with_branch(model, head, card), uncertainty={"factor": 1.1, "wide": 1.5})
    target = tmp_path_factory.mktemp("branched") / "model.onnx"
    write(model, card, target)
    return target, head, card


def test_the_map_is_that_of_the_module_and_the_image_stays_to_the_bit(branched, tiny):
    path, head, _ = branched
    session = open_session(path, threads=1)
    plain = open_session(tiny[2], threads=1).run(X)
    both = session.run_with_errors(X)
    assert np.array_equal(session.run(X), plain)
    assert np.array_equal(both[:, :3], plain)
    with torch.inference_mode():
        restored, features = features_of(load_module(path)[0], torch.from_numpy(X))
        expected = head(features, torch.from_numpy(X), restored).amax(1)
    assert both[:, 3] == pytest.approx(expected.numpy(), rel=1e-4)
    assert expected.std() > 0.01 * expected.mean()


def test_any_program_runs_the_file_as_the_model_that_it_was(branched, tiny):
    session = onnxruntime.InferenceSession(branched[0], providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == ["input"]
    assert np.array_equal(session.run(["output"], {"input": X})[0], open_session(tiny[2]).run(X))
    assert session.run(None, {"input": X})[1].size == 0
    onnx.checker.check_model(onnx.load(branched[0]))
    check_graph(branched[0], branched[2])


def test_a_second_head_replaces_the_first(branched, tmp_path):
    path, head, card = branched
    model = onnx.load(path)
    again = with_branch(model, head, card)
    write(model, again, tmp_path / "again.onnx")
    assert abs((tmp_path / "again.onnx").stat().st_size - path.stat().st_size) < 64
    assert np.array_equal(
        open_session(tmp_path / "again.onnx", threads=1).run_with_errors(X),
        open_session(path, threads=1).run_with_errors(X),
    )


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_other_runtimes_restore_and_give_no_map(branched, tiny, runtime):
    session = open_session(branched[0], runtime, threads=1)
    assert session.run(X) == pytest.approx(open_session(tiny[2]).run(X), abs=1e-3)
    with pytest.raises(UsageError, match="needs the runtime onnxruntime"):
        session.run_with_errors(X)


def test_a_model_without_a_head_says_so(tiny):
    with pytest.raises(UsageError, match="no map of errors"):
        open_session(tiny[2], threads=1).run_with_errors(X)


def test_a_graph_without_the_last_layer_is_refused(tiny):
    _, card, path = tiny
    with pytest.raises(InputError, match="0 convolutions"):
        with_branch(onnx.load(path), UncertaintyHead(8, channels=4), card, last="missing.weight")
