"""Carry out a plan, tile by tile."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from resolvent import methods
from resolvent.engine.canvas import Canvas
from resolvent.engine.colors import as_gray, as_stored, is_gray
from resolvent.engine.plan import Plan
from resolvent.engine.repair import fill, save_mask
from resolvent.engine.request import Options
from resolvent.engine.visible import visible_colors
from resolvent.errors import InputError, QualityError
from resolvent.image import Image, write_image
from resolvent.inference.runtime import Session, open_session
from resolvent.inference.stitch import Box, Runner
from resolvent.methods.control import Control
from resolvent.physics.forward_model import ForwardModel

if TYPE_CHECKING:
    from resolvent.degradations import Degradation
    from resolvent.models.card import ModelCard

__all__ = ["Progress", "run"]


Progress = Callable[[int, int], None]
"""Called with the number of tiles that are done and the number of all tiles."""


PREVIEW_EVERY = 2.0
"""Seconds between two previews."""


def run(
    image: Image,
    plan: Plan,
    progress: Progress | None = None,
    open_session: Callable[[str | Path, str], Session] = open_session,
    *,
    judge: bool = True,
) -> Image:
    """Carry out a plan.

    Args:
        image: The image that the plan was made for.
        plan: See ``plan``.
        progress: Called after every tile.
        open_session: Loads a model into a runtime; pass a caching one to restore many images.
        judge: Whether a flat result, or one of another mean color, is an error; a benchmark wants its figure.

    Returns:
        The image restored, of the same type, with the same metadata, and the same alpha, enlarged with it. Values are
        clipped to the range that the image uses; outliers of that (see ``ValueRange``) are kept as they are. Fully
        transparent pixels keep theirs, unless they are enlarged. A gray picture in RGB is restored as gray.

    Raises:
        InputError: Memory has run out even for the smallest tile.
        QualityError: The result is not finite, flat, or of another mean color; see ``Checks``.
        MissingDependencyError: The runtime is not installed.
    """
    if plan.unchanged:
        _save_mask(plan)
        return image
    name = image.path or "the image"
    if is_gray(image):
        return as_stored(image, run(as_gray(image), plan, progress, open_session, judge=judge))
    if plan.first is not None:
        image = run(image, plan.first, progress, open_session, judge=judge)
    try:
        if plan.mask is not None:
            session = open_session(plan.options.filler, plan.options.runtime)
            filled = fill(image, plan.mask, session, plan.tile, plan.options.strength, progress)
            _save_mask(plan)
            return filled
        if plan.model is None:
            canvas = _run_method(image, plan.options, progress)
        else:
            canvas = _run_model(image, plan, open_session(plan.model, plan.options.runtime), progress)
        return canvas.finish(judge)
    except (InputError, QualityError) as error:
        raise type(error)(f"{name}: {error}") from error
    except MemoryError as error:
        raise InputError(f"{name}: out of memory; close other programs, or restore it on a larger machine") from error


def _save_mask(plan: Plan) -> None:
    if plan.options.write_mask is not None and plan.mask is not None:
        save_mask(plan.mask, plan.options.write_mask)


def _run_method(image: Image, options: Options, progress: Progress | None) -> Canvas:
    name, told = cast("tuple[str, Degradation]", (options.method, options.told))
    whole = Box(0, 0, image.height, image.width)
    forward_model = ForwardModel(told)
    shown = -math.inf

    def on_step(done: int, steps: int, so_far: Callable[[], NDArray[np.float32]]) -> None:
        nonlocal shown
        if progress is not None:
            progress(done, steps)
        if options.preview is not None and time.monotonic() - shown >= PREVIEW_EVERY:
            levels = np.rint(255 * np.clip(so_far(), 0, 1)).astype(np.uint8)
            write_image(Image.from_array(levels), options.preview, overwrite=True)
            shown = time.monotonic()

    control = Control(options.budget, on_step)
    common = {"control": control, "seed": options.seed}
    known = {key: value for key, value in common.items() if key in methods.common_options(name)}
    with _stopped_by_hand(control) if "control" in known else nullcontext():
        y = visible_colors(image, whole, 0)
        restored = methods.load(name)(y, forward_model, **known, **(options.settings or {}))
    canvas = Canvas(image, options.strength, forward_model.noise.sigma, forward_model.scale)
    canvas.put(whole, restored, _known(image, forward_model))
    return canvas


def _known(image: Image, forward_model: ForwardModel) -> NDArray[np.bool_] | None:
    """Where a masked image shows what was there, (H, W); None where it does everywhere."""
    if not forward_model.masked:
        return None
    scale, height, width = forward_model.scale, image.height, image.width
    seen = forward_model.seen((scale * height, scale * width)).reshape(height, scale, width, scale).all((1, 3))
    known: NDArray[np.bool_] = forward_model.known((height, width)) & seen
    return known


@contextmanager
def _stopped_by_hand(control: Control) -> Iterator[None]:
    """Let the first Ctrl-C end a method early, with what it has; the second is an interrupt as always."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before == signal.SIG_IGN:
        yield
        return

    def stop(number: int, frame: object) -> None:
        control.cancel()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run_model(image: Image, plan: Plan, session: Session, progress: Progress | None) -> Canvas:
    card, sigma = session.card, plan.sigma or 0.0

    def read(box: Box) -> NDArray[np.float32]:
        return _tensor(visible_colors(image, box, card.halo), card, sigma)

    canvas = Canvas(image, plan.strength, sigma if card.noise_level else None, card.scale)
    before = plan.first.tiles if plan.first else 0
    blocks = Runner(session).blocks(read, image.height, image.width, plan.tile)
    for done, (box, values) in enumerate(blocks, before + 1):
        canvas.put(box, values.transpose(1, 2, 0))
        if progress is not None:
            progress(done, plan.tiles)
    return canvas


def _tensor(pixels: NDArray[np.float32], card: ModelCard, sigma: float) -> NDArray[np.float32]:
    """(h, w, C) to (1, channels, h, w): gray in every channel, the noise level in one more."""
    x = np.empty((1, card.channels + card.noise_level, *pixels.shape[:2]), np.float32)
    x[0, : card.channels] = pixels.transpose(2, 0, 1)
    x[0, card.channels :] = sigma / 255
    return x
