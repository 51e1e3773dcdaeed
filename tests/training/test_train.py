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


def test_what_was_said_of_photographs_and_weights_is_kept_until_it_is_said_again(run, clean, tmp_path):
    folder, cooled, model = tmp_path / "run", tmp_path / "cooled", tmp_path / "exported.onnx"

    def said(path):
        card = read_card(path)
        return card.data["source"], card.license

    tiny = [part for key, value in SETTINGS.items() if key != "arguments" for part in ("--set", f"{key}={value}")]
    tiny += ["--set", "arguments={noise_level=true, widths=[8, 8, 8], blocks=[1, 1, 1]}", "--set", "schedule=constant"]
    call = ["train", "denoise", "--images", clean, "--threads", 1]
    words = ["--data", "four squares", "--license", "CC0-1.0"]
    assert run(*call, *tiny, "-o", folder, "--budget", "1 steps", *words)[0] == 0
    assert said(folder / "denoise.onnx") == ("four squares", "CC0-1.0")
    assert run(*call, *tiny, "-o", folder, "--budget", "2 steps", "--resume")[0] == 0
    assert said(folder / "denoise.onnx") == ("four squares", "CC0-1.0")
    assert run("export", folder, "-o", model)[0] == 0
    assert said(model) == ("four squares", "CC0-1.0")
    assert run(*call, "-o", cooled, "--trunk", folder, "--cooldown", "1 steps", "--license", "MIT")[0] == 0
    assert said(cooled / "denoise.onnx") == ("four squares", "MIT")
    resolvent.train("denoise", clean, cooled, threads=1, resume=True, budget="2 steps")
    assert said(cooled / "denoise.onnx") == ("four squares", "MIT")
    assert run("export", cooled, "-o", model, "--data", "squares")[0] == 0
    assert said(model) == ("squares", "MIT")
    assert run("export", cooled, "-o", model)[0] == 0
    assert said(model) == ("four squares", "MIT")  # to export is not to train: the run keeps its own


def test_without_a_word_the_card_names_the_folder(run, clean, tmp_path):
    resolvent.train("denoise", clean, tmp_path / "run", threads=1, budget="1 steps", **SETTINGS)
    assert run("export", tmp_path / "run", "-o", tmp_path / "again.onnx")[0] == 0
    for path in (tmp_path / "run" / "denoise.onnx", tmp_path / "again.onnx"):
        assert (read_card(path).data["source"], read_card(path).license) == ("clean", "unstated")


def test_a_cool_down_is_begun_by_a_command_and_resumed_from_python_too(run, clean, tmp_path):
    trunk, cooled = tmp_path / "trunk", tmp_path / "cooled"
    resolvent.train("denoise", clean, trunk, threads=1, budget="3 steps", schedule="constant", **SETTINGS)
    call = ["train", "denoise", "--images", clean, "--threads", 1, "-o", cooled, "--trunk", trunk]
    assert run(*call, "--cooldown", "2 steps")[0] == 0
    first = read_card(cooled / "denoise.onnx")
    assert (first.recipe["schedule"], first.recipe["patch"]) == ("cooldown", 32)
    model = resolvent.train("denoise", clean, cooled, threads=1, resume=True, budget="4 steps")
    assert read_card(model).recipe == {**first.recipe, "budget": "4 steps"}
