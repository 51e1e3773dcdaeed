from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from resolvent.errors import UsageError
from resolvent.inference.runtime import open_session
from resolvent.models.export import load_module, write
from resolvent.models.registry import read_card
from resolvent.training.head import MISSTATED, misstate, train_head


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """One half flat, one half texture: the error of a network that hardly denoises is the same in both, and known."""
    folder = tmp_path_factory.mktemp("large")
    for i in range(4):
        rng = np.random.default_rng(i)
        picture = np.full((112, 120, 3), 128.0)
        picture[:, 60:] += rng.normal(size=(112, 60, 3)) * 60
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / f"{i}.png")
    return folder


def test_it_learns_how_large_the_errors_are(recipe_model, large, tmp_path):
    stages = []
    card = train_head(
        recipe_model, large, tmp_path / "head.onnx", steps=60, patches=24, threads=1,
        progress=lambda stage, share: stages.append(share),
    )  # fmt: skip
    assert read_card(tmp_path / "head.onnx") == card
    assert stages[-1] == 1
    assert card.uncertainty == {}
    network, _ = load_module(recipe_model)
    x = np.full((1, 4, 64, 64), 0.5, np.float32)
    scales = []
    for sigma in (20, 40):
        x[:, :3] = 0.5 + np.random.default_rng(0).normal(size=(3, 64, 64)) * sigma / 255
        x[:, 3] = sigma / 255
        both = open_session(tmp_path / "head.onnx", threads=1).run_with_errors(x)
        error = np.abs(both[:, :3] - 0.5).mean()
        scales.append(both[:, 3].mean() / error)
        with torch.inference_mode():
            assert both[:, :3] == pytest.approx(network(torch.from_numpy(x)).numpy(), abs=1e-4)
    assert scales == pytest.approx([1, 1], abs=0.5)


def test_a_noise_level_told_wrongly_stays_within_its_factors():
    x = torch.full((400, 4, 2, 2), 0.1)
    changed = misstate(x, 0.5, torch.Generator().manual_seed(0))
    factors = changed[:, 3, 0, 0] / 0.1
    assert torch.equal(changed[:, :3], x[:, :3])
    assert (factors == 1).float().mean().item() == pytest.approx(0.5, abs=0.08)
    assert factors.min() >= MISSTATED[0] - 1e-6
    assert factors.max() <= MISSTATED[1] + 1e-6
    assert misstate(torch.full((9, 4, 2, 2), 0.29), 1.0, torch.Generator().manual_seed(0))[:, 3].max() <= 75 / 255


def test_models_that_restore_no_image_are_refused(tiny, large, tmp_path):
    with pytest.raises(UsageError, match="has a recipe"):
        train_head(tiny[2], large, tmp_path / "head.onnx")
    with pytest.raises(UsageError, match="restores images"):
        train_head("inpaint", large, tmp_path / "head.onnx")


@pytest.mark.parametrize("bad", [{"steps": 0}, {"patches": 0}])
def test_counts_are_positive(recipe_model, large, tmp_path, bad):
    with pytest.raises(UsageError, match="1 or more"):
        train_head(recipe_model, large, tmp_path / "head.onnx", **bad)


@pytest.fixture
def recipe_model(tiny, recipe, tmp_path):
    """A small network's file that knows its recipe."""
    _, card, path = tiny
    model = onnx.load(path)
    target = tmp_path / "known.onnx"
    arguments = {
        "widths": list(card.arguments["widths"]),
        "blocks": list(card.arguments["blocks"]),
        "noise_level": True,
    }
    write(model, replace(card, recipe=replace(recipe, arguments=arguments).to_json()), target)
    return target
