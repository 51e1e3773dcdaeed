"""What an iterative method is told while it runs, and tells."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from resolvent.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Control"]


class Control:
    """Says when to stop, and hears of every step.

    Args:
        budget: Seconds after which the method gives what it has; None lets it end by itself.
        on_step: Called with the steps done, the steps planned and a function that gives the image so far.

    Raises:
        UsageError: The budget is not above zero.
    """

    def __init__(
        self,
        budget: float | None = None,
        on_step: Callable[[int, int, Callable[[], NDArray[np.float32]]], None] | None = None,
    ) -> None:
        if budget is not None and not budget > 0:
            raise UsageError(f"budget {budget:g}: must be above 0 seconds; without one the method ends by itself")
        self.budget, self.on_step = budget, on_step
        self.canceled = False
        self.started = time.monotonic()

    def cancel(self) -> None:
        """Let the method stop after its next step, and give what it has."""
        self.canceled = True

    def step(self, done: int, total: int, image: Callable[[], NDArray[np.float32]]) -> bool:
        """Tell of a step; whether to go on."""
        if self.on_step is not None:
            self.on_step(done, total, image)
        return not self.over

    @property
    def over(self) -> bool:
        """Whether the method is to give what it has."""
        return self.canceled or (self.budget is not None and time.monotonic() - self.started >= self.budget)
