"""A model restores colors, gray and transparency, whole or in tiles."""

import io
import pickle

import numpy as np
import pytest
from scipy import ndimage

import resolvent
from resolvent.engine import restore as module
from resolvent.engine.plan import Plan
from resolvent.engine.request import ModelRequest
from resolvent.engine.restore import Restorer, restore
from resolvent.engine.run import run
from resolvent.errors import InputError, QualityError, UsageError
from resolvent.image import Image, Limits
from resolvent.inference.runtime import open_session
from resolvent.physics.resize import imresize
from tests.engine.conftest import go, picture


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_identity_gives_back_the_very_pixels(fake, functions, dtype, channels):
    image = Image.from_array(picture((41, 57, channels), dtype))
    out = go(fake(functions.identity), image, tile=16)
    assert out.data.dtype == dtype
    np.testing.assert_allclose(out.data, image.data, rtol=0, atol=1e-6 if dtype == np.float32 else 0)
    np.testing.assert_array_equal(out.alpha, image.alpha)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("strength", [0.25, 0.8, 1.0])
def test_strength_blends(fake, functions, dtype, strength):
    image = Image.from_array(picture(dtype=dtype))
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    y = image.data / top
    padded = np.pad(image.pixels, ((8, 8), (8, 8), (0, 0)), mode="reflect")
    x = functions.window(padded.transpose(2, 0, 1)[None])[0, :, 8:-8, 8:-8].transpose(1, 2, 0)
    out = go(fake(functions.window, halo=15), image, strength=strength, tile=16)
    rounding = 0.0 if dtype == np.float32 else 0.5 / top
    np.testing.assert_allclose(out.data / top, y + strength * (x - y), rtol=0, atol=rounding + 1e-5)


def test_gray_is_the_mean_of_the_colors(fake):
    image = Image.from_array(picture((24, 24), np.float32) * 0.8 + 0.1)
    tint = np.float32([0.02, -0.02, 0.03]).reshape(1, 3, 1, 1)
    out = go(fake(lambda x: x + tint), image)
    assert out.data.shape == (24, 24, 1)
    np.testing.assert_allclose(out.data, image.data + 0.01, atol=1e-6)


def test_model_is_told_the_noise_level(fake, functions):
    session = fake(functions.identity, noise_level=True)
    go(session, Image.from_array(picture()), sigma=25, tile=16)
    assert session.levels == {np.float32(25 / 255)}


def test_noise_beyond_the_range_reaches_the_model_and_is_clipped_after_it(fake):
    seen = []
    noisy = np.float32(0.5) + np.random.default_rng(0).standard_normal((32, 32, 3)).astype(np.float32)
    out = go(fake(lambda x: seen.append(x) or x), Image.from_array(noisy), sigma=255)
    np.testing.assert_array_equal(seen[0][0, :, 8:40, 8:40].transpose(1, 2, 0), noisy)
    np.testing.assert_array_equal(out.data, noisy.clip(0, 1))


@pytest.mark.parametrize("tile", [16, 17, 33, 512])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 200), (61, 64), (130, 99)])
def test_tiling_is_invisible(fake, functions, tile, height, width):
    """Promise 3, in gray levels: no more than the rounding to 8 bits can make of float noise."""
    image = Image.from_array(picture((height, width, 3)))
    whole = go(fake(functions.window, halo=15), image, tile=4096)
    tiled = go(fake(functions.window, halo=15), image, tile=tile)
    assert np.abs(tiled.data.astype(int) - whole.data).max() <= 1
    assert (tiled.data != whole.data).mean() < 0.01


def see_through(under):
    """A disk of texture on a transparent ground whose colors are ``under``."""
    rows, columns = np.mgrid[:70, :90]
    disk = np.hypot(rows - 30, columns - 50) < 22
    rgba = picture((70, 90, 4), seed=1)
    rgba[..., 3] = np.where(disk, rgba[..., 3] | 1, 0)
    rgba[~disk, :3] = under
    return Image.from_array(rgba), disk


@pytest.mark.parametrize("tile", [16, 512])
def test_what_lies_under_transparency_changes_nothing(fake, functions, tile):
    black, disk = see_through((0, 0, 0))
    pink, _ = see_through((255, 0, 255))
    one, other = (go(fake(functions.window, halo=15), image, tile=tile) for image in (black, pink))
    np.testing.assert_array_equal(one.data[disk], other.data[disk])
    np.testing.assert_array_equal(one.data[~disk], black.data[~disk])
    np.testing.assert_array_equal(other.data[~disk], pink.data[~disk])
    np.testing.assert_array_equal(one.alpha, black.alpha)


