"""Super-resolution from the photograph's own smaller self."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from resolvent.methods.control import Control
from resolvent.physics.resize import imresize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.physics.forward_model import ForwardModel

__all__ = ["enlarge_luma", "restore"]

PATCH = 5
REACH = PATCH // 2
STRIP = 256 * 256
"""Pixels of the small image that are worked on at once, about."""
OVERLAP = 12
"""Rows that neighboring strips share on each side."""
TRUST = 4e-3
"""Mean square distance, in [0, 1], at which a patch counts for little where the patches overlap."""
# BT.601, full range: R, G, B to Y, Cb, Cr
YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def restore(
    y: NDArray[np.float32],
    forward_model: ForwardModel,
    *,
    neighbors: int = 9,
    radius: int = 3,
    levels: int = 1,
    bandwidth: float = 2e-3,
    control: Control | None = None,
) -> NDArray[np.float32]:
    """Enlarge in small steps; at each, find every patch in the image below, and take what is sharper there [1].

    In a step the image I grows by about 2^(1/3). A patch of the bicubically enlarged I is as soft as one of I that was
    shrunk and enlarged by the same factor: V. Where a patch of V looks like it, the patch of I in the same place is
    what it should be. [1] searches the whole image; patches repeat across scales mostly near where they are, so the
    nearest are sought within ``radius`` pixels of the corresponding place. The weighted mean of all patches that cover
    a pixel, made to agree with the small image, is the next I. The luma is enlarged so, the chroma bicubically.

    Args:
        y: (H, W, C) in [0, 1].
        forward_model: A downsampling.
        neighbors: Patches that are averaged.
        radius: Of the search, in pixels.
        levels: Smaller copies of the image that are searched too.
        bandwidth: Mean square distance, in [0, 1], over which the weight of a neighbor falls.
        control: See Control.

    Returns:
        (scale H, scale W, C), a new array.

    References:
        [1] D. Glasner, S. Bagon, M. Irani, Super-resolution from a single image, ICCV 2009.
        https://doi.org/10.1109/ICCV.2009.5459271
    """
    control = control or Control()
    options = neighbors, radius, levels, bandwidth
    planes = y if y.shape[2] == 1 else y @ YCC.T.astype(np.float32)
    chroma = imresize(planes[..., 1:], forward_model.scale) if y.shape[2] > 1 else None

    def image(luma: NDArray[np.float32]) -> NDArray[np.float32]:
        if chroma is None:
            return luma[..., None].copy()
        whole: NDArray[np.float32] = np.dstack([luma, chroma]) @ np.linalg.inv(YCC).T.astype(np.float32)
        return whole

    def step(done: int, steps: int, luma: NDArray[np.float32]) -> bool:
        return control.step(done, steps, lambda: image(luma))

    return image(_in_strips(planes[..., 0], forward_model, options, step))


Step = Callable[[int, int, "NDArray[np.float32]"], bool]


def _in_strips(
    small: NDArray[np.float32], forward_model: ForwardModel, options: tuple[int, int, int, float], step: Step
) -> NDArray[np.float32]:
    height, width = small.shape
    scale = forward_model.scale
    rows = max(STRIP // width, 2 * OVERLAP)
    result = imresize(small, scale)
    tops = range(0, height, rows)
    for done, top in enumerate(tops, 1):
        first, last = max(top - OVERLAP, 0), min(top + rows + OVERLAP, height)
        large = enlarge_luma(small[first:last], forward_model, *options)
        result[scale * top : scale * (top + rows)] = large[scale * (top - first) :][: scale * rows]
        if not step(done, len(tops), result):
            break
    return result


def enlarge_luma(
    small: NDArray[np.float32], forward_model: ForwardModel, neighbors: int = 9, radius: int = 3, levels: int = 1,
    bandwidth: float = 2e-3,
) -> NDArray[np.float32]:  # fmt: skip
    """Enlarge one plane (H, W); see ``restore``."""
    scale = forward_model.scale
    steps = max(round(3 * math.log2(scale)), 1)
    factor = scale ** (1 / steps)
    image = small
    for i in range(1, steps + 1):
        height, width = (round(side * scale ** (i / steps)) for side in small.shape)
        blurred = imresize(image, shape=(height, width))
        image = _sharpened(image, blurred, factor, neighbors, radius, levels, bandwidth)
        again = imresize(image, shape=small.shape) if i < steps else forward_model.operator(image.shape)(image)
        error = small - again
        image = image + imresize(error, shape=(height, width))
    return image


def _sharpened(
    image: NDArray[np.float32], blurred: NDArray[np.float32], factor: float, neighbors: int, radius: int, levels: int,
    bandwidth: float,
) -> NDArray[np.float32]:  # fmt: skip
    """Sharpen ``blurred``, ``image`` enlarged by ``factor``, by the difference of ``image`` and its own blur."""
    height, width = blurred.shape
    query, mean = _descriptors(blurred)
    distance = np.full((height * width, neighbors), np.inf, np.float32)
    place = np.zeros((height * width, neighbors), np.int64)
    sharp: list[NDArray[np.float32]] = []
    source, base, everyone = image, 0, np.arange(height * width)
    for _ in range(levels):
        shape = source.shape
        soft, level = _descriptors(imresize(imresize(source, shape=_smaller(shape, factor)), shape=shape))
        sharp.append(_patches(source) - level)
        rows, columns = (
            np.clip(np.round((np.arange(n) + 0.5) * m / n - 0.5).astype(int), 0, m - 1)
            for n, m in zip((height, width), shape, strict=True)
        )
        for down in range(-radius, radius + 1):
            for right in range(-radius, radius + 1):
                r, c = np.clip(rows + down, 0, shape[0] - 1), np.clip(columns + right, 0, shape[1] - 1)
                index = (r[:, None] * shape[1] + c).ravel()
                difference = query - soft[index]
                found = np.einsum("ij,ij->i", difference, difference)
                worst = distance.argmax(1)
                better = found < distance[everyone, worst]
                distance[better, worst[better]] = found[better]
                place[better, worst[better]] = index[better] + base
        base += soft.shape[0]
        source = imresize(source, shape=_smaller(shape, factor))
    least = distance.min(1, keepdims=True)
    weight = np.exp(-(distance - least) / (2 * bandwidth))
    weight /= weight.sum(1, keepdims=True)
    estimate = np.einsum("nk,nkp->np", weight, np.concatenate(sharp)[place], optimize=True) + mean
    trust = np.exp(-least / (2 * TRUST)) + 1e-3
    return _joined(estimate.reshape(height, width, PATCH, PATCH), trust.reshape(height, width))


def _smaller(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    return max(round(shape[0] / factor), 1), max(round(shape[1] / factor), 1)


def _window() -> NDArray[np.float32]:
    """A Gaussian over a patch, summing to one."""
    taps = np.exp(-0.5 * (np.arange(-REACH, REACH + 1) / 3.0) ** 2)
    window: NDArray[np.float64] = np.outer(taps, taps) / taps.sum() ** 2
    return window.astype(np.float32)


def _patches(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """The patch about each pixel, (H W, 25)."""
    return sliding_window_view(np.pad(plane, REACH, mode="symmetric"), (PATCH, PATCH)).reshape(-1, PATCH**2)


def _descriptors(plane: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Patches without their mean, scaled so that distances are weighted means; and the means, (H W, 1)."""
    patches = _patches(plane)
    mean = patches.mean(1, keepdims=True)
    scaled: NDArray[np.float32] = (patches - mean) * np.sqrt(_window()).ravel()
    return scaled, mean


def _joined(patches: NDArray[Any], trust: NDArray[Any]) -> NDArray[np.float32]:
    """The weighted mean of the patches (H, W, 5, 5) that cover each pixel."""
    height, width = trust.shape
    total, weights = (np.zeros((height + 2 * REACH, width + 2 * REACH)) for _ in range(2))
    for (row, column), share in np.ndenumerate(_window()):
        place = slice(row, row + height), slice(column, column + width)
        total[place] += share * trust * patches[:, :, row, column]
        weights[place] += share * trust
    joined: NDArray[np.float64] = (total / weights)[REACH:-REACH, REACH:-REACH]
    return joined.astype(np.float32)
