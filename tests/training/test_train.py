import numpy as np
import PIL.Image
import pytest

import resolvent
from resolvent.models.registry import read_card

SETTINGS = {"arguments": {"noise_level": True, "widths": [8, 8, 8], "blocks": [1, 1, 1]}, "patch": 32, "batch": 2}


@pytest.fixture
def clean(tmp_path):
    folder = tmp_path / "clean"
    folder.mkdir()
    for i in range(4):
        values = np.random.default_rng(i).integers(0, 255, (6, 6, 3)).astype(np.uint8)
        PIL.Image.fromarray(values).resize((48, 48), PIL.Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder


def test_from_a_folder_to_a_model_that_restores(clean, tmp_path):
    options = {"threads": 1, "license": "CC0-1.0", "budget": "3 steps", **SETTINGS}
    model = resolvent.train("denoise", str(clean), str(tmp_path / "run"), **options)
    assert model == tmp_path / "run" / "denoise.onnx"
    card = read_card(model)
    assert (card.license, card.recipe["patch"]) == ("CC0-1.0", 32)
    values = np.random.default_rng(0).integers(0, 255, (6, 6, 3)).astype(np.uint8)
    assert resolvent.restore(values, model=model, sigma=20).shape == values.shape


def test_a_cool_down_is_begun_by_a_command_and_resumed_from_python_too(run, clean, tmp_path):
    trunk, cooled = tmp_path / "trunk", tmp_path / "cooled"
    resolvent.train("denoise", clean, trunk, threads=1, budget="3 steps", schedule="constant", **SETTINGS)
    call = ["train", "denoise", "--images", clean, "--threads", 1, "-o", cooled, "--trunk", trunk]
    assert run(*call, "--cooldown", "2 steps")[0] == 0
    first = read_card(cooled / "denoise.onnx")
    assert (first.recipe["schedule"], first.recipe["patch"]) == ("cooldown", 32)
    model = resolvent.train("denoise", clean, cooled, threads=1, resume=True, budget="4 steps")
    assert read_card(model).recipe == {**first.recipe, "budget": "4 steps"}
