"""The forward model of a blurred photograph, y = k * x + n, for the classical methods: how strong n, what k."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from resolvent.degradations import Downsample, GaussianNoise, Mask, PoissonNoise
from resolvent.degradations.blur import Blur
from resolvent.diagnosis.noise import noise_sigma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.degradations import Degradation

__all__ = ["convolve", "margin", "noise_level", "scale_factor", "transfer", "wrapped"]


def noise_level(y: NDArray[np.float32], degradation: Degradation) -> float:
    """Standard deviation of the noise in 8-bit gray levels; of photon noise, its root mean square over the image.

    Where the degradation names no noise, it is estimated. The tenth of the frequencies that the blurs let through least
    holds next to nothing but noise, whose periodogram is exponentially distributed, with the median σ² log 2; without a
    blur, the plainest patches show it. What a mask has cut up shows none, and is taken to have none.

    Args:
        y: (H, W, C).
        degradation: What happened to ``y``.
    """
    noises = [part for part in degradation.parts if isinstance(part, GaussianNoise | PoissonNoise)]
    if noises:
        return float(np.sqrt(sum(_variance(noise, float(y.mean())) for noise in noises)))
    if any(isinstance(part, Mask) for part in degradation.parts):
        return 0.0
    if not _blurs(degradation):
        return noise_sigma(255 * y[None])
    passed = np.abs(transfer(degradation, *y.shape[:2])[..., 0])
    blocked = np.fft.rfft2(y, axes=(0, 1))[passed <= np.quantile(passed, 0.1)]
    return float(255 * np.sqrt(np.median(np.abs(blocked) ** 2) / y[..., 0].size / np.log(2)))


def _variance(noise: GaussianNoise | PoissonNoise, mean: float) -> float:
    """In squared gray levels; the noise has fixed parameters."""
    if isinstance(noise, GaussianNoise):
        return float(noise.sigma) ** 2  # type: ignore[arg-type]
    return 255**2 * max(mean, 0.0) / float(noise.peak)  # type: ignore[arg-type]


def scale_factor(degradation: Degradation) -> int:
    """Sides of the image that is sought over those of the one that is given."""
    return math.prod(part.scale for part in degradation.parts if isinstance(part, Downsample))


def _blurs(degradation: Degradation) -> list[Blur]:
    return [part for part in degradation.parts if isinstance(part, Blur)]


def margin(degradation: Degradation) -> int:
    """How many pixels beyond each border to restore with the image: the sides of all kernels that do not wrap."""
    return sum(max(blur.kernel().shape) for blur in _blurs(degradation) if blur.boundary != "circular")


def transfer(degradation: Degradation, height: int, width: int) -> NDArray[np.complex64]:
    """Transfer function of all its blurs for images (height, width), as rfft2 has it: (height, width // 2 + 1, 1)."""
    response = np.ones((height, width // 2 + 1), np.complex128)
    for blur in _blurs(degradation):
        response *= np.fft.rfft2(wrapped(blur.kernel(), height, width))
    return response[..., None].astype(np.complex64)


def wrapped(kernel: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """A kernel on the grid of images (height, width), its center at the origin."""
    grid = np.zeros((height, width))
    rows, columns = ((np.arange(k) - k // 2) % n for k, n in zip(kernel.shape, grid.shape, strict=True))
    np.add.at(grid, (rows[:, None], columns), kernel)
    return grid


def convolve(x: NDArray[np.float32], response: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Circular convolution of (H, W, C) with the kernel of this transfer function; the conjugate gives its adjoint."""
    result = np.fft.irfft2(response * np.fft.rfft2(x, axes=(0, 1)), s=x.shape[:2], axes=(0, 1))
    return result.astype(np.float32, copy=False)
