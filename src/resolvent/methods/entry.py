"""What a method is: an entry of METHODS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from resolvent.parameters import Setting

__all__ = ["Method", "Needs", "Restore"]

Restore = Callable[..., "NDArray[np.float32]"]
"""What a method is: ``(y, forward_model, **options)`` to the restored image."""


@dataclass(frozen=True)
class Needs:
    """The degradations that a method can invert.

    Attributes:
        handles: The degradations that its forward model may hold, by name, in any chain.
        linear: One of them is linear.
        single: There is only one of them, and it merges pixels rather than leaving some out.
        closed: The border is continued by mirroring in all of them, or in none.
        any_linear: Any other linear one may be held too, such as that of a plug-in: A and its adjoint are enough.
    """

    handles: tuple[str, ...]
    linear: bool = False
    single: bool = False
    closed: bool = False
    any_linear: bool = False

    def __str__(self) -> str:
        if self.single:
            return f"one degradation: {', '.join(self.handles)}"
        names = ", ".join((*self.handles, *["any other linear one"] * self.any_linear))
        return f"a degradation made of {names}" + ", a linear one among them" * self.linear


@dataclass(frozen=True)
class Method:
    """An entry of METHODS.

    Attributes:
        entry: ``module:function``, imported only when the method is used.
        summary: One line.
        needs: The degradations that it can invert.
        example: Text form of a degradation that it is meant for.
        reference: Where it was published.
        cost: What a color photograph of 256x256 pixels takes at most on a processor core, if nothing ends it early.
        memory: Bytes for each pixel of a result in color, with room to spare; measured.
        common_options: Options that every front end offers and this method knows: ``control``, ``seed``.
        settings: Its other options, with the defaults of the function, which a test compares.
        requires: What it imports beyond a plain installation: keys of OPTIONAL.
    """

    entry: str
    summary: str
    needs: Needs
    example: str
    reference: str
    cost: str
    memory: int
    common_options: tuple[str, ...] = ()
    settings: dict[str, Setting] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
