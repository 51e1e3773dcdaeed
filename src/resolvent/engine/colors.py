"""Pictures that hold less than their type can: gray ones stored as RGB, pages of black and white only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resolvent.image import Image

__all__ = ["as_gray", "as_stored", "is_bilevel", "is_constant", "is_gray", "levels"]

ROWS = 64
"""Rows that are looked at together: most photographs show in the first that they are none of these."""


def is_gray(image: Image) -> bool:
    """Tell whether an RGB image is gray: in no visible pixel a channel differs from green by more than 1/255 of white.

    A JPEG of a gray picture has equal channels; the conversions of other formats round them to one level of each other.
    Fully transparent pixels do not count.
    """
    if image.channels == 1:
        return False
    step = (image.value_range.high - image.value_range.low) / 255
    wide = np.float64 if image.depth == 32 else np.int64
    return all(np.abs(part - part[:, 1:2]).max(initial=0) <= step for part in _visible(image, wide))


def as_gray(image: Image) -> Image:
    """Reduce an image that ``is_gray`` to its green channel."""
    return replace(image, data=np.ascontiguousarray(image.data[..., 1:2]))


def as_stored(image: Image, gray: Image) -> Image:
    """Bring a gray result back to RGB, each channel as far from green as it was.

    Args:
        image: What the result was made of, before ``as_gray``.
        gray: The result, of the same size or enlarged.

    Returns:
        The result with three channels: equal where those of the image are.
    """
    scale = gray.height // image.height
    data = gray.data.repeat(3, 2)
    for channel in (0, 2):
        plane, green = image.data[..., channel], image.data[..., 1]
        differs = plane != green
        if not differs.any():
            continue
        if scale > 1:
            plane, green, differs = (x.repeat(scale, 0).repeat(scale, 1) for x in (plane, green, differs))
        wide = np.float32 if image.depth == 32 else np.int32
        shifted = data[..., channel].astype(wide) + plane.astype(wide) - green
        if image.depth < 32:
            shifted = np.clip(shifted, 0, np.iinfo(data.dtype).max)
        shifted = np.where(data[..., channel] == green, plane, shifted)  # g + (r - g) is not r in floats
        data[..., channel] = np.where(differs, shifted, data[..., channel])
    return gray.with_data(data)


def is_bilevel(image: Image) -> bool:
    """Tell whether an image holds black and white, and nothing between, as a page of 1 bit does."""
    if image.depth == 32 or not (image.channels == 1 or is_gray(image)):
        return False
    white = np.iinfo(image.data.dtype).max
    return not is_constant(image) and all(bool(((part == 0) | (part == white)).all()) for part in _visible(image))


def is_constant(image: Image) -> bool:
    """Tell whether all visible pixels are alike."""
    first: NDArray[Any] | None = None
    for part in _visible(image):
        if part.size:
            first = part[0] if first is None else first
            if not (part == first).all():
                return False
    return True


def levels(image: Image) -> float:
    """Difference of the greatest and the least value of an image, in gray levels of 255 of its range."""
    known = image.value_range
    low, high = float(image.data.min()), float(image.data.max())
    return 255 * (min(high, known.ceiling) - max(low, known.floor)) / (known.high - known.low)


def _visible(image: Image, dtype: type[Any] | None = None) -> Iterator[NDArray[Any]]:
    """Some rows at a time, the pixels that are not fully transparent, (N, C)."""
    for top in range(0, image.height, ROWS):
        part = image.data[top : top + ROWS]
        part = part.reshape(-1, image.channels)
        if image.alpha is not None:
            part = part[image.alpha[top : top + ROWS].ravel() > 0]
        yield part if dtype is None else part.astype(dtype)
