import io
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import PIL.Image
import pytest
import scipy.fft
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st

from resolvent.degradations import degrade, parse
from resolvent.diagnosis import diagnose, measure
from resolvent.diagnosis.blur import blur_sigma
from resolvent.diagnosis.choice import FALLBACK, LEAST_GAIN, Chooser, Prediction, decide, features
from resolvent.diagnosis.noise import _box_sum, _tail, grain_of, impulses, noise_sigma, noise_sigmas
from resolvent.diagnosis.probe import MODELS, changes
from resolvent.diagnosis.sample import windows
from resolvent.image import Image
from resolvent.image.jpeg_header import jpeg_header

ROWS, COLUMNS = np.mgrid[:64, :64]
DISK = np.where((ROWS - 32) ** 2 + (COLUMNS - 31) ** 2 < 19**2, 200.0, 60.0)[..., None].repeat(3, 2)
DISK_BLURRED = 255 * parse("blur:sigma=2")(DISK / 255)
SLOPE = (100 + 0.2 * ROWS + 0.15 * COLUMNS)[..., None].repeat(3, 2)


def texture(strength=60, channels=3):
    """Fine and everywhere: smooth at no scale, and not white."""
    white = np.random.default_rng(1).standard_normal((64, 64, 1))
    fine = scipy.ndimage.gaussian_filter(white, 0.7, axes=(0, 1), mode="wrap")
    return 120 + strength * fine.repeat(channels, 2)


def noisy(values, sigma, seed=0):
    rng = np.random.default_rng(seed)
    return (values + sigma * rng.standard_normal(values.shape)).astype(np.float32)


def image(values):
    return Image.from_array(np.clip(np.rint(values), 0, 255).astype(np.uint8))


# --- windows


@pytest.mark.parametrize(
    ("height", "width", "count"),
    [
        (1, 1, 1),
        (64, 64, 1),
        (65, 64, 2),
        (40, 300, 5),
        (512, 512, 64),
        (500, 300, 40),
        (10_000, 10_000, 64),
        (70, 9_000, 64),
    ],
)
def test_windows_lie_inside_and_reach_every_border(height, width, count):
    boxes = []

    def read(*box):
        boxes.append(box)
        return np.zeros((box[2] - box[0], box[3] - box[1], 1), np.float32)

    sample = windows(read, height, width)
    assert sample.shape == (count, min(64, height), min(64, width), 1)
    top, left, bottom, right = np.transpose(boxes)
    assert (top.min(), left.min(), bottom.max(), right.max()) == (0, 0, height, width)
    assert len(set(boxes)) == count


def test_windows_of_a_small_photograph_hold_every_pixel():
    pixels = np.arange(200 * 150, dtype=np.float32).reshape(200, 150, 1)
    sample = windows(lambda top, left, bottom, right: pixels[top:bottom, left:right], 200, 150)
    assert np.unique(sample).size == pixels.size


# --- noise


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sigma", [1, 5, 15, 30])
def test_noise_on_plain_ground(sigma, channels):
    sample = noisy(SLOPE[..., :channels], sigma)[None]
    assert noise_sigma(sample) == pytest.approx(sigma, rel=0.07)


def test_noise_beside_texture_and_edges():
    values = np.stack([SLOPE, texture(), texture().swapaxes(0, 1), DISK])
    assert noise_sigma(noisy(values, 6)) == pytest.approx(6, rel=0.07)


def test_texture_is_not_noise():
    assert noise_sigma(np.stack([texture(), texture()[::-1]]).astype(np.float32)) == 0


def test_weak_texture_beside_the_noise_is_left_out():
    values = np.stack([SLOPE, texture(12), texture(12).swapaxes(0, 1), texture(12)[::-1]])
    assert noise_sigma(noisy(values, 3)) == pytest.approx(3, rel=0.07)


def test_noise_that_explains_less_than_a_hundredth_is_texture():
    values = np.stack([texture(channels=1)] * 60)
    values[0, :, :32] = 120
    few = noisy(values, 5)
    assert noise_sigma(few) == 0
    assert noise_sigma(few[:30]) == pytest.approx(5, rel=0.15)


