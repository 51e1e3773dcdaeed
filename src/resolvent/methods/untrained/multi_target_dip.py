"""Deep image prior with several targets, which ends by the noise level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from resolvent import methods
from resolvent.errors import UsageError
from resolvent.methods.control import Control
from resolvent.methods.noise_level import noise_level
from resolvent.methods.plug_and_play.denoiser import Denoiser
from resolvent.methods.untrained.dip import PRESETS, fast_preset, start
from resolvent.methods.untrained.fit import Discrepancy, Settled, device, fit, mean_square, to_image, to_tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.physics.forward_model import ForwardModel

__all__ = ["mean_target", "restore"]


def restore(
    y: NDArray[np.float32],
    forward_model: ForwardModel,
    *,
    targets: Sequence[str] = ("denoise", "nlm"),
    weights: Sequence[float] | None = None,
    iterations: int = 3000,
    fast: bool = False,
    warm: bool = True,
    seed: int = 0,
    control: Control | None = None,
) -> NDArray[np.float32]:
    """Fit an untrained network to the noisy image and to the results of other denoisers [1].

    min_θ w_0 ‖f_θ(z) - y‖² + Σ_i w_i ‖f_θ(z) - t_i‖² = min_θ ‖f_θ(z) - t̄‖² + const, with t̄ = w_0 y + Σ_i w_i t_i and
    weights that sum to one.

    From a cold start, z is noise, and the fit ends where ‖f_θ(z) - y‖² / N has come down to the variance of the noise.
    From a warm one, z is the clean targets, with fresh noise at every step, which keeps the network from copying them;
    the image is there after some hundred steps and then stays, and the fit ends where it has settled.

    Args:
        y: (H, W, C) in [0, 1] or beyond.
        forward_model: White noise.
        targets: Models or methods that make a clean target each.
        weights: Of the noisy image and of each target; all alike by default.
        iterations: At most so many.
        fast: With the network of ``dip-fast``, instead of that of ``dip``.
        warm: Start from the targets; otherwise as published.
        seed: Of the network, its input and all noise.
        control: See Control.

    Returns:
        (H, W, C), a new array: the running mean of the outputs, or, while that of a warm start is farther from ``y``
        than the noise is strong, the mean of the clean targets, which is then closer to the truth.

    Raises:
        UsageError: The weights do not fit the targets.

    References:
        [1] S. Chen, S. Xu, X. Chen, F. Li, Image denoising using a novel deep generative network with multiple target
        images and adaptive termination condition, Applied Sciences 11(11), 2021. https://doi.org/10.3390/app11114803.
        The weights, the estimate of the noise and the warm start are ours.
    """
    _shares(1 + len(targets), weights)  # refused before the targets are made
    level = noise_level(y, forward_model)
    sigma = level / 255
    cleaned = [_clean(name, y, forward_model, level) for name in targets]
    target = to_tensor(mean_target(y, cleaned, weights)).to(device())
    noisy = to_tensor(y).to(target)
    preset = fast_preset("denoise") if fast else PRESETS["denoise"]
    generator = torch.Generator().manual_seed(seed)
    size = (y.shape[0], y.shape[1])
    guide = None
    if warm and cleaned:
        guide = np.concatenate(cleaned, axis=2)
    network, z = start(preset, y.shape[2], size, seed, generator, guide)

    def loss(output: Tensor) -> tuple[Tensor, float]:
        return mean_square(output, target), float(mean_square(output.detach(), noisy))

    def give(image: Tensor) -> Tensor:
        if guide is None or float(mean_square(image, noisy)) <= sigma**2:
            return image
        return to_tensor(np.mean(cleaned, axis=0))

    fitted = fit(
        network,
        z.to(target),
        loss,
        size=size,
        settings=replace(preset.settings, iterations=iterations),
        stop=Discrepancy(sigma) if guide is None else Settled(sigma),
        generator=generator,
        control=control or Control(),
        give=give,
    )
    return to_image(fitted)


def mean_target(
    y: NDArray[np.float32], cleaned: Sequence[NDArray[np.float32]], weights: Sequence[float] | None = None
) -> NDArray[np.float32]:
    """The weighted mean of a noisy image and its cleaned versions, all (H, W, C).

    Raises:
        UsageError: There is not one weight for each, or they are negative or do not sum to one.
    """
    shares = np.asarray(_shares(1 + len(cleaned), weights), np.float32)
    mean: NDArray[np.float32] = np.tensordot(shares, np.stack([y, *cleaned]), 1)
    return mean


def _shares(count: int, weights: Sequence[float] | None) -> list[float]:
    """As many weights as there are images."""
    shares = [1 / count] * count if weights is None else list(weights)
    if len(shares) != count or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise UsageError(f"weights {tuple(shares)}: give {count} from 0 to 1 that sum to 1, that of the image first")
    return shares


def _clean(name: str, y: NDArray[np.float32], forward_model: ForwardModel, level: float) -> NDArray[np.float32]:
    return methods.load(name)(y, forward_model) if name in methods.METHODS else Denoiser(name)(y, level)
