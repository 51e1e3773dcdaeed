"""What the checks share: where the photographs are, files degraded as people have them, and files restored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from resolvent.batch.many import restore_many
from resolvent.batch.progress import Event
from resolvent.degradations import Degradation, Jpeg
from resolvent.engine.options import Options
from resolvent.evaluation.files import find_images, reference_of
from resolvent.evaluation.metrics import psnr
from resolvent.image import read_image

Pixels = NDArray[np.float32]

SAME = 50.0
"""dB; images that are at least this close count as the same, and a PSNR above it as this."""
HARM = 0.1
"""dB that a result may lie below its input."""


@dataclass(frozen=True)
class Sets:
    """Where the photographs are.

    Attributes:
        data: Folder of ``val``, ``flowers`` and ``test``.
        drawings: Folder of drawings, texts and screenshots, by ``benchmarks/drawings.py``; None leaves them out.
        limit: Number of photographs of each set, the first ones by name; None for all.
    """

    data: Path
    drawings: Path | None = None
    limit: int | None = None

    def folder(self, name: str) -> Path:
        """The folder of a set: in ``data``, in its ``test``, or the drawings."""
        if name == "drawings":
            if self.drawings is None:
                raise SystemExit("drawings: no folder; give --drawings, which benchmarks/drawings.py fills")
            return self.drawings
        found = next((path for path in (self.data / "test" / name, self.data / name) if path.is_dir()), None)
        if found is None:
            raise SystemExit(f"{self.data}: has no {name}, nor test/{name}; give the folder that holds val and test")
        return found

    def files(self, name: str) -> list[Path]:
        """The photographs of a set, sorted by name."""
        return find_images(self.folder(name))[: self.limit]

    def pairs(self) -> list[tuple[Path, Path]]:
        """The photographs of PolyU, each with its reference."""
        files = find_images(self.folder("PolyU"), pairs=True)[: self.limit]
        return [(file, reference_of(file)) for file in files]


@dataclass(frozen=True)
class Finding:
    """What a check found, as ``photographs.json`` keeps it.

    Attributes:
        protocol: How it was measured, for people.
        table: Cells, the head first.
        figures: What the table of goals shows.
        notes: Lines below the table, such as names of files.
    """

    protocol: str
    table: list[list[str]]
    figures: dict[str, float]
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """The section without its heading."""
        head, *rows = self.table
        lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
        return "\n".join([self.protocol, "", *lines, *([""] if self.notes else []), *(f"- {n}" for n in self.notes)])


@dataclass(frozen=True)
class Outcome:
    """What ``resolvent restore`` made of a file.

    Attributes:
        source: The file.
        target: What was written; of a failure, the input.
        touched: Whether anything was done to it.
        model: That was chosen; ``""`` if none was.
    """

    source: Path
    target: Path
    touched: bool
    model: str

    @property
    def pixels(self) -> Pixels:
        """Of the result, (H, W, C) in [0, 1]."""
        return pixels_of(self.target)


def pixels_of(path: Path) -> Pixels:
    """Read an image, (H, W, C) in [0, 1]."""
    return read_image(path).pixels


def restore_files(
    files: Sequence[Path],
    folder: Path,
    *,
    ext: str | None = None,
    **options: Unpack[Options],
) -> list[Outcome]:
    """Restore files into a folder, as ``resolvent restore FILES -o FOLDER`` does; no two may have one name.

    Args:
        files: The photographs.
        folder: Made if it is not there.
        ext: Format of the results instead of their own; ``png`` gives the result before lossy compression.
        **options: How to restore, as of ``resolvent.restore``.
    """

    def show(event: Event) -> None:
        if event.result is not None and (event.index + 1) % 50 == 0:
            print(f"  {event.index + 1} of {event.total}", flush=True)

    if not files:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    report = restore_many(files, folder, ext=ext, on_event=show, **options)
    outcomes = []
    for result in report.results:
        failed = result.status == "failed"
        if failed:
            print(f"  {result.source.name}: failed: {result.reasons[0]}", flush=True)
        target = result.source if failed else result.target
        outcomes.append(Outcome(result.source, target, result.status == "restored", result.model or ""))
    return outcomes


def degraded_file(truth: Pixels, degradation: Degradation, rng: np.random.Generator, stem: Path) -> Path:
    """Degrade a photograph (H, W, C) and write it as a file of 8 bits; what ends in JPEG becomes a JPEG file.

    A JPEG whose grid was cut since is a PNG, for no JPEG file has such a grid.

    Returns:
        The path: ``stem`` with its extension.
    """
    *before, last = degradation.parts
    pixels = truth
    for part in before:
        pixels = part(pixels, rng)
    if isinstance(last, Jpeg) and last.top == last.left == 0:
        return write_jpeg(pixels, stem, last.quality, last.subsampling)
    return write_png(last(pixels, rng), stem)


def write_png(pixels: Pixels, stem: Path) -> Path:
    """Write (H, W, C) as PNG, clipped and rounded to 8 bits; give the path."""
    path = stem.with_name(f"{stem.name}.png")
    _picture(pixels).save(path)
    return path


def write_jpeg(pixels: Pixels, stem: Path, quality: Any, subsampling: str) -> Path:
    """Write (H, W, C) as JPEG by libjpeg; give the path."""
    path = stem.with_name(f"{stem.name}.jpg")
    _picture(pixels).save(path, quality=int(quality), subsampling=subsampling)
    return path


def _picture(pixels: Pixels) -> Any:
    from PIL import Image

    values = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(values if values.shape[2] == 3 else values[..., 0])


def rounded(pixels: Pixels) -> Pixels:
    """Clipped to [0, 1] and rounded to 8 bits, as a file holds them."""
    return (np.rint(np.clip(pixels, 0, 1) * 255) / 255).astype(np.float32)


def score(pixels: Pixels, truth: Pixels) -> float:
    """PSNR over RGB in dB, at most SAME; a photograph that comes back gray or in color is compared in color."""
    if pixels.shape[2] != truth.shape[2]:
        pixels, truth = (np.broadcast_to(image, (*image.shape[:2], 3)) for image in (pixels, truth))
    return min(psnr(pixels, truth), SAME)


def models_of(outcomes: Sequence[Outcome]) -> str:
    """How often each model was chosen."""
    counts = Counter(outcome.model or "nothing" for outcome in outcomes)
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def share(flags: Sequence[bool]) -> str:
    """A share in percent."""
    return f"{np.mean(flags):.0%}" if flags else ""


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names, the first few of many."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
