"""How much a denoiser's result moves with each pixel: the diagonal of its Jacobian, by Hutchinson's estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resolvent.physics.filters import window_means

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.inference.runtime import Model
    from resolvent.inference.stitch import Box

__all__ = ["HALO", "JacobianSession", "places"]

PERIOD = 512
"""Pixels after which the signs of a probe repeat; a network's result depends on far fewer."""

WINDOW = 5
"""Side in pixels of the windows over which the estimate is averaged."""

HALO = WINDOW // 2

STEP = 0.25
"""Of a probe, as a multiple of the noise level."""


class JacobianSession:
    """A denoiser f followed by σ² diag(∂f/∂y), which is the variance of x given y = x + N(0, σ²) for the best f [1].

    The diagonal is estimated by b ⊙ (f(y + τ b) - f(y)) / τ for random signs b [2], averaged over the colors, over
    5x5 pixels and over the probes, each of which is one more pass. The signs are those of a place in the image, so that
    tiles agree.

    Args:
        session: The denoiser.
        sigma: Noise level in gray levels of 255.
        probes: How many.
        gray: Whether the colors are one: they move together then.

    References:
        [1] K. Miyasawa, An empirical Bayes estimator of the mean of a normal population, 1961; M. Raphan,
        E. P. Simoncelli, Least squares estimation without priors or supervision, 2011, doi:10.1162/NECO_a_00076.
        [2] M. F. Hutchinson, A stochastic estimator of the trace of the influence matrix, 1989,
        doi:10.1080/03610918908812806.
    """

    def __init__(self, session: Model, sigma: float, probes: int, *, gray: bool) -> None:
        self.session, self.card, self.sigma = session, session.card, sigma / 255
        shape = (probes, 1 if gray else self.card.channels, PERIOD**2)
        self.signs = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), shape)

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Restore (N, inputs + 1, H, W), the last channel as ``places`` gives it.

        Returns:
            (N, outputs + 1, H, W); the last channel is the variance, and may be below zero where few probes see little.
        """
        given, place = x[:, :-1], x[:, -1].astype(np.intp)
        y, step = self.session.run(given), np.float32(STEP * self.sigma)
        diagonal = np.zeros((len(x), *x.shape[2:]), np.float32)
        for signs in self.signs if step else ():
            probe = np.moveaxis(signs[:, place], 1, 0).astype(np.float32)
            moved = given.copy()
            moved[:, : self.card.channels] += step * probe
            diagonal += (probe * (self.session.run(moved) - y)).mean(axis=1)
        around = np.pad(diagonal, ((0, 0), (HALO, HALO), (HALO, HALO)), mode="edge")
        variance = self.sigma / (STEP * len(self.signs)) * window_means(around, WINDOW)
        return np.concatenate([y, variance[:, None].astype(np.float32)], axis=1)


def places(box: Box) -> NDArray[np.float32]:
    """A number for each pixel of a box, (h, w), that says which signs it gets."""
    rows, columns = (np.arange(low, high) % PERIOD for low, high in zip(box[:2], box[2:], strict=True))
    return (PERIOD * rows[:, None] + columns).astype(np.float32)
