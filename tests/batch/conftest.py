"""What tests of batches share."""

import numpy as np
import pytest

from resolvent.image import Image, write_image


def texture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (16, 24, 3)).astype(np.uint8)


def put(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(Image.from_array(texture(seed)), path)
    return path


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def soft(tiny):
    """What restores by a small model."""
    return {"model": tiny[2], "sigma": 20.0}


@pytest.fixture
def album(tmp_path):
    for seed, name in enumerate(["b.png", "a.png", "trip/c d.PNG", "trip/ü/e.webp"]):
        put(tmp_path / "album" / name, seed)
    return tmp_path / "album"
