"""Carry out a plan, tile by tile."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from resolvent import methods
from resolvent.engine.canvas import Canvas
from resolvent.engine.colors import as_gray, as_stored, is_gray
from resolvent.engine.error_maps import Jacobian
from resolvent.engine.evidence import Evidence, Tally, of_method
from resolvent.engine.plan import Opener, Plan
from resolvent.engine.preview import Preview
from resolvent.engine.repair import fill, save_mask
from resolvent.engine.request import MethodRequest, ModelRequest, RepairRequest
from resolvent.engine.uncertainty import Uncertainty, Widths
from resolvent.engine.visible import visible_colors
from resolvent.errors import InputError, QualityError, UsageError
from resolvent.image import Image
from resolvent.image.sources import Source, open_source
from resolvent.inference.jacobian import places
from resolvent.inference.runtime import Session, open_session
from resolvent.inference.stitch import Box, Runner
from resolvent.methods.control import Control, Steps

if TYPE_CHECKING:
    from resolvent.models.card import ModelCard
    from resolvent.physics.forward_model import ForwardModel

__all__ = ["Progress", "Restoration", "check_progress", "run"]


Progress = Callable[[int, int], None]
"""Called with the number of tiles, or of steps of a method, that are done, and the number of all. An exception that it
raises ends the restoration, and passes through."""


@dataclass(frozen=True, eq=False)
class Restoration:
    """What came of a plan.

    Attributes:
        image: The image restored, of the same type, with the same metadata, and the same alpha, enlarged with it.
        plan: What was done, and why.
        steps: How far the model or the method came, and what ended it: tiles or iterations, done of planned.
        seconds: That it took.
        uncertainty: How far each pixel may be from the truth; None if that was not asked for, or nothing was changed.
        evidence: Of a method, and of a model that takes the noise level if ``uncertainty`` was asked for; else None.
    """

    image: Image
    plan: Plan
    steps: Steps
    seconds: float = 0.0
    uncertainty: Uncertainty | None = None
    evidence: Evidence | None = None

    @property
    def trust(self) -> tuple[str, ...]:
        """Sentences for a person: how far to trust it."""
        return tuple(str(part) for part in (self.evidence, self.uncertainty) if part is not None)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Sentences for a person: those of the plan, how far to trust it, and that it was cut short, if it was."""
        return self.plan.reasons + self.trust + ((self.steps.remark,) if self.steps.remark else ())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What reading the image changed or left out."""
        return self.image.warnings


def check_progress(progress: object) -> None:
    """Refuse what cannot be called.

    Raises:
        UsageError: It cannot.
    """
    if progress is not None and not callable(progress):
        raise UsageError(f"progress {progress!r:.80}: must be a function; give one that takes (done, total)")


def run(
    source: Source,
    plan: Plan,
    progress: Progress | None = None,
    open_session: Opener = open_session,
    *,
    judge: bool = True,
    control: Control | None = None,
) -> Restoration:
    """Carry out a plan.

    Args:
        source: What the plan was made for, in any form that ``restore`` takes.
        plan: What ``plan`` returned.
        progress: Called after every tile, or after every step of an iterative method.
        open_session: Loads a model into a runtime; pass a caching one to restore many images.
        judge: Whether a flat result, or one of another mean color, is an error; a benchmark wants its figure.
        control: Cancels an iterative method, which then gives what it has; see ``Control``.

    Returns:
        The restoration. Its values are clipped to the range that the image uses; outliers of that (see ``ValueRange``)
        are kept as they are. Fully transparent pixels keep theirs, unless they are enlarged. A gray picture in RGB is
        restored as gray.

    Raises:
        UsageError: ``plan`` is no Plan, or ``progress`` cannot be called.
        InputError: Memory has run out even for the smallest tile.
        QualityError: The result is not finite, flat, or of another mean color; see ``Checks``.
        MissingDependencyError: The runtime is not installed.
    """
    if not isinstance(plan, Plan):
        raise UsageError(f"plan {plan!r:.80}: must be a Plan; give what resolvent.plan(photograph, ...) returns")
    check_progress(progress)
    began, control = time.perf_counter(), control or Control()
    image, _ = open_source(source)
    gray = not plan.unchanged and is_gray(image)
    seen = as_gray(image) if gray else image
    restoration = _restored(seen, plan, progress, open_session, judge, control)
    restored = as_stored(image, restoration.image) if gray else restoration.image
    return replace(restoration, image=restored, seconds=time.perf_counter() - began)


def _restored(
    image: Image, plan: Plan, progress: Progress | None, open_session: Opener, judge: bool, control: Control
) -> Restoration:
    """Do what comes first, then what the plan says."""
    if plan.unchanged:
        _save_mask(plan)
        return Restoration(image, plan, Steps())
    if plan.first is not None:
        image = _restored(image, plan.first, progress, open_session, judge, control).image
    name = image.path or "the image"
    try:
        if plan.mask is not None:
            repair = cast("RepairRequest", plan.request)
            session = open_session(repair.filler, repair.runtime)
            filled = fill(image, plan.mask, session, plan.tile, repair.strength, progress)
            _save_mask(plan)
            return Restoration(filled, plan, Steps(plan.tiles, plan.tiles))
        if isinstance(plan.request, MethodRequest):
            canvas, known = _run_method(image, plan.request, progress, control)
            steps = control.steps if plan.request.iterative else Steps(1, 1)
            cut = steps.ended in ("budget", "canceled")  # such a result is kept, whatever is still wrong with it
            return Restoration(canvas.finish(judge and not cut), plan, steps, evidence=known)
        model, request = cast("str | Path", plan.model), cast("ModelRequest", plan.request)
        canvas, uncertainty, evidence = _run_model(image, plan, open_session(model, request.runtime), progress)
        steps = Steps(plan.tiles, plan.tiles)
        return Restoration(canvas.finish(judge), plan, steps, uncertainty=uncertainty, evidence=evidence)
    except (InputError, QualityError) as error:
        raise type(error)(f"{name}: {error}") from error
    except MemoryError as error:
        raise InputError(f"{name}: out of memory; close other programs, or restore it on a larger machine") from error


def _save_mask(plan: Plan) -> None:
    if isinstance(plan.request, RepairRequest) and plan.request.write_mask is not None and plan.mask is not None:
        save_mask(plan.mask, plan.request.write_mask)


def _run_method(
    image: Image, request: MethodRequest, progress: Progress | None, control: Control
) -> tuple[Canvas, Evidence]:
    name = request.method
    whole = Box(0, 0, image.height, image.width)
    forward_model = request.forward_model
    preview = None if request.preview is None else Preview(request.preview)

    def on_step(done: int, steps: int, so_far: Callable[[], NDArray[np.float32]]) -> None:
        if progress is not None:
            progress(done, steps)
        if preview is not None:
            preview(so_far)

    known = _known(image, forward_model)
    common = {"control": control, "seed": request.seed}
    options = {key: value for key, value in common.items() if key in methods.common_options(name)}
    with control.run(request.budget, on_step) if request.iterative else nullcontext():
        y = visible_colors(image, whole, 0)
        restored = methods.load(name)(y, forward_model, **options, **request.settings)
    canvas = Canvas(image, request.strength, forward_model.noise.sigma, forward_model.scale)
    canvas.put(whole, restored, known, forward_model if forward_model.parts else None)
    return canvas, of_method(restored, y, forward_model)


def _known(image: Image, forward_model: ForwardModel) -> NDArray[np.bool_] | None:
    """Where a masked image shows what was measured, (H, W); None where it does everywhere.

    Raises:
        UsageError: It shows nothing.
    """
    if not forward_model.masked:
        return None
    known = forward_model.known((image.height, image.width))
    if not known.any():
        raise UsageError(f"{forward_model.degradation}: hides every pixel; give the mask of those that are missing")
    return known


def _run_model(
    image: Image, plan: Plan, session: Session, progress: Progress | None
) -> tuple[Canvas, Uncertainty | None, Evidence | None]:
    card, sigma = session.card, plan.sigma or 0.0
    request = cast("ModelRequest", plan.request)
    asked = request.uncertainty

    def read(box: Box) -> NDArray[np.float32]:
        x = _tensor(visible_colors(image, box, card.halo), card, sigma)
        return np.concatenate([x, places(box)[None, None]], axis=1) if isinstance(asked, Jacobian) else x

    canvas = Canvas(image, plan.strength, sigma if card.noise_level else None, card.scale)
    if asked is None:
        runner = Runner(session)
    else:
        runner = Runner(asked.session(session, sigma, gray=image.channels == 1), channels=1, halo=asked.halo)
        widths = Widths(image, card.scale, plan.strength)
        tally = Tally(sigma, plan.strength, 2 * widths.rounding)
    before = plan.first.tiles if plan.first else 0
    for done, (box, values) in enumerate(runner.blocks(read, image.height, image.width, plan.tile), before + 1):
        restored = values[: card.outputs].transpose(1, 2, 0)
        canvas.put(box, restored)
        if asked is not None:
            widths.put(box, restored, asked.half_width(values[-1], card, wide=plan.wide))
            if card.noise_level:
                seen = None if image.alpha is None else image.alpha[box.slices()] > 0
                tally.add(visible_colors(image, box, card.halo), restored, values[-1], seen)
        if progress is not None:
            progress(done, plan.tiles)
    if asked is None:
        return canvas, None, None
    if not card.noise_level:
        return canvas, widths.finish(asked.basis(card)), None
    evidence = tally.finish(
        white=not plan.wide, sure=isinstance(asked, Jacobian), obstacle=_obstacle(image, request.sigma)
    )
    basis = asked.basis(card, sigma, wide=plan.wide, clipped=evidence.clipped)
    return canvas, widths.finish(basis), evidence


def _obstacle(image: Image, sigma: float | None) -> str:
    """Why SURE does not hold for a photograph, or nothing."""
    if sigma is None:
        return "the noise level is only measured; give it as sigma (--sigma) if you know it"
    if image.jpeg is not None:
        return "JPEG has changed the noise"
    if image.alpha is not None and not image.alpha.all():
        return "some pixels are transparent"
    return ""


def _tensor(pixels: NDArray[np.float32], card: ModelCard, sigma: float) -> NDArray[np.float32]:
    """(h, w, C) to (1, channels, h, w): gray in every channel, the noise level in one more."""
    x = np.empty((1, card.channels + card.noise_level, *pixels.shape[:2]), np.float32)
    x[0, : card.channels] = pixels.transpose(2, 0, 1)
    x[0, card.channels :] = sigma / 255
    return x