def test_clipped_pixels_do_not_lower_the_estimate():
    sky = np.full_like(SLOPE, 320)  # noise of 20 leaves all of it at 255
    shade = np.full_like(SLOPE, 4)  # noise of 20 is cut in half here
    values = np.stack([sky, sky, shade, shade, SLOPE])
    assert noise_sigma(noisy(values, 20).clip(0, 255)) == pytest.approx(20, rel=0.1)


def test_every_channel_counts():
    values = noisy(SLOPE, 4)
    values[..., 2] = noisy(SLOPE, 12)[..., 2]
    assert noise_sigmas(values[None]) == pytest.approx((4, 4, 12), rel=0.07)
    assert noise_sigma(values[None]) == pytest.approx(((4**2 + 4**2 + 12**2) / 3) ** 0.5, rel=0.07)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 5, 64, 3), (1, 16, 16, 1)])
def test_too_small_to_measure(shape):
    assert noise_sigma(np.random.default_rng(0).uniform(50, 200, shape).astype(np.float32)) == 0


@pytest.mark.parametrize("level", [0, 100, 255])
def test_a_flat_image_has_neither_noise_nor_blur(level):
    sample = np.full((2, 64, 64, 3), level, np.float32)
    assert noise_sigma(sample) == 0
    assert blur_sigma(sample) == 0


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=40))
def test_tail_is_algorithm_1(values):
    descending = sorted(values, reverse=True)
    for start in range(len(descending)):
        rest = descending[start:]
        if np.mean(rest) <= np.median(rest):
            break
    assert _tail(np.array(descending[::-1], float)) ** 2 == pytest.approx(np.mean(rest))


@pytest.mark.parametrize("step", [1, 2])
def test_box_sum_by_brute_force(step):
    x = np.random.default_rng(0).random((2, 9, 11)).astype(np.float32)
    boxes = np.lib.stride_tricks.sliding_window_view(x, (3, 4), axis=(1, 2)).sum((3, 4))
    np.testing.assert_allclose(_box_sum(x, 3, 4, step), boxes[:, ::step, ::step], rtol=1e-5)


def test_grain_of_white_noise_is_that_of_the_laplacian():
    """Its variance is (4² + 4) σ²; 2 % of blocks of 64 samples lie about a fifth below."""
    noise = 128 + 5 * np.random.default_rng(0).standard_normal((16, 64, 64, 1)).astype(np.float32)
    grain = grain_of(noise)
    assert 0.7 < grain.roughness / (5 * np.sqrt(20)) < 0.9
    assert 1 < grain.evenness < 1.15
    assert grain_of(noise[:1, :9, :9]).roughness == 0


# --- blur


@pytest.mark.parametrize("noise", [0, 2])
@pytest.mark.parametrize("sigma", [1, 1.6, 2.4])
def test_blur_of_a_step(sigma, noise):
    blurred = scipy.ndimage.gaussian_filter(DISK, sigma, axes=(0, 1))
    assert blur_sigma(noisy(blurred, noise)[None], noise) == pytest.approx(sigma, abs=0.2)


def test_sharp_edges_and_texture_are_not_blurred():
    assert blur_sigma(DISK[None].astype(np.float32)) < 0.5
    assert blur_sigma(texture()[None].astype(np.float32)) < 0.5


def test_a_blurred_background_does_not_count():
    ground = scipy.ndimage.gaussian_filter(DISK, 3, axes=(0, 1))
    assert blur_sigma(np.stack([DISK, ground, ground, ground]).astype(np.float32)) < 0.5


def test_noise_alone_has_no_edges():
    assert blur_sigma(noisy(SLOPE, 5)[None], noise=5) == 0


# --- JPEG quality


def jpeg_quality(source):
    header = jpeg_header(source)
    return header and header.quality


def jpeg_chroma(source):
    header = jpeg_header(source)
    return header and header.chroma


def jpeg(quality=-1, **options):
    file = io.BytesIO()
    PIL.Image.fromarray(DISK.astype(np.uint8)).save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


