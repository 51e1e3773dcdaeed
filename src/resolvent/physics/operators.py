"""Linear operators y = A x on batches of images, with circular boundary: A, its adjoint, pseudo-inverse and norm.

They are immutable, work in the precision and on the device of the tensor they are given, and let gradients through.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resolvent.errors import UsageError

__all__ = ["Convolution", "LinearOperator", "Masking", "Product"]

Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class LinearOperator(ABC):
    """A linear map from images of one shape to images of another.

    Attributes:
        shape: (C, H, W) of its input.
    """

    shape: Shape

    @property
    def output_shape(self) -> Shape:
        """(C, H, W) of its output."""
        return self.shape

    def __call__(self, x: Tensor) -> Tensor:
        """A x, from (N, C, H, W).

        Raises:
            UsageError: ``x`` has another shape than the operator.
        """
        return self._forward(_checked(x, self.shape))

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y."""
        return self._adjoint(_checked(y, self.output_shape))

    def pinv(self, y: Tensor, rtol: float = 1e-3) -> Tensor:
        """The pseudo-inverse A^+ y; singular values up to ``rtol`` times the largest count as zero.

        Raises:
            UsageError: The pseudo-inverse has no closed form.
        """
        return self._pinv(_checked(y, self.output_shape), rtol)

    @abstractmethod
    def norm(self) -> float:
        """The largest singular value."""

    def __matmul__(self, first: LinearOperator) -> LinearOperator:
        """``(B @ A)(x) = B(A(x))``."""
        if first.output_shape != self.shape:
            raise UsageError(f"an operator on {self.shape} cannot follow one that gives {first.output_shape}")
        return self._after(first) or Product(first.shape, first, self)

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        """The product in closed form, None if there is none."""
        return None

    @abstractmethod
    def _forward(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def _adjoint(self, y: Tensor) -> Tensor: ...

    @abstractmethod
    def _pinv(self, y: Tensor, rtol: float) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Convolution(LinearOperator):
    """Circular convolution, then every ``scale``-th pixel: A = S F^-1 diag(h) F.

    A A^T is a circular convolution of the small image, whose response is the mean of ``|h|^2`` over the scale^2
    frequencies that alias to one. Hence A^+ = A^T (A A^T)^+ in closed form.

    Attributes:
        response: h, (H, W) complex128, the discrete Fourier transform of the kernel.
        scale: A divisor of H and of W.
    """

    response: Tensor
    scale: int = 1

    @classmethod
    def from_kernel(cls, kernel: NDArray[np.float64], shape: Shape) -> Self:
        """Convolve with a kernel (h, w) whose center is entry (h // 2, w // 2); a larger one wraps around."""
        wrapped = np.zeros(shape[1:])
        rows, columns = ((np.arange(k) - k // 2) % n for k, n in zip(kernel.shape, shape[1:], strict=True))
        np.add.at(wrapped, (rows[:, None], columns), kernel)
        return cls(shape, torch.fft.fft2(torch.from_numpy(wrapped)))

    @classmethod
    def from_filters(cls, down: NDArray[np.float64], across: NDArray[np.float64], shape: Shape, scale: int) -> Self:
        """Convolve with the outer product of two filters, (H,) and (W,), whose centers are entry 0."""
        return cls(shape, torch.fft.fft2(torch.from_numpy(np.outer(down, across))), scale)

    @property
    def output_shape(self) -> Shape:
        """(C, H / scale, W / scale)."""
        return (self.shape[0], self.shape[1] // self.scale, self.shape[2] // self.scale)

    def norm(self) -> float:
        """The largest singular value."""
        return float(self._power().max().sqrt())

    def _power(self) -> Tensor:
        """The squared singular values, (H / scale, W / scale): the response of A A^T."""
        _, height, width = self.output_shape
        folded = (self.response.abs() ** 2).reshape(self.scale, height, self.scale, width)
        return folded.mean((0, 2))

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        if not isinstance(first, Convolution):
            return None
        response = first.response * self.response.repeat(first.scale, first.scale)
        return Convolution(first.shape, response, self.scale * first.scale)

    def _forward(self, x: Tensor) -> Tensor:
        return _filtered(x, self.response)[..., :: self.scale, :: self.scale]

    def _adjoint(self, y: Tensor) -> Tensor:
        spread = y.new_zeros((len(y), *self.shape))
        spread[..., :: self.scale, :: self.scale] = y
        return _filtered(spread, self.response.conj())

    def _pinv(self, y: Tensor, rtol: float) -> Tensor:
        power = self._power()
        kept = power > rtol**2 * power.max()
        return self._adjoint(_filtered(y, torch.where(kept, 1 / power, 0)))


@dataclass(frozen=True, eq=False)
class Masking(LinearOperator):
    """Multiplication with a mask, a projection: A = A^T = A^+.

    Attributes:
        mask: (H, W) bool.
    """

    mask: Tensor

    def norm(self) -> float:
        """The largest singular value: 1, or 0 where nothing is kept."""
        return float(self.mask.any())

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        return Masking(self.shape, self.mask & first.mask) if isinstance(first, Masking) else None

    def _forward(self, x: Tensor) -> Tensor:
        return x * self.mask.to(x.device)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._forward(y)

    def _pinv(self, y: Tensor, rtol: float) -> Tensor:
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

    def norm(self) -> float:
        """The largest singular value, from below, by 200 power iterations from a fixed start."""
        x = torch.randn((1, *self.shape), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        for _ in range(200):
            x = self.adjoint(self(x))
            x = x / torch.linalg.vector_norm(x).clamp(min=1e-300)
        return float(torch.linalg.vector_norm(self(x)))

    def _forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))

    def _adjoint(self, y: Tensor) -> Tensor:
        return self.first.adjoint(self.second.adjoint(y))

    def _pinv(self, y: Tensor, rtol: float) -> Tensor:
        raise UsageError("a product with a mask has no pseudo-inverse in closed form; use a method that needs none")


def _filtered(x: Tensor, response: Tensor) -> Tensor:
    """Circular convolution of real (..., H, W) with the kernel whose transform is ``response`` (H, W)."""
    height, width = x.shape[-2:]
    half = response[:, : width // 2 + 1]
    spectrum = torch.fft.rfft2(x)
    filtered: Tensor = torch.fft.irfft2(spectrum * half.to(spectrum), s=(height, width))
    return filtered


def _checked(x: Tensor, shape: Shape) -> Tensor:
    if x.ndim != 4 or tuple(x.shape[1:]) != shape:
        raise UsageError(f"a tensor of shape {tuple(x.shape)}: the operator takes (N, {', '.join(map(str, shape))})")
    return x
