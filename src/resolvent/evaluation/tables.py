"""Measurements as rows, and their output: means, Markdown tables and JSON, with provenance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, cast

import numpy as np

from resolvent.errors import counted
from resolvent.provenance import Provenance

__all__ = [
    "INPUT",
    "Mean",
    "Row",
    "dumps",
    "feature_notes",
    "markdown",
    "markdown_tables",
    "means",
    "notes",
    "tables",
    "to_json",
]

INPUT = "input"
"""The method that does nothing: the baseline of every table."""

FEATURES = (
    "Last in a cell: feature distance over RGB, lower is closer: the mean absolute difference of the features of "
    "Resolvent's own network, which was trained to name degradations. It is not LPIPS: no opinion of people went into "
    "it; and the objectives perceptual and adversarial minimize it."
)


@dataclass(frozen=True)
class Row:
    """One image restored by one method.

    Attributes:
        method: Its name; ``input`` is the degraded image itself.
        dataset: Name of the folder of images.
        degradation: Text form.
        image: Name of the file.
        psnr: dB.
        ssim: At most 1.
        seconds: That the restoration took.
        megapixels: Of the result.
        protocol: How it was degraded and compared, in one line.
        ms_ssim: None for images below 176 pixels a side.
        accuracy: The founding paper's, see ``metrics.argmax_accuracy``; None where it was not asked for.
        feature_distance: Of our own network, see ``features.feature_distance``; None where it was not asked for.
        task: Key of ``benchmark.TASKS``.
    """

    method: str
    dataset: str
    degradation: str
    image: str
    psnr: float
    ssim: float
    seconds: float
    megapixels: float
    protocol: str
    ms_ssim: float | None = None
    accuracy: float | None = None
    feature_distance: float | None = None
    task: str = ""


@dataclass(frozen=True)
class Mean:
    """The rows of one method on one dataset under one degradation, averaged over images.

    A figure that some of the rows lack is None. ``seconds_per_megapixel`` is all seconds over all megapixels.
    """

    method: str
    dataset: str
    degradation: str
    images: int
    psnr: float
    ssim: float
    ms_ssim: float | None
    accuracy: float | None
    feature_distance: float | None
    seconds_per_megapixel: float
    task: str = ""


def means(rows: Iterable[Row]) -> list[Mean]:
    """Average over images, for each task, dataset, degradation and method, in the order in which they first appear."""
    groups: dict[tuple[str, str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.method, row.dataset, row.degradation, row.task), []).append(row)
    return [
        Mean(
            *key[:3],
            task=key[3],
            images=len(group),
            psnr=float(np.mean([row.psnr for row in group])),
            ssim=float(np.mean([row.ssim for row in group])),
            ms_ssim=_mean([row.ms_ssim for row in group]),
            accuracy=_mean([row.accuracy for row in group]),
            feature_distance=_mean([row.feature_distance for row in group]),
            seconds_per_megapixel=sum(row.seconds for row in group) / sum(row.megapixels for row in group),
        )
        for key, group in groups.items()
    ]


def _mean(values: Sequence[float | None]) -> float | None:
    return None if None in values else float(np.mean(cast(list[float], values)))


def to_json(rows: Sequence[Row], origin: Provenance) -> dict[str, Any]:
    """Give a run as plain data: ``{"protocol", "provenance", "rows", "means"}``.

    ``protocol`` holds each distinct protocol of the rows, one line each; the others hold the fields of Provenance, Row
    and Mean by name. New keys may be added; these stay.
    """
    return {
        "protocol": list(dict.fromkeys(row.protocol for row in rows)),
        "provenance": asdict(origin),
        "rows": [asdict(row) for row in rows],
        "means": [asdict(mean) for mean in means(rows)],
    }


def dumps(data: Any) -> str:
    """Write plain data as JSON; an infinite number, the PSNR of identical images, becomes null."""
    return json.dumps(_finite(data), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(data: Any) -> Any:
    match data:
        case dict():
            return {key: _finite(value) for key, value in data.items()}
        case list() | tuple():
            return [_finite(value) for value in data]
        case float() if not isfinite(data):
            return None
    return data


def markdown(rows: Sequence[Row], origin: Provenance) -> str:
    """Give the means as Markdown: a table for each dataset, with the protocol and the provenance below."""
    return f"{markdown_tables(rows)}\n\n{origin}\n"


def markdown_tables(rows: Sequence[Row], *, level: int = 3, protocols: bool = True) -> str:
    """Give what ``markdown`` gives, less the provenance; the headings of that level, and the protocols if wanted."""
    parts = []
    for title, table in tables(rows):
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in table]
        lines.insert(1, "|---" * len(table[0]) + "|")
        parts.append(f"{'#' * level} {title}\n\n" + "\n".join(lines))
    return "\n\n".join([*parts, *(notes(rows) if protocols else ())])


def tables(rows: Sequence[Row]) -> list[tuple[str, list[list[str]]]]:
    """Arrange the means, for each dataset, as a title and lines of cells.

    The first line is the header; then comes one line for each method, with a column for each degradation.
    """
    found = []
    for dataset in dict.fromkeys(row.dataset for row in rows):
        cells = {(mean.method, mean.degradation): mean for mean in means(row for row in rows if row.dataset == dataset)}
        methods, degradations = (list(dict.fromkeys(names)) for names in zip(*cells, strict=True))
        header = ["method", *degradations, "s/megapixel"]
        body = []
        for method in methods:
            line = [cells.get((method, degradation)) for degradation in degradations]
            speed = "" if method == INPUT else f"{np.median([mean.seconds_per_megapixel for mean in line if mean]):.2f}"
            body.append([method, *("" if mean is None else _cell(mean) for mean in line), speed])
        images = max(mean.images for mean in cells.values())
        found.append((f"{dataset}, {counted(images, 'image')}", [header, *body]))
    return found


def _cell(mean: Mean) -> str:
    accuracy = "" if mean.accuracy is None else f" / {mean.accuracy:.1%}"
    distance = "" if mean.feature_distance is None else f" / {mean.feature_distance:.4f}"
    return f"{mean.psnr:.2f} / {mean.ssim:.4f}{accuracy}{distance}"


def notes(rows: Sequence[Row]) -> list[str]:
    """Describe the cells of ``tables`` and their protocols."""
    cells = "Cells: PSNR in dB / SSIM"
    if any(row.accuracy is not None for row in rows):
        cells += " / accuracy, the share of pixels with the same largest channel; the input unchanged is its baseline"
    return [f"{cells}.", *feature_notes(rows), *dict.fromkeys(f"{row.protocol}." for row in rows)]


def feature_notes(rows: Sequence[Row]) -> list[str]:
    """Say what the last figure of the cells is, where it is the feature distance."""
    return [FEATURES] if any(row.feature_distance is not None for row in rows) else []
