"""The private folder of a job: which file is what."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from resolvent.image import Image
    from resolvent.web.work import Variant

__all__ = ["Folder"]


@dataclass(frozen=True)
class Folder:
    """The files of a job; the names are ours, never those of a request.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def photograph(self) -> Path:
        """The file as it was sent."""
        return self.path / "photograph"

    @property
    def mask(self) -> Path:
        """The mask that was sent with it."""
        return self.path / "mask"

    @property
    def progress(self) -> Path:
        """What the worker reports, as JSON."""
        return self.path / "progress.json"

    @property
    def result(self) -> Path:
        """The file that is downloaded."""
        return self.path / "result"

    @property
    def half_widths(self) -> Path:
        """The map of errors, a TIFF."""
        return self.path / "result.uncertainty.tif"

    def variant(self, wanted: Variant) -> Path:
        """The file of another form of the result."""
        key = hashlib.sha256(repr(sorted(asdict(wanted).items())).encode()).hexdigest()[:16]
        return self.path / f"variant-{key}"

    def save_pixels(self, image: Image) -> None:
        """Keep the pixels of a result: of a lossy format the file has others."""
        np.save(self.path / "after.npy", image.data, allow_pickle=False)
        if image.alpha is not None:
            np.save(self.path / "after-alpha.npy", image.alpha, allow_pickle=False)

    def restored(self, before: Image) -> Image:
        """The result with the pixels that were kept; the photograph itself where it was not changed."""
        if not (self.path / "after.npy").exists():
            return before
        return before.with_data(self._load("after.npy"), self._load("after-alpha.npy"))

    def _load(self, name: str) -> Any:
        path = self.path / name
        return np.load(path, mmap_mode="r", allow_pickle=False) if path.exists() else None

    @property
    def size(self) -> int:
        """Bytes of all files."""
        total = 0
        with suppress(FileNotFoundError):  # it is deleted just now
            for file in self.path.iterdir():
                with suppress(FileNotFoundError):  # one that a worker has renamed
                    total += file.stat().st_size
        return total
