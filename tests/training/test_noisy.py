"""Noisy photographs alone: which are shots of one scene, how noisy they are, and what they are measured by."""

import dataclasses
import math
import shutil

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from resolvent.errors import InputError, UsageError
from resolvent.training.callbacks import Callback
from resolvent.training.data import Shard, pack
from resolvent.training.loop import train
from resolvent.training.noisy import noisy_batch, scenes_of
from resolvent.training.validation import validation_examples


def test_bursts_are_told_by_their_folders(recipe, bursts, photographs, tmp_path):
    recipe = dataclasses.replace(recipe, objective="noise2noise", budget="1 step")
    with pytest.raises((InputError, UsageError)):
        train(recipe, photographs / "nothing", tmp_path / "none", threads=1)
    single = tmp_path / "single"
    for i in range(4):
        (single / str(i)).mkdir(parents=True)
        (single / str(i) / "0.png").write_bytes((bursts / str(i) / "0.png").read_bytes())
    with pytest.raises(InputError, match="holds one noisy shot"):
        train(recipe, single, tmp_path / "run", threads=1)


def test_a_single_shot_that_is_held_out_is_named_by_its_folder(recipe, bursts, tmp_path):
    recipe = dataclasses.replace(recipe, objective="noise2noise", budget="1 step", holdout=0.1)
    folder = tmp_path / "bursts"
    shutil.copytree(bursts, folder)
    (folder / "5" / "1.png").unlink()
    with pytest.raises(InputError, match=r"^folder 5: holds one noisy shot of its scene; noise2noise needs two$"):
        train(recipe, folder, tmp_path / "run", threads=1)


def test_different_scenes_in_one_folder_are_no_burst(recipe, bursts, photograph, tmp_path):
    recipe = dataclasses.replace(recipe, objective="noise2noise", budget="1 step")
    folder, clean = tmp_path / "holiday", tmp_path / "clean"
    for path in (folder, clean):
        path.mkdir()
    for i in range(4):
        shutil.copy(bursts / str(i) / "0.png", folder / f"{i}.png")
    Image.fromarray(photograph(20, 64, 64)).save(clean / "20.png")
    with pytest.raises(
        InputError, match=r"^holiday/1\.png: shows another scene than holiday/0\.png \(correlation .*folder"
    ):
        train(recipe, folder, tmp_path / "run", validation=clean, threads=1)


@pytest.mark.parametrize("level", [5, 75])
def test_shots_of_a_plain_wall_are_a_burst(level, recipe, photograph, tmp_path):
    """Their noise alone differs, and has nothing in common."""
    recipe = dataclasses.replace(recipe, objective="noise2noise", budget="1 step")
    (tmp_path / "wall").mkdir()
    for shot in range(4):
        noisy = 128 + np.random.default_rng(shot).normal(0, level, (64, 64, 3))
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(tmp_path / "wall" / f"{shot}.png")
    (tmp_path / "clean").mkdir()
    Image.fromarray(photograph(20, 64, 64)).save(tmp_path / "clean" / "20.png")
    result = train(recipe, tmp_path / "wall", tmp_path / "run", validation=tmp_path / "clean", threads=1)
    assert result.photographs == 4


@pytest.mark.parametrize(
    ("name", "settings", "hinted"),
    [("sure", {}, True), ("r2r", {}, True), ("r2r", {"sigma": 5}, False), ("noise2void", {}, False)],
)
def test_clean_photographs_are_no_lesson_for_what_goes_by_their_noise(name, settings, hinted, recipe, tmp_path):
    recipe = dataclasses.replace(recipe, objective=name, objective_settings=settings, budget="1 step")
    y, x = np.mgrid[0:64, 0:64] / 64
    for i in range(4):
        waves = 0.5 + 0.4 * np.stack([np.sin((i + 1) * x + c * y) for c in range(3)], axis=2)
        Image.fromarray((255 * waves).astype(np.uint8)).save(tmp_path / f"{i}.png")

    class Hints(Callback):
        said = ()

        def hint(self, text):
            self.said = (*self.said, text)

    watch = Hints()
    train(recipe, tmp_path, tmp_path / "run", threads=1, watch=watch)
    assert len(watch.said) == hinted
    if hinted:
        assert f"from which {name} learns to change nothing: give noisy ones" in watch.said[0]


