"""The commands that list what there is: methods, degradations, networks, objectives and recipes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from resolvent.cli import complete
from resolvent.cli.console import console, escaped, say, show_json
from resolvent.cli.options import Json
from resolvent.errors import UsageError, unknown

if TYPE_CHECKING:
    from resolvent.networks import Network
    from resolvent.parameters import Setting

__all__ = ["degradations", "methods", "networks", "objectives", "recipes", "show_table"]


def methods(
    name: Annotated[
        str | None, typer.Argument(help="Print this method with its settings.", autocompletion=complete.methods)
    ] = None,
    as_json: Json = False,
) -> None:
    """List the classical and untrained methods: what each one does, needs and costs; or print one with its settings."""
    from resolvent.methods import METHODS, missing

    known = _chosen("method", name, METHODS)
    absent = {key: str(error) if (error := missing(key)) else None for key in known}
    if as_json:
        show_json(
            {
                key: {**dataclasses.asdict(method), "settings": _to_json(method.settings), "missing": absent[key]}
                for key, method in known.items()
            }
        )
        return
    rows = [
        (key, method.summary, str(method.needs), method.cost, f"{method.memory / 1000:.1f} GB")
        for key, method in known.items()
    ]
    caption = "cost: for 256x256 pixels in color, on one core; memory: for a megapixel"
    show_table(("method", "what it is", "needs", "cost", "memory"), rows, caption)
    if name:
        _show_settings("setting", known[name].settings, known[name].reference)
    for line in sorted({line for line in absent.values() if line}):
        say(line)


def degradations(
    name: Annotated[
        str | None, typer.Argument(help="Print this degradation.", autocompletion=complete.degradations)
    ] = None,
    as_json: Json = False,
) -> None:
    """List the degradations and their parameters, for --degradation and recipes."""
    from resolvent.degradations import DEGRADATIONS
    from resolvent.parameters import format_value

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
        key: (str(kind.__doc__).partition("\n")[0].replace("``", ""), parameters(kind))
        for key, kind in _chosen("degradation", name, DEGRADATIONS).items()
    }
    if as_json:
        show_json({key: {"summary": summary, "parameters": own} for key, (summary, own) in known.items()})
        return
    rows = [
        (key, summary, "\n".join(line(*parameter) for parameter in own.items()))
        for key, (summary, own) in known.items()
    ]
    caption = "name:parameter=value + ...; a..b is uniform between the two, a|b one of them, @ 0.5 half of the time"
    show_table(("degradation", "what it does", "parameters"), rows, caption)


def networks(
    name: Annotated[
        str | None, typer.Argument(help="Print this network with all its arguments.", autocompletion=complete.networks)
    ] = None,
    as_json: Json = False,
) -> None:
    """List the networks and their arguments, or print one with all its arguments."""
    from resolvent.networks import NETWORKS

    known = _chosen("network", name, NETWORKS)
    if as_json:
        show_json(
            {
                key: {**dataclasses.asdict(network), "settings": _to_json(_own_defaults(network))}
                for key, network in known.items()
            }
        )
        return
    rows = [
        (
            key,
            network.summary,
            f"{network.parameters / 1e6:.2f} M",
            ", ".join(f"{name} = {json.dumps(value)}" for name, value in network.arguments.items()),
        )
        for key, network in known.items()
    ]
    show_table(("network", "what it is", "parameters", "arguments"), rows)
    if name:
        caption = "default: of this network; a recipe's [arguments] or --set arguments=... override it"
        _show_settings("argument", _own_defaults(known[name]), caption)


def objectives(
    name: Annotated[
        str | None, typer.Argument(help="Print this objective with its settings.", autocompletion=complete.objectives)
    ] = None,
    as_json: Json = False,
) -> None:
    """List what training can minimize, or print one objective with its settings."""
    from resolvent.training.objectives import OBJECTIVES

    known = _chosen("objective", name, OBJECTIVES)
    if as_json:
        show_json(
            {
                key: {
                    "summary": entry.summary,
                    "photographs": entry.photographs,
                    "settings": _to_json(entry.settings),
                }
                for key, entry in known.items()
            }
        )
        return
    rows = [(key, entry.summary, entry.photographs) for key, entry in known.items()]
    show_table(("objective", "what it is", "photographs"), rows, "a recipe's objective = NAME or --set objective=NAME")
    if name and known[name].settings:
        _show_settings("setting", known[name].settings, "--set 'objective_settings={NAME = VALUE}' overrides it")


def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Recipe to print as TOML.", autocompletion=complete.recipes)
    ] = None,
    keys: Annotated[bool, typer.Option("--keys", help="List the keys of a recipe, which --set overrides.")] = False,
    as_json: Json = False,
) -> None:
    """List the training recipes, print one, or list the keys of recipes."""
    from resolvent.training.recipe import recipe_keys
    from resolvent.training.recipe_file import load_recipe, recipe_text
    from resolvent.training.recipe_file import recipes as bundled

    if name and keys:
        raise UsageError(f"recipes {name} --keys: all recipes have the same keys; leave one of the two out")
    if keys:
        known_keys = recipe_keys()
        if as_json:
            show_json(known_keys)
            return
        rows = [
            (key, about["help"], about["type"], "required" if about["required"] else json.dumps(about["default"]))
            for key, about in known_keys.items()
        ]
        show_table(("key", "what it is", "type", "default"), rows)
        return
    if name and not as_json:
        typer.echo(recipe_text(name), nl=False)
        return
    known = {name: load_recipe(name)} if name else bundled()
    if as_json:
        show_json({key: recipe.to_json() for key, recipe in known.items()})
        return
    rows = [(key, recipe.summary, recipe.network, recipe.budget) for key, recipe in known.items()]
    show_table(("recipe", "for", "network", "budget"), rows, "resolvent recipes --keys lists the keys of a recipe")


Entry = TypeVar("Entry")


def _chosen(kind: str, name: str | None, registry: Mapping[str, Entry]) -> Mapping[str, Entry]:
    """The one entry that is named, or all."""
    if name is not None and name not in registry:
        raise unknown(kind, name, registry)
    return registry if name is None else {name: registry[name]}


def _own_defaults(network: Network) -> dict[str, Setting]:
    """The settings with the defaults of this network, where they differ from those of its class."""
    return {
        key: dataclasses.replace(setting, default=network.arguments.get(key, setting.default))
        for key, setting in network.settings.items()
    }


def _to_json(settings: Mapping[str, Setting]) -> dict[str, dict[str, Any]]:
    return {key: setting.to_json() for key, setting in settings.items()}


def _show_settings(head: str, settings: Mapping[str, Setting], caption: str) -> None:
    from resolvent.parameters import format_value

    rows = [
        (key, setting.help, setting.kind.rule, "" if setting.default is None else format_value(setting.default))
        for key, setting in settings.items()
    ]
    show_table((head, "what it is", "a value is", "default"), rows, caption)


def show_table(
    head: tuple[str, ...], rows: Sequence[tuple[str, ...]], caption: str | None = None, spare: Sequence[str] = ()
) -> None:
    """Print a table, nothing in it cut off; what stands in brackets is text, not markup.

    Args:
        head: The titles of the columns; the second is that of the description.
        rows: Of texts.
        caption: Stands below it.
        spare: Titles of columns that are left out, in this order, where the description has too little room.
    """
    from rich.table import Column, Table
    from rich.text import Text

    terminal = console()
    lost = _lost(head, rows, spare, terminal.width)
    if lost:
        kept = [number for number, title in enumerate(head) if title not in lost]
        head, rows = tuple(head[i] for i in kept), [tuple(row[i] for i in kept) for row in rows]
        caption = f"{f'{caption}; ' if caption else ''}a wider terminal, or --json, shows more: {', '.join(lost)}"
    first, *others = head
    short = (
        max((len(row[0]) for row in rows), default=0) <= terminal.width // 2
    )  # names, for which the other columns give way
    columns = (Column(first, no_wrap=short), *(Column(title, overflow="fold") for title in others))
    table = Table(*columns, caption=None if caption is None else Text(caption))
    for row in rows:
        cells = ("\n".join(map(escaped, cell.split("\n"))) for cell in row)
        table.add_row(*(Text(cell, overflow="fold", no_wrap=False) for cell in cells))
    terminal.print(table)


DESCRIPTION = 30
"""Characters of a line of a description, below which it is hard to read."""


def _lost(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], spare: Sequence[str], width: int) -> list[str]:
    """The titles of those columns that have to go, so that the description has room beside the others."""
    from rich.cells import cell_len

    columns = {title: max(map(cell_len, column)) for title, *column in zip(head, head, *rows, strict=True)}
    needed = min(columns[head[1]], DESCRIPTION)
    lost: list[str] = []
    for title in spare:
        others = [columns[other] for other in head if other not in (head[1], *lost)]
        if width - sum(others) - 3 * (len(others) + 1) - 1 >= needed:
            break
        lost.append(title)
    return lost