def test_edges_under_transparency_see_the_nearest_visible_color(fake, functions):
    image, disk = see_through((0, 0, 0))
    nearest = ndimage.distance_transform_edt(~disk, return_distances=False, return_indices=True)
    filled = Image.from_array(image.data[tuple(nearest)])
    expected = go(fake(functions.window, halo=15), filled)
    for tile in (16, 512):
        out = go(fake(functions.window, halo=15), image, tile=tile)
        assert np.abs(out.data[disk].astype(int) - expected.data[disk]).max() <= 1


def test_wholly_transparent_image(fake, functions):
    image = Image.from_array(picture((20, 20, 4)) * np.uint8([1, 1, 1, 0]))
    np.testing.assert_array_equal(go(fake(functions.window), image).data, image.data)


def test_enlarging_model(fake, functions):
    image = Image.from_array(picture((40, 30, 3)))
    out = go(fake(functions.doubled, scale=2), image, tile=16)
    np.testing.assert_array_equal(out.data, image.data.repeat(2, 0).repeat(2, 1))


def test_what_comes_first_is_done_before_enlarging(fake, functions):
    sessions = {"clean": fake(lambda x: x * 0.98), "large": fake(functions.doubled, scale=2)}
    image, seen = Image.from_array(picture((40, 30, 3), np.float32)), []
    first = Plan(ModelRequest(), (), model="clean", tile=64, tiles=1)
    told = Plan(ModelRequest(), (), model="large", tile=64, tiles=2, first=first)
    out = run(image, told, lambda done, total: seen.append((done, total)), lambda model, _: sessions[model]).image
    expected = (image.data * np.float32(0.98)).repeat(2, 0).repeat(2, 1)
    np.testing.assert_allclose(out.data, expected, atol=1e-6)
    assert [done for done, _ in seen] == [1, 2]


def test_alpha_is_enlarged_with_the_image(fake, functions):
    """Bicubic, in its own type and range; what is hidden does not bleed into what can be seen."""
    image, disk = see_through((0, 0, 0))
    out = go(fake(functions.doubled, scale=2), image, tile=16)
    expected = imresize(image.alpha, 2.0)
    assert out.alpha.dtype == np.uint8
    assert np.abs(out.alpha.astype(float) - np.clip(expected, 0, 255)).max() <= 0.5
    large = disk.repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(out.data[large], image.data.repeat(2, 0).repeat(2, 1)[large])


@pytest.mark.parametrize(
    ("damage", "message"),
    [(lambda x: x * np.nan, "NaN"), (lambda x: x * 0, "flat"), (lambda x: x * 0.8, "mean color moved")],
)
def test_damage_is_an_error_that_names_the_file(fake, tmp_path, damage, message):
    path = tmp_path / "bild ü.png"
    resolvent.write_image(Image.from_array(picture()), path)
    with pytest.raises(QualityError, match=message) as caught:
        go(fake(damage), resolvent.read_image(path), tile=16)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_progress_counts_tiles(fake, functions, model_file):
    image = Image.from_array(picture((100, 90, 3)))
    steps = []
    restore(image, model=model_file, tile=16, progress=lambda done, total: steps.append((done, total)))
    assert len(steps) > 1
    assert steps == [(i + 1, len(steps)) for i in range(len(steps))]


def test_interrupt_passes(fake):
    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(fake(interrupted), Image.from_array(picture()))


def test_every_runtime_that_is_asked_for(model_file):
    array = picture()
    expected = restore(array, model=model_file, sigma=10)
    got = restore(array, model=model_file, sigma=10, runtime="openvino")
    assert np.abs(got.astype(int) - expected).max() <= 1


def test_out_of_memory_is_one_line(fake, functions):
    image = Image.from_array(picture((64, 64, 3)))
    with pytest.raises(InputError, match=r"^the image: out of memory on a tile of .*, the smallest"):
        go(fake(functions.limited(0)), image, tile=16)

    def outside(*_):
        raise MemoryError

    with pytest.raises(InputError, match=r"^the image: out of memory; close other programs"):
        run(image, Plan(ModelRequest(), (), model="fake", tile=16), None, outside)


def test_a_restorer_loads_a_model_once(model_file, monkeypatch):
    opened = []
    monkeypatch.setattr(module, "open_session", lambda *arguments: opened.append(arguments) or open_session(*arguments))
    restorer = Restorer(model=model_file, sigma=10)
    first, second = restorer(picture()), restorer(picture())
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, restore(picture(), model=model_file, sigma=10))
    assert opened[:-1] == [(model_file, "auto")]


