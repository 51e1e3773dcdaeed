"""The page of an experiment, whose tables its command writes."""

from __future__ import annotations

from pathlib import Path

__all__ = ["fill"]

BEGIN, END = "<!-- tables -->", "<!-- /tables -->"


def fill(page: Path, text: str) -> None:
    """Put the tables between the marks of the page."""
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", "utf-8")
