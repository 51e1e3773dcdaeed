"""Plug-and-play: a trained denoiser as the prior of any linear problem."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resolvent.degradations import Downsample, Mask
from resolvent.degradations.blur import Blur
from resolvent.methods.classical.wiener import extend
from resolvent.methods.control import Control
from resolvent.methods.noise_level import noise_level, scale_factor, transfer, wrapped
from resolvent.methods.plug_and_play.denoiser import Denoiser
from resolvent.physics.filters import correlate_separable, gaussian_filter
from resolvent.physics.resize import imresize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.degradations import Degradation

__all__ = ["DataStep", "data_step", "restore", "schedule"]

DataStep = Callable[["NDArray[np.float32]", float], "NDArray[np.float32]"]
"""(z, alpha) to argmin_x ‖y - A x‖² + alpha ‖x - z‖²."""

MARGIN = 16  # pixels of the small image
LEAST = 0.255  # gray levels; DPIR's floor of the noise level


def restore(
    y: NDArray[np.float32],
    degradation: Degradation,
    *,
    model: str | Path = "denoise-white",
    iterations: int | None = None,
    start: float = 49.0,
    strength: float = 0.23,
    control: Control | None = None,
) -> NDArray[np.float32]:
    """Alternate between the data and the denoiser, whose noise level falls [1].

    Half-quadratic splitting of ‖y - A x‖² / (2 σ²) + λ R(x): x_k = argmin_x ‖y - A x‖² + α_k ‖x - z_k‖², in closed
    form, with α_k = λ σ² / σ_k²; then z_{k+1} = D(x_k, σ_k). The σ_k fall evenly in logarithm from ``start`` to the
    noise level, or to the scale where pixels were lost. Each iteration flips or turns the image another way.

    Args:
        y: (H, W, C) in [0, 1] or beyond.
        degradation: Blurs, with downsampling or not, or a mask; then noise; its level is estimated if not told.
        model: A denoiser that takes the noise level.
        iterations: By default 8, and 24 where pixels are missing.
        start: First σ_k in gray levels.
        strength: λ.
        control: See Control.

    Returns:
        (H, W, C), or (scale H, scale W, C), a new array.

    References:
        [1] K. Zhang, Y. Li, W. Zuo, L. Zhang, L. Van Gool, R. Timofte, Plug-and-play image restoration with deep
        denoiser prior, TPAMI 44(10), 2022. https://doi.org/10.1109/TPAMI.2021.3088914
    """
    control = control or Control()
    denoise = Denoiser(model)
    sigma = max(noise_level(y, degradation), LEAST)
    step, z, inside = data_step(y, degradation)
    lost = any(isinstance(part, Downsample | Mask) for part in degradation.parts)
    scale = max([part.scale for part in degradation.parts if isinstance(part, Downsample)], default=1)
    count = iterations or (24 if lost else 8)
    levels = schedule(count, start, max(sigma, scale) if lost else sigma)
    for k, level in enumerate(levels):
        x = step(z, strength * (sigma / level) ** 2)
        z = turned(denoise(turned(x, k), level), k, back=True)
        if not control.step(k + 1, count, lambda z=z: z[inside].copy()):  # type: ignore[misc]
            break
    return z[inside].copy()


def schedule(count: int, start: float, end: float) -> NDArray[np.float64]:
    """Noise levels from ``start`` to ``end``, evenly spaced in logarithm."""
    return np.geomspace(max(start, end), end, count)


def turned(x: NDArray[np.float32], k: int, *, back: bool = False) -> NDArray[np.float32]:
    """One of the eight flips and quarter turns of (H, W, C); ``back`` undoes it."""
    if not back:
        return np.ascontiguousarray(np.rot90(x[::-1] if k % 8 >= 4 else x, k % 4))
    x = np.rot90(x, -(k % 4))
    return np.ascontiguousarray(x[::-1] if k % 8 >= 4 else x)


def data_step(
    y: NDArray[np.float32], degradation: Degradation
) -> tuple[DataStep, NDArray[np.float32], tuple[slice, slice]]:
    """The closed form for a degradation, where to start, and where the image lies in what is computed."""
    linear, _ = degradation.split()
    everything = slice(None), slice(None)
    if linear is None:
        return (lambda z, alpha: (y + np.float32(alpha) * z) / np.float32(1 + alpha)), y, everything
    if isinstance(linear, Mask):
        mask = linear(np.ones_like(y))

        def blend(z: NDArray[np.float32], alpha: float) -> NDArray[np.float32]:
            blended: NDArray[np.float32] = (mask * y + np.float32(alpha) * z) / (mask + np.float32(alpha))
            return blended

        return blend, fill(y, mask), everything
    scale = scale_factor(degradation)
    if scale > 1:
        return _enlarging_step(y, linear, scale)
    extended, _, inside = extend(y, degradation)
    response = transfer(linear, *extended.shape[:2])
    power, seen = np.abs(response) ** 2, response.conj() * np.fft.rfft2(extended, axes=(0, 1))

    def step(z: NDArray[np.float32], alpha: float) -> NDArray[np.float32]:
        spectrum = (seen + alpha * np.fft.rfft2(z, axes=(0, 1))) / (power + alpha)
        return np.fft.irfft2(spectrum, s=z.shape[:2], axes=(0, 1)).astype(np.float32)

    return step, extended, inside


def _enlarging_step(
    y: NDArray[np.float32], linear: Degradation, scale: int
) -> tuple[DataStep, NDArray[np.float32], tuple[slice, slice]]:
    """For A = S F⁻¹ diag(k) F, every ``scale``-th pixel of a blurred image: x = F⁻¹ (d - k̄ (k d)⇓ / (|k|²⇓ + α)) / α.

    d = k̄ F(Sᵀ y) + α F z, and ⇓ is the mean over the frequencies that alias to one. That wraps around: the image gets a
    mirrored margin, which keeps what crosses the border away from it.
    """
    wraps = all(_wraps(part) for part in linear.parts)
    pad, (rows, columns, _) = 0 if wraps else MARGIN, y.shape
    y = np.pad(y, ((pad, pad), (pad, pad), (0, 0)), mode="symmetric")
    height, width, channels = y.shape
    shape = (channels, scale * height, scale * width)
    response = _response(linear, *shape[1:])[..., None]
    spread = np.zeros((*shape[1:], channels), np.float32)
    spread[::scale, ::scale] = y
    seen = response.conj() * np.fft.fft2(spread, axes=(0, 1))

    def folded(a: NDArray[np.complex128]) -> NDArray[np.complex128]:
        mean: NDArray[np.complex128] = a.reshape(scale, height, scale, width, -1).mean((0, 2))
        return np.tile(mean, (scale, scale, 1))

    power = folded(np.abs(response) ** 2)

    def step(z: NDArray[np.float32], alpha: float) -> NDArray[np.float32]:
        d = seen + alpha * np.fft.fft2(z, axes=(0, 1))
        x = (d - response.conj() * folded(response * d) / (power + alpha)) / alpha
        return np.fft.ifft2(x, axes=(0, 1)).real.astype(np.float32)

    inside = slice(scale * pad, scale * (pad + rows)), slice(scale * pad, scale * (pad + columns))
    return step, _first_guess(y, linear, scale), inside


def _response(linear: Degradation, height: int, width: int) -> NDArray[np.complex128]:
    """h, where A x is every ``scale``-th pixel of the circular convolution with the kernel whose transform is h."""
    response, scale = np.ones((height, width), np.complex128), 1
    for part in linear.parts:
        small = height // scale, width // scale
        if isinstance(part, Downsample):
            down, across = (np.fft.fft(part.taps(side)) for side in small)
            response *= np.tile(np.outer(down, across), (scale, scale))
            scale *= part.scale
        elif isinstance(part, Blur):
            response *= np.tile(np.fft.fft2(wrapped(part.kernel(), *small)), (scale, scale))
    return response


def _wraps(part: Degradation) -> bool:
    """Whether it wraps around at the border, or does not look beyond its own pixel."""
    alone = isinstance(part, Downsample) and part.kernel == "none"
    return alone or getattr(part, "boundary", "circular") == "circular"


def _first_guess(y: NDArray[np.float32], linear: Degradation, scale: int) -> NDArray[np.float32]:
    """Bicubic; moved, where every ``scale``-th pixel was kept, to where those pixels lie."""
    large = imresize(y, scale)
    last = linear.parts[-1]
    if isinstance(last, Downsample) and last.kernel == "none":
        taps = np.zeros(2 * (scale // 2) + 1)  # linear interpolation (scale - 1) / 2 pixels further on
        taps[-1] = 0.5
        taps[scale // 2 + (scale - 1) // 2] += 0.5
        large = correlate_separable(large, taps, "edge")
    return np.asarray(large, np.float32)


def fill(y: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill what is missing with the mean of what surrounds it, weighted by a Gaussian that grows until it reaches."""
    result, missing = y * mask, mask == 0
    for sigma in (1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0):
        if not missing.any():
            break
        weight = gaussian_filter(mask, sigma)
        mean = gaussian_filter(y * mask, sigma) / np.maximum(weight, 1e-6)
        now = missing & (weight > 0.05)
        result[now] = mean[now]
        missing &= ~now
    return result
