"""Degrade the images of a folder, restore them, and measure: the protocols of the literature's tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from resolvent.degradations import Degradation, Identity, parse
from resolvent.errors import InputError, UsageError, unknown
from resolvent.evaluation.baselines import BASELINES, run_baseline
from resolvent.evaluation.features import feature_distance, open_comparator
from resolvent.evaluation.files import list_files, read_pair
from resolvent.evaluation.metrics import MS_SSIM_SIDE, Pixels, Protocol, argmax_accuracy, ms_ssim
from resolvent.evaluation.tables import INPUT, Row
from resolvent.models.registry import bundled, read_card
from resolvent.physics.resize import imresize, resize_square

if TYPE_CHECKING:
    from resolvent.engine.run import Restoration

__all__ = [
    "TASKS",
    "Restore",
    "Task",
    "benchmark",
    "center_square",
    "default_restore",
    "default_run",
    "own_model",
]

Restore = Callable[..., Pixels]
"""``resolvent.restore`` on arrays, or a substitute."""


@dataclass(frozen=True)
class Task:
    """Define what a task measures, and by which protocol.

    Attributes:
        summary: One line.
        degradation: Text form, with {} for the level.
        levels: The literature's.
        cases: Text forms, where a task is more than levels of one degradation.
        model: The bundled model for it, with {} for the scale; None where there is none.
        rivals: Bundled models that ``suite`` measures as well.
        few: Number of images on which ``suite`` measures methods, which are slow; None for all.
        pairs: The folder holds pairs, ``NAME_real.*`` and its reference ``NAME_mean.*``; nothing is degraded.
        protocol: How images are compared; where they are downsampled, its border becomes the scale.
        luma: Only the luma is degraded, restored and compared: Y of BT.601 in 8 bit.
        round8: The degraded image is rounded to 8 bit, as a file is.
        side: The center square of each image is resized to this many pixels a side.
        non_blind: The model is given the noise level.
        accuracy: The founding paper's accuracy is measured too.
    """

    summary: str
    degradation: str = "{}"
    levels: tuple[float, ...] = ()
    cases: tuple[str, ...] = ()
    model: str | None = None
    rivals: tuple[str, ...] = ()
    few: int | None = None
    pairs: bool = False
    protocol: Protocol = field(default_factory=Protocol)
    luma: bool = False
    round8: bool = False
    side: int | None = None
    non_blind: bool = False
    accuracy: bool = False

    def texts(self, levels: Sequence[float] = ()) -> list[str]:
        """The degradations, in text form; at other levels than the literature's where they are given."""
        return [self.degradation.format(f"{level:g}") for level in levels or self.levels] or list(self.cases)

    @property
    def conditions(self) -> str:
        """How an image is degraded, in a few words."""
        if self.pairs:
            return "photographs as a camera wrote them; reference: the mean of many exposures"
        what = "luma" if self.luma else "image"
        size = f"{self.side}x{self.side} center square of the " if self.side else ""
        return f"{size}{what} degraded in float, {'then rounded to 8 bit' if self.round8 else 'not clipped'}"


