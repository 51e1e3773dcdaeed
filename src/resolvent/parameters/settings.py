"""Options that are declared once, for the command line, Python and recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resolvent.errors import UsageError, unknown
from resolvent.parameters.kinds import Kind

__all__ = ["Setting", "check_settings", "read_settings"]


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

    Examples:
        >>> from resolvent.parameters import Number
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
