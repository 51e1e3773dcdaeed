"""Render pictures that no camera took: drawings, text pages, screenshots, charts, maps, logos, comics.

python benchmarks/drawings.py --output DIR [--count 200] [--seed 0] [--size 512]

They train and test what a restoration does to graphics. Kinds take turns; a seed and a number give the same picture
again, with the same fonts: those that matplotlib brings, and the Latin ones that the system has.
"""

from __future__ import annotations

import argparse
import colorsys
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from resolvent.errors import MissingDependencyError, ResolventError, UsageError

Color = tuple[int, int, int]
Box = tuple[float, float, float, float]

PROSE = """the of and to in a is that for it was on are as with his they at be this have from or one had by word but not
what all were we when your can said there use an each which she do how their if will up other about out many then them
these so some her would make like him into time has look two more write go see number no way could people my than first
water been call who its now find long down day did get come made may part light river mountain signal engine market
window figure section theory annual report budget garden music history station village question between children
important different together something government information development performance international restoration
measurement environment photography"""
KEYWORDS = """for while if else return import from class def self None True False lambda yield with as try except raise
int float const auto void static struct public func let var match async await export"""
WORDS, CODE = PROSE.split(), KEYWORDS.split()
LETTERS = {"latin": "aeiourstnlmdpcgbhvk", "greek": "αβγδεζηθικλμνξοπρστυφχψω", "cyrillic": "абвгдежзиклмнопрстухчшыя"}


@dataclass(frozen=True)
class Fonts:
    """Paths of fonts by their style."""

    sans: tuple[str, ...]
    serif: tuple[str, ...]
    mono: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Of every style."""
        return self.sans + self.serif + self.mono


@cache
def find_fonts() -> Fonts:
    """Fonts of matplotlib and of the system that have all Latin letters, digits and marks of ASCII."""
    from matplotlib import font_manager, get_data_path
    from matplotlib.ft2font import FT2Font

    bundled = Path(get_data_path(), "fonts", "ttf").glob("*.ttf")
    styles: dict[str, list[str]] = {"sans": [], "serif": [], "mono": []}
    paths = {Path(path).name: str(path) for path in (*font_manager.findSystemFonts(), *bundled)}
    for name, path in sorted(paths.items()):
        if not name.endswith((".ttf", ".otf")) or name.startswith(("cm", "STIXSiz", "LastResort")):
            continue
        if not all(map(FT2Font(path).get_char_index, range(33, 127))):
            continue
        serif = any(mark in name for mark in ("Serif", "STIXGeneral", "Times", "Roman"))
        styles["mono" if "Mono" in name or "Hack" in name else "serif" if serif else "sans"].append(path)
    return Fonts(*(tuple(styles[style]) for style in ("sans", "serif", "mono")))


@cache
def load_font(path: str, size: int) -> ImageFont.FreeTypeFont:
    """A font of a size in pixels."""
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def hsv(hue: float, saturation: float, value: float) -> Color:
    """A color of 8 bits from hue, saturation and value in [0, 1]."""
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue % 1, saturation, value))
    return red, green, blue


def mix(a: Color, b: Color, share: float) -> Color:
    """Between a and b."""
    red, green, blue = (round(p + share * (q - p)) for p, q in zip(a, b, strict=True))
    return red, green, blue


@dataclass
class Theme:
    """The colors and fonts of one picture."""

    back: Color
    panel: Color
    ink: Color
    muted: Color
    line: Color
    accents: list[Color]


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
        return load_font(font, max(5, round(size * self.fine))).getlength(text) / self.fine

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
            used = sum(self.width(each, font, size) + space for each in line) - space
            if line and (not word or used + space + self.width(word, font, size) > right - left):
                if y + leading > bottom:
                    break
                stretch = max(right - left - used, 0) / max(len(line) - 1, 1) if justify and word else 0.0
                x = left
                if not stretch:
                    self.text(x, y, " ".join(line), font, size, color)
                else:
                    for each in line:
                        x = self.text(x, y, each, font, size, color) + space + stretch
                y, line = y + leading, []
            line.append(word)
        return y

    def done(self) -> Image.Image:
        """The picture in its own size."""
        return self.picture.reduce(self.fine) if self.fine > 1 else self.picture


def one_of(rng: np.random.Generator, items: Sequence[Any]) -> Any:
    """One of the items, each as likely as the others."""
    return items[int(rng.integers(len(items)))]


def say(rng: np.random.Generator, count: int, script: str = "latin") -> list[str]:
    """Words, some of them made up or numbers, with marks and capitals."""
    words = []
    start = True
    for _ in range(count):
        draw = rng.random()
        if script != "latin" or draw < 0.15:
            word = "".join(rng.choice(list(LETTERS[script]), int(rng.integers(2, 10))))
        elif draw < 0.22:
            word = f"{rng.integers(1, 3000)}" if draw < 0.19 else f"{rng.uniform(0, 99):.2f}"
        else:
            word = one_of(rng, WORDS)
        words.append(word.capitalize() if start or rng.random() < 0.06 else word)
        start = rng.random() < 0.09
        words[-1] += "." if start else "," if rng.random() < 0.06 else ""
    return words


def title(rng: np.random.Generator, most: int = 3) -> str:
    """A few words with capitals."""
    return " ".join(word.strip(".,").capitalize() for word in say(rng, int(rng.integers(1, most + 1))))


def theme(rng: np.random.Generator, dark: bool | None = None) -> Theme:
    """Colors that go together; light or dark."""
    dark = bool(rng.random() < 0.45) if dark is None else dark
    hue, tint = rng.random(), rng.uniform(0, 0.25) * (rng.random() < 0.6)
    accents = [
        hsv(hue + i * one_of(rng, [0.12, 0.33, 0.5]), rng.uniform(0.5, 1), rng.uniform(0.6, 1)) for i in range(6)
    ]
    if dark:
        level = rng.uniform(0, 0.22)
        return Theme(
            hsv(hue, tint, level),
            hsv(hue, tint, level + 0.07),
            hsv(hue, tint / 4, rng.uniform(0.75, 1)),
            hsv(hue, tint, 0.55),
            hsv(hue, tint, level + 0.18),
            accents,
        )
    level = rng.uniform(0.88, 1)
    return Theme(
        hsv(hue, tint / 3, level),
        hsv(hue, tint / 4, min(level + 0.06, 1)),
        hsv(hue, tint, rng.uniform(0, 0.25)),
        hsv(hue, tint, 0.5),
        hsv(hue, tint / 3, level - 0.15),
        accents,
    )


def screen_pen(rng: np.random.Generator, size: int, colors: Theme) -> tuple[Pen, float]:
    """A pen for what a screen shows, and the scale of the screen."""
    edges = one_of(rng, ["gray", "gray", "subpixel", "mono"])
    return Pen(rng, size, back=colors.back, edges=edges), one_of(rng, [0.9, 1, 1, 1.25, 1.5, 2]) * size**0.3 / 6.5


def vector_pen(rng: np.random.Generator, size: int, back: Color) -> Pen:
    """A pen for line art: antialiased, or now and then not."""
    aliased = rng.random() < 0.2
    return Pen(rng, size, 1 if aliased else int(rng.integers(2, 4)), back, "mono" if aliased else "gray")


def fractal(rng: np.random.Generator, height: int, width: int, slope: float) -> Any:
    """Noise in [0, 1] whose amplitude falls as frequency^-slope, as in natural scenes."""
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal((height, width))) / frequency**slope
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, (height, width))
    return np.clip(0.5 + noise / (5 * noise.std() + 1e-9), 0, 1)


def photo(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Something like a photograph: a landscape under a sky, or soft colored texture."""
    width, height = max(width, 8), max(height, 8)
    hue = rng.random()
    colors = np.array([hsv(hue + rng.normal(0, 0.15), rng.uniform(0.1, 0.7), v) for v in (0.15, 0.5, 0.95)])
    shade = fractal(rng, height, width, rng.uniform(1.1, 1.9))
    if rng.random() < 0.4:
        pixels = np.stack([np.interp(shade, [0, 0.5, 1], colors[:, c]) for c in range(3)], -1)
    else:
        down = np.linspace(0, 1, height)[:, None, None]
        sky = np.array([hsv(0.58 + rng.normal(0, 0.05), 0.5, 0.85), hsv(0.08, 0.25, 0.98)])
        pixels = sky[0] + down * (sky[1] - sky[0]) + 40 * (shade[..., None] - 0.5)
        for layer in range(int(rng.integers(2, 5))):
            ridge = np.interp(np.arange(width), np.linspace(0, width, 9), rng.normal(0, 0.06, 9))
            ridge += rng.normal(0, 0.004, width)
            ground = np.arange(height)[:, None] > height * (0.4 + 0.16 * layer + ridge)
            tone = np.array(hsv(0.3 + rng.normal(0, 0.12), rng.uniform(0.2, 0.6), 0.75 - 0.15 * layer))
            texture = fractal(rng, height, width, 0.9)[..., None]
            pixels = np.where(ground[..., None], tone * (0.55 + 0.9 * (texture - 0.05)), pixels)
    pixels += rng.normal(0, rng.uniform(0, 3), pixels.shape)
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


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


