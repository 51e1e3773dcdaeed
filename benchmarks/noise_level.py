"""Evaluate the estimate of camera noise and the denoising with it; or learn the estimate.

python benchmarks/noise_level.py --pairs PolyU/
python benchmarks/noise_level.py --images TRAIN --learn [--count 6000] [--cases FILE]

A pair is NAME_real.JPG, one exposure, and NAME_mean.JPG, the mean of many of the same scene; their difference is the
noise. A name begins with that of the camera. The factors of ``diagnosis.level`` are fitted to the cameras of FITTED and
checked on the others. To learn, squares of other photographs and drawings are given noise of every kind; the result
replaces the bundled ``level.npz``.

J. Xu, H. Li, Z. Liang, D. Zhang, L. Zhang, Real-world Noisy Image Denoising: A New Benchmark, 2018,
https://arxiv.org/abs/1804.02603
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from results import write_section

import resolvent.diagnosis
from resolvent.diagnosis import Measurements, measure
from resolvent.diagnosis.level import DENOISER_FACTOR, HIDDEN_BY_JPEG
from resolvent.engine.restore import plan
from resolvent.engine.run import run
from resolvent.evaluation.choice import drawing
from resolvent.evaluation.files import find_images
from resolvent.evaluation.level import KINDS, LevelCase, learn_levels, make_level_case, noise_statistics, page
from resolvent.evaluation.metrics import psnr
from resolvent.image import Image, read_image
from resolvent.inference.runtime import open_session
from resolvent.provenance import provenance

FITTED = ("Canon5D2", "Canon80D")
"""Cameras that the factors are fitted to."""
GRID = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20)
"""Noise levels tried for the denoiser, in gray levels."""
FIXED = 7
"""The best of them for all the fitted cameras together."""
SIDE = 256
"""Pixels of the center that is denoised."""
DRAWINGS = 0.12
"""Share of the squares that are drawings or pages of text."""
FIRST_SEED = 20_000_000
"""First random seed for learning."""


@dataclass(frozen=True)
class Found:
    """One pair.

    Attributes:
        camera: Name of the camera.
        sigma: Of the noise, root mean square over the channels, in gray levels.
        neighbor: Correlation of neighbors.
        channel: Correlation of channels.
        measured: What the diagnosis measures.
        psnr: In dB, of the center: of the input, and denoised with the estimate, with FIXED and with each of GRID.
    """

    camera: str
    sigma: float
    neighbor: float
    channel: float
    measured: Measurements
    psnr: tuple[float, ...]


def find_pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Exposures and their references."""
    for path in sorted(folder.glob("*_real.*")):
        yield path, path.with_name(path.name.replace("_real.", "_mean."))


