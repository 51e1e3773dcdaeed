"""How well the noise and the blur of photographs are estimated, and what becomes of clean ones.

python benchmarks/diagnosis.py --images CBSD68/ Kodak24/ Set12/ val/ [--json]

Each image is degraded, clipped and rounded to its own 8 bits, as a file would hold it. The noise level is compared with
scikit-image's estimate_sigma (wavelet MAD, root mean square over the channels).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from results import write_section
from skimage.restoration import estimate_sigma

from resolvent.degradations import GaussianBlur, GaussianNoise, degrade
from resolvent.diagnosis import diagnose
from resolvent.engine.restore import plan
from resolvent.engine.run import run
from resolvent.evaluation.metrics import psnr
from resolvent.image import FORMATS, Image, read_image

NOISES = (0, 5, 10, 15, 25, 50)
BLURS = (0, 1, 1.6, 2, 3)
BLUR_NOISES = (0, 2)


def wavelet_sigma(image: Image) -> float:
    """What scikit-image estimates, in gray levels."""
    sigmas = estimate_sigma(255 * image.pixels, channel_axis=-1, average_sigmas=False)
    return float(np.sqrt(np.mean(np.square(sigmas))))


def summary(values: Sequence[float], truth: float) -> dict[str, float]:
    """Mean, standard deviation and largest excess of the errors."""
    errors = np.array(values) - truth
    return {"mean": float(errors.mean()), "sd": float(errors.std()), "max": float(errors.max())}


def measure_noise(images: Sequence[Image], sigma: float) -> dict[str, Any]:
    """Errors of both estimators at one noise level."""
    noisy = [degrade(image, GaussianNoise(sigma), seed=i) for i, image in enumerate(images)]
    found = [diagnose(image) for image in noisy]
    return {
        "sigma": sigma,
        "resolvent": summary([diagnosis.noise_sigma for diagnosis in found], sigma),
        "scikit-image": summary([wavelet_sigma(image) for image in noisy], sigma),
        "restored": float(np.mean([diagnosis.model is not None for diagnosis in found])),
    }


def measure_blur(images: Sequence[Image], blur: float, noise: float) -> dict[str, Any]:
    """Errors of the blur estimate at one blur and one noise level."""
    blurred = [degrade(image, GaussianBlur(blur)) if blur else image for image in images]
    degraded = [degrade(image, GaussianNoise(noise), seed=i) for i, image in enumerate(blurred)]
    found = [diagnose(image) for image in degraded]
    restored = float(np.mean([diagnosis.model is not None for diagnosis in found]))
    return {
        "blur": blur,
        "noise": noise,
        "resolvent": summary([diagnosis.blur_sigma for diagnosis in found], blur),
        "restored": restored,
    }


def measure_clean(images: Sequence[Image]) -> dict[str, Any]:
    """How many clean photographs are left alone, and how near the others stay to what they were, in dB."""
    plans = [plan(image) for image in images]
    changed = [
        psnr(run(image, planned).image.pixels, image.pixels)
        for image, planned in zip(images, plans, strict=True)
        if not planned.unchanged
    ]
    return {"left alone": 1 - len(changed) / len(images), "psnr": changed}


def measure(folder: Path) -> dict[str, Any]:
    """All measurements on the images of one folder."""
    suffixes = {suffix for names in FORMATS.values() for suffix in names}
    images = [read_image(path) for path in sorted(folder.iterdir()) if path.suffix.lower() in suffixes]
    start = time.perf_counter()
    for image in images:
        diagnose(image)
    return {
        "images": len(images),
        "seconds": (time.perf_counter() - start) / len(images),
        "clean": measure_clean(images),
        "noise": [measure_noise(images, sigma) for sigma in NOISES],
        "blur": [measure_blur(images, blur, noise) for noise in BLUR_NOISES for blur in BLURS],
    }


def cell(errors: dict[str, float]) -> str:
    """Mean ± standard deviation (largest)."""
    return f"{errors['mean']:+.2f} ± {errors['sd']:.2f} ({errors['max']:+.1f})"


def tables(results: dict[str, dict[str, Any]]) -> str:
    """The tables in Markdown."""
    lines = [
        "Error of the noise level: mean ± standard deviation (largest), in gray levels; and for how many a model is "
        "chosen.",
        "",
        "| images | sigma | resolvent | scikit-image | restored |",
        "|---|---|---|---|---|",
    ]
    for name, result in results.items():
        for row in result["noise"]:
            errors = f"{cell(row['resolvent'])} | {cell(row['scikit-image'])}"
            lines.append(f"| {name} ({result['images']}) | {row['sigma']} | {errors} | {row['restored']:.0%} |")
    lines += ["", "Error of the blur: the same, in pixels.", ""]
    lines += ["| images | noise | blur | resolvent | restored |", "|---|---|---|---|---|"]
    for name, result in results.items():
        for row in result["blur"]:
            lines.append(
                f"| {name} | {row['noise']} | {row['blur']} | {cell(row['resolvent'])} | {row['restored']:.0%} |"
            )
    lines += ["", "Photographs as they are:", "", "| images | left alone | the others, PSNR to what they were, dB |"]
    lines.append("|---|---|---|")
    for name, result in results.items():
        values = sorted(result["clean"]["psnr"])
        others = f"{np.mean(values):.1f} (lowest {values[0]:.1f})" if values else ""
        lines.append(f"| {name} | {result['clean']['left alone']:.0%} | {others} |")
    seconds = ", ".join(f"{name} {result['seconds']:.2f}" for name, result in results.items())
    return "\n".join([*lines, "", f"Seconds for a whole diagnosis: {seconds}."])


def main() -> None:
    """Measure, then print the JSON or write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--json", action="store_true", help="print the measurements, write nothing")
    options = parser.parse_args()
    results = {folder.name: measure(folder) for folder in options.images}
    if options.json:
        print(json.dumps(results))
        return
    names = " ".join(f"{name}/" for name in results)
    write_section("Diagnosis: noise and blur", f"python benchmarks/diagnosis.py --images {names}", tables(results))


if __name__ == "__main__":
    main()
