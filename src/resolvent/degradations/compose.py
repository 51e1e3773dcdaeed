"""Composite degradations: a chain, a random application, and the identity."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from resolvent.degradations.base import Degradation, Pixels
from resolvent.errors import UsageError
from resolvent.parameters import Number, format_value
from resolvent.physics.noise import Noise

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from resolvent.physics.operators import LinearOperator, Shape

__all__ = ["CHANCE", "Compose", "Identity", "RandomApply", "join"]

CHANCE = Number(0, 1, above=True, varies=False)


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
        """Whether all parts are linear."""
        return all(part.linear for part in self.links)

    @property
    def random(self) -> bool:
        """Whether any part is random."""
        return any(part.random for part in self.links)

    @property
    def scale(self) -> int:  # type: ignore[override]  # read-only here, and a field elsewhere
        """The product of those of the parts."""
        return math.prod(part.scale for part in self.links)

    @property
    def noise(self) -> Noise:
        """The noise of the parts."""
        return sum((part.noise for part in self.links), Noise())

    @property
    def parts(self) -> tuple[Degradation, ...]:
        """The degradations, first applied first."""
        return self.links

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the parts read."""
        return tuple(file for part in self.links for file in part.files)

    def sample(self, rng: np.random.Generator) -> Degradation:
        """Sample each part, in order; leave out those that are not applied."""
        samples = [part.sample(rng) for part in self.links]
        return join(tuple(part for part in samples if part != Identity())) or Identity()

    def _on_batch(
        self, x: Tensor, target: Tensor | None, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor | None, dict[str, Tensor]]:
        numbers: dict[str, Tensor] = {}
        names: list[str] = []
        for part in self.links:
            x, target, values = part._on_batch(x, target, generator)
            names.append(part.name)
            nth = names.count(part.name)
            numbers |= {key.replace(".", f"{nth}.", 1) if nth > 1 else key: value for key, value in values.items()}
        return x, target, numbers

    def _with_target(self, image: Pixels, target: Pixels, rng: np.random.Generator | None) -> tuple[Pixels, Pixels]:
        for part in self.links:
            image, target = part._with_target(image, target, rng)
        return image, target

    def with_mask(
        self, image: NDArray[np.floating[Any]], rng: np.random.Generator | None = None
    ) -> tuple[Pixels, Pixels]:
        """Apply the parts in order, and mark the pixels that any of them damaged; see ``Degradation.with_mask``.

        Raises:
            UsageError: As for a call; or the size of the image changes after it was damaged.
        """
        degraded, mask = self.links[0].with_mask(image, rng)
        for part in self.links[1:]:
            degraded, added = part.with_mask(degraded, rng)
            if added.shape != mask.shape and mask.any():
                raise UsageError(f"{self}: changes the size after the damage; put what damages last")
            mask = added if added.shape != mask.shape else np.maximum(mask, added)
        return degraded, mask

    def circular(self) -> Degradation:
        """Let each part wrap around."""
        return Compose(tuple(part.circular() for part in self.links))

    def operator(self, shape: Shape) -> LinearOperator:
        """Give the product of the operators of the parts."""
        operator = self.links[0].operator(shape)
        for part in self.links[1:]:
            operator = part.operator(operator.output_shape) @ operator
        return operator

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        for part in self.links:
            image = part(image, rng)
        return image

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        raise NotImplementedError("a chain applies its parts in _on_batch")

    def __str__(self) -> str:
        return " + ".join(map(str, self.links))


@dataclass(frozen=True)
class Identity(Degradation):
    """Leave the image as it is, y = x."""

    name = "none"
    examples = ("none",)
    linear = True
    selects = True

    def operator(self, shape: Shape) -> LinearOperator:
        """Give the identity."""
        from resolvent.physics import operators

        return operators.Identity(shape)

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        return image.copy()

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        return x.clone()


@dataclass(frozen=True)
class RandomApply(Degradation):
    """Apply a degradation with a probability, ``jpeg:quality=20..100 @ 0.6``; one that keeps the size of the image.

    Attributes:
        degradation: What is applied or not.
        chance: Its probability, above 0 and below 1.

    Raises:
        UsageError: The chance is not that, or the degradation is a chain or one of these itself.

    Examples:
        >>> from resolvent.degradations import parse
        >>> print(parse("blur:sigma=1 @ 0.5 + noise:sigma=25").sample(np.random.default_rng(0)))
        noise:sigma=25
    """

    degradation: Degradation
    chance: float = field(metadata={"kind": CHANCE})

    def __post_init__(self) -> None:
        object.__setattr__(self, "chance", CHANCE.check("chance", self.chance))
        if self.chance == 1 or isinstance(self.degradation, Compose | RandomApply):
            raise UsageError(f"{self}: give each degradation its own chance, below 1")

    @property
    def name(self) -> str:  # type: ignore[override]
        """The name of the degradation."""
        return self.degradation.name

    @property
    def random(self) -> bool:
        """True."""
        return True

    @property
    def applied(self) -> Degradation:
        """The degradation without its chance."""
        return self.degradation

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the degradation reads, if it is applied."""
        return self.degradation.files

    def __call__(self, image: NDArray[np.floating[Any]], rng: np.random.Generator | None = None) -> Pixels:
        """Refuse, for it is not decided yet whether the degradation is applied.

        Raises:
            UsageError: Always.
        """
        raise UsageError(f"{self}: may be applied or not; call .sample(rng) first")

    def sample(self, rng: np.random.Generator) -> Degradation:
        """Give the degradation, sampled, with the probability ``chance``; else Identity."""
        return self.degradation.sample(rng) if rng.random() < self.chance else Identity()

    def _on_batch(
        self, x: Tensor, target: Tensor | None, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor | None, dict[str, Tensor]]:
        from resolvent.degradations import tensors

        if generator is None:
            raise UsageError(f"{self}: is random; pass generator=torch.Generator().manual_seed(seed)")
        chosen = (tensors.uniform((len(x),), generator, x.device) < self.chance).nonzero()[:, 0]
        count = len(chosen)
        samples = chosen if count else chosen.new_zeros(1)  # no degradation takes an empty batch; the result is dropped
        degraded, degraded_target, values = self.degradation._on_batch(
            x[samples], None if target is None else target[samples], generator
        )
        if degraded.shape[1:] != x.shape[1:]:
            raise UsageError(f"{self}: changes the size, so that a batch cannot have it by chance; leave out @")
        y = x.clone()
        y[chosen] = degraded[:count]
        if target is not None and degraded_target is not None:
            target = target.clone()
            target[chosen] = degraded_target[:count]
        numbers = {name: value.new_zeros(len(x), *value.shape[1:]) for name, value in values.items()}
        for name, value in values.items():
            numbers[name][chosen] = value[:count]
        return y, target, numbers

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        raise NotImplementedError("a call is refused")

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        raise NotImplementedError("its degradation is applied in _on_batch")

    def __str__(self) -> str:
        return f"{self.degradation} @ {format_value(self.chance)}"


def join(parts: tuple[Degradation, ...]) -> Degradation | None:
    """Make a chain of several degradations; one stays as it is, none gives None."""
    return Compose(parts) if len(parts) > 1 else next(iter(parts), None)
