"""Objectives that compare a result with its ground truth."""

from __future__ import annotations

from functools import partial
from typing import Any

from resolvent.training.objectives.base import Batch, Objective, Outcome, Predict
from resolvent.training.objectives.losses import LOSSES

__all__ = ["Supervised"]


class Supervised(Objective):
    """The mean of a loss between what the network predicts and the target.

    Args:
        loss: A key of LOSSES.
        **settings: Of its function.
    """

    def __init__(self, loss: str, **settings: Any) -> None:
        super().__init__()
        self.compare = partial(LOSSES[loss], **settings)

    def forward(self, predict: Predict, batch: Batch, share: float) -> Outcome:
        restored = predict(batch.inputs)
        return Outcome(self.compare(restored, batch.target), restored, {})
