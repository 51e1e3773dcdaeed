import signal
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
import torch
from scipy import ndimage

import resolvent
from resolvent.engine import restore as module
from resolvent.engine.plan import Plan
from resolvent.engine.request import ModelRequest
from resolvent.engine.restore import Restorer, restore
from resolvent.engine.run import run
from resolvent.errors import InputError, QualityError
from resolvent.image import Image, Limits, Metadata, read_image
from resolvent.inference.runtime import open_session
from resolvent.methods.control import Control, Steps
from resolvent.physics.resize import imresize


def picture(shape=(40, 56, 3), dtype=np.uint8, seed=0):
    values = np.random.default_rng(seed).random(shape)
    return values.astype(dtype) if np.dtype(dtype).kind == "f" else (values * np.iinfo(dtype).max).astype(dtype)


def go(session, image, *, strength=1.0, sigma=None, tile=512, tiles=1, progress=None):
    told = Plan(ModelRequest(strength=strength), (), model="fake", sigma=sigma, tile=tile, tiles=tiles)
    return run(image, told, progress, lambda model, runtime: session).image


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


def mean(pixels):
    """What the model of ``model_file`` makes of (H, W, 3), reflected at its borders."""
    return ndimage.uniform_filter(pixels, (3, 3, 1), mode="mirror")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(40, 56), (40, 56, 1), (40, 56, 2), (40, 56, 3), (40, 56, 4)])
def test_arrays_keep_shape_and_type(model_file, dtype, shape):
    array = picture(shape, dtype)
    before = array.copy()
    out = restore(array, model=model_file, sigma=10)
    assert (out.shape, out.dtype) == (array.shape, array.dtype)
    np.testing.assert_array_equal(array, before)
    top = 1 if array.dtype.kind == "f" else np.iinfo(dtype).max
    if shape[2:] in [(), (1,), (3,)]:
        expected = mean(array.reshape(40, 56, -1) / top).reshape(shape)
        np.testing.assert_allclose(out / top, expected, rtol=0, atol=1e-6 if top == 1 else 0.51 / top + 1e-6)
    else:
        np.testing.assert_array_equal(out[..., -1], array[..., -1])
        assert (out[..., 0] != array[..., 0]).mean() > 0.5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_strength_zero_is_the_input_exactly(dtype):
    array = picture(dtype=dtype)
    if dtype == np.float64:
        array = 3 * array - 1
    out = restore(array, strength=0)
    np.testing.assert_array_equal(out, array)
    assert not np.shares_memory(out, array)


def test_a_turned_pillow_image_that_is_left_alone_comes_back_upright():
    image = PIL.Image.fromarray(picture())
    image.getexif()[0x0112] = 6
    out = restore(image, strength=0)
    assert out.getexif().get(0x0112, 1) == 1
    np.testing.assert_array_equal(np.asarray(out), np.rot90(picture(), -1))
    assert image.getexif()[0x0112] == 6


def test_pillow_image_comes_back_as_one(model_file):
    image = PIL.Image.fromarray(picture())
    out = restore(image, model=model_file, sigma=10)
    assert isinstance(out, PIL.Image.Image)
    np.testing.assert_array_equal(np.asarray(out), restore(np.asarray(image), model=model_file, sigma=10))
    assert restore(image, strength=0).tobytes() == image.tobytes()


def test_files_and_their_bytes_become_images_with_their_metadata(model_file, tmp_path):
    path = tmp_path / "photo.png"
    image = Image(picture(), metadata=Metadata(icc=None, exif=None, xmp=None, dpi=(240.0, 240.0)))
    resolvent.write_image(image, path)
    for source in (path, str(path), path.read_bytes()):
        out = restore(source, model=model_file, sigma=10)
        assert out.metadata.dpi == pytest.approx((240, 240), rel=1e-3)
        np.testing.assert_array_equal(out.data, restore(image.data, model=model_file, sigma=10))


def test_every_runtime_that_is_asked_for(model_file):
    array = picture()
    expected = restore(array, model=model_file, sigma=10)
    got = restore(array, model=model_file, sigma=10, runtime="openvino")
    assert np.abs(got.astype(int) - expected).max() <= 1


