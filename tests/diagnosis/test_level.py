import io
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
import scipy.ndimage
from typer.testing import CliRunner

from resolvent.diagnosis import Noise, diagnose, measure
from resolvent.diagnosis.content import content_of, empty_share, with_content
from resolvent.diagnosis.level import BANDS, OPPONENT, level_features
from resolvent.diagnosis.sample import sample_of
from resolvent.evaluation.choice import drawing
from resolvent.evaluation.level import FIT, KINDS, LevelCase, learn_levels, make_level_case, noise_statistics, page
from resolvent.image import Image, write_image
from resolvent.inference.runtime import open_session


@pytest.fixture(scope="module")
def photograph():
    """Half of scikit-image's astronaut, in gray levels: sharp, and all but free of noise."""
    from skimage.data import astronaut

    return astronaut()[:384, 64:448].astype(np.float32)


def white(shape, sigma, seed=0):
    return sigma * np.random.default_rng(seed).standard_normal(shape)


def grain(shape, sigma, radius, seed=0):
    noise = scipy.ndimage.gaussian_filter(white(shape, 1, seed), (radius, radius, 0))
    return sigma / noise.std() * noise


def rounded(values):
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def image(values):
    return Image.from_array(rounded(values))


def compressed(values, quality):
    file = io.BytesIO()
    PIL.Image.fromarray(rounded(values)).save(file, "JPEG", quality=quality)
    return Image.from_array(np.asarray(PIL.Image.open(file))), file.getvalue()


# --- levels and correlation


def test_each_channel_has_its_level(photograph):
    sigma = np.array([4, 3, 12])
    found = measure(image(photograph + white(photograph.shape, sigma)))
    assert found.noise_levels == pytest.approx(sigma, rel=0.25)
    assert found.noise_sigma == pytest.approx(np.sqrt(np.mean(sigma**2)), rel=0.1)
    assert not found.noise.colored
    assert found.noise.denoiser_sigma == found.noise_sigma
    assert measure(image(photograph + white(photograph.shape, 90))).denoiser_sigma <= 75


def test_noise_in_one_channel_alone_is_told(photograph):
    found = measure(image(photograph + white(photograph.shape, np.array([0, 0, 25]))))
    assert found.denoiser_sigma == pytest.approx(25 / np.sqrt(3), rel=0.1)


@pytest.mark.parametrize("radius", [0.7, 1.2])
@pytest.mark.parametrize("sigma", [6, 14])
def test_noise_that_neighbors_share(photograph, sigma, radius):
    found = measure(image(photograph + grain(photograph.shape, sigma, radius)))
    assert found.noise.colored
    assert found.noise_sigma == pytest.approx(sigma, rel=0.35)
    assert found.noise.neighbor_correlation == pytest.approx(np.exp(-1 / (4 * radius**2)), abs=0.2)


def test_coarse_grain_of_the_luminance(photograph):
    noise = grain((*photograph.shape[:2], 1), 12, 0.8)
    found = measure(image(photograph + noise))
    assert found.noise.colored
    assert found.noise_sigma == pytest.approx(12, rel=0.45)
    assert found.noise.channel_correlation > 0.6


def test_soft_noise_of_the_colors(photograph):
    noise = grain(photograph.shape, 10, 1.5)
    noise -= noise.mean(-1, keepdims=True)
    found = measure(image(photograph + noise))
    assert found.noise.colored
    assert found.noise_sigma == pytest.approx(np.sqrt(np.mean(noise**2)), rel=0.35)
    assert found.noise.channel_correlation < 0


@pytest.mark.parametrize("quality", [None, 90, 60])
def test_a_clean_photograph_has_next_to_none(photograph, quality):
    pictured, file = (image(photograph), None) if quality is None else compressed(photograph, quality)
    assert measure(pictured, file).noise_sigma < 2


def test_the_same_noise_in_every_channel_is_white(photograph):
    found = measure(image(photograph + white((*photograph.shape[:2], 1), 15)))
    assert found.noise_sigma == pytest.approx(15, rel=0.1)
    assert not found.noise.colored


def test_gray_pictures_have_three_equal_levels(photograph):
    found = measure(image(photograph[..., :1] + white((*photograph.shape[:2], 1), 10)))
    assert found.noise_levels == pytest.approx((10, 10, 10), rel=0.1)
    assert found.noise.channel_correlation == 1


