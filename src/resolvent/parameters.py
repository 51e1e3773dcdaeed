"""Parameters as data: what each may be, how it is read from text, and how it is checked.

Degradations, methods and networks declare theirs with the same kinds. In a degradation a number may be fixed, drawn
from a range, or drawn from a few choices: ``1.6``, ``0.3..4``, ``5|9|15|21``. Where the parameter allows, a word may be
drawn from a few choices too: ``4:2:0|4:4:4``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import UsageError, unknown

__all__ = [
    "Array",
    "Choice",
    "FixedArray",
    "Flag",
    "Kind",
    "Number",
    "Range",
    "Setting",
    "Several",
    "Text",
    "Word",
    "check_settings",
    "format_number",
    "format_value",
    "read_settings",
    "values_of",
]


@dataclass(frozen=True)
class Range:
    """A number drawn uniformly between two ends; a whole number, both ends included, where the parameter is one.

    Where the parameter is one of ratios, such as an ISO speed, its logarithm is uniform.

    Example:
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

    Example:
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


class Kind(Protocol):
    """What a parameter may be."""

    @property
    def rule(self) -> str:
        """The rule in words."""

    def parse(self, text: str) -> Any:
        """Read a value from its text form; what cannot be read is left for ``check`` to refuse."""

    def check(self, label: str, value: Any) -> Any:
        """Return the value in its canonical type; raise UsageError if it breaks the rule."""


