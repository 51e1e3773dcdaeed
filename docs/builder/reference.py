"""The reference, written from the code: commands, public names, model cards and registries."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

import resolvent
from docs.builder.collect import SOURCE
from resolvent.cli.reference import Command, command_tree, panels, walk
from resolvent.degradations import DEGRADATIONS
from resolvent.methods import METHODS
from resolvent.models.credits import collections, uses
from resolvent.models.registry import list_models, read_card
from resolvent.networks import NETWORKS
from resolvent.parameters import Setting, format_value
from resolvent.training.objectives import OBJECTIVES
from resolvent.training.recipe import recipe_keys
from resolvent.training.recipe_file import recipe_text, recipes

__all__ = ["write_credits", "write_reference"]

PYTHON = {
    "Restoring": ["restore", "Restorer", "restore_many", "plan", "run", "Plan", "Restoration", "Control"],
    "Looking": ["diagnose", "compare", "list_models", "list_methods"],
    "Degrading and training": ["degrade", "parse", "train"],
    "Photographs and files": ["Image", "Limits", "read_image", "write_image"],
    "Errors": [
        "ResolventError", "UsageError", "MissingDependencyError", "InputError", "FormatError", "SizeError",
        "OutputError", "ClusterError", "QualityError", "TrainingError",
    ],
}  # fmt: skip
"""All public names, in the order of the page."""


TYPES = {
    "str": "a text", "int": "a whole number", "int | None": "a whole number", "float": "a number",
    "bool": "true or false", "tuple[str, ...]": "a list of texts", "tuple[float, float]": "two numbers",
    "dict[str, Any]": "a table",
}  # fmt: skip
"""What a value of a recipe's key is, in the words of TOML."""


def write_reference(output: Path) -> None:
    """Write the pages of the reference into a folder."""
    output.mkdir(parents=True, exist_ok=True)
    pages = {
        "index": INDEX, "cli": _cli(), "python": _python(), "models": _models(), "methods": _methods(),
        "degradations": _degradations(), "networks": _networks(), "objectives": _objectives(), "recipes": _recipes(),
    }  # fmt: skip
    for name, text in pages.items():
        (output / f"{name}.md").write_text(text, "utf-8")


INDEX = """# Reference

Written from the code when this documentation is built.

- [Command line](cli.md): every command and option.
- [Python](python.md): every public name.
- [Models](models.md): the cards of the bundled models.
- [Methods](methods.md), [degradations](degradations.md), [networks](networks.md), [objectives](objectives.md): what
  can be named, with all settings.
- [Recipes](recipes.md): how the bundled models are trained, and every key.
"""


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Markdown of a table; a bar within code divides nothing."""

    def escaped(cell: str) -> str:
        return "".join(part if part[:1] == "`" else part.replace("|", "\\|") for part in re.split("(`[^`]*`)", cell))

    lines = [[escaped(str(cell).replace("\n", " ")) for cell in row] for row in (head, *rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def facts(rows: Iterable[tuple[str, Any]]) -> str:
    """A table without a head of what is known of a thing."""
    return table(("", ""), [row for row in rows if row[1]])


def sentence(summary: str) -> str:
    """A summary of a registry as a sentence."""
    return f"{summary[0].upper()}{summary[1:]}."


def code(value: Any) -> str:
    """A value as inline code, or nothing if there is none."""
    return "" if value in (None, "") else f"`{value}`"


def documented(path: str, **options: str) -> str:
    """What mkdocstrings is to put in place of a docstring, without a heading of its own."""
    chosen = {"show_root_heading": "false", "show_root_toc_entry": "false", "show_bases": "false", **options}
    return f"::: {path}\n    options:\n" + "\n".join(f"      {key}: {value}" for key, value in chosen.items())


def source(path: str) -> str:
    """A link to the module that a dotted path names."""
    return f"[`{path}`]({SOURCE}/blob/main/src/{path.replace('.', '/')}.py)"


def _settings(settings: Mapping[str, Setting]) -> str:
    rows = [
        (
            code(name),
            setting.help,
            setting.kind.rule,
            code(None if setting.default is None else json.dumps(setting.default)),
        )
        for name, setting in settings.items()
    ]
    return table(("setting", "what it is", "values", "default"), rows) if rows else "No settings.\n"


def write_credits(page: Path) -> None:
    """Write the page that names the photographs behind the models."""
    named = uses()
    parts = [
        "# Credits",
        "Whose photographs the bundled models are made of, and were measured on. `resolvent models --credits` prints "
        "the same, `resolvent models NAME --credits` what belongs to one model.",
    ]
    for collection in collections().values():
        license_ = f"[{collection.license}]({collection.license_url})" if collection.license_url else collection.license
        rows = [
            ("photographs", collection.photographs or ""), ("license", license_), ("source", collection.source),
            ("used for", "; ".join(named[use] for use in collection.uses)), ("authors", collection.authors),
        ]  # fmt: skip
        parts += [f"## {collection.title}", facts(rows)]
        if collection.works:
            works = [
                (code(work.file), f"[{work.author}]({work.url})" if work.url else work.author)
                for work in collection.works
            ]
            parts.append(f'??? note "All {len(works)}"\n\n' + indent(table(("file", "by"), works), "    "))
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n\n".join(parts) + "\n", "utf-8")


def _cli() -> str:
    """One section for each command, with the anchor of its name, such as ``#resolvent-restore``."""
    tree = command_tree()
    parts = [f"# {tree.name}", *map(plain, tree.help), f"```text\n{tree.usage}\n```"]
    parts += ["Every command has `-h` and `--help`, which show what stands here.", *_parameters(tree)]
    rows = [(f"[{c.name}](#{c.name.replace(' ', '-')})", plain(c.help[0])) for c in walk(tree) if c is not tree]
    parts += ["## Commands", table(("command", "what it does"), rows)]
    for command in walk(tree):
        if command is not tree:
            parts += [f"{'#' * command.name.count(' ')}# {command.name}", *map(plain, command.help)]
            parts += [f"```text\n{command.usage}\n```", *_parameters(command)]
    return "\n\n".join(parts) + "\n"


