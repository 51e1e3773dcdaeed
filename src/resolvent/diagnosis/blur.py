"""How blurred the sharpest edges are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["blur_sigma"]

NARROW, WIDE = 0.7, 1.4  # pixels, the two blurs of an edge that are compared
EDGE = 3.0  # gray levels a pixel: the slope of a step of 30 gray levels under a blur of 4 pixels
NOISE_SLOPE = 0.27  # the slope of noise of σ = 1 after the narrow blur, along one axis: √Σ (k ∗ [½, 0, -½])²
FEW = 100  # edge pixels: fewer give no estimate
STRONGEST, SHARPEST = 0.05, 0.4  # of the steepest 5 %, the 40 % quantile, so that a blurred background does not count


def blur_sigma(sample: NDArray[np.float32], noise: float = 0.0) -> float:
    """Estimate how blurred the sharpest edges are, by blurring them again.

    A step edge of contrast c under a Gaussian blur σ has the slope c / √(2π σ²) at its middle. Two further blurs a < b
    make it c / √(2π (σ² + a²)) and c / √(2π (σ² + b²)); from the ratio R of these slopes, σ² = (b² - R² a²) / (R² - 1)
    [1, with a = 0]. The blur a keeps noise and the steps between pixels out of the first slope.

    Args:
        sample: (K, h, w, C) windows, in gray levels 0 to 255.
        noise: σ of its noise in gray levels; only slopes six times as steep as the noise makes them are edges.

    Returns:
        σ in pixels; 0 for sharp edges, and where there are too few edges to tell.

    References:
        [1] S. Zhuo, T. Sim, Defocus map estimation from a single image, Pattern Recognition 44(9), 2011.
    """
    gray = sample.mean(-1)
    radius = round(4 * WIDE)
    if min(gray.shape[1:]) < 2 * radius + 5:
        return 0.0
    steep, shallow = (_slope(_blur(gray, sigma, radius)) for sigma in (NARROW, WIDE))
    across, down = steep
    slope = np.hypot(across, down)
    middle = slope[:, 1:-1, 1:-1]
    crest_across = (middle >= slope[:, 1:-1, :-2]) & (middle > slope[:, 1:-1, 2:])
    crest_down = (middle >= slope[:, :-2, 1:-1]) & (middle > slope[:, 2:, 1:-1])
    edge = np.where((np.abs(across) > np.abs(down))[:, 1:-1, 1:-1], crest_across, crest_down)
    edge &= middle > max(EDGE, 6 * noise * NOISE_SLOPE)
    first, second = middle[edge], np.hypot(*shallow)[:, 1:-1, 1:-1][edge]
    if len(first) < FEW:
        return 0.0
    count = max(FEW, int(STRONGEST * len(first)))
    strongest = np.argpartition(first, -count)[-count:]
    ratio = (first[strongest] / np.maximum(second[strongest], 1e-6)) ** 2
    pixel = 1 / 3  # a central difference is the slope of the edge averaged over two pixels: a box of this variance
    variance = (WIDE**2 + pixel - ratio * (NARROW**2 + pixel)) / np.maximum(ratio - 1, 1e-3)
    return float(np.sqrt(max(np.quantile(variance, SHARPEST), 0.0)))


def _blur(x: NDArray[np.float32], sigma: float, radius: int) -> NDArray[np.float32]:
    """Gaussian blur of (K, h, w), the ``radius`` at the borders cut off."""
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1, dtype=np.float32) / sigma) ** 2)
    taps /= taps.sum()
    for axis in (1, 2):
        x = sliding_window_view(x, len(taps), axis=axis) @ taps
    return x


def _slope(x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    half = np.float32(0.5)
    return half * (x[:, 1:-1, 2:] - x[:, 1:-1, :-2]), half * (x[:, 2:, 1:-1] - x[:, :-2, 1:-1])
