"""Tables of maps of errors: how well each ranks the errors, how wide it has to be, and how often it holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, field, replace

import numpy as np
from error_maps import Array

from resolvent.evaluation.uncertainty import MARGIN, Coverage, Ranking, Trial, cover, fit_factor, rank

DEFINED = (
    "Spearman: correlation of the ranks of |error| and half-width over the values of a photograph, the mean over "
    "photographs; local: of the root mean square error and the mean half-width over windows of 7x7 pixels. AUSE: area "
    "under the sparsification error over all photographs together, 0 as if ordered by the errors themselves, 1 as at "
    "random, of values and of the 7x7 windows. Every map is multiplied by one factor, so that it holds 90 % of the "
    "values of one half of the photographs, and its mean half-width, in gray levels, and its coverage are measured on "
    "the other half, both ways. Extra cost: passes of the network, and CPU time over that of the pass that restores."
)


WORST = (
    "Worst 5 %: mean coverage of the worst photographs; by quartile: coverage among the narrowest quarter of the "
    "intervals of a photograph, to the widest."
)


@dataclass
class Row:
    """A map of errors on all photographs.

    Attributes:
        name: For the table.
        passes: Of the network, beside the one that restores.
        trials: One for each photograph.
        seconds: Of the CPU, for the maps alone.
    """

    name: str
    passes: int
    trials: list[Trial] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, target: Array, y: Array, draw: Callable[[], Array]) -> None:
        """Draw a map and compare it, but for MARGIN pixels at the border."""
        start = time.process_time()
        width = draw()
        self.seconds += time.process_time() - start
        self.trials.append(Trial.of(y, target, width, MARGIN))


def factors(trials: Sequence[Trial]) -> tuple[float, float]:
    """What each of two halves of the photographs, every second one, needs to be multiplied by."""
    return fit_factor(trials[::2]), fit_factor(trials[1::2])


def crossed(trials: Sequence[Trial], fitted: tuple[float, float]) -> list[Trial]:
    """Every trial's width multiplied by the factor of the half that it is not in."""
    return [replace(each, width=np.float32(fitted[1 - i % 2]) * each.width) for i, each in enumerate(trials)]


def ranking(trials: Sequence[Trial]) -> Ranking | None:
    """How well a map ranks the errors; None for one that says the same everywhere."""
    return None if all(np.ptp(each.width) == 0 for each in trials) else rank(trials)


def ranks(found: Ranking | None) -> list[str]:
    """Cells: Spearman, local, AUSE and that of windows."""
    return ["–"] * 4 if found is None else [f"{number:.3f}" for number in astuple(found)]


def holds(found: Coverage) -> list[str]:
    """Cells: mean half-width, coverage, that of the worst 5 % and of the quartiles."""
    quartiles = " ".join(f"{share:.3f}" for share in found.quartiles)
    return [f"{found.width:.2f}", f"{found.inside:.3f}", f"{found.worst:.3f}", quartiles]


def markdown(head: str, rows: Iterable[Sequence[str]]) -> str:
    """A table; ``head`` names its columns, with | between them."""
    columns = head.split(" | ")
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows))


def table(rows: Sequence[Row], pass_seconds: float) -> str:
    """A line for each map; ``pass_seconds`` of the CPU restored all photographs."""
    lines = []
    for row in rows:
        found = cover(crossed(row.trials, factors(row.trials)), 1.0)
        cost = [f"+{row.passes}", f"+{row.seconds / pass_seconds:.2f}"]
        lines.append([row.name, *ranks(ranking(row.trials)), *holds(found)[:2], *cost])
    return markdown("map | Spearman | local | AUSE | AUSE 7x7 | half-width | coverage | passes | CPU", lines)
