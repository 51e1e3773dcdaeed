"""PSNR and SSIM of every bundled model, of methods and of published figures, on sets of photographs.

python benchmarks/quality.py denoise --images SETS [--limit 12] [--figure]

SETS is a folder of folders of photographs, such as CBSD68 and Kodak24, or one such folder. The figures are those
of ``resolvent benchmark all --tasks TASK --images SETS``; this script writes them into RESULTS.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from results import RESULTS, write_section

from resolvent.evaluation.benchmark import TASKS
from resolvent.evaluation.suite import markdown_suite, published, suite
from resolvent.provenance import provenance
from resolvent.report.pareto import pareto


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--images", type=Path, required=True, help="folder of folders of photographs")
    parser.add_argument("--limit", type=int, help="number of photographs of each set, the first ones by name")
    parser.add_argument("--figure", action="store_true", help="also draw PSNR against time")
    options = parser.parse_args()

    rows = suite(options.images, tasks=[options.task], limit=options.limit, progress=print)
    command = f"python benchmarks/quality.py {options.task} --images {options.images.name}/"
    command += f" --limit {options.limit}" * bool(options.limit) + " --figure" * options.figure
    body = markdown_suite(rows)
    path = RESULTS.with_name(f"pareto-{options.task}.svg")
    drawn = pareto(rows, published(), task=options.task, footer=str(provenance())) if options.figure else b""
    if drawn:
        body = f"![PSNR against seconds per megapixel]({path.name})\n\n{body}"
    write_section(f"Quality: {options.task}", command, body)
    if drawn:  # last, since a changed file would mark the commit as dirty
        path.write_bytes(drawn)


if __name__ == "__main__":
    main()
