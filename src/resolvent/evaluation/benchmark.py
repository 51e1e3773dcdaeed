"""Degrade the images of a folder, restore them, and measure: the protocols of the literature's tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from math import prod
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from resolvent.degradations import Degradation, Downsample, GaussianNoise, parse
from resolvent.degradations.resize import imresize
from resolvent.errors import InputError, UsageError, unknown
from resolvent.evaluation.metrics import MS_SSIM_SIDE, Pixels, Protocol, argmax_accuracy, ms_ssim
from resolvent.evaluation.report import INPUT, Row
from resolvent.models.store import bundled

__all__ = ["TASKS", "Restore", "Task", "benchmark", "centre_square", "default_restore"]

Restore = Callable[..., Pixels]
"""``resolvent.restore`` on arrays, or what stands in for it."""


@dataclass(frozen=True)
class Task:
    """What is measured when a task is named.

    Attributes:
        summary: One line.
        degradation: Text form, with {} for the level.
        levels: The literature's.
        model: The bundled model for it; None where there is none.
        protocol: How images are compared; where they are downsampled, its border becomes the scale.
        luma: Only the luma is degraded, restored and compared: Y of BT.601 in 8 bit.
        round8: The degraded image is rounded to 8 bit, as a file is.
        side: The centre square of each image is resized to this many pixels a side.
        tells_sigma: The model is told the noise level.
        accuracy: The founding paper's accuracy is measured too.
    """

    summary: str
    degradation: str
    levels: tuple[float, ...]
    model: str | None = None
    protocol: Protocol = field(default_factory=Protocol)
    luma: bool = False
    round8: bool = False
    side: int | None = None
    tells_sigma: bool = False
    accuracy: bool = False

    @property
    def conditions(self) -> str:
        """How an image is degraded, in a few words."""
        what = "luma" if self.luma else "image"
        size = f"{self.side}x{self.side} centre square of the " if self.side else ""
        return f"{size}{what} degraded in float, {'then rounded to 8 bit' if self.round8 else 'not clipped'}"


TASKS: dict[str, Task] = {
    "denoise": Task(
        summary="Gaussian noise of a known sigma in grey levels",
        degradation="noise:sigma={}",
        levels=(15, 25, 50),
        model="denoise",
        tells_sigma=True,
    ),
    "deblur": Task(
        summary="Gaussian blur of an unknown sigma in pixels, and slight noise",
        degradation="blur:sigma={} + noise:sigma=1",
        levels=(1, 2, 3),
        model="deblur",
        accuracy=True,
    ),
    "dejpeg": Task(
        summary="JPEG compression of the luma, by quality",
        degradation="jpeg:quality={}",
        levels=(10, 20, 30, 40),
        model="dejpeg",
        luma=True,
    ),
    "upscale": Task(
        summary="bicubic downsampling, by scale",
        degradation="downsample:scale={}",
        levels=(2, 3, 4),
        model="upscale",
        protocol=Protocol(space="y", round8=True),
        round8=True,
    ),
    "seed": Task(
        summary="the founding paper's blur, by kernel size",
        degradation="blur:ksize={}",
        levels=(5, 9, 15, 21),
        side=128,
        accuracy=True,
    ),
}


def benchmark(
    task: str,
    images: Path,
    *,
    levels: Sequence[float] = (),
    degradations: Sequence[str] = (),
    models: Sequence[str] | None = None,
    methods: Sequence[str] = (),
    limit: int | None = None,
    seed: int = 0,
    restore_fn: Restore | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Measure models and methods on a folder of sharp images, beside the baseline of doing nothing.

    The image at place i of the files sorted by name is degraded with ``numpy.random.default_rng(seed + i)``, in float
    and not clipped, unless the task says otherwise. The baseline, ``input``, is the degraded image itself, or where
    that is smaller, its bicubic enlargement.

    Args:
        task: A key of TASKS.
        images: The folder, or one image.
        levels: Noise or blur sigma, kernel size, JPEG quality or scale, instead of the task's.
        degradations: Text forms, instead of the task's; a Range or a Choice is drawn for each image.
        models: Names or files; by default the task's own.
        methods: Keys of METHODS; they are told the degradation.
        limit: Use only the first so many images.
        seed: Added to the place of the image.
        restore_fn: Called instead of ``resolvent.restore``.
        progress: Called with (done, total) after each restoration.

    Returns:
        A row for each image, degradation, and method.

    Raises:
        UsageError: A task, degradation, model or method is not known, or does not fit an image.
        InputError: There is no image, or one cannot be used.
    """
    if task not in TASKS:
        raise unknown("task", task, TASKS)
    if limit is not None and limit < 1:
        raise UsageError(f"limit {limit}: must be 1 or above; leave it out to use every image")
    if seed < 0:
        raise UsageError(f"seed {seed}: must be 0 or above")
    how = TASKS[task]
    if levels and degradations:
        raise UsageError(f"levels {levels} and degradations {degradations}: only one may be given; drop the levels")
    if models is None:
        if how.model is None or (restore_fn is None and how.model not in bundled()):
            raise UsageError(f"task {task!r} has no bundled model; name a model, such as the file that training wrote")
        models = (how.model,)
    from resolvent.image import read_image

    restore = restore_fn or default_restore()
    texts = degradations or [how.degradation.format(f"{level:g}") for level in levels or how.levels]
    planned = [parse(text) for text in texts]
    files = _files(images)[:limit]
    total = len(files) * len(planned) * (len(models) + len(methods))
    rows: list[Row] = []
    done = 0
    for place, file in enumerate(files):
        pixels = read_image(file).pixels
        for degradation in planned:
            rng = np.random.default_rng(seed + place)
            case = _case(how, degradation.draw(rng), pixels, rng, file.name)
            calls = [(model, {"model": model, **case.told}) for model in models]
            calls += [(method, {"method": method, "degradation": case.degradation}) for method in methods]
            results = [(INPUT, case.baseline, 0.0)]
            for name, options in calls:
                start = perf_counter()
                restored = restore(case.degraded, **options)
                results.append((name, restored, perf_counter() - start))
                done += 1
                if progress:
                    progress(done, total)
            rows += [
                Row(
                    method=method,
                    dataset=file.resolve().parent.name,
                    degradation=str(degradation),
                    image=file.name,
                    seconds=seconds,
                    protocol=f"{case.protocol}; {how.conditions}; image i with NumPy's default_rng({seed} + i)",
                    **_measure(how, case, result),
                )
                for method, result, seconds in results
            ]
    return rows


