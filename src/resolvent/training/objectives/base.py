"""What an objective is: it sees a batch and the network, owns what else it needs, and gives a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

__all__ = ["Batch", "Objective", "Outcome", "Predict", "with_image"]


class Batch(NamedTuple):
    """What one step trains on.

    Attributes:
        target: (N, C, sH, sW) in [0, 1]: the clean patches, or masks of damage; of photographs that are all noisy, the
            noisy patches themselves, and of bursts another shot of them.
        inputs: (N, C', H, W), of the network: the image, and its noise level map or mask if it takes one.
        sigma: (N,) standard deviation of the noise in gray levels of noisy photographs, estimated; else None.
    """

    target: Tensor
    inputs: Tensor
    sigma: Tensor | None = None


class Predict(Protocol):
    """The network, in the precision that the device is fast in."""

    def __call__(self, inputs: Tensor, *, precise: bool = False) -> Tensor:
        """Restore a batch; float32, and computed in float32 too if ``precise``."""


class Outcome(NamedTuple):
    """What an objective makes of a batch.

    Attributes:
        loss: To minimize; a scalar.
        restored: What the network predicts, (N, C, sH, sW).
        parts: Of the loss, by name, to be logged.
    """

    loss: Tensor
    restored: Tensor
    parts: dict[str, Tensor]


class Objective(nn.Module):
    """Base class of the objectives; its parameters and buffers are part of a checkpoint.

    Random numbers come from torch's default generators, which are seeded by the number of the step: so a run that was
    stopped goes on as if it had not been.

    Attributes:
        optimizers: Of its own networks; part of a checkpoint too.
        bounded: Whether its loss is never below 0, so that a multiple of what is usual is a spike.
    """

    optimizers: Sequence[torch.optim.Optimizer] = ()
    bounded = True

    def forward(self, predict: Predict, batch: Batch, share: float) -> Outcome:
        """Compute the loss; ``share`` is that of the budget that is spent, from 0 to 1."""
        raise NotImplementedError

    def update(self, batch: Batch, restored: Tensor, average: Callable[[nn.Module], None]) -> None:
        """Train what the objective owns, after each update of the network.

        Args:
            batch: Of the step.
            restored: What the network made of it.
            average: To be called with a network after its backward pass: replaces the gradients by their mean over all
                processes.
        """


def with_image(inputs: Tensor, image: Tensor) -> Tensor:
    """Put another image (N, 3, H, W) in front of the other planes of a network's input."""
    return torch.cat([image, inputs[:, 3:]], dim=1).contiguous(memory_format=torch.channels_last)
