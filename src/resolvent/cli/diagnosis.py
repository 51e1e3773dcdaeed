"""The command diagnose: what is wrong with photographs, and what would help."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resolvent.batch.report import CHECKED, printable
from resolvent.batch.words import advice, diagnose_alone, helps, words
from resolvent.cli.console import Bar, left_out, names, say, show_json, stdin
from resolvent.cli.options import DASH, Json, to_stdout
from resolvent.errors import ResolventError, UsageError
from resolvent.io import is_folder

if TYPE_CHECKING:
    from resolvent.diagnosis import Diagnosis
    from resolvent.image import Image

__all__ = ["diagnose"]


def diagnose(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(path_type=str, help="Files, and folders (recursively); - reads one photograph from stdin."),
    ] = None,
    files_from: Annotated[
        str | None, typer.Option("--files-from", help="Read input names from a file, one a line; - is stdin.")
    ] = None,
    null: Annotated[
        bool, typer.Option("-0", "--null", help="Names of --files-from end with NUL, as from find -print0.")
    ] = False,
    as_json: Json = False,
    stream: Annotated[
        bool, typer.Option("--jsonl", help="Print each diagnosis as a line of JSON on stdout.", callback=to_stdout)
    ] = False,
) -> None:
    """Measure noise, blur and JPEG quality of photographs, and recommend a model."""
    from resolvent.batch.jobs import find_images
    from resolvent.batch.places import as_places, local

    if as_json and stream:
        raise UsageError("--json and --jsonl: give one of them")
    named = [*(inputs or []), *(names(files_from, null=null) if files_from else ())]
    paths = [local(place) for place in as_places(named)]
    if paths == [DASH] or (len(paths) == 1 and not is_folder(paths[0])):
        photograph, found = _diagnosed(paths[0])
        if as_json or stream:
            show_json(dataclasses.asdict(found))
        else:
            for line in _described(photograph, found):
                say(line)
        return
    if DASH in paths:
        raise UsageError(f"{len(paths)} inputs: - takes one photograph")
    search = find_images(paths)
    rows: list[dict[str, Any]] = []
    helped = False
    with Bar() as bar:

        def add(row: dict[str, Any], line: str) -> None:
            rows.append(row)
            if stream:
                show_json(row)
            bar.line(line)

        for folder, reason in search.unusable.items():
            add({"input": str(folder), "error": reason}, f"failed: {reason}")
        for done, job in enumerate(search.jobs):
            bar.show(done / len(search.jobs), f"{done + 1} of {len(search.jobs)}  {job.source.name}")
            try:
                _, found = _diagnosed(local(job.source))
            except ResolventError as error:
                add({"input": str(job.source), "error": str(error)}, f"failed: {error}")
            else:
                helped |= helps(found)
                add(
                    {"input": str(job.source), **dataclasses.asdict(found)},
                    f"{job.source}: {words(found)}: {advice(found)}",
                )
    for line in [CHECKED] * helped + left_out(search.ignored, search.repeated, search.earlier):
        say(line)
    if as_json:
        ignored, repeated = dict(search.ignored), [printable(path) for path in search.repeated]
        earlier = [printable(path) for path in search.earlier]
        show_json({"ignored": ignored, "repeated": repeated, "earlier": earlier, "results": rows})
    raise typer.Exit(int(any("error" in row for row in rows)))


def _diagnosed(path: Path) -> tuple[Image, Diagnosis]:
    from resolvent.image import read_image

    source = stdin() if path == DASH else path
    photograph = read_image(source)
    return photograph, diagnose_alone(photograph, source)


def _described(photograph: Image, found: Diagnosis) -> list[str]:
    """What is wrong with one photograph: each figure once, then in words."""
    return [
        *(f"- {reason}" for reason in (*found.reasons, *filter(None, [photograph.value_range.note]))),
        f"in words  {words(found)}",
        f"advice    {advice(found)}",
        *([f"          {CHECKED}"] if helps(found) else []),
        "          not looked for: motion blur, blurred parts, scratches and dust (restore --repair finds these)",
    ]
