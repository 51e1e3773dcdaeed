"""Random shapes on planes of one size: strokes, smooth noise, rows of letters; one code for NumPy and for torch.

What is drawn is antialiased coverage, (N, H, W) in [0, 1]. All lengths are in pixels, all angles in radians.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["Sheet"]

TURN = 2 * math.pi


class Sheet:
    """N planes to draw on, and the random numbers to draw with.

    Args:
        xp: ``numpy`` or ``torch``.
        uniform: Gives float32 numbers in [0, 1) of a shape.
        rows: (H,) float32, the row numbers, in the arrays of ``xp`` and on its device.
        columns: (W,) float32.
        count: N.
    """

    def __init__(
        self, xp: ModuleType, uniform: Callable[[tuple[int, ...]], Any], rows: Any, columns: Any, count: int
    ) -> None:
        self.xp, self._uniform = xp, uniform
        self.rows, self.columns, self.count = rows, columns, count
        self._planes = _whole(xp.cumsum(xp.ones_like(rows[:1].repeat(count)), 0)) - 1
        self.height, self.width = len(rows), len(columns)

    @classmethod
    def numpy(cls, rng: np.random.Generator, height: int, width: int) -> Sheet:
        """Make one plane of NumPy arrays."""
        rows, columns = (np.arange(side, dtype=np.float32) for side in (height, width))
        return cls(np, lambda shape: rng.random(shape, np.float32), rows, columns, 1)

    @classmethod
    def torch(cls, generator: torch.Generator, shape: tuple[int, ...], device: torch.device) -> Sheet:
        """Make planes of a shape (N, H, W), torch tensors on a device."""
        import torch

        from resolvent.degradations import tensors

        rows, columns = (torch.arange(side, dtype=torch.float32, device=device) for side in shape[1:])
        return cls(torch, lambda numbers: tensors.uniform(numbers, generator, device), rows, columns, shape[0])

    @property
    def side(self) -> int:
        """The longer side."""
        return max(self.height, self.width)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Any:
        """Draw one number for each plane, (N,)."""
        return low + (high - low) * self._uniform((self.count,))

    def colors(self, channels: int) -> Any:
        """Draw numbers in [0, 1) for each plane and channel, (N, channels, 1, 1); gray draws as many as color."""
        return self._uniform((self.count, 3))[:, :channels, None, None]

    def stroke(
        self,
        row: Any,
        column: Any,
        angle: Any,
        half: Any,
        width: Any,
        bend: Any,
        *,
        wave: tuple[Any, Any] = (0.0, 50.0),
        broken: Any = None,
        rough: float = 0.0,
        shade: Any = None,
    ) -> Any:
        """Draw one curved line on each plane: coverage, (N, H, W).

        In the frame (u, v) along and across the line, its middle is ``v = bend u² / half + a sin(2π u / λ)``. Its width
        swells and shrinks by a half, its ends taper off.

        Args:
            row: Of its middle, (N,), as all that follow.
            column: Of its middle.
            angle: 0 lies along a row, π/2 along a column.
            half: Half its length.
            width: Across; what is thinner than a pixel covers that share of it.
            bend: 0 is straight.
            wave: a and λ.
            broken: Share of its length that is missing, about; None, or below 0, is a whole line.
            rough: How far its middle is jagged, in widths.
            shade: Width of a soft band beside the line, instead of the line itself: a Gaussian, by its standard
                deviation; neither broken nor rough.
        """
        xp = self.xp
        rows, columns, place = self._around(row, column, half)
        row, column, angle, half, width, bend, amplitude, length = (
            value[:, None, None] if getattr(value, "ndim", 0) else value
            for value in (row, column, angle, half, width, bend, *wave)
        )
        phase = TURN * self.uniform()[:, None, None]
        u = (columns - column) * xp.cos(angle) + (rows - row) * xp.sin(angle)
        v = (rows - row) * xp.cos(angle) - (columns - column) * xp.sin(angle)
        slope = 2 * bend * u / half
        v -= bend * u * u / half
        if not _zero(wave[0]):
            waves = TURN / length * u + phase
            slope = slope + amplitude * TURN / length * xp.cos(waves)
            v -= amplitude * xp.sin(waves)
        ends = ((half - abs(u)) / (0.15 * half + 1)).clip(0, 1)
        if shade is not None:
            distance = abs(v) / xp.sqrt(1 + slope * slope)
            return self._placed(xp.exp(-0.5 * (distance / shade[:, None, None]) ** 2) * ends, place)
        if rough:
            v += rough * width * (self._along(u, 3.0) - 0.5)
        distance = abs(v) / xp.sqrt(1 + slope * slope)
        across = width * (0.5 + self._along(u, 19.0))
        covered = xp.minimum((0.5 + across / 2 - distance).clip(0, 1), across.clip(0, 1)) * ends
        if broken is not None:
            covered = covered * (5 * (self._along(u, 14.0) - broken[:, None, None]) + 0.5).clip(0, 1)
        return self._placed(covered, place)

    def _along(self, u: Any, spacing: float) -> Any:
        """Draw smooth noise in [0, 1) along a line: random values every ``spacing`` pixels, joined by cubics."""
        nodes = int(4 * math.hypot(self.height, self.width) / spacing) + 3
        values = self._uniform((self.count * nodes,))
        i = self.xp.floor(u / spacing)
        t = u / spacing - i
        place = ((_whole(i) + nodes // 2).clip(0, nodes - 2) + nodes * self._planes[:, None, None]).reshape(-1)
        first, second = values[place].reshape(u.shape), values[place + 1].reshape(u.shape)
        return first + t * t * (3 - 2 * t) * (second - first)

    def _around(self, row: Any, column: Any, half: Any) -> tuple[Any, Any, tuple[slice, slice]]:
        """Give the rows and columns that a line can reach: of one plane, those about it; of several, all."""
        place = slice(0, self.height), slice(0, self.width)
        if self.count == 1:
            reach = 1.5 * float(half[0]) + 8
            place = (_reached(float(row[0]), reach, self.height), _reached(float(column[0]), reach, self.width))
        return self.rows[place[0]][None, :, None], self.columns[place[1]][None, None, :], place

    def _placed(self, coverage: Any, place: tuple[slice, slice]) -> Any:
        if coverage.shape[1:] == (self.height, self.width):
            return coverage
        plane = 0 * self.rows[None, :, None] * self.columns
        plane[:, place[0], place[1]] = coverage
        return plane

    def noise(self, size: Any) -> Any:
        """Draw smooth noise in [0, 1), (N, H, W): random values on a turned grid, joined by cubics.

        Args:
            size: Of a cell of the grid in pixels, (N,).
        """
        xp = self.xp
        u, v, cells = self._turned(size[:, None, None])
        i, j = xp.floor(u), xp.floor(v)
        s, t = u - i, v - j
        s, t = s * s * (3 - 2 * s), t * t * (3 - 2 * t)
        flat = self._uniform((self.count * cells * cells,))
        place = (_whole(i) * cells + _whole(j) + cells * cells * self._planes[:, None, None]).reshape(-1)
        corners = [flat[place + step].reshape(u.shape) for step in (0, 1, cells, cells + 1)]
        near = corners[0] + t * (corners[1] - corners[0])
        far = corners[2] + t * (corners[3] - corners[2])
        return near + s * (far - near)

    def blobs(self, size: Any, amount: Any) -> Any:
        """Draw irregular blobs about ``size`` (N,) pixels across that cover the share ``amount`` (N,): (N, H, W)."""
        noise = self.noise(2 * size)
        edges = [self.xp.quantile(plane, 1 - share) for plane, share in zip(noise, amount, strict=True)]
        edge = self.xp.stack(edges)[:, None, None]
        return ((noise - edge) * (1.5 * size[:, None, None]) + 0.5).clip(0, 1) * (amount[:, None, None] > 0)

    def specks(self, size: Any, amount: Any) -> tuple[Any, Any]:
        """Draw grains of many sizes up to ``size`` (N,) pixels across that cover the share ``amount`` (N,).

        At most one lies in each cell of a turned grid, so that the share ends at 0.025 of small ones, 0.04 of large.

        Returns:
            Coverage, and a random number in [0, 1) for each grain, for its color; both (N, H, W).
        """
        xp = self.xp
        cell = (2 * size + 2)[:, None, None]
        u, v, cells = self._turned(cell)
        i, j = xp.floor(u), xp.floor(v)
        there, radius, across, along, flat, own = self._cells(i, j, cells, 6)
        radius = size[:, None, None] * (0.25 + 0.75 * radius**3) / 2  # many small ones, few large
        chance = (amount * (2 * size + 2) ** 2 / _mean_area(xp, size))[:, None, None]
        room = cell - 2 * radius
        y = (u - i) * cell - radius - across * room
        x = (v - j) * cell - radius - along * room
        x = x + 0.5 * radius * xp.sin(2 * y / radius + TURN * own)
        narrow = 0.5 + 0.5 * flat
        distance = xp.sqrt(x * x + (y / narrow) ** 2) * (0.5 + 0.5 * narrow)
        return (radius + 0.5 - distance).clip(0, 1) * (there < chance), own

    def _turned(self, cell: Any) -> tuple[Any, Any, int]:
        """Compute coordinates on a grid of ``cell`` (N, 1, 1) pixels at a random angle, and its cells a side."""
        xp = self.xp
        angle = TURN * self.uniform()[:, None, None]
        reach = math.hypot(self.height, self.width)
        rows, columns = self.rows[None, :, None], self.columns[None, None, :]
        u = (columns * xp.cos(angle) + rows * xp.sin(angle) + reach) / cell
        v = (rows * xp.cos(angle) - columns * xp.sin(angle) + reach) / cell
        return u, v, int(2 * reach / float(cell.min())) + 3

    def _cells(self, i: Any, j: Any, cells: int, kinds: int) -> list[Any]:
        """Draw random numbers of the cells in row i and column j, (N, H, W), one for each of ``kinds``."""
        values = self._uniform((kinds, self.count * cells * cells))
        place = (_whole(i) * cells + _whole(j) + cells * cells * self._planes[:, None, None]).reshape(-1)
        return [kind[place].reshape(i.shape) for kind in values]

    def letters(self, size: Any) -> Any:
        """Draw rows of words of random letters, ``size`` (N,) pixels high: 0 or 1, (N, H, W)."""
        xp = self.xp
        dot = (size / 5)[:, None, None].clip(1, None)
        start = 40 * self._uniform((2, self.count))[:, :, None, None]
        i = xp.floor(self.rows[None, :, None] / dot + start[0])
        j = xp.floor(self.columns[None, None, :] / dot + start[1])
        seed = 100 * self.uniform()[:, None, None]
        strokes = _hashed(xp, i, j, seed) < 0.55
        words = _hashed(xp, xp.floor(i / 8), xp.floor(j / 20), seed + 7) < 0.8
        lines = (i % 8 < 5) & (j % 5 < 4)
        return (strokes & words & lines) * (dot * 0 + 1)


def _mean_area(xp: ModuleType, size: Any) -> Any:
    """Compute the mean area of ``Sheet.specks``: discs whose edge fades over one pixel, narrowed by 0.5 to 1."""
    total = 0
    for k in range(16):
        radius = size / 2 * (0.25 + 0.75 * ((k + 0.5) / 16) ** 3)
        total = total + xp.where(radius < 0.5, (radius + 0.5) ** 3 / 3, radius**2 + 1 / 12)
    return 0.96 * math.pi * total / 16  # 0.96: mean of n / (0.5 + 0.5 n)² over n from 0.5 to 1


def _whole(value: Any) -> Any:
    return value.astype(np.int64) if isinstance(value, np.ndarray) else value.long()


def _hashed(xp: ModuleType, i: Any, j: Any, seed: Any) -> Any:
    """Compute a pseudorandom number in [0, 1) for each pair of whole numbers."""
    value = xp.sin(i * 12.9898 + j * 78.233 + seed) * 4375.5453
    return value - xp.floor(value)


def _reached(middle: float, reach: float, side: int) -> slice:
    first = min(max(0, math.floor(middle - reach)), side - 1)
    return slice(first, max(first + 1, min(side, math.ceil(middle + reach))))


def _zero(value: Any) -> bool:
    return isinstance(value, float) and value == 0
