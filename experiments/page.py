"""The page of an experiment, whose tables its commands write."""

from __future__ import annotations

from pathlib import Path

__all__ = ["publish"]


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
