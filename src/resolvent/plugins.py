"""Registries: the entries that come with Resolvent, followed by those that installed distributions add.

A distribution adds one by an entry point in the group ``resolvent.methods``, ``resolvent.degradations`` or
``resolvent.networks``. Nothing is searched until a name is asked for that is not built in, or all names are listed.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator, MutableMapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from resolvent.errors import MissingDependencyError, UsageError

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

__all__ = ["Registry", "import_entry"]

Entry = TypeVar("Entry")

logger = logging.getLogger("resolvent")


class Registry(MutableMapping[str, Entry]):
    """Entries by name; a built-in one cannot be replaced by a plug-in.

    A plug-in that cannot be used is an error where its name is asked for; a listing leaves it out and logs a warning.

    Args:
        kind: What an entry is, such as ``"method"``; plug-ins are in the group ``resolvent.methods``.
        entries: Those that come with Resolvent.
        fault: Gives what is wrong with the entry of a plug-in, from its name and itself; None if nothing is.

    Raises:
        UsageError: On access, if the plug-in of that name cannot be used.
    """

    def __init__(self, kind: str, entries: dict[str, Entry], fault: Callable[[str, Any], str | None]) -> None:
        self._kind, self._entries, self._fault = kind, dict(entries), fault
        self._warned: set[str] = set()

    def __getitem__(self, name: str) -> Entry:
        if name not in self._entries:
            self._entries[name] = self._load(name)
        return self._entries[name]

    def __setitem__(self, name: str, entry: Entry) -> None:
        self._entries[name] = entry

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __iter__(self) -> Iterator[str]:
        for name in sorted(self._plugins.keys() - self._warned):
            try:
                self[name]
            except UsageError as error:
                logger.warning("%s", error)
                self._warned.add(name)
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(list(iter(self)))

    @cached_property
    def _plugins(self) -> dict[str, list[EntryPoint]]:
        """The entry points of the group by name, without those whose name is built in."""
        from importlib.metadata import distributions

        plugins: dict[str, list[EntryPoint]] = {}
        seen = set()
        for distribution in distributions():
            try:
                found = distribution.entry_points.select(group=f"resolvent.{self._kind}s")
            except (TypeError, ValueError):  # what importlib.metadata raises for a line that it cannot read
                logger.warning("%s: its entry_points.txt cannot be read; reinstall it", _label(distribution))
                continue
            if not found or distribution.metadata["Name"] in seen:
                continue  # of two versions, Python imports the one that comes first
            seen.add(distribution.metadata["Name"])
            for point in found:
                if point.name in self._entries:
                    logger.warning("%s is left out, for that name is built in", self._describe(point))
                else:
                    plugins.setdefault(point.name, []).append(point)
        return plugins

    def _load(self, name: str) -> Entry:
        points = self._plugins.get(name)
        if points is None:
            raise KeyError(name)
        if len(points) > 1:
            labels = " and ".join(_label(point.dist) for point in points)
            raise UsageError(f"{self._kind} {name!r}: comes from {labels}; uninstall all but one")
        try:
            entry = points[0].load()
            fault = self._fault(name, entry)
        except Exception as error:  # noqa: BLE001 - whatever the code of others raises
            fault = f"cannot be loaded ({type(error).__name__}: {error})"
        if fault:
            raise UsageError(f"{self._describe(points[0])} {fault}; update or uninstall {_label(points[0].dist)}")
        return entry  # type: ignore[no-any-return]  # ``fault`` has looked at it

    def _describe(self, point: EntryPoint) -> str:
        return f"plug-in {_label(point.dist)}: its {self._kind} {point.name!r} ({point.value})"


def _label(distribution: Distribution | None) -> str:
    name = distribution and distribution.metadata["Name"]
    return f"{name} {distribution.version}" if distribution and name else "a distribution without a name"


def import_entry(entry: str, purpose: str) -> Any:
    """Import what an entry of a registry names.

    Args:
        entry: ``module:attribute``.
        purpose: What it is needed for, such as ``"the method 'dip'"``.

    Raises:
        MissingDependencyError: It needs torch, which is not installed.
        UsageError: There is no such module or attribute.
    """
    module, _, attribute = entry.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name == "torch":
            raise MissingDependencyError("torch", "lab", purpose) from error
        raise UsageError(f"{purpose}: {entry} cannot be imported ({error})") from error
    except AttributeError as error:
        raise UsageError(f"{purpose}: {entry} cannot be imported ({error})") from error
