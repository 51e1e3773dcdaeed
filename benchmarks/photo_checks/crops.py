"""A page of crops of photographs, before and after, to look at."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from resolvent.errors import ResolventError
from resolvent.provenance import provenance
from resolvent.report.figures import to_picture
from resolvent.report.page import document, picture

from .common import Outcome, Pixels, Sets, pixels_of, restore_files, score

SIDE, ZOOM, GAP = 128, 2, 4
"""Pixels of a crop, how many pixels show one, and those between two pictures."""
ACROSS, DOWN = 2, 2
"""Photographs on one PNG, which is as large as most viewers show without reducing it."""


def crops(sets: Sets, folders: Sequence[Path], output: Path) -> None:
    """Restore PolyU and the photographs of folders without options; write ``index.html`` and PNG sheets.

    Each photograph shows its most detailed, its middling and its plainest place: detail tells of halos and invented
    texture, plain places of blotches and color shifts. Below each other stand the input, the result and, for PolyU,
    the mean of many exposures.
    """
    output.mkdir(parents=True, exist_ok=True)
    references = dict(sets.pairs())
    files = list(references)
    for folder in folders:
        files += _readable(folder)[: sets.limit]
    figures, grids = [], []
    with tempfile.TemporaryDirectory() as temporary:
        for place, file in enumerate(files):
            try:
                outcome = restore_files([file], Path(temporary) / str(place), ext="png")[0]
                grid, caption = _grid(outcome, references.get(file))
            except (ResolventError, ValueError) as error:
                print(f"{file.name}: left out: {error}")
                continue
            shown = f"{picture(grid, caption)}<figcaption>{escape(caption)}</figcaption>"
            figures.append(f'<figure style="width: {grid.shape[1]}px; margin: 0 0 2rem">{shown}</figure>')
            grids.append(grid)
            print(f"{caption} ({place + 1} of {len(files)})", flush=True)
    rows = [_tiled(grids[i : i + ACROSS], axis=1) for i in range(0, len(grids), ACROSS)]
    for first in range(0, len(rows), DOWN):
        sheet = _tiled(rows[first : first + DOWN], axis=0)
        to_picture(sheet).save(output / f"sheet-{first // DOWN:02d}.png")
    lead = (
        f"At {100 * ZOOM} %: the most detailed, a middling and the smoothest place of each photograph; from top to "
        "bottom the input, the result of resolvent restore without options and, where there is one, the mean of many "
        "exposures."
    )
    body = f"{''.join(figures)}<footer><p>{escape(str(provenance()))}</p></footer>"
    (output / "index.html").write_text(document("Crops, before and after", lead, body), "utf-8")
    print(output / "index.html")


def _readable(folder: Path) -> list[Path]:
    from resolvent.image import FORMATS

    known = {extension for extensions in FORMATS.values() for extension in extensions}
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in known)


def _grid(outcome: Outcome, reference: Path | None) -> tuple[Pixels, str]:
    """The crops of one photograph, enlarged, a row for each image of it; and what to say of it."""
    images = [pixels_of(outcome.source), outcome.pixels]
    caption = f"{outcome.source.name}: {outcome.model or 'nothing to fix'}"
    if reference is not None:
        truth = pixels_of(reference)
        caption += f", {score(images[0], truth):.2f} → {score(images[1], truth):.2f} dB"
        images.append(truth)
    shown = [np.broadcast_to(image, (*image.shape[:2], 3)) for image in images]
    side = min(SIDE, *(length for image in shown for length in image.shape[:2]))
    corners = places(images[0], side)
    rows = []
    for image in shown:
        cuts = [image[top : top + side, left : left + side] for top, left in corners]
        rows.append(_tiled([cut.repeat(ZOOM, 0).repeat(ZOOM, 1) for cut in cuts], axis=1))
    return _tiled(rows, axis=0), caption


def places(pixels: Pixels, side: int) -> list[tuple[int, int]]:
    """Top left corners of three squares: of the most detail, of the median, of the least that is not empty."""
    gray = pixels.mean(-1)
    height, width = gray.shape
    corners = [
        (top, left)
        for top in range(0, height - side + 1, max(side // 2, 1))
        for left in range(0, width - side + 1, max(side // 2, 1))
    ]
    detail = {}
    for top, left in corners:
        cut = gray[top : top + side, left : left + side]
        detail[top, left] = float(np.abs(np.diff(cut, axis=0)).mean() + np.abs(np.diff(cut, axis=1)).mean())
    order = sorted(corners, key=lambda corner: -detail[corner])
    alive = [corner for corner in order if detail[corner] > 0] or order
    return [alive[0], alive[len(alive) // 2], alive[-1]]


def _tiled(pictures: Sequence[Pixels], axis: int) -> Pixels:
    """Join along an axis, with white between them and around those that are smaller."""
    across = 1 - axis
    most = max(image.shape[across] for image in pictures)
    parts = []
    for i, image in enumerate(pictures):
        margins = [(0, 0)] * 3
        margins[across] = (0, most - image.shape[across])
        margins[axis] = (0, GAP if i + 1 < len(pictures) else 0)
        parts.append(np.pad(image, margins, constant_values=1.0))
    return np.concatenate(parts, axis)
