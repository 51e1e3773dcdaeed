"""Photographs before and after, with a slider between them, on one page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from resolvent.errors import InputError
from resolvent.evaluation.metrics import Pixels
from resolvent.image import Limits, read_image
from resolvent.report.figures import to_picture
from resolvent.report.page import document, photograph_pair

if TYPE_CHECKING:
    pass

__all__ = ["before_after", "before_after_page"]

SIDE = 1600
"""The longest side that is shown, in pixels."""

WRITTEN = Limits(math.inf, math.inf)
"""What was written here may be larger than what was read."""

MANY = 60
"""Photographs on one page; more would be too large a file for a browser."""


def before_after_page(
    title: str,
    pairs: Sequence[tuple[Path, Path]],
    maps: Mapping[Path, Path] = MappingProxyType({}),
    *,
    frame: int = 1,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    notes: Mapping[Path, str] = MappingProxyType({}),
) -> str:
    """Give the page as one HTML file.

    Args:
        title: Heading.
        pairs: Paths of each photograph before and after; of MANY pairs at most, the first ones are shown. Both are
            shown at the size of the second, at most SIDE pixels a side.
        maps: Of photographs after, the half-widths of their map of errors: a TIFF in 1/256 gray level.
        frame: The page or frame of the photographs before, from 1.
        limits: The largest photograph before.
        notes: Of photographs after, what has to be said of them.

    Raises:
        InputError: A file cannot be read.
    """
    figures = [
        before_after(before, after, maps.get(after), frame=frame, limits=limits, note=notes.get(after, ""))
        for before, after in pairs[:MANY]
    ]
    lead = "Drag across a photograph: left of the line it is before, right of it after."
    if len(pairs) > MANY:
        lead += f" These are the first {MANY} of {len(pairs)}."
    if not figures:
        lead = "No photograph was changed."
    return document(title, lead, f'<div class="photographs large">{"".join(figures)}</div>')


def before_after(
    before: Path,
    after: Path,
    half_widths: Path | None = None,
    *,
    frame: int = 1,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    side: int | None = None,
    note: str = "",
) -> str:
    """Give one pair as a figure in HTML.

    Args:
        before: The photograph before.
        after: And after.
        half_widths: Its map of errors: a TIFF in 1/256 gray level.
        frame: The page or frame of the photograph before, from 1.
        limits: The largest photograph before.
        side: The longest side that is shown, in pixels; SIDE if not given.
        note: What has to be said of it, below its name.

    Raises:
        InputError: A file cannot be read, or the two are of another shape.
    """
    old, new = read_image(before, limits, frame=frame).pixels, read_image(after, WRITTEN).pixels
    steps = None if half_widths is None else read_image(half_widths, WRITTEN).data
    (old_height, old_width), (height, width) = old.shape[:2], new.shape[:2]
    if abs(np.log(width * old_height / (height * old_width))) > 0.1:
        raise InputError(
            f"{before} of {old_width}x{old_height} pixels, {after} of {width}x{height}: are of another shape; "
            "give two of one photograph"
        )
    factor = min(1.0, (side or SIDE) / max(width, height))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    caption = before.name if after.name == before.name else f"{before.name} → {after.name}"
    lines = "<br>".join(escape(line) for line in (caption, note) if line)
    half_width = None
    if steps is not None:
        from PIL import Image

        whole = Image.fromarray(steps[..., 0] / np.float32(256))
        half_width = np.asarray(whole.resize(size, Image.Resampling.BOX))
    return photograph_pair(before.name, _resized(new, size), _resized(old, size), lines, half_width=half_width)


def _resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """At (width, height)."""
    if size == pixels.shape[1::-1]:
        return pixels
    from PIL import Image

    resized = to_picture(pixels).resize(size, Image.Resampling.LANCZOS)
    return np.asarray(resized, np.float32).reshape(size[1], size[0], -1) / np.float32(255)
