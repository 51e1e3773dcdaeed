"""One photograph restored by every method and model that can, side by side on one page."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from resolvent import methods
from resolvent.degradations import Degradation, RandomApply, parse
from resolvent.degradations.parameters import Range
from resolvent.engine.plan import plan
from resolvent.engine.request import Options
from resolvent.engine.run import run
from resolvent.errors import ResolventError, UsageError, unknown
from resolvent.evaluation.metrics import Pixels, Protocol, Score
from resolvent.image import Image
from resolvent.methods.noise_level import noise_level, scale_factor
from resolvent.models.registry import added, bundled, named, read_card

__all__ = ["Trial", "compare", "trained_for"]


@dataclass(frozen=True, eq=False)
class Trial:
    """What one method or model made of a photograph.

    Attributes:
        method: Key of METHODS, or a model.
        restored: (H, W, C), in [0, 1]; None where it failed.
        seconds: That it took.
        residual: Root mean square of y - A x in gray levels, for a degradation that begins with a linear part or has
            none; None otherwise.
        score: Against the truth, where that was given.
        remark: Why it failed, or that the budget cut it short.
    """

    method: str
    restored: NDArray[np.float32] | None
    seconds: float
    residual: float | None = None
    score: Score | None = None
    remark: str = ""


def compare(
    image: Image,
    degradation: Degradation,
    names: Sequence[str] = (),
    *,
    budget: float | None = None,
    truth: Image | None = None,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> list[Trial]:
    """Restore a photograph with several methods and models.

    Args:
        image: The photograph.
        degradation: What happened to it.
        names: Keys of METHODS, and models; if not given, all methods that can undo the degradation, and all bundled
            models that were trained for it.
        budget: Seconds for all together; those that go step by step share what is left.
        truth: The photograph as it was.
        seed: Of everything random.
        progress: Told of the method at work and its share done, 0 to 1.

    Returns:
        One trial a method; one that fails says why, and does not stop the others.

    Raises:
        UsageError: A method or model does not exist or cannot undo this, none can, or the truth has another size.
        InputError: A model's file cannot be used.
    """
    chosen = list(names) or [*trained_for(degradation), *methods.methods_for(degradation)]
    if not chosen:
        raise UsageError(f"{degradation}: no method can undo it, and no bundled model was trained for it; name a model")
    scale = scale_factor(degradation)
    for name in chosen:
        _check(name, degradation, scale)
    if truth is not None and truth.pixels.shape != (scale * image.height, scale * image.width, image.channels):
        raise UsageError(
            f"truth of {truth.width}x{truth.height} pixels: must be {scale} times {image.width}x{image.height}, "
            "with as many channels"
        )
    started = time.monotonic()
    stepwise = [name for name in chosen if name in methods.METHODS and "control" in methods.common_options(name)]
    trials = []
    for name in sorted(chosen, key=lambda name: name in stepwise):
        share = None
        if budget is not None and name in stepwise:
            left = max(budget - (time.monotonic() - started), 1.0)
            share = left / (len(stepwise) - stepwise.index(name))
        trials.append(_try(image, degradation, name, share, truth, seed, progress))
    return trials


def trained_for(degradation: Degradation) -> list[str]:
    """Name the bundled models that were trained for all that happened, as strong as it is; not those that repair."""
    found, scale = [], scale_factor(degradation)
    for name in bundled():
        card = read_card(name)
        if card.mask or card.outputs == 1:
            continue
        trained = (card.degradation, *card.recipe.get("others", ()))
        if card.scale == scale and any(_covers(parse(text), degradation) for text in trained):
            found.append(name)
    return found


def _covers(trained: Degradation, degradation: Degradation) -> bool:
    """Whether all that happened is part of what a model was trained for."""
    known = [part.degradation if isinstance(part, RandomApply) else part for part in trained.parts]
    return all(any(_within(part, each) for each in known) for part in degradation.parts)


def _within(part: Degradation, known: Degradation) -> bool:
    """Whether a degradation is of one kind with another, and its numbers are that one's or lie in its ranges."""
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


def _check(name: str, degradation: Degradation, scale: int) -> None:
    if name in methods.METHODS:
        methods.check(name, degradation)
    elif not (named(name) or name.endswith(".onnx") or os.path.isdir(name)):  # noqa: PTH112 - of any name
        raise unknown("method or model", name, [*methods.METHODS, *bundled(), *added()])
    elif read_card(name).scale != scale:
        raise UsageError(f"model {name!r}: enlarges by {read_card(name).scale}, and {degradation} is undone by {scale}")


def _options(name: str, y: Pixels, degradation: Degradation, budget: float | None, seed: int) -> Options:
    if name in methods.METHODS:
        return Options(method=name, degradation=degradation, budget=budget, seed=seed)
    return Options(model=name, sigma=noise_level(y, degradation) if read_card(name).noise_level else None)


def _try(
    image: Image, degradation: Degradation, name: str, budget: float | None, truth: Image | None, seed: int,
    progress: Callable[[str, float], None] | None,
) -> Trial:  # fmt: skip
    if progress is not None:
        progress(name, 0.0)
    reached = ""

    def steps(done: int, total: int) -> None:
        nonlocal reached
        reached = f"cut off by the budget after {done} of {total} steps" if done < total else ""
        if progress is not None:
            progress(name, done / total)

    start = time.perf_counter()
    try:
        told = _options(name, image.pixels, degradation, budget, seed)
        restored = run(image, plan(image, told), steps, judge=False).pixels
    except ResolventError as error:
        return Trial(name, None, time.perf_counter() - start, remark=str(error))
    seconds = time.perf_counter() - start
    score = None if truth is None else Protocol().measure(restored, truth.pixels)
    remark = reached if budget is not None and seconds >= budget else ""
    return Trial(name, restored, seconds, _residual(image.pixels, restored, degradation), score, remark)


def _residual(y: Pixels, x: Pixels, degradation: Degradation) -> float | None:
    linear, _ = degradation.split()
    if linear is not None and linear.random:
        return None
    again = x if linear is None else linear(np.asarray(x, np.float32))
    return float(255 * np.sqrt(np.mean(np.square(again - y))))
