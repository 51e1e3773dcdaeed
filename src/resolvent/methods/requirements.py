"""What a method requires: its packages, a degradation that it can invert, valid settings."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from resolvent import parameters
from resolvent.errors import MissingDependencyError, UsageError
from resolvent.methods import registry
from resolvent.methods.registry import find

if TYPE_CHECKING:
    from resolvent.methods.entry import Needs
    from resolvent.physics.forward_model import ForwardModel

__all__ = ["check", "check_settings", "common_options", "methods_for", "missing", "read_settings"]

OPTIONAL = {"pywt": ("PyWavelets", "methods"), "skimage": ("scikit-image", "methods"), "torch": ("torch", "lab")}
"""Packages beyond a plain installation, by the name under which they are imported: their own name, and our extra."""


def missing(name: str) -> MissingDependencyError | None:
    """The error for the first package that a method needs and that is not installed; None if it needs none.

    Raises:
        UsageError: No method has that name.
    """
    absent = [module for module in find(name).requires if importlib.util.find_spec(module) is None]
    return MissingDependencyError(*OPTIONAL[absent[0]], f"the method {name!r}") if absent else None


def check_settings(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a method in their canonical types.

    Raises:
        UsageError: There is no such method or setting, or a value breaks its rule.
    """
    return parameters.check_settings(name, find(name).settings, values)


def read_settings(name: str, texts: Sequence[str]) -> dict[str, Any]:
    """Read settings of a method from text such as ``iterations=500`` or ``targets=nlm,tv``.

    Raises:
        UsageError: A text has no ``=``, the method has no such setting, or the value breaks its rule.

    Examples:
        >>> read_settings("nlm", ["patch_distance=5"])
        {'patch_distance': 5}
    """
    return parameters.read_settings(name, find(name).settings, texts)


def check(name: str, forward_model: ForwardModel) -> None:
    """Refuse, before any work, a degradation that a method cannot undo, and a method whose packages are not installed.

    Raises:
        UsageError: There is no such method, or it cannot undo the degradation; the message names those that can.
        MissingDependencyError: The method needs a package that is not installed.

    Examples:
        >>> from resolvent.degradations import parse
        >>> from resolvent.physics.forward_model import ForwardModel
        >>> check("wiener", ForwardModel(parse("jpeg:quality=20")))
        Traceback (most recent call last):
        ...
        resolvent.errors.UsageError: wiener cannot undo jpeg; these can: dip, dip-fast, med
    """
    fault = _fault(find(name).needs, forward_model)
    if fault is None:
        if error := missing(name):
            raise error
        return
    others = methods_for(forward_model)
    remedy = f"these can: {', '.join(others)}" if others else "no method can; use a model"
    raise UsageError(f"{name} {fault}; {remedy}")


def common_options(name: str) -> tuple[str, ...]:
    """The common options that a method knows; see ``Method``.

    Raises:
        UsageError: No method has that name.
    """
    return find(name).common_options


def methods_for(forward_model: ForwardModel) -> list[str]:
    """Name the methods that can undo a degradation."""
    return [name for name, method in registry.METHODS.items() if _fault(method.needs, forward_model) is None]


def _fault(needs: Needs, forward_model: ForwardModel) -> str | None:
    degradation = forward_model.degradation
    foreign = [
        part.name
        for part in forward_model.active
        if part.name not in needs.handles and not (needs.any_linear and part.linear)
    ]
    if foreign:
        return f"cannot undo {', '.join(foreign)}"
    if needs.linear and not forward_model.parts:
        linear = [name for name in needs.handles if name not in ("noise", "poisson", "jpeg")]
        return f"undoes {', '.join(linear)}, and there is none of them in {str(degradation)!r}"
    if needs.closed and forward_model.mixed:
        return f"undoes what mirrors the border or what wraps around, and not both, as in {str(degradation)!r}"
    if needs.single and (len(forward_model.parts) > 1 or forward_model.parts[0].selects):
        return f"undoes one downsampling that merges pixels, and not {str(degradation)!r}"
    return None
