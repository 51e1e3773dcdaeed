"""A report as one HTML file that holds all it shows and asks the network for nothing."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from importlib import resources
from itertools import groupby
from string import Template
from typing import TYPE_CHECKING

import numpy as np

from resolvent.engine.uncertainty import visible
from resolvent.evaluation.metrics import Pixels
from resolvent.evaluation.tables import Row, notes, tables
from resolvent.provenance import Provenance
from resolvent.report.figures import Comparison, to_picture
from resolvent.report.overlay import CHANGE, UNCERTAINTY, Layer

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = [
    "CONTROL",
    "NO_MAP",
    "document",
    "page",
    "photograph_pair",
    "picture",
    "share_inside",
    "table",
    "with_layers",
]

NO_MAP = f'<span class="layer {UNCERTAINTY.name}">no map of errors</span>'
"""Below a photograph that has none, where those that have one show it."""

CONTROL = "<!-- control -->"
"""Where the control for the layers stands in a body of HTML."""


def page(
    title: str,
    lead: str,
    origin: Provenance,
    *,
    rows: Sequence[Row] = (),
    comparisons: Sequence[Comparison] = (),
    figure: Image | None = None,
    protocol: str = "",
) -> str:
    """Give the page.

    Args:
        title: Heading.
        lead: A sentence or two below it.
        origin: Printed at the end.
        rows: Shown as tables of means.
        comparisons: Shown as headline figures, and as sliders between the degraded and the restored photograph.
        figure: Shown between the two.
        protocol: Of the comparisons, in one line.
    """
    parts = [table(*lines) for lines in tables(rows)]
    if comparisons:
        parts.append(_headlines(comparisons))
    if figure:
        alt = "Ground truth, degraded and restored photographs, with PSNR and SSIM under each"
        drawing = f'<img class="figure" src="{_data(figure, quality=88)}" alt="{alt}">'
        parts.append(f'<div class="wide" tabindex="0" role="region" aria-label="Figure">{drawing}</div>')
    images = dict.fromkeys(comparison.image for comparison in comparisons)
    parts.append(CONTROL)
    parts += [
        _sliders(image, [comparison for comparison in comparisons if comparison.image == image]) for image in images
    ]
    lines = [*(notes(rows) if rows else ()), *([f"{protocol}."] if protocol else []), str(origin)]
    parts.append("<footer>" + "".join(f"<p>{escape(line)}</p>" for line in lines) + "</footer>")
    return document(title, lead, "\n".join(parts))


def document(title: str, lead: str, body: str) -> str:
    """The whole file around a body of HTML, with a control for the layers that are in it: at CONTROL, or before all."""
    body = body if CONTROL in body else CONTROL + body
    template = Template(resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(title=escape(title), lead=escape(lead), body=body.replace(CONTROL, _control(body)))


def table(title: str, lines: Sequence[Sequence[str]]) -> str:
    """A table in HTML under a heading; the first line names the columns, the first cell of each other line names it."""
    head, *body = (
        f'<tr><th scope="{"row" if i else "col"}">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" if i else f'<th scope="col">{escape(cell)}</th>' for cell in rest)
        + "</tr>"
        for i, (first, *rest) in enumerate(lines)
    )
    cells = f"<table><thead>{head}</thead><tbody>{''.join(body)}</tbody></table>"
    name = escape(title)
    return f'<h2>{name}</h2><div class="wide" tabindex="0" role="region" aria-label="{name}">{cells}</div>'


def _headlines(comparisons: Sequence[Comparison]) -> str:
    """For each panel and intensity, the means before and after."""
    sections = []
    for panel, members in groupby(comparisons, key=lambda comparison: comparison.panel):
        labels: dict[str, list[Comparison]] = {}
        for comparison in members:
            labels.setdefault(comparison.label, []).append(comparison)
        cards = []
        for label, group in labels.items():
            scores = [(pair.before.psnr, pair.after.psnr, pair.before.ssim, pair.after.ssim) for pair in group]
            psnr, restored_psnr, ssim, restored_ssim = np.mean(scores, axis=0)
            cards.append(
                f"<div><dt>{escape(label)}</dt><dd>{psnr:.1f} → <b>{restored_psnr:.1f} dB</b>"
                f"<small>SSIM {ssim:.2f} → {restored_ssim:.2f}</small></dd></div>"
            )
        sections.append(f"<section><h2>{escape(panel)}</h2><dl>{''.join(cards)}</dl></section>")
    return f'<div class="headlines">{"".join(sections)}</div>'


def _sliders(name: str, comparisons: Sequence[Comparison]) -> str:
    truth = picture(comparisons[0].truth, f"{name}, ground truth")
    figures = [f'<figure class="truth">{truth}<figcaption>ground truth</figcaption></figure>']
    for comparison in comparisons:
        before, after = comparison.before, comparison.after
        caption = (
            f"{escape(comparison.degradation)}<br>{before.psnr:.2f} → <b>{after.psnr:.2f} dB</b><br>"
            f"SSIM {before.ssim:.3f} → <b>{after.ssim:.3f}</b>"
        )
        label = f"{name}, {comparison.degradation}"
        figures.append(
            photograph_pair(
                label,
                comparison.restored,
                comparison.degraded,
                caption,
                half_width=comparison.half_width,
                truth=comparison.truth,
            )
        )
    return f'<section><h2>{escape(name)}</h2><div class="photographs">{"".join(figures)}</div></section>'


def photograph_pair(
    name: str,
    restored: Pixels,
    given: Pixels,
    caption: str,
    *,
    half_width: NDArray[np.float32] | None = None,
    truth: Pixels | None = None,
) -> str:
    """A restored photograph under what was given, with a slider between them, and the layers of the page between them.

    Args:
        name: Of the photograph.
        restored: (H, W, C), in [0, 1].
        given: Of the same size.
        caption: HTML.
        half_width: (H, W), of a result that has a map of errors, in gray levels of 255: a layer, and a line below.
        truth: Of the size of the result: the line says how much of the map holds.
    """
    if half_width is None:
        line = NO_MAP
    else:
        width = float(np.median(half_width[visible(half_width)]))
        line = f"map: ±{width:.{0 if width >= 2 else 1}f} at the median"
        if truth is not None:
            share = share_inside(half_width, restored, truth)
            line += f"; {'over 99' if 0.995 < share < 1 else f'{100 * share:.0f}'} % within it"
    return (
        f'<figure><div class="pair">{with_layers(f"{name}, restored", restored, given, half_width)}'
        f'<div class="before">{picture(given, f"{name}, input")}</div>'
        f'<input type="range" value="50" aria-label="Share of the input that is shown: {escape(name)}"></div>'
        f"<figcaption>{caption}<br>{line}</figcaption></figure>"
    )


def share_inside(half_width: NDArray[np.float32], restored: Pixels, truth: Pixels) -> float:
    """Share of the values (H, W, C) of a result that lie within half-widths (H, W) of the truth, where it is seen."""
    inside = 255 * np.abs(np.clip(restored, 0, 1) - truth) <= half_width[..., None]
    return float(inside[visible(half_width)].mean())


def with_layers(name: str, restored: Pixels, given: Pixels, half_width: NDArray[np.float32] | None = None) -> str:
    """A restored photograph, and over it, in gray and tinted, the layers that the control shows.

    What was changed is the mean over the colors.
    """
    from PIL.Image import fromarray

    result, before = (np.clip(pixels, 0, 1) for pixels in (restored, given))
    layers = {CHANGE: 255 * np.abs(result - before).mean(axis=2)}
    if half_width is not None:
        layers[UNCERTAINTY] = half_width
    return picture(restored, name) + "".join(
        f'{_mark(layer)} src="{_data(fromarray(layer.tinted(result.mean(axis=2), levels)), quality=80)}" '
        f'alt="{escape(name)}, {layer.label}">'
        for layer, levels in layers.items()
    )


def _mark(layer: Layer) -> str:
    return f'<img class="layer {layer.name}"'


def _control(body: str) -> str:
    """Radio buttons that choose among the layers that a page has, each with its legend; nothing if it has none."""
    layers = [layer for layer in (UNCERTAINTY, CHANGE) if _mark(layer) in body]
    if not layers:
        return ""
    radios = '<label><input type="radio" name="show" checked>result</label>' + "".join(
        f'<label><input type="radio" name="show" id="show-{layer.name}">{layer.label}</label>' for layer in layers
    )
    legends = "".join(
        f'<div class="layer {layer.name}"><div class="bar" style="--tint: rgb{layer.color}"></div><div class="ticks">'
        f"{''.join(f'<span>{tick}</span>' for tick in layer.ticks)}</div><small>{layer.legend}</small></div>"
        for layer in layers
    )
    return (
        f'<fieldset><legend>Show</legend><div class="radios">{radios}</div>'
        f'<div class="legends" aria-live="polite">{legends}</div></fieldset>\n'
    )


def picture(pixels: Pixels, alt: str) -> str:
    """An image that the page holds itself."""
    return f'<img src="{_data(to_picture(pixels), quality=92)}" alt="{escape(alt)}">'


def _data(picture: Image, quality: int) -> str:
    """As a data URI; JPEG without chroma subsampling, for noise in PNG takes four times the room."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, subsampling="4:4:4")
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
