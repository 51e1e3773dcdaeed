"""What a screen shows: windows, source code, tables, web pages, messages."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from PIL import Image

from drawing.palette import (
    CODE,
    WORDS,
    Box,
    Theme,
    find_fonts,
    gradient,
    mix,
    one_of,
    photo,
    say,
    shade_picture,
    theme,
    title,
)
from drawing.pen import Pen, icon, screen_pen


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
