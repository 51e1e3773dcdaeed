from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Picture

import resolvent
from resolvent.engine.error_maps import Jacobian, Learned, read_error_map
from resolvent.engine.evidence import Evidence, Tally
from resolvent.engine.options import make_request
from resolvent.engine.plan import make_plan
from resolvent.engine.request import ModelRequest
from resolvent.engine.run import run
from resolvent.errors import InputError, UsageError
from resolvent.image import Image, read_image
from resolvent.models.card import ModelCard

SIGMA, OWN = 20.0, 0.75


CARD = ModelCard(
    name="shrinking", task="denoise", summary="", network="unet-small", arguments={}, degradation="", noise_level=True,
    multiple=1, halo=0,
)  # fmt: skip


class Shrinking:
    """The best denoiser of pixels N(1/2, 3 σ²) apart from each other, whose posterior has the variance 3/4 σ²."""

    card = CARD

    def run(self, x):
        return (0.5 + OWN * (x[:, :3] - 0.5)).astype(np.float32)


def pair(seed=0, shape=(96, 128, 3)):
    """The truth and what was measured, in floats that no file clips."""
    rng = np.random.default_rng(seed)
    truth = 0.5 + np.sqrt(3) * SIGMA / 255 * rng.normal(size=shape)
    return truth, (truth + SIGMA / 255 * rng.normal(size=shape)).astype(np.float32)


def restoration(y, probes=1, **options):
    """Without judging whether the noise is what it is said to be: here it is, and the truth looks like noise too."""
    request = ModelRequest(model="denoise", uncertainty=Jacobian(probes), **{"sigma": SIGMA, **options})
    image, sessions = y if isinstance(y, Image) else Image.from_array(y), lambda name, runtime: Shrinking()
    planned = replace(make_plan(image, request, open_session=sessions), wide=False)
    return run(image, planned, open_session=sessions, judge=False)


@pytest.mark.parametrize("probes", [1, 4])
def test_the_width_is_that_of_the_posterior_and_allows_for_long_tails(probes):
    """1.6449 standard deviations hold nine of ten of these normal errors."""
    truth, y = pair()
    found = restoration(y, probes)
    half_width = 2.02 * (1 + 0.41 / probes) * np.sqrt(OWN) * SIGMA
    assert found.uncertainty.half_width == pytest.approx(half_width, abs=0.01)
    scale = 1.6449 / (2.02 * (1 + 0.41 / probes))
    inside = np.abs(found.image.data - truth) <= scale * found.uncertainty.half_width[..., None] / 255
    assert inside.mean() == pytest.approx(0.9, abs=0.01)
    assert "white and of level 20.0" in found.uncertainty.basis


def mixed(self, x):
    """Gives every color the mean of all."""
    return (0.5 + OWN * (x[:, :3].mean(axis=1, keepdims=True).repeat(3, axis=1) - 0.5)).astype(np.float32)


def test_the_colors_of_a_gray_picture_move_together(monkeypatch):
    monkeypatch.setattr(Shrinking, "run", mixed)
    _, y = pair(shape=(64, 64, 1))
    assert restoration(y).uncertainty.half_width == pytest.approx(Jacobian(1).factor * np.sqrt(OWN) * SIGMA, abs=0.01)


def test_few_probes_may_find_less_than_nothing():
    channel = np.array([[-1e-4, 0.0, 4e-4]], np.float32)
    found = Jacobian(1).half_width(channel, CARD, wide=False)
    assert found == pytest.approx(Jacobian(1).factor * np.array([[0, 0, 0.02]]))


def test_tiles_of_a_denoiser_leave_no_seam():
    _, y = pair(shape=(200, 264, 3))
    y = y.clip(0, 1)
    for kind in ("learned", "jacobian:probes=1"):
        options = {"model": "denoise", "sigma": SIGMA, "uncertainty": kind}
        whole, tiled = (resolvent.Restorer(**options, tile=tile).run(y) for tile in (None, 32))
        assert tiled.plan.tiles > whole.plan.tiles == 1
        assert tiled.uncertainty.half_width == pytest.approx(whole.uncertainty.half_width, abs=0.05)


