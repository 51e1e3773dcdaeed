"""What became of a batch, as one HTML file: figures, failures, and a sample of the photographs before and after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from resolvent.errors import ResolventError
from resolvent.image import Limits
from resolvent.report.before_after import before_after
from resolvent.report.page import document, table

__all__ = ["batch_page"]

SIDE = 480
"""The longest side of a sample, in pixels."""

ANY = Limits(math.inf, math.inf)


def batch_page(
    title: str,
    lead: str,
    tables: Sequence[tuple[str, Sequence[Sequence[str]]]],
    sample: Sequence[tuple[Path, Path]],
    *,
    frame: int = 1,
) -> str:
    """Give the page.

    Args:
        title: Heading.
        lead: A sentence or two below it.
        tables: Each with its heading and its lines, of which the first names the columns.
        sample: Paths of photographs before and after; one that is not there any more is left out.
        frame: The page or frame of the photographs before, from 1.
    """
    figures = []
    for before, after in sample:
        try:
            figures.append(before_after(before, after, frame=frame, limits=ANY, side=SIDE))
        except ResolventError as error:
            figures.append(f"<figure><figcaption>{escape(str(error))}</figcaption></figure>")
    shown = f"<h2>A sample</h2><div class='photographs'>{''.join(figures)}</div>" if figures else ""
    return document(title, lead, "".join(table(name, lines) for name, lines in tables) + shown)
