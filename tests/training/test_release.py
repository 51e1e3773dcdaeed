import dataclasses

import numpy as np
import pytest

import resolvent
from resolvent.models.export import load_module
from resolvent.models.registry import read_card
from resolvent.training.loop import train
from resolvent.training.release import noise_range, release
from resolvent.training.runs import load_result


def test_model_of_a_run_carries_its_weights_and_its_story(recipe, photographs, tmp_path):
    recipe = dataclasses.replace(recipe, budget="2 steps")
    result = train(recipe, photographs, tmp_path / "run", threads=1)
    card = release(result, tmp_path / "m.onnx", data="six waves, CC0", license="MIT")
    module, read = load_module(tmp_path / "m.onnx")
    assert read == read_card(tmp_path / "m.onnx") == card
    assert (card.name, card.steps, card.sigma_range) == ("tiny", 2, (20.0, 40.0))
    assert card.data == {"photographs": 4, "source": "six waves, CC0"}
    assert card.figures["validation"] == pytest.approx(result.psnr, abs=1e-3)
    for name, value in result.network.state_dict().items():
        assert module.state_dict()[name].sub(value).abs().max() <= 1e-3 * value.abs().max() + 1e-6, name


def test_a_network_of_more_scales_says_of_which_multiple_its_sides_are(recipe, photographs, tmp_path):
    arguments = {"widths": [4, 4, 4, 4], "blocks": [0, 0, 0, 0], "fold": 2, "noise_level": True}
    result = train(dataclasses.replace(recipe, arguments=arguments, budget="1 steps"), photographs, tmp_path, threads=1)
    assert release(result, tmp_path / "m.onnx", data="", license="MIT").multiple == 16
    noisy = np.random.default_rng(0).random((37, 53, 3), np.float32)
    assert resolvent.restore(noisy, model=tmp_path / "m.onnx", sigma=20).shape == noisy.shape


def test_unfinished_run_gives_its_best_so_far(recipe, photographs, tmp_path):
    recipe = dataclasses.replace(recipe, budget="2 steps")
    finished = train(recipe, photographs, tmp_path, threads=1)
    loaded = load_result(tmp_path)
    assert loaded.psnr == finished.psnr
    assert loaded.recipe == recipe


@pytest.mark.parametrize(
    ("degradation", "expected"),
    [
        ("noise:sigma=0..75", (0, 75)),
        ("noise:sigma=5..75 @ 0.5 + quantize", (0, 75)),
        ("blur:sigma=2 + noise:sigma=5", (5, 5)),
        ("blur:sigma=2", None),
    ],
)
def test_noise_range(degradation, expected):
    assert noise_range(degradation) == expected
