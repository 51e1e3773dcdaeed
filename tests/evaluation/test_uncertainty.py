from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import uniform_filter
from scipy.stats import spearmanr

from resolvent.errors import InputError, UsageError
from resolvent.evaluation.uncertainty import (
    Trial,
    area_under_sparsification,
    certify,
    cover,
    degrade_centers,
    fit_factor,
    local,
    measure,
    rank,
    spearman,
)
from resolvent.inference.runtime import open_session
from resolvent.models.registry import read_card

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unseen")
    for i in range(40):
        waves = np.cumsum(RNG.normal(size=(72, 80, 3)), axis=1) * 8 + 128
        Image.fromarray(waves.clip(0, 255).astype(np.uint8)).save(folder / f"{i}.png")
    return sorted(folder.iterdir())


def test_ranks_are_those_of_scipy():
    a = RNG.random(500)
    b = a + RNG.random(500)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)


def test_sparsification_is_0_by_the_errors_and_1_at_random():
    error = RNG.laplace(size=50_000)
    assert area_under_sparsification(error, np.abs(error)) == 0
    assert area_under_sparsification(error, RNG.random(50_000)) == pytest.approx(1, abs=0.02)
    assert area_under_sparsification(error, -np.abs(error)) > 1.5


def test_local_errors_are_means_over_windows():
    trial = Trial(RNG.normal(size=(3, 20, 24)).astype(np.float32), RNG.random((20, 24)).astype(np.float32))
    errors, widths = local(trial)
    inside = slice(3, -3)
    assert errors == pytest.approx(np.sqrt(uniform_filter((trial.error**2).mean(0), 7))[inside, inside], abs=1e-4)
    assert widths == pytest.approx(uniform_filter(trial.width, 7)[inside, inside], abs=1e-5)


def trials_of(widths, *, lift=0.0):
    """Photographs whose errors are Laplace of the scale of their widths, in 3 channels."""
    return [
        Trial(RNG.laplace(scale=w, size=(3, *w.shape)).astype(np.float32), (w + lift).astype(np.float32))
        for w in widths
    ]


def test_rankings_within_photographs_are_means_and_those_of_all_are_of_the_pool():
    trials = trials_of([np.exp(RNG.normal(i, 1, (24, 20))) for i in range(3)])
    found = rank(trials)
    values = [spearmanr(np.abs(each.error).ravel(), np.tile(each.width.ravel(), 3)).statistic for each in trials]
    assert found.spearman == pytest.approx(np.mean(values), abs=1e-3)
    assert found.local == pytest.approx(np.mean([spearman(*local(each)) for each in trials]))
    errors = np.concatenate([np.abs(each.error).ravel() for each in trials])
    widths = np.concatenate([np.tile(each.width.ravel(), 3) for each in trials])
    assert found.ause == pytest.approx(area_under_sparsification(errors, widths), abs=1e-3)
    assert found.local_ause < found.ause < area_under_sparsification(errors, RNG.random(len(errors)))
    with pytest.raises(UsageError, match="no photograph"):
        rank([])


def test_a_map_that_knows_the_photograph_alone_ranks_the_pool_and_not_the_pixels():
    trials = [Trial(RNG.laplace(scale=s, size=(3, 30, 30)), s + 1e-6 * RNG.random((30, 30))) for s in (1, 4, 16)]
    found = rank(trials)
    assert abs(found.local) < 0.2
    assert found.local_ause < 0.2


def test_fitted_factor_is_the_least_that_holds_the_share():
    trials = trials_of([np.exp(RNG.normal(0, 1, (40, 40))) for _ in range(4)])
    factor = fit_factor(trials)
    assert factor == pytest.approx(np.log(10), rel=0.03)
    assert cover(trials, factor * (1 + 1e-6)).inside >= 0.9 - 1e-9 > cover(trials, factor * (1 - 1e-3)).inside
    assert fit_factor(trials, 0.5) == pytest.approx(np.log(2), rel=0.03)
    with pytest.raises(UsageError, match="no photograph"):
        fit_factor([])


def test_trials_are_in_gray_levels_of_what_lies_within_the_border():
    restored, target = RNG.normal(0.5, 1, (3, 10, 12)), RNG.random((3, 10, 12))
    found = Trial.of(restored, target, target[0], 2)
    assert found.error == pytest.approx(255 * (restored.clip(0, 1) - target)[:, 2:-2, 2:-2], abs=1e-4)
    assert found.width == pytest.approx(255 * target[0, 2:-2, 2:-2], abs=1e-4)
    assert Trial.of(restored, target, target[0]).error.shape == (3, 10, 12)


