"""The checks know the type, the noise and the shape of what they judge, and what was exact stays exact."""

from dataclasses import replace

import numpy as np
import pytest

from resolvent.engine.colors import as_gray, as_stored, is_gray
from resolvent.engine.plan import Plan
from resolvent.engine.repair import save_mask
from resolvent.engine.request import ModelRequest
from resolvent.engine.restore import restore
from resolvent.engine.run import run
from resolvent.errors import QualityError
from resolvent.image import Image, read_image


def go(session, image, sigma=None):
    told = Plan(ModelRequest(), (), model="fake", sigma=sigma, tile=512, tiles=1)
    return run(image, told, None, lambda model, runtime: session).image


def waves(shape):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return 0.5 + 0.3 * np.sin(rows / 5)[..., None] * np.cos(columns / 7)[..., None] * np.ones(shape[2])


def test_the_told_noise_level_excuses_what_it_clipped(fake):
    """Noise of sigma 50 on black, clipped, has a mean of 20 levels; black is the right answer, and flat."""
    noisy = np.clip(50 / 255 * np.random.default_rng(0).standard_normal((64, 64, 3), np.float32), 0, 1)
    model = fake(lambda x: 0 * x, noise_level=True)
    assert go(model, Image.from_array(noisy), sigma=50).data.max() == 0
    with pytest.raises(QualityError, match="flat"):
        go(model, Image.from_array(noisy), sigma=1)


def test_half_a_level_is_flat_in_bytes_and_not_in_floats(fake):
    """The noise has a deviation of 4 levels; what is left of it spans 0.4."""
    noisy = 0.5 + 4 / 255 * np.random.default_rng(0).standard_normal((64, 64, 3))
    model = fake(lambda x: np.linspace(0.5, 0.5 + 0.4 / 255, x.size).reshape(x.shape))
    go(model, Image.from_array(noisy.astype(np.float32)))
    with pytest.raises(QualityError, match="flat"):
        go(model, Image.from_array(np.rint(255 * noisy).astype(np.uint8)))


def test_what_is_kept_of_float64_is_kept_to_the_last_bit(model_file):
    """Highlights are kept as they are, and 800.1 is no number of float32."""
    hdr = 0.2 + 0.6 * np.random.default_rng(0).random((40, 56, 3))
    hdr[10:12, 20:22] = 800.1
    out = restore(hdr, model=model_file, sigma=10)
    assert (out[10:12, 20:22] == 800.1).all()
    assert (out != hdr).mean() > 0.9


@pytest.mark.parametrize("shape", [(24, 60, 3), (60, 24, 3)])
def test_a_method_enlarges_a_picture_of_any_shape(shape):
    picture = Image.from_array(waves(shape).astype(np.float32))
    out = restore(picture, method="self-similarity", degradation="downsample:scale=2")
    assert out.data.shape == (2 * shape[0], 2 * shape[1], 3)


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_each_channel_of_a_gray_picture_stays_as_far_from_green(dtype, scale):
    """A conversion has rounded some pixels of two channels to the next level."""
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    level = np.float32(1 / 512) if dtype == np.float32 else 1
    data = (top * waves((12, 16, 1))).astype(dtype).repeat(3, 2)
    data[2:5, :, 0] += dtype(level)
    data[:, 3:9, 2] -= dtype(level)
    image = Image.from_array(data)
    assert is_gray(image)
    made = (0.5 * as_gray(image).data).astype(dtype).repeat(scale, 0).repeat(scale, 1)
    out = as_stored(image, replace(as_gray(image), data=made)).data
    expected = (data.astype(float) - data[..., 1:2]).repeat(scale, 0).repeat(scale, 1)
    np.testing.assert_allclose(out.astype(float) - out[..., 1:2], expected, atol=1e-7 if top == 1 else 0)
    np.testing.assert_array_equal(out[..., 1:2], made)


def test_hidden_pixels_at_the_edge_of_a_tile_take_the_nearest_color_beyond_it(fake):
    """One pixel of twenty can be seen; the model gives each the color seven pixels to its left."""
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (50, 90, 4), np.uint8)
    rgba[..., 3] = 255 * (rng.random((50, 90)) < 0.05)
    seen = rgba[..., 3] > 0
    model = fake(lambda x: np.roll(x, 7, 3), halo=8)
    whole, tiled = (
        run(
            Image.from_array(rgba),
            Plan(ModelRequest(), (), model="fake", tile=tile, tiles=1),
            None,
            lambda *_: model,
            judge=False,
        ).image
        for tile in (512, 16)
    )
    np.testing.assert_array_equal(tiled.data[seen], whole.data[seen])
    assert (whole.data[seen] != rgba[seen, :3]).mean() > 0.9


def test_a_mask_is_written_as_black_and_white(tmp_path):
    mask = np.zeros((9, 11), bool)
    mask[2:5, 3] = True
    save_mask(mask, tmp_path / "m.png")
    np.testing.assert_array_equal(read_image(tmp_path / "m.png").data[..., 0], np.where(mask, 255, 0))
