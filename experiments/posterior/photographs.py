"""Samples of the bundled denoiser on crops of photographs: how much they differ, against how wrong their mean is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from experiments.posterior.samplers import Array, Denoise, Operator, ddrm, kadkhodaie_simoncelli, pnp_ula
from resolvent.degradations import Degradation, Mask, parse
from resolvent.errors import UsageError
from resolvent.evaluation.metrics import psnr
from resolvent.inference.runtime import open_session
from resolvent.methods.plug_and_play.pnp import first_guess
from resolvent.physics.forward_model import ForwardModel

__all__ = ["GATE", "SAMPLERS", "SIDE", "TASKS", "Samples", "network", "pool", "sample", "score"]

SIDE = 128
START, END = 75 / 255, 1 / 255
"""Noise levels: the highest that the denoiser knows, and where a sampler stops."""
NOISE, SMOOTHING = 2 / 255, 5 / 255
"""PnP-ULA's: of what it is given, and σ."""
GATE = (0.7, 1.3)
"""What the ratio has to be before samples are offered as other possible photographs."""


def _hole() -> Degradation:
    mask = np.ones((SIDE, SIDE), np.bool_)
    mask[50:78, 48:80] = False
    return Mask(array=mask)


TASKS: dict[str, Degradation] = {
    "x4 super-resolution": parse("downsample:scale=4"),
    "20 % of pixels": parse("mask:keep=0.2,seed=0"),
    "hole of 28x32": _hole(),
}


@dataclass(frozen=True)
class Sampler:
    """One of the samplers with its settings.

    Attributes:
        run: (denoise, operator, y, x, rng) to samples.
        noise: Standard deviation of the noise that it is made for, which y gets.
    """

    run: Callable[[Denoise, Operator, Array, Array, np.random.Generator], Array]
    noise: float = 0.0


def _ula(denoise: Denoise, operator: Any, y: Array, x: Array, rng: np.random.Generator) -> Array:
    step = 1 / (operator.norm() ** 2 / NOISE**2 + 1 / SMOOTHING**2)
    return pnp_ula(denoise, operator, y, x, rng, noise=NOISE, sigma=SMOOTHING, step=step, steps=100)


SAMPLERS: dict[str, Sampler] = {
    "KS": Sampler(lambda *given: kadkhodaie_simoncelli(*given, start=START, end=END)),
    "DDRM": Sampler(lambda *given: ddrm(*given, levels=np.geomspace(START, END, 30).tolist())),
    "PnP-ULA": Sampler(_ula, NOISE),
}


@dataclass(frozen=True, eq=False)
class Samples:
    """What a sampler made of one crop.

    Attributes:
        truth: (3, SIDE, SIDE).
        start: Where it started, of the same shape.
        samples: (n, 3, SIDE, SIDE).
        passes: Of the denoiser, for each sample.
        seconds: For all.
    """

    truth: Array
    start: Array
    samples: Array
    passes: int
    seconds: float


def network(model: str, threads: int | None = None) -> Denoise:
    """A model that is told the noise level, for (n, 3, H, W) in [0, 1] and levels in the same unit.

    Raises:
        UsageError: It is told none, or there is no such model.
    """
    session = open_session(model, threads=threads)
    if session.card.sigma_range is None:
        raise UsageError(f"model {model!r}: takes no noise level; give one that does, such as denoise")
    low, high = (level / 255 for level in session.card.sigma_range)

    def denoise(x: Array, sigma: Any) -> Array:
        level = np.broadcast_to(np.clip(sigma, low, high), (len(x), 1, *x.shape[2:]))
        return session.run(np.concatenate([x, level], 1, dtype=np.float32))

    return denoise


def sample(sampler: Sampler, task: Degradation, truth: Array, denoise: Denoise, count: int, seed: int = 0) -> Samples:
    """Degrade one crop (SIDE, SIDE, 3) and sample from what is left of it."""
    rng = np.random.default_rng(seed)
    forward_model = ForwardModel(task)
    y = np.asarray(forward_model(truth), np.float32)
    y += (
        np.float32(sampler.noise)
        * rng.standard_normal(y.shape, np.float32)
        * forward_model.known(y.shape[:2])[..., None]
    )
    start = first_guess(y, forward_model).transpose(2, 0, 1)
    passes = 0

    def counted(x: Array, sigma: Any) -> Array:
        nonlocal passes
        passes += 1
        return denoise(x, sigma)

    began = time.perf_counter()
    operator = forward_model.operator(truth.shape[:2])
    samples = sampler.run(counted, operator, y.transpose(2, 0, 1), np.repeat(start[None], count, 0), rng)
    return Samples(truth.transpose(2, 0, 1), start, samples, passes, time.perf_counter() - began)


def score(result: Samples) -> dict[str, float]:
    """What the samples of one crop are worth.

    Returns:
        ``psnr_start``, ``psnr_one`` (mean over the samples) and ``psnr_mean`` (of their mean) in dB; root mean squares
        over the pixels in gray levels, ``sd`` of the samples and ``rmse`` of their mean; ``mean_sd``, the plain mean;
        ``rank``, Spearman's correlation of sd and error over the blocks of 8x8 that y leaves open; ``passes`` of the
        denoiser for each sample; ``seconds`` for all.
    """
    truth, mean = result.truth, result.samples.mean(0)
    variance, square = result.samples.var(0, ddof=1), np.square(mean - truth)
    spread, wrong = _blocks(variance), _blocks(square)
    left_open = wrong > 1e-9

    def db(x: Array) -> float:
        return psnr(truth.transpose(1, 2, 0), np.clip(x, 0, 1).transpose(1, 2, 0))

    return {
        "psnr_start": db(result.start),
        "psnr_one": float(np.mean([db(x) for x in result.samples])),
        "psnr_mean": db(mean),
        "sd": 255 * float(np.sqrt(variance.mean())),
        "rmse": 255 * float(np.sqrt(square.mean())),
        "mean_sd": 255 * float(np.sqrt(variance).mean()),
        "rank": float(spearmanr(spread[left_open], wrong[left_open]).statistic),
        "passes": result.passes,
        "seconds": result.seconds,
    }


def pool(scores: Sequence[dict[str, float]], count: int) -> dict[str, float]:
    """The scores of all crops: means, root mean squares of ``sd`` and ``rmse``, and their ratio.

    If the truth and ``count`` samples have one law, the mean of the samples is off by sd √(1 + 1 / count). ``ratio`` is
    that over ``rmse``, 1 for the posterior; ``lowest`` and ``highest`` are those of single crops.
    """
    pooled = {key: float(np.mean([row[key] for row in scores])) for key in scores[0]}
    pooled |= {key: float(np.sqrt(np.mean([row[key] ** 2 for row in scores]))) for key in ("sd", "rmse")}
    factor = (1 + 1 / count) ** 0.5
    ratios = [factor * row["sd"] / row["rmse"] for row in scores]
    return pooled | {"ratio": factor * pooled["sd"] / pooled["rmse"], "lowest": min(ratios), "highest": max(ratios)}


def _blocks(plane: Array, side: int = 8) -> Array:
    """Means over the channels and over blocks, flat."""
    height, width = plane.shape[1] // side, plane.shape[2] // side
    means: Array = plane.mean(0).reshape(height, side, width, side).mean((1, 3)).ravel()
    return means