def window(pen: Pen, box: Box, colors: Theme, unit: float, font: str) -> None:
    """A window with its title, a menu, and controls, a list, text or a picture in it."""
    rng, (left, top, right, bottom) = pen.rng, box
    radius = one_of(rng, [0, 0, 6 * unit, 10 * unit])
    pen.rounded((left - 1, top - 1, right + 1, bottom + 1), radius, colors.line, one_of(rng, [0, 4, 9]))
    pen.rounded(box, radius, colors.panel)
    bar = 24 * unit
    head = one_of(rng, [colors.back, colors.accents[0], mix(colors.panel, colors.line, 0.5)])
    pen.rounded((left, top, right, top + bar), radius, head)
    ink = (255, 255, 255) if sum(head) < 380 else (20, 20, 20)
    pen.text(left + 10 * unit, top + 4 * unit, title(rng), font, 12 * unit, ink)
    for i in range(3):
        spot = (right - (20 + 20 * i) * unit, top + 7 * unit, right - (10 + 20 * i) * unit, top + 17 * unit)
        if radius:
            pen.rounded(spot, 5 * unit, [(237, 95, 86), (245, 190, 60), (80, 200, 80)][i])
        else:
            icon(pen, spot, ink)
    x, y = left + 10 * unit, top + bar + 4 * unit
    for _ in range(int(rng.integers(3, 8))):
        x = pen.text(x, y, title(rng, 1), font, 11 * unit, colors.ink) + 12 * unit
        if x > right - 60 * unit:
            break
    y += 20 * unit
    pen.line([(left, y), (right, y)], colors.line)
    inside = (left + 10 * unit, y + 8 * unit, right - 10 * unit, bottom - 10 * unit)
    one_of(rng, [controls, controls, file_list, picture_area, text_area])(pen, inside, colors, unit, font)


def controls(pen: Pen, box: Box, colors: Theme, unit: float, font: str) -> None:
    """Labels with fields, check boxes, sliders and buttons."""
    rng, (left, y, right, bottom) = pen.rng, box
    while y + 26 * unit < bottom:
        kind = int(rng.integers(5))
        x = pen.text(left, y + 3 * unit, title(rng, 2), font, 11 * unit, colors.ink) + 10 * unit
        x = max(x, left + 0.4 * (right - left))
        accent = colors.accents[0]
        if kind == 0:
            pen.rectangle((x, y, right, y + 20 * unit), colors.back, colors.line)
            pen.text(x + 4 * unit, y + 3 * unit, title(rng, 2), font, 11 * unit, colors.muted)
        elif kind == 1:
            pen.rectangle((x, y + 3 * unit, x + 14 * unit, y + 17 * unit), colors.back, colors.muted)
            pen.line(
                [(x + 3 * unit, y + 9 * unit), (x + 6 * unit, y + 13 * unit), (x + 12 * unit, y + 5 * unit)], accent, 2
            )
        elif kind == 2:
            share = rng.random()
            pen.rounded((x, y + 8 * unit, right, y + 12 * unit), 2 * unit, colors.line)
            pen.rounded((x, y + 8 * unit, x + share * (right - x), y + 12 * unit), 2 * unit, accent)
            knob = x + share * (right - x)
            pen.rounded((knob - 6 * unit, y + 4 * unit, knob + 6 * unit, y + 16 * unit), 6 * unit, colors.ink)
        elif kind == 3:
            pen.rounded((x, y + 2 * unit, x + 34 * unit, y + 18 * unit), 8 * unit, one_of(rng, [accent, colors.line]))
            pen.rounded((x + 18 * unit, y + 4 * unit, x + 30 * unit, y + 16 * unit), 6 * unit, (255, 255, 255))
        else:
            label = title(rng, 2)
            end = x + pen.width(label, font, 11 * unit) + 20 * unit
            pen.rounded((x, y, end, y + 21 * unit), one_of(rng, [0, 4, 10]) * unit, one_of(rng, colors.accents))
            pen.text(x + 10 * unit, y + 3 * unit, label, font, 11 * unit, (255, 255, 255))
        y += 28 * unit


