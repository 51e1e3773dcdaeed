"""Callbacks and cancellation of iterative methods, and how many steps were done."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from resolvent.errors import UsageError, counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Control", "End", "OnStep", "Steps"]

OnStep = Callable[[int, int, Callable[[], "NDArray[np.float32]"]], None]
"""Called with the steps done, the steps planned and a function that gives the image so far."""

End = Literal["finished", "budget", "canceled", "early-stop"]
"""What ended a restoration: it did all its steps; its budget was spent; it was canceled; its own stopping rule."""

PHRASES = {"budget": "cut off by the budget", "canceled": "canceled", "early-stop": "stopped early by its own rule"}


@dataclass(frozen=True)
class Steps:
    """How far a restoration came: iterations of a method, tiles of a model.

    Attributes:
        done: Steps done.
        total: Steps planned.
        ended: What ended it.

    Examples:
        >>> Steps(3, 40, "budget").remark
        'cut off by the budget after 3 of 40 steps'
    """

    done: int = 0
    total: int = 0
    ended: End = "finished"

    @property
    def remark(self) -> str:
        """How it ended, as a sentence; empty where it did all its steps."""
        if self.ended == "finished":
            return ""
        return f"{PHRASES[self.ended]} after {self.done} of {counted(self.total, 'step')}"


class Control:
    """Stops an iterative method, and is called after each of its steps.

    Give one to ``restore`` or ``run`` to cancel from a signal handler or another thread; it may serve one restoration
    after the other.

    Args:
        budget: Seconds after which the method gives what it has; None lets it end by itself.
        on_step: Called after each step with the steps done, the steps planned and a function that gives the image so
            far.

    Raises:
        UsageError: The budget is not above zero, or not finite.
    """

    def __init__(self, budget: float | None = None, on_step: OnStep | None = None) -> None:
        if budget is not None and not 0 < budget < math.inf:
            raise UsageError(f"budget {budget:g}: must be above 0 seconds; without one the method ends by itself")
        self.on_step = on_step
        self.running = False
        self._begin(budget)

    def _begin(self, budget: float | None, on_step: OnStep | None = None) -> None:
        self.budget, self.started = budget, time.monotonic()
        self.done = self.total = 0
        self.canceled = False
        self._cut: End | None = None
        self._listeners = [listener for listener in (on_step, self.on_step) if listener is not None]

    @contextmanager
    def run(self, budget: float | None = None, on_step: OnStep | None = None) -> Iterator[None]:
        """Reset for the run of a method, in a ``with`` statement.

        Args:
            budget: Seconds; None keeps the budget that the control was made with.
            on_step: Called after each step of this run too.
        """
        self._begin(self.budget if budget is None else budget, on_step)
        self.running = True
        try:
            yield
        finally:
            self.running = False

    def cancel(self) -> bool:
        """Stop the method after its next step; it returns its image so far.

        Returns:
            Whether a method is running that was not canceled before.
        """
        news = self.running and not self.canceled
        self.canceled = True
        return news

    def step(self, done: int, total: int, image: Callable[[], NDArray[np.float32]]) -> bool:
        """Report a step to the callbacks; return whether to go on."""
        self.done, self.total = done, total
        for listener in self._listeners:
            listener(done, total, image)
        return not self.over

    @property
    def over(self) -> bool:
        """Whether the method is to give what it has; once it is, it stays so."""
        if self._cut is None and self.canceled:
            self._cut = "canceled"
        elif self._cut is None and self.budget is not None and time.monotonic() - self.started >= self.budget:
            self._cut = "budget"
        return self._cut is not None

    @property
    def steps(self) -> Steps:
        """How far the method came, and what ended it; asked when it has returned."""
        ended: End = "finished" if self.done >= self.total else self._cut or "early-stop"
        return Steps(self.done, self.total, ended)