def test_method_restores_gray_with_alpha():
    rows, columns = np.mgrid[:64, :64]
    clean = 0.5 + 0.3 * np.sin(rows / 9) * np.cos(columns / 7)
    noisy = clean + 25 / 255 * np.random.default_rng(0).standard_normal(clean.shape)
    array = np.stack([noisy, np.ones_like(noisy)], 2)
    out = restore(array, method="nlm", degradation="noise:sigma=25")
    np.testing.assert_array_equal(out[..., 1], 1)
    before, after = (np.sqrt(np.mean((x - clean) ** 2)) for x in (noisy, out[..., 0]))
    assert after < 0.6 * before
    half = restore(array, method="nlm", degradation="noise:sigma=25", strength=0.5)
    np.testing.assert_allclose(half, np.clip(array + 0.5 * (out - array), 0, 1), atol=1e-6)


def test_out_of_memory_is_one_line(fake, functions):
    image = Image.from_array(picture((64, 64, 3)))
    with pytest.raises(InputError, match=r"^the image: out of memory on a tile of .*, the smallest"):
        go(fake(functions.limited(0)), image, tile=16)

    def outside(*_):
        raise MemoryError

    with pytest.raises(InputError, match=r"^the image: out of memory; close other programs"):
        run(image, Plan(ModelRequest(), (), model="fake", tile=16), None, outside)


def noisy_picture(shape=(40, 48, 3)):
    rows, columns = np.mgrid[: shape[0], : shape[1]] / 48
    clean = 0.5 + 0.3 * np.sin(9 * rows + 5 * columns)[..., None] * np.ones(shape[2])
    return np.clip(clean + 0.05 * np.random.default_rng(0).standard_normal(shape), 0, 1).astype(np.float32)


BLURRED = {"method": "red", "degradation": "blur:sigma=1 + noise:sigma=5"}


def test_a_method_tells_its_steps_and_keeps_its_budget():
    steps = []
    whole = restore(noisy_picture(), **BLURRED, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(i, 40) for i in range(1, 41)]
    short = restore(noisy_picture(), **BLURRED, budget=1e-6)
    assert np.isfinite(short).all()
    assert not np.array_equal(short, whole)


def test_what_a_mask_hides_is_not_judged(tmp_path):
    """Three quarters are hidden as black; filling them moves the mean color by far."""
    x = noisy_picture()
    known = np.zeros(x.shape[:2])
    known[::2, ::2] = 1
    np.save(tmp_path / "mask.npy", known)
    y = x * known[..., None].astype(np.float32)
    restored = restore(y, method="pnp", degradation=f"mask:path={tmp_path / 'mask.npy'}")
    assert abs(restored.mean() - x.mean()) < 0.05 < x.mean() - y.mean()


def test_a_method_shows_what_it_has(tmp_path, monkeypatch):
    monkeypatch.setattr("resolvent.engine.preview.EVERY", 0.0)
    y = noisy_picture()
    shown = []

    def look(done, total):
        shown.append((tmp_path / "p.png").exists() and read_image(tmp_path / "p.png").pixels)

    restored = restore(y, **BLURRED, preview=tmp_path / "p.png", progress=look)
    assert shown[0] is False
    assert np.abs(shown[-1] - restored).mean() < np.abs(shown[1] - restored).mean() / 2
    last = read_image(tmp_path / "p.png").pixels
    assert np.abs(last - restored).max() <= 0.51 / 255


@pytest.mark.parametrize(
    ("options", "cancel", "ended"),
    [
        ({}, False, Steps(40, 40, "finished")),
        ({"budget": 1e-6}, False, Steps(1, 40, "budget")),
        ({}, True, Steps(1, 40, "canceled")),
    ],
)
def test_a_restoration_says_what_ended_it(options, cancel, ended):
    """Cut off after 1 of 40 steps, it said that it was restored, and nothing more."""
    control = Control(on_step=lambda done, total, image: cancel and control.cancel())
    restoration = Restorer(**BLURRED, **options).run(noisy_picture(), control=control)
    assert restoration.steps == ended
    assert np.isfinite(restoration.image.data).all()
    assert restoration.seconds > 0
    said = f"{'canceled' if cancel else 'cut off by the budget'} after 1 of 40 steps"
    assert restoration.reasons[1].startswith("residual ")
    assert restoration.reasons[2:] == (() if ended.ended == "finished" else (said,))


def test_a_method_that_stops_by_its_own_rule_says_so(monkeypatch):
    def early(y, degradation, *, control=None):
        control.step(7, 100, lambda: y)
        return y

    monkeypatch.setattr("resolvent.methods.load", lambda name: early)
    restoration = Restorer(**BLURRED).run(noisy_picture())
    assert restoration.steps == Steps(7, 100, "early-stop")
    assert restoration.reasons[-1] == "stopped early by its own rule after 7 of 100 steps"


