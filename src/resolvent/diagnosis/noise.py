"""How strong white noise is, and how rough the smoothest places are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Grain", "grain_of", "impulses", "noise_sigma", "noise_sigmas"]


def noise_sigma(sample: NDArray[np.float32]) -> float:
    """Estimate the level of white noise, from the patches without texture.

    The covariance of patches of noise is σ²I; an image adds a few large eigenvalues. The tail of the sorted eigenvalues
    whose mean is its median is the noise's [1]. Photographs full of texture have no such tail, so only those patches
    count whose gradients noise of this level would explain [2], and the two are repeated until they agree.

    White means independent from pixel to pixel: noise that a camera has smoothed or compressed is not, and reads as
    less, or as none.

    Args:
        sample: (K, h, w, C) windows, in gray levels 0 to 255.

    Returns:
        σ in gray levels, the root mean square over the channels; 0 if there is too little to measure, or if it is all
        texture.

    References:
        [1] G. Chen, F. Zhu, P. A. Heng, An efficient statistical method for image noise level estimation, ICCV 2015,
        Algorithm 1. https://doi.org/10.1109/ICCV.2015.62
        [2] X. Liu, M. Tanaka, M. Okutomi, Single-image noise level estimation for blind denoising, IEEE TIP 22(12),
        2013. https://doi.org/10.1109/TIP.2013.2283400
    """
    return float(np.sqrt(np.mean(np.square(noise_sigmas(sample)))))


def noise_sigmas(sample: NDArray[np.float32]) -> tuple[float, ...]:
    """Estimate the level of white noise in each channel; see ``noise_sigma``."""
    return tuple(_channel_noise(sample[..., channel]) for channel in range(sample.shape[-1]))


PATCH = 6  # pixels a side
ENOUGH = 8 * PATCH**2  # patches: fewer give a covariance whose own error spreads the eigenvalues
PLAIN = 0.01  # share of the patches that noise alone must explain: with fewer, what was measured is texture
MOST = 12_000  # patches: more cost time and hardly change the estimate
WEAK = 1.6  # the mean square gradient of a patch of pure noise is σ²; above 1.6 σ² in 3 patches of 100
CLIPPED = 2.0  # noise in a patch whose mean is nearer than 2 σ to black or white has lost part of its variance


def _channel_noise(channel: NDArray[np.float32]) -> float:
    step = 2 if channel.size > 128 * 128 else 1
    if min(channel.shape[1:]) < PATCH:
        return 0.0
    patches = sliding_window_view(channel, (PATCH, PATCH), axis=(1, 2))[:, ::step, ::step]
    mean = _box_sum(channel, PATCH, PATCH, step) / PATCH**2
    across = _box_sum((channel[:, :, 2:] - channel[:, :, :-2]) ** 2, PATCH, PATCH - 2, step)
    down = _box_sum((channel[:, 2:] - channel[:, :-2]) ** 2, PATCH - 2, PATCH, step)
    texture = (across + down) / (4 * PATCH * (PATCH - 2))  # of noise, this has the mean σ²
    unsaturated = (mean > 0) & (mean < 255)
    if np.count_nonzero(unsaturated) < ENOUGH:
        return 0.0
    sigma, count = _tail(_eigenvalues(patches, unsaturated)), -1
    for _ in range(12):
        flat = unsaturated & (np.minimum(mean, 255 - mean) >= CLIPPED * sigma)
        if np.count_nonzero(flat) < ENOUGH:
            flat = unsaturated
        limit = max(WEAK * sigma**2, float(np.partition(texture[flat], ENOUGH - 1)[ENOUGH - 1]))
        flat &= texture <= limit
        if np.count_nonzero(flat) == count:
            break
        count = int(np.count_nonzero(flat))
        sigma = _tail(_eigenvalues(patches, flat))
    explained = np.count_nonzero(unsaturated & (texture <= WEAK * sigma**2))
    return sigma if explained >= max(ENOUGH, PLAIN * np.count_nonzero(unsaturated)) else 0.0


def _eigenvalues(patches: NDArray[np.float32], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    index = np.flatnonzero(chosen)
    index = index[:: -(-len(index) // MOST)]
    x = patches[np.unravel_index(index, chosen.shape)].reshape(-1, PATCH**2)
    x -= x.mean(0)
    covariance = np.zeros((PATCH**2, PATCH**2))
    for part in np.array_split(x, -(-len(x) // 128)):  # so small that BLAS stays on one thread: others may be busy
        covariance += part.T @ part
    return np.linalg.eigvalsh((covariance / len(x)).astype(np.float64))


def _tail(eigenvalues: NDArray[np.float64]) -> float:
    """√ of the mean of the longest run of smallest eigenvalues whose mean is at most their median [1, Algorithm 1]."""
    size = np.arange(1, len(eigenvalues) + 1)
    mean = np.cumsum(eigenvalues) / size
    median = (eigenvalues[(size - 1) // 2] + eigenvalues[size // 2]) / 2
    return float(np.sqrt(max(mean[mean <= median][-1], 0.0)))


def _box_sum(x: NDArray[np.float32], height: int, width: int, step: int) -> NDArray[np.float64]:
    """Sum over every box of (K, h, w), as an integral image gives it."""
    total = np.pad(x, ((0, 0), (1, 0), (1, 0))).cumsum(1, dtype=np.float64).cumsum(2)
    total = total[:, height:] - total[:, :-height]
    boxes: NDArray[np.float64] = total[:, :, width:] - total[:, :, :-width]
    return boxes[:, ::step, ::step]


@dataclass(frozen=True)
class Grain:
    """How rough the smoothest places are, whatever the spectrum of what makes them so.

    Attributes:
        roughness: Standard deviation of the discrete Laplacian in an 8x8 block, exceeded by 98 %, in gray levels.
        evenness: What 90 % exceed, as a multiple of it: noise lies evenly over a photograph, texture does not.
    """

    roughness: float
    evenness: float


def grain_of(sample: NDArray[np.float32]) -> Grain:
    """Measure the grain of (K, h, w, C) windows, in gray levels 0 to 255; none where there are too few blocks.

    Noise that a camera or JPEG has smoothed reads as nothing in ``noise_sigma``, which takes it for texture; but no
    place is free of it.
    """
    gray = sample.mean(-1)
    height, width = ((side - 2) // 8 * 8 for side in gray.shape[1:])
    if min(height, width) < 8:
        return Grain(0.0, 1.0)
    around = gray[:, :-2, 1:-1] + gray[:, 2:, 1:-1] + gray[:, 1:-1, :-2] + gray[:, 1:-1, 2:]
    laplacian, middle = (4 * gray[:, 1:-1, 1:-1] - around), gray[:, 1:-1, 1:-1]
    rough, mean = (
        x[:, :height, :width].reshape(len(x), height // 8, 8, width // 8, 8).transpose(0, 1, 3, 2, 4).reshape(-1, 64)
        for x in (laplacian, middle)
    )
    level = mean.mean(1)
    spread = rough.std(1)[(level > BLACK) & (level < 255 - BLACK)]
    if len(spread) < BLOCKS:
        return Grain(0.0, 1.0)
    low, tenth = np.quantile(spread, [0.02, 0.1])
    return Grain(float(low), float(tenth / max(low, 1e-6)))


BLACK = 12.0  # gray levels: in blocks as near as this to black or white, clipping hides noise
BLOCKS = 20  # fewer give no estimate


RARE = (0.99, 0.999, 0.9999)
"""Quantiles over the values: a hot pixel in ten thousand is seen as one."""


def impulses(sample: NDArray[np.float32]) -> NDArray[np.float64]:
    """Measure single pixels that stand out, as hot ones do: how far values lie beyond all of their eight neighbors.

    Args:
        sample: (K, h, w, C) windows, in gray levels 0 to 255.

    Returns:
        (3,) gray levels, the quantiles RARE over all pixels and channels; 0 where windows are smaller than 3 pixels.
    """
    if min(sample.shape[1:3]) < 3:
        return np.zeros(len(RARE))
    height, width = (side - 2 for side in sample.shape[1:3])
    around = [sample[:, i : i + height, j : j + width] for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    middle = sample[:, 1:-1, 1:-1]
    beyond = np.maximum(middle - np.maximum.reduce(around), np.minimum.reduce(around) - middle)
    found: NDArray[np.float64] = np.quantile(np.maximum(beyond, 0), RARE).astype(np.float64)
    return found
