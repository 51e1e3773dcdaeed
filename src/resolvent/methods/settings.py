"""The settings of a method: which there are, and how they are read from text."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from resolvent.errors import UsageError, unknown
from resolvent.methods import load

if TYPE_CHECKING:
    pass

__all__ = ["read_settings", "settings"]


def settings(name: str) -> dict[str, str]:
    """The options of a method beyond those that every front end offers, with their types as text.

    Raises:
        UsageError: No method has that name.
        MissingDependencyError: It needs torch, which is not installed.
    """
    given = inspect.signature(load(name)).parameters.values()
    own = [each for each in given if each.kind is each.KEYWORD_ONLY and each.name not in ("control", "seed")]
    return {each.name: str(each.annotation) for each in own}


def read_settings(name: str, texts: Sequence[str]) -> dict[str, Any]:
    """Read options of a method from text such as ``iterations=500`` or ``targets=nlm,tv``.

    Raises:
        UsageError: A text has no ``=``, the method has no such option, or it is of another type.

    Example:
        >>> read_settings("nlm", ["patch_distance=5"])
        {'patch_distance': 5}
    """
    types, values = settings(name), {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"set {text!r}: give name=value, of {', '.join(types)}")
        if key not in types:
            raise unknown(f"option of {name}", key, types)
        wanted = types[key].split(" | ")
        read = next((READERS[each] for each in wanted if each in READERS), str)
        try:
            values[key] = read(value)
        except ValueError as error:
            raise UsageError(f"set {text!r}: {key} is {wanted[0]}") from error
    return values


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _several(read: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    return lambda text: tuple(read(part.strip()) for part in text.split(","))


READERS: dict[str, Callable[[str], Any]] = {
    "int": int, "float": float, "bool": _truth, "str": str,
    "Sequence[int]": _several(int), "Sequence[float]": _several(float), "Sequence[str]": _several(str),
}  # fmt: skip
"""How an option is read, by its type."""
