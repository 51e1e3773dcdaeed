"""Regularization by denoising."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resolvent.methods.control import Control
from resolvent.methods.noise_level import noise_level
from resolvent.methods.plug_and_play.denoiser import Denoiser
from resolvent.methods.plug_and_play.pnp import LEAST, data_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.physics.forward_model import ForwardModel

__all__ = ["restore"]


def restore(
    y: NDArray[np.float32],
    forward_model: ForwardModel,
    *,
    model: str | Path = "denoise-white",
    iterations: int = 40,
    level: float = 5.0,
    strength: float = 0.02,
    control: Control | None = None,
) -> NDArray[np.float32]:
    """Solve Aᵀ (A x - y) / σ² + λ (x - D(x)) = 0 by its fixed point [1].

    x ← (AᵀA + σ²λ I)⁻¹ (Aᵀ y + σ²λ D(x)), in gray levels. That equation is the zero of the gradient of
    ‖y - A x‖² / (2 σ²) + λ/2 xᵀ (x - D(x)) only if D is locally homogeneous and its Jacobian symmetric [2].

    Args:
        y: (H, W, C) in [0, 1] or beyond.
        forward_model: See ``pnp``.
        model: A denoiser that takes the noise level.
        iterations: How often.
        level: The noise level that the denoiser is given, in gray levels.
        strength: λ, for σ in gray levels.
        control: See Control.

    Returns:
        (H, W, C), or (scale H, scale W, C), a new array.

    References:
        [1] Y. Romano, M. Elad, P. Milanfar, The little engine that could: regularization by denoising (RED), SIAM
        Journal on Imaging Sciences 10(4), 2017, section 4.2. https://doi.org/10.1137/16M1102884
        [2] E. T. Reehorst, P. Schniter, Regularization by denoising: clarifications and new interpretations, IEEE
        Transactions on Computational Imaging 5(1), 2019. https://doi.org/10.1109/TCI.2018.2880326
    """
    control = control or Control()
    denoise = Denoiser(model)
    sigma = max(noise_level(y, forward_model), LEAST)
    step, x, inside = data_step(y, forward_model)
    for k in range(iterations):
        x = step(denoise(x, level), sigma**2 * strength / forward_model.scale**2)
        if not control.step(k + 1, iterations, lambda x=x: x[inside].copy()):  # type: ignore[misc]
            break
    return x[inside].copy()