def _parameters(command: Command) -> list[str]:
    """The tables of the arguments of a command, and of the panels of its options."""
    groups = {"Arguments": command.arguments} if command.arguments else {}
    return [
        table((title, "what it is"), [(code(parameter.synopsis), plain(parameter.description)) for parameter in group])
        for title, group in {**groups, **panels(command)}.items()
    ]


def plain(text: str) -> str:
    """Text as Markdown that shows it as it is."""
    return re.sub(r"([\\`*_<\[\]])", r"\\\1", text)


def _python() -> str:
    listed = [name for names in PYTHON.values() for name in names]
    if sorted(listed) != sorted(resolvent.__all__):
        raise SystemExit(
            f"docs/builder/reference.py: PYTHON must list resolvent.__all__; {set(listed) ^ set(resolvent.__all__)}"
        )
    parts = [
        "# Python",
        "`import resolvent` gives these names. Everything else is internal, but for the registries of CONTRIBUTING.",
    ]
    for title, names in PYTHON.items():
        parts.append(f"## {title}")
        for name in names:
            thing = getattr(resolvent, name)
            parts.append(f"::: {thing.__module__}.{name}\n    options:\n      heading: {name}\n      toc_label: {name}")
    return "\n\n".join(parts) + "\n"


def _models() -> str:
    parts = [
        "# Models",
        "The bundled models. `resolvent models NAME` prints a card, `--json` all of it; "
        "`resolvent models add` takes models of other projects.",
    ]
    for name in list_models():
        card = read_card(name)
        data = card.data
        rows = [
            ("task", card.task),
            ("for", card.summary),
            ("network", f"{card.network}, {card.parameters / 1e6:.2f} million parameters"),
            ("trained on", f"{data['photographs']} photographs: {data['source']}" if data else ""),
            ("degradation", code(card.degradation)),
            ("training", f"{card.seconds / 60:.0f} minutes, {card.steps} steps, {card.hardware}"),
            ("license", card.license),
            ("sigma", f"{card.sigma_range[0]:g} to {card.sigma_range[1]:g} gray levels" if card.noise_level else ""),
            ("sides", f"multiples of {card.multiple} (padded), tiles overlap by {card.halo} pixels"),
        ]
        parts += [f"## {name}", facts(rows)]
        if figures := (card.figures or {}).get("validation"):
            shown = [(code(degradation), f"{value:.2f} dB") for degradation, value in figures.items()]
            parts += [f"Validation, {card.figures['protocol']}:", table(("degradation", "PSNR"), shown)]
        if card.uncertainty:
            about = card.uncertainty
            parts.append(f"Map of errors, calibrated on {about['images']} photographs ({about['source']}):")
            parts.append(
                table(
                    ("photographs", "number", "inside", "worst 5 %", "mean half-width"),
                    [
                        (kind, m["images"], f"{m['inside']:.1%}", f"{m['worst']:.1%}", f"±{m['width']:.1f} of 255")
                        for kind, m in about["coverage"].items()
                    ],
                )
            )
    return "\n\n".join(parts) + "\n"


