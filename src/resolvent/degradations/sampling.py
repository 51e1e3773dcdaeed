"""Downsampling, rescaling and masks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from resolvent.degradations.base import Degradation, Pixels
from resolvent.degradations.files import read_plane
from resolvent.errors import UsageError
from resolvent.parameters import Array, Choice, FixedArray, Number, Range, Text, Word
from resolvent.physics.resize import imresize, imresize_tensor, rescale_matrices, resize_matrix, resize_weights

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resolvent.physics.operators import LinearOperator, Shape

__all__ = ["Downsample", "Mask", "Rescale"]


@dataclass(frozen=True)
class Downsample(Degradation):
    """Fewer pixels: ceil(H / scale) by ceil(W / scale). After a blur, ``kernel="none"`` gives the blur's own kernel.

    Attributes:
        scale: How many pixels a side become one.
        kernel: ``bicubic``, with antialiasing, exactly MATLAB's imresize(image, 1/scale); ``lanczos2``, the same with
            Lanczos' kernel of two lobes; ``area``, the mean of each block; ``none``, the top left pixel of each block.
        boundary: ``reflect`` mirrors with the edge repeated, as MATLAB does; ``circular`` wraps, as the operator does.

    Examples:
        >>> from resolvent.degradations import GaussianBlur
        >>> print(GaussianBlur(1.6) + Downsample(3, kernel="none"))
        blur:sigma=1.6 + downsample:scale=3,kernel=none
    """

    name = "downsample"
    examples = (
        "downsample:scale=2",
        "downsample:scale=3,kernel=area",
        "downsample:scale=4,kernel=lanczos2",
        "downsample:scale=2,kernel=none",
    )
    linear = True
    scale: int = field(metadata={"kind": Number(2, 16, whole=True, varies=False)})
    kernel: str = field(default="bicubic", metadata={"kind": Word(("bicubic", "lanczos2", "area", "none"))})
    boundary: str = field(default="reflect", metadata={"kind": Word(("reflect", "circular"))})

    @property
    def selects(self) -> bool:
        """Whether pixels are left out, and none merged."""
        return self.kernel == "none"

    @property
    def reach(self) -> int:
        """The support of the kernel on one side, unless the image wraps around."""
        return 0 if self.boundary == "circular" or self.selects else 2 * self.scale

    def operator(self, shape: Shape) -> LinearOperator:
        """Circular convolution and then every ``scale``-th pixel; or resizing, where the border is mirrored.

        Raises:
            UsageError: A side is not a multiple of the scale.
        """
        from resolvent.physics.operators import Convolution, Separable

        if shape[0] % self.scale or shape[1] % self.scale:
            raise UsageError(f"{self}: an image of {shape[0]}x{shape[1]}: needs multiples of {self.scale}; crop it")
        if self.reach:
            down, across = (resize_matrix(n, n // self.scale, 1 / self.scale, self.kernel) for n in shape)
            return Separable(shape, down, across)
        return Convolution.from_filters(self.taps(shape[0]), self.taps(shape[1]), shape, self.scale)

    def taps(self, size: int) -> NDArray[np.float64]:
        """Compute f, (size,), for which output sample i is the circular convolution f * x at ``scale * i``."""
        indices, weights = np.zeros((1, 1), np.int64), np.ones((1, 1))
        if self.kernel != "none":
            indices, weights = resize_weights(size, size // self.scale, 1 / self.scale, self.kernel, "circular")
        taps = np.zeros(size)
        np.add.at(taps, -indices[0] % size, weights[0])
        return taps

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        if self.kernel == "none":
            return image[:: self.scale, :: self.scale].copy()
        return imresize(image, 1 / self.scale, kernel=self.kernel, boundary=self.boundary)

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        if self.kernel == "none":
            return x[..., :: self.scale, :: self.scale].clone()
        return imresize_tensor(x, 1 / self.scale, kernel=self.kernel, boundary=self.boundary)


@dataclass(frozen=True)
class Rescale(Degradation):
    """Downsampled and enlarged to its size again, both bicubic: the softness of a picture that was once smaller.

    Attributes:
        factor: Sides of the smaller picture, as a share; rounded to whole pixels.
    """

    name = "rescale"
    examples = ("rescale:factor=0.6", "rescale:factor=0.4..0.9")
    factor: float | Range | Choice = field(metadata={"kind": Number(0.05, 1)})

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        height, width = image.shape[:2]
        return imresize(imresize(image, shape=self._small(height, width, numbers["factor"])), shape=(height, width))

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        along_height, along_width = (
            rescale_matrices(side, (numbers["factor"].double() * side).round().clamp(min=1)).to(x.dtype)
            for side in x.shape[2:]
        )
        return along_height[:, None] @ x @ along_width[:, None].mT

    @staticmethod
    def _small(height: int, width: int, factor: float) -> tuple[int, int]:
        return max(1, round(factor * height)), max(1, round(factor * width))


@dataclass(frozen=True)
class Mask(Degradation):
    """Missing pixels, y = m x: where the mask m is 0, so is y, in all channels.

    Attributes:
        path: A picture, a .npy or a .npz file as large as the image; below one half is missing. Read when applied.
        array: The same from Python, (H, W).
        keep: Instead of these: each pixel is kept with this probability.
        seed: Random seed of the mask that ``keep`` draws. None samples another mask each time; then it has no operator.

    Raises:
        UsageError: Not exactly one of ``path``, ``array`` and ``keep`` is given. When applied: the mask is not as large
            as the image.
        InputError: When applied: the file cannot be read.
    """

    name = "mask"
    examples = ("mask:keep=0.6", "mask:keep=0.6,seed=3")
    linear = True
    selects = True
    hides = True
    path: str | None = field(default=None, metadata={"kind": Text()})
    array: FixedArray | NDArray[Any] | None = field(default=None, metadata={"kind": Array()})
    keep: float | Range | Choice | None = field(default=None, metadata={"kind": Number(0, 1)})
    seed: int | None = field(default=None, metadata={"kind": Number(0, 2**32 - 1, whole=True, varies=False)})

    def __post_init__(self) -> None:
        super().__post_init__()
        if [self.path, self.array, self.keep].count(None) != 2:
            raise UsageError(f"{self}: give one of path=, array= and keep=")

    @property
    def random(self) -> bool:
        """Whether each application has another mask."""
        return self.keep is not None and self.seed is None

    @property
    def files(self) -> tuple[Path, ...]:
        """The file of the mask, if there is one."""
        return () if self.path is None else (Path(self.path),)

    def sample(self, rng: np.random.Generator) -> Mask:
        """Fix ``keep`` and ``seed``."""
        mask = cast(Mask, super().sample(rng))
        return replace(mask, seed=int(rng.integers(2**32))) if mask.random else mask

    def operator(self, shape: Shape) -> LinearOperator:
        """Give the multiplication with the mask.

        Raises:
            UsageError: Each application has another mask, or it is not as large as the image.
        """
        from resolvent.physics.operators import Masking

        if self.random:
            raise UsageError(f"{self}: is another mask each time, and has no operator; give seed=")
        if self.keep is None:
            return Masking(shape, self._given(*shape))
        return Masking(shape, self._seeded(*shape) < self._fixed()["keep"])

    def _given(self, height: int, width: int) -> NDArray[np.bool_]:
        plane = self.array.data if isinstance(self.array, FixedArray) else read_plane(str(self.path))
        if plane.shape != (height, width):
            sizes = f"the mask is {plane.shape[0]}x{plane.shape[1]}, the image {height}x{width}"
            raise UsageError(f"{self}: {sizes} (height x width); they must agree")
        known: NDArray[np.bool_] = plane >= 0.5
        if not known.any():
            raise UsageError(f"{self}: hides every pixel; what is known is 1, or white, in a mask")
        return known

    def _seeded(self, height: int, width: int) -> NDArray[np.float64]:
        return np.random.default_rng(self.seed).random((height, width))

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        height, width = image.shape[:2]
        if self.keep is None:
            return image * self._given(height, width)[..., None]
        u = rng.random((height, width)) if self.random else self._seeded(height, width)
        return image * (u < numbers["keep"])[..., None]

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        import torch

        from resolvent.degradations import tensors

        height, width = x.shape[2:]
        if self.keep is None:
            return x * torch.from_numpy(self._given(height, width)).to(x.device)
        if self.random:
            u = tensors.uniform((len(x), 1, height, width), generator, x.device)
        else:
            u = torch.from_numpy(self._seeded(height, width)).to(x.device)
        return x * (u < tensors.column(numbers["keep"]))
