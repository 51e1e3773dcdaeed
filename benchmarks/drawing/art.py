"""What is drawn: maps, comics, logos, pixel art, sketches."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from PIL import Image

from drawing.palette import Color, find_fonts, fractal, hsv, mix, one_of, say, title
from drawing.pen import Pen, vector_pen


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
