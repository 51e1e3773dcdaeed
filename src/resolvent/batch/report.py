"""What became of the photographs of a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from resolvent.batch.places import Place
    from resolvent.methods.control import Steps

__all__ = ["AGAIN", "CHECKED", "LEAST_CHANGE", "TWIN", "BatchReport", "Result", "Status"]

LEAST_CHANGE = 0.5
"""Gray levels, root mean square: of less, writing a lossy file again would cost more than it gains."""

CHECKED = (
    "a result is checked: one that changes next to nothing leaves the photograph as it is, and one that is flat or of "
    "another color is not written"
)
"""What a plan cannot foresee."""

AGAIN = "done again"
"""How the reason begins why a photograph was restored although its output was there, or had been."""

TWIN = "the same photograph as"
"""How the last reason begins of a photograph whose result was copied from that of another."""

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
        sigma: Noise level that the model was given.
        seconds: That it took.
        steps: How far the model or the method came, and what ended it; None if nothing ran.
        uncertainty: How far to trust it, see ``Uncertainty.to_json``; None if that was not asked for.
        evidence: What else speaks for it, see ``Evidence.to_json``; None if there is nothing.
        half_widths: The file of its map of errors; None if there is none.
        expected: Seconds that restoring would take, where nothing was done; None for a method, and in a real run.
    """

    source: Place
    target: Place
    status: Status
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    model: str | None = None
    sigma: float | None = None
    seconds: float = 0.0
    steps: Steps | None = None
    expected: float | None = None
    uncertainty: dict[str, float | str] | None = None
    evidence: dict[str, float | None] | None = None
    half_widths: Place | None = None

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
            **({} if self.uncertainty is None else {"uncertainty": self.uncertainty}),
            **({} if self.half_widths is None else {"half_widths": printable(self.half_widths)}),
            **({} if self.evidence is None else {"evidence": self.evidence}),
            **({} if self.expected is None else {"expected_seconds": round(self.expected, 1)}),
        }


@dataclass(frozen=True)
class BatchReport:
    """What became of all inputs, in their order.

    Attributes:
        results: One for each photograph, and for each folder that could not be used.
        ignored: Files in folders that are no photographs: how many there are of each extension.
        repeated: Inputs left out, for they are other names of photographs that are among the results.
        stopped: What ended the batch early, such as a full disk; None if it went to its end.
        dry_run: Nothing was done; each status says what would have become of the input.
        seconds: That it all took, where several photographs may have been at work at once.
        warnings: What went wrong of the batch as a whole, and of no input.
        earlier: Results of earlier runs that were among the inputs, and were left out.
    """

    results: tuple[Result, ...]
    ignored: Mapping[str, int] = field(default_factory=dict)
    repeated: tuple[Place, ...] = ()
    stopped: str | None = None
    dry_run: bool = False
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    earlier: tuple[Place, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each status."""
        counted = Counter(result.status for result in self.results)
        return {status: counted[status] for status in get_args(Status)}

    @property
    def exit_code(self) -> int:
        """0 if all is done, 1 if an input failed or the batch was stopped."""
        return int(self.stopped is not None or any(result.status == "failed" for result in self.results))

    def to_json(self) -> dict[str, Any]:
        """Plain data: how many of each status, what was left out, and every result."""
        return {
            **self.counts,
            "ignored": {printable(extension): count for extension, count in self.ignored.items()},
            "repeated": [printable(path) for path in self.repeated],
            "earlier": [printable(path) for path in self.earlier],
            "stopped": self.stopped and printable(self.stopped),
            "dry_run": self.dry_run,
            "seconds": round(self.seconds, 3),
            **({"warnings": [printable(warning) for warning in self.warnings]} if self.warnings else {}),
            "results": [result.to_json() for result in self.results],
        }


def printable(text: object) -> str:
    """Without the halves of characters that stand for bytes of a name that is not UTF-8."""
    return str(text).encode(errors="replace").decode()
