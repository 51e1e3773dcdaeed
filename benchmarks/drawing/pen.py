"""A pen that draws on a picture, with the edges that screens and printers give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from drawing.palette import Box, Color, Theme, length, load_font, one_of


@dataclass
class Pen:
    """Draws on a picture of ``size`` pixels a side, ``fine`` times as large while it is drawn."""

    rng: np.random.Generator
    size: int
    fine: int = 1
    back: Color = (255, 255, 255)
    edges: str = "gray"  # of letters: gray, mono (not antialiased) or subpixel
    picture: Image.Image = field(init=False)
    draw: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        self.fill(Image.new("RGB", (self.size * self.fine,) * 2, self.back))

    def fill(self, picture: Image.Image) -> None:
        """Go on with another picture."""
        self.picture, self.draw = picture, ImageDraw.Draw(picture)

    def box(self, box: Box) -> tuple[int, int, int, int]:
        """A box in pixels of the picture."""
        left, top, right, bottom = (round(self.fine * side) for side in box)
        return left, top, max(right - 1, left), max(bottom - 1, top)

    def rectangle(self, box: Box, fill: Color | None, outline: Color | None = None, width: float = 1) -> None:
        """A filled or outlined rectangle."""
        self.draw.rectangle(self.box(box), fill, outline, max(1, round(width * self.fine)))

    def rounded(self, box: Box, radius: float, fill: Color, shadow: float = 0) -> None:
        """A rectangle with antialiased round corners and, where ``shadow`` > 0, a soft shadow."""
        left, top, right, bottom = self.box(box)
        width, height = right - left + 1, bottom - top + 1
        if width < 2 or height < 2:
            return
        mask = Image.new("L", (4 * width, 4 * height))
        corner = min(4 * radius * self.fine, 2 * width, 2 * height)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, 4 * width - 1, 4 * height - 1), corner, 255)
        mask = mask.reduce(4)
        if shadow:
            reach = round(3 * shadow)
            wide = Image.new("L", (width + 2 * reach, height + 2 * reach))
            wide.paste(mask.point(lambda value: value * 0.4), (reach, reach))
            soft = wide.filter(ImageFilter.GaussianBlur(shadow))
            self.picture.paste((0, 0, 0), (left - reach, top - reach + reach // 3), soft)
        self.picture.paste(fill, (left, top), mask)

    def line(self, points: Sequence[Any], color: Color, width: float = 1) -> None:
        """A line through points (x, y)."""
        scaled = [(x * self.fine, y * self.fine) for x, y in points]
        self.draw.line(scaled, color, max(1, round(width * self.fine)), "curve" if len(points) > 2 else None)

    def polygon(self, points: Any, fill: Color | None, outline: Color | None = None, width: float = 1) -> None:
        """A polygon with corners (x, y)."""
        scaled = [(float(x) * self.fine, float(y) * self.fine) for x, y in points]
        if fill is not None:
            self.draw.polygon(scaled, fill)
        if outline is not None:
            self.draw.line([*scaled, *scaled[:2]], outline, max(1, round(width * self.fine)), "curve")

    def ellipse(self, box: Box, fill: Color | None, outline: Color | None = None, width: float = 1) -> None:
        """An ellipse in a box."""
        self.draw.ellipse(self.box(box), fill, outline, max(1, round(width * self.fine)))

    def width(self, text: str, font: str, size: float) -> float:
        """How long a text is, in pixels."""
        return length(text, font, max(5, round(size * self.fine))) / self.fine

    def text(self, x: float, y: float, text: str, font: str, size: float, color: Color) -> float:
        """Write from the left at the top; where it ends."""
        pixels = max(5, round(size * self.fine))
        place = round(x * self.fine), round(y * self.fine)
        if self.edges == "subpixel" and self.fine == 1:
            self._subpixel(place, text, load_font(font, 3 * pixels), color)
        else:
            self.draw.fontmode = "1" if self.edges == "mono" else "L"
            self.draw.text(place, text, color, load_font(font, pixels))
        return x + self.width(text, font, size)

    def _subpixel(self, place: tuple[int, int], text: str, font: ImageFont.FreeTypeFont, color: Color) -> None:
        """Letters with a coverage for each third of a pixel, as on an LCD, smoothed over five thirds."""
        _, _, right, bottom = font.getbbox(text)
        width, height = int(right) // 3 + 2, int(bottom) // 3 + 2
        large = Image.new("L", (3 * width + 6, 3 * height))
        ImageDraw.Draw(large).text((3, 0), text, 255, font)
        thirds = np.asarray(large, np.float32).reshape(height, 3, -1).mean(1) / 255
        smooth = sum(w * thirds[:, i : i + 3 * width] for i, w in enumerate((1 / 9, 2 / 9, 3 / 9, 2 / 9, 1 / 9), 1))
        cover = np.asarray(smooth).reshape(height, width, 3)
        box = (*place, place[0] + width, place[1] + height)
        under = np.asarray(self.picture.crop(box), np.float32)
        blended = under + cover * (np.array(color, np.float32) - under)
        self.picture.paste(Image.fromarray(np.rint(blended).astype(np.uint8)), place)

    def paragraph(self, box: Box, font: str, size: float, color: Color, words: Sequence[str], justify: bool) -> float:
        """Words set in lines within a box; where the text ends below."""
        left, y, right, bottom = box
        leading, space = size * 1.35, self.width(" ", font, size)
        line: list[str] = []
        for word in [*words, ""]:
            used = sum(self.width(piece, font, size) + space for piece in line) - space
            if line and (not word or used + space + self.width(word, font, size) > right - left):
                if y + leading > bottom:
                    break
                stretch = max(right - left - used, 0) / max(len(line) - 1, 1) if justify and word else 0.0
                x = left
                if not stretch:
                    self.text(x, y, " ".join(line), font, size, color)
                else:
                    for piece in line:
                        x = self.text(x, y, piece, font, size, color) + space + stretch
                y, line = y + leading, []
            line.append(word)
        return y

    def done(self) -> Image.Image:
        """The picture in its own size."""
        return self.picture.reduce(self.fine) if self.fine > 1 else self.picture


def screen_pen(rng: np.random.Generator, size: int, colors: Theme) -> tuple[Pen, float]:
    """A pen for what a screen shows, and the scale of the screen."""
    edges = one_of(rng, ["gray", "gray", "subpixel", "mono"])
    return Pen(rng, size, back=colors.back, edges=edges), one_of(rng, [0.9, 1, 1, 1.25, 1.5, 2]) * size**0.3 / 6.5


def vector_pen(rng: np.random.Generator, size: int, back: Color) -> Pen:
    """A pen for line art: antialiased, or now and then not."""
    aliased = rng.random() < 0.2
    return Pen(rng, size, 1 if aliased else int(rng.integers(2, 4)), back, "mono" if aliased else "gray")


def icon(pen: Pen, box: Box, color: Color) -> None:
    """A small sign of simple shapes."""
    left, top, right, bottom = box
    side, kind = right - left, int(pen.rng.integers(7))
    middle, width = (left + right) / 2, max(side / 9, 1)
    if kind == 0:
        pen.ellipse(box, None, color, width)
        pen.line([(middle, top + side / 4), (middle, bottom - side / 4)], color, width)
    elif kind == 1:
        pen.polygon([(left, bottom), (middle, top), (right, bottom)], color)
    elif kind == 2:
        for share in (0.2, 0.5, 0.8):
            pen.line([(left, top + share * side), (right, top + share * side)], color, width)
    elif kind == 3:
        pen.rounded(box, side / 4, color)
    elif kind == 4:
        pen.rectangle((left, top + side / 4, right, bottom), color)
        pen.rectangle((left, top + side / 8, middle, top + side / 3), color)
    elif kind == 5:
        pen.line([(left, top), (right, bottom)], color, width)
        pen.line([(left, bottom), (right, top)], color, width)
    else:
        pen.ellipse((left, top, right - side / 4, bottom - side / 4), None, color, width)
        pen.line([(right - side / 3, bottom - side / 3), (right, bottom)], color, width * 1.4)
