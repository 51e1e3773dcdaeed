"""Damage of old photographs: scratches, dust, creases, holes. Each gives a mask of the pixels it damaged.

One code draws the damage for NumPy and for torch (``sheet.Sheet``), so that both agree in distribution; a seed gives
other shapes in each.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from resolvent.degradations.base import Degradation, Pixels
from resolvent.degradations.sheet import Sheet
from resolvent.parameters import Choice, Number, Range, Word, values_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["VISIBLE", "Creases", "Damage", "Dust", "Holes", "Scratches"]

VISIBLE = 5 / 255
"""A pixel counts as damaged where one of its channels has changed by more."""

SHARE = Number(0, 1)


class Damage(Degradation):
    """A degradation that covers some pixels and leaves the others exactly as they are.

    ``with_mask`` gives which. In a batch, ``apply_batch`` gives the mask among the numbers of the samples, as
    ``"scratches.mask"``: (N, 1, H, W), 1 where a pixel is damaged, else 0.
    """

    random = True

    @abstractmethod
    def _paint(self, x: Any, numbers: dict[str, Any], sheet: Sheet) -> Any:
        """Damage (N, C, H, W), an array of NumPy or of torch, with ``numbers`` of (N,)."""

    def with_mask(
        self, image: NDArray[np.floating[Any]], rng: np.random.Generator | None = None
    ) -> tuple[Pixels, Pixels]:
        """Give the damaged image, and 1 where a channel has changed by more than VISIBLE, else 0: (H, W)."""
        damaged = self(image, rng)
        changed = np.abs(damaged - np.asarray(image, np.float32)).max(-1) > VISIBLE
        return damaged, changed.astype(np.float32)

    def _on_batch(
        self, x: Tensor, target: Tensor | None, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor | None, dict[str, Tensor]]:
        damaged, target, numbers = super()._on_batch(x, target, generator)
        changed = (damaged - x).abs().amax(1, keepdim=True) > VISIBLE
        return damaged, target, numbers | {f"{self.name}.mask": changed.float()}

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        planes = image.transpose(2, 0, 1)[None]
        sheet = Sheet.numpy(rng, *image.shape[:2])
        damaged = self._paint(planes, {key: np.full(1, value, np.float32) for key, value in numbers.items()}, sheet)
        return np.array(damaged[0].transpose(1, 2, 0), np.float32, order="C")

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        sheet = Sheet.torch(generator, (len(x), *x.shape[2:]), x.device)
        damaged: Tensor = self._paint(x.clone(), numbers, sheet)
        return damaged


def _cover(x: Any, covered: Any, color: Any) -> Any:
    """Lay a color, (N, C, 1, 1) or (N, C, H, W), over the image where it is covered, (N, H, W)."""
    return x + covered[:, None] * (color - x)


def _color(sheet: Sheet, channels: int, bright: Any, share: Any = None) -> Any:
    """Choose near white or black, slightly tinted: (N, C, 1, 1), or (N, C, H, W) with a ``share`` for each pixel."""
    level, tint = sheet.uniform()[:, None, None, None], sheet.colors(channels)
    light, dark = 0.8 + 0.14 * level + 0.06 * tint, 0.12 * level + 0.04 * tint
    share = sheet.uniform()[:, None, None] if share is None else share
    return sheet.xp.where((share < bright[:, None, None])[:, None], light, dark)


@dataclass(frozen=True)
class Scratches(Damage):
    """Thin curved lines, most of them nearly parallel, as film gets them in a camera or a projector.

    Attributes:
        count: Lines.
        width: Of a line in pixels; each has 0.5 to 1.5 times as much.
        opacity: Of a line; each has 0.5 to 1 times as much.
        angle: Of most lines in degrees, within 4: 0 lies along a row, 90 stands upright. One in seven lies anyhow.
        bright: Share of them that are white, where the paper shows; the others are black.
    """

    name = "scratches"
    examples = ("scratches:count=5,width=2",)
    count: int | Range | Choice = field(default=8, metadata={"kind": Number(0, 500, whole=True)})
    width: float | Range | Choice = field(default=1.5, metadata={"kind": Number(0, 50, "pixels", above=True)})
    opacity: float | Range | Choice = field(default=0.9, metadata={"kind": SHARE})
    angle: float | Range | Choice = field(default=90.0, metadata={"kind": Number(-180, 180, "degrees")})
    bright: float | Range | Choice = field(default=0.7, metadata={"kind": SHARE})

    def _paint(self, x: Any, numbers: dict[str, Any], sheet: Sheet) -> Any:
        for k in range(int(max(values_of(self.count)))):
            tilt = math.radians(4) * (sheet.uniform() + sheet.uniform() - 1)
            stray = math.pi * (sheet.uniform() - 0.5) * (sheet.uniform() < 1 / 7)
            half = sheet.side * (0.06 + 0.6 * sheet.uniform() ** 2)
            covered = sheet.stroke(
                sheet.height * sheet.uniform(-0.1, 1.1),
                sheet.width * sheet.uniform(),
                numbers["angle"] * (math.pi / 180) + tilt + stray,
                half,
                numbers["width"] * sheet.uniform(0.5, 1.5),
                0.12 * (sheet.uniform() - 0.5),
                wave=(sheet.uniform(0, 1.2), 60 + half * sheet.uniform()),
                broken=sheet.uniform(-0.8, 0.6),
            )
            opacity = numbers["opacity"] * sheet.uniform(0.5, 1) * (k < numbers["count"])
            x = _cover(x, covered * opacity[:, None, None], _color(sheet, x.shape[1], numbers["bright"]))
        return x


@dataclass(frozen=True)
class Dust(Damage):
    """Specks, and hairs: what lay on the photograph or on the glass when it was copied.

    Attributes:
        amount: Share of the pixels that specks cover; they lie apart, so that 0.025 to 0.04 is the most they do.
        size: Of a speck in pixels, about; most are smaller.
        hairs: Curved hairs and fibers, 15 to 90 pixels long.
        opacity: Of both; each has 0.6 to 1 times as much.
        bright: Share of them that are white, as dust on a negative; the others are black.
    """

    name = "dust"
    examples = ("dust:amount=0.02,size=3",)
    amount: float | Range | Choice = field(default=0.001, metadata={"kind": Number(0, 0.5)})
    size: float | Range | Choice = field(default=2.0, metadata={"kind": Number(0.5, 50, "pixels")})
    hairs: int | Range | Choice = field(default=2, metadata={"kind": Number(0, 500, whole=True)})
    opacity: float | Range | Choice = field(default=0.95, metadata={"kind": SHARE})
    bright: float | Range | Choice = field(default=0.7, metadata={"kind": SHARE})

    def _paint(self, x: Any, numbers: dict[str, Any], sheet: Sheet) -> Any:
        opacity = numbers["opacity"]
        specks, own = sheet.specks(numbers["size"], numbers["amount"])
        color = _color(sheet, x.shape[1], numbers["bright"], own)
        x = _cover(x, specks * opacity[:, None, None] * (0.7 + 0.3 * own), color)
        for k in range(int(max(values_of(self.hairs)))):
            half = 8 + 37 * sheet.uniform() ** 2
            covered = sheet.stroke(
                sheet.height * sheet.uniform(),
                sheet.width * sheet.uniform(),
                math.pi * sheet.uniform(),
                half,
                sheet.uniform(0.7, 1.8),
                1.6 * (sheet.uniform() - 0.5),
                wave=(0.12 * half * sheet.uniform(), half * sheet.uniform(0.8, 2)),
            )
            there = opacity * sheet.uniform(0.6, 1) * (k < numbers["hairs"])
            x = _cover(x, covered * there[:, None, None], _color(sheet, x.shape[1], numbers["bright"]))
        return x


@dataclass(frozen=True)
class Creases(Damage):
    """Folds across the whole photograph: a broken white core, a shadow beside it, cracks that leave it.

    Attributes:
        count: Folds.
        width: Of the core in pixels; each has 0.5 to 1.5 times as much.
        opacity: Of the core.
        shadow: How much darker the paper is beside the core, as a share; fades over about a width.
        cracks: Short cracks that leave each fold.
    """

    name = "creases"
    examples = ("creases",)
    count: int | Range | Choice = field(default=1, metadata={"kind": Number(0, 50, whole=True)})
    width: float | Range | Choice = field(default=2.5, metadata={"kind": Number(0, 50, "pixels", above=True)})
    opacity: float | Range | Choice = field(default=0.9, metadata={"kind": SHARE})
    shadow: float | Range | Choice = field(default=0.12, metadata={"kind": SHARE})
    cracks: int | Range | Choice = field(default=4, metadata={"kind": Number(0, 50, whole=True)})

    def _paint(self, x: Any, numbers: dict[str, Any], sheet: Sheet) -> Any:
        for k in range(int(max(values_of(self.count)))):
            there = 1.0 * (k < numbers["count"])
            half = sheet.side * sheet.uniform(0.5, 1.2)
            line = {
                "row": sheet.height * sheet.uniform(0.1, 0.9),
                "column": sheet.width * sheet.uniform(0.1, 0.9),
                "angle": math.pi * sheet.uniform(),
                "half": half,
                "width": numbers["width"] * sheet.uniform(0.5, 1.5),
                "bend": 0.1 * (sheet.uniform() - 0.5),
            }
            soft = 0.8 + line["width"] * sheet.uniform(0.3, 0.6)
            shade = sheet.stroke(**line, shade=soft)
            x = x * (1 - (numbers["shadow"] * there)[:, None, None] * shade)[:, None]
            color = _color(sheet, x.shape[1], 0 * half + 1)
            core = sheet.stroke(**line, broken=sheet.uniform(-0.5, 0.5), rough=0.8)
            x = _cover(x, core * (numbers["opacity"] * there)[:, None, None], color)
            for c in range(int(max(values_of(self.cracks)))):
                along = half * sheet.uniform(-0.8, 0.8)
                rise = line["bend"] * along * along / half
                cos, sin = sheet.xp.cos(line["angle"]), sheet.xp.sin(line["angle"])
                length = line["width"] * (1.5 + 6 * sheet.uniform() ** 2)
                turn = line["angle"] + math.pi * sheet.uniform(0.15, 0.85)
                crack = sheet.stroke(
                    line["row"] + along * sin + rise * cos + length * sheet.xp.sin(turn) * 0.7,
                    line["column"] + along * cos - rise * sin + length * sheet.xp.cos(turn) * 0.7,
                    turn,
                    length,
                    0.6 + 0.25 * line["width"] * sheet.uniform(),
                    0.5 * (sheet.uniform() - 0.5),
                )
                seen = numbers["opacity"] * there * (c < numbers["cracks"])
                x = _cover(x, crack * seen[:, None, None], color)
        return x


@dataclass(frozen=True)
class Holes(Damage):
    """Pieces that are missing, or were written over: the color below is gone.

    Attributes:
        amount: Share of the pixels that is lost to blobs; of letters, it is what the letters make it.
        size: Of a blob in pixels, about; or the height of a letter.
        shape: ``blobs`` or ``letters``.
        bright: Share of them that are white; the others are black.
    """

    name = "holes"
    examples = ("holes:amount=0.2,size=6", "holes:shape=letters,size=9")
    amount: float | Range | Choice = field(default=0.05, metadata={"kind": Number(0, 0.9)})
    size: float | Range | Choice = field(default=12.0, metadata={"kind": Number(2, 500, "pixels")})
    shape: str = field(default="blobs", metadata={"kind": Word(("blobs", "letters"))})
    bright: float | Range | Choice = field(default=1.0, metadata={"kind": SHARE})

    def _paint(self, x: Any, numbers: dict[str, Any], sheet: Sheet) -> Any:
        size = numbers["size"]
        covered = sheet.letters(size) if self.shape == "letters" else sheet.blobs(size, numbers["amount"])
        return _cover(x, covered, _color(sheet, x.shape[1], numbers["bright"]))
