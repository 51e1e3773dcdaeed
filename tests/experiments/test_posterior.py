"""The samplers against a Gaussian whose posterior is known, and the whole experiment with a stand-in denoiser."""

import json
import sys

import numpy as np
import PIL.Image
import pytest

from experiments.crops import center
from experiments.posterior import __main__ as command
from experiments.posterior import photographs, toy
from experiments.posterior.photographs import SAMPLERS, TASKS, Samples, network, pool, sample, score
from experiments.posterior.samplers import pnp_ula
from resolvent.errors import UsageError
from resolvent.physics.forward_model import ForwardModel


@pytest.fixture(scope="module")
def gaussian():
    return toy.compare()


def test_the_exact_denoiser_and_the_exact_posterior_agree_with_regression_on_draws():
    rng = np.random.default_rng(0)
    prior, operator, _ = toy.problem(rng)
    x = rng.multivariate_normal(prior.mean, prior.covariance, 200_000)
    noisy = x + 0.5 * rng.standard_normal(x.shape)
    centered = noisy - noisy.mean(0)
    slope = np.linalg.lstsq(centered, x - x.mean(0), rcond=None)[0]
    assert prior.denoise(noisy[:50], 0.5) == pytest.approx(x.mean(0) + centered[:50] @ slope, abs=0.05)

    y = operator(x) + 0.3 * rng.standard_normal((len(x), 8))
    slope = np.linalg.lstsq(y - y.mean(0), x - x.mean(0), rcond=None)[0]
    left = x - x.mean(0) - (y - y.mean(0)) @ slope
    law = prior.posterior(operator.A, y[0], 0.3)
    assert law.mean == pytest.approx(x.mean(0) + (y[0] - y.mean(0)) @ slope, abs=0.03)
    assert law.covariance == pytest.approx(np.cov(left.T), abs=0.01)


def test_ula_has_the_variance_of_its_own_law_at_rest(gaussian):
    for share in (0.5, 1.0):
        at_rest = gaussian[f"PnP-ULA, step {share}/L, at rest"]
        assert at_rest["variance"] == pytest.approx(1, abs=0.05)
        assert at_rest["covariance"] < 0.12
        assert at_rest["mean"] < 0.06


def test_a_step_near_the_limit_adds_what_the_law_at_rest_says():
    """At 1.8 / L the step more than doubles the variance of the stiff directions: a wrong formula shows here."""
    rng = np.random.default_rng(0)
    prior, operator, y = toy.problem(rng)
    step = 1.8 / (1 / 0.1**2 + 1 / 0.1**2)
    samples = pnp_ula(prior.denoise, operator, y, np.zeros((2000, 16)), rng, noise=0.1, sigma=0.1, step=step, steps=400)
    smoothed = prior.smoothed(0.1).posterior(operator.A, y, 0.1)
    assert toy.measure(samples, smoothed.at_rest(step))["variance"] == pytest.approx(1, abs=0.05)
    assert np.var(samples[:, 1]) == pytest.approx(smoothed.at_rest(step).covariance[1, 1], rel=0.1)
    assert np.var(samples[:, 1]) > 1.5 * smoothed.covariance[1, 1]


def test_annealed_langevin_is_within_eight_percent_if_it_is_slow_enough(gaussian):
    slow, fast = gaussian["annealed Langevin, 40 x 20"], gaussian["annealed Langevin, 20 x 5"]
    assert slow["variance"] == pytest.approx(1, abs=0.08)
    assert slow["mean"] < 0.06
    assert fast["variance"] > 1.15


def test_ks_and_ddrm_are_biased_even_with_the_exact_denoiser(gaussian):
    biased = {name: row for name, row in gaussian.items() if name.startswith(("KS", "DDRM"))}
    others = [gaussian[f"PnP-ULA, step {share}/L"] for share in (0.5, 1.0)] + [gaussian["annealed Langevin, 40 x 20"]]
    assert len(biased) == 4
    for row in biased.values():
        assert 0.75 < row["variance"] < 1.45
        assert row["covariance"] > 1.5 * max(other["covariance"] for other in others)
        assert row["mean"] < 0.5
    assert gaussian["DDRM, 400 levels"]["mean"] < 0.06  # the mean is right where the levels are fine


