import dataclasses

import numpy as np
import pytest
from PIL import Image

from resolvent.training.loop import train
from resolvent.training.recipe import Recipe
from resolvent.training.release import release


def make_photograph(seed, height=48, width=56):
    """Smooth color waves under fine texture: something to learn, unlike any other seed's."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 16
    waves = [np.sin(rng.normal() * y * 3 + rng.normal() * x * 3 + rng.normal()) for _ in range(3)]
    texture = rng.normal(size=(height, width, 1)) * 0.05
    return (np.clip(0.5 + 0.3 * np.stack(waves, axis=2) + texture, 0, 1) * 255).astype(np.uint8)


@pytest.fixture
def photograph():
    return make_photograph


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for i in range(6):
        Image.fromarray(make_photograph(i)).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="session")
def bursts(tmp_path_factory):
    """Six scenes, each with two shots of noise of 25 gray levels."""
    folder = tmp_path_factory.mktemp("bursts")
    for i in range(6):
        for shot in range(2):
            noisy = make_photograph(i, 64, 64) + np.random.default_rng((i, shot)).normal(0, 25, (64, 64, 3))
            path = folder / str(i) / f"{shot}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path)
    return folder


@pytest.fixture(scope="session")
def recipe():
    return Recipe(
        name="tiny",
        task="denoise",
        summary="for tests",
        degradation="noise:sigma=20..40",
        validation=("noise:sigma=30",),
        arguments={"widths": [8, 8, 8], "blocks": [1, 1, 1], "noise_level": True},
        gray=0.2,
        patch=32,
        batch=2,
        holdout=0.34,
        budget="40 steps",
        learning_rate=2e-3,
        ema=0.9,
    )


@pytest.fixture(scope="module")
def released(recipe, photographs, tmp_path_factory):
    """A run of 60 updates, and its model file."""
    folder = tmp_path_factory.mktemp("released")
    first = train(dataclasses.replace(recipe, budget="60 steps"), photographs, folder / "run", threads=1)
    release(first, folder / "m.onnx", data="test", license="MIT")
    return first, folder / "m.onnx"
