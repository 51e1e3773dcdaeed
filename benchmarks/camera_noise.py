"""Compare the noise of ``camera`` with that of real cameras: level, and correlation of neighbors and colors.

python benchmarks/camera_noise.py --images POLYU [--degradation TEXT ...]

The folder holds pairs NAME_mean and NAME_real: the mean of many exposures, and one of them. The noise is their
difference; that of a degradation is its result less the mean. Slow drift is subtracted (the mean of 31x31 pixels), and
only the smoother half of each picture counts, where motion between two exposures and the effect of demosaicing on
edges are small.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from results import write_section
from scipy.ndimage import uniform_filter

from resolvent.degradations import degrade
from resolvent.image import read_image

Array = NDArray[np.float32]

POLYU = (
    "camera:iso=300..3000,lens=0,tone=0.5..1,malvar=1,denoise=0..1,chroma=4..10,sharpen=0..0.4,soft=0.3..0.6"
    " + jpeg:quality=75"
)
TEXTS = {
    "`camera`, set to match PolyU": POLYU,
    "`camera`, default range": "camera + jpeg:quality=75..100,top=0..7,left=0..7",
    "white noise": "noise:sigma=4 + jpeg:quality=75",
}
EDGES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0)
DRIFT = 31
COLORS = ("R", "G", "B")
PAIRS = ((0, 1), (1, 2), (0, 2))


@dataclass(frozen=True)
class Noise:
    """The noise of one picture.

    Attributes:
        level: Standard deviation of each channel, gray levels of 255.
        neighbors: Correlation of each channel at one pixel and at two, the mean of both directions, (2, 3).
        colors: Correlation between red and green, green and blue, red and blue.
        brightness: Standard deviation over the channels, for each interval of brightness; NaN where it is not met.
        psnr: In dB, over RGB and all pixels.
    """

    level: Array
    neighbors: Array
    colors: Array
    brightness: Array
    psnr: float


def measure(clean: Array, noisy: Array) -> Noise:
    """Measure the noise of a picture (H, W, 3) in [0, 1]."""
    noise = 255 * (noisy - clean)
    noise -= uniform_filter(noise, (DRIFT, DRIFT, 0))
    luma = clean.mean(2)
    mean = uniform_filter(luma, 7)
    texture = uniform_filter((luma - mean) ** 2, 7)
    plain = texture <= np.median(texture)
    level = [_deviation(noise[..., c][plain]) for c in range(3)]
    neighbors = [
        [
            np.mean([
                _correlation(noise[: len(noise) - d, :, c], noise[d:, :, c], plain[: len(plain) - d] & plain[d:]),
                _correlation(noise[:, :-d, c], noise[:, d:, c], plain[:, :-d] & plain[:, d:]),
            ])
            for c in range(3)
        ]
        for d in (1, 2)
    ]  # fmt: skip
    colors = [_correlation(noise[..., a], noise[..., b], plain) for a, b in PAIRS]
    within = [plain & (low <= mean) & (mean < high) for low, high in pairwise(EDGES)]
    brightness = [_deviation(noise[w]) if w.sum() > 500 else np.nan for w in within]
    psnr = -10 * np.log10(np.mean((np.clip(noisy, 0, 1) - clean) ** 2))
    return Noise(*(np.array(values, np.float32) for values in (level, neighbors, colors, brightness)), float(psnr))


def _deviation(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _correlation(one: Array, other: Array, where: NDArray[np.bool_]) -> float:
    a, b = one[where], other[where]
    return float((a * b).mean() / np.sqrt((a**2).mean() * (b**2).mean()))


def rows(label: str, found: list[Noise]) -> tuple[str, str]:
    """The lines of both tables: means over the pictures, and their standard deviation."""

    def cell(values: Iterable[float], digits: int) -> str:
        given = np.array([value for value in values if not np.isnan(value)])
        return f"{given.mean():.{digits}f} ± {given.std():.{digits}f}" if len(given) else ""

    level = [cell((one.level[c] for one in found), 1) for c in range(3)]
    neighbors = [cell((one.neighbors[d].mean() for one in found), 2) for d in range(2)]
    colors = [cell((one.colors[k] for one in found), 2) for k in range(3)]
    first = [label, *level, *neighbors, *colors, f"{np.mean([one.psnr for one in found]):.2f}"]
    second = [label, *(cell((one.brightness[k] for one in found), 1) for k in range(len(EDGES) - 1))]
    return f"| {' | '.join(first)} |", f"| {' | '.join(second)} |"


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--degradation", nargs="+", help="compare these instead; nothing is written")
    options = parser.parse_args()
    texts = {f"`{text}`": text for text in options.degradation} if options.degradation else TEXTS
    means = sorted(options.images.glob("*_mean.*"))
    if not means:
        raise SystemExit(f"{options.images}: holds no pair NAME_mean, NAME_real")
    clean = [read_image(path).pixels for path in means]
    real = [read_image(path.with_name(path.name.replace("_mean.", "_real."))).pixels for path in means]

    heads = [f"std {color}" for color in COLORS] + ["at 1 pixel", "at 2 pixels"]
    heads += [f"{COLORS[a]}-{COLORS[b]}" for a, b in PAIRS] + ["PSNR"]
    intervals = [f"{low:g} to {high:g}" for low, high in pairwise(EDGES)]
    tables = [[f"| noise of | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"] for names in (heads, intervals)]
    measured = {options.images.name: [measure(x, y) for x, y in zip(clean, real, strict=True)]}
    for label, text in texts.items():
        measured[label] = [measure(x, degrade(x, text, seed=i)) for i, x in enumerate(clean)]
    for label, found in measured.items():
        for table, line in zip(tables, rows(label, found), strict=True):
            table.append(line)
    body = "\n".join([
        *tables[0], "", "Standard deviation of all channels by brightness, from 0 to 1:", "", *tables[1], "",
        *(f"- {label}: `{text}`." for label, text in texts.items() if not options.degradation),
        f"- Mean over the {len(means)} pictures ± their standard deviation; std in gray levels of 255; correlations at "
        "1 and 2 pixels are the mean over channels and both directions; on the smoother half of each picture. PSNR "
        "in dB, over RGB, all pixels. Picture i has the random seed i.",
    ])  # fmt: skip
    if options.degradation:
        print(body)
    else:
        write_section("Noise of a camera", f"python benchmarks/camera_noise.py --images {options.images.name}", body)


if __name__ == "__main__":
    main()
