"""Blurs: y = k * x, the convolution with a kernel k that sums to one.

At the border of an image a blur mirrors it without repeating the edge (OpenCV's BORDER_REFLECT_101), or wraps it
around (``boundary="circular"``). Entry ``size // 2`` of a kernel is its center, as in
scipy.ndimage: an even kernel reaches one pixel further towards the start.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from resolvent.degradations.base import Degradation, Pixels
from resolvent.degradations.files import read_plane
from resolvent.errors import InputError, UsageError
from resolvent.parameters import Array, Choice, FixedArray, Number, Range, Text, Word, values_of
from resolvent.physics.filters import convolve_valid, correlate_separable

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resolvent.physics.operators import LinearOperator, Shape

__all__ = ["Blur", "DefocusBlur", "GaussianBlur", "Kernel", "MotionBlur", "PositionalBlur", "ShakeBlur"]

BORDERS: dict[str, Literal["reflect", "wrap"]] = {"reflect": "reflect", "circular": "wrap"}
"""What ``numpy.pad`` calls each boundary."""

_BOUNDARY = Word(tuple(BORDERS))

# OpenCV's getGaussianKernel where sigma <= 0: tables for small sizes, here in 256ths.
_SMALL_KERNELS = {
    3: (64, 128, 64),
    5: (16, 64, 96, 64, 16),
    7: (8, 28, 56, 72, 56, 28, 8),
    9: (4, 13, 30, 51, 60, 51, 30, 13, 4),
}


PATHS = 1009
"""Number of paths of a shaking camera, a prime."""

PHASES = (101, 263, 419, 577, 733), (151, 311, 467, 631, 787)
"""Of the sine waves of each coordinate: factors of the seed, modulo PATHS."""


class Blur(Degradation):
    """What all blurs share; ``xp`` is numpy or torch, so that one image and a batch have the same kernels."""

    linear = True
    boundary: str

    def kernel(self) -> NDArray[np.float64]:
        """Compute the kernel, (h, w), summing to one.

        Raises:
            UsageError: A parameter is a Range or a Choice.
        """
        kernel: NDArray[np.float64] = self._kernels(np, _as_batch(self._fixed()))[0]
        return kernel

    @property
    def reach(self) -> int:
        """The side of the kernel, unless the image wraps around."""
        return 0 if self.boundary == "circular" else max(self.kernel().shape)

    def operator(self, shape: Shape) -> LinearOperator:
        """Convolution with the kernel."""
        from resolvent.physics.operators import Convolution, MirroredConvolution

        if self.boundary == "circular":
            return Convolution.from_kernel(self.kernel(), shape)
        return MirroredConvolution(shape, self.kernel())

    @abstractmethod
    def _kernels(self, xp: ModuleType, numbers: dict[str, Any]) -> Any:
        """Compute one kernel a sample, (N, h, w), from parameters (N,)."""

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        return convolve(image, self._kernels(np, _as_batch(numbers))[0], self.boundary)

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        import torch

        from resolvent.degradations import tensors

        return tensors.convolve(x, self._kernels(torch, numbers), self.boundary)


@dataclass(frozen=True)
class GaussianBlur(Blur):
    """Gaussian blur, given by its width, or as OpenCV's ``GaussianBlur(image, (ksize, ksize), sigma)``.

    Attributes:
        sigma: Pixels. With ``ksize`` it may be 0, which takes OpenCV's value: a table up to ksize 9, and
            0.3 ((ksize - 1)/2 - 1) + 0.8 above.
        ksize: Side of the kernel in pixels, odd; 0 cuts the kernel at 4 sigma.
        boundary: ``reflect`` or ``circular``.

    Raises:
        UsageError: Neither is given, or ``ksize`` is even or a Range.

    Examples:
        >>> print(GaussianBlur(1.6) + GaussianBlur(ksize=15))
        blur:sigma=1.6 + blur:ksize=15
    """

    name = "blur"
    examples: ClassVar[tuple[str, ...]] = ("blur:sigma=1.6", "blur:ksize=15", "blur:sigma=0..2,ksize=5|9")
    sigma: float | Range | Choice = field(default=0.0, metadata={"kind": Number(0, 100, "pixels")})
    ksize: int | Range | Choice = field(default=0, metadata={"kind": Number(0, 999, "pixels", whole=True)})
    boundary: str = field(default="reflect", metadata={"kind": _BOUNDARY})

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.ksize, Range):
            raise UsageError(f"{self}: ksize must be odd; name the sizes, such as ksize=5|9|15")
        if any(ksize and ksize % 2 == 0 for ksize in values_of(self.ksize)):
            raise UsageError(f"{self}: ksize must be odd, such as 15")
        if min(values_of(self.ksize)) == 0 == min(values_of(self.sigma)):
            raise UsageError(f"{self}: has no width; give sigma above 0 pixels, or an odd ksize")

    def _kernels(self, xp: ModuleType, numbers: dict[str, Any]) -> Any:
        taps = self._taps(xp, numbers)
        return taps[:, :, None] * taps[:, None, :]

    def _taps(self, xp: ModuleType, numbers: dict[str, Any]) -> Any:
        cut = int(4 * max(values_of(self.sigma)) + 0.5)
        ksizes = values_of(self.ksize)
        radius = int(max(ksizes)) // 2 if min(ksizes) else max(cut, int(max(ksizes)) // 2)
        return gaussian_taps(xp, radius, numbers["sigma"][:, None], numbers["ksize"][:, None])

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        taps = self._taps(np, _as_batch(numbers))[0]
        return correlate_separable(image, taps, BORDERS[self.boundary])

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        import torch

        from resolvent.degradations import tensors

        return tensors.convolve_separable(x, self._taps(torch, numbers), self.boundary)


@dataclass(frozen=True)
class PositionalBlur(GaussianBlur):
    """What ``cv2.GaussianBlur(image, (ksize, ksize), sigma, sigma_y)`` does: it ignores ``sigma_y``.

    OpenCV's fourth positional parameter is ``dst``; a vertical width has to be passed as ``sigmaY=``. Experiments that
    passed it by position blurred alike in both directions, and this repeats them.

    Attributes:
        sigma_y: Pixels, without effect.
    """

    name = "blur-positional"
    examples = ("blur-positional:sigma=1,ksize=9,sigma_y=5",)
    sigma_y: float = field(default=0.0, metadata={"kind": Number(0, 100, "pixels", varies=False)})


@dataclass(frozen=True)
class DefocusBlur(Blur):
    """Defocus blur: a disk, each pixel weighted by the share of it that the disk covers.

    Attributes:
        radius: Pixels.
        boundary: ``reflect`` or ``circular``.
    """

    name = "defocus"
    examples = ("defocus:radius=2.3", "defocus:radius=0.2..4")
    radius: float | Range | Choice = field(metadata={"kind": Number(0, 100, "pixels", above=True)})
    boundary: str = field(default="reflect", metadata={"kind": _BOUNDARY})

    def _kernels(self, xp: ModuleType, numbers: dict[str, Any]) -> Any:
        radius = numbers["radius"][:, None, None]
        reach = math.ceil(max(values_of(self.radius)) - 0.5)
        return _unit_sum(disk(xp, reach, radius))


@dataclass(frozen=True)
class MotionBlur(Blur):
    """Motion blur along a line: weight 1 - (distance from the line) up to one pixel away, as MATLAB's fspecial.

    Attributes:
        length: Pixels, end to end.
        angle: Degrees, counter-clockwise from the horizontal.
        boundary: ``reflect`` or ``circular``.
    """

    name = "motion"
    examples = ("motion:length=9,angle=30", "motion:length=1..9,angle=0..180")
    length: float | Range | Choice = field(metadata={"kind": Number(1, 200, "pixels")})
    angle: float | Range | Choice = field(default=0.0, metadata={"kind": Number(-360, 360, "degrees")})
    boundary: str = field(default="reflect", metadata={"kind": _BOUNDARY})

    def _kernels(self, xp: ModuleType, numbers: dict[str, Any]) -> Any:
        half = (numbers["length"][:, None, None] - 1) / 2
        radians = numbers["angle"][:, None, None] * (np.pi / 180)
        offsets = _offsets(xp, math.ceil((max(values_of(self.length)) - 1) / 2), half)
        right, up = offsets[None, :], -offsets[:, None]
        along = right * xp.cos(radians) + up * xp.sin(radians)
        across = up * xp.cos(radians) - right * xp.sin(radians)
        beyond = xp.clip(abs(along) - half, 0, None)
        return _unit_sum(xp.clip(1 - xp.sqrt(across**2 + beyond**2), 0, None))


@dataclass(frozen=True)
class ShakeBlur(Blur):
    """Blur of a camera that shook: a smooth random path, each point of which weighs by the time spent there.

    Each coordinate of the path is a sum of five sine waves of falling strength, whose phases the seed draws, so that it
    turns and dwells as the measured paths of Levin et al. do (2009, doi:10.1109/CVPR.2009.5206815).

    Attributes:
        length: Pixels, the larger side of the path.
        seed: Which path.
        boundary: ``reflect`` or ``circular``.
    """

    name = "shake"
    examples = ("shake:length=9,seed=3", "shake:length=3..15,seed=0..1000")
    length: float | Range | Choice = field(metadata={"kind": Number(0, 200, "pixels", above=True)})
    seed: int | Range | Choice = field(default=0, metadata={"kind": Number(0, PATHS - 1, whole=True)})
    boundary: str = field(default="reflect", metadata={"kind": _BOUNDARY})

    def _kernels(self, xp: ModuleType, numbers: dict[str, Any]) -> Any:
        length, seed = numbers["length"][:, None], numbers["seed"][:, None]
        time = _offsets(xp, 64, length)[None] / 128  # of the exposure, -1/2 to 1/2
        paths = []
        for factors in PHASES:
            path = 0 * time
            for wave, factor in enumerate(factors, 1):
                phase = seed * factor % PATHS / PATHS  # exact in float32
                path = path + xp.sin(np.pi * wave * time + 2 * np.pi * phase) / wave
            paths.append(path - (xp.amax(path, -1) + xp.amin(path, -1))[:, None] / 2)
        longest = 2 * xp.maximum(*(xp.amax(path, -1) for path in paths))[:, None]
        pixels = _offsets(xp, math.ceil(max(values_of(self.length)) / 2), length)[None, :, None]
        down, across = (
            xp.clip(1 - abs(pixels - (path * length / longest)[:, None]), 0, None)  # on the nearest pixels
            for path in paths
        )
        return _unit_sum(down @ across.swapaxes(-1, -2))


@dataclass(frozen=True)
class Kernel(Blur):
    """Convolution with a given kernel, divided by its sum.

    Attributes:
        path: A .npy file, a .npz file, or a gray picture; it is read when the blur is applied.
        key: Which array of a .npz file; not needed where there is but one.
        array: The kernel itself, (h, w), from Python.
        boundary: ``reflect`` or ``circular``.

    Raises:
        UsageError: Not exactly one of ``path`` and ``array`` is given, or the array cannot be a kernel.
        InputError: When applied: the file cannot be read, or holds no kernel.
    """

    name = "kernel"
    path: str | None = field(default=None, metadata={"kind": Text()})
    key: str | None = field(default=None, metadata={"kind": Text()})
    array: FixedArray | NDArray[np.floating[Any]] | None = field(default=None, metadata={"kind": Array()})
    boundary: str = field(default="reflect", metadata={"kind": _BOUNDARY})

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.path is None) == (self.array is None):
            raise UsageError(f"{self}: give either path= or array=")
        if isinstance(self.array, FixedArray) and (fault := _kernel_fault(self.array.data)):
            raise UsageError(f"{self}: {fault}")

    @property
    def files(self) -> tuple[Path, ...]:
        """The file of the kernel, if there is one."""
        return () if self.path is None else (Path(self.path),)

    def _kernels(self, xp: ModuleType, numbers: dict[str, Any]) -> Any:
        if isinstance(self.array, FixedArray):
            values = self.array.data
        else:
            values = read_plane(str(self.path), self.key)
            if fault := _kernel_fault(values):
                raise InputError(f"{self.path}: {fault}")
        return xp.asarray((values / values.sum())[None])


def gaussian_taps(xp: ModuleType, radius: int, sigma: Any, ksize: Any) -> Any:
    """Compute one-dimensional Gaussian kernels, one a row.

    Args:
        xp: numpy or torch.
        radius: The kernels reach so far: K = 2 radius + 1.
        sigma: (N, 1) pixels; 0 takes OpenCV's value for ``ksize``.
        ksize: (N, 1), odd; 0 cuts at 4 sigma, as scipy.ndimage does.

    Returns:
        (N, K), each row summing to one.
    """
    offsets = _offsets(xp, radius, sigma)
    opencv = (sigma == 0) & (ksize > 0)
    width = xp.where(opencv, 0.15 * ksize + 0.35, sigma)
    reach = xp.where(ksize > 0, (ksize - 1) / 2, xp.floor(4 * sigma + 0.5))
    taps = xp.exp(-0.5 * (offsets / width) ** 2) * (abs(offsets) <= reach)
    for size, kernel in _SMALL_KERNELS.items():
        if (margin := radius - size // 2) >= 0:
            table = xp.zeros_like(offsets)
            table[margin : margin + size] = xp.asarray(kernel) / 256
            taps = xp.where(opencv & (ksize == size), table, taps)
    return taps / taps.sum(-1)[:, None]


def disk(xp: ModuleType, reach: int, radius: Any) -> Any:
    """Compute the share of each pixel that a disk around the central one covers; the sum is its area.

    Args:
        xp: numpy or torch.
        reach: Pixels on each side of the central one.
        radius: (N, 1, 1) pixels.

    Returns:
        (N, 2 reach + 1, 2 reach + 1), in [0, 1].
    """
    strips = 32  # each pixel is cut into upright strips, whose overlap with the chord is exact
    y = _offsets(xp, reach, radius)[:, None]
    x = (_offsets(xp, strips * reach + strips // 2, radius)[:-1] + 0.5) / strips
    half_chord = xp.sqrt(xp.clip(radius**2 - x**2, 0, None))
    overlap = xp.clip(xp.minimum(y + 0.5, half_chord) - xp.maximum(y - 0.5, -half_chord), 0, None)
    return overlap.reshape(len(radius), len(y), len(y), strips).mean(-1)


def convolve(image: Pixels, kernel: NDArray[np.float64], boundary: str) -> Pixels:
    """Convolve (H, W, C) with (h, w); the boundary is ``reflect`` or ``circular``."""
    margins = [((size - 1) - size // 2, size // 2) for size in kernel.shape]
    return convolve_valid(np.pad(image, [*margins, (0, 0)], mode=BORDERS[boundary]), kernel)


def _offsets(xp: ModuleType, radius: int, like: Any) -> Any:
    """Give the whole numbers from -radius to radius, (2 radius + 1,), floating, on the device of ``like``."""
    return xp.arange(-radius, radius + 1, dtype=like.dtype, device=like.device)


def _as_batch(numbers: dict[str, float]) -> dict[str, NDArray[np.float64]]:
    return {name: np.array([value], np.float64) for name, value in numbers.items()}


def _unit_sum(kernels: Any) -> Any:
    return kernels / kernels.sum((-2, -1))[:, None, None]


def _kernel_fault(values: NDArray[Any]) -> str | None:
    if max(values.shape) > 999:
        return f"is {values.shape[0]}x{values.shape[1]}; a kernel has at most 999 pixels a side"
    if not np.isfinite(values).all() or values.sum() <= 0:
        return f"sums to {values.sum():g}; a kernel is finite with a sum above zero"
    return None
