"""Recipes by name and from TOML files, and the settings of a command line that override them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from resolvent.errors import InputError, UsageError, unknown
from resolvent.training.recipe import FINE_TUNING, RATES, Recipe, under_present_names

__all__ = ["load_recipe", "parse_settings", "recipe_text", "recipes"]


def recipes() -> dict[str, Recipe]:
    """The recipes that come with Resolvent, by name."""
    folder = resources.files("resolvent.training") / "recipes"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return {name[:-5]: _read((folder / name).read_text("utf-8"), name) for name in names}


def recipe_text(name: str) -> str:
    """The TOML of a recipe that comes with Resolvent, or of a file.

    Raises:
        UsageError: No recipe has that name, or a value is not valid.
        InputError: The file cannot be read.
    """
    load_recipe(name)
    if name.endswith(".toml"):
        return Path(name).read_text("utf-8")
    return (resources.files("resolvent.training") / "recipes" / f"{name}.toml").read_text("utf-8")


def load_recipe(name_or_path: str, **overrides: Any) -> Recipe:
    """Load a recipe by name or from a TOML file, with some values overridden.

    Raises:
        UsageError: No recipe has that name, or a value is not valid.
        InputError: The file cannot be read.
    """
    if name_or_path.endswith(".toml"):
        try:
            text = Path(name_or_path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{name_or_path}: not a readable recipe ({error}); give a TOML file") from error
        recipe = _read(text, name_or_path)
    else:
        known = recipes()
        if name_or_path not in known:
            raise unknown("recipe", name_or_path, known)
        recipe = known[name_or_path]
    overrides = under_present_names(overrides, "settings")
    values = recipe.to_json()
    if overrides.get("start") and not recipe.start and not overrides.keys() & set(RATES):
        values |= {rate: FINE_TUNING * values[rate] for rate in RATES}
    return Recipe.from_json({**values, **overrides}, origin=name_or_path)


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` pairs as TOML reads them; a value that TOML cannot read is taken as text.

    Raises:
        UsageError: A pair has no key or no equals sign.

    Examples:
        >>> parse_settings(["batch=16", "loss=mse", "betas=[0.9, 0.999]"])
        {'batch': 16, 'loss': 'mse', 'betas': [0.9, 0.999]}
    """
    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not key or not equals:
            raise UsageError(f"setting {setting!r}: give KEY=VALUE, such as batch=16")
        try:
            values[key] = tomllib.loads(f"value = {value}")["value"]
        except (ValueError, RecursionError):  # as TOML has them, or numbers of too many digits, deep brackets
            values[key] = value
    return values


def _read(text: str, origin: str) -> Recipe:
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of too many digits, brackets in brackets too
        raise UsageError(f"{origin}: not valid TOML: {error}") from error
    return Recipe.from_json(data, origin)
