"""Photographs to try at once, degraded on purpose: of scikit-image where it is installed, else a drawn one."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SAMPLES", "sample"]

OF_SCIKIT_IMAGE = {
    "noisy.png": ("Noisy portrait", "astronaut", "noise:sigma=25"),
    "blurred.png": ("Blurred coffee", "coffee", "blur:sigma=1.6 + noise:sigma=1"),
    "grainy.png": ("Grainy cat", "chelsea", "blur:sigma=0.8 + grain:sigma=12,radius=0.8"),
}
DRAWN = {"noisy.png": ("Noisy hills", "", "noise:sigma=25")}

SAMPLES = OF_SCIKIT_IMAGE if find_spec("skimage") else DRAWN
"""Name: title, photograph, degradation."""


@cache
def sample(name: str) -> bytes:
    """Make the file of a sample."""
    from resolvent.degradations import parse
    from resolvent.image import Image, encode_image

    _, photograph, degradation = SAMPLES[name]
    degraded = parse(degradation)(_photograph(photograph), np.random.default_rng(0))
    image = Image.from_array(np.rint(255 * np.clip(degraded, 0, 1)).astype(np.uint8))
    return encode_image(image, "png")


def _photograph(name: str) -> NDArray[np.float32]:
    if name:
        import skimage.data

        photograph: NDArray[np.float32] = getattr(skimage.data, name)()[..., :3] / np.float32(255)
        return photograph
    return hills()


def hills(height: int = 400, width: int = 600) -> NDArray[np.float32]:
    """Draw a landscape of textured hills under a sky, (height, width, 3) in [0, 1]."""
    generator = np.random.default_rng(4)
    y, x = np.mgrid[:height, :width].astype(np.float32) / height
    image = np.stack([0.45 + 0.4 * y, 0.6 + 0.3 * y, 0.85 - 0.1 * y], axis=2)
    for number, (base, color) in enumerate(
        ((0.5, (0.45, 0.5, 0.6)), (0.65, (0.3, 0.45, 0.35)), (0.8, (0.25, 0.3, 0.12)))
    ):
        waves = sum(
            generator.uniform(0.02, 0.08) / k * np.sin(k * 4 * x[0] + generator.uniform(0, 6)) for k in (1, 2, 3, 7, 15)
        )
        below = y > base + waves
        grain = generator.random((height, width), dtype=np.float32)
        texture = 0.75 + 0.5 * (grain + np.roll(grain, 1, 0) + np.roll(grain, 1, 1)) / 3 * (0.4 + 0.3 * number)
        image[below] = (texture[..., None] * np.array(color, np.float32))[below]
    clipped: NDArray[np.float32] = np.clip(image, 0, 1).astype(np.float32)
    return clipped