def test_noisy_photographs_are_given_no_hint(recipe, bursts, tmp_path):
    watch = Callback()
    watch.hint = pytest.fail
    recipe = dataclasses.replace(recipe, objective="sure", budget="1 step")
    train(recipe, bursts, tmp_path / "run", threads=1, watch=watch)


def test_gray_photographs_are_judged_with_gray_noise(recipe, tmp_path):
    """As the noise is in which the network has learned to look for them."""
    color = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for name, pixels in (("color", color), ("gray", color[..., 0])):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    recipe = dataclasses.replace(recipe, objective="sure", validation=("noise:sigma=25",))
    held = pack(sorted(tmp_path.glob("*.png")), tmp_path / "held.shard", minimum=32)
    (in_color, in_gray), *_ = validation_examples(recipe, held).values()
    noise = [inputs[0, :3] - target[0] for target, inputs in (in_color, in_gray)]
    assert [bool((plane == plane[0]).all()) for plane in noise] == [False, True]
    assert noise[1].std().item() * 255 == pytest.approx(25, rel=0.05)


def test_many_shots_of_one_scene_are_no_duplicates(recipe, photograph, tmp_path):
    for shot in range(5):
        noisy = photograph(0, 64, 64) + np.random.default_rng(shot).normal(0, 10, (64, 64, 3))
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(tmp_path / f"{shot}.png")
    recipe = dataclasses.replace(recipe, objective="noise2void", budget="1 step", holdout=0.2)
    assert train(recipe, tmp_path, tmp_path / "run", threads=1).photographs == 4
    (tmp_path / "clean").mkdir()
    Image.fromarray(photograph(0, 64, 64)).save(tmp_path / "clean" / "0.png")
    with pytest.raises(InputError, match="nearly the same as a validation photograph"):
        train(recipe, tmp_path, tmp_path / "again", validation=tmp_path / "clean", threads=1)


def test_a_batch_of_bursts_is_two_shots_of_the_same_place(recipe, bursts, tmp_path):
    recipe = dataclasses.replace(recipe, objective="noise2noise", batch=4)
    train(dataclasses.replace(recipe, budget="1 step"), bursts, tmp_path / "run", threads=1)
    shard = Shard.open(tmp_path / "run" / "training.shard")
    scenes = scenes_of(recipe, shard)
    assert scenes.sigma.mean().item() == pytest.approx(25, rel=0.1)
    target, inputs, sigma = noisy_batch(scenes, recipe, shard, 0)
    difference = (target - inputs[:, :3]) * 255
    assert difference.std().item() == pytest.approx(25 * math.sqrt(2), rel=0.1)
    torch.testing.assert_close(inputs[:, 3, 0, 0] * 255, sigma)


def test_photographs_of_16_bits_keep_what_8_would_round(recipe, photograph, tmp_path):
    """As of a microscope: gray, and of 10 bits in a file of 16."""
    for i in range(4):
        gray = photograph(i, 64, 64).mean(2) * 2 + np.random.default_rng(i).normal(0, 20, (64, 64))
        tifffile.imwrite(tmp_path / f"{i}.tif", gray.clip(0).astype(np.uint16))
    recipe = dataclasses.replace(recipe, objective="neighbor2neighbor", budget="1 step")
    train(recipe, tmp_path, tmp_path / "run", threads=1)
    shard = Shard.open(tmp_path / "run" / "training.shard")
    assert shard.pixels.dtype == torch.float32
    patch = shard.patches(torch.tensor([0]), 64, None)
    expected = tifffile.imread(tmp_path / "0.tif") / 1023
    np.testing.assert_allclose(patch[0, 0].numpy(), expected, atol=1e-6)


def test_one_folder_is_one_scene(recipe, bursts, tmp_path):
    recipe = dataclasses.replace(recipe, objective="noise2noise", gray=0.0, budget="1 step")
    with pytest.raises(UsageError, match="noise2noise takes one for each scene"):
        train(recipe, bursts / "0", tmp_path / "run")