def test_degraded_centers_hold_the_noise_that_the_model_is_told(headed, photographs):
    (x, target), *rest = degrade_centers(read_card(headed), photographs[:2], degradation="noise:sigma=20", side=32)
    assert (x.shape, target.shape, len(rest)) == ((1, 4, 64, 64), (3, 64, 64), 1)
    assert x[0, 3] == pytest.approx(np.full((64, 64), 20 / 255))
    assert (x[0, :3] - target).std() == pytest.approx(20 / 255, rel=0.05)
    with Image.open(photographs[0]) as picture:
        assert np.array_equal(
            (255 * target).round().astype(np.uint8), np.asarray(picture).transpose(2, 0, 1)[:, 4:68, 8:72]
        )


@pytest.mark.parametrize("degradation", ["blur:sigma=1 + jpeg:quality=30", "grain:sigma=9"])
def test_where_no_noise_has_a_sigma_the_model_is_told_what_happened(headed, photographs, degradation):
    """As in validation; whether or not it was validated on that degradation."""
    card = read_card(headed)
    card = replace(card, recipe={**card.recipe, "validation": ["grain:sigma=9"]})
    x, target = next(degrade_centers(card, photographs, degradation=degradation, side=32))
    assert x[0, 3] == pytest.approx(np.full((64, 64), np.sqrt(np.square(x[0, :3] - target).mean())), rel=1e-4)
    with pytest.raises(UsageError, match="has noise 2 times"):
        next(degrade_centers(card, photographs, degradation="noise:sigma=5 + noise:sigma=4"))


def test_a_photograph_that_is_all_border_is_refused(headed, tmp_path):
    Image.fromarray(np.zeros((80, 35, 3), np.uint8)).save(tmp_path / "narrow.png")
    with pytest.raises(InputError, match=r"narrow.png: 35x80 pixels, of which 16 at each border"):
        next(degrade_centers(read_card(headed), [tmp_path / "narrow.png"]))


def test_coverage_counts_by_photograph_and_by_quarter_of_the_widths():
    """Widths 1 to 4, each for a quarter of the pixels; errors of 2.5 lie within the two widest."""
    width = np.repeat(np.float32([1, 2, 3, 4]), 25).reshape(10, 10)
    trials = [Trial(np.full((3, 10, 10), 2.5, np.float32), width)] * 19
    trials.append(Trial(np.full((3, 10, 10), 9, np.float32), width))
    found = cover(trials, 1.0)
    assert (found.images, found.inside, found.worst, found.width) == (20, pytest.approx(0.475), 0, pytest.approx(2.5))
    assert found.quartiles == pytest.approx((0, 0, 0.95, 0.95))
    assert cover(trials, 3.0).inside == pytest.approx(0.95 + 0.05 * 0.5)


def test_certificate_holds_on_photographs_of_the_same_kind(headed, photographs):
    before = read_card(headed)
    reports = []
    card = certify(
        headed, photographs[:30], {"rest": photographs[30:]}, threads=1, progress=lambda *state: reports.append(state)
    )
    assert (reports[0], reports[59], reports[60], len(reports)) == (
        ("calibrating", 1, 30), ("calibrating", 30, 30), ("rest", 1, 10), 80,
    )  # fmt: skip
    assert read_card(headed) == card
    assert card.factors == (card.uncertainty["factor"], card.uncertainty["wide"])
    assert card.uncertainty["images"] == 30
    assert card.uncertainty["coverage"]["rest"]["inside"] > 0.85
    assert card.recipe == before.recipe


def test_as_many_photographs_as_the_refusal_names_are_enough(headed, photographs):
    with pytest.raises(UsageError, match="24 photographs to calibrate on: too few; give at least 25, and 200 for"):
        certify(headed, photographs[:24], threads=1)
    assert certify(headed, photographs[:25], threads=1).uncertainty["images"] == 25


def test_same_seed_same_degradation(headed, photographs):
    session = open_session(headed, threads=1)
    first, again, other = (
        next(measure(session, degrade_centers(session.card, photographs[:1], seed=seed, side=32))).error
        for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_level_told_wrongly_makes_larger_errors(headed, photographs):
    session = open_session(headed, threads=1)
    right, wrong = (
        cover(measure(session, degrade_centers(session.card, photographs, side=32, wide=wide)), 1.0)
        for wide in (False, True)
    )
    assert wrong.inside != right.inside


def test_a_model_without_a_map_says_so(headed, photographs):
    with pytest.raises(UsageError, match="no map of errors"):
        next(measure(open_session("denoise-white", threads=1), degrade_centers(read_card(headed), photographs[:1])))


@pytest.mark.parametrize("bad", [{"factor": 1.0}, {"factor": "1", "wide": 1.0}, {"factor": 1.0, "wide": -1}])
def test_factors_of_a_card_are_checked(tiny, bad):
    with pytest.raises(InputError, match="uncertainty"):
        _ = replace(tiny[1], uncertainty=bad).factors
    assert tiny[1].factors is None
