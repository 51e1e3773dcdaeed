"""What ``resolvent restore`` gains: thumbnails enlarged, JPEG in color, real blur, the founding paper's flowers."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from resolvent.degradations import parse
from resolvent.evaluation.benchmark import center_square
from resolvent.evaluation.metrics import psnr
from resolvent.physics.resize import imresize

from .common import HARM, Finding, Pixels, Sets, degraded_file, listed, models_of, pixels_of, restore_files, score
from .harm import GRID_CUT

THUMBNAIL = 160
THUMBNAIL_FAULTS = ("jpeg:quality=60", "noise:sigma=8", "none")
COLOR_QUALITIES = (10, 20, 40, 80, 95)
BLURS = {"defocus": "defocus:radius=3 + noise:sigma=1", "motion": "motion:length=9,angle=30 + noise:sigma=1"}
BLURRED = 8
FLOWERS = (100, 150)
"""Places of the test photographs among the 150."""
FLOWER_BLURS = (5, 9, 15, 21)


def thumbnails(sets: Sets) -> Finding:
    """Small pictures enlarged after compression or with noise."""
    side = 2 * THUMBNAIL
    files = [*sets.files("val"), *sets.files("Kodak24")]
    truths = [center_square(pixels_of(file), side, file.name) for file in files]
    table = [["degradation", "bicubic", "`-s 2`", "gain", "worst gain", "worse than bicubic"]]
    figures: dict[str, float] = {}
    for text in THUMBNAIL_FAULTS:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            sources = [
                degraded_file(
                    imresize(x, shape=(THUMBNAIL, THUMBNAIL)), parse(text), np.random.default_rng(i), folder / file.stem
                )
                for i, (file, x) in enumerate(zip(files, truths, strict=True))
            ]
            outcomes = restore_files(sources, folder / "large", ext="png", scale=2)
            bicubic = np.array(
                [
                    _luma_score(np.clip(imresize(pixels_of(source), shape=(side, side)), 0, 1), x)
                    for source, x in zip(sources, truths, strict=True)
                ]
            )
            values = np.array([_luma_score(outcome.pixels, x) for outcome, x in zip(outcomes, truths, strict=True)])
        gain = values - bicubic
        cells = [f"{bicubic.mean():.2f}", f"{values.mean():.2f}", f"{gain.mean():+.2f}", f"{gain.min():+.2f}"]
        table.append([text, *cells, str((gain < 0).sum())])
        figures[text.partition(":")[0]] = values.mean()
    return Finding(
        protocol=(
            f"{len(files)} photographs of val and Kodak24: the center square reduced by area to {side} pixels is the "
            f"truth, and bicubic to {THUMBNAIL} the thumbnail, degraded and written (JPEG as JPEG, else PNG); "
            "`resolvent restore -s 2`, written as PNG. PSNR of Y in dB (BT.601, 8 bits, 2 border pixels cut); "
            "baseline: the thumbnail enlarged bicubic."
        ),
        table=table,
        figures=figures,
    )


def _luma_score(pixels: Pixels, truth: Pixels) -> float:
    return psnr(pixels, truth, space="y", border=2, round8=True)


def color_jpeg(sets: Sets) -> Finding:
    """JPEG in color, of both subsamplings."""
    top, left = GRID_CUT
    truths = {file.stem: pixels_of(file)[top:, left:] for file in sets.files("val")}
    table = [["JPEG", "input", "`dejpeg`", "automatic", "worst change", "models"]]
    figures: dict[str, float] = {}
    for subsampling in ("4:2:0", "4:4:4"):
        for quality in COLOR_QUALITIES:
            text = f"jpeg:quality={quality},subsampling={subsampling}"
            with tempfile.TemporaryDirectory() as temporary:
                folder, rng = Path(temporary), np.random.default_rng(0)
                files = [degraded_file(x, parse(text), rng, folder / name) for name, x in truths.items()]
                model = restore_files(files, folder / "dejpeg", ext="png", model="dejpeg")
                automatic = restore_files(files, folder / "automatic", ext="png")
                pictures = [
                    [pixels_of(file) for file in files],
                    *([outcome.pixels for outcome in outcomes] for outcomes in (model, automatic)),
                ]
                scores = np.array([[score(y, x) for y, x in zip(ys, truths.values(), strict=True)] for ys in pictures])
            means = [f"{value:.2f}" for value in scores.mean(1)]
            worst = f"{(scores[2] - scores[0]).min():+.2f}"
            table.append([f"{quality}, {subsampling}", *means, worst, models_of(automatic)])
            figures[f"{quality}-{subsampling.replace(':', '')}"] = scores[1].mean()
    return Finding(
        protocol=(
            f"{len(truths)} photographs of val, cut {top} rows and {left} columns off the grid of their own JPEG, "
            "saved as JPEG by libjpeg; the model `dejpeg`, and `resolvent restore` without options, both written as "
            "PNG. Mean PSNR-RGB in dB, at most 50 each; the change is that of the automatic result."
        ),
        table=table,
        figures=figures,
    )


def real_blur(sets: Sets) -> Finding:
    """Defocus and motion blur."""
    table = [["degradation", "input", "automatic", "`deblur`", "`restore`", "Wiener, known kernel", "models"]]
    figures: dict[str, float] = {}
    files = sets.files("CBSD68")[:BLURRED]
    truths = [pixels_of(file) for file in files]
    for name, text in BLURS.items():
        calls = {
            "automatic": {},
            "deblur": {"model": "deblur"},
            "restore": {"model": "restore"},
            "wiener": {"method": "wiener", "degradation": text},
        }
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            sources = [
                degraded_file(x, parse(text), np.random.default_rng(i), folder / file.stem)
                for i, (file, x) in enumerate(zip(files, truths, strict=True))
            ]
            found = {key: restore_files(sources, folder / key, ext="png", **options) for key, options in calls.items()}
            before = np.array([score(pixels_of(file), x) for file, x in zip(sources, truths, strict=True)])
            gains = {
                key: float(np.mean([score(o.pixels, x) for o, x in zip(outcomes, truths, strict=True)]) - before.mean())
                for key, outcomes in found.items()
            }
        cells = [f"{value:+.2f}" for value in gains.values()]
        table.append([text, f"{before.mean():.2f}", *cells, models_of(found["automatic"])])
        figures |= {f"{name}-{key}": value for key, value in gains.items()}
    return Finding(
        protocol=(
            f"The first {len(files)} photographs of CBSD68, degraded and written as PNG; gain of PSNR-RGB in dB, all "
            "blind except Wiener, which is given the degradation."
        ),
        table=table,
        figures=figures,
    )


def flowers(sets: Sets) -> Finding:
    """The blur of the founding paper on its flowers, by the product as it is."""
    first, last = FLOWERS
    folder = sets.folder("flowers")
    files = [folder / f"flower-{i:03d}.jpg" for i in range(first, last)][: sets.limit]
    truths = [center_square(pixels_of(file), 128, file.name) for file in files]
    table = [["degradation", "input", "result", "gain", "worst change", "worse than the input", "models"]]
    figures: dict[str, float] = {}
    notes = []
    for ksize in FLOWER_BLURS:
        text = f"blur:ksize={ksize}"
        with tempfile.TemporaryDirectory() as temporary:
            sources = [
                degraded_file(x, parse(text), np.random.default_rng(0), Path(temporary) / file.stem)
                for file, x in zip(files, truths, strict=True)
            ]
            outcomes = restore_files(sources, Path(temporary) / "restored")
            before = np.array([score(pixels_of(file), x) for file, x in zip(sources, truths, strict=True)])
            after = np.array([score(outcome.pixels, x) for outcome, x in zip(outcomes, truths, strict=True)])
        change = after - before
        worse = [i for i in np.argsort(change) if change[i] < 0]
        cells = [f"{before.mean():.2f}", f"{after.mean():.2f}", f"{change.mean():+.2f}", f"{change.min():+.2f}"]
        table.append([text, *cells, f"{len(worse)} ({(change < -HARM).sum()} by more than {HARM:g} dB)"])
        table[-1].append(models_of(outcomes))
        if worse:
            names = [f"{files[i].stem} {change[i]:+.2f} ({outcomes[i].model})" for i in worse]
            notes.append(f"{text}: {listed(names)}.")
        figures |= {f"gain{ksize}": change.mean(), f"worse{ksize}": len(worse)}
    return Finding(
        protocol=(
            f"{len(files)} test flowers of the founding paper's experiment (experiments/seed): the center square "
            "reduced by area to 128 pixels, blurred, rounded to 8 bits, written as PNG and restored without options. "
            "PSNR-RGB in dB."
        ),
        table=table,
        figures=figures,
        notes=notes,
    )
