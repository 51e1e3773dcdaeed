"""Repair a photograph: find what is damaged by one model, fill it by another, and leave all other pixels alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resolvent.engine.checks import check_finite
from resolvent.engine.visible import visible_colors
from resolvent.errors import UsageError
from resolvent.image import Image, write_image
from resolvent.image.sources import Source, open_source
from resolvent.inference.stitch import Box, Runner
from resolvent.inference.tiles import reflected, spans
from resolvent.physics.resize import imresize

if TYPE_CHECKING:
    from resolvent.inference.runtime import Session
    from resolvent.models.card import ModelCard

__all__ = ["FILL_TILE", "count_tiles", "fill", "find_damage", "read_mask", "save_mask"]

SURE, LIKELY = 0.98, 0.7
"""Probabilities: damage is found where it is sure, and followed from there as long as it is likely (Canny, 1986,
doi:10.1109/TPAMI.1986.4767851). Detail that is taken for damage costs more than damage that stays."""

FOLLOWED = 12
"""Pixels that it is followed."""

GROWN = 2
"""Pixels by which what is found grows: its soft edge is damaged too."""

DEEP = 28
"""Pixels into a hole that the model sees from what is known; what lies deeper is filled at half the size."""

AROUND = 128
"""Pixels around what lies deep in holes from which it is filled."""

FILL_TILE = 256
"""Pixels a side that a tile contributes at most where holes are filled; larger ones reach past the holes."""


def find_damage(image: Image, session: Session, tile: int) -> NDArray[np.bool_]:
    """Find scratches, dust and creases: where the mean probability over four flips of the photograph is high.

    Args:
        image: The photograph.
        session: Of a model with one output.
        tile: Pixels a side that a tile contributes.

    Returns:
        (H, W), True where a pixel is damaged, grown by GROWN. Fully transparent pixels are not.

    Raises:
        InputError: Memory has run out even for the smallest tile.
    """
    halo = session.card.halo

    def read(box: Box) -> NDArray[np.float32]:
        return _in_color(visible_colors(image, box, halo))[None]

    found, likely = np.zeros((2, image.height, image.width), np.bool_)
    for box, values in Runner(_Flipped(session)).blocks(read, image.height, image.width, tile):
        found[box.slices()], likely[box.slices()] = values[0] >= SURE, values[0] >= LIKELY
    for _ in range(FOLLOWED):
        found = _grown(found, 1) & likely
    return _seen(image, _grown(found, GROWN))


class _Flipped:
    """A model whose result is the mean over the four flips of its input: what one alone sees is seldom damage."""

    def __init__(self, session: Session) -> None:
        self.session, self.card = session, session.card

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """See ``Session.run``."""
        total: NDArray[np.float32] = np.zeros((), np.float32)
        for rows in (1, -1):
            for columns in (1, -1):
                flipped = np.ascontiguousarray(x[..., ::rows, ::columns])
                total = total + self.session.run(flipped)[..., ::rows, ::columns]
        return total / np.float32(4)


def read_mask(source: Source, image: Image) -> NDArray[np.bool_]:
    """Read what is to be filled.

    Args:
        source: A picture in any form, of which the mean of the channels counts, or an array (H, W): bool, uint8, uint16
            or floating in [0, 1]. From one half on it is white.
        image: The photograph.

    Returns:
        (H, W), True where a pixel is to be filled. Pixels that are fully transparent, there or here, are not.

    Raises:
        UsageError: The mask is not as large as the photograph, names every pixel, or holds integers of 0 and 1.
        InputError: The file cannot be read.
    """
    name = f"mask {source}" if isinstance(source, str | Path) else f"mask of type {type(source).__name__}"
    if isinstance(source, np.ndarray) and source.dtype == np.bool_:
        source = source.astype(np.uint8) * np.uint8(255)
    drawn, _ = open_source(source)
    if drawn.data.dtype.kind == "u" and drawn.data.max() == 1:
        raise UsageError(f"{name}: of {drawn.data.dtype} from 0 to 1; give 0 and {np.iinfo(drawn.data.dtype).max}")
    if (drawn.height, drawn.width) != (image.height, image.width):
        raise UsageError(
            f"{name}: is {drawn.width}x{drawn.height} pixels and the photograph {image.width}x{image.height} (width x "
            "height); draw it on the photograph at its full size"
        )
    mask = drawn.pixels.mean(2) >= 0.5
    if drawn.alpha is not None:
        mask &= drawn.alpha > 0
    mask = _seen(image, mask)
    if mask.any() and not _seen(image, ~mask).any():
        raise UsageError(f"{name}: is white everywhere; white is what is filled, black is what is kept")
    return mask


def save_mask(mask: NDArray[np.bool_], path: Path) -> None:
    """Write a mask as a PNG, in the place of one that is there: white is what is filled.

    Raises:
        OutputError: The file cannot be written.
    """
    write_image(Image.from_array(np.where(mask, np.uint8(255), np.uint8(0))), path, overwrite=True)


def count_tiles(mask: NDArray[np.bool_], card: ModelCard, tile: int) -> int:
    """How many blocks ``fill`` goes through."""
    sides = (reflected(side, card.multiple) for side in mask.shape)
    return math.prod(len(spans(side, tile, card.halo, card.multiple)) for side in sides)


def fill(
    image: Image,
    mask: NDArray[np.bool_],
    session: Session,
    tile: int,
    strength: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
) -> Image:
    """Fill what a mask names. The model runs only on tiles that hold a part of it, and no other pixel changes.

    Args:
        image: The photograph.
        mask: (H, W), True where a pixel is to be filled.
        session: Of a model that takes a mask.
        tile: Pixels a side that a tile contributes.
        strength: 0 to 1: the blend y + strength (x - y) of the pixels that are filled.
        progress: Called with the tiles that are done and all tiles.

    Raises:
        InputError: Memory has run out even for the smallest tile.
        QualityError: The result is not finite.
    """
    halo = session.card.halo
    seen = image.data.copy()
    out = seen if strength == 1 else image.data.copy()
    sight = image.with_data(seen)
    deep = mask & ~_grown(~mask, DEEP) if not mask.all() else np.zeros_like(mask)
    near = mask & ~deep

    def read(box: Box) -> NDArray[np.float32]:
        missing = near[box.slices()][None].astype(np.float32)
        return np.concatenate([_in_color(visible_colors(sight, box, halo)), missing])[None]

    def wanted(box: Box) -> bool:
        return bool(near[box.slices()].any())

    def put(filled: NDArray[np.float32], box: Box, inside: NDArray[np.bool_]) -> None:
        check_finite(filled)
        if image.channels == 1:
            filled = filled.mean(1, keepdims=True)
        seen[box.slices()][inside] = image.quantize(filled)
        if strength < 1:
            before = image.read(*box)[inside]
            blend = before + np.float32(strength) * (np.clip(filled, 0, 1) - before)
            out[box.slices()][inside] = image.quantize(blend)

    if deep.any():
        box, coarse = _fill_coarsely(image, mask, deep, session, tile)
        put(coarse[deep[box.slices()]], box, deep[box.slices()])
    tiles = count_tiles(mask, session.card, tile)
    blocks = Runner(session).blocks(read, image.height, image.width, tile, wanted)
    for done, (box, values) in enumerate(blocks, 1):
        inside = near[box.slices()]
        if inside.any():
            put(values.transpose(1, 2, 0)[inside], box, inside)
        if progress is not None:
            progress(done, tiles)
    return image.with_data(out)


def _fill_coarsely(
    image: Image, mask: NDArray[np.bool_], deep: NDArray[np.bool_], session: Session, tile: int
) -> tuple[Box, NDArray[np.float32]]:
    """Fill what lies deep in holes at half the size, where it is half as deep; its box, and (h, w, C) there."""
    rows, columns = np.flatnonzero(deep.any(1)), np.flatnonzero(deep.any(0))
    box = Box(
        max(int(rows[0]) - AROUND, 0), max(int(columns[0]) - AROUND, 0),
        min(int(rows[-1]) + AROUND, image.height), min(int(columns[-1]) + AROUND, image.width),
    )  # fmt: skip
    height, width = box.bottom - box.top, box.right - box.left
    even = ((0, height % 2), (0, width % 2))
    part = np.pad(visible_colors(image, box, 0), (*even, (0, 0)), "edge")
    missing = np.pad(mask[box.slices()], even, "edge")
    blocks = missing.shape[0] // 2, 2, missing.shape[1] // 2, 2
    small = replace(image, alpha=None).with_data(image.quantize(part.reshape(*blocks, -1).mean((1, 3))))
    filled = fill(small, np.asarray(missing.reshape(blocks).any((1, 3))), session, tile)
    return box, imresize(filled.pixels, shape=missing.shape)[:height, :width]


def _in_color(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w, C) to (3, h, w): gray in every channel."""
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)).transpose(2, 0, 1))


def _seen(image: Image, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return mask if image.alpha is None else mask & (image.alpha > 0)


def _grown(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """The mask and all pixels within so many rows and columns of it."""
    grown = mask.copy()
    for axis in (0, 1):
        source = np.moveaxis(grown.copy(), axis, 0)
        target = np.moveaxis(grown, axis, 0)
        for step in range(1, pixels + 1):
            target[step:] |= source[:-step]
            target[:-step] |= source[step:]
    return grown
