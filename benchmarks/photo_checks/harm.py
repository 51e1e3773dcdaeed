"""Whether a photograph ever ends worse than it was: real cameras, clean pictures, good JPEG files, a second run."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from resolvent.degradations import parse

from .common import (
    HARM,
    SAME,
    Finding,
    Outcome,
    Pixels,
    Sets,
    degraded_file,
    listed,
    models_of,
    pixels_of,
    restore_files,
    score,
    share,
    write_jpeg,
)

QUALITIES = (90, 95, 98, 100)
SUBSAMPLINGS = ("4:2:0", "4:4:4")
MILD = ("jpeg:quality=92", "noise:sigma=2", "rescale:factor=0.9")
REPEATED = (
    "jpeg:quality=95,subsampling=4:4:4",
    "jpeg:quality=30",
    "noise:sigma=10 + jpeg:quality=85",
    "noise:sigma=15",
    "blur:sigma=1.6 + noise:sigma=1",
    "rescale:factor=0.6 + grain:sigma=8",
)
GRID_CUT = (3, 5)
"""Rows and columns cut off a photograph that is itself a JPEG, so that its blocks do not fall on those of a new one."""


def polyu(sets: Sets) -> Finding:
    """Photographs of cameras, with the mean of many exposures as the reference."""
    pairs = sets.pairs()
    with tempfile.TemporaryDirectory() as folder:
        files = [file for file, _ in pairs]
        written = restore_files(files, Path(folder) / "own")
        lossless = restore_files(files, Path(folder) / "png", ext="png")
        truths = [pixels_of(reference) for _, reference in pairs]
        before = np.array([score(pixels_of(file), truth) for file, truth in zip(files, truths, strict=True)])
        after = np.array([score(outcome.pixels, truth) for outcome, truth in zip(written, truths, strict=True)])
        exact = np.array([score(outcome.pixels, truth) for outcome, truth in zip(lossless, truths, strict=True)])
    cameras = [file.name.partition("_")[0] for file in files]
    table = [["camera", "photographs", "input", "result", "result as PNG", "worst change", "left alone", "models"]]
    for camera in (*dict.fromkeys(cameras), "all"):
        which = [i for i, name in enumerate(cameras) if camera in (name, "all")]
        chosen = [written[i] for i in which]
        table.append(
            [
                camera, str(len(which)), *(f"{values[which].mean():.2f}" for values in (before, after, exact)),
                f"{(after - before)[which].min():+.2f}", share([not outcome.touched for outcome in chosen]),
                models_of(chosen),
            ]
        )  # fmt: skip
    change = after - before
    worse = [f"{files[i].name} {change[i]:+.2f} dB ({written[i].model})" for i in np.argsort(change) if change[i] < 0]
    return Finding(
        protocol=(
            f"{len(files)} photographs of PolyU with noise of their cameras, whole, `resolvent restore` without "
            "options: mean PSNR-RGB in dB of the file that is written against the mean of many exposures."
        ),
        table=table,
        figures={
            "input": before.mean(),
            "output": after.mean(),
            "png": exact.mean(),
            "worst": change.min(),
            "worse": int((change < 0).sum()),
            "count": len(files),
        },
        notes=[f"Worse than the input: {listed(worse) or 'none'}."],
    )


def harmless(sets: Sets) -> Finding:
    """Clean pictures, the same slightly degraded, and photographs of cameras."""
    table = [
        ["pictures", "degradation", "number", "touched", "mean change", "worst change", f"below -{HARM:g}", "below 0"]
    ]
    changes: list[float] = []
    notes = []

    def add(name: str, kind: str, outcomes: Sequence[Outcome], change: Sequence[float]) -> None:
        values = np.array(change)
        changes.extend(change)
        touched = share([outcome.touched for outcome in outcomes])
        cells = [touched, f"{values.mean():+.2f}", f"{values.min():+.2f}"]
        table.append([name, kind, str(len(values)), *cells, str((values < -HARM).sum()), str((values < 0).sum())])
        bad = [i for i in np.argsort(values) if values[i] < -HARM]
        if bad:
            names = [f"{outcomes[i].source.stem} {values[i]:+.2f} ({outcomes[i].model})" for i in bad]
            notes.append(f"{name}, {kind}: {listed(names)}.")

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pairs = sets.pairs()
        outcomes = restore_files([file for file, _ in pairs], folder / "polyu")
        truths = [pixels_of(reference) for _, reference in pairs]
        add("PolyU", "of the camera", outcomes, _changes(outcomes, truths))
        pictures = {
            "PolyU, means": [reference for _, reference in pairs],
            "val": sets.files("val"),
            "Kodak24": sets.files("Kodak24"),
        }
        if sets.drawings is not None:
            pictures["drawings"] = sets.files("drawings")
        else:
            notes.append("Drawings, texts and screenshots: left out; give their folder with --drawings.")
        for nth, (name, files) in enumerate(pictures.items()):
            truths = [pixels_of(file) for file in files]
            outcomes = restore_files(files, folder / f"{nth}-clean")
            add(name, "none", outcomes, _changes(outcomes, truths))
            for text in MILD:
                inputs = folder / f"{nth}-{text.partition(':')[0]}"
                sources = _degrade(files, truths, text, inputs)
                outcomes = restore_files(sources, inputs / "restored")
                add(name, text, outcomes, _changes(outcomes, truths))
    values = np.array(changes)
    return Finding(
        protocol=(
            "`resolvent restore` without options; change of PSNR-RGB in dB from the input to the file that is written, "
            f"against the clean picture. At {SAME:g} dB or more two pictures count as the same, so that a clean one "
            f"that is left alone, or comes back with {SAME:g} dB or more, changes by 0."
        ),
        table=table,
        figures={
            "worst": values.min(),
            "harmed": int((values < -HARM).sum()),
            "worse": int((values < 0).sum()),
            "count": len(values),
        },
        notes=notes,
    )


def _changes(outcomes: Sequence[Outcome], truths: Sequence[Pixels]) -> list[float]:
    """From each input to its result, in dB."""
    return [
        score(outcome.pixels, truth) - score(pixels_of(outcome.source), truth)
        for outcome, truth in zip(outcomes, truths, strict=True)
    ]


def _degrade(files: Sequence[Path], truths: Sequence[Pixels], text: str, folder: Path) -> list[Path]:
    """Write each picture degraded, with its place as the random seed."""
    folder.mkdir(parents=True)
    return [
        degraded_file(truth, parse(text), np.random.default_rng(place), folder / file.stem)
        for place, (file, truth) in enumerate(zip(files, truths, strict=True))
    ]


def clean_photographs(sets: Sets) -> dict[str, Pixels]:
    """The 40 of Kodak24 and of val, the latter off the grid of their own JPEG, by name."""
    top, left = GRID_CUT
    photographs = {file.stem: pixels_of(file) for file in sets.files("Kodak24")}
    return photographs | {file.stem: pixels_of(file)[top:, left:] for file in sets.files("val")}


def jpegs(sets: Sets) -> Finding:
    """Clean photographs as good JPEG files."""
    truths = clean_photographs(sets)
    table = [["JPEG", "input", "touched", "mean change", "worst change", "before saving: mean", "worst", "models"]]
    changes, flags, notes = [], [], []
    with tempfile.TemporaryDirectory() as temporary:
        for subsampling in SUBSAMPLINGS:
            for quality in QUALITIES:
                folder = Path(temporary) / f"{quality}-{subsampling.replace(':', '')}"
                folder.mkdir()
                files = [write_jpeg(x, folder / name, quality, subsampling) for name, x in truths.items()]
                written = restore_files(files, folder / "own")
                lossless = restore_files(files, folder / "png", ext="png")
                before = np.array([score(pixels_of(f), x) for f, x in zip(files, truths.values(), strict=True)])
                change, exact = (
                    np.array(_changes(outcomes, list(truths.values()))) for outcomes in (written, lossless)
                )
                changes.append(change)
                touched = [outcome.touched for outcome in written]
                flags += touched
                values = [
                    f"{change.mean():+.2f}",
                    f"{change.min():+.2f}",
                    f"{exact.mean():+.2f}",
                    f"{exact.min():+.2f}",
                ]
                label = f"{quality}, {subsampling}"
                table.append([label, f"{before.mean():.2f}", share(touched), *values, models_of(written)])
                if change.min() < -HARM:
                    names = [f"{files[i].stem} {change[i]:+.2f}" for i in np.argsort(change) if change[i] < -HARM]
                    notes.append(f"{label}: {listed(names, 6)}.")
    every = np.concatenate(changes)
    return Finding(
        protocol=(
            f"{len(truths)} photographs of Kodak24 and val (those cut {GRID_CUT[0]} rows and {GRID_CUT[1]} columns off "
            "the grid of their own JPEG), saved as JPEG by libjpeg and restored without options: change of PSNR-RGB in "
            f"dB, each PSNR at most {SAME:g}, of the file that is written, and of the result before it is saved."
        ),
        table=table,
        figures={
            "mean": every.mean(),
            "worst": every.min(),
            "touched": float(np.mean(flags)),
            "harmed": int((every < -HARM).sum()),
            "count": len(every),
        },
        notes=notes,
    )


def again(sets: Sets) -> Finding:
    """What was restored and saved, restored once more."""
    files = sets.files("Kodak24")
    truths = [pixels_of(file) for file in files]
    table = [
        ["degradation", "touched", "of these touched again", "mean change", "worst change", "models of the second run"]
    ]
    flags: list[bool] = []
    changes: list[float] = []
    with tempfile.TemporaryDirectory() as temporary:
        for nth, text in enumerate(REPEATED):
            folder = Path(temporary) / str(nth)
            first = restore_files(_degrade(files, truths, text, folder), folder / "once")
            which = [i for i, outcome in enumerate(first) if outcome.touched]
            second = restore_files([first[i].target for i in which], folder / "twice")
            change = _changes(second, [truths[i] for i in which])
            touched = [outcome.touched for outcome in second]
            flags += touched
            changes += change
            means = [f"{np.mean(change):+.2f}", f"{np.min(change):+.2f}"] if change else ["", ""]
            table.append(
                [text, share([outcome.touched for outcome in first]), share(touched), *means, models_of(second)]
            )
    return Finding(
        protocol=(
            f"{len(files)} photographs of Kodak24 degraded, written (JPEG where that comes last, else PNG) and "
            "restored without options; then the file that was written is restored again. Change of PSNR-RGB in dB by "
            "the second run."
        ),
        table=table,
        figures={
            "touched": float(np.mean(flags)) if flags else 0.0,
            "mean": float(np.mean(changes)) if changes else 0.0,
            "worst": min(changes, default=0.0),
        },
    )
