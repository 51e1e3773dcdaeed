"""The Wiener filter, for a known blur."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resolvent.methods.forward import convolve, margin, noise_level, transfer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.degradations import Degradation

__all__ = ["restore"]

FLOOR = 0.1  # grey levels: no photograph is known better than that, and without noise the filter would divide by zero


def restore(
    y: NDArray[np.float32], degradation: Degradation, *, regularisation: float = 1.5, tapers: int = 10
) -> NDArray[np.float32]:
    """Undo a known blur with the linear filter of least mean square error.

    For y = k * x + n, noise of variance σ² and an image of spectrum c / |∇|² (natural images have about that),
    x̂ = k̄ y / (|k|² + σ² |∇|² / c) at every frequency [1]. The one unknown c, the power of the image's gradients, is its
    maximum-likelihood estimate, which expectation maximisation finds.

    Args:
        y: (H, W, C) in [0, 1] or beyond.
        degradation: One or more blurs, then noise; one without a noise level has it estimated.
        regularisation: Factor of the term beside |k|²; above 1, because a few strong edges hold most of the gradients'
            power, and the rest of the image has less.
        tapers: How often the margin around the image is blended with its own blur, so that the image may wrap around.

    Returns:
        (H, W, C), a new array.

    References:
        [1] F. Orieux, J.-F. Giovannelli, T. Rodet, Bayesian estimation of regularization and point spread function
        parameters for Wiener-Hunt deconvolution, JOSA A 27(7), 2010. https://doi.org/10.1364/JOSAA.27.001593
    """
    height, width, _ = y.shape
    pad = margin(degradation)
    extended = np.pad(y, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    response = transfer(degradation, *extended.shape[:2])
    inside = _ramp(height, pad)[:, None, None] * _ramp(width, pad)[:, None]
    for _ in range(tapers if pad else 0):
        extended = inside * extended + (1 - inside) * convolve(extended, response)
    sigma = max(noise_level(y, degradation), FLOOR) / 255
    gradient = _gradient_power(*extended.shape[:2])
    periodogram = (np.abs(np.fft.rfft2(extended, axes=(0, 1))) ** 2).mean(2, keepdims=True) / extended[..., 0].size
    power = _signal_power(periodogram, np.abs(response) ** 2, gradient, sigma)
    gain = response.conj() / (np.abs(response) ** 2 + regularisation * sigma**2 * gradient / power)
    return convolve(extended, gain)[pad : pad + height, pad : pad + width].copy()


def _gradient_power(height: int, width: int) -> NDArray[np.float32]:
    """|∇|² of the differences between neighbours, in rfft2's layout, (height, width // 2 + 1, 1)."""
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    power: NDArray[np.float64] = 4 * np.sin(np.pi * down) ** 2 + 4 * np.sin(np.pi * across) ** 2
    return power[..., None].astype(np.float32)


def _signal_power(
    periodogram: NDArray[np.float32], blur: NDArray[np.float32], gradient: NDArray[np.float32], sigma: float
) -> float:
    """The c that makes a periodogram with mean |k|² c / |∇|² + σ² most likely."""
    varies = gradient > 0  # the mean of the image says nothing about its gradients
    observed, blur, gradient = periodogram[varies].astype(float), blur[varies], gradient[varies]
    power = float(np.mean(observed * gradient))
    for _ in range(50):
        signal = power / gradient
        gain = signal / (signal * blur + sigma**2)  # of the Wiener filter, without its k̄
        expected = gain**2 * blur * observed + gain * sigma**2  # E |x|² given y: squared mean, then variance
        previous, power = power, float(np.mean(expected * gradient))
        if abs(power - previous) < 1e-3 * previous:
            break
    return power


def _ramp(length: int, pad: int) -> NDArray[np.float32]:
    """One inside, smoothly to zero over the margins; (pad + length + pad,)."""
    t = (np.arange(pad, dtype=np.float32) + 0.5) / max(pad, 1)
    rise = t * t * (3 - 2 * t)
    return np.concatenate([rise, np.ones(length, np.float32), rise[::-1]])