@pytest.mark.parametrize("scale", [1, 2])
def test_highlights_keep_their_values_and_the_rest_is_restored(fake, functions, scale):
    hdr = 0.2 + 0.6 * picture((40, 56, 3), np.float32)
    hdr[10:12, 20:22] = 800
    hdr[30, 30, 1] = -50
    model = fake(lambda x: (0.98 * x).repeat(scale, 2).repeat(scale, 3), scale=scale)
    out = go(model, Image.from_array(hdr)).data
    spot = np.zeros(hdr.shape, bool)
    spot[10:12, 20:22] = spot[30, 30, 1] = True
    expected = np.where(spot, hdr, np.float32(0.98) * hdr).repeat(scale, 0).repeat(scale, 1)
    np.testing.assert_allclose(out, expected, rtol=1e-5)


@pytest.mark.parametrize("color", [(255, 255, 255), (255, 0, 0), (0, 0, 255), (0, 0, 0), (128, 128, 128)])
def test_saturated_borders_stay_as_they_are(color):
    """Zeros beyond the border made blue 22 levels off there."""
    values = np.full((64, 72, 3), color, np.uint8)
    values[30:34, 30:34] = 120
    out = restore(values, model="denoise", sigma=0)
    border = np.ones(values.shape[:2], bool)
    border[4:-4, 4:-4] = False
    assert np.abs(out.astype(int) - values)[border].max() <= 3


def test_a_restorer_shows_what_it_was_made_with():
    mask = np.zeros((64, 64), bool)
    shown = repr(Restorer(mask=mask, strength=0.5, limits=Limits(megapixels=1)))
    assert shown.startswith("Restorer(mask=array([[False")
    assert "64)), strength=0.5, limits=Limits(" in shown
    assert "\n" not in shown
    assert len(shown) < 150
    assert repr(Restorer()) == "Restorer()"


def test_a_restorer_travels_by_its_options_and_gives_the_same(model_file):
    restorer = Restorer(model=model_file, sigma=10, strength=0.5, limits=Limits(megapixels=1))
    expected = restorer(picture())
    sent = pickle.dumps(restorer)
    assert len(sent) < 1000
    there = pickle.loads(sent)
    assert repr(there) == repr(restorer)
    np.testing.assert_array_equal(there(picture()), expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: resolvent.restore_many([a], "o"), "ndarray: is no path or URL"),
        (lambda a: resolvent.restore_many(5, "o"), "int: is no path or URL"),
        (lambda a: resolvent.restore_many("in", a), "ndarray: is no path or URL"),
        (lambda a: resolvent.restore_many("in", "o", workers="2"), "workers '2': must be a whole number"),
        (lambda a: resolvent.restore_many("in", "o", limits={"megapixels": 1}), "must be Limits"),
        (lambda a: resolvent.restore_many("in", "o", on_event=5), "on_event 5: must be a function"),
        (lambda a: Limits(megapixels="5"), "limit of megapixels = '5': must be a number"),
        (lambda a: Limits(megabytes=None), "limit of megabytes = None: must be a number"),
        (lambda a: resolvent.restore(a, limits={"megapixels": 1}), "must be Limits"),
        (lambda a: resolvent.restore("s3://b/a.png"), "s3://b/a.png: is a URL, .* give it to resolvent.restore_many"),
        (lambda a: resolvent.read_image("in/a.png", {"megapixels": 1}), "must be Limits"),
        (lambda a: resolvent.run(a, "denoise"), "plan 'denoise': must be a Plan"),
        (lambda a: resolvent.run(a, resolvent.plan(a), 5), "progress 5: must be a function"),
        (lambda a: resolvent.restore(a, progress=5), "progress 5: must be a function"),
        (lambda a: Image.from_array(a).save(None), "path None: must be the path of a file"),
        (lambda a: Image.from_array(a).save(io.BytesIO()), r"to_pil\(\).save"),
        (lambda a: Image.from_array(a).save("x\0.jpg"), r"path 'x\\x00.jpg': holds a null character"),
    ],
)
def test_a_wrong_call_is_refused_in_one_line_before_any_work(tmp_path, monkeypatch, call, message):
    monkeypatch.chdir(tmp_path)
    pixels = picture((32, 32, 3), np.uint8)
    (tmp_path / "in").mkdir()
    Image.from_array(pixels).save("in/a.png")
    with pytest.raises(UsageError, match=message) as caught:
        call(pixels)
    assert len(str(caught.value).splitlines()) == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "a.png"]
