"""Filters of images in NumPy alone, equal to those of scipy within rounding.

A plain installation has no scipy. Borders are named as by ``numpy.pad``: ``reflect`` is scipy's ``mirror``, and
``symmetric`` is scipy's ``reflect``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["convolve_valid", "correlate_separable", "gaussian_filter", "window_means"]

Floats = TypeVar("Floats", np.float32, np.float64)

BLOCK = 128
"""Rows that one product of matrices gives, at least: few enough that the band of the matrix is not mostly zeros."""


def gaussian_filter(image: NDArray[Floats], sigma: float, border: str = "symmetric") -> NDArray[Floats]:
    """Smooth (H, W, C) down and across with a Gaussian, which is cut at 4 sigma pixels."""
    radius = int(4 * sigma + 0.5)
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return correlate_separable(image, taps / taps.sum(), border)


def correlate_separable(image: NDArray[Floats], taps: NDArray[np.float64], border: str) -> NDArray[Floats]:
    """Correlate (H, W, C) with the same taps, an odd number of them, down and across."""
    down = _correlate_down(image, taps, border)
    return np.ascontiguousarray(_correlate_down(down.transpose(1, 0, 2), taps, border).transpose(1, 0, 2))


def _correlate_down(image: NDArray[Floats], taps: NDArray[np.float64], border: str) -> NDArray[Floats]:
    """Correlate along the first axis: products of blocks of rows with a banded matrix."""
    length, rows = len(image), max(BLOCK, len(taps))
    padded = np.pad(image.reshape(length, -1), ((len(taps) // 2, len(taps) // 2), (0, 0)), mode=border)  # type: ignore[call-overload]
    band = np.zeros((rows, rows + len(taps) - 1), image.dtype)
    for place, tap in enumerate(taps):
        np.fill_diagonal(band[:, place:], tap)
    result = np.empty((length, padded.shape[1]), image.dtype)
    for top in range(0, length, rows):
        count = min(rows, length - top)
        reach = count + len(taps) - 1
        np.matmul(band[:count, :reach], padded[top : top + reach], out=result[top : top + count])
    return result.reshape(image.shape)


def window_means(values: NDArray[np.floating], side: int) -> NDArray[np.float64]:
    """Means over all windows of side x side pixels of (..., H, W): (..., H - side + 1, W - side + 1)."""
    before = [(0, 0)] * (values.ndim - 2) + [(1, 0), (1, 0)]
    sums = np.pad(values.astype(np.float64).cumsum(-2).cumsum(-1), before)
    rows = sums[..., side:, :] - sums[..., :-side, :]
    means: NDArray[np.float64] = (rows[..., side:] - rows[..., :-side]) / side**2
    return means


def convolve_valid(image: NDArray[Floats], kernel: NDArray[np.float64]) -> NDArray[Floats]:
    """Convolve (H, W, C) with (h, w) by Fourier transforms: the (H - h + 1, W - w + 1, C) that see no border."""
    height, width = kernel.shape
    shape = tuple(map(_fast_length, image.shape[:2]))
    spectrum = np.fft.rfft2(image, shape, axes=(0, 1))
    spectrum *= np.fft.rfft2(kernel.astype(image.dtype), shape)[..., None]
    whole: NDArray[Any] = np.fft.irfft2(spectrum, shape, axes=(0, 1))
    return whole[height - 1 : image.shape[0], width - 1 : image.shape[1]]


def _fast_length(length: int) -> int:
    """The next number with no prime factor above 5, which Fourier transforms are fast at.

    Examples:
        >>> [_fast_length(n) for n in (1, 7, 97, 641, 4099)]
        [1, 8, 100, 648, 4320]
    """
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 1
