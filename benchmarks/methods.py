"""Compare every method with a published or an exact figure: the table of verification in RESULTS.md.

python benchmarks/methods.py --data DATA [--only nlm csc-oracle ...] [--threads 1]

DATA holds the sets as folders: Set12, Set5, CSet9, and kernels/levin09.npz in it or next to it. Each check stores its
rows, with the commit and the machine, in ``methods.json``, so that checks can be run one at a time; those that were not
run are listed as such. Only ``csc-oracle`` needs sporco.

python benchmarks/methods.py --merge OTHER/benchmarks/methods.json ...

merges the results of other checkouts or machines, and runs nothing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from checks import classical, cost, untrained
from checks.common import Row
from results import load, write_section

from resolvent.provenance import provenance

KEPT = Path(__file__).with_name("methods.json")


CHECKS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "cost": cost.costs,
    "memory": cost.memory,
    "nlm": partial(classical.denoise_set12, "nlm", "31.15 / 28.68 / 25.02 (scikit-image)"),
    "tv": partial(classical.denoise_set12, "tv", "none"),
    "wavelet": partial(classical.denoise_set12, "wavelet", "none"),
    "csc": partial(classical.denoise_set12, "csc", "none"),
    "csc-inpaint": partial(
        classical.inpaint, "csc", {"02": "34.58 (Papyan)", "09": "28.14 (Papyan)", "03": "31.11 (Papyan)"}
    ),
    "csc-oracle": classical.csc_oracle,
    "self-similarity": partial(
        classical.enlarge_set5,
        "self-similarity",
        {2: "35.43 (Glasner, by Huang)", 3: "31.10 (Glasner, by Huang)", 4: "28.84 (Glasner, by Huang)"},
    ),
    "pnp-deblur": classical.pnp_deblur,
    "pnp-enlarge": partial(
        classical.enlarge_set5, "pnp", {2: "33.64 (bicubic)", 4: "28.42 (bicubic)"}, assumed="noise:sigma=0.1"
    ),
    "pnp-inpaint": partial(classical.inpaint, "pnp", {"02": "39.16 (DIP)", "09": "32.22 (DIP)", "03": "33.05 (DIP)"}),
    "red": classical.red_deblur,
    "dip": untrained.dip_pair,
    "dip-cset9": partial(untrained.denoise_cset9, "dip"),
    **{f"dip-enlarge-{n}": partial(untrained.enlarge_set5, "dip", numbers=[n]) for n in range(1, 6)},
    "dip-fast-enlarge": partial(untrained.enlarge_set5, "dip-fast"),
    "dip-fast-stop": partial(
        untrained.stopping,
        text=untrained.SIGMA,
        files=["CSet9/image_House256rgb.png", "CSet9/kodim03.png"],
        names=["variance", "discrepancy"],
        iterations=3000,
    ),
    "dip-fast-stop-jpeg": partial(
        untrained.stopping,
        text="jpeg:quality=10",
        files=["CSet9/image_House256rgb.png", "CSet9/kodim03.png"],
        names=["variance", "none"],
    ),
    "dip-fast-stop-enlarge": partial(
        untrained.stopping,
        text="downsample:scale=4,kernel=lanczos2",
        files=["Set5/img_003_SRF_4_HR.png", "CSet9/kodim03.png"],
        names=["variance", "none"],
    ),
    "dip-fast-stop-mask": partial(
        untrained.stopping,
        text="mask:keep=0.5,seed=0",
        files=["CSet9/image_House256rgb.png"],
        names=["variance", "none"],
    ),
    "multi-target-dip": untrained.multi_target,
    "p-gsure": untrained.overfitting,
    "p-gsure-deblur": untrained.gsure_deblur,
    "p-gsure-enlarge": untrained.gsure_enlarge,
    "med": untrained.med_grid,
}


def table(stored: dict[str, Any]) -> str:
    """All rows, and what was not run."""
    lines = ["| method | what | published or exact | ours | CPU seconds | command: `--only` |", "|---" * 6 + "|"]
    origins: dict[str, list[str]] = {}
    for name in CHECKS:
        if name not in stored:
            lines.append(f"| {name} | not run | | | | `{name}` |")
            continue
        origins.setdefault(stored[name]["origin"], []).append(name)
        for row in stored[name]["rows"]:
            cells = [row["method"], row["what"], row["published"], row["ours"], f"{row['seconds']:.0f}", f"`{name}`"]
            lines.append("| " + " | ".join(cells) + " |")
    measured = [f"- {', '.join(names)}: {origin}" for origin, names in origins.items()]
    return "\n".join([*lines, "", "Each check where it was last run:", "", *measured])


def keep(stored: dict[str, Any]) -> None:
    """Write them."""
    KEPT.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", "utf-8")


def measured_at(check: dict[str, Any]) -> str:
    """When a check was run, as text that sorts."""
    return str(check["origin"].rsplit("; ", 1)[-1])


def main() -> None:
    """Run the checks, keep their rows, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path)
    what.add_argument("--merge", type=Path, nargs="+")
    parser.add_argument("--only", nargs="+", choices=list(CHECKS), default=list(CHECKS))
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.merge:
        stored = load(KEPT)
        for path in options.merge:
            for name, check in json.loads(path.read_text("utf-8")).items():
                stored[name] = max(check, stored.get(name, check), key=measured_at)
        keep(stored)
    else:
        origin = str(provenance())  # before anything is written
        for name in options.only:
            rows = []
            for row in CHECKS[name](options.data):
                print(f"{row.method}: {row.what}: {row.published}: {row.ours} ({row.seconds:.0f} s)", flush=True)
                rows.append(asdict(row))
            keep({**load(KEPT), name: {"rows": rows, "origin": origin}})
    stored = load(KEPT)
    body = (
        "PSNR in dB, of floats clipped to [0, 1]; noise is float, not clipped, seed 0. Set5: Y, border of the "
        "scale cut, 8 bit.\n\n" + table(stored)
    )
    newest = max(stored.values(), key=measured_at)["origin"]
    write_section("Methods: verification", "python benchmarks/methods.py --data DATA", body, newest)


if __name__ == "__main__":
    main()
