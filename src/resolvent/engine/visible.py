"""The colors of an image as a model is to see them, where some are hidden by transparency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from resolvent.image import Image
from resolvent.inference.stitch import Box

__all__ = ["visible_colors"]


def visible_colors(image: Image, box: Box, halo: int) -> NDArray[np.float32]:
    """Read a box; fully transparent pixels get the color of the nearest pixel that can be seen.

    What lies there is arbitrary, often black, and would bleed into the edges. Those within ``halo`` of a visible pixel
    influence it, and have a visible one within √2 halo: so much more is read, so that tiles fill in the same colors.

    Returns:
        (h, w, C) float32 in [0, 1].
    """
    if image.alpha is None:
        return image.read(*box)
    around = 2 * halo
    top, left = max(0, box.top - around), max(0, box.left - around)
    bottom, right = min(image.height, box.bottom + around), min(image.width, box.right + around)
    hidden = image.alpha[top:bottom, left:right] == 0
    if hidden.all() or not hidden.any():
        return image.read(*box)
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(hidden, return_distances=False, return_indices=True)
    inside = (slice(box.top - top, box.bottom - top), slice(box.left - left, box.right - left))
    filled: NDArray[np.float32] = image.read(top, left, bottom, right)[nearest[0][inside], nearest[1][inside]]
    return filled
