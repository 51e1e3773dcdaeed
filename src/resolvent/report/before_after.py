"""Photographs before and after, with a slider between them, on one page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from resolvent.errors import InputError
from resolvent.evaluation.metrics import Pixels
from resolvent.image import read_image
from resolvent.report.figures import to_picture
from resolvent.report.page import document, photograph_pair

__all__ = ["before_after_page"]

SIDE = 1600
"""The longest side that is shown, in pixels."""

MANY = 60
"""Photographs on one page; more would be too large a file for a browser."""


def before_after_page(title: str, pairs: Sequence[tuple[Path, Path]]) -> str:
    """Give the page as one HTML file.

    Args:
        title: Heading.
        pairs: Paths of each photograph before and after; of MANY pairs at most, the first ones are shown. Both are
            shown at the size of the second, at most SIDE pixels a side.

    Raises:
        InputError: A file cannot be read.
    """
    figures = [_figure(before, after) for before, after in pairs[:MANY]]
    lead = "Drag across a photograph: left of the line it is before, right of it after."
    if len(pairs) > MANY:
        lead += f" These are the first {MANY} of {len(pairs)}."
    if not figures:
        lead = "No photograph was changed."
    return document(title, lead, f'<div class="photographs large">{"".join(figures)}</div>')


def _figure(before: Path, after: Path) -> str:
    new = _shown(after)
    caption = before.name if after.name == before.name else f"{before.name} → {after.name}"
    return photograph_pair(before.name, new, _shown(before, new.shape[1::-1]), escape(caption))


def _shown(path: Path, size: tuple[int, ...] | None = None) -> Pixels:
    """The pixels of a photograph, at a size or at most SIDE a side."""
    pixels = read_image(path).pixels
    if size is None:
        factor = min(1.0, SIDE / max(pixels.shape[:2]))
        size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    elif abs(np.log(size[0] * pixels.shape[0] / (size[1] * pixels.shape[1]))) > 0.1:
        raise InputError(f"{path}: is of another shape than what it is compared with; give two of one photograph")
    if size == pixels.shape[1::-1]:
        return pixels
    from PIL import Image

    small = to_picture(pixels).resize((size[0], size[1]), Image.Resampling.LANCZOS)
    return np.asarray(small, np.float32).reshape(size[1], size[0], -1) / np.float32(255)