@dataclass(frozen=True, eq=False)
class _Case:
    """One image under one degradation.

    Attributes:
        truth: (H, W, C).
        degraded: What is restored.
        baseline: The same, as large as the truth.
        degradation: As drawn.
        told: What a model is told of it: sigma, or nothing.
        protocol: How results are compared with the truth.
    """

    truth: Pixels
    degraded: Pixels
    baseline: Pixels
    degradation: Degradation
    told: dict[str, Any]
    protocol: Protocol


def _case(how: Task, degradation: Degradation, truth: Pixels, rng: np.random.Generator, name: str) -> _Case:
    """Prepare an image, which ``name`` names, and degrade it."""
    if how.luma:
        truth = Protocol(space="y", round8=True).apply(truth)
    if how.side is not None:
        truth = centre_square(truth, how.side, name)
    scale = prod(part.scale for part in degradation.parts if isinstance(part, Downsample))
    truth = truth[: len(truth) // scale * scale, : truth.shape[1] // scale * scale]
    degraded: Pixels = degradation(truth, rng)
    if how.round8:
        degraded = Protocol(round8=True).apply(degraded)
    levels = [part.sigma for part in degradation.parts if isinstance(part, GaussianNoise)]
    return _Case(
        truth=truth,
        degraded=degraded,
        baseline=degraded if scale == 1 else imresize(degraded, shape=truth.shape[:2]),
        degradation=degradation,
        told={"sigma": levels[-1]} if how.tells_sigma and levels else {},
        protocol=how.protocol if scale == 1 else replace(how.protocol, border=scale),
    )


def _measure(how: Task, case: _Case, result: Pixels) -> dict[str, Any]:
    score = case.protocol.measure(result, case.truth)
    a, b = case.protocol.apply(result), case.protocol.apply(case.truth)
    return {
        "psnr": score.psnr,
        "ssim": score.ssim,
        "ms_ssim": ms_ssim(a, b) if min(a.shape[:2]) >= MS_SSIM_SIDE else None,
        "accuracy": argmax_accuracy(result, case.truth) if how.accuracy and result.shape[2] == 3 else None,
        "megapixels": result.shape[0] * result.shape[1] / 1e6,
    }


def centre_square(image: Pixels, side: int, name: str) -> Pixels:
    """Resize the centre square of an image (H, W, C) to (side, side, C) by area, and round to 8 bit.

    Raises:
        InputError: The image, which ``name`` names, is smaller than that.
    """
    height, width = image.shape[:2]
    square = min(height, width)
    if square < side:
        raise InputError(f"{name}: {width}x{height} pixels; at least {side} a side are needed, leave it out")
    top, left = (height - square) // 2, (width - square) // 2
    resized = imresize(image[top : top + square, left : left + square], shape=(side, side), kernel="area")
    return Protocol(round8=True).apply(resized)


def default_restore() -> Restore:
    """Give ``resolvent.restore`` for arrays, which here keeps every model that it has loaded."""
    from resolvent.engine.restore import Options, plan, run
    from resolvent.image import Image
    from resolvent.models.runtime import open_session

    opened = cache(open_session)

    def restore(degraded: Pixels, **options: Any) -> Pixels:
        image = Image.from_array(degraded)
        return run(image, plan(image, Options(**options)), open_session=opened).data

    return restore


def _files(images: Path) -> list[Path]:
    from resolvent.image import FORMATS

    if images.is_file():
        return [images]
    known = {extension for extensions in FORMATS.values() for extension in extensions}
    found = sorted(file for file in images.glob("*") if file.suffix.lower() in known)
    if not found:
        raise InputError(f"{images}: no images in it; give a folder of sharp images")
    return found
