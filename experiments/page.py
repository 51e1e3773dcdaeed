"""What an experiment writes: its results, and the tables of its page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["publish", "save"]


def save(path: Path, results: dict[str, Any], indent: int | None = 1) -> None:
    """Write results as JSON into a folder, which is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=indent, ensure_ascii=False) + "\n", "utf-8")


def publish(folder: Path, text: str, name: str = "tables") -> None:
    """Print text, and put it into the README.md of a folder, if there is one.

    There it stands between the marks of that name, ``<!-- tables -->`` and ``<!-- /tables -->``.
    """
    print(text)
    page = folder / "README.md"
    if not page.exists():
        return
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, _, rest = page.read_text("utf-8").partition(begin)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}", "utf-8")