@dataclass(frozen=True)
class Number:
    """A number between two ends, or, where it may vary, a Range or a Choice of such numbers."""

    low: float
    high: float
    unit: str = ""
    whole: bool = False
    odd: bool = False
    above: bool = False  # low itself is excluded
    varies: bool = True
    log: bool = False  # a Range of it is uniform in the logarithm; low is above zero then

    @property
    def rule(self) -> str:
        """The rule in words."""
        kind = "an odd number" if self.odd else "a whole number" if self.whole else "a number"
        start = "above {}, up to" if self.above else "from {} to"
        return f"{kind} {start.format(format_number(self.low))} {format_number(self.high)} {self.unit}".rstrip()

    def parse(self, text: str) -> float | Range | Choice | str:
        """Read ``1.6``, ``0.3..4`` or ``5|9``."""
        pieces = text.split("..") if ".." in text else text.split("|")
        try:
            numbers = tuple(map(float, pieces))
        except ValueError:
            return text
        if ".." in text:
            return Range(*numbers) if len(numbers) == 2 else text
        return Choice(numbers) if len(numbers) > 1 else numbers[0]

    def check(self, label: str, value: Any) -> float | Range | Choice:
        """Return the number, whole where it is to be."""
        if not isinstance(value, Range | Choice):
            return self._number(label, value)
        if not self.varies:
            raise UsageError(f"{label} = {value}: must be one number, {self.rule}")
        numbers = tuple(self._number(label, number) for number in value.values)
        return Range(*numbers) if isinstance(value, Range) else Choice(numbers)

    def number(self, value: Any) -> float | Range | Choice:
        """Return the value, for it is a number."""
        return cast("float | Range | Choice", value)

    def _number(self, label: str, value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise UsageError(f"{label} = {value!r:.80}: must be {self.rule}") from None
        inside = self.low <= number <= self.high and not (self.above and number == self.low)
        if not inside or (self.whole and not number.is_integer()) or (self.odd and number % 2 != 1):
            raise UsageError(f"{label} = {format_number(number)}: must be {self.rule}")
        return int(number) if self.whole else number


@dataclass(frozen=True)
class Word:
    """One of a few words, or, where it may vary, a Choice of them; ``number`` gives the index of each."""

    whole: ClassVar[bool] = True
    log: ClassVar[bool] = False
    words: tuple[str, ...]
    varies: bool = False

    @property
    def rule(self) -> str:
        """The rule in words."""
        return f"one of {', '.join(self.words)}"

    def parse(self, text: str) -> str | Choice:
        """Read ``area`` or ``4:2:0|4:4:4``."""
        words = tuple(word.strip() for word in text.split("|"))
        return Choice(words) if len(words) > 1 else text

    def check(self, label: str, value: Any) -> str | Choice:
        """Return the word, or the Choice, if it is known."""
        if not isinstance(value, Choice):
            return self._word(label, value)
        if not self.varies:
            raise UsageError(f"{label} = {value}: must be {self.rule}")
        return Choice(tuple(self._word(label, word) for word in value.values))

    def number(self, value: Any) -> float | Choice:
        """Return the index of the word in ``words``, or a Choice of such indices."""
        if isinstance(value, Choice):
            return Choice(tuple(self.words.index(str(word)) for word in value.values))
        return self.words.index(value)

    def _word(self, label: str, value: Any) -> str:
        if value not in self.words:
            raise unknown(label, str(value), self.words)
        return str(value)


@dataclass(frozen=True)
class Text:
    """Any text, such as the path of a file."""

    rule: ClassVar[str] = "a text"

    def parse(self, text: str) -> str:
        """Return the text."""
        return text

    def check(self, label: str, value: Any) -> str:
        """Return the value as text."""
        return str(value)


@dataclass(frozen=True)
class Array:
    """A two-dimensional array, which only Python can give: its text form tells the shape and cannot be read back."""

    rule: ClassVar[str] = "a NumPy array (H, W), from Python alone"

    def parse(self, text: str) -> str:
        """Return the text, for ``check`` to refuse."""
        return text

    def check(self, label: str, value: Any) -> FixedArray:
        """Return a read-only copy."""
        if isinstance(value, FixedArray):
            return value
        if not isinstance(value, np.ndarray) or value.ndim != 2 or not value.size or value.dtype.kind not in "biuf":
            raise UsageError(f"{label} = {value!r:.40}: must be a NumPy array (H, W); in a text give a file, as path=")
        return FixedArray(value)


@dataclass(frozen=True)
class Flag:
    """True or false."""

    rule: ClassVar[str] = "true or false"

    def parse(self, text: str) -> bool | str:
        """Read ``true`` or ``false``."""
        return {"true": True, "false": False}.get(text.lower(), text)

    def check(self, label: str, value: Any) -> bool:
        """Return the value, if it is one of the two."""
        if not isinstance(value, bool | np.bool_):
            raise UsageError(f"{label} = {value!r:.80}: must be {self.rule}")
        return bool(value)


@dataclass(frozen=True)
class Several:
    """From ``low`` to ``high`` values of one kind, in an order."""

    kind: Kind
    low: int
    high: int

    @property
    def rule(self) -> str:
        """The rule in words."""
        count = str(self.low) if self.low == self.high else f"{self.low} to {self.high}"
        return f"{count} values, each {self.kind.rule}"

    def parse(self, text: str) -> tuple[Any, ...]:
        """Read ``5,4,3``."""
        return tuple(self.kind.parse(part.strip()) for part in text.split(",")) if text else ()

    def check(self, label: str, value: Any) -> tuple[Any, ...]:
        """Return the values as a tuple, each in its canonical type."""
        if not isinstance(value, Sequence) or isinstance(value, str) or not self.low <= len(value) <= self.high:
            raise UsageError(f"{label} = {value!r:.80}: must be {self.rule}")
        return tuple(self.kind.check(label, part) for part in value)


@dataclass(frozen=True)
class Setting:
    """An option of a method, or an argument of a network, declared once for the command line, Python and recipes.

    Attributes:
        kind: What it may be.
        default: That of the function or class; where it is None, None is allowed too, and ``help`` says what it means.
        help: One line.
        former: Its name before this release, which is still accepted.
    """

    kind: Kind
    default: Any
    help: str
    former: str | None = None

    def check(self, label: str, value: Any) -> Any:
        """Return the value in its canonical type; raise UsageError if it breaks the rule."""
        return None if value is None and self.default is None else self.kind.check(label, value)

    def to_json(self) -> dict[str, Any]:
        """The declaration as plain data, with the rule in words."""
        return {"rule": self.kind.rule, "default": self.default, "help": self.help}


def check_settings(owner: str, declared: Mapping[str, Setting], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings in their canonical types.

    Args:
        owner: What they belong to, for messages.
        declared: The settings that there are.
        values: Those that are given.

    Raises:
        UsageError: There is no such setting, or a value breaks its rule.

    Example:
        >>> declared = {"width": Setting(Number(1, 64, whole=True), 8, "filters")}
        >>> check_settings("net", declared, {"width": 16.0})
        {'width': 16}
    """
    checked: dict[str, Any] = {}
    for given, value in values.items():
        key = _current(declared, given)
        if key not in declared:
            raise unknown(f"setting of {owner}", str(key), declared)
        if key in checked:
            raise UsageError(f"{key} of {owner}: is given twice; give it once")
        checked[key] = declared[key].check(f"{key} of {owner}", value)
    return checked


def read_settings(owner: str, declared: Mapping[str, Setting], texts: Sequence[str]) -> dict[str, Any]:
    """Read settings from texts such as ``width=16``; see ``check_settings``.

    Raises:
        UsageError: A text has no ``=``, names no setting or one twice, or its value breaks the rule.
    """
    values: dict[str, Any] = {}
    for text in texts:
        given, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise UsageError(f"setting {text!r} of {owner}: give NAME=VALUE, of {', '.join(declared)}")
        key = _current(declared, given)
        if key in values:
            raise UsageError(f"{key} of {owner}: is given twice; give it once")
        values[key] = declared[key].kind.parse(value) if key in declared else value
    return check_settings(owner, declared, values)


def _current(declared: Mapping[str, Setting], name: str) -> str:
    """The name that a setting has today."""
    return next((key for key, setting in declared.items() if setting.former == name), name)


def format_number(value: float) -> str:
    """Give the shortest text that reads back as the same number, without a plus sign.

    Example:
        >>> format_number(25.0), format_number(0.1), format_number(1e300)
        ('25', '0.1', '1e300')
    """
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(float(value)).replace("e+", "e")


def format_value(value: object) -> str:
    """The text form of a parameter; a text that holds a mark of the grammar is quoted as in JSON.

    Example:
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
