"""PSNR and SSIM of bundled models and methods on folders of sharp photographs.

python benchmarks/quality.py denoise --images CBSD68 Kodak24 --methods nlm [--limit 12]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from results import write_section

from resolvent.evaluation.benchmark import TASKS, benchmark
from resolvent.evaluation.report import markdown_tables


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="folders of sharp photographs")
    parser.add_argument(
        "--levels", type=float, nargs="+", default=[], help="of the degradation; the task's own if not given"
    )
    parser.add_argument("--methods", nargs="*", default=[], help="methods to compare with")
    parser.add_argument("--limit", type=int, help="only the first so many photographs of each folder")
    options = parser.parse_args()

    rows = [
        row
        for folder in options.images
        for row in benchmark(options.task, folder, levels=options.levels, methods=options.methods, limit=options.limit)
    ]
    named = " ".join(folder.name for folder in options.images)
    command = f"python benchmarks/quality.py {options.task} --images {named}"
    if options.levels:
        command += " --levels " + " ".join(f"{level:g}" for level in options.levels)
    if options.methods:
        command += f" --methods {' '.join(options.methods)}"
    if options.limit:
        command += f" --limit {options.limit}"
    write_section(f"Quality: {options.task}", command, markdown_tables(rows))


if __name__ == "__main__":
    main()
