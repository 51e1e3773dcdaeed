"""Deep image prior with the projected generalized SURE as its loss."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from resolvent.degradations.tensors import pad
from resolvent.methods.classical.wiener import continued
from resolvent.methods.control import Control
from resolvent.methods.noise_level import noise_level
from resolvent.methods.untrained.fit import Settings, Stop, fit, seeded, to_image, to_tensor
from resolvent.methods.untrained.skip import Skip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from resolvent.physics.forward_model import ForwardModel

__all__ = ["LowestLoss", "divergence", "restore"]

NETWORK: dict[str, Any] = {"down": (128,) * 5, "skip": (4,) * 5}
"""That of deep image prior, as [1] has it."""

EPSILON = 1e-3
"""Step of the divergence; far above the resolution of float32, and small against any pixel."""


def restore(
    y: NDArray[np.float32],
    forward_model: ForwardModel,
    *,
    iterations: int = 3000,
    learning_rate: float = 0.01,
    threshold: float = 0.05,
    seed: int = 0,
    control: Control | None = None,
) -> NDArray[np.float32]:
    """Fit an untrained network f to u = Aᵀ y by an unbiased estimate of its error within the range of A [1].

    With P = A⁺ A, E ‖P (f(u) - x)‖² is, up to a constant, ‖A⁺ (A f(u) - y)‖² + 2 σ² div_u P f(u): the second term is
    what fitting the noise would cost, and keeps the network from it. The divergence is bᵀ P (f(u + ε b) - f(u)) / ε
    with b ~ N(0, I), sampled independently at every step; both evaluations are one batch, and so share the statistics
    of their normalization. The projection is real: the published code takes the imaginary part of its transfer
    function, which is zero for a symmetric blur, and with it the second term.

    A wraps around at the border; a photograph that was blurred otherwise gets a margin first.

    Args:
        y: (H, W, C) in [0, 1] or beyond.
        forward_model: Blurs and a downsampling, or neither; then noise; its level is estimated if not given.
        iterations: At most so many.
        learning_rate: Of Adam.
        threshold: Singular values of A up to this share of the largest count as zero.
        seed: Of the network and of b.
        control: See Control.

    Returns:
        (H, W, C), or (scale H, scale W, C), a new array: the running mean of the outputs where the loss was least.

    References:
        [1] S. Abu-Hussein, T. Tirer, S. Y. Chun, Y. C. Eldar, R. Giryes, Image restoration by deep projected GSURE,
        WACV 2022. https://arxiv.org/abs/2102.02485
    """
    sigma = noise_level(y, forward_model) / 255
    y, inside = continued(y, forward_model)
    measured = to_tensor(y)
    operator = forward_model.circular.operator_to(y.shape[:2])
    u = operator.adjoint(measured)
    generator = torch.Generator().manual_seed(seed)
    size = (u.shape[2], u.shape[3])
    with seeded(seed):
        network = Skip(y.shape[2], y.shape[2], **NETWORK, padding="circular")
    stretched = [-(-side // network.multiple) * network.multiple for side in size]
    z = pad(u, (0, 0), (stretched[0] - size[0], stretched[1] - size[1]), "circular")
    pair = Pair(network, generator)
    stop = LowestLoss()

    def loss(outputs: Tensor) -> tuple[Tensor, float]:
        output, moved = outputs[:1], outputs[1:]
        misfit = operator.pinv(operator(output) - measured, threshold).square().mean()
        free = divergence(operator.pinv(operator(moved - output), threshold), pair.direction[..., : size[0], : size[1]])
        value = misfit + 2 * sigma**2 * free
        stop.record(float(value.detach()), float(free.detach()))
        return value, float(misfit.detach())

    fitted = fit(
        pair,
        z,
        loss,
        size=size,
        settings=Settings(iterations, learning_rate, input_noise=0.0),
        stop=stop,
        generator=generator,
        control=control or Control(),
        give=lambda image: image[(..., *inside)],
    )
    return to_image(fitted)


def divergence(moved: Tensor, direction: Tensor) -> Tensor:
    """bᵀ (g(u + ε b) - g(u)) / (ε N), of the difference that ``moved`` is."""
    value: Tensor = (direction * moved).mean() / EPSILON
    return value


class Pair(nn.Module):
    """f(u) and f(u + ε b) in one batch, with another b at every call."""

    def __init__(self, network: nn.Module, generator: torch.Generator) -> None:
        super().__init__()
        self.network, self.generator = network, generator
        self.direction = torch.empty(0)

    def forward(self, u: Tensor) -> Tensor:
        """(1, C, H, W) to (2, C, H, W)."""
        self.direction = torch.randn(u.shape, generator=self.generator)
        outputs: Tensor = self.network(torch.cat([u, u + EPSILON * self.direction]))
        return outputs


class LowestLoss(Stop):
    """Keep the mean output where the loss, averaged over some steps, is least; give up on a divergence below zero.

    Args:
        window: Steps.
        patience: Steps without a smaller loss after which to stop.
    """

    def __init__(self, window: int = 50, patience: int = 1000) -> None:
        self.losses: deque[float] = deque(maxlen=window)
        self.divergences: deque[float] = deque(maxlen=window)
        self.patience, self.least, self.since = patience, math.inf, 0
        self.best_mean: Tensor | None = None

    def record(self, loss: float, free: float) -> None:
        """Record the loss and the divergence of one step."""
        self.losses.append(loss)
        self.divergences.append(free)

    def add(self, step: int, output: Tensor, mean: Tensor, residual: float) -> bool:
        """See Stop."""
        count = len(self.losses)
        if count < (self.losses.maxlen or 0):
            return False
        loss = sum(self.losses) / count
        if loss < self.least:
            self.least, self.since, self.best_mean = loss, 0, mean.clone()
        else:
            self.since += 1
        return self.since >= self.patience or sum(self.divergences) / count < -0.1

    @property
    def best(self) -> Tensor | None:
        """See Stop."""
        return self.best_mean
