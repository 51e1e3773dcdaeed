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
    local,
    measure,
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


def test_sparsification_is_0_by_the_errors_and_1_by_lot():
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
    card = certify(headed, photographs[:30], {"rest": photographs[30:]}, threads=1)
    assert read_card(headed) == card
    assert card.factors == (card.uncertainty["factor"], card.uncertainty["wide"])
    assert card.uncertainty["images"] == 30
    assert card.uncertainty["coverage"]["rest"]["inside"] > 0.85
    assert card.recipe == before.recipe
    with pytest.raises(UsageError, match="8 photographs cannot"):
        certify(headed, photographs[:8], threads=1)


def test_same_seed_same_degradation(headed, photographs):
    session = open_session(headed, threads=1)
    first, again, other = (
        next(measure(session, photographs[:1], seed=seed, side=32)).error for seed in (3, 3, 4)
    )  # fmt: skip
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_level_told_wrongly_makes_larger_errors(headed, photographs):
    session = open_session(headed, threads=1)
    told, wrong = (cover(measure(session, photographs, side=32, wide=wide), 1.0) for wide in (False, True))
    assert wrong.inside != told.inside


def test_a_model_without_a_map_says_so(photographs):
    with pytest.raises(UsageError, match="no map of errors"):
        next(measure(open_session("denoise-white", threads=1), photographs[:1], side=32))


@pytest.mark.parametrize("bad", [{"factor": 1.0}, {"factor": "1", "wide": 1.0}, {"factor": 1.0, "wide": -1}])
def test_factors_of_a_card_are_checked(tiny, bad):
    from dataclasses import replace

    with pytest.raises(InputError, match="uncertainty"):
        _ = replace(tiny[1], uncertainty=bad).factors
    assert tiny[1].factors is None