def test_features_of_white_noise():
    """As strong in every band, in the luminance and in the colors; Gaussian; independent."""
    found = level_features((128 + white((16, 64, 64, 3), 9)).astype(np.float32))
    spread, plain, rest = np.split(found, [5 * 3 * BANDS, 7 * 3 * BANDS])
    np.testing.assert_allclose(plain[3 * BANDS :], np.log(9 + 0.15), atol=0.15)
    assert np.all(np.diff(spread.reshape(5, -1), axis=0) > 0)
    np.testing.assert_allclose(np.exp(rest[: 3 * BANDS]) - 0.15, np.sqrt(2 / np.pi), atol=0.08)
    np.testing.assert_allclose(rest[3 * BANDS : -2], 0, atol=0.2)
    np.testing.assert_array_equal(rest[-2:], [1, 0])
    np.testing.assert_allclose(OPPONENT @ OPPONENT.T, np.eye(3), atol=1e-6)


def test_too_small_for_the_spectrum():
    assert level_features(np.full((3, 12, 64, 3), 99, np.float32)) is None
    assert level_features(np.full((3, 64, 64, 3), 99, np.float32)) is None
    assert measure(image(128 + white((10, 10, 3), 9))).noise_levels == (0, 0, 0)


# --- what holds no content


def scene(height, width, seed=3):
    """Smooth shapes of many tones, and some texture."""
    rng = np.random.default_rng(seed)
    smooth = scipy.ndimage.gaussian_filter(rng.standard_normal((height, width, 3)), (18, 18, 0))
    fine = scipy.ndimage.gaussian_filter(rng.standard_normal((height, width, 1)), (1, 1, 0))
    fine *= np.linspace(0, 1, width)[None, :, None] ** 2
    return 128 + 45 * smooth / smooth.std() + 20 * fine


@pytest.mark.parametrize("tone", [0, 16, 200, 254, 255])
def test_borders_do_not_count(tone):
    noisy = rounded(scene(192, 256) + white((192, 256, 3), 15))
    framed = np.full((352, 448, 3), tone, np.uint8)
    framed[70:262, 90:346] = noisy
    found = measure(Image.from_array(framed))
    assert found.noise_sigma == pytest.approx(15, rel=0.12)
    assert not found.content.drawing
    assert diagnose(Image.from_array(framed)).model is not None


def test_bars_of_a_letterboxed_film_do_not_count():
    noisy = rounded(np.clip(scene(256, 384), 30, 225) + white((256, 384, 3), 10))
    noisy[:90] = noisy[-90:] = 0
    assert measure(Image.from_array(noisy)).noise_sigma == pytest.approx(10, rel=0.15)


def test_a_blown_sky_does_not_count():
    values = scene(256, 320)
    values[:150] = 330
    found = measure(image(values + white(values.shape, 15)))
    assert found.noise_sigma == pytest.approx(15, rel=0.12)
    assert diagnose(image(values + white(values.shape, 15))).model is not None


def test_a_small_thing_on_white_is_measured_closely():
    page = np.full((2000, 1800, 3), 255, np.uint8)
    page[900:1156, 800:1056] = rounded(scene(256, 256) + white((256, 256, 3), 12))
    sample, cover = sample_of(Image.from_array(page))
    assert cover is None
    assert with_content(sample)[..., 0].size > 0.8 * 256**2
    assert measure(Image.from_array(page)).noise_sigma == pytest.approx(12, rel=0.15)


def test_a_cutout_is_measured_where_it_shows():
    noisy = rounded(scene(256, 320) + white((256, 320, 3), 20))
    rows, columns = np.mgrid[:256, :320]
    alpha = np.where((rows - 128) ** 2 + (columns - 150) ** 2 < 100**2, 255, 0).astype(np.uint8)
    noisy[alpha == 0] = 77
    found = diagnose(Image.from_array(np.dstack([noisy, alpha])))
    assert found.noise_sigma == pytest.approx(20, rel=0.12)
    assert found.model is not None


@pytest.mark.parametrize("offset", [20, 60, 75, 100])
def test_a_strip_between_bars_is_measured_wherever_it_lies(offset):
    noisy = rounded(np.clip(scene(50, 640), 30, 225) + white((50, 640, 3), 15))
    framed = np.pad(noisy, ((offset, 150 - offset), (0, 0), (0, 0)))
    assert measure(Image.from_array(framed)).noise_sigma == pytest.approx(15, rel=0.12)


def test_equal_channels_are_measured_as_gray():
    gray = rounded(scene(192, 256).mean(2, keepdims=True) + white((192, 256, 1), 18))
    one, three = (measure(Image.from_array(pixels), None, open_session) for pixels in (gray, gray.repeat(3, 2)))
    assert one.noise == three.noise
    np.testing.assert_array_equal(one.features, three.features)


@pytest.mark.parametrize(("height", "width"), [(300, 12), (64, 64), (200, 300)])
def test_the_frame_is_left_out(height, width):
    noisy = rounded(128 + white((height, width, 1), 20))
    framed = np.pad(noisy, ((24, 16), (40, 0), (0, 0)), constant_values=9)
    sample, _ = sample_of(Image.from_array(framed))
    assert (empty_share(sample) == 0).all() == (width >= 16)
    assert sample_of(Image.from_array(np.full((99, 70, 3), 7, np.uint8)))[0].shape[1:3] == (64, 64)


