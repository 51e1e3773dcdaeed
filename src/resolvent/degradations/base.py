"""What one degradation is: plain data, applied to an image in NumPy and to a batch of tensors in torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import UsageError
from resolvent.parameters import Choice, Number, Range, Word, format_value
from resolvent.physics.noise import Noise

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resolvent.degradations.compose import Compose
    from resolvent.physics.operators import LinearOperator, Shape

__all__ = ["Degradation", "Pixels"]

Pixels: TypeAlias = NDArray[np.float32]
"""An image, (H, W, C), or a mask, (H, W)."""


class Degradation(ABC):
    """What happened to an image, as plain data: immutable, comparable, with a text form.

    A subclass is a frozen dataclass; the metadata of each field gives its kind: Number, Word, Text or Array.

    Attributes:
        name: The name in the text form.
        examples: Text forms that the class can take. They are its documentation, and the contract tests run on them.
    """

    name: ClassVar[str]
    examples: ClassVar[tuple[str, ...]] = ()
    scale: int = 1
    """Sides of the image over those of the result."""

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = getattr(self, field.name)
            if value is not None or field.default is not None:
                value = field.metadata["kind"].check(f"{field.name} of {self.name}", value)
                object.__setattr__(self, field.name, value)

    @property
    def linear(self) -> bool:
        """Whether it is a linear map of the image; then it has an ``operator``."""
        return False

    @property
    def random(self) -> bool:
        """Whether it draws random numbers whenever it is applied, beyond those of a Range or a Choice."""
        return False

    @property
    def selects(self) -> bool:
        """Whether each pixel of the result is one of the image or none, so that white noise stays white."""
        return False

    @property
    def hides(self) -> bool:
        """Whether it sets pixels to 0, which are then unknown, as a mask does."""
        return False

    @property
    def reach(self) -> int:
        """How many pixels beyond its border an image is continued by mirroring, where it is not taken to wrap."""
        return 0

    @property
    def noise(self) -> Noise:
        """Its noise, where it is not linear."""
        return Noise() if self.linear else Noise(others=(self.name,))

    def circular(self) -> Degradation:
        """The same of an image that wraps around."""
        return replace(self, boundary="circular") if self.reach else self  # type: ignore[type-var]

    @property
    def parts(self) -> tuple[Degradation, ...]:
        """The degradations of a chain, first applied first; of a single degradation, itself."""
        return (self,)

    @property
    def applied(self) -> Degradation:
        """The degradation itself, or where it is applied at random what is applied."""
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read when it is applied: kernels and masks."""
        return ()

    def __add__(self, other: Degradation) -> Compose:
        from resolvent.degradations.compose import Compose

        return Compose(self.parts + other.parts)

    def __call__(self, image: NDArray[np.floating[Any]], rng: np.random.Generator | None = None) -> Pixels:
        """Apply it to one image.

        Args:
            image: (H, W, C), in [0, 1]; not changed.
            rng: Random generator; needed where the degradation is random.

        Returns:
            The degraded image, (H', W', C) float32, not clipped.

        Raises:
            UsageError: The image has another shape, a parameter is a Range or a Choice, or ``rng`` is missing.
        """
        numbers = self._fixed()
        if np.ndim(image) != 3:
            raise UsageError(f"an image of shape {np.shape(image)}: must be (H, W, C); gray is image[..., None]")
        if self.random and rng is None:
            raise UsageError(f"{self}: is random; pass rng=numpy.random.default_rng(seed)")
        return self._apply(np.asarray(image, np.float32), numbers, cast(np.random.Generator, rng))

    def with_mask(
        self, image: NDArray[np.floating[Any]], rng: np.random.Generator | None = None
    ) -> tuple[Pixels, Pixels]:
        """Apply it to one image, and mark the pixels that it damaged: scratched, covered by dust, lost.

        Args:
            image: As for a call.
            rng: As for a call.

        Returns:
            The degraded image, and its mask, (H, W): 1 where a pixel is damaged, else 0. What changes the whole image,
            as blur, noise and fading do, damages none.
        """
        degraded = self(image, rng)
        return degraded, np.zeros(degraded.shape[:2], np.float32)

    def with_target(
        self, image: NDArray[np.floating[Any]], rng: np.random.Generator | None = None
    ) -> tuple[Pixels, Pixels]:
        """Apply it to one image, and give what a perfect restoration would give back.

        That is the image itself, but for a camera: what the camera makes of it without noise.

        Args:
            image: As for a call.
            rng: As for a call.

        Returns:
            The degraded image, and the target, of the size of ``image``.
        """
        return self._with_target(np.asarray(image, np.float32), np.array(image, np.float32), rng)

    def sample(self, rng: np.random.Generator) -> Degradation:
        """Replace each Range and each Choice by one value drawn from it."""
        values = {
            name: value.sample(rng, whole=kind.whole, log=kind.log)
            for name, value, kind in self._varying()
            if isinstance(value, Range | Choice)
        }
        return replace(self, **values)  # type: ignore[type-var]

    def apply_batch(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Apply it to a batch, with every Range and every Choice drawn once per sample.

        Args:
            x: (N, C, H, W) in [0, 1], on any device; not changed.
            generator: Random generator; needed where anything is random; may be on another device than ``x``.

        Returns:
            The degraded batch, and the numbers of each sample: float32 tensors (N,) named such as ``"noise.sigma"``, or
            ``"noise2.sigma"`` for the second noise of a chain. A word is given by its index among the words it may be.
            Damage adds its mask, ``"dust.mask"``, (N, 1, H, W).

        Raises:
            UsageError: Something is random and there is no generator; or what is applied to some of the samples only
                changes their size.
        """
        degraded, _, numbers = self._on_batch(x, None, generator)
        return degraded, numbers

    def pair_batch(
        self, x: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Apply it to a batch, and give what a perfect restoration would give back; see ``with_target``.

        Returns:
            The degraded batch; the targets, ``x`` itself where nothing changes them; and the numbers of each sample as
            ``apply_batch`` gives them.
        """
        degraded, target, numbers = self._on_batch(x, x, generator)
        return degraded, cast("Tensor", target), numbers

    def on_tensor(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Apply it to a batch as ``apply_batch`` does, and give the batch without the numbers."""
        return self.apply_batch(x, generator)[0]

    def operator(self, shape: Shape) -> LinearOperator:
        """Give the linear map on arrays (..., H, W), for images of one size (H, W).

        Raises:
            UsageError: It is not linear, a parameter is still a Range or a Choice, or its class defines no operator.
        """
        if self.linear:
            rule = f"declares linear = True and defines no operator; define {type(self).__name__}.operator"
            raise UsageError(f"{self}: {rule}")
        raise UsageError(f"{self}: has no operator, for it is not linear; split() gives the linear part")

    def split(self) -> tuple[Degradation | None, Degradation | None]:
        """Split y = N(A(x)) into A, the linear degradations that come first, and N, the rest; None where there is none.

        Examples:
            >>> from resolvent.degradations import parse
            >>> linear, rest = parse("blur:sigma=1.6 + downsample:scale=2 + noise:sigma=5").split()
            >>> print(linear, "|", rest)
            blur:sigma=1.6 + downsample:scale=2 | noise:sigma=5
        """
        from resolvent.degradations.compose import join

        count = next((i for i, part in enumerate(self.parts) if not part.linear), len(self.parts))
        return join(self.parts[:count]), join(self.parts[count:])

    @abstractmethod
    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        """Degrade an image (H, W, C); ``numbers`` holds each value that may vary; ``rng`` is there if ``random``."""

    @abstractmethod
    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        """Degrade a batch (N, C, H, W); ``numbers`` holds each value that may vary, (N,)."""

    def _with_target(self, image: Pixels, target: Pixels, rng: np.random.Generator | None) -> tuple[Pixels, Pixels]:
        """Degrade an image, and change its target as a perfect restoration would still give it back."""
        return self(image, rng), target

    def _pair_batch(
        self, x: Tensor, target: Tensor | None, numbers: dict[str, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        """Degrade a batch, and change its target, if one is given, as ``_with_target`` does."""
        return self._apply_batch(x, numbers, generator), target

    def _on_batch(
        self, x: Tensor, target: Tensor | None, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor | None, dict[str, Tensor]]:
        """Give the degraded batch, its target if one is given, and the numbers of each sample."""
        from resolvent.degradations import tensors

        varied = any(isinstance(value, Range | Choice) for _, value, _ in self._varying())
        if generator is None and (self.random or varied):
            raise UsageError(f"{self}: is random; pass generator=torch.Generator().manual_seed(seed)")
        generator = cast("torch.Generator", generator)
        numbers = {
            name: tensors.draw(kind.number(value), len(x), generator, x.device, whole=kind.whole, log=kind.log)
            for name, value, kind in self._varying()
        }
        y, target = self._pair_batch(x, target, numbers, generator)
        return y, target, {f"{self.name}.{name}": value for name, value in numbers.items()}

    def __str__(self) -> str:
        given = [
            f"{field.name}={format_value(value)}"
            for field in fields(self)  # type: ignore[arg-type]
            if (value := getattr(self, field.name)) != field.default
        ]
        return f"{self.name}:{','.join(given)}" if given else self.name

    def _fixed(self) -> dict[str, float]:
        """Give the value of each field that may vary, as a number; refuse a Range or a Choice."""
        fixed: dict[str, float] = {}
        for name, value, kind in self._varying():
            if isinstance(value, Range | Choice):
                raise UsageError(f"{self}: {name} is not one value; call .sample(rng) first")
            fixed[name] = cast(float, kind.number(value))
        return fixed

    def _varying(self) -> Iterator[tuple[str, float | str | Range | Choice, Number | Word]]:
        """Yield name, value and kind of each field that may vary and is given."""
        for field in fields(self):  # type: ignore[arg-type]
            kind, value = field.metadata.get("kind"), getattr(self, field.name)
            if isinstance(kind, Number | Word) and kind.varies and value is not None:
                yield field.name, value, kind
