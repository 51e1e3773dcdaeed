"""What became of the photographs of a batch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from resolvent.methods.control import Steps

__all__ = ["BatchReport", "Result", "Status"]


Status = Literal["restored", "unchanged", "skipped", "failed"]


@dataclass(frozen=True)
class Result:
    """What became of one input.

    Attributes:
        source: The input.
        target: The output; only there if the status is not ``failed``.
        status: ``restored``; ``unchanged``: copied, for there was nothing to fix; ``skipped``: the output was there.
        reasons: Why: what was chosen, or what went wrong.
        warnings: What of the file was not read, could not be kept, or changes besides.
        model: Name or path of the model, or the method; None if nothing ran.
        sigma: Noise level that the model was told.
        seconds: That it took.
        steps: How far the model or the method came, and what ended it; None if nothing ran.
    """

    source: Path
    target: Path
    status: Status
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    model: str | None = None
    sigma: float | None = None
    seconds: float = 0.0
    steps: Steps | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data, in characters that any terminal prints."""
        return {
            "input": printable(self.source),
            "output": None if self.status == "failed" else printable(self.target),
            "status": self.status,
            "reasons": [printable(reason) for reason in self.reasons],
            "warnings": [printable(warning) for warning in self.warnings],
            "model": self.model and printable(self.model),
            "sigma": self.sigma,
            "seconds": round(self.seconds, 3),
            "steps": self.steps and self.steps.done,
            "total_steps": self.steps and self.steps.total,
            "ended": self.steps and self.steps.ended,
        }


@dataclass(frozen=True)
class BatchReport:
    """What became of all inputs, in their order."""

    results: tuple[Result, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each status."""
        counted = Counter(result.status for result in self.results)
        return {status: counted[status] for status in get_args(Status)}

    @property
    def exit_code(self) -> int:
        """0 if all is done, 1 if an input failed."""
        return int(any(result.status == "failed" for result in self.results))

    def to_json(self) -> dict[str, Any]:
        """Plain data: how many of each status, and every result."""
        return {**self.counts, "results": [result.to_json() for result in self.results]}


def printable(text: object) -> str:
    """Without the halves of characters that stand for bytes of a name that is not UTF-8."""
    return str(text).encode(errors="replace").decode()
