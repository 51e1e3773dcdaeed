"""The page of an experiment, whose tables its commands write."""

from __future__ import annotations

from pathlib import Path

__all__ = ["fill"]


def fill(page: Path, text: str, name: str = "tables") -> None:
    """Put text between the marks of that name, ``<!-- tables -->`` and ``<!-- /tables -->``, of the page."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, _, rest = page.read_text("utf-8").partition(begin)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}", "utf-8")
