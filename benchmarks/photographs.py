"""What ``resolvent restore`` does to real photographs: gains, harm, the choice of the model.

python benchmarks/photographs.py --data DATA [--drawings DIR] [--only polyu jpegs ...] [--limit 4]
python benchmarks/photographs.py --table
python benchmarks/photographs.py --data DATA --crops OUTPUT [--photographs DIR ...] [--limit 4]

DATA holds val, flowers and test, and test the sets PolyU, CBSD68, Kodak24, Set5 and LIVE1. Each check writes its
section of RESULTS.md, and its figures, with the commit and the machine, into ``photographs.json``, so that they can be
run one at a time; with --limit nothing is written. --table writes the table of goals from the stored figures. --crops
writes a page of crops of PolyU, and of other photographs, before and after.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from photo_checks import choice, gains, harm, literature
from photo_checks.common import Finding, Sets
from photo_checks.crops import crops
from photo_checks.goals import goals_table
from results import load, write_section

from resolvent.models.registry import list_models, read_card
from resolvent.provenance import provenance

KEPT = Path(__file__).with_name("photographs.json")
BEFORE = Path(__file__).with_name("photographs-fd56309.json")

CHECKS: dict[str, tuple[str, Callable[[Sets], Finding]]] = {
    "polyu": ("noise of real cameras", harm.polyu),
    "harmless": ("nothing ends worse", harm.harmless),
    "jpegs": ("good JPEG files", harm.jpegs),
    "again": ("restored again", harm.again),
    "thumbnails": ("thumbnails enlarged", gains.thumbnails),
    "color-jpeg": ("JPEG in color", gains.color_jpeg),
    "real-blur": ("defocus and motion", gains.real_blur),
    "flowers": ("flowers of the founding paper", gains.flowers),
    "choice": ("the choice of the model", choice.choice),
    "denoise": ("known noise, `denoise` and `restore`", literature.denoise),
    "upscale": ("enlarging", literature.upscale),
    "dejpeg": ("JPEG of the luma", literature.dejpeg),
}


def keep(path: Path, name: str, finding: Finding, origin: str, seconds: float) -> None:
    """Put a check into the file."""
    row = {**asdict(finding), "origin": origin, "seconds": round(seconds)}
    text = json.dumps({**load(path), name: row}, indent=1, ensure_ascii=False, default=_plain)
    path.write_text(text + "\n", "utf-8")


def _plain(number: Any) -> Any:
    """NumPy's numbers as Python's."""
    if isinstance(number, np.generic):
        return number.item()
    raise TypeError(f"{number!r} cannot be kept as JSON")


def measure(names: list[str], sets: Sets, before: bool) -> None:
    """Run checks; keep and write each as soon as it is done, unless they are limited."""
    origin = str(provenance())  # before anything is written
    for name in names:
        title, check = CHECKS[name]
        print(f"{name}: {title}", flush=True)
        started = time.process_time()
        finding = check(sets)
        seconds = time.process_time() - started
        if sets.limit is not None:
            print(
                f"{finding.markdown()}\n\n{seconds:.0f} CPU seconds, {sets.limit} of each set: not stored\n", flush=True
            )
            continue
        keep(BEFORE if before else KEPT, name, finding, origin, seconds)
        if before:
            print(finding.markdown(), flush=True)
        else:
            drawings = " --drawings DRAWINGS" if name == "harmless" and sets.drawings else ""
            command = f"python benchmarks/photographs.py --data DATA{drawings} --only {name}"
            write_section(f"Photographs: {title}", command, finding.markdown(), origin)


def write_table() -> None:
    """Write the section of the goals."""
    now = load(KEPT)
    origins: dict[str, list[str]] = {}
    for name in CHECKS:
        if name in now:
            origins.setdefault(now[name]["origin"], []).append(name)
    measured = [f"- {', '.join(names)}: {origin}" for origin, names in origins.items()]
    parts = [goals_table(load(BEFORE), now), "", "Each check where it was last run:", "", *measured, "", hours_table()]
    body = "\n".join(parts)
    write_section("Photographs: goals", "python benchmarks/photographs.py --table", body)


def hours_table() -> str:
    """What training each bundled model took, by its card, in Markdown."""
    lines = ["| model | hours | steps | on | ended | at |", "|---" * 6 + "|"]
    for card in map(read_card, list_models()):
        machine = card.hardware.partition(";")[0]
        hours = f"{card.seconds / 3600:.2f}"
        lines.append(f"| `{card.name}` | {hours} | {card.steps} | {machine} | {card.created} | {card.commit[:7]} |")
    return "\n".join(["The last training of each model; those that it started from are not counted:", "", *lines])


def main() -> None:
    """Measure, put the table together, or write the page of crops."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of val, flowers and test")
    parser.add_argument("--drawings", type=Path, help="folder of drawings, by benchmarks/drawings.py; for harmless")
    parser.add_argument("--only", nargs="+", choices=list(CHECKS), default=list(CHECKS))
    parser.add_argument(
        "--limit", type=int, help="number of photographs of each set, the first ones by name; nothing is written"
    )
    parser.add_argument("--before", action="store_true", help="store the figures as those of fd56309, write no section")
    parser.add_argument("--table", action="store_true", help="write the table of goals from the stored figures")
    parser.add_argument("--crops", type=Path, metavar="OUTPUT", help="folder for a page of crops")
    parser.add_argument("--photographs", type=Path, nargs="+", default=[], help="more folders to show on it")
    options = parser.parse_args()
    if options.table:
        write_table()
        return
    if options.data is None:
        parser.error("--data is missing; give the folder of val, flowers and test, or --table")
    sets = Sets(options.data, options.drawings, options.limit)
    if options.crops:
        crops(sets, options.photographs, options.crops)
    else:
        measure(options.only, sets, options.before)


if __name__ == "__main__":
    main()
