"""Gray levels drawn over a photograph: red where it may be wrong, blue where it was changed, gray elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from resolvent.engine.uncertainty import FAINT, RED, STRONG

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from resolvent.image import Image as Photograph

__all__ = ["CHANGE", "UNCERTAINTY", "Layer", "overlay"]

LONGEST = 2048
"""Pixels of the longer side; a larger photograph is shown smaller."""

ROWS = 32
"""Rows of the picture that are drawn at a time."""

NARROWEST = 72
"""Pixels of width below which no legend would be readable, and there is none."""

PAPER, INK = (255, 255, 255), (26, 29, 33)


@dataclass(frozen=True)
class Layer:
    """What gray levels over a photograph mean, and their color.

    Attributes:
        name: Of the layer.
        label: What it shows, in a few words.
        legend: What the levels are.
        faint: Gray levels of 255 up to which there is no color.
        strong: Gray levels from which there is nothing but color.
        color: Red, green and blue, 0 to 255.
        ticks: Texts at ``faint``, halfway and at ``strong``.
    """

    name: str
    label: str
    legend: str
    faint: float
    strong: float
    color: tuple[int, int, int]
    ticks: tuple[str, str, str]

    def tinted(self, gray: NDArray[np.float32], levels: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Gray (h, w) in [0, 1], colored by as much as (h, w) levels lie between the two; uint8 (h, w, 3)."""
        share = np.clip((levels - self.faint) / (self.strong - self.faint), 0, 1)[..., None]
        colors = 255 * np.clip(gray, 0, 1)[..., None] * (1 - share) + share * np.array(self.color, np.float32)
        tinted: NDArray[np.uint8] = np.rint(colors).astype(np.uint8)
        return tinted


UNCERTAINTY = Layer(
    "uncertainty", "where it may be wrong", "gray levels of 255 within which 9 of 10 pixels lie", FAINT, STRONG,
    (214, 24, 24), (f"±{FAINT:.0f} or less", f"±{RED:.0f}", f"±{STRONG:.0f} or more"),
)  # fmt: skip

CHANGE = Layer(
    "change", "what was changed", "gray levels of 255 between input and result, right or wrong", 0.0, 64.0,
    (20, 90, 235), ("0", "32", "64 or more"),
)  # fmt: skip


def overlay(photograph: Photograph, steps: NDArray[np.uint16]) -> Image:
    """Draw the map over a photograph, with a legend below.

    Args:
        photograph: Restored.
        steps: (H, W), of its size, half-widths in 1/256 of a gray level of 255.

    Returns:
        An RGB picture of LONGEST pixels at most (a strip may be longer), with the legend from NARROWEST of width on.
    """
    from PIL import Image

    sides = photograph.height, photograph.width
    step = min(-(-max(sides) // LONGEST), *sides)
    height, width = (side // step * step for side in sides)

    picture = Image.new("RGB", (width // step, height // step))
    for top in range(0, height, ROWS * step):  # of a large photograph no more is held than its strips
        bottom = min(top + ROWS * step, height)
        gray = photograph.read(top, 0, bottom, width).mean(axis=2)
        levels = steps[top:bottom, :width].astype(np.float32) / 256
        small = (part.reshape(-1, step, width // step, step).mean(axis=(1, 3)) for part in (gray, levels))
        picture.paste(Image.fromarray(UNCERTAINTY.tinted(*small)), (0, top // step))
    if picture.width < NARROWEST:
        return picture
    legend = _legend(picture.width)
    whole = Image.new("RGB", (picture.width, picture.height + legend.height), PAPER)
    whole.paste(picture, (0, 0))
    whole.paste(legend, (0, picture.height))
    return whole


def _legend(width: int) -> Image:
    """The colors, their levels, and what these are in as many lines as the width asks for."""
    from PIL import Image, ImageDraw, ImageFont

    size = min(max(width // 40, 12), 28)
    font = ImageFont.load_default(size)
    left, right = size, min(width - size, 24 * size)
    short = tuple(tick.split()[0] for tick in UNCERTAINTY.ticks)
    ticks = UNCERTAINTY.ticks, short, (short[0], "", short[2])
    texts = next(texts for texts in ticks if font.getlength("  ".join(filter(None, texts))) <= right - left)
    lines = [""]
    for word in UNCERTAINTY.legend.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width - 2 * left:
            lines[-1] = longer
        else:
            lines.append(word)

    line = 4 * size // 3
    legend = Image.new("RGB", (width, 2 * size + (1 + len(lines)) * line + size // 2), PAPER)
    draw = ImageDraw.Draw(legend)
    levels = np.linspace(FAINT, STRONG, right - left, dtype=np.float32)[None].repeat(size, axis=0)
    legend.paste(Image.fromarray(UNCERTAINTY.tinted(np.full_like(levels, 0.6), levels)), (left, size // 2))
    for place, side, text in zip((left, (left + right) / 2, right), ("la", "ma", "ra"), texts, strict=True):
        draw.text((place, 1.7 * size), text, INK, font, side)
    for i, text in enumerate(lines, 1):
        draw.text((left, 2 * size + i * line), text, INK, font)
    return legend
