"""The progress of a batch, for whoever asks while it runs, and a summary of its results."""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import os
import platform
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resolvent.batch.home import database
from resolvent.batch.manifest import Entry, Manifest
from resolvent.batch.places import Place
from resolvent.batch.report import printable
from resolvent.engine.plan import INVENTED
from resolvent.errors import OutputError, UsageError
from resolvent.io import write_atomic

__all__ = ["Live", "Summary", "status_of", "summarize", "write_csv"]

logger = logging.getLogger("resolvent")

NAME = "status.json"

EVERY = 5.0
"""Seconds between two looks at how far a batch is."""


class Live:
    """How far a running batch is, in a file that others may read while the manifest is held.

    Args:
        manifest: Of the batch.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest, self.path = manifest, manifest.path.with_name(NAME)
        self.begun, self.written = time.time(), -math.inf
        self.finished, self.pixels = 0, 0
        self.reported: tuple[int, int] | None = None

    def finish(self, pixels: int | None) -> None:
        """Count a photograph that this run has finished."""
        self.finished += 1
        self.pixels += pixels or 0

    def write(self, working: int) -> None:
        """Write the file, unless nothing is new or that was done a moment ago; a full disk does without."""
        if self.reported == (self.finished, working) or time.monotonic() - self.written < EVERY:
            return
        self.reported, self.written = (self.finished, working), time.monotonic()
        counts, spent = self.manifest.counts(), time.time() - self.begun
        left = counts["waiting"] + counts["started"]
        facts = {
            "total": sum(counts.values()), "done": counts["done"], "failed": counts["failed"],
            "waiting": max(left - working, 0), "working": working, "seconds": round(spent, 1),
            "photographs_per_second": round(self.finished / spent, 4) if spent else None,
            "megapixels_per_second": round(self.pixels / 1e6 / spent, 4) if spent else None,
            "seconds_left": round(left * spent / self.finished, 1) if self.finished else None,
            "host": platform.node(), "pid": os.getpid(), "updated": round(time.time(), 1),
        }  # fmt: skip
        try:
            write_atomic(self.path, lambda file: file.write(json.dumps(facts).encode()), overwrite=True)
        except OutputError as error:
            logger.debug("%s", error)

    def close(self) -> None:
        """Remove the file: the manifest can be read now."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def status_of(folder: Place) -> dict[str, Any]:
    """Say how far the batch of an output folder is, as plain data; ``running`` says whether a run works there now.

    Raises:
        UsageError: The folder holds no batch.
        InputError: Its manifest is damaged.
    """
    try:
        with Manifest.open(folder, create=False) as manifest:
            counts = manifest.counts()
    except UsageError as error:
        if error.__cause__ is None:  # it is not held, but missing, or of another version
            raise
        try:
            return {"running": True, **json.loads(database(folder).with_name(NAME).read_text())}
        except FileNotFoundError:
            raise UsageError(f"{folder}: a run begins there just now; ask again in a moment") from None
    waiting = counts["waiting"] + counts["started"]
    return {
        "running": False, "total": sum(counts.values()), "done": counts["done"], "failed": counts["failed"],
        "waiting": waiting,
    }  # fmt: skip


@dataclass
class Summary:
    """What has become of a batch.

    Attributes:
        folder: Its output folder.
        counts: Photographs of each state.
        statuses: Of those that are done: how many were restored, left unchanged, found done.
        models: How many each model restored.
        invented: How many of those have invented detail.
        seconds: That all took together, each counted by itself.
        pixels: Of those that were restored.
        failures: Inputs that failed, with their reasons.
        restored: Photographs before and after.
        settings: What was asked for, as plain data.
    """

    folder: Place
    counts: dict[str, int] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    invented: int = 0
    seconds: float = 0.0
    pixels: int = 0
    failures: list[tuple[Place, str]] = field(default_factory=list)
    restored: list[tuple[Place, Place]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float | None:
        """Megapixels that one worker restores in a second."""
        return self.pixels / 1e6 / self.seconds if self.pixels and self.seconds else None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            **self.counts,
            "statuses": dict(self.statuses),
            "models": dict(self.models),
            "invented": self.invented,
            "seconds": round(self.seconds, 3),
            "megapixels": round(self.pixels / 1e6, 3),
            "megapixels_per_second_of_a_worker": None if self.rate is None else round(self.rate, 4),
            "failures": [{"input": printable(path), "reason": printable(why)} for path, why in self.failures],
            "settings": self.settings,
        }


def summarize(manifest: Manifest) -> Summary:
    """Go through all photographs of a batch."""
    found = Summary(manifest.folder, {str(state): count for state, count in manifest.counts().items()})
    found.settings = manifest.fact("settings") or {}
    for entry in manifest.entries():
        if entry.state == "failed":
            reasons = (
                reason.removeprefix(f"{entry.result.get('input')}: ") for reason in entry.result.get("reasons", ())
            )
            found.failures.append((entry.input, "; ".join(reasons)))
        if entry.state != "done":
            continue
        status = entry.result.get("status", "")
        found.statuses[status] += 1
        if status == "restored":
            found.models[entry.result.get("model") or ""] += 1
            found.invented += INVENTED in entry.result.get("reasons", ())
            found.pixels += entry.pixels or 0
            found.seconds += entry.seconds or 0.0 if entry.pixels else 0.0
            found.restored.append((entry.input, entry.output))
    return found


COLUMNS = (
    "input", "output", "state", "status", "model", "sigma", "seconds", "megapixels", "attempts", "input_bytes",
    "input_sha256", "output_bytes", "output_sha256", "reasons", "warnings",
)  # fmt: skip


def table_of(manifest: Manifest) -> Iterator[dict[str, Any]]:
    """A row of plain values for each photograph of a batch."""
    for entry in manifest.entries():
        yield _row(entry)


def _row(entry: Entry) -> dict[str, Any]:
    result, read, written = entry.result, entry.read, entry.written
    return {
        "input": printable(entry.input), "output": printable(entry.output), "state": entry.state,
        "status": result.get("status"), "model": result.get("model"),
        "sigma": result.get("sigma") and round(result["sigma"], 2),
        "seconds": None if entry.seconds is None else round(entry.seconds, 3),
        "megapixels": entry.pixels and round(entry.pixels / 1e6, 4), "attempts": entry.attempts,
        "input_bytes": read and read.size, "input_sha256": read and read.sha256,
        "output_bytes": written and written.size, "output_sha256": written and written.sha256,
        "reasons": "; ".join(result.get("reasons", ())), "warnings": "; ".join(result.get("warnings", ())),
    }  # fmt: skip


def _cell(value: Any) -> Any:
    """A value that a spreadsheet takes for no formula, whatever a photograph is called."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def write_csv(manifest: Manifest, path: Path, *, overwrite: bool) -> None:
    """Write a row for each photograph of a batch, in UTF-8; text that would be a formula is led by an apostrophe.

    Raises:
        OutputError: The file exists, or cannot be written.
    """

    def fill(file: Any) -> None:
        text = io.TextIOWrapper(file, "utf-8", newline="", errors="replace")
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in table_of(manifest))
        text.flush()
        text.detach()

    write_atomic(path, fill, overwrite=overwrite)