def luminance_table(data):
    with PIL.Image.open(io.BytesIO(data)) as picture:
        return np.array(picture.quantization[0])


@pytest.mark.parametrize("quality", range(1, 101))
def test_quality_of_libjpeg_is_exact(quality):
    assert jpeg_quality(jpeg(quality)) == quality


@pytest.mark.parametrize("options", [{"progressive": True}, {"exif": bytes(60_000)}, {"icc_profile": bytes(150_000)}])
def test_quality_wherever_the_tables_stand(options, tmp_path):
    path = tmp_path / "ä b.jpg"
    path.write_bytes(jpeg(83, **options))
    assert jpeg_quality(path) == 83


@pytest.mark.parametrize(("subsampling", "share"), [("4:4:4", 1), ("4:2:2", 0.5), ("4:2:0", 0.25)])
def test_chroma_that_a_file_keeps(subsampling, share, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(90, subsampling=subsampling, exif=bytes(60_000), progressive=True))
    assert jpeg_chroma(path) == share
    assert jpeg_chroma(path.read_bytes()) == share


def test_no_chroma_without_a_jpeg_and_all_of_it_in_gray():
    whole = jpeg(50)
    assert jpeg_chroma(cv2.imencode(".jpg", DISK[..., 0])[1].tobytes()) == 1
    assert jpeg_chroma(b"") is None
    frame = whole.index(b"\xff\xc0")
    assert jpeg_chroma(whole[:frame] + b"\xff\xff\xff" + whole[frame:]) == jpeg_chroma(whole) == 0.25
    table = whole.index(b"\xff\xdb")
    assert jpeg_quality(whole[:table] + b"\xff" + whole[table:]) == 50
    assert jpeg_chroma(whole[: whole.index(b"\xff\xc0") + 8]) is None


