"""The commands that list what there is: models, methods, degradations, networks and recipes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from resolvent.cli.console import console, escaped, show_json
from resolvent.cli.options import Json

__all__ = ["degradations", "methods", "models", "networks", "recipes"]


def models(
    name: Annotated[
        str | None,
        typer.Argument(help="Bundled model, .onnx file or run folder. Default: all bundled models."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the bundled models, or print the card of one model."""
    from resolvent.models.registry import list_models, read_card

    cards = {name: read_card(name)} if name else list_models()
    if as_json:
        show_json({key: card.to_json() for key, card in cards.items()})
        return
    rows = [
        (
            key,
            card.summary,
            f"{card.parameters / 1e6:.2f} M",
            card.license,
            f"{card.data.get('photographs', '?')} photographs",
        )
        for key, card in cards.items()
    ]
    _show(("model", "for", "parameters", "license", "trained on"), rows)


def methods(as_json: Json = False) -> None:
    """List the classical and untrained methods: what each one does, needs and costs."""
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
    _show(("method", "what it is", "needs", "cost", "memory"), rows, caption)


def degradations(as_json: Json = False) -> None:
    """List the degradations and their parameters, for --degradation and recipes."""
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
    _show(("degradation", "what it does", "parameters"), rows, caption)


def networks(as_json: Json = False) -> None:
    """List the networks and their arguments."""
    from resolvent.networks import NETWORKS

    if as_json:
        show_json({name: dataclasses.asdict(network) for name, network in NETWORKS.items()})
        return
    rows = [
        (name, network.summary, ", ".join(f"{key} = {json.dumps(value)}" for key, value in network.arguments.items()))
        for name, network in NETWORKS.items()
    ]
    _show(("network", "what it is", "arguments"), rows)


def recipes(
    name: Annotated[str | None, typer.Argument(help="Recipe to print as TOML.")] = None,
    as_json: Json = False,
) -> None:
    """List the training recipes, or print one."""
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
    _show(("recipe", "for", "network", "budget"), rows)


def _show(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], caption: str | None = None) -> None:
    """Print a table; what stands in brackets is text, not markup."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(*head, caption=caption)
    for row in rows:
        table.add_row(*(escape(chr(10).join(map(escaped, cell.split(chr(10))))) for cell in row))
    console().print(table)
