"""The model is chosen by the gain that can be counted on."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage

from resolvent.diagnosis.choice import FALLBACK, LEAST_GAIN, Chooser, Prediction, decide, features
from resolvent.diagnosis.noise import impulses
from resolvent.diagnosis.probe import MODELS, changes
from tests.diagnosis.pictures import CANDIDATES, Brighter, expecting


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
