"""The second set of weights of a model: blends lie between the two, and say that they invent."""

import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

import resolvent
from resolvent.batch.settings import describe_settings, key_of
from resolvent.batch.worker import Files
from resolvent.engine.options import make_request
from resolvent.errors import InputError, UsageError
from resolvent.image import Image
from resolvent.inference.runtime import OnnxSession, open_session
from resolvent.models.export import export, load_module
from resolvent.models.realism import blended, realistic_card, write_realism
from resolvent.models.registry import bundled, find, read_card, realistic, split_realism
from resolvent.networks import build


@pytest.fixture(scope="module")
def pair(tiny, tmp_path_factory):
    """A model, another of the same graph with weights that differ, and the file of the change."""
    network, card, base = tiny
    other = build("unet-small", **card.arguments).eval()
    other.load_state_dict(network.state_dict())
    torch.manual_seed(1)
    for parameter in other.parameters():
        parameter.data.add_(0.1 * parameter.data.abs().mean() * torch.randn(parameter.shape))
    folder = tmp_path_factory.mktemp("pair")
    export(other, replace(card, name="tiny-gan", invents=True), folder / "other.onnx")
    write_realism(base, folder / "other.onnx", folder / "change.npz")
    return network, other, base, folder / "change.npz"


@pytest.mark.parametrize("realism", [0.0, 0.3, 1.0])
def test_a_blend_is_the_network_of_the_weights_in_between(pair, tiny, realism):
    network, other, base, change = pair
    between = build("unet-small", **tiny[1].arguments).eval()
    ends = network.state_dict(), other.state_dict()
    between.load_state_dict({name: torch.lerp(value, ends[1][name], realism) for name, value in ends[0].items()})
    x = np.random.default_rng(0).random((1, 4, 32, 32), np.float32)
    with torch.inference_mode():
        expected, plain = (net(torch.from_numpy(x)).numpy() for net in (between, network))
    found = OnnxSession(base, tiny[1], 1, content=blended(base, change, realism)).run(x)
    error, moved = np.abs(found - expected).mean(), np.abs(expected - plain).mean()
    assert error < (0.05 * moved if realism else 1e-3)


def test_without_realism_it_is_the_model_to_the_byte(pair):
    _, _, base, change = pair
    assert blended(base, change, 0.0) == base.read_bytes()


def test_the_card_is_that_of_the_realistic_model(pair):
    card = realistic_card(pair[3])
    assert (card.name, card.invents) == ("tiny-gan", True)


def test_another_model_is_refused(pair, tmp_path):
    _, _, base, change = pair
    other = tmp_path / "other.onnx"
    other.write_bytes(base.read_bytes() + b"\0")
    with pytest.raises(InputError, match=r"cannot be read|not an ONNX"):
        blended(other, change, 0.5)
    with pytest.raises(InputError, match=r"belongs to another upscale2\.onnx"):
        blended(bundled()["upscale2"], change, 0.5)
    with pytest.raises(InputError, match="other weights than"):
        write_realism(bundled()["upscale2"], base, tmp_path / "x.npz")


def test_a_damaged_file_is_refused(pair, tmp_path):
    _, _, base, change = pair
    for content in (b"", b"PK", change.read_bytes()[:-200]):
        (tmp_path / "x.npz").write_bytes(content)
        with pytest.raises(InputError, match=r"x\.npz: cannot be read"):
            blended(base, tmp_path / "x.npz", 0.5)


@pytest.mark.parametrize("fault", ["base", "scale", "name", "shape"])
def test_what_lacks_a_part_is_refused(pair, tmp_path, fault):
    _, _, base, change = pair
    with np.load(change) as file:
        arrays = dict(file)
    scale = next(key for key in arrays if key.startswith("scale/") and arrays[key].size > 1)
    match fault:
        case "base" | "scale":
            del arrays["base" if fault == "base" else scale]
        case "name":
            arrays["change/zz"] = arrays[scale.replace("scale", "change")]
        case "shape":
            arrays[scale] = np.ones((7, 5), np.float32)
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(InputError, match=r"damaged|belongs to another"):
        blended(base, tmp_path / "x.npz", 0.5)


def test_names_of_blends():
    assert split_realism("upscale4@0.5") == ("upscale4", 0.5)
    assert split_realism("UPSCALE4@1") == ("upscale4", 1.0)
    for name in ("upscale4", "upscale2@0.5", "photo@2x.onnx", "upscale4@", "upscale4@x"):
        assert split_realism(name) == (name, 0.0)
    assert find("upscale4@0.5") == bundled()["upscale4"]
    for name in ("upscale4@1.5", "upscale4@1.2.3"):
        with pytest.raises(UsageError, match="realism is from 0"):
            find(name)
    card, plain = read_card("upscale4@1"), read_card("upscale4")
    assert card.invents
    assert not plain.invents
    assert (card.scale, card.multiple, card.name) == (plain.scale, plain.multiple, "upscale4@1")
    assert not card.uncertainty
    assert card.figures["validation"]
    assert not read_card("upscale4@0.5").figures


def test_what_is_bundled_belongs_to_its_model():
    for name, path in realistic().items():
        with np.load(path) as file:
            assert file["base"].tobytes() == hashlib.sha256(bundled()[name].read_bytes()).digest()


