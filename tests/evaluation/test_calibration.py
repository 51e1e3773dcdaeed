from pathlib import Path

import numpy as np
import pytest

from resolvent.errors import UsageError
from resolvent.evaluation.calibration import LAMBDAS, Histogram, calibrate, calibrate_halves, least_count, upper_bound

RNG = np.random.default_rng(0)


def exact(losses, delta):
    """The bound by a plain loop over a fine grid: the wealth of the bettor against each mean."""
    for mean in np.linspace(0, 1, 2001):
        wealth, total, spread, variance = 1.0, 0.5, 0.25, 0.25
        for i, loss in enumerate(losses, 1):
            wealth *= 1 - min(1, np.sqrt(2 * np.log(1 / delta) / (len(losses) * variance))) * (loss - mean)
            if wealth > 1 / delta:
                return mean
            total += loss
            spread += (loss - total / (i + 1)) ** 2
            variance = spread / (i + 1)
    return 1.0


@pytest.mark.parametrize("losses", [RNG.beta(2, 18, 60), RNG.random(40), np.zeros(30), (RNG.random(50) < 0.3) * 1.0])
def test_bound_is_where_the_bettor_grows_rich(losses):
    assert upper_bound(losses, 0.1) == pytest.approx(exact(losses, 0.1), abs=1.5e-3)


def test_bound_holds_as_often_as_it_says_and_is_tighter_than_hoeffding():
    """Losses of mean 0.1; Hoeffding's bound adds sqrt(ln 10 / 2n)."""
    bounds = np.array([upper_bound(RNG.beta(2, 18, 100), 0.1) for _ in range(200)])
    assert (bounds < 0.1).mean() <= 0.1
    assert bounds.mean() < 0.1 + np.sqrt(np.log(10) / 200) / 2


def test_with_one_photograph_less_than_the_least_count_no_factor_is_certified():
    for alpha in (0.1, 0.2):
        least = least_count(alpha)
        assert exact(np.zeros(least), 0.1) <= alpha < exact(np.zeros(least - 1), 0.1)
    page = Path(__file__).parents[2] / "docs" / "research" / "models.md"
    assert f"with fewer than {least_count()} there is none" in page.read_text()


@pytest.mark.parametrize("losses", [[], [0.5, 1.1], [-0.1], [[0.1]], [np.nan]])
def test_losses_are_shares(losses):
    with pytest.raises(UsageError, match="from 0 to 1"):
        upper_bound(np.array(losses), 0.1)


def test_histogram_counts_what_lies_outside_each_factor():
    error, width = RNG.normal(size=(3, 20, 30)), RNG.uniform(0.5, 2, (3, 20, 30))
    misses = Histogram.of(error, width).misses
    for i in (0, 200, 300, 460):
        assert misses[i] == pytest.approx((np.abs(error) > LAMBDAS[i] * width).mean())


def test_factor_is_the_least_that_holds():
    """Laplace errors of scale 1 and widths ln 10: one of ten lies outside, at factor 1."""
    photographs = [Histogram.of(RNG.laplace(size=2000), np.full(2000, np.log(10))) for _ in range(300)]
    factor = calibrate(photographs, 0.1, 0.1)
    assert 1 < factor < 1.05
    assert np.mean([np.interp(factor, LAMBDAS, photograph.misses) for photograph in photographs]) < 0.1
    assert calibrate(photographs, 0.05, 0.1) > factor


def test_too_few_photographs_certify_nothing():
    with pytest.raises(UsageError, match="5 photographs cannot"):
        calibrate([Histogram.of(np.zeros(9), np.ones(9))] * 5)


def test_halves_hold_as_often_as_the_bound_says_and_no_photograph_is_in_both():
    """Photographs that differ: Laplace errors of scales 0.7 to 1.3."""
    scales = RNG.uniform(0.7, 1.3, 100)
    photographs = [Histogram.of(RNG.laplace(scale=scale, size=400), np.full(400, np.log(10))) for scale in scales]
    factors, misses = calibrate_halves(photographs, splits=5)
    assert (misses <= 0.1).all()
    assert misses.mean() > 0.05
    assert 1 < factors.min() < factors.max() < 1.4
    order = np.random.default_rng(0).permutation(100)
    assert factors[0] == calibrate([photographs[i] for i in order[:50]])
    at = list(LAMBDAS).index(factors[0])
    assert misses[0] == pytest.approx(np.mean([photographs[i].misses[at] for i in order[50:]]))
    with pytest.raises(UsageError, match="4 photographs cannot"):
        calibrate_halves(photographs[:8])
