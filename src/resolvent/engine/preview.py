"""A picture of what an iterative method has so far."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resolvent.image import Image, write_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Preview"]

EVERY = 2.0
"""Seconds between two pictures."""


class Preview:
    """Writes a PNG again every few seconds.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.written = path, -math.inf

    def __call__(self, so_far: Callable[[], NDArray[np.float32]]) -> None:
        """Write what ``so_far`` gives, (H, W, C) in [0, 1], if it is time to."""
        if time.monotonic() - self.written >= EVERY:
            levels = np.rint(255 * np.clip(so_far(), 0, 1)).astype(np.uint8)
            write_image(Image.from_array(levels), self.path, overwrite=True)
            self.written = time.monotonic()
