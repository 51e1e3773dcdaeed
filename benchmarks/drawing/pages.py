"""What is printed or shown to an audience: pages, slides, diagrams, charts."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from drawing.palette import find_fonts, fractal, hsv, mix, one_of, photo, say, shade_picture, theme, title
from drawing.pen import Pen, vector_pen
from drawing.screens import table


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