@pytest.mark.parametrize("name", list(SAMPLERS))
@pytest.mark.parametrize("task", list(TASKS))
def test_samples_agree_with_what_was_measured_and_obey_their_seed(name, task):
    truth = np.random.default_rng(0).random((128, 128, 3), np.float32)
    drawn, again, other = (
        sample(SAMPLERS[name], TASKS[task], truth, lambda x, sigma: 0.5 * (x + x.mean()), 2, seed) for seed in (0, 0, 1)
    )
    assert drawn.samples.dtype == np.float32
    assert np.array_equal(drawn.samples, again.samples)
    assert not np.array_equal(drawn.samples, other.samples)
    assert not np.array_equal(*drawn.samples)
    model = ForwardModel(TASKS[task])
    for x in drawn.samples:
        off = np.abs(model(x.transpose(1, 2, 0)) - model(truth)).max()
        assert off < (1e-4 if SAMPLERS[name].noise == 0 else 0.2)


def test_the_ratio_is_one_for_exact_samples_and_a_half_for_half_the_spread():
    rng = np.random.default_rng(0)
    scale = 0.01 + 0.05 * rng.random((3, 128, 128))

    def draw(spread, seed):
        noise = np.random.default_rng(seed).standard_normal((6, 3, 128, 128))
        truth = 0.5 + scale * noise[0]
        return score(Samples(truth, np.full_like(truth, 0.5), 0.5 + spread * scale * noise[1:], 1, 1.0))

    assert pool([draw(1, seed) for seed in range(3)], 5)["ratio"] == pytest.approx(1, abs=0.02)
    narrow = pool([draw(0.01, seed) for seed in range(3)], 5)
    assert narrow["ratio"] == pytest.approx(0.01 * 1.2**0.5, rel=0.02)
    assert narrow["rmse"] == pytest.approx(255 * np.sqrt(np.mean(scale**2)), rel=0.02)
    assert narrow["mean_sd"] < narrow["sd"]


def test_rank_tells_whether_the_sd_is_large_where_the_error_is():
    rng = np.random.default_rng(0)
    scale = np.kron(rng.random((16, 16)), np.ones((8, 8)))[None]
    truth, noise = np.full((3, 128, 128), 0.5), rng.standard_normal((5, 3, 128, 128))
    told = 0.5 + scale * noise
    assert score(Samples(truth, truth + 0.1, told, 1, 1.0))["rank"] > 0.8
    assert score(Samples(truth, truth + 0.1, told - told.mean(0) + 0.5 + scale.max() - scale, 1, 1.0))["rank"] < -0.9


def picture(path, size=(150, 140), mode="RGB"):
    coarse = np.random.default_rng(0).integers(0, 256, (14, 15, 3), np.uint8)
    PIL.Image.fromarray(coarse).resize(size, PIL.Image.Resampling.BICUBIC).convert(mode).save(path)


def test_bad_input_is_refused(tmp_path):
    picture(tmp_path / "small.png", (150, 100))
    picture(tmp_path / "gray.png", mode="L")
    for name, shape in (("small", "100x150x3"), ("gray", "140x150x1")):
        with pytest.raises(UsageError, match=f"is {shape}; give color photographs of 128"):
            center(tmp_path / f"{name}.png", 128)
    with pytest.raises(UsageError, match="takes no noise level; give one that does"):
        network("dejpeg")


def test_the_whole_in_a_short_form(tmp_path, monkeypatch, capsys):
    (tmp_path / "photographs").mkdir()
    picture(tmp_path / "photographs" / "a.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("before\n<!-- tables -->stale<!-- /tables -->\nafter\n", "utf-8")
    monkeypatch.setattr(toy, "compare", lambda: {"exact samples": {"variance": 1.0, "covariance": 0.0, "mean": 0.0}})
    monkeypatch.setattr(photographs, "open_session", lambda model, threads: Flattening())
    arguments = ["--images", tmp_path / "photographs", "--samples", 2, "--threads", 1, "-o", out]
    monkeypatch.setattr(sys, "argv", ["posterior", *map(str, arguments)])
    command.main()
    report = json.loads((out / "results.json").read_text("utf-8"))
    assert {task: set(rows) for task, rows in report["photographs"].items()} == {task: set(SAMPLERS) for task in TASKS}
    assert report["crops"] == ["a.png"]
    page = (out / "README.md").read_text("utf-8")
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert "stale" not in page
    assert "1 crops, 2 samples each, model `denoise`" in page
    assert str(tmp_path) not in page + json.dumps(report)
    assert (out / "samples.png").stat().st_size > 20_000
    for wrong, message in ((["--samples", "1"], "needs 2 or more"), (["--shown", "1"], "there are 1 crops")):
        monkeypatch.setattr(sys, "argv", [*sys.argv[:5], *wrong])
        with pytest.raises(SystemExit):
            command.main()
        assert message in capsys.readouterr().err


class Flattening:
    """A session that pulls every image towards its mean."""

    class card:  # noqa: N801
        sigma_range = (0.0, 75.0)

    def run(self, x):
        return 0.5 * (x[:, :3] + x[:, :3].mean((1, 2, 3), keepdims=True))