def file_list(pen: Pen, box: Box, colors: Theme, unit: float, font: str) -> None:
    """Rows with a sign, a name, a size and a date."""
    rng, (left, y, right, bottom) = pen.rng, box
    while y + 18 * unit < bottom:
        chosen = rng.random() < 0.12
        if chosen:
            pen.rectangle((left, y, right, y + 18 * unit), colors.accents[0])
        icon(pen, (left + 3 * unit, y + 3 * unit, left + 15 * unit, y + 15 * unit), one_of(rng, colors.accents[1:]))
        ink = (255, 255, 255) if chosen else colors.ink
        pen.text(left + 22 * unit, y + 2 * unit, title(rng, 2), font, 11 * unit, ink)
        if right - left > 220 * unit:
            pen.text(right - 70 * unit, y + 2 * unit, f"{rng.integers(1, 9999)} KB", font, 11 * unit, colors.muted)
        y += 19 * unit


def picture_area(pen: Pen, box: Box, colors: Theme, unit: float, font: str) -> None:
    """A photograph."""
    left, top, right, bottom = pen.box(box)
    if right > left and bottom > top:
        pen.picture.paste(photo(pen.rng, right - left, bottom - top), (left, top))


def text_area(pen: Pen, box: Box, colors: Theme, unit: float, font: str) -> None:
    """Running text."""
    face = one_of(pen.rng, find_fonts().all)
    pen.paragraph(box, face, pen.rng.uniform(10, 15) * unit, colors.ink, say(pen.rng, 220), False)


def desktop(rng: np.random.Generator, size: int) -> Image.Image:
    """Windows over a background, with icons and a task bar."""
    colors = theme(rng)
    pen, unit = screen_pen(rng, size, colors)
    back = int(rng.integers(3))
    if back == 0:
        pen.fill(photo(rng, size, size))
    elif back == 1:
        pen.fill(shade_picture(rng, size))
    font = one_of(rng, find_fonts().sans)
    for _ in range(int(rng.integers(0, 8))):
        x, y = rng.uniform(0, size, 2)
        icon(pen, (x, y, x + 30 * unit, y + 30 * unit), one_of(rng, colors.accents))
        pen.text(x - 5 * unit, y + 34 * unit, title(rng, 1), font, 11 * unit, (255, 255, 255))
    for _ in range(int(rng.integers(1, 4))):
        left, top = rng.uniform(-0.1, 0.45, 2) * size
        window(
            pen,
            (left, top, left + size * rng.uniform(0.45, 0.9), top + size * rng.uniform(0.35, 0.8)),
            colors,
            unit,
            font,
        )
    if rng.random() < 0.5:
        pen.rectangle((0, size - 30 * unit, size, size), mix(colors.back, (0, 0, 0), 0.4))
        for i in range(int(rng.integers(3, 9))):
            x = (12 + 34 * i) * unit
            icon(pen, (x, size - 23 * unit, x + 16 * unit, size - 7 * unit), one_of(rng, colors.accents))
    return pen.done()


def editor(rng: np.random.Generator, size: int) -> Image.Image:
    """Source code with line numbers, or a terminal."""
    colors = theme(rng, bool(rng.random() < 0.65))
    pen, unit = screen_pen(rng, size, colors)
    font, letter = one_of(rng, find_fonts().mono), rng.uniform(10, 16) * unit
    gutter = one_of(rng, [0, 4.2 * letter])
    if gutter:
        pen.rectangle((0, 0, gutter - letter / 2, size), colors.panel)
    y, number, indent = letter * rng.uniform(-1, 1), int(rng.integers(1, 900)), 0
    while y < size:
        if gutter:
            pen.text(letter / 2, y, f"{number:4d}", font, letter, colors.muted)
        if rng.random() < 0.05:
            pen.rectangle((gutter, y, size, y + 1.3 * letter), colors.line)
        indent = int(np.clip(indent + rng.integers(-1, 2), 0, 5))
        x = gutter + letter / 2 + indent * 4 * pen.width(" ", font, letter)
        count = int(rng.integers(0, 9)) * (rng.random() < 0.9)
        comment = rng.random() < 0.12
        for _ in range(count):
            kind = 3 if comment else int(rng.integers(5))
            word = one_of(rng, CODE) if kind == 0 else one_of(rng, WORDS)
            word = f'"{word}"' if kind == 1 else f"{rng.integers(0, 1000)}" if kind == 2 else word
            word += one_of(rng, ["", "", "(", ")", ":", " =", ",", "[i]", ".", ";", " +"]) if not comment else ""
            ink = colors.muted if comment else colors.ink if kind > 2 else colors.accents[kind]
            x = pen.text(x, y, word, font, letter, ink) + pen.width(" ", font, letter) * (rng.random() < 0.8)
        y, number = y + 1.3 * letter, number + 1
    return pen.done()


def text_page(rng: np.random.Generator, size: int) -> Image.Image:
    """A page of a book or a paper, in one to three columns, with headings."""
    paper = one_of(rng, [(255, 255, 255), (255, 255, 255), hsv(0.11, rng.uniform(0, 0.2), rng.uniform(0.85, 1))])
    ink = mix((0, 0, 0), paper, one_of(rng, [0, 0, 0.15, 0.3]))
    pen = Pen(rng, size, one_of(rng, [1, 1, 2, 3]), paper)
    fonts = find_fonts()
    body, head = one_of(rng, fonts.serif if rng.random() < 0.6 else fonts.sans), one_of(rng, fonts.all)
    letter, columns = rng.uniform(0.016, 0.045) * size, int(rng.integers(1, 4))
    letter = letter / columns**0.4
    script = one_of(rng, ["latin"] * 6 + ["greek", "cyrillic"]) if "DejaVu" in body or "Liberation" in body else "latin"
    margin, gap = size * rng.uniform(-0.03, 0.1), 1.5 * letter
    top = margin
    if rng.random() < 0.5:
        pen.text(margin, top, title(rng, 5), head, 1.9 * letter, ink)
        top += 3.2 * letter
    wide = (size - 2 * margin - gap * (columns - 1)) / columns
    justify = bool(rng.random() < 0.6)
    for column in range(columns):
        left, y = margin + column * (wide + gap), top
        while y < size - margin - letter:
            if rng.random() < 0.2:
                pen.text(left, y + 0.4 * letter, title(rng, 3), head, 1.3 * letter, ink)
                y += 2.2 * letter
            words = say(rng, int(rng.integers(15, 90)), script)
            end = pen.paragraph((left, y, left + wide, size - margin), body, letter, ink, words, justify)
            if end == y:
                break
            y = end + 0.6 * letter
    return pen.done()


def bilevel(rng: np.random.Generator, size: int) -> Image.Image:
    """A page of one bit: text or line art cut at a threshold, or a photograph dithered."""
    kind = int(rng.integers(5))
    if kind == 0:
        return photo(rng, size, size).convert("L").convert("1").convert("RGB")
    page = (text_page, text_page, diagram, table)[kind - 1](rng, size).convert("L")
    level = int(rng.integers(90, 190))
    return page.point(lambda value: 255 * (value > level)).convert("RGB")


