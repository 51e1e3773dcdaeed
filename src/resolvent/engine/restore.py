"""Restore a photograph, tile by tile."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from resolvent.engine.plan import plan
from resolvent.engine.repair import MaskSource
from resolvent.engine.request import Options
from resolvent.engine.run import Progress, run
from resolvent.image import Image, Limits, read_image
from resolvent.inference.runtime import open_session

if TYPE_CHECKING:
    from resolvent.degradations import Degradation


__all__ = ["restore"]


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
        image, such as highlights, keep their values. Where nothing is to be done it is the very input, a
        Pillow image upright.

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
        from PIL import ImageOps

        return ImageOps.exif_transpose(source) if chosen.unchanged else restored.to_pil()
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