def test_what_is_not_iterative_is_finished(model_file):
    noisy = Image.from_array(noisy_picture())
    assert Restorer(method="nlm", degradation="noise:sigma=13").run(noisy).steps == Steps(1, 1)
    restoration = Restorer(model=model_file, tile=16).run(noisy)
    assert restoration.steps.ended == "finished"
    assert restoration.steps.done == restoration.steps.total == restoration.plan.tiles > 1
    unchanged = Restorer(strength=0).run(noisy)
    assert (unchanged.image, unchanged.steps) == (noisy, Steps(0, 0))


def test_one_control_serves_one_run_after_the_other():
    control, restorer = Control(), Restorer(**BLURRED)
    assert not control.cancel()  # nothing is running; the next run begins anew
    assert restorer.run(noisy_picture(), control=control).steps.done == 40
    assert not control.cancel()
    news = []
    control.on_step = lambda done, total, image: news.append(control.cancel())
    assert restorer.run(noisy_picture(), control=control).steps.done == 1
    assert news == [True]


def test_the_library_leaves_signals_alone():
    before = signal.getsignal(signal.SIGINT)
    seen = []
    restore(noisy_picture(), **BLURRED, progress=lambda done, total: seen.append(signal.getsignal(signal.SIGINT)))
    assert set(seen) == {before}


@pytest.mark.parametrize(
    "options",
    [
        {"model": "denoise", "runtime": "torch"},
        {"method": "dip-fast", "degradation": "noise:sigma=13", "settings": {"iterations": 2}},
    ],
)
def test_the_library_leaves_torch_and_numpy_as_they_are(options):
    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.get_num_threads(), torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()
    restore(noisy_picture(), **options)
    after = torch.get_num_threads(), torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()
    assert after == before


def test_what_progress_raises_ends_it(model_file):
    def full(done, total):
        raise ZeroDivisionError

    for options in (BLURRED, {"model": model_file}):
        with pytest.raises(ZeroDivisionError):
            restore(noisy_picture(), **options, progress=full)


def test_a_restorer_loads_a_model_once(model_file, monkeypatch):
    opened = []
    monkeypatch.setattr(module, "open_session", lambda *arguments: opened.append(arguments) or open_session(*arguments))
    restorer = Restorer(model=model_file, sigma=10)
    first, second = restorer(picture()), restorer(picture())
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, restore(picture(), model=model_file, sigma=10))
    assert opened[:-1] == [(model_file, "auto")]


def test_a_method_enlarges_colors_and_alpha():
    rgba = np.dstack([noisy_picture(), np.ones((40, 48), np.float32)])
    rgba[:5, :, 3] = 0
    image = restore(Image.from_array(rgba), method="self-similarity", degradation="downsample:scale=2")
    assert image.data.shape == (80, 96, 3)
    assert image.alpha.shape == (80, 96)


def sixteen(values):
    return np.rint(values).astype(np.uint16)


def test_gray_in_rgb_stays_gray(fake):
    """A model that tints, as trained ones do: the channels came back 7 to 13 levels apart."""
    tint = np.float32([0.02, -0.02, 0.03]).reshape(1, 3, 1, 1)
    equal = picture((40, 56, 1), np.uint8).repeat(3, 2)
    out = go(fake(lambda x: x + tint), Image.from_array(equal))
    assert out.data.shape == equal.shape
    np.testing.assert_array_equal(out.data, out.data[..., :1].repeat(3, 2))
    one = go(fake(lambda x: x + tint), Image.from_array(equal[..., 0]))
    np.testing.assert_array_equal(out.data[..., :1], one.data)
    large = go(fake(lambda x: (x + tint).repeat(2, 2).repeat(2, 3), scale=2), Image.from_array(equal))
    np.testing.assert_array_equal(large.data, out.data.repeat(2, 0).repeat(2, 1))


def test_gray_in_rgb_keeps_its_type_profile_and_alpha(fake, functions, tmp_path):
    equal = np.dstack([picture((40, 56, 1), np.uint16).repeat(3, 2), picture((40, 56), np.uint16, 1)])
    image = replace(Image.from_array(equal), metadata=Metadata(dpi=(240.0, 240.0)), format="tiff", path=tmp_path / "a")
    out = go(fake(functions.window, halo=15), image)
    assert (out.format, out.path, out.metadata, out.channels) == ("tiff", image.path, image.metadata, 3)
    np.testing.assert_array_equal(out.alpha, image.alpha)
    assert (out.data != image.data).mean() > 0.5