def table(rng: np.random.Generator, size: int) -> Image.Image:
    """A spread sheet or a printed table."""
    colors = theme(rng, bool(rng.random() < 0.25))
    pen, unit = screen_pen(rng, size, colors)
    font, letter = one_of(rng, find_fonts().all), rng.uniform(9, 15) * unit
    row, grid, stripes = letter * rng.uniform(1.4, 2.2), rng.random() < 0.6, rng.random() < 0.5
    columns = np.cumsum(rng.uniform(4, 11, 30)) * letter - letter * rng.uniform(0, 5)
    texts = rng.random(30) < 0.35
    y, first = -row * rng.uniform(0, 1) + (row if rng.random() < 0.5 else 0), True
    header = one_of(rng, [colors.accents[0], colors.line, colors.back])
    while y < size:
        fill = header if first else colors.panel if stripes and rng.random() < 0.5 else None
        if fill:
            pen.rectangle((0, y, size, y + row), fill)
        for i, (left, right) in enumerate(pairwise(columns)):
            if left > size:
                break
            if not first and rng.random() < 0.03:
                pen.rectangle((left, y, right, y + row), mix(one_of(rng, colors.accents), colors.back, 0.5))
            cell = title(rng, 1) if first or texts[i] else f"{rng.uniform(-99, 999):.{rng.integers(0, 4)}f}"
            if rng.random() < 0.06 or (room := right - left - pen.width(cell, font, letter)) < 0.3 * letter:
                continue
            ink = (255, 255, 255) if first and sum(header) < 380 else colors.ink
            pen.text(left + (0.3 * letter if texts[i] else room - 0.3 * letter), y + 0.2 * row, cell, font, letter, ink)
        y, first = y + row, False
        if grid or rng.random() < 0.1:
            pen.line([(0, y), (size, y)], colors.line)
    if grid:
        for x in columns:
            pen.line([(x, 0), (x, size)], colors.line)
    return pen.done()


def web_page(rng: np.random.Generator, size: int) -> Image.Image:
    """A web page: a bar, a banner, cards with photographs, text, buttons."""
    colors = theme(rng, bool(rng.random() < 0.3))
    pen, unit = screen_pen(rng, size, colors)
    font = one_of(rng, find_fonts().sans if rng.random() < 0.75 else find_fonts().serif)
    y = 0.0
    if rng.random() < 0.7:
        bar = one_of(rng, [colors.accents[0], colors.panel, (30, 30, 36)])
        pen.rectangle((0, 0, size, 40 * unit), bar)
        ink, x = (255, 255, 255) if sum(bar) < 400 else (20, 20, 20), 16 * unit
        icon(pen, (x, 10 * unit, x + 20 * unit, 30 * unit), colors.accents[1])
        x += 34 * unit
        while x < size - 70 * unit:
            x = pen.text(x, 12 * unit, title(rng, 1), font, 13 * unit, ink) + 18 * unit
        y = 40 * unit
    if rng.random() < 0.5:
        tall = rng.uniform(0.2, 0.4) * size
        pen.picture.paste(one_of(rng, [photo, gradient])(rng, size, round(tall)), (0, round(y)))
        pen.text(24 * unit, y + tall / 2 - 18 * unit, title(rng, 4), font, rng.uniform(20, 36) * unit, (255, 255, 255))
        y += tall + 12 * unit
    count = int(rng.integers(1, 4))
    wide = (size - 12 * unit) / count
    while y < size:
        tall = rng.uniform(0.6, 1.3) * min(wide, size / 2)
        for i in range(count):
            box = (12 * unit + i * wide, y, i * wide + wide, y + tall)
            pen.rounded(box, one_of(rng, [0, 8]) * unit, colors.panel, one_of(rng, [0, 3]))
            image = tall * one_of(rng, [0, 0.4, 0.6])
            if image:
                picture_area(pen, (box[0], y, box[2], y + image), colors, unit, font)
            inner = (box[0] + 10 * unit, y + image + 30 * unit, box[2] - 10 * unit, box[3] - 30 * unit)
            pen.text(inner[0], y + image + 8 * unit, title(rng, 2), font, 15 * unit, colors.ink)
            end = pen.paragraph(inner, font, 12 * unit, colors.muted, say(rng, 80), False)
            if rng.random() < 0.6:
                pen.rounded(
                    (inner[0], end + 4 * unit, inner[0] + 70 * unit, end + 24 * unit), 5 * unit, colors.accents[0]
                )
                pen.text(inner[0] + 8 * unit, end + 7 * unit, title(rng, 1)[:9], font, 11 * unit, (255, 255, 255))
        y += tall + 12 * unit
    return pen.done()


def chat(rng: np.random.Generator, size: int) -> Image.Image:
    """Messages in bubbles, as on a phone."""
    colors = theme(rng)
    pen, unit = screen_pen(rng, size, colors)
    unit *= 1.2
    font, y = one_of(rng, find_fonts().sans), rng.uniform(-20, 10) * unit
    bubbles = [mix(colors.accents[0], colors.back, one_of(rng, [0, 0.6])), colors.line]
    while y < size:
        mine = int(rng.integers(2))
        wide, words = rng.uniform(0.35, 0.72) * size, say(rng, int(rng.integers(1, 30)))
        left = size - wide - 12 * unit if mine else 44 * unit
        lines = sum(pen.width(word + " ", font, 13 * unit) for word in words) / (wide - 30 * unit)
        tall = (np.ceil(1.15 * lines) * 13 * 1.35 + 18) * unit
        fill = bubbles[mine]
        pen.rounded((left, y, left + wide, y + tall), 14 * unit, fill)
        ink = (255, 255, 255) if sum(fill) < 380 else (15, 15, 20)
        pen.paragraph(
            (left + 12 * unit, y + 8 * unit, left + wide - 12 * unit, y + tall), font, 13 * unit, ink, words, False
        )
        if not mine:
            pen.rounded((8 * unit, y, 36 * unit, y + 28 * unit), 14 * unit, one_of(rng, colors.accents))
        y += tall + rng.uniform(6, 22) * unit
    return pen.done()