UNMAPPED = "realism 0.5 and uncertainty: detail that is invented has no map of errors; leave realism (--realism) out"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"realism": 0.5}, "realism 0.5: needs a model that can invent detail; give model upscale4, or scale 4"),
        ({"realism": 0.5, "scale": 2}, "model 'upscale2' cannot invent detail; give model upscale4"),
        ({"realism": 0.5, "model": "restore"}, "model 'restore' cannot invent detail"),
        ({"realism": 1.5, "scale": 4}, "realism 1.5: must be from 0"),
        ({"realism": float("nan"), "scale": 4}, "realism nan: must be from 0"),
        ({"realism": True, "scale": 4}, "must be a number"),
        ({"realism": 0.5, "model": "upscale4", "uncertainty": True}, UNMAPPED),
        ({"realism": 0.5, "scale": 4, "uncertainty": True}, UNMAPPED),
        ({"model": "upscale4@0.5", "uncertainty": True}, UNMAPPED),
        ({"model": "upscale4@0.5", "uncertainty": "jacobian"}, UNMAPPED),
        ({"realism": 0.5, "model": "upscale4@0.3"}, "model 'upscale4@0.3' names its own"),
        ({"realism": 0.5, "method": "tv", "degradation": "noise:sigma=5"}, "realism 0.5 and method 'tv'"),
    ],
)
def test_what_realism_does_not_go_with(options, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        make_request(**options)


def test_a_realism_is_that_of_its_name():
    """In thousandths, and never with an exponent."""
    for given, name in (
        (1e-5, "upscale4"),
        (0.0006, "upscale4@0.001"),
        (0.123456789, "upscale4@0.123"),
        (1, "upscale4@1"),
    ):
        request = make_request(scale=4, realism=given)
        assert request.named() == name
        assert split_realism(name)[1] == request.realism
    assert make_request(model="UPSCALE4@.50").named() == "upscale4@0.5"


def test_no_map_of_errors_and_no_training_starts_from_a_blend():
    with pytest.raises(UsageError, match="has no map of errors"):
        open_session("upscale4@0.5").run_with_errors(np.zeros((1, 3, 16, 16), np.float32))
    with pytest.raises(UsageError, match="a blend has no weights to go on from"):
        load_module("upscale4@0.5")


def test_no_other_runtime_takes_a_blend():
    with pytest.raises(UsageError, match="runtime openvino: realism needs onnxruntime"):
        open_session("upscale4@0.5", "openvino")


def test_a_photograph_gets_detail_and_the_plan_says_that_it_is_invented():
    image = Image.from_array(np.random.default_rng(0).random((24, 24, 3)).astype(np.float32))
    plain, half, whole = (
        resolvent.run(image, resolvent.plan(image, scale=4, realism=realism)) for realism in (0, 0.5, 1.0)
    )
    for restored, name in ((half, "upscale4@0.5"), (whole, "upscale4@1")):
        assert restored.plan.model == name
        assert any("invented" in reason for reason in restored.plan.reasons)
    assert not any("invented" in reason for reason in plain.plan.reasons)
    moved = [np.abs(x.image.data - plain.image.data).mean() for x in (half, whole)]
    assert 0 < moved[0] < moved[1] < 0.2


def test_a_batch_does_again_what_had_another_realism(monkeypatch, tmp_path):
    def key(**options):
        return key_of(describe_settings(make_request(scale=4, **options), Files()))

    assert len({key(), key(realism=0.5), key(realism=1.0)}) == 3
    before = key(realism=0.5)
    other = tmp_path / "upscale4.realism.npz"
    other.write_bytes(realistic()["upscale4"].read_bytes() + b"0")
    for module in ("resolvent.engine.request", "resolvent.models.registry"):
        monkeypatch.setattr(f"{module}.realistic", lambda: {"upscale4": other})
    assert key(realism=0.5) != before


def test_the_command_line_says_it_too(tmp_path, run):
    path = tmp_path / "a.png"
    resolvent.write_image(Image.from_array(np.random.default_rng(0).random((24, 24, 3)).astype(np.float32)), path)
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a.png").write_bytes(path.read_bytes())
    code, out, _ = run("restore", path, "-s", "4", "--realism", "0.5", "--json")
    (row,) = json.loads(out)["results"]
    assert code == 0
    assert row["model"] == "upscale4@0.5"
    assert any("invented" in reason for reason in row["reasons"])
    for arguments, page in (
        (("restore", path, "-s", "4", "--realism", "1", "-o", tmp_path / "b.png", "--page"), "b.html"),
        (("compare", path, "--degradation", "downsample:scale=4", "--methods", "upscale4@1", "-o"), "c.html"),
    ):
        assert run(*arguments, tmp_path / page)[0] == 0
        assert "detail is invented" in (tmp_path / page).read_text("utf-8")
    assert run("restore", tmp_path / "d", "-o", tmp_path / "e", "-s", "4", "--realism", "1")[0] == 0
    assert run("batch", "report", tmp_path / "e", "-o", tmp_path / "d.html")[0] == 0
    assert "Of those restored, 1: fine detail is invented" in (tmp_path / "d.html").read_text("utf-8")
    code, _, err = run("restore", path, "--realism", "0.5")
    assert code == 2
    assert "--realism 0.5: needs a model that can invent detail" in err
    assert "invents detail" in run("models", "upscale4")[2]
    assert "is invented" in run("models", "upscale4@1")[2]
