"""Run a model over the tiles of an image and join what comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import InputError
from resolvent.inference.tiles import Span, border, largest_tile, reflected, spans

if TYPE_CHECKING:
    from resolvent.inference.runtime import Model

__all__ = ["Box", "Runner"]


class Box(NamedTuple):
    """The pixels from (top, left) up to, and without, (bottom, right)."""

    top: int
    left: int
    bottom: int
    right: int

    def slices(self, scale: int = 1) -> tuple[slice, slice]:
        """Its rows and columns in an image ``scale`` times as large."""
        return slice(scale * self.top, scale * self.bottom), slice(scale * self.left, scale * self.right)


class Runner:
    """Runs a model over tiles, and over smaller ones once memory has run out.

    Args:
        session: The model.
        channels: How many it gives besides those of the image.
        halo: Pixels of context that they depend on, beyond those that the image does.
    """

    def __init__(self, session: Model, *, channels: int = 0, halo: int = 0) -> None:
        self.session = session
        self.channels = session.card.outputs + channels
        self.halo = session.card.halo + halo
        self.area: int | None = None  # pixels that a tile may read, since memory ran out

    def blocks(
        self,
        read: Callable[[Box], NDArray[np.float32]],
        height: int,
        width: int,
        tile: int,
        wanted: Callable[[Box], bool] = lambda box: True,
    ) -> Iterator[tuple[Box, NDArray[np.float32]]]:
        """Restore an image in blocks that cover each of its pixels once.

        It is reflected by ``border`` pixels on each side: there the model sees zeros otherwise, and darkens saturated
        colors. No more is held than one tile and the seam below a row of tiles.

        Args:
            read: A box of the image to the tensor (1, C, h, w) that the model takes.
            height: Of the image.
            width: Of the image.
            tile: See ``tiles.spans``, of the reflected image.
            wanted: Whether anything in a box, of what one tile contributes to, is of use; else the model does not run
                there.

        Yields:
            For each tile a box of the image and what the model made of it, (C, scale * h, scale * w); without meaning
            where nothing is wanted.

        Raises:
            InputError: Not even the smallest tile fits into memory.
        """
        card = self.session.card
        before = border(card.multiple)

        def own(box: Box) -> Box:
            """The part of the image that lies in a box of the reflected one."""
            top, left, bottom, right = (side - before for side in box)
            return Box(max(top, 0), max(left, 0), min(bottom, height), min(right, width))

        def read_reflected(box: Box) -> NDArray[np.float32]:
            inside = own(box)
            rows, columns = (
                (low + before - start, stop - before - high)
                for low, high, start, stop in zip(inside[:2], inside[2:], box[:2], box[2:], strict=True)
            )
            return np.pad(read(inside), ((0, 0), (0, 0), rows, columns), mode="reflect")

        sides = (reflected(side, card.multiple) for side in (height, width))
        rows, columns = (spans(side, tile, self.halo, card.multiple) for side in sides)
        for box, values in self._joined(read_reflected, rows, columns, lambda box: wanted(own(box))):
            inside = own(box)
            if inside.top < inside.bottom and inside.left < inside.right:
                top, left = box.top - before, box.left - before
                part = Box(inside.top - top, inside.left - left, inside.bottom - top, inside.right - left)
                yield inside, values[:, *part.slices(card.scale)]

    def _joined(
        self,
        read: Callable[[Box], NDArray[np.float32]],
        down: Sequence[Span],
        across: Sequence[Span],
        wanted: Callable[[Box], bool] = lambda box: True,
    ) -> Iterator[tuple[Box, NDArray[np.float32]]]:
        """Run the model over the tiles that spans make, and join what they contribute; see ``blocks``."""
        card = self.session.card
        s = card.scale
        below = right_seam = np.empty((0, 0, 0), np.float32)  # what the row above, and the tile to the left, fades out
        for rows in down:
            above, below = below, np.empty((self.channels, s * rows.trail, s * across[-1].stop), np.float32)
            bottom = rows.stop - rows.trail
            for columns in across:
                right = columns.stop - columns.trail
                box = Box(rows.start, columns.start, bottom, right)
                if wanted(Box(rows.start, columns.start, rows.stop, columns.stop)):
                    values = self._contribution(read, rows, columns)
                else:
                    shape = (self.channels, s * (rows.stop - rows.start), s * (columns.stop - columns.start))
                    values = np.zeros(shape, np.float32)
                if columns.lead:
                    values[..., : s * columns.lead] += right_seam
                values, right_seam = np.split(values, [s * (right - columns.start)], axis=2)
                if rows.lead:
                    values[:, : s * rows.lead] += above[..., box.slices(s)[1]]
                values, below[..., box.slices(s)[1]] = np.split(values, [s * (bottom - rows.start)], axis=1)
                yield box, values

    def _contribution(
        self, read: Callable[[Box], NDArray[np.float32]], rows: Span, columns: Span
    ) -> NDArray[np.float32]:
        """The weighted result of one tile, (C, scale * h, scale * w), a new array."""
        x = read(Box(rows.origin, columns.origin, rows.origin + rows.size, columns.origin + columns.size))
        y = self._run(np.ascontiguousarray(x))[0]
        s = self.session.card.scale
        own = Box(
            rows.start - rows.origin,
            columns.start - columns.origin,
            rows.stop - rows.origin,
            columns.stop - columns.origin,
        )
        weighted: NDArray[np.float32] = y[:, *own.slices(s)] * np.outer(rows.weights(s), columns.weights(s))
        return weighted

    def _run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Restore (1, C, H, W), H and W multiples of the model's: in one go, or in parts where memory has run out."""
        height, width = x.shape[2:]
        card = self.session.card
        if self.area is None or height * width <= self.area:
            try:
                return self.session.run(x)
            except MemoryError:
                self.area = height * width // 2
        tile = largest_tile(self.area, height, width, self.halo, card.multiple)
        if not tile:
            raise InputError(
                f"out of memory on a tile of {width} x {height} pixels, the smallest; close other programs"
            )
        y = np.empty((1, self.channels, card.scale * height, card.scale * width), np.float32)
        rows, columns = (spans(side, tile, self.halo, card.multiple) for side in (height, width))
        for box, values in self._joined(lambda box: x[:, :, *box.slices()], rows, columns):
            y[0, :, *box.slices(card.scale)] = values
        return y
