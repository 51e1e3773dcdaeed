"""How long a run trains: a time, or a count of steps or epochs."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from resolvent.errors import UsageError

__all__ = ["Budget"]

_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Budget:
    """How long to train: an amount of one unit.

    Examples:
        >>> Budget.parse("30m")
        Budget(amount=1800.0, unit='seconds')
        >>> str(Budget.parse("500 epochs"))
        '500 epochs'
    """

    amount: float
    unit: Literal["seconds", "steps", "epochs"]

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read ``90s``, ``30m``, ``1.5h``, ``2000 steps`` or ``500 epochs``.

        Raises:
            UsageError: The text is none of these, or not above zero.
        """
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h|steps?|epochs?)", text.strip())
        if not match or not 0 < float(match[1]) < math.inf:
            raise UsageError(
                f"budget {text!r}: give a time or a count above zero, such as 30m, 3h, '2000 steps' or '500 epochs'"
            )
        amount, unit = float(match[1]), match[2]
        if unit in _SECONDS:
            return cls(amount * _SECONDS[unit], "seconds")
        return cls(amount, "steps" if unit.startswith("step") else "epochs")

    def __str__(self) -> str:
        return f"{self.amount:g}s" if self.unit == "seconds" else f"{self.amount:g} {self.unit}"

    def share(self, *, step: int, seconds: float, steps_per_epoch: int, reserve: float = 0.0) -> float:
        """The part of the budget that is spent, 0 at the start and 1 at the end.

        ``reserve`` seconds of a time, at most half of it, are kept for what comes after the last step.
        """
        spent = {"seconds": seconds, "steps": step, "epochs": step / steps_per_epoch}[self.unit]
        whole = self.amount - min(reserve, self.amount / 2) if self.unit == "seconds" else self.amount
        return min(spent / whole, 1.0)
