"""The forward model y = N(A x) of a degradation: what the methods know of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np
from array_api_compat import is_numpy_array
from numpy.typing import NDArray

from resolvent.errors import UsageError
from resolvent.physics.noise import Noise
from resolvent.physics.operators import Identity, LinearOperator, Shape

if TYPE_CHECKING:
    from resolvent.degradations import Degradation

__all__ = ["ForwardModel"]


@dataclass(frozen=True)
class ForwardModel:
    """y = N(A x): A is linear, in the order of the degradation; N adds noise, or is something else that is named.

    Images are (H, W, C) NumPy arrays, or (N, C, H, W) torch tensors, in [0, 1] or beyond.

    Attributes:
        degradation: What it was made from, every parameter a single value.

    Raises:
        UsageError: A parameter may have several values; or what is linear follows noise that it would color, or what
            is not additive noise: that has no such form.

    Examples:
        >>> from resolvent.degradations import parse
        >>> model = ForwardModel(parse("blur:sigma=1.6 + downsample:scale=2 + noise:sigma=5"))
        >>> model.scale, model.noise.sigma
        (2, 5.0)
        >>> model.operator((32, 48)).output_shape
        (16, 24)
        >>> ForwardModel(parse("noise:sigma=5 + blur:sigma=1.6"))
        Traceback (most recent call last):
        ...
        resolvent.errors.UsageError: noise:sigma=5 + blur:sigma=1.6: blur follows noise, which is not white after ...
    """

    degradation: Degradation
    _operators: dict[Shape, LinearOperator] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        degradation = self.degradation
        if any(part.sample(np.random.default_rng(0)) != part for part in self.active):
            raise UsageError(f"{degradation}: a method needs to know what happened; give each parameter one value")
        noise = Noise()
        for part in self.active:
            if part.linear and not part.selects and (noise.named or noise.others):
                before = noise.others[-1] if noise.others else "noise, which is not white after that"
                raise UsageError(
                    f"{degradation}: {part.name} follows {before}; a forward model has what is linear first"
                )
            noise += part.noise

    @property
    def active(self) -> tuple[Degradation, ...]:
        """All parts that do something."""
        return tuple(part for part in self.degradation.parts if part.name != "none")

    @cached_property
    def parts(self) -> tuple[Degradation, ...]:
        """The linear parts, first applied first."""
        return tuple(part for part in self.active if part.linear)

    @property
    def noise(self) -> Noise:
        """What N is."""
        return self.degradation.noise

    @property
    def scale(self) -> int:
        """Sides of x over those of y."""
        return self.degradation.scale

    @cached_property
    def reach(self) -> int:
        """How many pixels beyond its border an image is continued by mirroring."""
        return sum(part.reach for part in self.parts)

    @cached_property
    def mixed(self) -> bool:
        """Whether the border is mirrored in some parts and wraps around in others."""
        wraps = any(part.reach == 0 and not part.selects for part in self.parts)
        return self.reach > 0 and wraps

    @cached_property
    def masked(self) -> bool:
        """Whether a mask hides pixels."""
        return any(part.hides for part in self.parts)

    @cached_property
    def circular(self) -> ForwardModel:
        """The same with an image that wraps around, whose operators mostly have closed forms."""
        return self if self.reach == 0 else ForwardModel(self.degradation.circular())

    def operator(self, shape: Shape) -> LinearOperator:
        """A, for images x of one size (H, W).

        Raises:
            UsageError: A mask has another size.
            InputError: A kernel or a mask cannot be read.
        """
        if shape not in self._operators:
            self._operators[shape] = _product(self.parts, shape)
        return self._operators[shape]

    def operator_to(self, shape: Shape) -> LinearOperator:
        """A, for images y of one size (h, w)."""
        return self.operator((self.scale * shape[0], self.scale * shape[1]))

    def __call__(self, x: Any) -> Any:
        """A x."""
        return _on_image(self.operator(_size(x)), x)

    def adjoint(self, y: Any) -> Any:
        """Aᵀ y."""
        return _on_image(self.operator_to(_size(y)).adjoint, y)

    def known(self, shape: Shape) -> NDArray[np.bool_]:
        """Which pixels of an image y, (h, w), were measured: all but those that a mask hides in it."""
        last = [*takewhile(lambda part: part.selects, reversed(self.parts))][::-1]  # of others a value shows in several
        scale = math.prod(part.scale for part in last)
        whole = (scale * shape[0], scale * shape[1])
        known: NDArray[np.bool_] = _product(last, whole)(np.ones(whole)) > 0.5
        return known

    def seen(self, shape: Shape) -> NDArray[np.bool_]:
        """Which pixels of an image x, (H, W), have a share in y that no mask has taken away."""
        if not self.masked:
            return np.ones(shape, np.bool_)
        operator = self.operator(shape)
        share = operator.adjoint(np.ones(operator.output_shape))
        full = _product((part for part in self.parts if not part.hides), shape)
        unmasked = full.adjoint(np.ones(full.output_shape))
        hidden: NDArray[np.bool_] = (unmasked > LEAST_SHARE) & (share < LEAST_SHARE * unmasked)
        return ~hidden

    def residual(self, x: Any, y: Any) -> float:
        """Root mean square of y - A x over the known pixels, in [0, 1]."""
        known = self.known(_size(y))
        squares = np.square(np.asarray(self(x)) - y)
        return float(np.sqrt(squares[known].mean())) if known.any() else 0.0

    def expected_residual(self, y: NDArray[np.floating[Any]]) -> float | None:
        """What ``residual`` is for the true x, in [0, 1]; None where the noise level is unknown, or N is no noise."""
        if not (self.noise.named and self.noise.additive):
            return None
        known = self.known(_size(y))
        return self.noise.level(float(y[known].mean()) if known.any() else 0.0) / 255


LEAST_SHARE = 0.05
"""Of what a pixel of x would weigh in y; one that a mask has left less of counts as not seen."""


def _product(parts: Iterable[Degradation], shape: Shape) -> LinearOperator:
    operator: LinearOperator = Identity(shape)
    for part in parts:
        operator = part.operator(operator.output_shape) @ operator
    return operator


def _size(x: Any) -> Shape:
    return tuple(x.shape[:2] if is_numpy_array(x) else x.shape[-2:])


def _on_image(apply: Callable[[Any], Any], x: Any) -> Any:
    """Apply what works on the last two axes to an image (H, W, C) or to a tensor (N, C, H, W)."""
    if not is_numpy_array(x):
        return apply(x)
    return np.moveaxis(apply(np.moveaxis(x, -1, 0)), 0, -1)
