"""What a degradation is, and how several make one."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import UsageError
from resolvent.parameters import Choice, Number, Range, Word, format_value
from resolvent.physics.noise import Noise

if TYPE_CHECKING:
    import torch

    from resolvent.physics.operators import LinearOperator, Shape

__all__ = ["CHANCE", "Compose", "Degradation", "Identity", "RandomApply"]

CHANCE = Number(0, 1, above=True, varies=False)


class Degradation(ABC):
    """Something that happened to an image, as plain data: immutable, comparable, with a text form.

    A subclass is a frozen dataclass; the metadata of each field says of what kind it is: Number, Word, Text or Array.
    """

    name: ClassVar[str]
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
        """Whether it sets pixels to 0 that say nothing then, as a mask does."""
        return False

    @property
    def reach(self) -> int:
        """How many pixels beyond its border an image is continued by mirroring, where it is not taken to wrap."""
        return 0

    @property
    def noise(self) -> Noise:
        """What it adds, where it is not linear."""
        return Noise() if self.linear else Noise(others=(self.name,))

    def circular(self) -> Degradation:
        """The same of an image that wraps around."""
        return replace(self, boundary="circular") if self.reach else self  # type: ignore[type-var]

    @property
    def parts(self) -> tuple[Degradation, ...]:
        """What a chain is made of; of a single degradation, itself."""
        return (self,)

    @property
    def files(self) -> tuple[Path, ...]:
        """What it reads when it is applied: kernels and masks."""
        return ()

    def __add__(self, other: Degradation) -> Compose:
        return Compose(self.parts + other.parts)

    def __call__(self, image: NDArray[np.floating[Any]], rng: np.random.Generator | None = None) -> NDArray[np.float32]:
        """Apply it to one image.

        Args:
            image: (H, W, C), in [0, 1]; not changed.
            rng: Needed where the degradation is random.

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
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Apply it to one image, and tell which pixels it damaged: scratched, covered by dust, lost.

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
        self,
        image: NDArray[np.floating[Any]],
        rng: np.random.Generator | None = None,
        target: NDArray[np.floating[Any]] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Apply it to one image, and tell what a perfect restoration would give back.

        That is the image itself, but for a camera: what the camera makes of it without noise.

        Args:
            image: As for a call.
            rng: As for a call.
            target: What was to be given back so far, where the image was degraded before; None takes the image.

        Returns:
            The degraded image, and the target, of the size of the image or of ``target``.
        """
        return self(image, rng), np.array(image if target is None else target, np.float32)

    def sample(self, rng: np.random.Generator) -> Degradation:
        """What happens this time: each Range and each Choice replaced by one value drawn from it."""
        drawn = {
            name: value.sample(rng, whole=kind.whole, log=kind.log)
            for name, value, kind in self._varying()
            if isinstance(value, Range | Choice)
        }
        return replace(self, **drawn)  # type: ignore[type-var]

    def apply_batch(
        self, x: torch.Tensor, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Apply it to a batch, with every Range and every Choice drawn once per sample.

        Args:
            x: (N, C, H, W) in [0, 1], on any device; not changed.
            generator: Needed where anything is random; may be on another device than ``x``.

        Returns:
            The degraded batch, and the numbers of each sample: float32 tensors (N,) named such as ``"noise.sigma"``, or
            ``"noise2.sigma"`` for the second noise of a chain. A word counts as its place among those it may be. Damage
            adds its mask, ``"dust.mask"``, (N, 1, H, W).

        Raises:
            UsageError: Something is random and there is no generator; or what happens to some of the samples alone
                changes their size.
        """
        degraded, _, numbers = self._on_batch(x, None, generator)
        return degraded, numbers

    def pair_batch(
        self, x: torch.Tensor, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
        """Apply it to a batch, and tell what a perfect restoration would give back; see ``with_target``.

        Returns:
            The degraded batch; the targets, ``x`` itself where nothing changes them; and the numbers of each sample as
            ``apply_batch`` gives them.
        """
        degraded, target, numbers = self._on_batch(x, x, generator)
        return degraded, cast("torch.Tensor", target), numbers

    def on_tensor(self, x: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """The degraded batch of ``apply_batch``, without the numbers."""
        return self.apply_batch(x, generator)[0]

    def operator(self, shape: Shape) -> LinearOperator:
        """The linear map on arrays (..., H, W), for images of one size (H, W).

        Raises:
            UsageError: It is not linear, or a parameter is still a Range or a Choice.
        """
        raise UsageError(f"{self}: has no operator, for it is not linear; split() gives the linear part")

    def split(self) -> tuple[Degradation | None, Degradation | None]:
        """Part y = N(A(x)) into A, the linear degradations that come first, and N, the rest; None where there is none.

        Example:
            >>> from resolvent.degradations import parse
            >>> linear, rest = parse("blur:sigma=1.6 + downsample:scale=2 + noise:sigma=5").split()
            >>> print(linear, "|", rest)
            blur:sigma=1.6 + downsample:scale=2 | noise:sigma=5
        """
        count = next((i for i, part in enumerate(self.parts) if not part.linear), len(self.parts))
        return _join(self.parts[:count]), _join(self.parts[count:])

    @abstractmethod
    def _apply(
        self, image: NDArray[np.float32], numbers: dict[str, float], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Degrade an image (H, W, C); ``numbers`` holds each value that may vary; ``rng`` is there if ``random``."""

    def _on_batch(
        self, x: torch.Tensor, target: torch.Tensor | None, generator: torch.Generator | None
    ) -> tuple[torch.Tensor, torch.Tensor | None, dict[str, torch.Tensor]]:
        """The degraded batch, the target if one is given, and the numbers of each sample."""
        from resolvent.degradations import tensors

        varied = any(isinstance(value, Range | Choice) for _, value, _ in self._varying())
        if generator is None and (self.random or varied):
            raise UsageError(f"{self}: is random; pass generator=torch.Generator().manual_seed(seed)")
        stream = cast("torch.Generator", generator)
        numbers = {
            name: tensors.draw(kind.number(value), len(x), stream, x.device, whole=kind.whole, log=kind.log)
            for name, value, kind in self._varying()
        }
        y, target = self._pair_batch(x, target, numbers, stream)
        return y, target, {f"{self.name}.{name}": value for name, value in numbers.items()}

    def _pair_batch(
        self,
        x: torch.Tensor,
        target: torch.Tensor | None,
        numbers: dict[str, torch.Tensor],
        generator: torch.Generator,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Degrade a batch as ``_apply_batch`` does, and follow the target if one is given."""
        return self._apply_batch(x, numbers, generator), target

    @abstractmethod
    def _apply_batch(
        self, x: torch.Tensor, numbers: dict[str, torch.Tensor], generator: torch.Generator
    ) -> torch.Tensor:
        """Degrade a batch (N, C, H, W); ``numbers`` holds each that may vary, (N,)."""

    def __str__(self) -> str:
        given = [
            f"{field.name}={format_value(value)}"
            for field in fields(self)  # type: ignore[arg-type]
            if (value := getattr(self, field.name)) != field.default
        ]
        return f"{self.name}:{','.join(given)}" if given else self.name

    def _fixed(self) -> dict[str, float]:
        fixed: dict[str, float] = {}
        for name, value, kind in self._varying():
            if isinstance(value, Range | Choice):
                raise UsageError(f"{self}: {name} is not one value; call .sample(rng) first")
            fixed[name] = cast(float, kind.number(value))
        return fixed

    def _varying(self) -> Iterator[tuple[str, float | str | Range | Choice, Number | Word]]:
        """Name, value and kind of each field that may vary and is given."""
        for field in fields(self):  # type: ignore[arg-type]
            kind, value = field.metadata["kind"], getattr(self, field.name)
            if isinstance(kind, Number | Word) and kind.varies and value is not None:
                yield field.name, value, kind


@dataclass(frozen=True)
class Compose(Degradation):
    """Several degradations, one after the other; ``a + b`` makes it.

    Raises:
        UsageError: With fewer than two.
    """

    name = "chain"
    links: tuple[Degradation, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "links", tuple(part for link in self.links for part in link.parts))
        if len(self.links) < 2:
            raise UsageError(f"a chain of {len(self.links)}: needs two degradations or more")

    @property
    def linear(self) -> bool:
        """Whether all its parts are."""
        return all(part.linear for part in self.links)

    @property
    def random(self) -> bool:
        """Whether any of its parts is."""
        return any(part.random for part in self.links)

    @property
    def scale(self) -> int:  # type: ignore[override]  # read-only here, and a field elsewhere
        """The product of those of the parts."""
        return math.prod(part.scale for part in self.links)

    @property
    def noise(self) -> Noise:
        """What the parts add."""
        return sum((part.noise for part in self.links), Noise())

    @property
    def parts(self) -> tuple[Degradation, ...]:
        """The degradations, first applied first."""
        return self.links

    @property
    def files(self) -> tuple[Path, ...]:
        """What its parts read."""
        return tuple(file for part in self.links for file in part.files)

    def sample(self, rng: np.random.Generator) -> Degradation:
        """Draw in each part, in order; what does not happen this time is left out."""
        drawn = [part.sample(rng) for part in self.links]
        return _join(tuple(part for part in drawn if part != Identity())) or Identity()

    def _on_batch(
        self, x: torch.Tensor, target: torch.Tensor | None, generator: torch.Generator | None
    ) -> tuple[torch.Tensor, torch.Tensor | None, dict[str, torch.Tensor]]:
        parameters: dict[str, torch.Tensor] = {}
        names: list[str] = []
        for part in self.links:
            x, target, drawn = part._on_batch(x, target, generator)
            names.append(part.name)
            nth = names.count(part.name)
            parameters |= {key.replace(".", f"{nth}.", 1) if nth > 1 else key: value for key, value in drawn.items()}
        return x, target, parameters

    def with_target(
        self,
        image: NDArray[np.floating[Any]],
        rng: np.random.Generator | None = None,
        target: NDArray[np.floating[Any]] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Apply the parts in order, and follow what would be given back; see ``Degradation.with_target``."""
        for part in self.links:
            image, target = part.with_target(image, rng, target)
        return cast("NDArray[np.float32]", image), cast("NDArray[np.float32]", target)

    def with_mask(
        self, image: NDArray[np.floating[Any]], rng: np.random.Generator | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Apply the parts in order, with the pixels that any of them damaged; see ``Degradation.with_mask``.

        Raises:
            UsageError: As for a call; or the size of the image changes after it was damaged.
        """
        degraded, mask = self.links[0].with_mask(image, rng)
        for part in self.links[1:]:
            degraded, more = part.with_mask(degraded, rng)
            if more.shape != mask.shape and mask.any():
                raise UsageError(f"{self}: changes the size after the damage; put what damages last")
            mask = more if more.shape != mask.shape else np.maximum(mask, more)
        return degraded, mask

    def circular(self) -> Degradation:
        """Each of its parts so."""
        return Compose(tuple(part.circular() for part in self.links))

    def operator(self, shape: Shape) -> LinearOperator:
        """The product of the operators of the parts."""
        operator = self.links[0].operator(shape)
        for part in self.links[1:]:
            operator = part.operator(operator.output_shape) @ operator
        return operator

    def _apply(
        self, image: NDArray[np.float32], numbers: dict[str, float], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        for part in self.links:
            image = part(image, rng)
        return image

    def _apply_batch(
        self, x: torch.Tensor, numbers: dict[str, torch.Tensor], generator: torch.Generator
    ) -> torch.Tensor:
        raise NotImplementedError("a chain applies its parts in apply_batch")

    def __str__(self) -> str:
        return " + ".join(map(str, self.links))

    def _varying(self) -> Iterator[tuple[str, float | str | Range | Choice, Number | Word]]:
        return iter(())


@dataclass(frozen=True)
class Identity(Degradation):
    """Nothing happens, y = x; what ``RandomApply`` draws when its degradation stays away."""

    name = "none"
    linear = True
    selects = True

    def operator(self, shape: Shape) -> LinearOperator:
        """The identity."""
        from resolvent.physics.operators import Identity as IdentityOperator

        return IdentityOperator(shape)

    def _apply(
        self, image: NDArray[np.float32], numbers: dict[str, float], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        return image.copy()

    def _apply_batch(
        self, x: torch.Tensor, numbers: dict[str, torch.Tensor], generator: torch.Generator
    ) -> torch.Tensor:
        return x.clone()


@dataclass(frozen=True)
class RandomApply(Degradation):
    """A degradation that happens by chance, ``jpeg:quality=20..100 @ 0.6``; one that keeps the size of the image.

    Attributes:
        degradation: What may happen.
        chance: Its probability, above 0 and below 1.

    Raises:
        UsageError: The chance is not that, or the degradation is a chain or one of these itself.

    Example:
        >>> from resolvent.degradations import parse
        >>> print(parse("blur:sigma=1 @ 0.5 + noise:sigma=25").sample(np.random.default_rng(0)))
        noise:sigma=25
    """

    degradation: Degradation
    chance: float = dataclasses.field(metadata={"kind": CHANCE})

    def __post_init__(self) -> None:
        object.__setattr__(self, "chance", CHANCE.check("chance", self.chance))
        if self.chance == 1 or isinstance(self.degradation, Compose | RandomApply):
            raise UsageError(f"{self}: give each degradation of its own a chance below 1")

    @property
    def name(self) -> str:  # type: ignore[override]
        """Of what may happen."""
        return self.degradation.name

    @property
    def random(self) -> bool:
        """Always."""
        return True

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read if it happens."""
        return self.degradation.files

    def __call__(self, image: NDArray[np.floating[Any]], rng: np.random.Generator | None = None) -> NDArray[np.float32]:
        """Not before it has been drawn whether it happens.

        Raises:
            UsageError: Always.
        """
        raise UsageError(f"{self}: may happen or not; call .sample(rng) first")

    def sample(self, rng: np.random.Generator) -> Degradation:
        """The degradation, drawn; or Nothing."""
        return self.degradation.sample(rng) if rng.random() < self.chance else Identity()

    def _on_batch(
        self, x: torch.Tensor, target: torch.Tensor | None, generator: torch.Generator | None
    ) -> tuple[torch.Tensor, torch.Tensor | None, dict[str, torch.Tensor]]:
        from resolvent.degradations import tensors

        if generator is None:
            raise UsageError(f"{self}: is random; pass generator=torch.Generator().manual_seed(seed)")
        which = (tensors.uniform((len(x),), generator, x.device) < self.chance).nonzero()[:, 0]
        some = which if len(which) else which.new_zeros(1)  # no degradation need take an empty batch; it is dropped
        changed, aim, drawn = self.degradation._on_batch(x[some], None if target is None else target[some], generator)
        if changed.shape[1:] != x.shape[1:]:
            raise UsageError(f"{self}: changes the size of the image, and cannot happen to some of a batch alone")
        y = x.clone()
        y[which] = changed[: len(which)]
        if target is not None and aim is not None:
            target = target.clone()
            target[which] = aim[: len(which)]
        numbers = {name: value.new_zeros(len(x), *value.shape[1:]) for name, value in drawn.items()}
        for name, value in drawn.items():
            numbers[name][which] = value[: len(which)]
        return y, target, numbers

    def _apply(
        self, image: NDArray[np.float32], numbers: dict[str, float], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        raise NotImplementedError("it is drawn first")

    def _apply_batch(
        self, x: torch.Tensor, numbers: dict[str, torch.Tensor], generator: torch.Generator
    ) -> torch.Tensor:
        raise NotImplementedError("its degradation is applied in apply_batch")

    def __str__(self) -> str:
        return f"{self.degradation} @ {format_value(self.chance)}"

    def _varying(self) -> Iterator[tuple[str, float | str | Range | Choice, Number | Word]]:
        return iter(())


def _join(parts: tuple[Degradation, ...]) -> Degradation | None:
    return Compose(parts) if len(parts) > 1 else next(iter(parts), None)
