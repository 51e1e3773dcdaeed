"""Restore a photograph, tile by tile."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from resolvent import methods
from resolvent.degradations import GaussianNoise, Mask
from resolvent.degradations.resize import resize_plane
from resolvent.engine.checks import Checks
from resolvent.engine.colors import as_gray, as_stored, is_gray
from resolvent.engine.plan import Options, Plan, plan
from resolvent.engine.repair import MaskSource, fill, save_mask
from resolvent.engine.visible import visible_colors
from resolvent.errors import InputError, QualityError
from resolvent.image import Image, Limits, read_image, write_image
from resolvent.methods.control import Control
from resolvent.models.runtime import Session, open_session
from resolvent.models.stitch import Box, Runner

if TYPE_CHECKING:
    from resolvent.degradations import Degradation
    from resolvent.models.card import Card

__all__ = ["Options", "Plan", "Progress", "plan", "restore", "run"]

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
        judge: Whether a flat result, or one of another mean colour, is an error; a benchmark wants its figure.

    Returns:
        The image restored, of the same type, with the same metadata, and the same alpha, enlarged with it. Values are
        clipped to the range that the image uses; outliers of that (see ``ValueRange``) are kept as they are. Fully
        transparent pixels keep theirs, unless they are enlarged. A gray picture in RGB is restored as gray.

    Raises:
        InputError: Memory has run out even for the smallest tile.
        QualityError: The result is not finite, flat, or of another mean colour; see ``Checks``.
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


def _run_method(image: Image, options: Options, progress: Progress | None) -> _Canvas:
    name, told = cast("tuple[str, Degradation]", (options.method, options.told))
    whole = Box(0, 0, image.height, image.width)
    sigmas = [part.sigma for part in told.parts if isinstance(part, GaussianNoise) and isinstance(part.sigma, float)]
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
    known = {key: value for key, value in common.items() if key in methods.takes(name)}
    with _stopped_by_hand(control) if "control" in known else nullcontext():
        restored = methods.load(name)(visible_colors(image, whole, 0), told, **known, **(options.settings or {}))
    canvas = _Canvas(image, options.strength, max(sigmas, default=None), restored.shape[0] // image.height)
    canvas.put(whole, restored, _known(image, told))
    return canvas


def _known(image: Image, told: Degradation) -> NDArray[np.bool_] | None:
    """Where a masked image shows what was there, (H, W); None where it does everywhere."""
    masks = [part for part in told.parts if isinstance(part, Mask)]
    if not masks:
        return None
    seen: NDArray[np.bool_] = masks[0](np.ones((image.height, image.width, 1), np.float32))[..., 0] > 0
    return seen


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


def _run_model(image: Image, plan: Plan, session: Session, progress: Progress | None) -> _Canvas:
    card, sigma = session.card, plan.sigma or 0.0

    def read(box: Box) -> NDArray[np.float32]:
        return _tensor(visible_colors(image, box, card.halo), card, sigma)

    canvas = _Canvas(image, plan.strength, sigma if card.noise_level else None, card.scale)
    before = plan.first.tiles if plan.first else 0
    blocks = Runner(session).blocks(read, image.height, image.width, plan.tile)
    for done, (box, values) in enumerate(blocks, before + 1):
        canvas.put(box, values.transpose(1, 2, 0))
        if progress is not None:
            progress(done, plan.tiles)
    return canvas


def _tensor(pixels: NDArray[np.float32], card: Card, sigma: float) -> NDArray[np.float32]:
    """(h, w, C) to (1, channels, h, w): gray in every channel, the noise level in one more."""
    x = np.empty((1, card.channels + card.noise_level, *pixels.shape[:2]), np.float32)
    x[0, : card.channels] = pixels.transpose(2, 0, 1)
    x[0, card.channels :] = sigma / 255
    return x


class _Canvas:
    """Takes finished blocks: checks them, blends them with the input, brings them to its type."""

    def __init__(self, image: Image, strength: float, sigma: float | None, scale: int = 1) -> None:
        self.image, self.strength, self.scale = image, strength, scale
        self.data = np.empty((scale * image.height, scale * image.width, image.channels), image.data.dtype)
        known = image.value_range
        self.checks = Checks(image.channels, sigma, 0.0 if image.depth == 32 else 255 / (known.high - known.low))

    def put(self, box: Box, restored: NDArray[np.float32], known: NDArray[np.bool_] | None = None) -> None:
        """Take what a box of the image became: (scale * h, scale * w, channels of the model).

        What is not ``known``, (h, w), says nothing about what should be there, and is not judged.
        """
        if self.image.channels == 1:
            restored = restored.mean(2, keepdims=True)
        before, place = self.image.read(*box), box.slices(self.scale)
        stored = self.image.data[box.slices()]
        outliers = self.image.value_range.outliers(stored)
        hidden = None if self.image.alpha is None else self.image.alpha[box.slices()] == 0
        told = (None if outliers is None else outliers.any(2), hidden, None if known is None else ~known)
        unjudged = [part for part in told if part is not None and part.any()]
        if unjudged:
            judged = ~np.logical_or.reduce(unjudged)
            self.checks.add(before, restored, (judged, self._enlarged(judged)))
        else:
            self.checks.add(before, restored)
        if self.strength < 1:
            restored = before + np.float32(self.strength) * (np.clip(restored, 0, 1) - before)
        self.data[place] = self.image.quantise(restored)
        if outliers is not None:
            np.copyto(self.data[place], self._enlarged(stored), where=self._enlarged(outliers))
        if hidden is not None and self.scale == 1:
            np.copyto(self.data[place], stored, where=hidden[..., None])

    def _enlarged(self, values: NDArray[Any]) -> NDArray[Any]:
        """(h, w) or (h, w, C), each pixel repeated as often as the result is larger."""
        return values.repeat(self.scale, 0).repeat(self.scale, 1)

    def finish(self, judge: bool) -> Image:
        """Give the whole, judged if so wanted."""
        if judge:
            self.checks.finish()
        alpha = self.image.alpha
        if alpha is not None and self.scale > 1:
            alpha = resize_plane(alpha, self.scale)
        return self.image.with_data(self.data, alpha)


def restore(
    source: Any,
    *,
    model: str | Path | None = Options.model,
    method: str | None = Options.method,
    degradation: Degradation | str | None = Options.degradation,
    sigma: float | None = Options.sigma,
    strength: float = Options.strength,
    tile: int | None = Options.tile,
    memory: int | str | None = Options.memory,
    runtime: str = Options.runtime,
    seed: int = Options.seed,
    scale: int | None = Options.scale,
    budget: float | None = Options.budget,
    settings: Mapping[str, Any] | None = Options.settings,
    preview: Path | None = Options.preview,
    repair: bool = Options.repair,
    mask: MaskSource | None = Options.mask,
    write_mask: Path | None = Options.write_mask,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    progress: Progress | None = None,
) -> Any:
    """Restore a photograph.

    Args:
        source: Path or bytes of a file, an Image, a Pillow image, or an array: (H, W) or (H, W, C), uint8, uint16 or
            float, of either byte order. Floats are nominally in [0, 1], and noise beyond that reaches the model as it
            is; another range that the values use, such as 12 bits in 16, or 0 to 255 or counts of photons in floats, is
            recognized: see ``image_range.used_range``.
        model: See Options, as for all up to ``scale``. With neither model nor method, diagnosis chooses, and an image
            with nothing to fix comes back unchanged; ``plan`` tells which, and why.
        method: Instead of a model.
        degradation: What the method is to undo.
        sigma: Noise level, in 8-bit gray levels: 255 are the range that the image uses.
        strength: 0 to 1.
        tile: Pixels.
        memory: For the tiles.
        runtime: What runs the model.
        seed: Of everything random in a method.
        scale: Enlarge by this, instead of a model.
        budget: Seconds after which a method that goes step by step gives what it has.
        settings: Options of the method itself, by name.
        preview: A PNG that such a method writes again every few seconds.
        repair: Find scratches, dust and creases and fill them, before anything else, and change no other pixel; without
            a model or method, nothing else is done.
        mask: Fill this too: a picture, or an array (H, W), as large as the photograph; white or True is filled.
        write_mask: A PNG of what is filled, white.
        limits: The largest file that is read.
        progress: Called with the tiles that are done and all tiles.

    Returns:
        What was given: an array of the same type for an array, a Pillow image for one, else an Image; of the same size,
        or enlarged. Values are clipped to the range that the image uses, floats in [0, 1] to that; outliers of a float
        image, such as highlights, keep their values. Where nothing is to be done it is the very input.

    Raises:
        UsageError: An option breaks its rule.
        InputError: The image cannot be used.
        QualityError: The result failed its checks.
    """
    options = Options(
        model, method, degradation, sigma, strength, tile, memory, runtime, seed, scale, budget, settings, preview,
        repair, mask, write_mask,
    )  # fmt: skip
    pillow = "PIL.Image" in sys.modules and isinstance(source, sys.modules["PIL.Image"].Image)
    if isinstance(source, Image):
        image = source
    elif isinstance(source, np.ndarray):
        image = Image.from_array(source)
    elif pillow:
        image = Image.from_pil(source)
    else:
        image = read_image(source, limits)
    sessions = cache(open_session)
    chosen = plan(image, options, source if isinstance(source, bytes) else None, sessions)
    restored = run(image, chosen, progress, sessions)
    if pillow:
        return source.copy() if chosen.unchanged else restored.to_pil()
    if isinstance(source, np.ndarray):
        return source.copy() if chosen.unchanged else _as_array(restored, source)
    return restored


def _as_array(image: Image, like: NDArray[Any]) -> NDArray[Any]:
    """The pixels in the shape and type of an array, with its alpha."""
    data: NDArray[Any] = image.data.astype(like.dtype, copy=False)
    if like.dtype == np.float64 and data.size == like.size:
        exact = like.reshape(data.shape)
        data = np.where(data == exact.astype(np.float32), exact, data)
    if image.alpha is not None:
        same = data.shape[:2] == like.shape[:2]
        alpha = like[..., -1] if same else image.alpha.astype(like.dtype)
        return np.concatenate([data, alpha[..., None]], 2)
    return data[..., 0] if like.ndim == 2 else data
