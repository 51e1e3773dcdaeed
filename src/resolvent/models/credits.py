"""Whose photographs the bundled models are made of: ``CREDITS.toml``, as data and by model.

The cards stand in the model files, which a correction of a name shall not change; so credits are attached to a card
when it is shown.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from resolvent.errors import InputError

if TYPE_CHECKING:
    from resolvent.models.card import ModelCard

__all__ = ["Collection", "Work", "collections", "collections_of", "credits_of", "uses"]


@dataclass(frozen=True)
class Work:
    """One photograph.

    Attributes:
        file: Its name in its collection, which often is its title.
        author: Who took it, as the file or the list of attributions has it; empty if that is not known.
        url: Its page; empty if that is not known.
    """

    file: str
    author: str = ""
    url: str = ""


@dataclass(frozen=True)
class Collection:
    """Photographs of one source under one license.

    Attributes:
        title: What it is.
        license: As the collection states it, or a sentence that says that it does not.
        source: Where the photographs were taken from.
        uses: What they were used for, keys of ``uses``.
        photographs: How many; 0 of what are none.
        authors: How far the photographers are known.
        license_url: Where the license is to be read; empty if that is not known.
        works: Each photograph, where the collection lists them.
    """

    title: str
    license: str
    source: str
    uses: tuple[str, ...]
    photographs: int
    authors: str
    license_url: str = ""
    works: tuple[Work, ...] = ()


@cache
def _read() -> dict[str, Any]:
    return tomllib.loads((resources.files("resolvent.models") / "CREDITS.toml").read_text("utf-8"))


def uses() -> dict[str, str]:
    """What photographs are used for: key to phrase."""
    return dict(_read()["uses"])


@cache
def collections() -> dict[str, Collection]:
    """All collections by key, those of training first."""
    return {
        key: Collection(**{
            **found, "uses": tuple(found["uses"]), "works": tuple(Work(**work) for work in found.get("works", ())),
        })
        for key, found in _read()["collections"].items()
    }  # fmt: skip


def collections_of(text: str) -> tuple[str, ...]:
    """The keys of the collections that a card means by a text on its data.

    Raises:
        InputError: No such text is known.
    """
    for card in _read()["cards"]:
        if card["says"] == text:
            return tuple(card["collections"])
    raise InputError(f"photographs {text!r:.60}: have no entry in CREDITS.toml; add one to [[cards]]")


def credits_of(card: ModelCard) -> list[dict[str, Any]]:
    """Whose photographs a bundled model is made of, as plain data: each collection once for each of its uses.

    Raises:
        InputError: The card names photographs that have no entry.
    """
    named = [("training", card.data["source"])]
    if card.uncertainty:
        named.append(("calibration", card.certificate["source"]))
    return [
        {
            "use": use, "collection": key, "title": found.title, "license": found.license, "source": found.source,
            "photographs": found.photographs,
        }
        for use, text in named
        for key in collections_of(text)
        for found in [collections()[key]]
    ]  # fmt: skip
