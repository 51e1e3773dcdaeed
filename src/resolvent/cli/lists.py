"""The commands that list what there is: methods, degradations, networks and recipes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from resolvent.cli.console import console, show_json
from resolvent.cli.options import Json

__all__ = ["degradations", "methods", "networks", "recipes", "show_table"]


def methods(as_json: Json = False) -> None:
    """List the methods: what each one does, needs and costs."""
    from resolvent.errors import MissingDependencyError
    from resolvent.methods import METHODS
    from resolvent.methods.settings import settings

    def own(name: str) -> dict[str, str] | None:
        try:
            return settings(name)
        except MissingDependencyError:  # a list is of use without torch too
            return None

    if as_json:
        show_json({name: {**dataclasses.asdict(method), "options": own(name)} for name, method in METHODS.items()})
        return
    rows = [
        (name, method.summary, str(method.needs), method.cost, f"{method.memory / 1000:.1f} GB")
        for name, method in METHODS.items()
    ]
    caption = "cost: for 256x256 pixels in color, on one core; memory: for a megapixel"
    show_table(("method", "what it is", "needs", "cost", "memory"), rows, caption)


def degradations(as_json: Json = False) -> None:
    """List the degradations with their parameters: what --degradation and recipes are written in."""
    from resolvent.degradations import DEGRADATIONS
    from resolvent.degradations.parameters import format_value

    def parameters(kind: type[Any]) -> dict[str, dict[str, Any]]:
        return {
            field.name: {
                "rule": field.metadata["kind"].rule,
                "required": field.default is dataclasses.MISSING,
                "default": None if field.default in (None, dataclasses.MISSING) else format_value(field.default),
            }
            for field in dataclasses.fields(kind)
        }

    def line(name: str, about: dict[str, Any]) -> str:
        default = f" (default {about['default']})" if about["default"] is not None else ""
        return f"{name}: {about['rule']}{default}"

    known = {
        name: (str(kind.__doc__).partition("\n")[0].replace("``", ""), parameters(kind))
        for name, kind in DEGRADATIONS.items()
    }
    if as_json:
        show_json({name: {"summary": summary, "parameters": own} for name, (summary, own) in known.items()})
        return
    rows = [(name, summary, "\n".join(line(*each) for each in own.items())) for name, (summary, own) in known.items()]
    caption = "name:parameter=value + ...; a..b is uniform between the two, a|b one of them, @ 0.5 half of the time"
    show_table(("degradation", "what it does", "parameters"), rows, caption)


def networks(as_json: Json = False) -> None:
    """List the networks that can be trained, and the arguments that make them."""
    from resolvent.networks import NETWORKS

    if as_json:
        show_json({name: dataclasses.asdict(network) for name, network in NETWORKS.items()})
        return
    rows = [
        (name, network.summary, ", ".join(f"{key} = {json.dumps(value)}" for key, value in network.arguments.items()))
        for name, network in NETWORKS.items()
    ]
    show_table(("network", "what it is", "arguments"), rows)


def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this recipe as TOML, to start a file of your own.")] = None,
    as_json: Json = False,
) -> None:
    """List the recipes that resolvent train knows, or print one."""
    from resolvent.training.recipe import load_recipe, recipe_text
    from resolvent.training.recipe import recipes as bundled

    if name and not as_json:
        typer.echo(recipe_text(name), nl=False)
        return
    known = {name: load_recipe(name)} if name else bundled()
    if as_json:
        show_json({key: recipe.to_json() for key, recipe in known.items()})
        return
    rows = [(key, recipe.summary, recipe.network, recipe.budget) for key, recipe in known.items()]
    show_table(("recipe", "for", "network", "budget"), rows)


def show_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], caption: str | None = None) -> None:
    """Print a table; what stands in brackets is text, not markup."""
    from rich.table import Table
    from rich.text import Text

    table = Table(*head, caption=caption)
    for row in rows:
        table.add_row(*map(Text, row))
    console().print(table)
