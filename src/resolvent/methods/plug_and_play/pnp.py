"""Plug-and-play: a trained denoiser as the prior of any linear problem."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from resolvent.methods.classical.fourier import transfer
from resolvent.methods.classical.wiener import continued
from resolvent.methods.control import Control
from resolvent.methods.noise_level import noise_level
from resolvent.methods.plug_and_play.denoiser import Denoiser
from resolvent.physics.filters import correlate_separable, gaussian_filter
from resolvent.physics.operators import Convolution, Identity, Masking
from resolvent.physics.resize import imresize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.physics.forward_model import ForwardModel
    from resolvent.physics.operators import Shape

__all__ = ["DataStep", "data_step", "first_guess", "restore", "schedule"]

DataStep = Callable[["NDArray[np.float32]", float], "NDArray[np.float32]"]
"""(z, alpha) to argmin_x ‖y - A x‖² + alpha ‖x - z‖²."""

ROUNDS, TOLERANCE = 30, 1e-3  # of conjugate gradients: at most so many; relative residual
LEAST = 0.255  # gray levels; DPIR's floor of the noise level


def restore(
    y: NDArray[np.float32],
    forward_model: ForwardModel,
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
        forward_model: Linear, in any order; then noise, whose level is estimated if not given.
        model: A denoiser that takes the noise level. One that was trained as a part of ``unrolled-hqs`` carries its own
            schedule, the factors of σ_k from 49 on and the λ_k of each step, which counts where no iterations are given
            and no pixels are missing.
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
    sigma = max(noise_level(y, forward_model), LEAST)
    step, z, inside = data_step(y, forward_model)
    lost = forward_model.scale > 1 or forward_model.masked
    count = iterations or (24 if lost else 8)
    factors = weights = np.ones(1)
    if denoise.schedule and iterations is None and not lost:
        factors, weights = (np.array(denoise.schedule[key]) for key in ("levels", "weights"))
        count, start, strength = len(factors), 49.0, 1.0
    falling = schedule(count, start, max(sigma, forward_model.scale) if lost else sigma)
    alphas = strength * weights * (sigma / falling) ** 2
    for k, (level, alpha) in enumerate(zip(factors * falling, alphas, strict=True)):
        x = step(z, alpha)
        z = turned(denoise(turned(x, k), level), k, back=True)
        if not control.step(k + 1, count, lambda z=z: z[inside].copy()):  # type: ignore[misc]
            break
    return z[inside].copy()


def schedule(count: int, start: float, end: float) -> NDArray[np.float64]:
    """Noise levels from ``start`` to ``end``, evenly spaced in logarithm."""
    return np.geomspace(max(start, end), end, count)


def turned(x: NDArray[np.float32], k: int, *, back: bool = False) -> NDArray[np.float32]:
    """One of the eight flips and quarter turns of (H, W, C); ``back`` inverts it."""
    if not back:
        return np.ascontiguousarray(np.rot90(x[::-1] if k % 8 >= 4 else x, k % 4))
    x = np.rot90(x, -(k % 4))
    return np.ascontiguousarray(x[::-1] if k % 8 >= 4 else x)


def data_step(
    y: NDArray[np.float32], forward_model: ForwardModel
) -> tuple[DataStep, NDArray[np.float32], tuple[slice, slice]]:
    """The data step, in closed form where A has one; where to start; and where the image lies in what is computed."""
    operator = forward_model.circular.operator_to(_size(y))
    everything = slice(None), slice(None)
    if isinstance(operator, Identity | Masking):
        mask = operator(np.ones(operator.shape, np.float32))[..., None]

        def blend(z: NDArray[np.float32], alpha: float) -> NDArray[np.float32]:
            blended: NDArray[np.float32] = (mask * y + np.float32(alpha) * z) / (mask + np.float32(alpha))
            return blended

        return blend, first_guess(y, forward_model), everything
    if not isinstance(operator, Convolution) or forward_model.mixed:
        return _iterative_step(y, forward_model), first_guess(y, forward_model), everything
    if operator.scale > 1:
        return _enlarging_step(y, forward_model)
    extended, inside = continued(y, forward_model)
    response = transfer(forward_model, _size(extended))
    power, seen = np.abs(response) ** 2, response.conj() * np.fft.rfft2(extended, axes=(0, 1))

    def step(z: NDArray[np.float32], alpha: float) -> NDArray[np.float32]:
        spectrum = (seen + alpha * np.fft.rfft2(z, axes=(0, 1))) / (power + alpha)
        return np.fft.irfft2(spectrum, s=z.shape[:2], axes=(0, 1)).astype(np.float32)

    return step, extended, inside


def _size(image: NDArray[np.float32]) -> Shape:
    return image.shape[0], image.shape[1]


def _iterative_step(y: NDArray[np.float32], forward_model: ForwardModel) -> DataStep:
    """(AᵀA + α I) x = Aᵀ y + α z by conjugate gradients from z, for any chain in its order."""
    back = forward_model.adjoint(y)

    def normal(x: NDArray[np.float32]) -> NDArray[np.float32]:
        applied: NDArray[np.float32] = forward_model.adjoint(forward_model(x))
        return applied

    def step(z: NDArray[np.float32], alpha: float) -> NDArray[np.float32]:
        x, residual = z, back - normal(z)  # of the system: Aᵀ y + α z - (AᵀA + α I) z
        direction, power = residual, float(np.vdot(residual, residual))
        enough = TOLERANCE**2 * float(np.vdot(back, back))
        for _ in range(ROUNDS):
            if power <= enough:
                break
            moved = normal(direction) + np.float32(alpha) * direction
            length = np.float32(power / float(np.vdot(direction, moved)))
            x, residual = x + length * direction, residual - length * moved
            before, power = power, float(np.vdot(residual, residual))
            direction = residual + np.float32(power / before) * direction
        return x

    return step


def _enlarging_step(
    y: NDArray[np.float32], forward_model: ForwardModel
) -> tuple[DataStep, NDArray[np.float32], tuple[slice, slice]]:
    """For A = S F⁻¹ diag(k) F, every ``scale``-th pixel of a blurred image: x = F⁻¹ (d - k̄ (k d)⇓ / (|k|²⇓ + α)) / α.

    d = k̄ F(Sᵀ y) + α F z, and ⇓ is the mean over the frequencies that alias to one. That wraps around: the image gets a
    mirrored margin, which keeps what crosses the border away from it.
    """
    scale, (y, inside) = forward_model.scale, continued(y, forward_model)
    height, width, channels = y.shape
    operator = cast(Convolution, forward_model.circular.operator_to((height, width)))
    response = operator.response[..., None]
    spread = np.zeros((*operator.shape, channels), np.float32)
    spread[::scale, ::scale] = y
    seen = response.conj() * np.fft.fft2(spread, axes=(0, 1))

    def folded(a: NDArray[np.complex128]) -> NDArray[np.complex128]:
        mean: NDArray[np.complex128] = a.reshape(scale, height, scale, width, -1).mean((0, 2))
        return np.tile(mean, (scale, scale, 1))

    power = np.tile(operator.power, (scale, scale))[..., None]

    def step(z: NDArray[np.float32], alpha: float) -> NDArray[np.float32]:
        d = seen + alpha * np.fft.fft2(z, axes=(0, 1))
        x = (d - response.conj() * folded(response * d) / (power + alpha)) / alpha
        return np.fft.ifft2(x, axes=(0, 1)).real.astype(np.float32)

    return step, _enlarged(y, forward_model), inside


def first_guess(y: NDArray[np.float32], forward_model: ForwardModel) -> NDArray[np.float32]:
    """An image of the size of x: ``y`` enlarged, and filled in where nothing was measured."""
    large = _enlarged(fill(y, forward_model.known(_size(y))), forward_model)
    return fill(large, forward_model.seen(_size(large)))


def _enlarged(y: NDArray[np.float32], forward_model: ForwardModel) -> NDArray[np.float32]:
    """Bicubic; moved, where pixels were left out and not merged, to where the others lie."""
    large = imresize(y, forward_model.scale) if forward_model.scale > 1 else y
    apart = offset(forward_model)
    if apart:
        whole = int(apart)
        taps = np.zeros(2 * whole + 3)  # linear interpolation
        taps[2 * whole + 1 :] = 1 - (apart - whole), apart - whole
        large = correlate_separable(large, taps, "edge")
    return np.asarray(large, np.float32)


def offset(forward_model: ForwardModel) -> float:
    """How far up and left of the middle of the pixels that it stands for a pixel of y lies, in pixels of x."""
    scale, total = 1, 0.0
    for part in forward_model.parts:
        total += scale * (part.scale - 1) / 2 * part.selects
        scale *= part.scale
    return total


def fill(y: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fill (H, W, C) where it is not known with the mean of what surrounds it, weighted by a Gaussian that grows."""
    if known.all():
        return y
    mask = known.astype(np.float32)[..., None]
    result, missing = y * mask, ~known
    for sigma in (1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0):
        if not missing.any():
            break
        weight = gaussian_filter(mask, sigma)
        mean = gaussian_filter(y * mask, sigma) / np.maximum(weight, 1e-6)
        now = missing & (weight[..., 0] > 0.05)
        result[now] = mean[now]
        missing &= ~now
    return result