TASKS: dict[str, Task] = {
    "denoise": Task(
        summary="Gaussian noise of a known sigma in gray levels",
        degradation="noise:sigma={}",
        levels=(15, 25, 50),
        model="denoise",
        rivals=("restore",),
        non_blind=True,
    ),
    "deblur": Task(
        summary="Gaussian blur of an unknown sigma in pixels, and slight noise",
        degradation="blur:sigma={} + noise:sigma=1",
        levels=(1, 1.6, 2, 3),
        model="deblur",
        rivals=("restore",),
        few=8,
        accuracy=True,
    ),
    "dejpeg": Task(
        summary="JPEG compression of the luma, by quality",
        degradation="jpeg:quality={}",
        levels=(10, 20, 30, 40),
        model="dejpeg",
        rivals=("restore",),
        luma=True,
    ),
    "upscale": Task(
        summary="bicubic downsampling, by scale",
        degradation="downsample:scale={}",
        levels=(2, 4),
        model="upscale{}",
        protocol=Protocol(space="y", round8=True),
        round8=True,
    ),
    "restore": Task(
        summary="several faults at once, the image rounded to 8 bit",
        cases=(
            "blur:sigma=1 + noise:sigma=10 + jpeg:quality=60",
            "blur:sigma=2 + noise:sigma=5",
            "rescale:factor=0.6 + grain:sigma=12,radius=0.8 + jpeg:quality=40",
            "poisson:peak=60 + jpeg:quality=80",
        ),
        model="restore",
        rivals=("denoise", "deblur", "dejpeg"),
        round8=True,
    ),
    "real": Task(
        summary="noise of real cameras: pairs NAME_real and NAME_mean",
        model="restore",
        rivals=("denoise", "deblur", "dejpeg"),
        pairs=True,
    ),
    "seed": Task(
        summary="the founding paper's blur, by kernel size",
        degradation="blur:ksize={}",
        levels=(5, 9, 15, 21),
        round8=True,
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
    features: bool = False,
    restore_fn: Restore | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Measure models and methods on a folder of sharp images, with the input as the baseline.

    The image at place i of the files sorted by name is degraded with ``numpy.random.default_rng(seed + i)``, in float
    and not clipped, unless the task says otherwise. The baseline, ``input``, is the degraded image itself, or where
    that is smaller, its bicubic enlargement.

    Args:
        task: A key of TASKS.
        images: The folder, or one image.
        levels: Noise or blur sigma, kernel size, JPEG quality or scale, instead of the task's.
        degradations: Text forms, instead of the task's; a Range or a Choice is sampled for each image.
        models: Names or files; by default the task's own.
        methods: Keys of METHODS or of BASELINES; they are non-blind: given the degradation.
        limit: Number of images, the first ones by name; None for all.
        seed: Added to the place of the image.
        features: Measure the feature distance too, over RGB; see ``features.feature_distance``.
        restore_fn: Called instead of ``resolvent.restore``.
        progress: Called with (done, total) after each restoration.

    Returns:
        A row for each image, degradation, and method.

    Raises:
        UsageError: A task, degradation, model or method is not known, or does not fit an image.
        MissingDependencyError: The feature distance is wanted, and torch is not installed.
        InputError: There is no image, or one cannot be used.
    """
    if task not in TASKS:
        raise unknown("task", task, TASKS)
    if limit is not None and limit < 1:
        raise UsageError(f"limit {limit}: must be 1 or above; leave it out to use every image")
    if seed < 0:
        raise UsageError(f"seed {seed}: must be 0 or above; leave it out for 0")
    spec = TASKS[task]
    if levels and degradations:
        raise UsageError(f"levels {levels} and degradations {degradations}: only one may be given; drop the levels")
    if models is None and spec.model is None:
        raise UsageError(f"task {task!r} has no bundled model; name a model, such as the file that training wrote")

    if features:
        open_comparator()  # so that a missing package is known before any work
    restore = restore_fn or default_restore()
    planned = [Identity()] if spec.pairs else [parse(text) for text in degradations or spec.texts(levels)]
    named = [own_model(spec, degradation) for degradation in planned] if models is None else []
    if restore_fn is None and (missing := [name for name in named if name not in bundled()]):
        raise UsageError(f"task {task!r} has no bundled model {missing[0]!r}; name a model, such as a trained file")
    if restore_fn is None:
        _check_scales(models or (), planned)
    files = list_files(images, pairs=spec.pairs)[:limit]
    total = len(files) * len(planned) * (len(methods) + (1 if models is None else len(models)))
    rows: list[Row] = []
    done = 0
    for place, file in enumerate(files):
        for nth, degradation in enumerate(planned):
            rng = np.random.default_rng(seed + place)
            case = _case(spec, degradation.sample(rng), file, rng)
            calls = [
                (model, {"model": model, **(case.model_options if _takes_sigma(model, restore_fn) else {})})
                for model in ([named[nth]] if models is None else models)
            ]
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
                    degradation=CAMERA if spec.pairs else str(degradation),
                    image=file.name,
                    task=task,
                    seconds=seconds,
                    protocol=f"{case.protocol}; {spec.conditions}; image i with NumPy's default_rng({seed} + i)",
                    **_measure(spec, case, result, features=features),
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
        degradation: As sampled.
        model_options: Options of a model: sigma, where the task is non-blind.
        protocol: How results are compared with the truth.
    """

    truth: Pixels
    degraded: Pixels
    baseline: Pixels
    degradation: Degradation
    model_options: dict[str, Any]
    protocol: Protocol


CAMERA = "real camera noise"
"""The name of an unknown degradation."""


def own_model(task: Task, degradation: Degradation) -> str:
    """The name of the bundled model for a task and a degradation; it may not be there."""
    return cast(str, task.model).format(degradation.scale)


def _check_scales(models: Sequence[str], planned: Sequence[Degradation]) -> None:
    """Refuse a model whose result has not the size of the truth.

    Raises:
        UsageError: There is one.
    """
    for model in models:
        scale = read_card(model).scale
        if (other := next((one for one in planned if one.scale != scale), None)) is not None:
            raise UsageError(
                f"model {model!r}: enlarges by {scale}, and {other} is undone by {other.scale}; give other models, or "
                f"the degradation (--degradation downsample:scale={scale})"
            )


def _takes_sigma(model: str, restore_fn: Restore | None) -> bool:
    return restore_fn is not None or read_card(model).noise_level


def _case(task: Task, degradation: Degradation, file: Path, rng: np.random.Generator) -> _Case:
    """Read an image, prepare it and degrade it."""
    from resolvent.image import read_image

    if task.pairs:
        given, reference = read_pair(file)
        return _Case(reference, given.pixels, given.pixels, degradation, {}, task.protocol)
    truth = read_image(file).pixels
    if task.luma:
        truth = Protocol(space="y", round8=True).apply(truth)
    if task.side is not None:
        truth = center_square(truth, task.side, file.name)
    scale = degradation.scale
    truth = truth[: len(truth) // scale * scale, : truth.shape[1] // scale * scale]
    degraded: Pixels = degradation(truth, rng)
    if task.round8:
        degraded = Protocol(round8=True).apply(degraded)
    level = degradation.noise.sigma
    return _Case(
        truth=truth,
        degraded=degraded,
        baseline=degraded if scale == 1 else imresize(degraded, shape=truth.shape[:2]),
        degradation=degradation,
        model_options={"sigma": level} if task.non_blind and level is not None else {},
        protocol=task.protocol if scale == 1 else replace(task.protocol, border=scale),
    )


def _measure(task: Task, case: _Case, result: Pixels, *, features: bool) -> dict[str, Any]:
    score = case.protocol.measure(result, case.truth)
    a, b = case.protocol.apply(result), case.protocol.apply(case.truth)
    rgb = replace(case.protocol, space="rgb")
    return {
        "psnr": score.psnr,
        "ssim": score.ssim,
        "ms_ssim": ms_ssim(a, b) if min(a.shape[:2]) >= MS_SSIM_SIDE else None,
        "accuracy": argmax_accuracy(result, case.truth) if task.accuracy and result.shape[2] == 3 else None,
        "feature_distance": feature_distance(rgb.apply(case.truth), rgb.apply(result)) if features else None,
        "megapixels": result.shape[0] * result.shape[1] / 1e6,
    }


def center_square(image: Pixels, side: int, name: str) -> Pixels:
    """Resize the center square of an image (H, W, C) to (side, side, C) by area, and round to 8 bit.

    Raises:
        InputError: The image, which ``name`` names, is smaller than that.
    """
    try:
        return Protocol(round8=True).apply(resize_square(image, side))
    except InputError as error:
        raise InputError(f"{name}: {error}; leave it out") from error


def default_restore() -> Restore:
    """Give ``resolvent.restore`` for arrays, with every model that it has loaded kept in memory."""
    run = default_run()

    def restore(degraded: Pixels, **options: Any) -> Pixels:
        if options.get("method") in BASELINES:
            return run_baseline(options["method"], degraded, options["degradation"])
        return run(degraded, **options).image.data

    return restore


def default_run() -> Callable[..., Restoration]:
    """Give a function that restores an array by options, whatever comes of it, and keeps the models loaded."""
    from resolvent.engine.options import make_request
    from resolvent.engine.plan import make_plan
    from resolvent.engine.run import run
    from resolvent.image import Image
    from resolvent.inference.runtime import open_session

    opened = cache(open_session)

    def restore(degraded: Pixels, **options: Any) -> Restoration:
        image = Image.from_array(degraded)
        planned = make_plan(image, make_request(**options), open_session=opened)
        return run(image, planned, open_session=opened, judge=False)

    return restore
