"""Keep ``RESULTS.md``: each benchmark writes its own section, with the commit and the machine that it ran on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resolvent.provenance import provenance

RESULTS = Path(__file__).parent / "RESULTS.md"
TITLE = "# Results\n\nEach section is written by the command that it names.\n"


def write_section(title: str, command: str, body: str, origin: str | None = None) -> None:
    """Replace the section of that title, or add it at the end; ``origin`` replaces this commit and machine."""
    section = f"## {title}\n\n`{command}`\n\n{body.strip()}\n\nMeasured on: {origin or provenance()}\n"
    text = RESULTS.read_text("utf-8") if RESULTS.exists() else TITLE
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    replaced, found = pattern.subn(lambda _: section + "\n", text)
    text = replaced if found else text.rstrip("\n") + "\n\n" + section
    RESULTS.write_text(text.rstrip("\n") + "\n", "utf-8")
    print(section)


def load(path: Path) -> dict[str, Any]:
    """What is kept, by check; nothing where there is no file yet."""
    stored: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return stored


@dataclass(frozen=True)
class Run:
    """One finished process.

    Attributes:
        wall: Seconds from start to end.
        cpu: Seconds of all its threads, system time included.
        peak: Largest resident size in bytes, as the kernel accounts it.
    """

    wall: float
    cpu: float
    peak: int


def measure(command: list[str]) -> Run:
    """Run a command to its end; a failure ends the benchmark with the error message of the command."""
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        if status:
            errors.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{errors.read()}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
