"""A photograph restored by every method and model, side by side on one page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from resolvent.degradations import Degradation
from resolvent.evaluation.compare import Trial
from resolvent.evaluation.metrics import Pixels, Protocol
from resolvent.image import Image
from resolvent.physics.resize import imresize
from resolvent.provenance import Provenance
from resolvent.report.page import CONTROL, NO_MAP, document, photograph_pair, picture, with_layers

__all__ = ["compare_page"]


CROPS, CROP = 3, 64
"""How many places are shown enlarged, and their side in pixels."""


def compare_page(
    title: str, image: Image, degradation: Degradation, trials: Sequence[Trial], origin: Provenance,
    truth: Image | None = None,
) -> str:  # fmt: skip
    """The trials as one HTML file, the best first: table, crops enlarged, and a slider for each against the input."""
    worked = [trial for trial in trials if trial.restored is not None]
    order = sorted(worked, key=lambda trial: -(trial.score.psnr if trial.score else 0.0))
    y = image.pixels
    shape = order[0].restored.shape[:2] if order and order[0].restored is not None else y.shape[:2]
    shown = y if y.shape[:2] == shape else imresize(y, shape=(shape[0], shape[1]))
    parts = [_table(trials, shown, truth), CONTROL, "<h2>Enlarged</h2>", _crops(order, shown, truth), "<h2>Whole</h2>"]
    figures = []
    for trial in order:
        assert trial.restored is not None  # noqa: S101 - those that failed are not in the list
        figures.append(
            photograph_pair(
                trial.method,
                trial.restored,
                shown,
                _caption(trial),
                half_width=trial.half_width,
                truth=None if truth is None else truth.pixels,
            )
        )
    parts.append(f'<div class="photographs">{"".join(figures)}</div>')
    parts.append(f"<footer><p>{escape(str(Protocol()))}.</p><p>{escape(str(origin))}</p></footer>")
    lead = f"Inverted: {degradation}. Drag across a photograph: left of the line it is the input, right of it restored."
    return document(title, lead, "\n".join(parts))


def _caption(trial: Trial) -> str:
    score = "" if trial.score is None else f"<b>{trial.score.psnr:.2f} dB</b>, SSIM {trial.score.ssim:.3f}, "
    remark = trial.remark and f"<br>{escape(trial.remark)}"
    return f"{escape(trial.method)}<br>{score}{trial.seconds:.1f} s{remark}"


def _table(trials: Sequence[Trial], shown: Pixels, truth: Image | None) -> str:
    head = ["method", *(["PSNR, dB", "SSIM"] if truth is not None else []), "seconds", "residual, gray levels", ""]
    rows = []
    if truth is not None:
        score = Protocol().measure(shown, truth.pixels)
        rows.append(["input", f"{score.psnr:.2f}", f"{score.ssim:.3f}", "", "", ""])
    for trial in sorted(trials, key=lambda trial: -(trial.score.psnr if trial.score else 0.0)):
        scores = ["", ""] if trial.score is None else [f"{trial.score.psnr:.2f}", f"{trial.score.ssim:.3f}"]
        residual = "" if trial.residual is None else f"{trial.residual:.2f}"
        seconds = "" if trial.restored is None else f"{trial.seconds:.1f}"
        rows.append([trial.method, *(scores if truth is not None else []), seconds, residual, trial.remark])
    lines = ""
    for first, *numbers, remark in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in numbers)
        lines += f'<tr><th scope="row">{escape(first)}</th>{cells}<td class="words">{escape(remark)}</td></tr>'
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'


def _crops(order: Sequence[Trial], shown: Pixels, truth: Image | None) -> str:
    """The places of most detail, three times as large: the ground truth, the input and every method."""
    rows = []
    for place in _places(shown if truth is None else truth.pixels):
        before = _enlarged(shown, place)
        sources = [
            *([("ground truth", _enlarged(truth.pixels, place))] if truth is not None else []),
            ("input", before),
        ]
        figures = [_figure(picture(pixels, name), name) for name, pixels in sources]
        for trial in order:
            assert trial.restored is not None  # noqa: S101 - those that failed are not in the list
            half_width = None if trial.half_width is None else _enlarged(trial.half_width, place)
            drawn = with_layers(trial.method, _enlarged(trial.restored, place), before, half_width)
            figures.append(_figure(drawn, trial.method, NO_MAP if half_width is None else ""))
        rows.append(f'<div class="photographs">{"".join(figures)}</div>')
    return "".join(rows)


def _figure(drawn: str, name: str, line: str = "") -> str:
    return f'<figure><div class="layers">{drawn}</div><figcaption>{escape(name)}{line}</figcaption></figure>'


def _enlarged(pixels: NDArray[np.float32], place: tuple[int, int]) -> NDArray[np.float32]:
    top, left = place
    return pixels[top : top + CROP, left : left + CROP].repeat(3, 0).repeat(3, 1)


def _places(pixels: Pixels) -> list[tuple[int, int]]:
    """Top left corners of the squares with the strongest gradients, that do not overlap."""
    gray = pixels.mean(-1)
    height, width = gray.shape
    rows, columns = range(0, max(height - CROP, 0) + 1, CROP), range(0, max(width - CROP, 0) + 1, CROP)
    strength = {
        (top, left): float(np.abs(np.diff(gray[top : top + CROP, left : left + CROP], axis=0)).mean())
        for top in rows
        for left in columns
    }
    return sorted(strength, key=lambda place: -strength[place])[:CROPS]