@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_sure_tells_the_psnr_within_its_margin(strength):
    off = []
    for seed in range(20):
        truth, y = pair(seed, (24, 32, 3))
        found = restoration(y, strength=strength)
        psnr = -10 * np.log10(np.square(found.image.data - truth).mean())
        off.append((found.evidence.psnr - psnr) / found.evidence.margin)
    assert np.mean(np.abs(off) <= 1) >= 0.95
    assert np.std(off) > 0.1  # of this f the error is about half of what the margin allows for


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_where_noise_was_clipped_no_psnr_is_printed(dtype):
    """SURE would be too high by 2 dB: a third of the values is black, where half of the noise is gone."""
    _, y = pair()
    y[:32] = np.clip(y[:32] - 0.5, 0, None)
    y = y if dtype == np.float32 else (255 * y.clip(0, 1)).round().astype(dtype)
    found = restoration(y)
    assert found.evidence.psnr is None
    assert found.evidence.obstacle == "values that are clipped or flat have lost their noise"
    assert found.evidence.clipped == pytest.approx(1 / 6, abs=0.01)
    assert found.uncertainty.basis.endswith("; fewer in black and in white areas, 17% of this one")


@pytest.mark.parametrize(
    ("level", "obstacle"),
    [(0.9, ""), (0.97, "its margin would be 1."), (1.01, "the level that was given is more than the noise")],
)
def test_a_level_that_leaves_no_psnr_is_named_as_the_reason(level, obstacle):
    """All is noise and nearly all of it is removed: a level 1 % too high takes off more than the error."""
    y = (0.5 + SIGMA / 255 * np.random.default_rng(0).normal(size=(96, 128, 3))).astype(np.float32)
    tally = Tally(level * SIGMA, 1.0)
    tally.add(y, 0.5 + 0.01 * (y - 0.5), np.full(y.shape[:2], 0.01 * (level * SIGMA / 255) ** 2, np.float32))
    found = tally.finish(white=True)
    assert (found.psnr is None) == bool(obstacle)
    assert found.obstacle.startswith(obstacle)
    assert (f"; no PSNR (SURE): {obstacle}" in str(found)) == bool(obstacle)


def with_frame(y):
    y[:, :10] = 0.9
    return y


def with_hole(y):
    alpha = np.ones((*y.shape[:2], 1), np.float32)
    alpha[:20] = 0
    return np.concatenate([y, alpha], axis=2)


@pytest.mark.parametrize(("change", "obstacle"), [(with_frame, "clipped or flat"), (with_hole, "transparent")])
def test_what_has_no_noise_leaves_no_psnr(change, obstacle):
    """Each pixel without noise takes σ² too much off: SURE was too high by 2 to 14 dB."""
    _, y = pair()
    assert restoration(y).evidence.psnr is not None
    evidence = restoration(change(y)).evidence
    assert evidence.psnr is None
    assert obstacle in evidence.obstacle


def test_jpeg_noise_is_not_white(tmp_path):
    """Saved as JPEG 95 after noise of 15, photographs were said to be 1.6 to 4.4 dB worse than they are."""
    _, y = pair()
    Picture.fromarray(np.rint(255 * y.clip(0, 1)).astype(np.uint8)).save(tmp_path / "a.jpg", quality=99)
    evidence = restoration(read_image(tmp_path / "a.jpg")).evidence
    assert (evidence.psnr, evidence.obstacle) == (None, "JPEG has changed the noise")


def test_hidden_pixels_count_for_nothing():
    _, y = pair()
    found = restoration(with_hole(y))
    assert found.evidence.residual == pytest.approx(restoration(y[20:]).evidence.residual, rel=0.01)
    assert not found.uncertainty.steps[:20].any()
    assert found.uncertainty.to_json()["median"] == restoration(y[20:]).uncertainty.to_json()["median"]


def test_an_estimate_of_several_decibels_is_none():
    _, y = pair(shape=(8, 8, 3))
    evidence = restoration(y).evidence
    assert evidence.psnr is None
    assert "its margin would be" in evidence.obstacle


@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_the_slope_is_what_a_wrong_level_does(strength):
    _, y = pair()
    right, wrong = (restoration(y, sigma=sigma, strength=strength).evidence for sigma in (SIGMA, 1.01 * SIGMA))
    assert right.slope == pytest.approx(abs(wrong.psnr - right.psnr), rel=0.1)


def test_steps_of_a_coarse_file_are_noise_too():
    """Of 32 levels: without their variance SURE would be off by ten margins."""
    truth, y = pair()
    image = Image.from_array(np.rint(y.clip(0.02, 0.98) * 31).astype(np.uint8))
    found = restoration(replace(image, value_range=replace(image.value_range, high=31)))
    psnr = -10 * np.log10(np.square(found.image.pixels - truth).mean())
    assert abs(found.evidence.psnr - psnr) < 3 * found.evidence.margin


