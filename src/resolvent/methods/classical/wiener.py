"""The Wiener filter, for a known blur."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resolvent.methods.classical.fourier import convolve, gradient_power, transfer
from resolvent.methods.noise_level import noise_level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.physics.forward_model import ForwardModel

__all__ = ["continued", "extend", "restore"]

FLOOR = 0.1  # gray levels: no photograph is known better than that, and without noise the filter would divide by zero
PASSED = 0.01  # |k|²: what is weaker tells more of the noise, whose level may be wrong, than of the image
TAPERS = 3  # blends of the margin with its own blur, for a start that wraps around without a step
MARGIN = 16  # pixels around what was reduced
FLAT = 1e-12  # the power of an image without gradients


def restore(
    y: NDArray[np.float32], forward_model: ForwardModel, *, regularization: float = 1.5, iterations: int = 20
) -> NDArray[np.float32]:
    """Undo a known blur with the linear filter of least mean square error.

    For y = k * x + n, noise of variance σ² and an image of spectrum c / |∇|² (natural images have about that),
    x̂ = k̄ y / (|k|² + σ² |∇|² / c) at every frequency [1]. The one unknown c, the power of the image's gradients, is its
    maximum-likelihood estimate, which expectation maximization finds.

    That takes the image to wrap around. It is given a margin that makes it so, and whose pixels are replaced, again and
    again, by the blurred restored image there: the fixed point is the filter for the photograph alone.

    Args:
        y: (H, W, C) in [0, 1] or beyond.
        forward_model: One or more blurs, then noise; one without a noise level has it estimated.
        regularization: Factor of the term added to |k|²; above 1, because a few strong edges hold most of the power
            of the gradients, and the rest of the image has less.
        iterations: How often the margin is replaced; none is needed where the blur itself wraps around.

    Returns:
        (H, W, C), a new array.

    References:
        [1] F. Orieux, J.-F. Giovannelli, T. Rodet, Bayesian estimation of regularization and point spread function
        parameters for Wiener-Hunt deconvolution, JOSA A 27(7), 2010. https://doi.org/10.1364/JOSAA.27.001593
    """
    extended, gain, photograph = extend(y, forward_model, regularization, iterations)
    return convolve(extended, gain)[photograph].copy()


def extend(
    y: NDArray[np.float32], forward_model: ForwardModel, regularization: float = 1.5, iterations: int = 20
) -> tuple[NDArray[np.float32], NDArray[np.complex64], tuple[slice, slice]]:
    """Give a blurred photograph the margin that makes it wrap around.

    Args:
        y: (H, W, C).
        forward_model: See ``restore``.
        regularization: See ``restore``.
        iterations: See ``restore``.

    Returns:
        The photograph with its margin, (H', W', C); its filter, in rfft2's layout; where the photograph lies.
    """
    height, width, _ = y.shape
    pad = forward_model.reach
    photograph = slice(pad, pad + height), slice(pad, pad + width)
    extended = np.pad(y, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    response = transfer(forward_model, extended.shape[:2])
    inside = _ramp(height, pad)[:, None, None] * _ramp(width, pad)[:, None]
    for _ in range(TAPERS):
        extended = inside * extended + (1 - inside) * convolve(extended, response)
    sigma = max(noise_level(y, forward_model), FLOOR) / 255
    gradient = gradient_power(*extended.shape[:2])[..., None]
    periodogram = (np.abs(np.fft.rfft2(extended, axes=(0, 1))) ** 2).mean(2, keepdims=True) / extended[..., 0].size
    power = _signal_power(periodogram, np.abs(response) ** 2, gradient, sigma)
    gain = response.conj() / (np.abs(response) ** 2 + regularization * sigma**2 * gradient / power)
    for _ in range(iterations if pad else 0):
        extended = convolve(extended, response * gain)
        extended[photograph] = y
    return extended, gain, photograph


def continued(y: NDArray[np.float32], forward_model: ForwardModel) -> tuple[NDArray[np.float32], tuple[slice, slice]]:
    """Give a photograph that was blurred, or reduced, a margin, so that it may be taken to wrap around.

    Returns:
        The photograph with its margin, (H', W', C); where what it shows lies in the image x of that.
    """
    if forward_model.reach == 0:
        return y, (slice(None), slice(None))
    if forward_model.scale == 1:
        extended, _, photograph = extend(y, forward_model)
        return extended, photograph
    padded = np.pad(y, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="symmetric")
    start, (rows, columns, _), scale = forward_model.scale * MARGIN, y.shape, forward_model.scale
    return padded, (slice(start, start + scale * rows), slice(start, start + scale * columns))


def _signal_power(
    periodogram: NDArray[np.float32], blur: NDArray[np.float32], gradient: NDArray[np.float32], sigma: float
) -> float:
    """The c that makes a periodogram with mean |k|² c / |∇|² + σ² most likely."""
    used = (gradient > 0) & (blur > PASSED)
    if not used.any():
        return FLAT
    observed, blur, gradient = periodogram[used].astype(float), blur[used], gradient[used]
    power = float(np.mean(observed * gradient))
    for _ in range(50):
        signal = power / gradient
        gain = signal / (signal * blur + sigma**2)  # of the Wiener filter, without its k̄
        expected = gain**2 * blur * observed + gain * sigma**2  # E |x|² given y: squared mean, then variance
        previous, power = power, float(np.mean(expected * gradient))
        if abs(power - previous) < 1e-3 * previous:
            break
    return max(power, FLAT)


def _ramp(length: int, pad: int) -> NDArray[np.float32]:
    """One inside, smoothly to zero over the margins; (pad + length + pad,)."""
    t = (np.arange(pad, dtype=np.float32) + 0.5) / max(pad, 1)
    rise = t * t * (3 - 2 * t)
    return np.concatenate([rise, np.ones(length, np.float32), rise[::-1]])
