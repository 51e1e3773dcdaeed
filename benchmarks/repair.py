"""Repair of old photographs: damage found and filled, and known holes filled by several methods.

python benchmarks/repair.py --images DIR [--limit 12] [--compare 4]

DIR holds sharp photographs that no model was trained on. Each is damaged by the degradations of DAMAGE, with the number
of the photograph as the seed, and rounded to 8 bits; so that the limit does not change the damage of a photograph.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from results import write_section
from scipy import ndimage

import resolvent
from resolvent.degradations import Mask, parse
from resolvent.engine.repair import GROWN
from resolvent.engine.restore import plan
from resolvent.engine.run import run
from resolvent.evaluation.benchmark import center_square
from resolvent.evaluation.files import find_images
from resolvent.evaluation.metrics import psnr
from resolvent.image import Image, read_image

Pixels = NDArray[np.float32]

DAMAGE = {
    "scratches": "scratches:count=10,width=2 + noise:sigma=3",
    "dust": "dust:amount=0.003,size=5,hairs=6 + noise:sigma=3",
    "creases": "creases:count=2,width=3 + noise:sigma=3",
    "all": "scratches:count=6,width=2 + dust:amount=0.002,size=5,hairs=3 + creases + jpeg:quality=90",
    "none": "jpeg:quality=90",
}
HOLES = {
    "scratches, 2 pixels": "scratches:count=10,width=2",
    "creases, 3 pixels": "creases:count=3,width=3",
    "blobs of 16 pixels, 10 %": "holes:amount=0.1,size=16",
    "letters of 16 pixels": "holes:shape=letters,size=16",
}
SIDE = 128
"""Of the center that the methods are compared on, in pixels."""


def error(image: Pixels, clean: Pixels, where: NDArray[np.bool_]) -> float:
    """PSNR-RGB in dB over some pixels."""
    return float(-10 * np.log10(np.square(np.clip(image, 0, 1) - clean)[where].mean()))


def found(clean: Pixels, text: str, seed: int) -> dict[str, float]:
    """Damage one photograph, repair it, and measure both the mask and the result."""
    degraded, marked = parse(text).with_mask(clean, np.random.default_rng(seed))
    scan = Image.from_array(np.rint(255 * np.clip(degraded, 0, 1)).astype(np.uint8))
    began = time.process_time()
    chosen = plan(scan, repair=True)
    repaired = run(scan, chosen).image
    seconds = time.process_time() - began
    truth = marked > 0
    near = ndimage.binary_dilation(truth, np.ones((3, 3)), GROWN + 2) if truth.any() else truth
    mask = np.zeros(truth.shape, bool) if chosen.mask is None else chosen.mask
    by_truth = resolvent.restore(scan, mask=ndimage.binary_dilation(truth, np.ones((3, 3)))) if truth.any() else scan
    return {
        "damaged": float(truth.mean()),
        "found": float((mask & truth).sum() / truth.sum()) if truth.any() else np.nan,
        "false": float((mask & ~near).mean()),
        "input": psnr(scan.pixels, clean),
        "repaired": psnr(repaired.pixels, clean),
        "true mask": psnr(by_truth.pixels, clean),
        "seconds": seconds / (truth.size / 1e6),
    }


def filled(clean: Pixels, text: str, seed: int) -> dict[str, tuple[float, float]]:
    """Fill the holes of one photograph by each method: PSNR over the holes, and CPU seconds."""
    holed, marked = parse(text).with_mask(clean, np.random.default_rng(seed))
    holes = ndimage.binary_dilation(marked > 0, np.ones((3, 3)))
    known = Mask(array=~holes)
    means = {
        "inpaint": lambda: resolvent.restore(holed, mask=holes),
        "pnp": lambda: resolvent.restore(known(holed), method="pnp", degradation=known),
    }
    figures = {}
    for name, restore in means.items():
        began = time.process_time()
        restored = restore()
        figures[name] = error(restored, clean, holes), time.process_time() - began
    return figures


def mean(rows: list[dict[str, float]], key: str) -> float:
    """Over the photographs."""
    return float(np.mean([row[key] for row in rows]))


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder of sharp photographs")
    parser.add_argument("--limit", type=int, help="number of photographs, the first ones by name")
    parser.add_argument("--compare", type=int, default=4, help="number of photographs on which methods are compared")
    options = parser.parse_args()

    files = find_images(options.images)[: options.limit]
    photographs = [read_image(file).pixels for file in files]
    lines = [
        f"Damage found and filled by `resolvent restore --repair`: {options.images.name}, {len(files)} photographs. "
        "Found: share of the damaged pixels. False: share of the whole photograph that is found, and further than "
        f"{GROWN + 2} pixels from any damage. PSNR-RGB in dB over the whole photograph, 8-bit; true mask: filled by "
        "`--mask` with the true mask.",
        "",
        "| damage | damaged | found | false | PSNR of the input | repaired | true mask | CPU s per megapixel |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, text in DAMAGE.items():
        rows = [found(clean, text, seed) for seed, clean in enumerate(photographs)]
        share = "" if np.isnan(rows[0]["found"]) else f"{100 * mean(rows, 'found'):.1f} %"
        lines.append(
            f"| {name} | {100 * mean(rows, 'damaged'):.2f} % | {share} | {100 * mean(rows, 'false'):.3f} % "
            f"| {mean(rows, 'input'):.2f} | {mean(rows, 'repaired'):.2f} | {mean(rows, 'true mask'):.2f} "
            f"| {mean(rows, 'seconds'):.2f} |"
        )
        print(lines[-1], flush=True)
    lines += ["", *(f"- {name}: `{text}`" for name, text in DAMAGE.items()), ""]

    few = [center_square(clean, SIDE, file.name) for clean, file in zip(photographs, files, strict=True)]
    few = few[: options.compare]
    lines += [
        f"Known holes filled: the middle {SIDE}x{SIDE} of the first {len(few)}. PSNR-RGB in dB over the holes alone; "
        "CPU seconds, with loading of the model.",
        "",
        "| holes | `inpaint` | CPU s | `pnp` | CPU s |",
        "|---|---|---|---|---|",
    ]
    for name, text in HOLES.items():
        figures = [filled(clean, text, seed) for seed, clean in enumerate(few)]
        cells = [
            " | ".join(f"{value:.2f}" for value in np.mean([figure[method] for figure in figures], 0))
            for method in ("inpaint", "pnp")
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    command = f"python benchmarks/repair.py --images {options.images.name}"
    command += f" --limit {options.limit}" * bool(options.limit)
    command += f" --compare {options.compare}" * (options.compare != 4)
    write_section("Repair: old photographs", command, "\n".join(lines))


if __name__ == "__main__":
    main()
