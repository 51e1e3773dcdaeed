"""The founding paper's figure: photographs true, degraded and restored, with PSNR and SSIM under each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import TYPE_CHECKING, cast

import numpy as np

from resolvent.errors import UsageError
from resolvent.evaluation.metrics import Pixels, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

__all__ = ["Comparison", "figure", "to_picture"]

INK, QUIET, RULE, PAPER = "#1a1d21", "#626b75", "#c9ced4", "#ffffff"


@dataclass(frozen=True, eq=False)
class Comparison:
    """One photograph three times, as a figure and a page show it.

    Attributes:
        panel: Heading of the part of the figure that it belongs to: what was degraded, what restored it.
        image: The photograph's name.
        label: The intensity, short enough for a heading of its column.
        degradation: Text form.
        model: That restored it.
        seconds: That the restoration took.
        truth: (H, W, C), in [0, 1].
        degraded: Of the same shape; may leave [0, 1].
        restored: Of the same shape.
        before: Of the degraded photograph.
        after: Of the restored photograph.
        half_width: (H, W), in gray levels of 255: 9 of 10 values of ``restored`` are so close to the truth; None of a
            model without a map of errors.
    """

    panel: str
    image: str
    label: str
    degradation: str
    model: str
    seconds: float
    truth: Pixels
    degraded: Pixels
    restored: Pixels
    before: Score
    after: Score
    half_width: NDArray[np.float32] | None = None


def to_picture(pixels: Pixels) -> Image:
    """Give an image (H, W, C) as a Pillow image of 8 bit, clipped."""
    from PIL.Image import fromarray

    values = np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return fromarray(values if values.shape[2] == 3 else values[..., 0])


def figure(comparisons: Sequence[Comparison], footer: str = "") -> Image:
    """Draw the figure.

    Each panel has the rows true, degraded and restored; its columns are the comparisons, grouped by photograph. No
    photograph is scaled, and text is sized to their width.

    Args:
        comparisons: Those of one panel, and in it those of one photograph, one after the other; all of one shape.
        footer: Printed small below: the protocol, and where the figure comes from. It is not wrapped.

    Raises:
        UsageError: There is no comparison, or they differ in shape.
    """
    from PIL.Image import new

    shapes = {comparison.truth.shape[:2] for comparison in comparisons}
    if len(shapes) != 1:
        raise UsageError(
            f"{len(comparisons)} comparisons of {len(shapes)} shapes: a figure needs one shape; crop the images"
        )
    grid = _Grid(*shapes.pop())
    margin = 2 * grid.unit
    panels = [_panel(list(group), grid) for _, group in groupby(comparisons, key=lambda comparison: comparison.panel)]
    parts = [(margin, panel) for panel in panels]
    if footer:
        parts.append((margin + grid.gutter, _text(footer, 0.72 * grid.unit, ink=QUIET)))
    width = max(left + part.width for left, part in parts) + margin
    height = sum(part.height + grid.unit for _, part in parts) - grid.unit + 2 * margin
    sheet, top = new("RGB", (width, height), PAPER), margin
    for left, part in parts:
        sheet.paste(part, (left, top))
        top += part.height + grid.unit
    return sheet


@dataclass(frozen=True)
class _Grid:
    """Where things stand, in pixels, for photographs of one size."""

    height: int
    width: int

    @property
    def unit(self) -> int:
        """The size of the text; all distances follow from it."""
        return max(self.width // 10, 6)

    @property
    def gap(self) -> int:
        return self.unit // 4

    @property
    def gutter(self) -> int:
        """Left of the photographs, for the names of the rows."""
        return 2 * self.unit

    @property
    def rows(self) -> tuple[int, int, int, int]:
        """Tops of the three rows in a column, and its end; the last two rows have a caption."""
        true = 2 * self.unit
        degraded = true + self.height + self.gap
        restored = degraded + self.height + 2 * self.unit
        return true, degraded, restored, restored + self.height + 2 * self.unit


def _panel(comparisons: Sequence[Comparison], grid: _Grid) -> Image:
    """A heading, the names of the rows, and the columns of each photograph."""
    from PIL.Image import Transpose, new

    unit = grid.unit
    heading = _text(comparisons[0].panel, 1.25 * unit, bold=True)
    groups = [_group(list(group), grid) for _, group in groupby(comparisons, key=lambda comparison: comparison.image)]
    left, top = grid.gutter, heading.height + unit
    width = left + sum(group.width + unit for group in groups) - unit
    sheet = new("RGB", (max(width, left + heading.width), top + groups[0].height), PAPER)
    sheet.paste(heading, (left, 0))
    strip = top + groups[0].height - grid.rows[-1]
    for name, row in zip(("true", "degraded", "restored"), grid.rows[:3], strict=True):
        label = _text(name, unit, ink=QUIET).transpose(Transpose.ROTATE_90)
        sheet.paste(label, (0, strip + row + (grid.height - label.height) // 2))
    for group in groups:
        sheet.paste(group, (left, top))
        left += group.width + unit
    return sheet


def _group(comparisons: Sequence[Comparison], grid: _Grid) -> Image:
    """The columns of one photograph under its name."""
    from PIL.Image import new
    from PIL.ImageDraw import Draw

    step = grid.width + grid.gap
    name = _text(comparisons[0].image, grid.unit)
    width, top = len(comparisons) * step - grid.gap, name.height + grid.gap
    sheet = new("RGB", (width, top + grid.rows[-1]), PAPER)
    sheet.paste(name, ((width - name.width) // 2, 0))
    Draw(sheet).line((0, top, width, top), fill=RULE, width=max(grid.unit // 12, 1))
    for i, comparison in enumerate(comparisons):
        sheet.paste(_column(comparison, grid), (i * step, top + grid.gap))
    return sheet


def _column(comparison: Comparison, grid: _Grid) -> Image:
    """The intensity, the three photographs, and the scores under the last two."""
    from PIL.Image import new

    true, degraded, restored, end = grid.rows
    sheet = new("RGB", (grid.width, end), PAPER)

    def centerd(text: Image, middle: float) -> None:
        sheet.paste(text, ((grid.width - text.width) // 2, round(middle - text.height / 2)))

    centerd(_text(comparison.label, 0.9 * grid.unit, ink=QUIET), true - 1.1 * grid.unit)
    photographs = comparison.truth, comparison.degraded, comparison.restored
    for pixels, top in zip(photographs, (true, degraded, restored), strict=True):
        sheet.paste(to_picture(pixels), (0, top))
    for score, top, bold in ((comparison.before, degraded, False), (comparison.after, restored, True)):
        caption = f"{score.psnr:.2f} dB   SSIM {score.ssim:.3f}"
        centerd(_text(caption, 0.8 * grid.unit, bold=bold), top + grid.height + 0.9 * grid.unit)
    return sheet


def _text(text: str, size: float, *, ink: str = INK, bold: bool = False) -> Image:
    """Lines of text, in the font that comes with Pillow; it has one weight, so bold is a stroke around it."""
    from PIL.Image import new
    from PIL.ImageDraw import Draw
    from PIL.ImageFont import load_default

    font = cast("FreeTypeFont", load_default(size))
    lines, (ascent, descent) = text.split("\n"), font.getmetrics()
    width = ceil(max(font.getlength(line) for line in lines) + size / 10)
    sheet = new("RGB", (width, len(lines) * (ascent + descent)), PAPER)
    draw = Draw(sheet)
    for i, line in enumerate(lines):
        draw.text((size / 20, i * (ascent + descent)), line, ink, font, stroke_width=size / 50 if bold else 0)
    return sheet
