"""Richardson-Lucy deconvolution, for a known blur."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resolvent.methods.classical.fourier import convolve, transfer
from resolvent.methods.noise_level import noise_level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.physics.forward_model import ForwardModel

__all__ = ["restore"]

DARK = 1e-4  # a fortieth of a gray level: what is darker counts as this, so that nothing is divided by zero
UNSEEN = 0.05  # a pixel outside the photograph, less of which than this is seen in it, is held back


def restore(y: NDArray[np.float32], forward_model: ForwardModel, *, iterations: int = 100) -> NDArray[np.float32]:
    """Undo a known blur by the iteration that climbs the likelihood of photon counts and keeps the image positive.

    x ← x · kᵀ * (m y / (k * x)) / kᵀ * m [1, 2], where m is 1 in the photograph and 0 in the margin around it, whose
    pixels were blurred into the photograph and are restored with it [3]. It stops as soon as k * x is as near to y as
    the noise allows, ‖k * x - y‖² ≤ N σ², because going on would fit the noise.

    Args:
        y: (H, W, C) in [0, 1] or beyond; negative values count as 0.
        forward_model: One or more blurs, then noise; one without a noise level has it estimated.
        iterations: At most so many.

    Returns:
        (H, W, C), a new array without negative values.

    References:
        [1] W. H. Richardson, Bayesian-based iterative method of image restoration, JOSA 62(1), 1972.
        https://doi.org/10.1364/JOSA.62.000055
        [2] L. B. Lucy, An iterative technique for the rectification of observed distributions, The Astronomical Journal
        79, 1974. https://doi.org/10.1086/111605
        [3] M. Bertero, P. Boccacci, A simple method for the reduction of boundary effects in the Richardson-Lucy
        approach to image deconvolution, Astronomy & Astrophysics 437, 2005. https://doi.org/10.1051/0004-6361:20052717
    """
    height, width, _ = y.shape
    pad = forward_model.reach
    padding = ((pad, pad), (pad, pad), (0, 0))
    photograph = slice(pad, pad + height), slice(pad, pad + width)
    counts = np.pad(y, padding, mode="reflect").clip(0)
    seen = np.pad(np.ones_like(y[..., :1]), padding)
    response = transfer(forward_model, counts.shape[:2])
    weight = np.maximum(convolve(seen, response.conj()), UNSEEN)
    target = (noise_level(y, forward_model) / 255) ** 2
    x = counts
    for _ in range(iterations):
        blurred = convolve(x, response)
        if np.mean((blurred - counts)[photograph] ** 2) <= target:
            break
        ratio = seen * counts / np.maximum(blurred, DARK)
        x = (x * convolve(ratio, response.conj()) / weight).clip(0)
    return x[photograph].copy()