def examine(exposure: Path, reference: Path) -> Found:
    """Measure one pair."""
    image, truth = read_image(exposure), read_image(reference).pixels
    sigma, neighbor, channel = noise_statistics(255 * (image.pixels - truth))
    measured = measure(image)
    top, left = ((side - SIDE) // 2 for side in truth.shape[:2])
    center = np.s_[top : top + SIDE, left : left + SIDE]
    part = Image.from_array(np.ascontiguousarray(image.data[center]))
    scores = [psnr(part.pixels, truth[center])]
    for level in (max(measured.denoiser_sigma, 0.1), FIXED, *GRID):
        planned = plan(part, model="denoise", sigma=level)
        scores.append(psnr(run(part, planned, open_session=opened, judge=False).image.pixels, truth[center]))
    total = float(np.sqrt(np.mean(np.square(sigma))))
    return Found(exposure.name.split("_")[0], total, neighbor, channel, measured, tuple(scores))


opened = cache(partial(open_session, threads=1))


def table(found: Sequence[Found]) -> str:
    """A row for each camera, and for the fitted and the other ones together."""
    groups = {name: [pair for pair in found if pair.camera == name] for name in dict.fromkeys(f.camera for f in found)}
    groups["fitted"] = [pair for pair in found if pair.camera in FITTED]
    groups["checked"] = [pair for pair in found if pair.camera not in FITTED]
    lines = [
        "| cameras | level | estimate | ratio, its spread | correlation | estimate | channels | estimate | "
        f"PSNR: input | with the estimate | with {FIXED} | with the best level of each |",
        "|---" * 12 + "|",
    ]
    for name, group in groups.items():
        ratio = np.log([(pair.measured.noise_sigma + 0.1) / pair.sigma for pair in group])
        score = np.array([pair.psnr for pair in group])
        numbers = [
            np.mean([pair.sigma for pair in group]), np.mean([pair.measured.noise_sigma for pair in group]),
            np.mean([pair.neighbor for pair in group]),
            np.mean([pair.measured.noise.neighbor_correlation for pair in group]),
            np.mean([pair.channel for pair in group]),
            np.mean([pair.measured.noise.channel_correlation for pair in group]),
            *score[:, :3].mean(0), score.max(1).mean(),
        ]  # fmt: skip
        cells = [f"{number:.2f}" for number in numbers]
        cells.insert(2, f"{np.exp(ratio.mean()):.2f}, x/÷ {np.exp(ratio.std()):.2f}")
        lines.append("| " + " | ".join([f"{name} ({len(group)})", *cells]) + " |")
    return "\n".join(lines)


def fit(found: Sequence[Found]) -> str:
    """The factors that would fit the fitted cameras."""
    group = [pair for pair in found if pair.camera in FITTED and pair.measured.noise.colored]
    hidden = np.exp(np.mean(np.log([pair.sigma / pair.measured.noise_sigma for pair in group]))) * HIDDEN_BY_JPEG
    factors = np.linspace(0.5, 3, 51)
    grid = np.log(GRID)
    gained = [
        np.mean([np.interp(np.log(factor * pair.measured.noise_sigma), grid, pair.psnr[3:]) for pair in group])
        for factor in factors
    ]
    return f"hidden by JPEG {hidden:.2f}; denoiser {factors[int(np.argmax(gained))]:.2f} times the level as it is now"


def square(path: Path, seed: int) -> np.ndarray:
    """A square of a photograph, at random; sometimes a drawing or a page of text."""
    rng = np.random.default_rng(seed)
    if rng.random() < DRAWINGS:
        return drawing(SIDE, seed) if rng.random() < 0.5 else page(SIDE, seed)
    pixels = read_image(path).pixels
    pixels = pixels.repeat(3, 2) if pixels.shape[2] == 1 else pixels
    size = int(rng.choice([128, 192, 256, 320]))
    top, left = (int(rng.integers(max(side - size, 0) + 1)) for side in pixels.shape[:2])
    return pixels[top : top + size, left : left + size]


def learn(files: Sequence[Path], count: int, store: Path | None) -> None:
    """Make cases, or take them from ``store``, and replace the bundled networks."""
    if store is not None and store.exists():
        cases: list[LevelCase] = pickle.loads(store.read_bytes())
    else:
        cases = []
        for i in range(count):
            seed = FIRST_SEED + i
            made = make_level_case(square(files[i % len(files)], seed), KINDS[i % len(KINDS)], seed)
            cases += [made] if made else []
            if i % 500 == 499:
                print(f"{i + 1} of {count}", flush=True)
        if store is not None:
            store.write_bytes(pickle.dumps(cases))
    about = {"cases": len(cases), "photographs": len(files), "commit": provenance().code}
    learn_levels(cases, about=about).save(Path(resolvent.diagnosis.__file__).parent / "level.npz")


def main() -> None:
    """Learn, or measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--learn", action="store_true", help="replace the bundled level.npz")
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--cases", type=Path, help="file that stores the cases to learn from")
    options = parser.parse_args()
    if options.learn:
        folders = [options.images, *sorted(path for path in options.images.iterdir() if path.is_dir())]
        learn([file for folder in folders for file in find_images(folder)], options.count, options.cases)
        return
    found = [examine(*pair) for pair in find_pairs(options.pairs)]
    print(fit(found))
    body = (
        f"{len(found)} photographs of real scenes, by camera. Levels in gray levels, root mean square over the "
        "channels; ratio of the estimate to the truth, geometric mean and standard deviation; correlation of neighbors "
        f"and of channels. PSNR-RGB in dB of the centers ({SIDE}x{SIDE}), denoised by the bundled `denoise`. Two "
        f"factors (levels in JPEG files x {HIDDEN_BY_JPEG:g}; level given to the denoiser x {DENOISER_FACTOR:g}) are "
        f"fitted to {' and '.join(FITTED)} and checked on the others; nothing else was learned from these photographs."
        f"\n\n{table(found)}"
    )
    name = options.pairs.name
    write_section("Diagnosis: noise of cameras", f"python benchmarks/noise_level.py --pairs {name}/", body)


if __name__ == "__main__":
    main()
