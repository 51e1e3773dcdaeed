"""A map of errors over the photograph that it belongs to: gray where it can be trusted, red where it may be off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resolvent.engine.uncertainty import FAINT, RED, STRONG

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from resolvent.image import Image as Photograph

__all__ = ["overlay"]

LONGEST = 2048
"""Pixels of the longer side; a larger photograph is shown smaller."""

PAPER, INK, ALARM = (255, 255, 255), (26, 29, 33), (214, 24, 24)

TICKS = (FAINT, RED, STRONG)


def overlay(photograph: Photograph, half_width: NDArray[np.float32]) -> Image:
    """Draw the map over a photograph, with a legend below.

    Args:
        photograph: Restored.
        half_width: (H, W), of its size, in gray levels of 255.

    Returns:
        An RGB picture of LONGEST pixels at most, and the legend.
    """
    from PIL import Image, ImageDraw, ImageFont

    step = -(-max(photograph.width, photograph.height) // LONGEST)
    height, width = (side // step * step for side in half_width.shape)

    def shrunk(values: NDArray[np.float32]) -> NDArray[np.float32]:
        blocks = values[:height, :width].reshape(height // step, step, width // step, step)
        small: NDArray[np.float32] = blocks.mean(axis=(1, 3))
        return small

    gray = shrunk(photograph.pixels.mean(axis=2))
    picture = Image.fromarray(_tinted(gray, shrunk(half_width)))

    size = min(max(picture.width // 40, 12), 28)
    font = ImageFont.load_default(size)
    legend = Image.new("RGB", (picture.width, 4 * size), PAPER)
    draw = ImageDraw.Draw(legend)
    left, right = size, min(picture.width - size, 24 * size)
    levels = np.linspace(FAINT, STRONG, max(right - left, 2), dtype=np.float32)[None].repeat(size, axis=0)
    legend.paste(Image.fromarray(_tinted(np.full_like(levels, 0.6), levels)), (left, size // 2))
    for level in TICKS:
        place = left + (level - FAINT) / (STRONG - FAINT) * (right - left)
        side = {FAINT: "la", STRONG: "ra"}.get(level, "ma")
        text = f"±{level:.0f} or less" if level == FAINT else f"±{level:.0f}" + " or more" * (level == STRONG)
        draw.text((place, 1.7 * size), text, INK, font, side)
    draw.text((left, 2.8 * size), "gray levels of 255 within which 9 of 10 pixels lie", INK, font)
    whole = Image.new("RGB", (picture.width, picture.height + legend.height), PAPER)
    whole.paste(picture, (0, 0))
    whole.paste(legend, (0, picture.height))
    return whole


def _tinted(gray: NDArray[np.float32], half_width: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Gray (h, w) in [0, 1], red by as much as the half-widths lie between FAINT and STRONG; uint8 (h, w, 3)."""
    share = np.clip((half_width - FAINT) / (STRONG - FAINT), 0, 1)[..., None]
    colors = 255 * np.clip(gray, 0, 1)[..., None] * (1 - share) + share * np.array(ALARM, np.float32)
    tinted: NDArray[np.uint8] = np.rint(colors).astype(np.uint8)
    return tinted
