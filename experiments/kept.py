"""Results of single runs on disk, so that an experiment that was stopped goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["kept"]


def kept(path: Path, settings: dict[str, Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Measure, and keep the result in a file; read it from there if it was measured with the same settings."""
    settings = json.loads(json.dumps(settings))
    if path.exists():
        stored = json.loads(path.read_text("utf-8"))
        if stored["settings"] == settings:
            return dict(stored["result"])
    result = measure()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"settings": settings, "result": result}), "utf-8")
    part.replace(path)
    return result
