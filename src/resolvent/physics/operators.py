"""Linear operators y = A x on images: A, its adjoint, its pseudo-inverse and its norm.

They act on the last two axes of NumPy arrays and torch tensors alike, are immutable, work in the precision and on the
device of what they are given, and let torch's gradients through.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import NDArray

from resolvent.errors import UsageError

__all__ = [
    "Convolution",
    "Identity",
    "LinearOperator",
    "Masking",
    "MirroredConvolution",
    "Product",
    "Separable",
    "Shape",
    "wrapped",
]

Shape = tuple[int, int]
"""Height and width."""


@dataclass(frozen=True, eq=False)
class LinearOperator(ABC):
    """A linear map from images of one size to images of another.

    Attributes:
        shape: (H, W) of its input.
    """

    shape: Shape

    @property
    def output_shape(self) -> Shape:
        """(H, W) of its output."""
        return self.shape

    def __call__(self, x: Any) -> Any:
        """A x, from (..., H, W).

        Raises:
            UsageError: ``x`` has another size than the operator.
        """
        return self._forward(_checked(x, self.shape))

    def adjoint(self, y: Any) -> Any:
        """Aᵀ y."""
        return self._adjoint(_checked(y, self.output_shape))

    def pinv(self, y: Any, rtol: float = 1e-3) -> Any:
        """The pseudo-inverse A⁺ y; singular values up to ``rtol`` times the largest count as zero.

        Raises:
            UsageError: The pseudo-inverse has no closed form.
        """
        return self._pinv(_checked(y, self.output_shape), rtol)

    def norm(self) -> float:
        """The largest singular value; here from below, by 200 power iterations from a fixed start."""
        x = np.random.default_rng(0).standard_normal(self.shape)
        for _ in range(200):
            x = self.adjoint(self(x))
            x = x / max(float(np.linalg.norm(x)), 1e-300)
        return float(np.linalg.norm(self(x)))

    def __matmul__(self, first: LinearOperator) -> LinearOperator:
        """``(B @ A)(x) = B(A(x))``."""
        if first.output_shape != self.shape:
            raise UsageError(f"an operator on {self.shape} cannot follow one that gives {first.output_shape}")
        if isinstance(first, Identity):
            return self
        if isinstance(first, Product):  # a product of one form more, if its last factor and this one have one
            last = self._after(first.second)
            return Product(first.shape, first, self) if last is None else last @ first.first
        return self._after(first) or Product(first.shape, first, self)

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        """The product in closed form, None if there is none."""
        return None

    @abstractmethod
    def _forward(self, x: Any) -> Any: ...

    @abstractmethod
    def _adjoint(self, y: Any) -> Any: ...

    def _pinv(self, y: Any, rtol: float) -> Any:
        raise UsageError("this operator has no pseudo-inverse in closed form; use a method that needs none")


@dataclass(frozen=True, eq=False)
class Identity(LinearOperator):
    """A = I."""

    def norm(self) -> float:
        """1."""
        return 1.0

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        return first

    def _forward(self, x: Any) -> Any:
        return x

    def _adjoint(self, y: Any) -> Any:
        return y

    def _pinv(self, y: Any, rtol: float) -> Any:
        return y


@dataclass(frozen=True, eq=False)
class Convolution(LinearOperator):
    """Circular convolution, then every ``scale``-th pixel: A = S F⁻¹ diag(h) F.

    A Aᵀ is a circular convolution of the small image, whose response is the mean of |h|² over the scale² frequencies
    that alias to one. Hence A⁺ = Aᵀ (A Aᵀ)⁺ in closed form.

    Attributes:
        response: h, (H, W) complex128, the discrete Fourier transform of the kernel.
        scale: A divisor of H and of W.
    """

    response: NDArray[np.complex128]
    scale: int = 1

    @classmethod
    def from_kernel(cls, kernel: NDArray[np.float64], shape: Shape) -> Self:
        """Convolve with a kernel (h, w) whose center is entry (h // 2, w // 2); a larger one wraps around."""
        return cls(shape, np.fft.fft2(wrapped(kernel, shape)))

    @classmethod
    def from_filters(cls, down: NDArray[np.float64], across: NDArray[np.float64], shape: Shape, scale: int) -> Self:
        """Convolve with the outer product of two filters, (H,) and (W,), whose centers are entry 0."""
        return cls(shape, np.fft.fft2(np.outer(down, across)), scale)

    @property
    def output_shape(self) -> Shape:
        """(H / scale, W / scale)."""
        return self.shape[0] // self.scale, self.shape[1] // self.scale

    @cached_property
    def power(self) -> NDArray[np.float64]:
        """The squared singular values, (H / scale, W / scale): the response of A Aᵀ."""
        height, width = self.output_shape
        folded: NDArray[np.float64] = (np.abs(self.response) ** 2).reshape(self.scale, height, self.scale, width)
        mean: NDArray[np.float64] = folded.mean((0, 2))
        return mean

    def norm(self) -> float:
        """The largest singular value."""
        return float(np.sqrt(self.power.max()))

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        if not isinstance(first, Convolution):
            return None
        response = first.response * np.tile(self.response, (first.scale, first.scale))
        return Convolution(first.shape, response, self.scale * first.scale)

    def _forward(self, x: Any) -> Any:
        return _filtered(x, self.response)[..., :: self.scale, :: self.scale]

    def _adjoint(self, y: Any) -> Any:
        xp = array_namespace(y)
        spread = xp.zeros((*y.shape[:-2], *self.shape), dtype=y.dtype, device=device(y))
        spread[..., :: self.scale, :: self.scale] = y
        return _filtered(spread, self.response.conj())

    def _pinv(self, y: Any, rtol: float) -> Any:
        invertible = self.power > rtol**2 * self.power.max()
        return self._adjoint(_filtered(y, np.where(invertible, 1 / np.where(invertible, self.power, 1), 0)))


@dataclass(frozen=True, eq=False)
class MirroredConvolution(LinearOperator):
    """Convolution of the image continued by its mirror image, the edge not repeated (OpenCV's BORDER_REFLECT_101).

    A = C K P: P mirrors, K is a circular convolution of the larger image, C cuts out what no border reached.

    Attributes:
        kernel: (h, w), its center entry (h // 2, w // 2).
    """

    kernel: NDArray[np.float64]

    @cached_property
    def _margins(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows above and below, columns left and right, that reach into the image."""
        rows, columns = ((size - 1 - size // 2, size // 2) for size in self.kernel.shape)
        return rows, columns

    @cached_property
    def _larger(self) -> Convolution:
        height, width = (side + sum(margin) for side, margin in zip(self.shape, self._margins, strict=True))
        return Convolution.from_kernel(self.kernel, (height, width))

    @property
    def _inside(self) -> tuple[slice, slice]:
        rows, columns = (
            slice(margin[0], margin[0] + side) for side, margin in zip(self.shape, self._margins, strict=True)
        )
        return rows, columns

    def _forward(self, x: Any) -> Any:
        xp = array_namespace(x)
        for axis, (side, margin) in enumerate(zip(self.shape, self._margins, strict=True), -2):
            places = xp.asarray(_mirrored(side, *margin), device=device(x))
            x = xp.take(x, places, axis=axis)
        return self._larger(x)[(..., *self._inside)]

    def _adjoint(self, y: Any) -> Any:
        xp = array_namespace(y)
        padded = xp.zeros((*y.shape[:-2], *self._larger.shape), dtype=y.dtype, device=device(y))
        padded[(..., *self._inside)] = y
        x = self._larger.adjoint(padded)
        for axis, (side, margin) in enumerate(zip(self.shape, self._margins, strict=True), -2):
            x = _folded(x, axis, side, *margin)
        return x


@dataclass(frozen=True, eq=False)
class Separable(LinearOperator):
    """A x = R x Cᵀ, as resizing is.

    Attributes:
        down: R, (H', H).
        across: C, (W', W).
    """

    down: NDArray[np.float64]
    across: NDArray[np.float64]

    @property
    def output_shape(self) -> Shape:
        """(H', W')."""
        return self.down.shape[0], self.across.shape[0]

    def norm(self) -> float:
        """The largest singular value."""
        return float(np.linalg.norm(self.down, 2) * np.linalg.norm(self.across, 2))

    def _forward(self, x: Any) -> Any:
        return _like(self.down, x) @ x @ _like(self.across.T, x)

    def _adjoint(self, y: Any) -> Any:
        return _like(self.down.T, y) @ y @ _like(self.across, y)

    @cached_property
    def _factors(self) -> tuple[Any, Any]:
        return np.linalg.svd(self.down, full_matrices=False), np.linalg.svd(self.across, full_matrices=False)

    def _pinv(self, y: Any, rtol: float) -> Any:
        down, across = self._factors
        values = np.outer(down.S, across.S)
        invertible = values > rtol * values.max()
        inverse = np.where(invertible, 1 / np.where(invertible, values, 1), 0)
        seen = _like(down.U.T, y) @ y @ _like(across.U, y)
        return _like(down.Vh.T, y) @ (seen * _like(inverse, y)) @ _like(across.Vh, y)


@dataclass(frozen=True, eq=False)
class Masking(LinearOperator):
    """Multiplication with a mask, a projection: A = Aᵀ = A⁺.

    Attributes:
        mask: (H, W) bool.
    """

    mask: NDArray[np.bool_]

    def norm(self) -> float:
        """The largest singular value: 1, or 0 where nothing is kept."""
        return float(self.mask.any())

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        return Masking(self.shape, self.mask & first.mask) if isinstance(first, Masking) else None

    def _forward(self, x: Any) -> Any:
        return x * _like(self.mask, x)

    def _adjoint(self, y: Any) -> Any:
        return self._forward(y)

    def _pinv(self, y: Any, rtol: float) -> Any:
        return self._forward(y)


@dataclass(frozen=True, eq=False)
class Product(LinearOperator):
    """One operator after another, where their product has no simpler form."""

    first: LinearOperator
    second: LinearOperator

    @property
    def output_shape(self) -> Shape:
        """That of the second."""
        return self.second.output_shape

    def _forward(self, x: Any) -> Any:
        return self.second(self.first(x))

    def _adjoint(self, y: Any) -> Any:
        return self.first.adjoint(self.second.adjoint(y))


def wrapped(kernel: NDArray[np.float64], shape: Shape) -> NDArray[np.float64]:
    """Lay a kernel, its center entry (h // 2, w // 2), over an image of zeros with its center at the origin."""
    laid = np.zeros(shape)
    rows, columns = ((np.arange(k) - k // 2) % n for k, n in zip(kernel.shape, shape, strict=True))
    np.add.at(laid, (rows[:, None], columns), kernel)
    return laid


def _mirrored(side: int, before: int, after: int) -> NDArray[np.int64]:
    """Which sample each sample of the continued axis shows."""
    period = max(2 * side - 2, 1)
    places: NDArray[np.int64] = np.arange(-before, side + after) % period
    return np.minimum(places, period - places) if side > 1 else np.zeros_like(places)


def _folded(x: Any, axis: int, side: int, before: int, after: int) -> Any:
    """Add every sample of a continued axis, -2 or -1, to the one that it shows: the adjoint of the continuation."""
    xp = array_namespace(x)
    places = np.delete(_mirrored(side, before, after), np.s_[before : before + side])
    shows = np.zeros((before + after, side))
    shows[np.arange(before + after), places] = 1
    if axis == -2:
        edges = xp.concat([x[..., :before, :], x[..., before + side :, :]], axis=-2)
        return x[..., before : before + side, :] + _like(shows.T, x) @ edges
    edges = xp.concat([x[..., :before], x[..., before + side :]], axis=-1)
    return x[..., before : before + side] + edges @ _like(shows, x)


def _filtered(x: Any, response: NDArray[Any]) -> Any:
    """Circular convolution of real (..., H, W) with the kernel whose transform is ``response`` (H, W)."""
    xp = array_namespace(x)
    height, width = x.shape[-2:]
    spectrum = xp.fft.rfftn(x, axes=(-2, -1))
    half = _like(response[:, : width // 2 + 1], spectrum)
    filtered = xp.fft.irfftn(spectrum * half, s=(height, width), axes=(-2, -1))
    return xp.astype(filtered, x.dtype, copy=False)


def _like(values: NDArray[Any], x: Any) -> Any:
    """The same values as an array of the kind, precision and device of another."""
    return array_namespace(x).asarray(values, dtype=x.dtype, device=device(x))


def _checked(x: Any, shape: Shape) -> Any:
    if tuple(x.shape[-2:]) != shape:
        raise UsageError(f"an array of shape {tuple(x.shape)}: the operator takes (..., {shape[0]}, {shape[1]})")
    return x