def test_quality_of_gray_and_of_another_encoder():
    assert jpeg_quality(cv2.imencode(".jpg", DISK[..., 0], [cv2.IMWRITE_JPEG_QUALITY, 37])[1].tobytes()) == 37
    assert jpeg_quality(cv2.imencode(".jpg", DISK, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()) == 92


def test_another_table_gets_the_nearest_quality():
    tables = [[16 if i % 2 else 15 for i in range(64)]] * 2
    near = [abs(luminance_table(jpeg(quality)) - tables[0]).sum() for quality in range(1, 101)]
    assert jpeg_quality(jpeg(qtables=tables)) == 1 + int(np.argmin(near))


def test_no_quality_without_a_table():
    png = io.BytesIO()
    PIL.Image.new("L", (8, 8)).save(png, "PNG")
    whole = jpeg(50)
    assert jpeg_quality(png.getvalue()) is None
    assert jpeg_quality(b"") is None
    assert jpeg_quality(whole[: whole.index(b"\xff\xdb") + 10]) is None


@given(st.binary(max_size=200))
def test_quality_of_anything_is_a_quality_or_none(data):
    assert jpeg_quality(b"\xff\xd8" + data) in {None, *range(1, 101)}
    assert jpeg_quality(b"\xff\xd8\xff\xdb" + data) in {None, *range(1, 101)}
    assert (jpeg_chroma(b"\xff\xd8\xff\xc0" + data) or 1) > 0


# --- the choice


def seen(values, added=None, numbers=()):
    values = values.astype(np.float32)
    added = np.zeros((2, 1, 8, 8, values.shape[3])) if added is None else added
    return features(values, added.astype(np.float32), np.array(numbers, float))


def test_spectrum_is_that_of_the_cosine_transform():
    """One block: every quantile is the coefficient itself."""
    block = np.random.default_rng(0).uniform(0, 255, (1, 8, 8, 3))
    transform = scipy.fft.dctn(block[0].mean(-1), norm="ortho").ravel()[1:]
    luma = seen(block)[: 3 * 63].reshape(3, 63)
    np.testing.assert_allclose(luma, np.log(np.abs(transform) + 0.25)[None].repeat(3, 0), rtol=1e-3, atol=1e-4)


def test_spectrum_of_white_noise_is_flat():
    """The mean of three channels has σ/√3, and half of a normal variable lies within 0.6745 standard deviations."""
    noise = 128 + 9 * np.random.default_rng(0).standard_normal((16, 64, 64, 3))
    median = np.exp(seen(noise)[63 : 2 * 63]) - 0.25
    np.testing.assert_allclose(median, 0.6745 * 9 / np.sqrt(3), rtol=0.2)


def test_bands_of_the_last_change_are_means_of_its_coefficients():
    """5 quantiles of 14 bands; the first holds the two coefficients of one half wave, the last the finest."""
    added = np.random.default_rng(0).normal(0, 5, (2, 1, 8, 8, 3))
    transform = np.log(np.abs(scipy.fft.dctn(added[1, 0].mean(-1), norm="ortho")) + 0.05)
    bands = seen(np.zeros((1, 8, 8, 3)), added)[5 * 63 :][: 5 * 14].reshape(5, 14)
    np.testing.assert_allclose(bands[:3, 0], (transform[0, 1] + transform[1, 0]) / 2, rtol=1e-4)
    np.testing.assert_allclose(bands[:3, 13], transform[7, 7], rtol=1e-4)


def test_agreement_tells_how_strong_changes_and_differences_are_and_how_alike():
    """Changes that are one cosine, three times as much of it, and another cosine, all fine; of 63, 49 are."""
    x = (np.arange(8) + 0.5) * np.pi / 8
    one, other = np.outer(np.cos(7 * x), np.cos(7 * x)) / 4, np.outer(np.cos(6 * x), np.cos(7 * x)) / 4
    added = 70 * np.stack([one, 3 * one, other])[:, None, :, :, None]
    low, fine = seen(np.zeros((1, 8, 8, 1)), added)[5 * 63 + 5 * 14 :][:18].reshape(2, 9)
    assert low == pytest.approx([np.log(0.05)] * 6 + [0] * 3, abs=1e-4)
    rms = np.exp(fine[:6]) - 0.05
    assert rms == pytest.approx([10, 30, 10, 20, 200**0.5, 1000**0.5], rel=1e-3)
    assert fine[6:] == pytest.approx([1, 0, 0], abs=1e-4)


def test_gray_has_no_chroma_and_only_whole_blocks_count():
    values = np.random.default_rng(0).uniform(0, 255, (2, 20, 27, 1))
    whole = seen(values, numbers=[3])
    np.testing.assert_array_equal(whole, seen(values[:, :16, :24], numbers=[3]))
    np.testing.assert_array_equal(whole[3 * 63 : 5 * 63], np.log(np.float32(0.25)))
    assert whole[-1] == 3
    assert seen(values[:, :7]) is None


class Brighter:
    """A model that adds 10, 20 and 30 gray levels to the colors, and what it is told."""

    def __init__(self, name):
        self.card = SimpleNamespace(multiple=8, noise_level=name == "denoise")

    def run(self, x):
        return x[:, :3] + x[:, 3:].sum(1, keepdims=True) + np.float32([10, 20, 30]).reshape(1, 3, 1, 1) / 255


def test_the_probe_gives_what_each_model_adds_without_borders():
    sample = np.random.default_rng(0).uniform(20, 200, (40, 64, 61, 3)).astype(np.float32)
    added = changes(sample, 5.0, Brighter)
    assert added.shape == (len(MODELS), 8, 48, 40, 3)
    level = np.where(np.array(MODELS) == "denoise", 5, 0)[:, None, None, None, None]
    np.testing.assert_allclose(added, np.broadcast_to(np.array([10, 20, 30]) + level, added.shape), atol=1e-3)
    gray = changes(sample[:3, ..., :1], 5.0, Brighter)
    np.testing.assert_allclose(gray, np.broadcast_to(20 + level, (len(MODELS), 3, 48, 40, 1)), atol=1e-3)


def test_impulses_are_how_far_single_pixels_stand_out():
    """Of 64 windows of 62x62 inner pixels, one in 500 is hot by 90; noise of 1 hides in none of it."""
    sample = np.full((64, 64, 64, 1), 100, np.float32)
    assert impulses(sample) == pytest.approx(0)
    sample[:, 10:60:10, 10:30:10] += 90
    assert impulses(sample) == pytest.approx([0, 90, 90])
    dead = sample * -1 + 255
    assert impulses(dead) == pytest.approx([0, 90, 90])
    assert impulses(sample[:, :2]) == pytest.approx(0)


CANDIDATES = (("denoise", 1.0), ("deblur", 1.0), FALLBACK)


def expecting(gains, spread=0.0):
    """Expects these gains of CANDIDATES, whatever it sees; its two networks differ by twice the spread."""
    count = measure(image(DISK), None, Brighter).features.size
    bias = np.array([[np.array(gains) - spread], [np.array(gains) + spread]], np.float32)
    weight = np.zeros((2, count, len(gains)), np.float32)
    zero, wide = np.zeros(count, np.float32), np.full(count, 100, np.float32)
    outputs = tuple(f"{model}@{strength:g}" for model, strength in CANDIDATES)
    return Chooser(outputs, zero, wide, ((weight, bias),), {"cases": 0})


def test_chooser_survives_its_file(tmp_path):
    expecting([1.0, 2.5, 0.5], 0.25).save(tmp_path / "choice.npz")
    read = Chooser.load(tmp_path / "choice.npz")
    assert read.predict_gains(read.mean) == {
        name: Prediction(gain, 0.25) for name, gain in zip(CANDIDATES, [1.0, 2.5, 0.5], strict=True)
    }
    assert read.about == {"cases": 0}


@pytest.mark.parametrize(
    ("gains", "spread", "chosen"),
    [
        ([1.0, 2.0, 0.5], 0.0, CANDIDATES[1]),
        ([LEAST_GAIN + 0.01, -3.0, 0.0], 0.0, CANDIDATES[0]),
        ([LEAST_GAIN - 0.01, -3.0, 0.0], 0.0, None),
        ([1.0, 2.0, 0.5], 4.0, None),
    ],
)
def test_the_largest_gain_that_can_be_counted_on_is_chosen(gains, spread, chosen):
    chooser = expecting(gains, spread)
    assert decide(chooser, chooser.mean, 5.0).candidate == chosen


@pytest.mark.parametrize(("half", "chosen"), [(0.5, FALLBACK), (0.0, None)])
def test_what_is_unlike_all_that_was_learned_gets_the_fallback_at_most(half, chosen):
    chooser = expecting([5.0, 5.0, half])
    strange = chooser.mean + 6 * chooser.scale
    decision = decide(chooser, strange, 5.0)
    assert (decision.candidate, decision.novel) == (chosen, True)


@pytest.mark.parametrize(
    ("gains", "sigma", "chosen"),
    [
        ([3.0, 0.5, 0.0], 0.5, CANDIDATES[0]),
        ([-1.0, -1.0, 0.05], 14.0, FALLBACK),
        ([-1.0, -1.0, 0.05], 3.0, None),
        ([-1.0, -1.0, -0.05], 14.0, None),
    ],
)
def test_noise_and_gain_that_contradict_each_other_are_not_both_believed(gains, sigma, chosen):
    chooser = expecting(gains)
    assert decide(chooser, chooser.mean, sigma).candidate == chosen


@pytest.mark.parametrize(
    ("sigma", "quality", "chosen"),
    [
        (2.0, None, "dejpeg"),
        (5.0, None, "restore"),
        (5.0, 75, "restore"),
        (5.0, 10, "dejpeg"),
        (5.0, 92, "dejpeg"),
    ],
)
def test_noise_that_is_seen_is_not_left_to_the_model_for_jpeg(sigma, quality, chosen):
    """Unless JPEG is so strong that it may pass for noise, or so weak that it was another JPEG."""
    chooser = replace(expecting([0.5, 2.0, 1.0]), outputs=("denoise@1", "dejpeg@1", "restore@1"))
    assert decide(chooser, chooser.mean, sigma, jpeg_quality=quality).candidate == (chosen, 1.0)


@pytest.mark.parametrize(
    ("quality", "chroma", "gain", "chosen"),
    [
        (98, 1.0, 0.9, None),
        (98, 1.0, 1.1, CANDIDATES[1]),
        (97, 0.25, 0.9, None),
        (96, 0.25, 0.9, CANDIDATES[1]),
        (93, 1.0, 0.9, CANDIDATES[1]),
        (None, None, 0.9, CANDIDATES[1]),
    ],
)
def test_of_a_file_that_lacks_next_to_nothing_a_small_gain_is_not_believed(quality, chroma, gain, chosen):
    chooser = expecting([0.0, gain, 0.5])
    assert decide(chooser, chooser.mean, 9.0, jpeg_quality=quality, jpeg_chroma=chroma).candidate == chosen


@pytest.mark.parametrize(("quality", "chosen"), [(90, CANDIDATES[1]), (98, None)])
def test_of_a_file_that_lacks_next_to_nothing_an_uncertain_gain_is_not_believed(quality, chosen):
    chooser = expecting([0.0, 3.0, 0.0], 1.2)
    assert decide(chooser, chooser.mean, 1.0, jpeg_quality=quality, jpeg_chroma=1.0).candidate == chosen


# --- the whole


def look(picture, source=None, *, gains):
    return diagnose(picture, source, expecting(gains), Brighter)


@pytest.mark.parametrize(("blur", "chosen"), [(0.7, None), (1.5, ("deblur", 1.0))])
def test_of_what_is_drawn_neither_dots_nor_sharp_edges_are_undone(blur, chosen):
    chooser = expecting([9.0, 5.0, 9.0])
    assert decide(chooser, chooser.mean, 9.0, blur_sigma=blur).candidate == CANDIDATES[0]
    decision = decide(chooser, chooser.mean, 9.0, drawing=True, blur_sigma=blur)
    assert decision.candidate == chosen
    assert decision.unfit >= {"denoise", "restore"}


def test_dots_of_a_page_are_drawn_though_no_two_are_alike():
    rng = np.random.default_rng(0)
    page = np.where(rng.random((128, 160, 1)) < 0.3, 8.0, 247.0) + rng.normal(0, 8, (128, 160, 1))
    assert measure(image(page)).content.drawing
    assert measure(image(page)).noise_sigma == 0
    assert not measure(image(page * 0.6 + 40)).content.drawing


def test_reasons_give_what_was_measured_and_what_is_expected():
    found = look(degrade(image(DISK), "blur:sigma=2"), jpeg(95), gains=[1.0, 4.0, 0.0])
    assert (found.model, found.strength, found.sigma, found.jpeg_quality) == ("deblur", 1.0, None, 95)
    assert found.blur_sigma == pytest.approx(2, abs=0.2)
    assert found.gains == {"denoise": 1.0, "deblur": 4.0, "restore": 0.0}
    assert found.reasons == (
        "noise of 0.0 gray levels",
        f"blur of {found.blur_sigma:.1f} pixels at the sharpest edges",
        "JPEG quality 95",
        "looks drawn or printed, not photographed",
        "expected gain: deblur 4.0 dB, denoise 1.0 dB, restore 0.0 dB",
    )


@pytest.mark.parametrize(
    ("values", "spread", "why"),
    [
        (DISK_BLURRED, 0.0, ["not restore: what is measured speaks against it"]),
        (noisy(SLOPE, 3), [0.0, 0.0, 2.0], ["not restore: it is less certain"]),
    ],
)
def test_a_larger_gain_that_is_not_taken_is_explained(values, spread, why):
    found = diagnose(image(values), None, expecting([0.0, 2.0, 3.0], spread), Brighter)
    assert found.model == "deblur"
    assert [reason for reason in found.reasons if reason.startswith("not ")] == why


def test_a_cautious_choice_says_so():
    found = look(image(noisy(SLOPE, 3)), gains=[0.0, 0.0, 1.0])
    assert (found.model, found.strength) == FALLBACK
    assert "blended with the photograph at 50%" in found.reasons[-1]


def test_noise_is_denoised_at_its_level_within_the_models_range():
    found = look(image(noisy(SLOPE, 12)), gains=[5.0, 0.0, 0.0])
    assert found.model == "denoise"
    assert found.sigma == found.noise_sigma == pytest.approx(12, rel=0.07)
    strong = look(Image.from_array(noisy(SLOPE, 90) / np.float32(255)), gains=[5.0, 0.0, 0.0])
    assert strong.sigma == 75 < strong.noise_sigma


@pytest.mark.parametrize("values", [DISK[:20], np.full((64, 64, 3), 77.0)])
def test_too_little_to_tell(values):
    found = look(image(values), gains=[5.0, 0.0, 0.0])
    assert (found.model, found.gains) == (None, {})
    assert found.reasons[-1] == "too little detail to predict what would help"


@pytest.fixture(scope="module")
def photograph():
    """Half of scikit-image's astronaut, reduced: sharp, and all but free of noise, of which the scan has 1.6 levels."""
    from skimage.data import astronaut

    return Image.from_array(cv2.resize(astronaut()[:384, 64:448], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))


def test_clean_is_left_alone(photograph):
    found = diagnose(photograph)
    assert (found.jpeg_quality, found.model, found.sigma) == (None, None, None)
    assert found.reasons[-1] == "nothing to fix: no model is certain to gain 0.15 dB"


@pytest.mark.parametrize(
    ("degradation", "model"),
    [
        ("noise:sigma=20", "denoise"),
        ("blur:sigma=1.6 + noise:sigma=1", "deblur"),
        ("saltpepper:amount=0.02", "restore"),
        ("grain:sigma=15,radius=0.9", "denoise"),
    ],
)
def test_each_fault_goes_to_its_model(photograph, degradation, model):
    assert diagnose(degrade(photograph, degradation, seed=1)).model == model


def test_compression_goes_to_its_model(photograph):
    file = io.BytesIO()
    PIL.Image.fromarray(photograph.data).save(file, "JPEG", quality=20)
    found = diagnose(degrade(photograph, "jpeg:quality=20"), file.getvalue())
    assert (found.model, found.jpeg_quality) == ("dejpeg", 20)


def test_rounding_to_8_bits_is_not_noise():
    rounded = np.rint(noisy(SLOPE, 0.4))
    whole = diagnose(image(rounded)).noise_sigma
    assert whole == pytest.approx(0.4, abs=0.08)
    assert noise_sigma(rounded[None]) > whole + 0.05


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_depth_does_not_matter(dtype):
    values = noisy(DISK, 8)
    scaled = values * 257 if dtype == np.uint16 else values / 255
    found = diagnose(Image.from_array(scaled.astype(dtype)))
    assert found.noise_sigma == pytest.approx(diagnose(image(values)).noise_sigma, rel=0.02)


def test_numpy_and_the_runtime_are_all_that_it_loads():
    program = (
        "import sys, numpy as np\n"
        "from resolvent.image import Image\n"
        "from resolvent.diagnosis import diagnose\n"
        "diagnose(Image.from_array(np.zeros((64, 64), np.uint8)))\n"
        "print({'scipy', 'skimage', 'torch', 'PIL'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip() == "set()"


def test_what_transparency_hides_does_not_count():
    """The same noisy photograph, its hidden half kept by one format and blanked by another."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:192, 0:256] / 30
    pixels = 128 + 50 * np.sin(x + y)[..., None] + rng.normal(0, 20, (192, 256, 3))
    noisy = np.dstack([pixels.clip(0, 255), np.full((192, 256), 255)]).astype(np.uint8)
    noisy[:, 128:, 3] = 0
    blanked = noisy.copy()
    blanked[:, 128:, :3] = 0
    found = [diagnose(Image.from_array(array)) for array in (noisy, blanked)]
    assert found[0].noise_sigma == found[1].noise_sigma == pytest.approx(20, rel=0.15)
