"""The values of parameters, and their text form."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import UsageError

__all__ = ["Choice", "FixedArray", "Range", "format_number", "format_value", "values_of"]


@dataclass(frozen=True)
class Range:
    """A number drawn uniformly between two ends; a whole number, both ends included, where the parameter is one.

    Where the parameter is one of ratios, such as an ISO speed, its logarithm is uniform.

    Examples:
        >>> str(Range(0.3, 4))
        '0.3..4'

    Raises:
        UsageError: Unless low < high, both finite.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise UsageError(f"range {self}: low must be below high, both finite; for one value give a number")

    def __str__(self) -> str:
        return f"{format_number(self.low)}..{format_number(self.high)}"

    @property
    def values(self) -> tuple[float, ...]:
        """The two ends."""
        return (self.low, self.high)

    def sample(self, rng: np.random.Generator, *, whole: bool = False, log: bool = False) -> float:
        """Draw one value, whole numbers with both ends; with ``log``, uniform in the logarithm."""
        if whole:
            return int(rng.integers(int(self.low), int(self.high), endpoint=True))
        if log:
            return float(self.low * (self.high / self.low) ** rng.random())
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class Choice:
    """A number or a word drawn from a few, each as likely as the others.

    Examples:
        >>> str(Choice((5, 9, 15, 21))), str(Choice(("4:2:0", "4:4:4")))
        ('5|9|15|21', '4:2:0|4:4:4')

    Raises:
        UsageError: With fewer than two values.
    """

    values: tuple[float | str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        if len(self.values) < 2:
            raise UsageError(f"choice {self.values}: needs two values or more; for one value give it alone")

    def __str__(self) -> str:
        return "|".join(value if isinstance(value, str) else format_number(value) for value in self.values)

    def sample(self, rng: np.random.Generator, *, whole: bool = False, log: bool = False) -> float | str:
        """Draw one of the values."""
        return self.values[rng.integers(len(self.values))]


@dataclass(frozen=True, eq=False)
class FixedArray:
    """A read-only copy of a two-dimensional array; two are equal when their contents are."""

    data: NDArray[Any]

    def __post_init__(self) -> None:
        data = np.array(self.data)
        data.flags.writeable = False
        object.__setattr__(self, "data", data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FixedArray) and np.array_equal(self.data, other.data)

    def __hash__(self) -> int:
        return hash(self.data.shape)

    def __str__(self) -> str:
        return "x".join(map(str, self.data.shape))


def values_of(value: float | Range | Choice) -> tuple[float, ...]:
    """Give the number itself, the ends of a Range, or the values of a Choice."""
    return cast("tuple[float, ...]", value.values) if isinstance(value, Range | Choice) else (value,)


def format_number(value: float) -> str:
    """Give the shortest text that reads back as the same number, without a plus sign.

    Examples:
        >>> format_number(25.0), format_number(0.1), format_number(1e300)
        ('25', '0.1', '1e300')
    """
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(float(value)).replace("e+", "e")


def format_value(value: object) -> str:
    """The text form of a parameter; a text that holds a mark of the grammar is quoted as in JSON.

    Examples:
        >>> format_value(2.0), format_value(True), format_value((5, 4)), format_value("a, b")
        ('2', 'true', '5,4', '"a, b"')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(format_value, value))
    if isinstance(value, int | float):
        return format_number(value)
    text = str(value)
    return (
        json.dumps(text, ensure_ascii=False) if set(text) & set('+,=@"') or text != text.strip() or not text else text
    )