def test_what_is_not_known_is_not_printed():
    _, y = pair()
    assert restoration(y).evidence.psnr is not None
    measured = restoration(y, sigma=None).evidence
    assert (measured.psnr, measured.margin) == (None, None)
    assert "no PSNR (SURE): the noise level is only measured; give it as sigma (--sigma)" in str(measured)
    learned = resolvent.Restorer(model="denoise", sigma=SIGMA, uncertainty=True).run(y).evidence
    assert (learned.psnr, learned.obstacle) == (None, "")  # that map comes without one
    request = ModelRequest(model="denoise", sigma=SIGMA, uncertainty=Jacobian(1))
    image, sessions = Image.from_array(y), lambda name, runtime: Shrinking()
    planned = replace(make_plan(image, request, open_session=sessions), wide=True)
    found = run(image, planned, open_session=sessions, judge=False)
    assert found.evidence.psnr is None
    assert found.evidence.obstacle == "the noise is not white or not of the level that was given"
    assert "which is not what is measured" in found.uncertainty.basis


def test_the_residual_of_a_model_stands_beside_its_noise():
    _, y = pair()
    evidence = restoration(y).evidence
    assert evidence.residual == pytest.approx(255 * (1 - OWN) * (y - 0.5).std(), rel=1e-3)
    assert evidence.expected == SIGMA


@pytest.mark.parametrize(("degradation", "expected"), [("blur:sigma=1 + noise:sigma=4", 4.0), ("blur:sigma=1", None)])
def test_the_residual_of_a_method_stands_beside_the_noise(degradation, expected):
    rng = np.random.default_rng(1)
    y = resolvent.degrade(rng.random((64, 64, 3)).astype(np.float32), degradation, seed=0)
    restorer = resolvent.Restorer(method="wiener", degradation=degradation)
    found = restorer.run(y)
    again = np.asarray(restorer.request.forward_model(found.image.pixels))
    assert found.evidence.residual == pytest.approx(
        255 * np.sqrt(np.square(again - y).mean()), abs=0.3
    )  # it is clipped
    assert found.evidence.expected == expected
    assert str(found.evidence) in found.reasons


def test_correlated_noise_has_no_posterior_by_the_jacobian():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(256, 256, 3))
    noise = sum(np.roll(noise, shift, axis) for axis in (0, 1) for shift in (-1, 0, 1)) / 6
    values = (128 + 30 * noise).clip(0, 255).astype(np.uint8)
    with pytest.raises(InputError, match="correlated between neighbors"):
        make_plan(Image.from_array(values), make_request(model="denoise", uncertainty="jacobian"))


@pytest.mark.parametrize(
    ("text", "error_map"),
    [("learned", Learned()), ("jacobian", Jacobian(4)), ("jacobian: probes = 1", Jacobian(1))],
)
def test_text_forms(text, error_map):
    assert read_error_map(text) == error_map


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"uncertainty": "jacobian:probes=0"},
            "probes of uncertainty jacobian = 0: must be a whole number from 1 to 64",
        ),
        ({"uncertainty": "jacobian:steps=3"}, "steps"),
        ({"uncertainty": "jacobi"}, "jacobian"),
        ({"uncertainty": ""}, None),
        ({"uncertainty": 3}, "uncertainty 3: must be True or False, or a text"),
        ({"uncertainty": "jacobian"}, "needs a denoiser that is named; give model='denoise'"),
        ({"uncertainty": "jacobian", "model": "restore"}, "model 'restore': is for a denoiser"),
        ({"uncertainty": "jacobian", "model": "upscale2"}, "model 'upscale2': is for a denoiser"),
        ({"uncertainty": "jacobian", "method": "nlm", "degradation": "noise:sigma=9"}, "uncertainty and method"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(options, said):
    if said is None:
        assert make_request(**options).uncertainty is None
        return
    with pytest.raises(UsageError, match=said):
        make_request(**options)


def test_a_person_reads_one_line():
    assert str(Evidence(24.24, 25.0, 31.24, 0.31, 0.9)) == (
        "residual 24.2 of 255, where the noise is 25.0; PSNR about 31.2 dB, ±0.3 (SURE), if the noise is white and its "
        "level exact: 1 % of it is 0.9 dB"
    )
    assert str(Evidence(3.0)) == "residual 3.0 of 255"
    assert Evidence(3.004).to_json() == {
        "residual": 3.0,
        "expected": None,
        "psnr": None,
        "psnr_margin": None,
        "psnr_slope": None,
    }
