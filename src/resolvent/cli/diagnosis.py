"""The command diagnose: what is wrong with photographs, and what would help."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resolvent.batch.report import CHECKED, LEAST_CHANGE, printable
from resolvent.cli.console import Bar, left_out, names, say, show_json, stdin
from resolvent.cli.options import DASH, Json
from resolvent.errors import ResolventError, UsageError
from resolvent.io import is_folder

if TYPE_CHECKING:
    from resolvent.diagnosis import Diagnosis
    from resolvent.image import Image

__all__ = ["diagnose"]


def diagnose(
    inputs: Annotated[
        list[Path] | None, typer.Argument(help="Files, and folders (recursively); - reads one photograph from stdin.")
    ] = None,
    files_from: Annotated[
        str | None, typer.Option("--files-from", help="Read input names from a file, one a line; - is stdin.")
    ] = None,
    null: Annotated[
        bool, typer.Option("-0", "--null", help="Names of --files-from end with NUL, as from find -print0.")
    ] = False,
    as_json: Json = False,
    stream: Annotated[bool, typer.Option("--jsonl", help="Print each diagnosis as a line of JSON on stdout.")] = False,
) -> None:
    """Measure noise, blur and JPEG quality of photographs, and recommend a model."""
    from resolvent.batch.jobs import find_images

    if as_json and stream:
        raise UsageError("--json and --jsonl: give one of them")
    paths = [*(inputs or []), *map(Path, names(files_from, null=null) if files_from else ())]
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
                _, found = _diagnosed(job.source)
            except ResolventError as error:
                add({"input": str(job.source), "error": str(error)}, f"failed: {error}")
            else:
                helped |= _helps(found)
                add(
                    {"input": str(job.source), **dataclasses.asdict(found)},
                    f"{job.source}: {_words(found)}: {_advice(found)}",
                )
    for line in [CHECKED] * helped + left_out(search.ignored, search.repeated):
        say(line)
    if as_json:
        ignored, repeated = dict(search.ignored), [printable(path) for path in search.repeated]
        show_json({"ignored": ignored, "repeated": repeated, "results": rows})
    raise typer.Exit(int(any("error" in row for row in rows)))


def _diagnosed(path: Path) -> tuple[Image, Diagnosis]:
    from resolvent.diagnosis import diagnose as measure
    from resolvent.engine.remarks import nothing_to_do
    from resolvent.engine.request import ModelRequest
    from resolvent.image import read_image

    source = stdin() if path == DASH else path
    photograph = read_image(source)
    found = measure(photograph, source)
    alone = nothing_to_do(photograph, ModelRequest())
    if alone is not None:
        found = dataclasses.replace(found, model=None, sigma=None, strength=1.0, change=None, reasons=(alone,))
    return photograph, found


def _described(photograph: Image, found: Diagnosis) -> list[str]:
    """What is wrong with one photograph: each figure once, then in words."""
    return [
        *(f"- {reason}" for reason in (*found.reasons, *filter(None, [photograph.value_range.note]))),
        f"in words  {_words(found)}",
        f"advice    {_advice(found)}",
        *([f"          {CHECKED}"] if _helps(found) else []),
        "          not looked for: motion blur, blurred parts, scratches and dust (restore --repair finds these)",
    ]


NOISE = {0.5: "no noise", 2.0: "hardly any noise", 6.0: "slight noise", 15.0: "clear noise", 30.0: "strong noise"}
BLUR = {0.6: "sharp", 1.2: "slightly soft", 2.0: "soft"}
JPEG = {8.0: "fine JPEG", 20.0: "good JPEG", 40.0: "visible JPEG artifacts"}
GAIN = {0.5: "hardly better", 1.5: "slightly better", 4.0: "clearly better"}
"""Words for a photographer, each up to a value."""


def _word(value: float, words: dict[float, str], beyond: str) -> str:
    return next((word for most, word in words.items() if value < most), beyond)


def _words(found: Diagnosis) -> str:
    words = [_word(found.noise_sigma, NOISE, "very strong noise"), _word(found.blur_sigma, BLUR, "blurred")]
    if found.jpeg_quality is not None:
        words.append(_word(100 - found.jpeg_quality, JPEG, "strong JPEG artifacts"))
    return ", ".join(words)


def _helps(found: Diagnosis) -> bool:
    """Whether there is a model that changes the photograph by more than next to nothing."""
    return found.change is not None and found.change >= LEAST_CHANGE


def _advice(found: Diagnosis) -> str:
    if found.model is None:
        return "nothing to fix"
    if not _helps(found):
        return f"nothing to fix: the model {found.model!r} would change it by about {found.change:.2f} gray levels"
    gain = found.gains.get(found.model)
    look = "" if gain is None else f": will look {_word(gain, GAIN, 'much better')}"
    return f"restore with the model {found.model!r}{look}"
