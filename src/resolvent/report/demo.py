"""The demo: three photographs that ship inside scikit-image, degraded in many ways, restored by the bundled models."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resolvent.degradations import parse
from resolvent.errors import MissingDependencyError, OutputError
from resolvent.evaluation.benchmark import center_square, default_run
from resolvent.evaluation.metrics import Pixels, Protocol
from resolvent.evaluation.tables import dumps
from resolvent.models.registry import read_card
from resolvent.provenance import provenance
from resolvent.report.figures import Comparison, figure
from resolvent.report.page import page, share_inside

__all__ = ["run_demo"]

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee")
FILES = ("index.html", "figure.png", "results.json")
# heading: (label, degradation, options of restore)
PANELS: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
    "Gaussian noise, restored by denoise": [
        (f"sigma {sigma}", f"noise:sigma={sigma}", {"model": "denoise", "sigma": sigma}) for sigma in (15, 25, 50)
    ],
    "Gaussian blur, restored by deblur": [
        (f"sigma {sigma} px", f"blur:sigma={sigma} + noise:sigma=1", {"model": "deblur"}) for sigma in (1, 2, 3)
    ],
    "JPEG compression, restored by dejpeg": [
        (f"quality {quality}", f"jpeg:quality={quality}", {"model": "dejpeg"}) for quality in (10, 20, 40)
    ],
    "Several faults at once, restored by restore": [
        (label, text, {"model": "restore"})
        for label, text in (
            ("blur, noise, JPEG", "blur:sigma=1 + noise:sigma=10 + jpeg:quality=60"),
            ("small, grain, JPEG", "rescale:factor=0.6 + grain:sigma=12,radius=0.8 + jpeg:quality=40"),
            ("photon noise, JPEG", "poisson:peak=60 + jpeg:quality=80"),
        )
    ],
}
LEAD = (
    "Three photographs degraded in twelve ways, and restored by the models that come with Resolvent: denoise is given "
    "the noise level, the others are blind. Drag across a photograph, or use the arrow keys: left of the line it is "
    "degraded, right of it restored. The page can also show where a result may be wrong."
)

Restore = Callable[..., tuple[Pixels, NDArray[np.float32] | None]]
"""From an image and options of restore to the image restored, and half-widths (H, W) where the model has a map."""


def run_demo(
    output: Path,
    *,
    restore_fn: Restore | None = None,
    side: int = 256,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write ``index.html``, ``figure.png`` and ``results.json`` into a folder.

    ``results.json`` is a list of objects, one for each restoration: image, degradation, model, seconds, and
    ``degraded`` and ``restored``, each with psnr (dB) and ssim. Of a model with a map of errors also ``half_width``,
    the median in gray levels, and ``inside``, the share of the values that are as close to the truth as the map says.

    Args:
        output: The folder; made if need be.
        restore_fn: Called instead of ``resolvent.restore``; see ``Restore``.
        side: Of the photographs, in pixels; they are center squares, resized.
        overwrite: Replace what an earlier demo wrote.
        progress: Called with (done, total) after each restoration.

    Returns:
        The page.

    Raises:
        OutputError: A file exists and ``overwrite`` is not set, or the folder cannot be written.
        MissingDependencyError: scikit-image, which holds the photographs, is not installed.
    """
    existing = [name for name in FILES if (output / name).exists()]
    if existing and not overwrite:
        raise OutputError(
            f"{output / existing[0]}: exists; choose another folder, or give overwrite=True (--overwrite)"
        )
    if find_spec("skimage") is None:
        raise MissingDependencyError("scikit-image", "methods", "the demo")
    with _writing_into(output):
        output.mkdir(parents=True, exist_ok=True)
    restore, protocol = restore_fn or _default_restore(), Protocol()
    comparisons: list[Comparison] = []
    total = len(PHOTOGRAPHS) * sum(map(len, PANELS.values()))
    for panel, cases in PANELS.items():
        for place, name in enumerate(PHOTOGRAPHS):
            truth = _photograph(name, side)
            for label, text, options in cases:
                degraded = parse(text)(truth, np.random.default_rng(place))
                start = perf_counter()
                restored, half_width = restore(degraded, **options)
                comparisons.append(
                    Comparison(
                        panel=panel,
                        image=name,
                        label=label,
                        degradation=text,
                        model=options["model"],
                        seconds=perf_counter() - start,
                        truth=truth,
                        degraded=degraded,
                        restored=restored,
                        before=protocol.measure(degraded, truth),
                        after=protocol.measure(restored, truth),
                        half_width=half_width,
                    )
                )
                if progress:
                    progress(len(comparisons), total)
    _write(output, comparisons, f"{protocol}; degraded in float, not clipped; the blurred have noise of sigma 1 too")
    return output / "index.html"


def _default_restore() -> Restore:
    run = default_run()

    def restore(degraded: Pixels, **options: Any) -> tuple[Pixels, NDArray[np.float32] | None]:
        restoration = run(degraded, **options, uncertainty=read_card(options["model"]).factors is not None)
        uncertainty = restoration.uncertainty
        return restoration.image.data, None if uncertainty is None else uncertainty.half_width

    return restore


def _photograph(name: str, side: int) -> Pixels:
    """A photograph (side, side, 3) that is part of the scikit-image package: nothing is downloaded."""
    import skimage.data

    return center_square(getattr(skimage.data, name)().astype(np.float32) / 255, side, name)


def _write(output: Path, comparisons: list[Comparison], protocol: str) -> None:
    origin = provenance()
    drawn = figure(comparisons, f"{protocol}.\n{origin}")
    png = io.BytesIO()
    drawn.save(png, "PNG")
    results = [
        {
            "image": comparison.image,
            "degradation": comparison.degradation,
            "model": comparison.model,
            "seconds": comparison.seconds,
            "degraded": asdict(comparison.before),
            "restored": asdict(comparison.after),
            **_trust(comparison),
        }
        for comparison in comparisons
    ]
    html = page("Resolvent at work", LEAD, origin, comparisons=comparisons, figure=drawn, protocol=protocol)
    contents = {"figure.png": png.getvalue(), "results.json": dumps(results).encode(), "index.html": html.encode()}
    with _writing_into(output):
        for name, content in contents.items():
            partial = output / f".{name}.partial"
            try:
                partial.write_bytes(content)
                partial.replace(output / name)
            finally:
                partial.unlink(missing_ok=True)


def _trust(comparison: Comparison) -> dict[str, float]:
    half_width = comparison.half_width
    if half_width is None:
        return {}
    inside = share_inside(half_width, comparison.restored, comparison.truth)
    return {"half_width": float(np.median(half_width)), "inside": inside}


@contextmanager
def _writing_into(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{output}: cannot be written ({error.strerror}); choose another folder") from error
