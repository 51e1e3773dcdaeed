"""The models that come with Resolvent, as they are shipped."""

import json

import numpy as np
import pytest

import resolvent
from resolvent.degradations import degrade
from resolvent.degradations.resize import imresize
from resolvent.evaluation.metrics import psnr
from resolvent.models.export import load_module
from resolvent.models.runtime import open_session
from resolvent.models.store import bundled, models
from resolvent.networks import resolve_arguments
from resolvent.training.recipe import recipes

# what it undoes, and by how many dB at least its result is nearer to the truth than its input, or the bicubic one
EXAMPLES = {
    "denoise": ("noise:sigma=25", 5.0),
    "deblur": ("blur:sigma=1.6 + noise:sigma=1", 1.5),
    "dejpeg": ("jpeg:quality=15", 0.8),
    "restore": ("blur:sigma=0.7 + noise:sigma=15 + jpeg:quality=70", 0.8),
    "upscale2": ("downsample:scale=2", 0.8),
    "upscale4": ("downsample:scale=4", 0.5),
}


@pytest.fixture(scope="module")
def astronaut():
    """A sharp 64x64 photograph: the face of scikit-image's astronaut, every second pixel."""
    from skimage.data import astronaut

    return astronaut()[70:198:2, 160:288:2].astype(np.float32) / 255


def options(name):
    return {"model": name, **({"sigma": 25} if models()[name].noise_level else {})}


def test_what_is_bundled():
    assert set(bundled()) == set(EXAMPLES)
    sizes = [path.stat().st_size for path in bundled().values()]
    assert max(sizes) <= 32e6
    assert sum(sizes) <= 64e6


@pytest.mark.parametrize("name", EXAMPLES)
def test_card_says_all_that_it_should(name):
    card = models()[name]
    assert card.name == name
    recipe = recipes()[name].to_json()
    assert card.arguments == json.loads(json.dumps(resolve_arguments(recipe["network"], **recipe["arguments"])))
    assert {**card.recipe, "arguments": recipe["arguments"]} == recipe
    assert card.parameters <= 3.5e6
    for told in (card.licence, card.commit, card.hardware, card.created, card.data["source"]):
        assert told
    assert card.seconds > 600
    assert card.steps > 1000
    assert list(card.figures["validation"]) == list(recipes()[name].validation)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("gray", [False, True])
def test_better_than_its_input(name, gray, astronaut):
    clean = astronaut.mean(axis=2, keepdims=True) if gray else astronaut
    degradation, gain = EXAMPLES[name]
    degraded = degrade(clean, degradation, seed=1)
    restored = resolvent.restore(degraded, **options(name))
    assert psnr(restored, clean) > psnr(imresize(degraded, shape=clean.shape[:2]), clean) + gain


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("tile", [16, 40])
def test_tiles_do_not_show(name, tile, astronaut):
    side = 219 if models()[name].scale == 1 else 219 * 2
    degraded = degrade(np.tile(astronaut, (7, 7, 1))[:side, : side + 31], EXAMPLES[name][0], seed=1)
    whole = resolvent.restore(degraded, tile=4096, **options(name))
    tiled = resolvent.restore(degraded, tile=tile, **options(name))
    assert np.abs(tiled - whole).max() <= 1 / 255


@pytest.mark.parametrize("name", EXAMPLES)
def test_torch_module_and_runtime_agree(name, astronaut):
    import torch

    module, card = load_module(name)
    x = np.concatenate([astronaut, np.full_like(astronaut[..., :1], 25 / 255)], axis=2)
    x = np.ascontiguousarray(x[None, ..., : 3 + card.noise_level].transpose(0, 3, 1, 2))
    with torch.inference_mode():
        expected = module(torch.from_numpy(x)).numpy()
    assert np.abs(open_session(name, threads=1).run(x) - expected).max() <= 1e-3


def test_without_options_noise_is_found_and_removed(astronaut):
    clean = np.tile(astronaut, (2, 2, 1))
    noisy = degrade(clean, "noise:sigma=25", seed=0)
    assert psnr(resolvent.restore(noisy), clean) > psnr(noisy, clean) + 5