def chart(rng: np.random.Generator, size: int) -> Image.Image:
    """One to four plots by matplotlib: lines, bars, points, areas, pies, heat maps, contours."""
    from matplotlib import rc_context, style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    styles = [
        "default",
        "default",
        "dark_background",
        "ggplot",
        "bmh",
        "grayscale",
        "Solarize_Light2",
        "fast",
        "classic",
    ]
    families = ["sans-serif", "serif", "monospace"]
    look = {
        "font.family": one_of(rng, families),
        "font.size": rng.uniform(6, 12),
        "axes.grid": bool(rng.random() < 0.5),
    }
    if rng.random() < 0.15:
        look |= {"lines.antialiased": False, "patch.antialiased": False, "text.antialiased": False}
    with style.context(one_of(rng, styles)), rc_context(look):
        rows, columns = one_of(rng, [(1, 1), (1, 1), (2, 1), (1, 2), (2, 2)])
        figure = Figure(figsize=(size / 100, size / 100), dpi=100)
        canvas = FigureCanvasAgg(figure)
        for number in range(rows * columns):
            plot(rng, figure.add_subplot(rows, columns, number + 1), rows * columns)
        figure.subplots_adjust(0.12, 0.1, 0.95, 0.92, 0.35, 0.4)
        canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def plot(rng: np.random.Generator, axes: Any, count: int) -> None:
    """One set of axes."""
    kind, n = int(rng.integers(8)), int(rng.integers(4, 60))
    x = np.arange(n)
    maps = ["viridis", "magma", "coolwarm", "tab20", "gray", "jet", "terrain", "Spectral"]
    color = one_of(rng, maps)
    if kind == 0:
        for _ in range(int(rng.integers(1, 6))):
            mark = one_of(rng, ["-", "--", ":", "o-", "s-", ".", "x-"])
            y = np.cumsum(rng.normal(size=n)) * rng.uniform(0.5, 20)
            axes.plot(x, y, mark, lw=rng.uniform(0.5, 3), ms=4, label=title(rng, 1))
        if rng.random() < 0.7:
            axes.legend(loc="upper left")
    elif kind == 1:
        names = [title(rng, 1)[:6] for _ in range(min(n, 8))]
        bottom = np.zeros(len(names))
        for _ in range(int(rng.integers(1, 4))):
            height = rng.uniform(1, 20, len(names))
            axes.bar(np.arange(len(names)), height, rng.uniform(0.4, 1), bottom, edgecolor=one_of(rng, [None, "black"]))
            bottom += height
        axes.set_xticks(np.arange(len(names)), names, rotation=one_of(rng, [0, 45, 90]))
    elif kind == 2:
        where = rng.normal(size=(2, 5 * n))
        axes.scatter(*where, rng.uniform(2, 60, 5 * n), where[0], alpha=rng.uniform(0.3, 1), cmap=color)
    elif kind == 3:
        parts = rng.uniform(1, 9, int(rng.integers(3, 8)))
        axes.pie(parts, labels=[title(rng, 1)[:7] for _ in parts], autopct="%.0f%%", shadow=bool(rng.random() < 0.3))
    elif kind == 4:
        image = axes.imshow(rng.random((n // 3 + 3, n // 3 + 3)), color, interpolation="nearest", aspect="auto")
        axes.figure.colorbar(image, ax=axes)
    elif kind == 5:
        field_ = fractal(rng, 48, 48, 2.2)
        one_of(rng, [axes.contour, axes.contourf])(field_, int(rng.integers(5, 20)), cmap=color)
    elif kind == 6:
        axes.hist(
            rng.normal(size=(400, int(rng.integers(1, 4)))), int(rng.integers(8, 50)), histtype="stepfilled", alpha=0.7
        )
    else:
        axes.stackplot(x, np.abs(np.cumsum(rng.normal(size=(int(rng.integers(2, 6)), n)), 1)) + 1)
    if kind != 3:
        axes.set(xlabel=title(rng, 2), ylabel=title(rng, 1))
    if count < 3 or rng.random() < 0.5:
        axes.set_title(title(rng, 3))


def blob(rng: np.random.Generator, x: float, y: float, radius: float, corners: int = 60) -> Any:
    """A closed wavy curve about a point, (corners, 2)."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    reach = 1 + sum(rng.normal(0, 0.25 / k) * np.cos(k * angle + rng.uniform(0, 6)) for k in range(1, 6))
    return np.stack([x + radius * reach * np.cos(angle), y + radius * reach * np.sin(angle)], 1)


def street_map(rng: np.random.Generator, size: int) -> Image.Image:
    """A map with water, parks, blocks of houses, streets and names."""
    dark = rng.random() < 0.2
    land = hsv(rng.uniform(0.05, 0.2), 0.08, 0.15 if dark else 0.95)
    pen = vector_pen(rng, size, land)
    font = one_of(rng, find_fonts().sans)
    dim = 0.35 if dark else 1
    for _ in range(int(rng.integers(2, 8))):
        hue, saturation, value = one_of(rng, [(0.56, 0.35, 0.95), (0.56, 0.5, 0.85), (0.3, 0.3, 0.85), (0.1, 0.2, 0.9)])
        x, y = rng.uniform(0, size, 2)
        pen.polygon(blob(rng, x, y, rng.uniform(0.05, 0.3) * size), hsv(hue, saturation, value * dim))
    turn = rng.uniform(0, np.pi)
    for step in (turn, turn + np.pi / 2):
        direction, across = np.array([np.cos(step), np.sin(step)]), np.array([-np.sin(step), np.cos(step)])
        shift = -0.8 * size
        streets = []
        while shift < 0.8 * size:
            middle = np.array([size / 2] * 2) + shift * across
            bend = rng.normal(0, 0.02 * size, 5)
            points = [middle + (i - 2) * 0.4 * size * direction + bend[i] * across for i in range(5)]
            streets.append(([(float(px), float(py)) for px, py in points], one_of(rng, [2, 2, 3, 3, 5, 9])))
            shift += rng.uniform(0.04, 0.16) * size
        casing = mix(land, (255, 255, 255) if dark else (90, 90, 90), 0.35)
        for points, width in streets:
            pen.line(points, casing, width + 2)
        for points, width in streets:
            road = hsv(0.13, 0.45, 0.98) if width > 5 else (255, 255, 255)
            pen.line(points, mix(road, land, 0.75) if dark else road, width)
    ink = (235, 235, 235) if dark else (50, 50, 60)
    for _ in range(int(rng.integers(8, 30))):
        x, y = rng.uniform(0, size, 2)
        pen.text(x, y, title(rng, 2), font, one_of(rng, [9, 10, 11, 13, 18]), ink)
        if rng.random() < 0.3:
            pen.ellipse((x - 9, y + 2, x - 2, y + 9), hsv(rng.random(), 0.8, 0.85), ink)
    return pen.done()


def diagram(rng: np.random.Generator, size: int) -> Image.Image:
    """Boxes with words joined by arrows, or a technical drawing with measures; on white, or as a blueprint."""
    colors = theme(rng, bool(rng.random() < 0.2))
    pen = vector_pen(rng, size, one_of(rng, [(255, 255, 255), colors.back, (28, 70, 140)]))
    ink = (245, 245, 245) if sum(pen.back) < 380 else (20, 20, 20)
    font, letter, width = one_of(rng, find_fonts().all), rng.uniform(10, 17), rng.uniform(0.8, 3)
    if rng.random() < 0.4:
        for _ in range(int(rng.integers(10, 40))):
            x, y, r = *rng.uniform(0, size, 2), rng.uniform(4, 0.25 * size)
            kind = int(rng.integers(4))
            if kind == 0:
                pen.ellipse((x - r, y - r, x + r, y + r), None, ink, width)
                pen.line([(x - 1.2 * r, y), (x + 1.2 * r, y)], ink, width / 2)
                pen.line([(x, y - 1.2 * r), (x, y + 1.2 * r)], ink, width / 2)
            elif kind == 1:
                pen.rectangle((x, y, x + 2 * r, y + r), None, ink, width)
            elif kind == 2:
                step = float(one_of(rng, [4, 6, 9]))
                for t in np.arange(0, r, step):
                    pen.line([(x + t, y), (x + t + 20, y - 20)], ink, width / 2)
            else:
                pen.line([(x, y), (x + 2 * r, y)], ink, width / 2)
                for end, way in ((x, 1), (x + 2 * r, -1)):
                    pen.polygon([(end, y), (end + 7 * way, y - 3), (end + 7 * way, y + 3)], ink)
                pen.text(x + r - letter, y - 1.3 * letter, f"{r:.1f}", font, letter, ink)
        return pen.done()
    columns, rows = int(rng.integers(2, 5)), int(rng.integers(2, 6))
    cell_x, cell_y = size / columns, size / rows
    for row in range(rows):
        for column in range(columns):
            x, y = (column + 0.5) * cell_x, (row + 0.5) * cell_y
            if row + 1 < rows and rng.random() < 0.8:
                pen.line([(x, y), (x, y + cell_y * 0.69)], ink, width)
                end = y + cell_y * 0.7
                pen.polygon([(x, end), (x - 5, end - 9), (x + 5, end - 9)], ink)
            if column + 1 < columns and rng.random() < 0.5:
                pen.line([(x, y), (x + cell_x, y)], ink, width)
            w, h, fill = 0.38 * cell_x, 0.29 * cell_y, one_of(rng, [pen.back, *colors.accents[:3]])
            box = (x - w, y - h, x + w, y + h)
            kind = int(rng.integers(3))
            if kind == 0:
                pen.ellipse(box, fill, ink, width)
            elif kind == 1:
                pen.polygon([(x - w, y), (x, y - h), (x + w, y), (x, y + h)], fill, ink, width)
            else:
                pen.rectangle(box, fill, ink, width)
            label = title(rng, 1)
            dark = (250, 250, 250) if sum(fill) < 330 else (10, 10, 10)
            pen.text(x - pen.width(label, font, letter) / 2, y - 0.65 * letter, label, font, letter, dark)
    return pen.done()


def figure(pen: Pen, x: float, y: float, scale: float, ink: Color, colors: Sequence[Color], width: float) -> None:
    """A cartoon person."""
    rng = pen.rng
    skin, cloth, hair = (
        hsv(rng.uniform(0.04, 0.1), rng.uniform(0.2, 0.6), 0.95),
        one_of(rng, colors),
        one_of(rng, colors),
    )
    body = [(x - scale, y + 3.6 * scale), (x - 0.7 * scale, y + 1.1 * scale), (x + 0.7 * scale, y + 1.1 * scale)]
    pen.polygon([*body, (x + scale, y + 3.6 * scale)], cloth, ink, width)
    pen.line([body[1], (x - rng.uniform(1, 2) * scale, y + rng.uniform(0, 3) * scale)], ink, 2.5 * width)
    pen.line([body[2], (x + rng.uniform(1, 2) * scale, y + rng.uniform(0, 3) * scale)], ink, 2.5 * width)
    pen.polygon(blob(rng, x, y - 0.35 * scale, 0.95 * scale) * [1, 0.8] + [0, 0.2 * y - 0.15 * scale], hair, ink, width)
    pen.ellipse((x - 0.8 * scale, y - 0.9 * scale, x + 0.8 * scale, y + 1.1 * scale), skin, ink, width)
    for side in (-1, 1):
        eye = x + side * 0.32 * scale
        pen.ellipse(
            (eye - 0.2 * scale, y - 0.3 * scale, eye + 0.2 * scale, y + 0.2 * scale), (255, 255, 255), ink, width / 2
        )
        pen.ellipse((eye - 0.08 * scale, y - 0.1 * scale, eye + 0.08 * scale, y + 0.08 * scale), ink)
    smile = [(x + t * scale, y + (0.55 + 0.5 * rng.uniform(0.1, 0.6) * (0.16 - t * t)) * scale) for t in (-0.4, 0, 0.4)]
    pen.line(smile, ink, width)


def comic(rng: np.random.Generator, size: int) -> Image.Image:
    """Panels with line art, flat colors or halftone dots, and speech bubbles."""
    pen = vector_pen(rng, size, (255, 255, 255))
    gray = rng.random() < 0.3
    tones = [hsv(rng.random(), 0 if gray else rng.uniform(0.3, 1), rng.uniform(0.5, 1)) for _ in range(8)]
    ink, width = (10, 10, 15), rng.uniform(1.2, 3.5)
    font = one_of(rng, [f for f in find_fonts().sans if "Comic" in f] * 20 + list(find_fonts().sans))
    columns, rows = one_of(rng, [(1, 1), (2, 1), (1, 2), (2, 2), (3, 2)])
    gutter, cell_x, cell_y = 0.015 * size, size / columns, size / rows
    for row in range(rows):
        for column in range(columns):
            left, top = column * cell_x + gutter, row * cell_y + gutter
            right, bottom = (column + 1) * cell_x - gutter, (row + 1) * cell_y - gutter
            small = Pen(rng, size, pen.fine, one_of(rng, tones), pen.edges)
            if rng.random() < 0.5:
                pitch = rng.uniform(4, 9)
                for px in np.arange(left, right, pitch):
                    for py in np.arange(top, bottom, pitch):
                        r = pitch * 0.65 * (py - top) / (bottom - top)
                        small.ellipse((px - r, py - r, px + r, py + r), mix(small.back, (255, 255, 255), 0.6))
            else:
                for _ in range(int(rng.integers(1, 5))):
                    place = blob(
                        rng, rng.uniform(left, right), rng.uniform(top, bottom), rng.uniform(0.1, 0.4) * cell_x
                    )
                    small.polygon(place, one_of(rng, tones), ink, width)
            for _ in range(int(rng.integers(0, 25))):
                x, y = rng.uniform(left, right), rng.uniform(top, bottom)
                small.line(
                    [(x, y), (x + rng.uniform(-40, 40), y + rng.uniform(-40, 40))], ink, width * rng.uniform(0.2, 1)
                )
            for place in range(int(rng.integers(1, 3))):
                scale = cell_y * rng.uniform(0.1, 0.17)
                figure(
                    small, left + (right - left) * (0.28 + 0.45 * place), bottom - 2.6 * scale, scale, ink, tones, width
                )
            letter = np.sqrt(cell_x * cell_y) * rng.uniform(0.035, 0.05)
            wide = (right - left) * rng.uniform(0.5, 0.8)
            x, y = left + rng.uniform(0.03, 0.15) * cell_x, top + 0.04 * cell_y
            tail = [(x + wide / 3, y + 4 * letter), (x + wide / 2, y + 4 * letter), (x + wide / 2, y + 7.5 * letter)]
            small.polygon(tail, (255, 255, 255), ink, width)
            small.rounded((x - width, y - width, x + wide + width, y + 5 * letter + width), 2 * letter, ink)
            small.rounded((x, y, x + wide, y + 5 * letter), 2 * letter, (255, 255, 255))
            words = [word.upper() for word in say(rng, 14)]
            inner = (x + letter, y + 0.6 * letter, x + wide - letter, y + 4.8 * letter)
            small.paragraph(inner, font, letter, ink, words, False)
            box = pen.box((left, top, right, bottom))
            pen.picture.paste(small.picture.crop(box), box[:2])
            pen.rectangle((left, top, right, bottom), None, ink, width * 1.3)
    return pen.done()


def logo(rng: np.random.Generator, size: int) -> Image.Image:
    """Flat shapes of few, often saturated colors, and large letters."""
    count = int(rng.integers(2, 6))
    colors = [hsv(rng.random(), one_of(rng, [0, 0.6, 1, 1]), one_of(rng, [0.2, 0.7, 1, 1])) for _ in range(count)]
    pen = vector_pen(rng, size, one_of(rng, [(255, 255, 255), (0, 0, 0), *colors]))
    for _ in range(int(rng.integers(2, 14))):
        x, y, r, color = *rng.uniform(0.1, 0.9, 2) * size, rng.uniform(0.04, 0.35) * size, one_of(rng, colors)
        kind = int(rng.integers(6))
        if kind == 0:
            pen.ellipse((x - r, y - r, x + r, y + r), color)
        elif kind == 1:
            pen.ellipse((x - r, y - r, x + r, y + r), None, color, r * rng.uniform(0.1, 0.5))
        elif kind == 2:
            spikes, angle = int(rng.integers(3, 13)), rng.uniform(0, 6)
            turns = angle + np.arange(2 * spikes) * np.pi / spikes
            reach = np.where(np.arange(2 * spikes) % 2, r * rng.uniform(0.4, 1), r)
            pen.polygon(np.stack([x + reach * np.cos(turns), y + reach * np.sin(turns)], 1), color)
        elif kind == 3:
            pen.polygon(blob(rng, x, y, r), color)
        elif kind == 4:
            pen.rectangle((x - r, y - r * rng.uniform(0.1, 1), x + r, y + r), color)
        else:
            pitch = rng.uniform(3, 24)
            for i in range(int(2 * r / pitch)):
                pen.rectangle((x - r, y - r + i * pitch, x + r, y - r + (i + 0.5) * pitch), color)
    for _ in range(int(rng.integers(0, 4))):
        letter = rng.uniform(0.05, 0.3) * size
        word = title(rng, 1)[: int(rng.integers(1, 9))]
        pen.text(
            rng.uniform(0, 0.5) * size,
            rng.uniform(0, 0.8) * size,
            word,
            one_of(rng, find_fonts().all),
            letter,
            one_of(rng, colors),
        )
    return pen.done()


def gradient(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Two to four colors that run into each other, along a line or around a point; smooth, in steps or dithered."""
    rows, columns = np.mgrid[:height, :width] / max(width, height)
    angle, center = rng.uniform(0, 6.3), rng.uniform(0, 1, 2)
    along = np.cos(angle) * columns + np.sin(angle) * rows
    if rng.random() < 0.4:
        along = np.hypot(columns - center[0], rows - center[1])
    along = (along - along.min()) / max(np.ptp(along), 1e-9)
    stops = int(rng.integers(2, 5))
    if rng.random() < 0.25:
        steps = int(rng.integers(3, 14))
        along = np.floor(along * steps) / steps
    colors = np.array([hsv(rng.random(), rng.uniform(0, 1), rng.random() ** 0.5) for _ in range(stops)])
    pixels = np.stack([np.interp(along, np.linspace(0, 1, stops), colors[:, c]) for c in range(3)], -1)
    pixels += rng.uniform(-0.5, 0.5, pixels.shape) * (rng.random() < 0.3)
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def shade_picture(rng: np.random.Generator, size: int) -> Image.Image:
    """A gradient over the whole picture."""
    return gradient(rng, size, size)


def slide(rng: np.random.Generator, size: int) -> Image.Image:
    """A slide or a poster: large words and points over a gradient or a flat color, with shapes."""
    colors = theme(rng)
    pen = Pen(rng, size, 1, colors.back)
    ink = colors.ink
    if rng.random() < 0.6:
        pen.fill(shade_picture(rng, size))
        ink = (255, 255, 255) if np.asarray(pen.picture).mean() < 140 else (15, 15, 25)
    font, other = one_of(rng, find_fonts().all), one_of(rng, find_fonts().sans)
    for _ in range(int(rng.integers(0, 5))):
        x, y, r = *rng.uniform(0, size, 2), rng.uniform(0.05, 0.3) * size
        pen.rounded((x, y, x + 2 * r, y + r), r * rng.uniform(0, 0.5), one_of(rng, colors.accents), one_of(rng, [0, 6]))
    letter, y = rng.uniform(0.05, 0.11) * size, rng.uniform(0.03, 0.15) * size
    y = pen.paragraph((0.06 * size, y, 0.95 * size, size), font, letter, ink, title(rng, 5).split(), False) + letter / 2
    for _ in range(int(rng.integers(0, 6))):
        small = rng.uniform(0.35, 0.5) * letter
        pen.rounded(
            (0.07 * size, y + 0.4 * small, 0.07 * size + 0.5 * small, y + 0.9 * small), small, colors.accents[0]
        )
        box = (0.07 * size + small, y, 0.9 * size, size)
        y = pen.paragraph(box, other, small, ink, say(rng, int(rng.integers(3, 15))), False) + 0.4 * small
    if y < 0.7 * size and rng.random() < 0.5:
        pen.picture.paste(photo(rng, round(0.5 * size), round(0.9 * size - y)), (round(0.3 * size), round(y)))
    return pen.done()


def magazine(rng: np.random.Generator, size: int) -> Image.Image:
    """A page with a photograph among the text."""
    page = text_page(rng, size)
    for _ in range(int(rng.integers(1, 3))):
        width, height = (int(side) for side in rng.uniform(0.25, 0.7, 2) * size)
        left, top = (int(side) for side in rng.uniform(0, 0.6, 2) * size)
        frame = int(rng.integers(2, 12))
        page.paste(page.getpixel((0, 0)), (left - frame, top - frame, left + width + frame, top + height + 3 * frame))
        page.paste(photo(rng, width, height), (left, top))
    return page


def sprites(rng: np.random.Generator, size: int) -> Image.Image:
    """Pixel art of a small palette: tiles and figures in large square pixels."""
    grain = int(one_of(rng, [2, 3, 4, 6]))
    side = -(-size // grain)
    palette = np.array([hsv(rng.random(), rng.uniform(0.2, 1), rng.uniform(0.1, 1)) for _ in range(10)], np.uint8)
    dots = rng.random((6, 8, 8)) < rng.uniform(0, 0.4, (6, 1, 1)) ** 2
    tiles = rng.integers(0, 10, (6, 8, 8)) * dots + rng.integers(0, 10, (6, 1, 1))
    which = (fractal(rng, side // 8 + 1, side // 8 + 1, 1.2) * 5.99).astype(int)
    world = tiles[which].transpose(0, 2, 1, 3).reshape(8 * len(which), -1)[:side, :side] % 10
    for _ in range(int(rng.integers(3, 14))):
        half = rng.integers(0, 10, (12, 6)) * (rng.random((12, 6)) < 0.7)
        sprite = np.concatenate([half, half[:, ::-1]], 1)
        y, x = rng.integers(0, max(side - 12, 1), 2)
        place = world[y : y + 12, x : x + 12]
        sprite = sprite[: place.shape[0], : place.shape[1]]
        place[sprite > 0] = sprite[sprite > 0]
    return Image.fromarray(np.kron(palette[world], np.ones((grain, grain, 1), np.uint8))[:size, :size])


def stroke(rng: np.random.Generator, start: Any, size: int) -> Any:
    """A smooth hand-drawn line from a point, (n, 2)."""
    steps = int(rng.integers(10, 80))
    turns = np.cumsum(np.cumsum(rng.normal(0, 0.04, steps)) + rng.normal(0, 0.1)) + rng.uniform(0, 6)
    return start + np.cumsum(np.stack([np.cos(turns), np.sin(turns)], 1), 0) * rng.uniform(0.003, 0.012) * size


def sketch(rng: np.random.Generator, size: int) -> Image.Image:
    """Ink or pencil on paper: strokes that swell, hatching, or an engraving whose lines follow a shade."""
    paper = one_of(rng, [(255, 255, 255), hsv(rng.uniform(0.08, 0.14), rng.uniform(0, 0.25), rng.uniform(0.8, 1))])
    pen = vector_pen(rng, size, paper)
    ink = mix(one_of(rng, [(0, 0, 0), (20, 30, 90), (90, 50, 20)]), paper, rng.uniform(0, 0.4))
    if rng.random() < 0.35:
        pitch, slant = rng.uniform(3, 9), rng.uniform(-0.6, 0.6)
        shade = fractal(rng, size, size, 2.0)
        x = np.arange(0, size, 3)
        for y in np.arange(-abs(slant) * size, (1 + abs(slant)) * size, pitch):
            level = np.rint(y + slant * x).astype(int)
            seen = (level >= 0) & (level < size)
            for i in np.flatnonzero(seen[:-1]):
                pen.line(
                    [(x[i], y + slant * x[i]), (x[i] + 3, y + slant * (x[i] + 3))], ink, pitch * shade[level[i], x[i]]
                )
        return pen.done()
    for _ in range(int(rng.integers(10, 70))):
        points, width = stroke(rng, rng.uniform(0, size, 2), size), rng.uniform(0.6, 4)
        swell = width * (0.25 + np.sin(np.linspace(0, np.pi, len(points))))
        for (a, b), thick in zip(pairwise(points), swell, strict=False):
            pen.line([a, b], ink, thick)
    for _ in range(int(rng.integers(0, 8))):
        corner, angle, pitch = rng.uniform(0, size, 2), rng.uniform(0, 3), rng.uniform(3, 9)
        along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        for i in range(int(rng.integers(5, 25))):
            start = corner + i * pitch * across + rng.normal(0, 1.5, 2)
            pen.line([start, start + along * rng.uniform(0.05, 0.12) * size], ink, rng.uniform(0.5, 1.5))
    return pen.done()


KINDS: dict[str, Callable[[np.random.Generator, int], Image.Image]] = {
    "desktop": desktop,
    "text": text_page,
    "chart": chart,
    "comic": comic,
    "editor": editor,
    "logo": logo,
    "map": street_map,
    "bilevel": bilevel,
    "web": web_page,
    "table": table,
    "diagram": diagram,
    "slide": slide,
    "magazine": magazine,
    "chat": chat,
    "gradient": shade_picture,
    "sprites": sprites,
    "sketch": sketch,
}
"""Every kind, by its name in the file names; they take turns."""


def render(seed: int, number: int, size: int) -> tuple[str, Image.Image]:
    """One picture and its kind.

    A tenth is resized as screenshots in documents are, from 0.6 to 1.4 times; a few are gray.
    """
    rng = np.random.default_rng((seed, number))
    kind = list(KINDS)[number % len(KINDS)]
    scale = float(rng.uniform(0.6, 1.4)) if rng.random() < 0.1 else 1.0
    picture = KINDS[kind](rng, round(size / scale))
    if picture.size != (size, size):
        picture = picture.resize((size, size), one_of(rng, [Image.Resampling.BICUBIC, Image.Resampling.LANCZOS]))
    if rng.random() < 0.06:
        picture = picture.convert("L").convert("RGB")
    return kind, picture


def main() -> None:
    """Render and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder for the PNG files")
    parser.add_argument("--count", type=int, default=200, help="number of pictures")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the pictures")
    parser.add_argument("--size", type=int, default=512, help="pixels a side")
    args = parser.parse_args()
    if args.size < 64 or args.count < 1 or args.seed < 0:
        raise UsageError(f"--size {args.size} --count {args.count} --seed {args.seed}: at least 64, 1 and 0")
    try:
        import matplotlib as mpl
    except ModuleNotFoundError as error:
        raise MissingDependencyError("matplotlib", "lab", "rendering drawings") from error
    mpl.use("agg")
    args.output.mkdir(parents=True, exist_ok=True)
    for number in range(args.count):
        kind, picture = render(args.seed, number, args.size)
        picture.save(args.output / f"{number:04d}-{kind}.png")
    print(f"{args.count} pictures in {args.output}, from {len(find_fonts().all)} fonts")


if __name__ == "__main__":
    try:
        main()
    except ResolventError as error:
        sys.exit(f"drawings: {error}")
