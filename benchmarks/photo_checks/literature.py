"""The bundled models by the protocols of the literature, as ``benchmarks/quality.py`` measures them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from resolvent.evaluation.benchmark import benchmark
from resolvent.evaluation.tables import INPUT, Row

from .common import Finding, Sets

SIGMAS, SCALES, QUALITIES = (15, 25, 50), (2, 4), (10, 20, 40)


def denoise(sets: Sets) -> Finding:
    """``denoise`` with the known noise level, and ``restore``, which is blind."""
    found = benchmark("denoise", sets.folder("CBSD68"), levels=SIGMAS, models=["denoise", "restore"], limit=sets.limit)
    texts = [f"noise:sigma={sigma}" for sigma in SIGMAS]
    return _finding(found, texts, [INPUT, "denoise", "restore"], dict(zip(texts, SIGMAS, strict=True)))


def upscale(sets: Sets) -> Finding:
    """``upscale2`` and ``upscale4`` on Set5."""
    found: list[Row] = []
    for scale in SCALES:
        found += benchmark("upscale", sets.folder("Set5"), levels=[scale], limit=sets.limit)
    texts = [f"downsample:scale={scale}" for scale in SCALES]
    return _finding(found, texts, [INPUT, "upscale2", "upscale4"], dict(zip(texts, SCALES, strict=True)))


def dejpeg(sets: Sets) -> Finding:
    """``dejpeg`` and ``restore`` on the luma of LIVE1."""
    found = benchmark("dejpeg", sets.folder("LIVE1"), levels=QUALITIES, models=["dejpeg", "restore"], limit=sets.limit)
    texts = [f"jpeg:quality={quality}" for quality in QUALITIES]
    return _finding(found, texts, [INPUT, "dejpeg", "restore"], dict(zip(texts, QUALITIES, strict=True)))


def _finding(rows: Sequence[Row], texts: Sequence[str], names: Sequence[str], levels: dict[str, int]) -> Finding:
    """Mean PSNR by method and degradation, and what a megapixel takes."""
    table = [["model", *texts, "s/megapixel"]]
    figures = {}
    for name in names:
        cells = []
        for text in texts:
            scores = [row.psnr for row in rows if (row.method, row.degradation) == (name, text)]
            cells.append(f"{np.mean(scores):.2f}" if scores else "")
            if scores:
                figures[f"{name}{levels[text]}"] = float(np.mean(scores))
        own = [row for row in rows if row.method == name]
        speed = sum(row.seconds for row in own) / sum(row.megapixels for row in own)
        table.append([name, *cells, "" if name == INPUT else f"{speed:.2f}"])
    images = len({row.image for row in rows})
    protocols = list(dict.fromkeys(row.protocol for row in rows))
    return Finding(f"{rows[0].dataset}, {images} images: {'; and '.join(protocols)}.", table, figures)