@pytest.mark.parametrize("model", ["restore", "denoise"])
def test_bundled_models_keep_gray_gray(model):
    noisy = np.rint(255 * noisy_picture((64, 64, 1))).astype(np.uint8).repeat(3, 2)
    out = restore(noisy, model=model)
    np.testing.assert_array_equal(out, out[..., :1].repeat(3, 2))
    assert (out != noisy).any()


def test_twelve_bits_in_sixteen_are_restored_as_twelve_bits(fake, functions):
    """What a model sees, and what becomes of it, is the same picture as in 8 or 16 bits."""
    values = picture((40, 56, 3), np.float32)
    deep, whole = (Image.from_array(sixteen(top * values)) for top in (4095, 65535))
    out, expected = (go(fake(functions.window, halo=15), image) for image in (deep, whole))
    assert out.data.max() <= 4095
    np.testing.assert_allclose(out.data / 4095, expected.data / 65535, atol=1 / 4095)
    assert 4095 * 0.5 < go(fake(lambda x: x + 0.01), deep).data.max() <= 4095


def test_twelve_bits_told_their_noise_do_not_turn_black():
    """A micrograph with noise of 18 levels in 255 of its 12 bits: every pixel became 0, and passed the checks."""
    clean = np.clip(noisy_picture((96, 96, 1)), 0, 1)
    rows, columns = np.mgrid[:96, :96] / 48
    clean = 0.25 + 0.15 * np.sin(9 * rows + 5 * columns)[..., None]
    noisy = clean + 18 / 255 * np.random.default_rng(1).standard_normal(clean.shape)
    stored = sixteen(4095 * np.clip(noisy, 0, 1))
    assert stored.max() < 4096
    out = restore(stored, model="denoise", sigma=18)
    before, after = (np.sqrt(np.mean((x / 4095 - clean) ** 2)) for x in (stored, out))
    assert after < before / 2


@pytest.mark.parametrize("scale", [1, 2])
def test_a_hot_pixel_of_integers_keeps_its_value(fake, scale):
    values = sixteen(2000 + 1000 * picture((120, 100, 1), np.float32))
    values[50, 60] = 60_000
    model = fake(lambda x: (0.98 * x).repeat(scale, 2).repeat(scale, 3), scale=scale)
    out = go(model, Image.from_array(values)).data
    expected = np.where(values == 60_000, values, sixteen(0.98 * values)).repeat(scale, 0).repeat(scale, 1)
    assert np.abs(out.astype(int) - expected).max() <= 1
    assert (out == 60_000).sum() == scale**2


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


def test_floats_beyond_1_come_back_in_their_range(fake):
    for low, high in ((0, 255), (1000, 1200), (-3, 9)):
        values = low + (high - low) * noisy_picture((64, 64, 3))
        values = values.astype(np.float64)
        out = restore(values, model="denoise")
        assert out.dtype == values.dtype
        rows, columns = np.mgrid[:64, :64] / 48
        clean = low + (high - low) * (0.5 + 0.3 * np.sin(9 * rows + 5 * columns)[..., None])
        before, after = (np.sqrt(np.mean((x - clean) ** 2)) for x in (values, out))
        assert after < 0.7 * before


@pytest.mark.parametrize("dtype", [">u2", ">f4", ">f8"])
def test_arrays_of_the_other_byte_order(model_file, dtype):
    values = picture((40, 56, 3), np.uint16).astype(dtype)
    values = values / 65535 if values.dtype.kind == "f" else values
    values = values.astype(dtype)
    out = restore(values, model=model_file, sigma=10)
    assert out.dtype == values.dtype
    np.testing.assert_array_equal(
        out, restore(values.astype(values.dtype.newbyteorder("=")), model=model_file, sigma=10)
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_of_an_array_is_enlarged_with_it(dtype, channels):
    values = picture((24, 32, channels), dtype)
    out = restore(values, model="upscale2")
    assert (out.shape, out.dtype) == ((48, 64, channels), values.dtype)
    expected = restore(Image.from_array(values), model="upscale2").alpha
    np.testing.assert_array_equal(out[..., -1], expected.astype(dtype))
    alpha = values[..., -1]
    assert np.abs(imresize(alpha, 2.0).clip(alpha.min(), alpha.max()) - out[..., -1]).max() <= 0.5


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
