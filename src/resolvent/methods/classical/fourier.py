"""Blurs and gradients of an image that wraps around, by their transfer functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resolvent.errors import UsageError
from resolvent.physics.operators import Convolution

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.physics.forward_model import ForwardModel
    from resolvent.physics.operators import Shape

__all__ = ["convolve", "gradient_power", "transfer"]


def transfer(forward_model: ForwardModel, shape: Shape) -> NDArray[np.complex64]:
    """Transfer function of A on images (H, W) that wrap around, as rfft2 has it: (H, W // 2 + 1, 1).

    Raises:
        UsageError: A is no convolution.
    """
    operator = forward_model.circular.operator(shape)
    if not isinstance(operator, Convolution) or operator.scale > 1:
        raise UsageError(f"{forward_model.degradation}: is no blur; give a method that undoes other degradations")
    return operator.response[:, : shape[1] // 2 + 1, None].astype(np.complex64)


def convolve(x: NDArray[np.float32], response: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Circular convolution of (H, W, C) with the kernel of this transfer function; the conjugate gives its adjoint."""
    result = np.fft.irfft2(response * np.fft.rfft2(x, axes=(0, 1)), s=x.shape[:2], axes=(0, 1))
    return result.astype(np.float32, copy=False)


def gradient_power(height: int, width: int) -> NDArray[np.float32]:
    """|∇|² of the differences between neighbors, in rfft2's layout, (height, width // 2 + 1)."""
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    power: NDArray[np.float64] = 4 * np.sin(np.pi * down) ** 2 + 4 * np.sin(np.pi * across) ** 2
    return power.astype(np.float32)
