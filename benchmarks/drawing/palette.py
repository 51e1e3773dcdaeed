"""Fonts, words, colors, and the textures that stand for photographs."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFont

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


@lru_cache(100_000)
def length(text: str, path: str, size: int) -> float:
    """How long a text is in a font of a size, in pixels."""
    return load_font(path, size).getlength(text)


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
