"""The models that come with Resolvent, as they are shipped."""

import json

import numpy as np
import pytest

import resolvent
from resolvent.degradations import degrade, parse
from resolvent.engine.restore import plan
from resolvent.engine.run import run
from resolvent.evaluation.metrics import psnr
from resolvent.image import Image
from resolvent.inference.runtime import open_session
from resolvent.models.export import load_module
from resolvent.models.registry import bundled, list_models
from resolvent.networks import resolve_arguments
from resolvent.physics.resize import imresize
from resolvent.training.recipe import Recipe
from resolvent.training.recipe_file import recipes

# what it undoes, and by how many dB at least its result is nearer to the truth than its input, or the bicubic one
EXAMPLES = {
    "denoise": ("noise:sigma=25", 5.0),
    "denoise-white": ("noise:sigma=25", 5.0),
    "deblur": ("blur:sigma=1.6 + noise:sigma=1", 1.5),
    "dejpeg": ("jpeg:quality=15", 0.8),
    "restore": ("noise:sigma=15 + jpeg:quality=70", 2.0),
    "upscale2": ("downsample:scale=2", 0.8),
    "upscale4": ("downsample:scale=4", 0.5),
}

REPAIR = ("scratches", "inpaint")
"""What finds damage, and what fills it."""


@pytest.fixture(scope="module")
def astronaut():
    """A sharp 64x64 photograph: the face of scikit-image's astronaut, every second pixel."""
    from skimage.data import astronaut

    return astronaut()[70:198:2, 160:288:2].astype(np.float32) / 255


def options(name):
    return {"model": name, **({"sigma": 25} if list_models()[name].noise_level else {})}


def test_what_is_bundled():
    assert set(bundled()) == {*EXAMPLES, *REPAIR}
    sizes = [path.stat().st_size for path in bundled().values()]
    assert max(sizes) <= 32e6
    assert sum(sizes) <= 64e6


@pytest.mark.parametrize("name", [*EXAMPLES, *REPAIR])
def test_card_says_all_that_it_should(name):
    card = list_models()[name]
    assert card.name == name
    trained, today = Recipe.from_json(card.recipe), recipes()[name]  # which may have moved on since it was trained
    assert [trained.name, trained.task, trained.network] == [today.name, today.task, today.network]
    assert trained.degradation == card.degradation
    resolved = json.loads(json.dumps(resolve_arguments(today.network, **today.arguments)))
    assert {"bias": True, **card.arguments} == {**resolved, "bias": card.arguments.get("bias", True)}
    assert card.parameters <= 4.1e6
    for value in (card.license, card.commit, card.hardware, card.created, card.data["source"]):
        assert value
    assert card.seconds >= 200  # of a GPU, or far more
    assert card.steps * trained.batch > (4000 if name in REPAIR else 8000)
    assert list(card.figures["validation"]) == list(trained.validation)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("gray", [False, True])
def test_better_than_its_input(name, gray, astronaut):
    clean = astronaut.mean(axis=2, keepdims=True) if gray else astronaut
    degradation, gain = EXAMPLES[name]
    degraded = degrade(clean, degradation, seed=1)
    restored = resolvent.restore(degraded, **options(name))
    assert psnr(restored, clean) > psnr(imresize(degraded, shape=clean.shape[:2]), clean) + gain


def test_denoise_removes_the_noise_of_cameras_too():
    """A network that was trained on white noise for long takes what neighbors share for detail, at any noise level."""
    from skimage.data import astronaut

    clean = astronaut()[:128, 128:256].astype(np.float32) / 255
    camera = parse("camera:iso=3200,soft=0.5 + jpeg:quality=95").sample(np.random.default_rng(3))
    noisy, target = camera.with_target(clean, np.random.default_rng(0))
    restored = resolvent.restore(noisy, model="denoise", sigma=255 * float(np.sqrt(np.mean((noisy - target) ** 2))))
    assert psnr(restored, target) > psnr(noisy, target) + 0.8


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("tile", [16, 40])
def test_tiles_do_not_show(name, tile, astronaut):
    side = 219 if list_models()[name].scale == 1 else 219 * 2
    degraded = degrade(np.tile(astronaut, (7, 7, 1))[:side, : side + 31], EXAMPLES[name][0], seed=1)
    whole = resolvent.restore(degraded, tile=4096, **options(name))
    tiled = resolvent.restore(degraded, tile=tile, **options(name))
    assert np.abs(tiled - whole).max() <= 1 / 255


@pytest.mark.parametrize("name", [*EXAMPLES, *REPAIR])
def test_torch_module_and_runtime_agree(name, astronaut):
    import torch

    module, card = load_module(name)
    last = astronaut[..., :1] > 0.8 if card.mask else np.full_like(astronaut[..., :1], 25 / 255)
    x = np.concatenate([astronaut, last], axis=2, dtype=np.float32)
    x = np.ascontiguousarray(x[None, ..., : card.inputs].transpose(0, 3, 1, 2))
    with torch.inference_mode():
        expected = module(torch.from_numpy(x)).numpy()
    assert np.abs(open_session(name, threads=1).run(x) - expected).max() <= 1e-3


def test_without_options_noise_is_found_and_removed(astronaut):
    clean = np.tile(astronaut, (2, 2, 1))
    noisy = degrade(clean, "noise:sigma=25", seed=0)
    assert psnr(resolvent.restore(noisy), clean) > psnr(noisy, clean) + 5


@pytest.mark.parametrize("gray", [False, True])
def test_damage_is_found_and_filled(gray):
    """Some of it at least, little else, and what is not found stays as it was."""
    from skimage.data import astronaut

    color = astronaut()[40:168, 150:278].astype(np.float32) / 255
    clean = color.mean(2, keepdims=True) if gray else color
    damaged, mask = parse("scratches:count=4,width=3,bright=1").with_mask(clean, np.random.default_rng(1))
    image = Image.from_array(damaged)
    chosen = plan(image, repair=True)
    repaired = run(image, chosen).image
    assert (chosen.mask & (mask > 0)).sum() > 0.15 * mask.sum()
    assert chosen.mask.mean() < 3 * mask.mean()
    assert psnr(repaired.pixels, clean) > psnr(damaged, clean) + 0.5
    np.testing.assert_array_equal(repaired.data[~chosen.mask], image.data[~chosen.mask])


def test_told_holes_are_filled_better_than_smoothly(astronaut):
    import torch

    from resolvent.networks.unet import fill_coarsely

    damaged, mask = parse("scratches:count=8,width=3").with_mask(astronaut, np.random.default_rng(0))
    filled = resolvent.restore(damaged, mask=mask > 0)
    x, missing = torch.from_numpy(damaged).permute(2, 0, 1)[None], torch.from_numpy(mask)[None, None]
    smooth = fill_coarsely(x, missing)[0].permute(1, 2, 0).numpy()
    assert psnr(filled, astronaut) > psnr(smooth, astronaut) + 0.3


@pytest.mark.parametrize("tile", [16, 40])
def test_tiles_do_not_show_in_what_is_filled(tile, astronaut):
    clean = np.tile(astronaut, (5, 5, 1))[:219, :250]
    damaged, mask = parse("scratches:count=20,width=3").with_mask(clean, np.random.default_rng(0))
    whole, tiled = (resolvent.restore(damaged, mask=mask > 0, tile=size) for size in (4096, tile))
    assert np.abs(tiled - whole).max() <= 1 / 255
