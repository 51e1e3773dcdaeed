"""Compare restorations of one photograph by all suitable methods and models."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from resolvent import methods
from resolvent.degradations import Degradation, parse
from resolvent.engine.options import make_request
from resolvent.engine.plan import INVENTED, make_plan
from resolvent.engine.request import Request
from resolvent.engine.run import run
from resolvent.engine.uncertainty import Uncertainty
from resolvent.errors import ResolventError, UsageError, unknown
from resolvent.evaluation.metrics import Pixels, Protocol, Score
from resolvent.image import Image
from resolvent.image.sources import Source, open_source
from resolvent.methods.control import Control
from resolvent.methods.noise_level import noise_level
from resolvent.models.registry import added, bundled, named, read_card
from resolvent.parameters import Range
from resolvent.physics.forward_model import ForwardModel

__all__ = ["Trial", "compare", "trained_for"]


@dataclass(frozen=True, eq=False)
class Trial:
    """The restoration of a photograph by one method or model.

    Attributes:
        method: Key of METHODS, or a model.
        restored: (H, W, C), in [0, 1]; None where it failed, or was left out.
        seconds: That it took.
        residual: Root mean square of y - A x in gray levels; None where the degradation has no such form.
        score: Against the truth, where that was given.
        remark: Why it failed or was left out, what ended it before its last step, or that its detail is invented.
        uncertainty: How far each pixel may be from the truth; None for methods, and models without a map of errors.
    """

    method: str
    restored: NDArray[np.float32] | None
    seconds: float
    residual: float | None = None
    score: Score | None = None
    remark: str = ""
    uncertainty: Uncertainty | None = None

    @property
    def half_width(self) -> NDArray[np.float32] | None:
        """Of the uncertainty, (H, W), in gray levels of 255."""
        return None if self.uncertainty is None else self.uncertainty.half_width


def compare(
    source: Source,
    degradation: Degradation | str,
    names: Sequence[str] = (),
    *,
    budget: float | None = None,
    truth: Source | None = None,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
    control: Control | None = None,
) -> list[Trial]:
    """Restore a photograph with several methods and models.

    Args:
        source: The photograph, in any form that ``restore`` takes.
        degradation: What happened to it, or its text form.
        names: Keys of METHODS, and models; if not given, all methods that can undo the degradation and whose packages
            are installed, and all bundled models that were trained for it.
        budget: Seconds for all together; iterative methods share what is left.
        truth: The photograph as it was.
        seed: Random seed.
        progress: Called with the method at work and its share done, 0 to 1.
        control: Cancels the iterative method that is at work, which then gives what it has.

    Returns:
        One trial a method; one that fails, or that was left out for a package, says why, and does not stop the others.

    Raises:
        UsageError: A method or model does not exist or cannot undo this, none can, or the truth has another size.
        MissingDependencyError: A method that is named needs a package that is not installed, or all do.
        InputError: A model's file cannot be used.
    """
    degradation = parse(degradation) if isinstance(degradation, str) else degradation
    image, _ = open_source(source)
    true = None if truth is None else open_source(truth)[0].in_range_of(image)
    forward_model = _forward_model(degradation, required=any(name in methods.METHODS for name in names))
    able = methods.methods_for(forward_model) if forward_model and not names else []
    absent = {name: error for name in able if (error := methods.missing(name))}
    chosen = list(names) or [*trained_for(degradation), *(name for name in able if name not in absent)]
    if not chosen:
        nothing = f"{degradation}: no method can undo it, and no bundled model was trained for it; name a model"
        raise next(iter(absent.values()), UsageError(nothing))
    scale = degradation.scale
    for name in chosen:
        _check(name, degradation, forward_model)
    if true is not None and true.data.shape != (scale * image.height, scale * image.width, image.channels):
        raise UsageError(
            f"truth of {true.width}x{true.height} pixels: must be {scale} times {image.width}x{image.height}, "
            f"with {image.channels} channels; give the ground truth of this image"
        )
    started = time.monotonic()
    stepwise = [name for name in chosen if name in methods.METHODS and "control" in methods.common_options(name)]
    trials = [Trial(name, None, 0.0, remark=f"left out: {error}") for name, error in absent.items()]
    for name in sorted(chosen, key=lambda name: name in stepwise):
        share = None
        if budget is not None and name in stepwise:
            left = max(budget - (time.monotonic() - started), 1.0)
            share = left / (len(stepwise) - stepwise.index(name))
        trials.append(_try(image, degradation, forward_model, name, share, true, seed, progress, control))
    return trials


def trained_for(degradation: Degradation) -> list[str]:
    """Name the bundled models that were trained for the degradation at its strength; not those that repair."""
    found, scale = [], degradation.scale
    for name in bundled():
        card = read_card(name)
        if card.mask or card.outputs == 1:
            continue
        trained = (card.degradation, *card.recipe.get("others", ()))
        if card.scale == scale and any(_covers(parse(text), degradation) for text in trained):
            found.append(name)
    return found


def _covers(trained: Degradation, degradation: Degradation) -> bool:
    """Whether a model was trained for every part of a degradation."""
    known = [part.applied for part in trained.parts]
    return all(any(_within(part, allowed) for allowed in known) for part in degradation.parts)


def _within(part: Degradation, known: Degradation) -> bool:
    """Whether a degradation is of the same kind as another, with its values or within its ranges."""
    if type(part) is not type(known):
        return False
    for field in fields(part):  # type: ignore[arg-type]  # every degradation is a dataclass
        value, other = getattr(part, field.name), getattr(known, field.name)
        if isinstance(other, Range):
            low, high = (value.low, value.high) if isinstance(value, Range) else (value, value)
            if not isinstance(low, int | float) or not isinstance(high, int | float):
                return False
            if not other.low <= low <= high <= other.high:
                return False
        elif isinstance(other, int | float) and value != other:
            return False
    return True


def _forward_model(degradation: Degradation, *, required: bool) -> ForwardModel | None:
    """Make the forward model; None where there is none and only models are wanted."""
    try:
        return ForwardModel(degradation)
    except UsageError:
        if required:
            raise
        return None


def _check(name: str, degradation: Degradation, forward_model: ForwardModel | None) -> None:
    scale = degradation.scale
    if forward_model is not None and name in methods.METHODS:
        methods.check(name, forward_model)
    elif not (named(name) or name.endswith(".onnx") or os.path.isdir(name)):  # noqa: PTH112 - of any name
        raise unknown("method or model", name, [*methods.METHODS, *bundled(), *added()])
    elif read_card(name).scale != scale:
        raise UsageError(
            f"model {name!r}: enlarges by {read_card(name).scale}, and {degradation} is undone by {scale}; "
            "name a model of that scale"
        )


def _request(
    name: str, y: Pixels, degradation: Degradation, forward_model: ForwardModel | None, budget: float | None, seed: int
) -> Request:
    if name in methods.METHODS:
        return make_request(method=name, degradation=degradation, budget=budget, seed=seed)
    card = read_card(name)
    sigma = noise_level(y, forward_model) if forward_model is not None and card.noise_level else None
    return make_request(model=name, sigma=sigma, uncertainty=card.factors is not None)


def _try(
    image: Image, degradation: Degradation, forward_model: ForwardModel | None, name: str, budget: float | None,
    truth: Image | None, seed: int, progress: Callable[[str, float], None] | None, control: Control | None,
) -> Trial:  # fmt: skip
    if progress is not None:
        progress(name, 0.0)

    def steps(done: int, total: int) -> None:
        if progress is not None:
            progress(name, done / total)

    start = time.perf_counter()
    try:
        planned = make_plan(image, _request(name, image.pixels, degradation, forward_model, budget, seed))
        restoration = run(image, planned, steps, judge=False, control=control)
    except ResolventError as error:
        return Trial(name, None, time.perf_counter() - start, remark=str(error))
    seconds, restored = time.perf_counter() - start, restoration.image.pixels
    score = None if truth is None else Protocol().measure(restored, truth.pixels)
    residual = None if forward_model is None else 255 * forward_model.residual(restored, image.pixels)
    remark = INVENTED if INVENTED in planned.reasons else restoration.steps.remark
    return Trial(name, restored, seconds, residual, score, remark, restoration.uncertainty)