def test_empty_cells_are_uniform_clipped_or_hidden():
    sample = (128 + white((4, 32, 32, 3), 5)).astype(np.float32)
    sample[0, :16, :16] = 31
    sample[1, 16:] = 255
    sample[1, 20, 3] = 130
    cover = np.ones((4, 32, 32), np.float32)
    cover[2, 0, 31] = 0
    np.testing.assert_array_equal(empty_share(sample, cover), [0.25, 0.5, 0.25, 0])
    assert with_content(sample[3:]) is not None
    assert with_content(sample, cover).shape == (4, 32, 32, 3)
    nothing = np.zeros((2, 64, 64, 3), np.float32)
    assert with_content(nothing) is nothing


def test_flat_and_clipped_shares():
    sample = (128 + white((1, 64, 64, 3), 5)).astype(np.float32)
    sample[0, :33] = 255
    found = content_of(sample)
    assert found.flat_share == pytest.approx(32 / 63)
    assert found.clipped_share == pytest.approx(33 / 63)
    assert content_of(sample[:, :1, :1]).flat_share == 0


# --- drawings and text


@pytest.mark.parametrize("quality", [None, 90, 50])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("draw", [drawing, page])
def test_what_jpeg_leaves_around_letters_is_not_noise(draw, seed, quality):
    values = 255 * draw(256, seed)
    pictured, file = (image(values), None) if quality is None else compressed(values, quality)
    found = measure(pictured, file)
    assert found.content.drawing
    assert found.noise_sigma == 0


def test_noise_on_a_page_is_measured():
    values = 255 * page(256, 2) * 0.8 + 20
    found = measure(image(values + white(values.shape, 6)))
    assert not found.content.drawing
    assert found.noise_sigma == pytest.approx(6, rel=0.3)


@pytest.mark.parametrize("quality", [None, 75, 30])
def test_a_photograph_is_no_drawing(photograph, quality):
    pictured, file = (image(photograph), None) if quality is None else compressed(photograph, quality)
    assert not measure(pictured, file).content.drawing


# --- how it is described


def test_the_noise_in_words(tmp_path, photograph):
    assert Noise((4, 4, 4), 0.0, 0.0, (4, 4, 4)).described() == "noise of 4.0 gray levels"
    text = Noise((6.0, 3.0, 6.0), 0.6, 0.5, (0, 0, 0)).described()
    assert text == (
        "noise of 5.2 gray levels (6.0 in red, 3.0 in green, 6.0 in blue), correlated: 0.60 between neighboring pixels"
    )
    from resolvent.cli import app

    path = tmp_path / "grain.png"
    write_image(image(photograph + grain(photograph.shape, 12, 1)), path)
    shown = CliRunner().invoke(app, ["diagnose", str(path)]).output
    assert "correlated: 0.75 between neighboring pixels" in shown


# --- how it is learned


def test_statistics_of_noise_averaged_over_boxes():
    """The mean of two neighbors has σ/√2, and shares half of its variance with the next one along the row."""
    noise = white((300, 301, 3), 8)
    averaged = (noise[:, 1:] + noise[:, :-1]) / 2
    sigma, neighbor, channel = noise_statistics(averaged)
    np.testing.assert_allclose(sigma, 8 / np.sqrt(2), rtol=0.02)
    assert neighbor == pytest.approx((0.5 + 0) / 2, abs=0.02)
    assert channel == pytest.approx(0, abs=0.02)
    assert noise_statistics(noise[..., :1].repeat(3, 2))[2] == pytest.approx(1)


@pytest.mark.parametrize("kind", sorted(set(KINDS)))
def test_cases_obey_their_seed(kind, photograph):
    truth = photograph[100:196, 100:196] / 255
    first, again, other = (make_level_case(truth, kind, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.features, again.features)
    np.testing.assert_array_equal(first.targets, again.targets)
    assert np.isfinite([*first.features, *first.targets]).all()
    assert not np.array_equal(first.features, other.features)
    assert (np.exp(first.targets[:3]) - 0.5 < 1e-3).all() == (kind == "clean")


def test_learning_finds_the_level():
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    cases = []
    for _ in range(400):
        features = rng.standard_normal(6).astype(np.float32)
        targets = np.array([features[0], features[1], features[2], 0.1 * features[3], 0.2], np.float32) + 1
        cases.append(LevelCase("white", features, targets))
    ensemble = learn_levels(cases[:300], about={"cases": 300}, settings=replace(FIT, steps=300))
    errors = [np.subtract(list(ensemble.predict(case.features).values()), case.targets)[:3] for case in cases[300:]]
    assert np.abs(errors).mean() < 0.25
