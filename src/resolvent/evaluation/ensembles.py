"""Fit the small networks of the diagnosis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from resolvent.diagnosis.ensemble import REACH
from resolvent.errors import MissingDependencyError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

__all__ = ["Fit", "fit"]

BATCH = 256
DROPPED = 0.05
"""Share of the features that an update does not see."""

Layers = tuple[tuple["NDArray[np.float32]", "NDArray[np.float32]"], ...]


@dataclass(frozen=True)
class Fit:
    """Settings of the fit of an ensemble.

    Attributes:
        hidden: Widths of the hidden layers.
        members: Networks, each with its own initial weights and batches.
        rate: Learning rate at the start; it falls linearly to zero.
        decay: Weight decay.
        steps: Updates.
        seed: Random seed.
    """

    hidden: tuple[int, ...]
    members: int
    rate: float
    decay: float
    steps: int
    seed: int = 0


def fit(
    features: NDArray[np.float32],
    outputs: int,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    settings: Fit,
) -> tuple[NDArray[np.float32], NDArray[np.float32], Layers]:
    """Fit networks to cases.

    Args:
        features: (N, F), of the cases.
        outputs: How many numbers a network gives.
        loss: Of predictions (members, batch, outputs) for the cases of these numbers (members, batch).
        settings: Widths, optimizer and steps.

    Returns:
        Mean, scale and layers, as of an ``Ensemble``.

    Raises:
        MissingDependencyError: torch is not installed.
    """
    try:
        import torch
        from torch.nn import functional as F
    except ModuleNotFoundError as error:
        raise MissingDependencyError(str(error.name), "lab", "learning what the diagnosis predicts") from error

    mean, scale = features.mean(0), features.std(0) + 1e-3
    generator = torch.Generator().manual_seed(settings.seed)
    x = torch.from_numpy((features - mean) / scale).clamp(-REACH, REACH).float()
    layers = []
    for width, wider in pairwise((x.shape[1], *settings.hidden, outputs)):
        weight = torch.randn(settings.members, width, wider, generator=generator) * (2 / width) ** 0.5
        layers.append((weight.requires_grad_(), torch.zeros(settings.members, 1, wider, requires_grad=True)))
    optimizer = torch.optim.AdamW([p for pair in layers for p in pair], lr=settings.rate, weight_decay=settings.decay)
    for step in range(settings.steps):
        batch = torch.randint(len(x), (settings.members, BATCH), generator=generator)
        seen = torch.rand((settings.members, BATCH, x.shape[1]), generator=generator) > DROPPED
        y = x[batch] * seen / (1 - DROPPED)
        for i, (weight, bias) in enumerate(layers):
            y = torch.baddbmm(bias, F.relu(y) if i else y, weight)
        optimizer.zero_grad()
        loss(y, batch).backward()  # type: ignore[no-untyped-call]
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * (1 - step / settings.steps)
        optimizer.step()
    return mean, scale, tuple((weight.detach().numpy(), bias.detach().numpy()) for weight, bias in layers)
