"""What became of a batch, as one HTML file: figures, failures, and a sample of the photographs before and after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from resolvent.errors import ResolventError
from resolvent.image import Limits
from resolvent.report.before_after import before_after
from resolvent.report.page import CONTROL, document, table

__all__ = ["batch_page"]

SIDE = 480
"""The longest side of a sample, in pixels."""

ANY = Limits(math.inf, math.inf)


def batch_page(
    title: str,
    lead: str,
    tables: Sequence[tuple[str, Sequence[Sequence[str]]]],
    failures: tuple[str, Sequence[tuple[str, str]]],
    sample: Sequence[tuple[Path, Path]],
    *,
    frame: int = 1,
) -> str:
    """Give the page.

    Args:
        title: Heading.
        lead: A sentence or two below it.
        tables: Each with its heading and its lines, of which the first names the columns.
        failures: A heading, and the names of photographs with what went wrong.
        sample: Paths of photographs before and after; one that is not there any more is left out.
        frame: The page or frame of the photographs before, from 1.
    """
    heading, failed = failures
    lines = "".join(
        f'<tr><th scope="row" class="prose">{escape(name)}</th><td class="prose">{escape(reason)}</td></tr>'
        for name, reason in failed
    )
    failed_table = f"<h2>{escape(heading)}</h2><table><tbody>{lines}</tbody></table>" if failed else ""
    figures = []
    for before, after in sample:
        try:
            figures.append(before_after(before, after, frame=frame, limits=ANY, side=SIDE))
        except ResolventError as error:
            figures.append(f"<figure><figcaption>{escape(str(error))}</figcaption></figure>")
    shown = (
        f'<h2>{len(figures)} of those restored</h2>{CONTROL}<div class="photographs">{"".join(figures)}</div>'
        if figures
        else ""
    )
    return document(title, lead, "".join(table(name, lines) for name, lines in tables) + failed_table + shown)
