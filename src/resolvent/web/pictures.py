"""Pictures of a photograph before and after, for a browser: smaller, or a part of it pixel by pixel."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resolvent.image import Image, Limits, read_image
from resolvent.report.overlay import CHANGE, UNCERTAINTY
from resolvent.web.folder import Folder
from resolvent.web.work import Outcome, Task, attempt

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LARGEST", "View", "draw"]

LARGEST = 4096
"""Pixels a side of a picture, at most."""

ROWS = 64
"""Rows of a picture that are read at a time."""


@dataclass(frozen=True)
class View:
    """What is shown.

    Attributes:
        layer: ``before``, ``after``, ``uncertainty`` or ``change``.
        size: Of the longer side, at most; the picture is never enlarged.
        crop: Left, top, width and height in pixels of that image, at their own size; None shows all of it.
    """

    layer: str
    size: int = 2048
    crop: tuple[int, int, int, int] | None = None


def draw(task: Task, view: View) -> Outcome:
    """Draw a picture; the value is its bytes and its media type.

    Photographs keep their ICC profile. Opaque ones are JPEG, of high quality and without subsampling of the color;
    crops and those with alpha are PNG.
    """
    return attempt(task, lambda: _draw(task, view))


def _draw(task: Task, view: View) -> tuple[bytes, str]:
    folder = Folder(task.folder)
    stamp = folder.photograph.stat().st_mtime_ns
    before = _photograph(folder.photograph, stamp, task.limits, task.frame or 1)
    image = before if view.layer == "before" else folder.restored(before)
    left, top, width, height = view.crop or (0, 0, image.width, image.height)
    right, bottom = min(left + width, image.width), min(top + height, image.height)
    left, top = min(left, right - 1), min(top, bottom - 1)
    size = LARGEST if view.crop else view.size
    step = max(1, max(right - left, bottom - top) // size)
    step = min(step, right - left, bottom - top)

    def small(read: Callable[[int, int], NDArray[np.float32]]) -> NDArray[np.float32]:
        """Average squares of `step` pixels a side, strip by strip."""
        rows, columns = (bottom - top) // step, (right - left) // step
        strips = []
        for start in range(0, rows, ROWS):
            end = min(start + ROWS, rows)
            strip = read(top + start * step, top + end * step)[:, : columns * step]
            strips.append(strip.reshape(end - start, step, columns, step, -1).mean((1, 3), dtype=np.float32))
        return np.concatenate(strips)

    colors = small(lambda start, end: image.read(start, left, end, right))
    icc = image.metadata.icc
    if view.layer in ("before", "after"):
        values = np.clip(colors, 0, 1)
        if image.alpha is not None:
            alpha, opaque = image.alpha, np.float32(1 if image.depth == 32 else 2**image.depth - 1)
            cover = small(lambda start, end: alpha[start:end, left:right].astype(np.float32) / opaque)
            values = np.concatenate([values, cover], axis=2)
        picture = np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)
        return _encoded(picture, icc, size, lossless=view.crop is not None)
    layer = UNCERTAINTY if view.layer == "uncertainty" else CHANGE
    if layer is UNCERTAINTY:
        widths = _half_widths(folder.half_widths, folder.half_widths.stat().st_mtime_ns)
        levels = small(lambda start, end: widths[start:end, left:right].astype(np.float32) / 256)
    else:
        known = image.value_range
        scale = np.float32(255 / (known.high - known.low))

        def change(start: int, end: int) -> NDArray[np.float32]:
            part = np.s_[start:end, left:right]
            changed: NDArray[np.float32] = np.abs(image.data[part].astype(np.float32) - before.data[part]).max(axis=2)
            return scale * changed

        levels = small(change)
    tinted = layer.tinted(colors.mean(axis=2), levels[..., 0])
    return _encoded(tinted, None, size, lossless=view.crop is not None)


@lru_cache(maxsize=1)
def _photograph(path: Path, stamp: int, limits: Limits, frame: int) -> Image:
    """Read it once for many crops; ``stamp`` tells another file of the same name."""
    return read_image(path, limits, frame=frame)


@lru_cache(maxsize=1)
def _half_widths(path: Path, stamp: int) -> Any:
    return read_image(path).data[..., 0]


def _encoded(picture: NDArray[np.uint8], icc: bytes | None, size: int, *, lossless: bool) -> tuple[bytes, str]:
    from PIL import Image as Pillow

    shown = Pillow.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
    if max(shown.size) > size:
        shown.thumbnail((size, size), Pillow.Resampling.LANCZOS)
    file = io.BytesIO()
    if lossless or shown.mode in ("LA", "RGBA"):
        shown.save(file, "PNG", compress_level=1, icc_profile=icc)
        return file.getvalue(), "image/png"
    shown.save(file, "JPEG", quality=95, subsampling=0, icc_profile=icc)
    return file.getvalue(), "image/jpeg"
