"""What a parameter may be: how it is read from text, and how it is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

import numpy as np

from resolvent.errors import UsageError, unknown
from resolvent.parameters.values import Choice, FixedArray, Range, format_number

__all__ = ["Array", "Flag", "Kind", "Number", "Several", "Text", "Word"]


@runtime_checkable
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
