"""Resizing exactly as MATLAB's imresize, for NumPy arrays and torch tensors from the same weights.

Pixel i of the output has its center at (i + 1/2)/scale - 1/2 of the input. When it shrinks, the kernel is stretched by
1/scale, so that it does not alias. At the border the image is mirrored with its edge repeated, or wrapped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import InputError, UsageError, unknown

if TYPE_CHECKING:
    import torch

__all__ = [
    "cubic_pieces",
    "imresize",
    "imresize_tensor",
    "rescale_matrices",
    "resize_matrix",
    "resize_plane",
    "resize_square",
    "resize_weights",
]


def cubic_pieces(x: Any) -> tuple[Any, Any]:
    """Keys' cubic, a = -1/2 (doi:10.1109/TASSP.1981.1163711, equation 15), for x in [0, 1] and in [1, 2]."""
    return (1.5 * x - 2.5) * x**2 + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2


def _cubic(distance: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Keys' cubic, stretched where the image shrinks."""
    x = np.abs(distance) / max(step, 1.0)
    near, far = cubic_pieces(x)
    return np.where(x <= 1, near, np.where(x <= 2, far, 0))


def _overlap(distance: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """How much of a pixel of the input, one wide, lies in a pixel of the output, ``step`` wide."""
    covered: NDArray[np.float64] = np.minimum(distance + 0.5, step / 2) - np.maximum(distance - 0.5, -step / 2)
    return covered.clip(0)


def _lanczos(distance: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Lanczos' window of two lobes, sinc(x) sinc(x / 2), stretched where the image shrinks."""
    x = distance / max(step, 1.0)
    return np.where(np.abs(x) < 2, np.sinc(x) * np.sinc(x / 2), 0)


# name: (kernel of the distance between centers, in input pixels; its support in stretched pixels)
_KERNELS: dict[str, tuple[Callable[[NDArray[np.float64], float], NDArray[np.float64]], int]] = {
    "bicubic": (_cubic, 4),
    "area": (_overlap, 2),
    "lanczos2": (_lanczos, 4),
}


def resize_weights(
    size_in: int, size_out: int, scale: float, kernel: str = "bicubic", boundary: str = "reflect"
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which samples each output is made of, and their weights.

    Args:
        size_in: Samples of the input.
        size_out: Samples of the output.
        scale: Output pixels per input pixel.
        kernel: ``bicubic``, ``lanczos2``, or ``area``, the mean over what each output pixel covers.
        boundary: ``reflect`` repeats the edge, as MATLAB does; ``circular`` wraps.

    Returns:
        Indices and weights, both (size_out, taps); each row of weights sums to one.

    Examples:
        >>> indices, weights = resize_weights(4, 2, 0.5, "area")
        >>> indices.tolist(), weights.tolist()
        ([[0, 1], [2, 3]], [[0.5, 0.5], [0.5, 0.5]])

    Raises:
        UsageError: There is no such kernel.
    """
    if kernel not in _KERNELS:
        raise unknown("kernel", kernel, _KERNELS)
    shape, support = _KERNELS[kernel]
    stretch = max(1 / scale, 1.0)
    center = (np.arange(size_out) + 0.5) / scale - 0.5
    first = np.floor(center - support * stretch / 2).astype(np.int64)
    indices = first[:, None] + np.arange(math.ceil(support * stretch) + 2)
    weights = shape(center[:, None] - indices, 1 / scale)
    weights /= weights.sum(1, keepdims=True)
    used = weights.any(0)
    indices, weights = indices[:, used], weights[:, used]
    if boundary == "circular":
        return indices % size_in, weights
    indices %= 2 * size_in
    return np.minimum(indices, 2 * size_in - 1 - indices), weights


def resize_matrix(
    size_in: int, size_out: int, scale: float, kernel: str = "bicubic", boundary: str = "reflect"
) -> NDArray[np.float64]:
    """The weights of ``resize_weights`` as a matrix (size_out, size_in)."""
    indices, weights = resize_weights(size_in, size_out, scale, kernel, boundary)
    matrix = np.zeros((size_out, size_in))
    np.add.at(matrix, (np.arange(size_out)[:, None], indices), weights)
    return matrix


def imresize(
    image: NDArray[Any],
    scale: float | None = None,
    *,
    shape: tuple[int, int] | None = None,
    kernel: str = "bicubic",
    boundary: str = "reflect",
) -> NDArray[np.float32]:
    """Resize (H, W) or (H, W, C) by a scale, or to a shape.

    Args:
        image: Floating, any range; not changed.
        scale: Above zero; the output has ceil(scale * size) pixels a side.
        shape: (height, width) of the output, instead of ``scale``.
        kernel: ``bicubic``, ``lanczos2`` or ``area``.
        boundary: ``reflect`` or ``circular``.

    Returns:
        float32, not clipped.

    Raises:
        UsageError: Not exactly one of ``scale`` and ``shape`` is given, or it is not above zero.
    """
    resized = np.asarray(image, np.float64)
    for axis, (size, per_pixel) in enumerate(_target(resized.shape[:2], scale, shape)):
        indices, weights = resize_weights(resized.shape[axis], size, per_pixel, kernel, boundary)
        column = (-1,) + (1,) * (resized.ndim - 1 - axis)
        taps = zip(indices.T, weights.T, strict=True)
        resized = sum(np.take(resized, index, axis) * weight.reshape(column) for index, weight in taps)
    return resized.astype(np.float32)


def resize_square(image: NDArray[Any], side: int) -> NDArray[np.float32]:
    """Resize the largest square in the middle of an image (H, W, C) to (side, side, C) by area.

    Raises:
        InputError: The image is smaller than that.
    """
    height, width = image.shape[:2]
    square = min(height, width)
    if square < side:
        raise InputError(f"{width}x{height} pixels, below {side} a side")
    top, left = (height - square) // 2, (width - square) // 2
    return imresize(image[top : top + square, left : left + square], shape=(side, side), kernel="area")


def resize_plane(plane: NDArray[Any], scale: float, kernel: str = "bicubic") -> NDArray[Any]:
    """Resize (H, W) within its own type: whole numbers are rounded, and nothing leaves the range of the input."""
    resized = imresize(plane, scale, kernel=kernel)
    bounded = np.clip(np.rint(resized) if plane.dtype.kind == "u" else resized, plane.min(), plane.max())
    return bounded.astype(plane.dtype)


def imresize_tensor(
    x: torch.Tensor,
    scale: float | None = None,
    *,
    shape: tuple[int, int] | None = None,
    kernel: str = "bicubic",
    boundary: str = "reflect",
) -> torch.Tensor:
    """Resize (N, C, H, W) as ``imresize`` does; differentiable."""
    import torch

    for axis, (size, per_pixel) in zip((2, 3), _target(tuple(x.shape[2:]), scale, shape), strict=True):
        matrix = resize_matrix(x.shape[axis], size, per_pixel, kernel, boundary)
        x = torch.tensordot(x, torch.as_tensor(matrix, dtype=x.dtype, device=x.device), ([axis], [1])).movedim(-1, axis)
    return x.contiguous()


def rescale_matrices(size: int, smaller: torch.Tensor) -> torch.Tensor:
    """Matrices that shrink each sample to its own size and enlarge it again, both bicubic, as ``imresize`` does.

    Args:
        size: Samples of the input and of the output.
        smaller: (N,), whole numbers from 1 to ``size``.

    Returns:
        float64 (N, size, size), on the device of ``smaller``.
    """
    import torch

    most = int(smaller.max())
    full = torch.full_like(smaller, size)
    return _bicubic(smaller, full, size, most) @ _bicubic(full, smaller, most, size)


def _bicubic(size_in: torch.Tensor, size_out: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Matrices (N, rows, columns) from ``size_in`` to ``size_out`` samples (N,), what lies beyond these zero."""
    import torch

    size_in, size_out = size_in.double()[:, None, None], size_out.double()[:, None, None]
    step = size_in / size_out
    stretch = step.clamp(min=1)
    reach = math.ceil(2 * float(stretch.max())) + 1
    row = torch.arange(rows, device=step.device)[:, None]
    column = torch.arange(-reach, columns + reach, device=step.device)
    x = ((row + 0.5) * step - 0.5 - column).abs() / stretch
    near, far = cubic_pieces(x)
    weights: torch.Tensor = near.where(x <= 1, far.where(x <= 2, 0.0))
    weights = (weights / weights.sum(2, keepdim=True)).where(row < size_out, 0.0)
    mirrored = column % (2 * size_in)
    mirrored = torch.minimum(mirrored, 2 * size_in - 1 - mirrored).long().expand_as(weights)
    return weights.new_zeros(len(weights), rows, columns).scatter_add_(2, mirrored, weights)


def _target(
    size: tuple[int, ...], scale: float | None, shape: tuple[int, int] | None
) -> tuple[tuple[int, float], tuple[int, float]]:
    """The new size and the scale along each axis."""
    if (scale is None) == (shape is None):
        raise UsageError(f"imresize: scale = {scale}, shape = {shape}: give one of them")
    if shape is None:
        scale = scale or 0.0
        shape = (math.ceil(scale * size[0]), math.ceil(scale * size[1]))
    if min(shape) < 1:
        raise UsageError(f"imresize: the result would be {shape[0]}x{shape[1]}; it must have a pixel at least")
    return (shape[0], scale or shape[0] / size[0]), (shape[1], scale or shape[1] / size[1])
