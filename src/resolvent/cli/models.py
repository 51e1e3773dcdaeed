"""The command for models: list them, print a card, add a third-party network, remove it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from resolvent.cli import complete
from resolvent.cli.console import Bar, say, show_json
from resolvent.cli.lists import show_table
from resolvent.cli.options import UNSTATED, Json, License, Overwrite
from resolvent.errors import counted

if TYPE_CHECKING:
    from resolvent.models.card import ModelCard

__all__ = ["app", "certificate"]


class ListByDefault(TyperGroup):
    """A group of commands in which whatever names none of them is for ``list``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click."""
        completing = ctx.resilient_parsing and not args
        if not completing and args[:1] not in ([name] for name in (*self.commands, *ctx.help_option_names)):
            args = ["list", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Give what completes the group, and what completes ``list``."""
        default = self.commands["list"]
        part = default if incomplete.startswith("-") else default.params[0]
        found = [*super().shell_complete(ctx, incomplete), *part.shell_complete(ctx, incomplete)]
        return list({item.value: item for item in found}.values())


app = typer.Typer(cls=ListByDefault, help="List the models, or print the card of one; add and remove models.")


@app.command("list")
def list_(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Model, .onnx file or run folder. Default: all models that have a name.",
            autocompletion=complete.models,
        ),
    ] = None,
    photographs: Annotated[
        bool, typer.Option("--credits", help="Print whose photographs the bundled models are made of, with licenses.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the models and where they come from, or print the card of one: resolvent models NAME."""
    from resolvent.errors import InputError
    from resolvent.models.credits import credits_of
    from resolvent.models.registry import added, bundled, find, read_card, realistic, with_realism

    if photographs:
        _show_credits(name, as_json=as_json)
        return
    paths = {name: find(name)} if name else {**added(), **bundled()}
    cards, broken = {}, []
    for key, path in paths.items():
        try:
            cards[key] = read_card(name or path)
        except InputError as error:
            if name:
                raise
            broken.append(f"{error}; or: resolvent models remove {key}")
    own, others = bundled().values(), added().values()
    origin = {key: "bundled" if path in own else "added" if path in others else "file" for key, path in paths.items()}
    if as_json:
        show_json(
            {
                key: {
                    **card.to_json(),
                    "origin": origin[key],
                    **({"credits": credits_of(card)} if origin[key] == "bundled" else {}),
                }
                for key, card in cards.items()
            }
        )
    else:
        calibration = certificate(cards[name]) if name else []
        rows = [
            (
                key,
                card.summary,
                f"{card.parameters / 1e6:.2f} M",
                card.license,
                str(card.data.get("photographs", "?")),
                origin[key],
            )
            for key, card in cards.items()
        ]
        show_table(
            ("model", "for", "parameters", "license", "photographs", "origin"),
            rows,
            spare=("photographs", "origin", "parameters"),
        )
        for key in cards.keys() & realistic().keys():
            say(
                f"{key}: --realism, 0 to 1, invents detail that looks real; see resolvent models {with_realism(key, 1)}"
            )
        for key in (key for key, card in cards.items() if card.invents):
            say(f"{key}: its fine detail is invented to look real, and is not true to the scene")
        for line in calibration:
            say(line)
        if name and origin[name] == "bundled":
            say(f"photographs: {cards[name].data['source']}; see resolvent models {name} --credits")
        elif not name:
            say("resolvent models --credits: whose photographs the bundled models are made of")
    for line in broken:
        say(line)


def _show_credits(name: str | None, *, as_json: bool) -> None:
    """Print the collections behind all bundled models, or behind one, with each photograph and its author."""
    import dataclasses

    from resolvent.errors import UsageError
    from resolvent.models.credits import collections, credits_of, uses
    from resolvent.models.registry import bundled, find, read_card

    if name is not None and find(name) not in bundled().values():
        raise UsageError(f"{name} --credits: is no bundled model; what its maker tells stands in its card")
    chosen = collections() if name is None else dict.fromkeys(row["collection"] for row in credits_of(read_card(name)))
    shown = {key: collections()[key] for key in chosen}
    if as_json:
        show_json({"uses": uses(), "collections": {key: dataclasses.asdict(found) for key, found in shown.items()}})
        return
    for found in shown.values():
        number = f", {counted(found.photographs, 'photograph')}" if found.photographs else ""
        say(f"{found.title}{number}")
        say(f"  license: {found.license}{f' ({found.license_url})' if found.license_url else ''}")
        say(f"  source: {found.source}")
        say(f"  used for: {'; '.join(uses()[use] for use in found.uses)}")
        say(f"  authors: {found.authors}")
        for work in found.works:
            author = f", by {work.author}" if work.author else ""
            say(f"    {work.file}{author}{f', {work.url}' if work.url else ''}")


def certificate(card: ModelCard) -> list[str]:
    """Say how a model's map of uncertainty is calibrated, and what was measured elsewhere; nothing without a map.

    Raises:
        InputError: The card does not tell all of that.
    """
    found = card.certificate
    if not found:
        return []
    lines = [
        f"uncertainty: calibrated on {counted(found['images'], 'photograph')} ({found['source']}): with probability "
        f"{1 - found['delta']:.0%}, {1 - found['alpha']:.0%} of the pixels lie within, on average over such photographs"
    ]
    for test, measured in found["coverage"].items():
        lines.append(
            f"  {test}, {counted(measured['images'], 'photograph')}: {measured['inside']:.1%} within, "
            f"{measured['worst']:.1%} on the worst 5 %, ±{measured['width']:.1f} of 255 on average"
        )
    return lines


@app.command()
def add(
    path: Annotated[
        Path, typer.Argument(help="An .onnx file, or .safetensors or .pth weights of a network that spandrel supports.")
    ],
    name: Annotated[str | None, typer.Option("--name", help="Name of the model. Default: that of the file.")] = None,
    summary: Annotated[str, typer.Option("--summary", help="One-line summary.")] = "",
    license: License = UNSTATED,  # noqa: A002
    scale: Annotated[
        int | None, typer.Option("-s", "--scale", help="Scale factor to expect. Default: measured.")
    ] = None,
    data_range: Annotated[
        int | None, typer.Option("--range", help="Value of white in its tensors, 1 or 255. Default: measured.")
    ] = None,
    halo: Annotated[
        int | None, typer.Option("--halo", help="Pixels of context around a tile. Default: measured.")
    ] = None,
    noise_level: Annotated[
        bool, typer.Option("--noise-level", help="The network takes the noise level as its last channel.")
    ] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Add a third-party network, which every command then takes by name.

    Its scale, value range and context are measured and recorded in a model card. It is kept in the user's data folder,
    or in that of the environment variable RESOLVENT_MODELS.
    """
    from resolvent.inference.foreign import add as add_model

    with Bar() as bar:
        card = add_model(
            path,
            name=name,
            license=license,
            summary=summary,
            scale=scale,
            data_range=data_range,
            halo=halo,
            noise_level=noise_level,
            overwrite=overwrite,
            progress=lambda step: bar.show(0, step),
        )
    if as_json:
        show_json({"model": card.name, "card": card.to_json()})
        return
    kind = "gray" if card.gray else "color"
    size = f"sides a multiple of {card.multiple}, {counted(card.halo, 'pixel')} of context"
    say(f"{card.name}: {card.scale}x, {kind}, values up to {card.data_range}, {size}")
    say(f"try: resolvent restore PHOTO -m {card.name}")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="An added model.", autocompletion=complete.own_models)],
    as_json: Json = False,
) -> None:
    """Remove an added model."""
    from resolvent.inference.foreign import remove as remove_model

    path = remove_model(name)
    if as_json:
        show_json({"removed": str(path)})
    else:
        say(f"{path}: removed")
