"""Four samplers of p(x | y) for y = A x + n whose prior is a denoiser.

By Tweedie's formula [1], the denoiser of least squared error knows the score of the smoothed prior: with
D(x, sigma) = E[x0 | x0 + sigma n = x], ∇ log p_sigma(x) = (D(x, sigma) - x) / sigma².

All take ``x``, (chains, ...), where each chain starts; they return where each ends, a new array. ``y`` is
one measurement, (...), and the standard deviations are in its unit.

References:
    [1] B. Efron, Tweedie's formula and selection bias, JASA 106(496), 2011.
    https://doi.org/10.1198/jasa.2011.tm11181
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Denoise", "Operator", "annealed_langevin", "ddrm", "kadkhodaie_simoncelli", "pnp_ula"]

Array = NDArray[np.floating[Any]]

Denoise = Callable[[Array, Any], Array]
"""(chains, ...), and the standard deviation of its noise: one, or one a chain as (chains, 1, ...)."""


class Operator(Protocol):
    """A, as ``resolvent.physics.operators.LinearOperator`` is one."""

    def __call__(self, x: Array) -> Array:
        """A x."""

    def adjoint(self, y: Array) -> Array:
        """Aᵀ y."""

    def pinv(self, y: Array) -> Array:
        """A⁺ y."""


def pnp_ula(
    denoise: Denoise,
    operator: Operator,
    y: Array,
    x: Array,
    rng: np.random.Generator,
    *,
    noise: float,
    sigma: float,
    step: float,
    steps: int,
) -> Array:
    """Plug-and-play unadjusted Langevin algorithm (PnP-ULA) [1].

    x ← x + δ Aᵀ(y - A x) / noise² + (δ / σ²) (D(x, σ) - x) + √(2δ) z

    Its law is that of the prior smoothed by σ and the likelihood, but for what the step δ adds: for a Gaussian with
    precision H, the covariance at rest is (H - δ H² / 2)⁻¹. [1] also pulls x back into a box, which is left out.

    Args:
        denoise: D.
        operator: A.
        y: What was measured, with white noise.
        x: Start of each chain.
        rng: Source of z.
        noise: Standard deviation of n.
        sigma: σ; [1] calls its square ε.
        step: δ, below 2 / L with L = ‖A‖² / noise² + 1 / σ².
        steps: How many; chains of fewer than a few times 1 / (δ h), h the least eigenvalue of H, remember their start.

    References:
        [1] R. Laumont, V. De Bortoli, A. Almansa, J. Delon, A. Durmus, M. Pereyra, Bayesian imaging using plug & play
        priors: when Langevin meets Tweedie, SIAM Journal on Imaging Sciences 15(2), 2022, algorithm 1.
        https://doi.org/10.1137/21M1406349
    """
    for _ in range(steps):
        score = operator.adjoint(y - operator(x)) / noise**2 + (denoise(x, sigma) - x) / sigma**2
        x = x + step * score + (2 * step) ** 0.5 * _normal(rng, x)
    return x


def annealed_langevin(
    denoise: Denoise,
    operator: Operator,
    y: Array,
    x: Array,
    rng: np.random.Generator,
    *,
    noise: float,
    levels: Iterable[float],
    steps: int,
    rate: float = 0.4,
) -> Array:
    """Annealed Langevin dynamics [1], given y [2]: ``pnp_ula`` at each level σ, from large to small.

    x ← x + δ Aᵀ(y - A x) / (noise² + σ²) + (δ / σ²) (D(x, σ) - x) + √(2δ) z with δ = rate σ²

    Args:
        denoise: D.
        operator: A, its norm at most 1.
        y: What was measured, with white noise.
        x: Start of each chain.
        rng: Source of z.
        noise: Standard deviation of n.
        levels: The σ; the last one smooths the result.
        steps: At each level.
        rate: δ / σ², below 1.

    References:
        [1] Y. Song, S. Ermon, Generative modeling by estimating gradients of the data distribution, NeurIPS 32, 2019,
        algorithm 1. https://arxiv.org/abs/1907.05600
        [2] A. Jalal, M. Arvinte, G. Daras, E. Price, A. Dimakis, J. Tamir, Robust compressed sensing MRI with deep
        generative priors, NeurIPS 34, 2021, equation 4. https://arxiv.org/abs/2108.01368
    """
    for level in levels:
        total, step = math.hypot(noise, level), rate * level**2
        x = pnp_ula(denoise, operator, y, x, rng, noise=total, sigma=level, step=step, steps=steps)
    return x


def kadkhodaie_simoncelli(
    denoise: Denoise,
    operator: Operator,
    y: Array,
    x: Array,
    rng: np.random.Generator,
    *,
    start: float,
    end: float,
    h0: float = 0.02,
    beta: float = 0.1,
) -> Array:
    """Stochastic ascent of the prior within the images that agree with y, which has no noise [1].

    With P = A⁺A, from x + start z, until σ_t falls below ``end``:
    d = (I - P) (D(x) - x) + A⁺(y - A x),  σ_t² = ‖d‖² / N,  h = h0 t / (1 + h0 (t - 1)),
    x ← x + h d + γ z  with  γ² = ((1 - β h)² - (1 - h)²) σ_t²

    The denoiser of [1] is blind. Ours is told what the update leaves by its design, (1 - β h) σ_t. Even with an exact
    denoiser its law is not the posterior: ‖d‖ is less than the noise, and the levels fall before x has mixed.

    Args:
        denoise: D.
        operator: A.
        y: What was measured.
        x: Start of each chain, before noise and the measurement are put in.
        rng: Source of z.
        start: Noise level at the start.
        end: Where to stop; a last denoising of what y leaves open follows.
        h0: Step size at the start.
        beta: 1 adds no noise, 0 the most.

    References:
        [1] Z. Kadkhodaie, E. Simoncelli, Stochastic solutions for linear inverse problems using the prior implicit in
        a denoiser, NeurIPS 34, 2021, algorithm 2. https://arxiv.org/abs/2007.13640
    """
    axes = tuple(range(1, x.ndim))
    x = _agreeing(operator, y, x) + start * _normal(rng, x)
    told = np.full((len(x), *(1 for _ in axes)), start, x.dtype)
    t = 0
    while told.max() > end:
        t += 1
        ascent = denoise(x, told) - x
        ascent = ascent + operator.pinv(y - operator(x + ascent))
        level = np.sqrt(np.mean(ascent**2, axis=axes, keepdims=True))
        h = h0 * t / (1 + h0 * (t - 1))
        added = ((1 - beta * h) ** 2 - (1 - h) ** 2) ** 0.5
        x = x + h * ascent + added * level * _normal(rng, x)
        told = (1 - beta * h) * level
    return _agreeing(operator, y, denoise(x, told))


def ddrm(
    denoise: Denoise,
    operator: Operator,
    y: Array,
    x: Array,
    rng: np.random.Generator,
    *,
    levels: Iterable[float],
    eta: float = 0.85,
) -> Array:
    """Denoising diffusion restoration models (DDRM) [1] for y without noise, with levels even in logarithm.

    From x + σ_0 z, for each level σ and the next one σ', the last of which is 0, with x̂ = D(x, σ) and P = A⁺A:
    x ← (I - P) (x̂ + √(1 - η²) (σ'/σ) (x - x̂) + η σ' z) + A⁺y + σ' P z

    These are equations 7 and 8 of [1] where σ_y = 0 and η_b = 1. Even with an exact denoiser its law is not the
    posterior: what was measured has no part in the other components but through x̂.

    Args:
        denoise: D.
        operator: A.
        y: What was measured.
        x: Start of each chain, before noise and the measurement are put in.
        rng: Source of z.
        levels: The σ, from large to small.
        eta: η, from 0, no new noise, to 1.

    References:
        [1] B. Kawar, M. Elad, S. Ermon, J. Song, Denoising diffusion restoration models, NeurIPS 35, 2022.
        https://arxiv.org/abs/2201.11793
    """
    levels = list(levels)
    x = _agreeing(operator, y, x) + levels[0] * _normal(rng, x)
    for level, after in pairwise([*levels, 0.0]):
        clean, z = denoise(x, level), _normal(rng, x)
        free = clean + after * ((1 - eta**2) ** 0.5 / level * (x - clean) + eta * z)
        x = _agreeing(operator, y, free - after * z) + after * z
    return x


def _agreeing(operator: Operator, y: Array, x: Array) -> Array:
    """The nearest x' with A x' = y: (I - A⁺A) x + A⁺y."""
    return x + operator.pinv(y - operator(x))


def _normal(rng: np.random.Generator, x: Array) -> Array:
    return rng.standard_normal(x.shape, x.dtype)