def _methods() -> str:
    parts = [
        "# Methods",
        "Methods without a model of their own: `resolvent restore PHOTO --method NAME --degradation TEXT`. "
        "[What they do](../research/methods.md), with their equations.",
    ]
    for name, method in METHODS.items():
        home, _, function = method.entry.partition(":")
        rows = [
            ("needs", str(method.needs)),
            ("example", code(method.example)),
            ("time", f"{method.cost}, at most, for 256x256 pixels in color on one core"),
            ("memory", f"{method.memory / 1000:.1f} GB for a megapixel"),
            ("extra", ", ".join(f"`{extra}`" for extra in method.requires)),
            ("source", method.reference),
        ]
        parts += [f"## {name}", sentence(method.summary)]
        parts += [facts(rows), _settings(method.settings)]
        parts += [f"`{function}` of {source(home)}:", documented(f"{home}.{function}")]
    return "\n\n".join(parts) + "\n"


def _degradations() -> str:
    parts = [
        "# Degradations",
        "The text form: `name:parameter=value + name:...`, in the order in which they happen. "
        "`a..b` is uniform between the two, `a|b` one of them, `@ 0.5` happens half of the time. "
        "[How to use them](../research/degradations.md).",
    ]
    for name, kind in DEGRADATIONS.items():
        rows = []
        for field in dataclasses.fields(kind):
            absent = field.default is dataclasses.MISSING
            default = "required" if absent else code(None if field.default is None else format_value(field.default))
            rows.append((code(field.name), field.metadata["kind"].rule, default))
        parts += [f"## {name}", documented(f"{kind.__module__}.{kind.__name__}", members="false")]
        parts += [table(("parameter", "values", "default"), rows) if rows else "No parameters."]
        if examples := ", ".join(f"`{example}`" for example in kind.examples):
            parts.append(f"Examples: {examples}")
        parts.append(f"`{kind.__name__}` of {source(kind.__module__)}")
    return "\n\n".join(parts) + "\n"


def _networks() -> str:
    parts = ["# Networks", "What a recipe's `network` can name. `[arguments]` in a recipe overrides the defaults."]
    for name, network in NETWORKS.items():
        given = ", ".join(f"`{key} = {json.dumps(value)}`" for key, value in network.arguments.items())
        parts += [
            f"## {name}",
            f"{sentence(network.summary)} {network.parameters / 1e6:.2f} million parameters.",
        ]
        parts.append(f"Built with {given}." if given else "")
        parts.append(_settings(network.settings))
    return "\n\n".join(part for part in parts if part) + "\n"


def _objectives() -> str:
    parts = [
        "# Objectives",
        'What training minimizes: `objective = "NAME"` in a recipe, or `--set objective=NAME`. '
        "[Which one to take](../research/objectives.md).",
    ]
    for name, entry in OBJECTIVES.items():
        parts += [
            f"## {name}",
            f"{sentence(entry.summary)} Learns from {entry.photographs} photographs.",
        ]
        parts.append(_settings(entry.settings))
    return "\n\n".join(parts) + "\n"


def _recipes() -> str:
    keys = [
        (
            code(key),
            about["help"],
            TYPES[about["type"]],
            "required" if about["required"] else code(json.dumps(about["default"])),
        )
        for key, about in recipe_keys().items()
    ]
    parts = [
        "# Recipes",
        "`resolvent train NAME --images PHOTOS` follows one; `resolvent recipes NAME > mine.toml` makes it yours.",
        "## Keys",
    ]
    parts.append(table(("key", "what it is", "type", "default"), keys))
    for name, recipe in recipes().items():
        parts += [
            f"## {name}",
            sentence(recipe.summary),
            f"```toml\n{recipe_text(name).strip()}\n```",
        ]
    return "\n\n".join(parts) + "\n"
