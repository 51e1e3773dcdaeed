"""A Gaussian whose posterior and best denoiser are known: how far each sampler is from the exact law."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from experiments.posterior.samplers import Array, annealed_langevin, ddrm, kadkhodaie_simoncelli, pnp_ula

__all__ = ["Gaussian", "compare", "measure", "problem"]

SIZE = 16
NOISE = 0.1
"""Standard deviation of n, for the samplers that take noise."""
SMOOTHING = 0.1
"""PnP-ULA's σ."""
START = 4.0
"""The noise level from which the others begin."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix as an operator on (..., n)."""

    A: Array

    def __call__(self, x: Array) -> Array:
        return x @ self.A.T

    def adjoint(self, y: Array) -> Array:
        """Aᵀ y."""
        return y @ self.A

    def pinv(self, y: Array) -> Array:
        """A⁺ y."""
        return y @ np.linalg.pinv(self.A).T


@dataclass(frozen=True, eq=False)
class Gaussian:
    """x ~ N(mean, covariance)."""

    mean: Array
    covariance: Array

    @cached_property
    def _modes(self) -> Any:
        return np.linalg.eigh(self.covariance)

    def denoise(self, x: Array, sigma: Any) -> Array:
        """E[x0 | x0 + sigma n = x] = mean + C (C + sigma² I)⁻¹ (x - mean)."""
        variances, modes = self._modes
        return self.mean + (x - self.mean) @ modes * (variances / (variances + np.square(sigma))) @ modes.T

    def smoothed(self, sigma: float) -> Gaussian:
        """The law of x + sigma n."""
        return Gaussian(self.mean, self.covariance + sigma**2 * np.eye(len(self.mean)))

    def posterior(self, A: Array, y: Array, noise: float) -> Gaussian:
        """The law of x given y = A x + noise n."""
        gain = self.covariance @ A.T @ np.linalg.inv(A @ self.covariance @ A.T + noise**2 * np.eye(len(A)))
        return Gaussian(self.mean + gain @ (y - A @ self.mean), self.covariance - gain @ A @ self.covariance)

    def at_rest(self, step: float) -> Gaussian:
        """What Langevin's steps of this length come to rest at: N(mean, (H - step H² / 2)⁻¹), H the precision."""
        H = np.linalg.inv(self.covariance)
        return Gaussian(self.mean, np.linalg.inv(H - step / 2 * H @ H))


def problem(rng: np.random.Generator) -> tuple[Gaussian, Matrix, Array]:
    """A prior whose neighbors are correlated, an operator that sees every second number, and the A x of one x."""
    places = np.arange(SIZE)
    prior = Gaussian(np.sin(places / 3), np.exp(-np.abs(places[:, None] - places) / 2))
    operator = Matrix(np.eye(SIZE)[1::2])
    return prior, operator, operator(rng.multivariate_normal(prior.mean, prior.covariance))


def measure(samples: Array, law: Gaussian) -> dict[str, float]:
    """Compare samples (n, N) with a law.

    Returns:
        ``variance``: their total variance over that of the law; ``covariance``: distance of the covariances in the
        Frobenius norm, relative to the law's; ``mean``: distance of the means in total standard deviations of the law,
        n ** -0.5 if the samples are exact.
    """
    covariance, total = np.cov(samples.T), np.trace(law.covariance)
    return {
        "variance": float(np.trace(covariance) / total),
        "covariance": float(np.linalg.norm(covariance - law.covariance) / np.linalg.norm(law.covariance)),
        "mean": float(np.linalg.norm(samples.mean(0) - law.mean) / total**0.5),
    }


def compare(chains: int = 2000, seed: int = 0) -> dict[str, dict[str, float]]:
    """Measure the samplers, and exact samples, against the posterior; PnP-ULA also against its own law at rest.

    The first seven have y with noise; KS and DDRM have y without, and the posterior that belongs to it.
    """
    rng = np.random.default_rng(seed)
    prior, operator, clean = problem(rng)
    y = clean + NOISE * rng.standard_normal(clean.shape)
    given = prior.denoise, operator
    noisy, exact = prior.posterior(operator.A, y, NOISE), prior.posterior(operator.A, clean, 0)
    start = np.zeros((chains, SIZE))
    results = {"exact samples": measure(rng.multivariate_normal(noisy.mean, noisy.covariance, chains), noisy)}

    longest = 1 / (np.linalg.norm(operator.A, 2) ** 2 / NOISE**2 + 1 / SMOOTHING**2)
    for share in (0.5, 1.0):
        options = {"noise": NOISE, "sigma": SMOOTHING, "step": share * longest, "steps": 1000}
        samples = pnp_ula(*given, y, start, rng, **options)
        at_rest = prior.smoothed(SMOOTHING).posterior(operator.A, y, NOISE).at_rest(share * longest)
        results[f"PnP-ULA, step {share}/L, at rest"] = measure(samples, at_rest)
        results[f"PnP-ULA, step {share}/L"] = measure(samples, noisy)

    for count, steps in ((40, 20), (20, 5)):
        levels = np.geomspace(START, NOISE / 2, count)
        samples = annealed_langevin(*given, y, start, rng, noise=NOISE, levels=levels, steps=steps)
        results[f"annealed Langevin, {count} x {steps}"] = measure(samples, noisy)

    for h0, beta in ((0.02, 0.1), (0.05, 0.1)):
        samples = kadkhodaie_simoncelli(*given, clean, start, rng, start=START, end=NOISE / 5, h0=h0, beta=beta)
        results[f"KS, h0 {h0}, β {beta}"] = measure(samples, exact)

    for count in (40, 400):
        samples = ddrm(*given, clean, start, rng, levels=np.geomspace(START, NOISE / 5, count))
        results[f"DDRM, {count} levels"] = measure(samples, exact)
    return results
