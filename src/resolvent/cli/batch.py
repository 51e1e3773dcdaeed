"""The commands for a batch: how far it is, and what has become of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resolvent.cli.console import duration, say, show_json
from resolvent.cli.options import Json, Overwrite, check_report, write_report
from resolvent.errors import UsageError, counted

if TYPE_CHECKING:
    from resolvent.batch.status import Summary

__all__ = ["app"]

app = typer.Typer(help="Show how far a batch is, or report what has become of its photographs.", no_args_is_help=True)

Folder = Annotated[str, typer.Argument(help="Output folder of the batch, or its URL.")]

SAMPLE = 12
"""Photographs on the page, taken evenly from all that were restored."""

FAILURES = 1000
"""Failures on the page at most; all are in the CSV and the JSON."""


@app.command()
def status(folder: Folder, as_json: Json = False) -> None:
    """Show how far a batch is, also while it runs."""
    from resolvent.batch.places import as_place
    from resolvent.batch.status import status_of

    found = status_of(as_place(folder))
    if as_json:
        show_json(found)
        return
    finished = found["done"] + found["failed"]
    line = f"{finished} of {found['total']} finished, {found['failed']} of them failed"
    if not found["running"]:
        say(f"{line}; " + ("stopped: the same command with --resume goes on" if found["waiting"] else "all is done"))
        return
    rate, left = found["photographs_per_second"], found["seconds_left"]
    pace = "" if left is None else f", {rate:.2f} a second, about {duration(round(left))} left"
    say(f"{line}; {found['working']} at work{pace} (process {found['pid']} on {found['host']})")


@app.command()
def report(
    folder: Folder,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Report to write: .html, .csv or .json. Default: failures as text."),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Report what has become of each photograph of a batch, and which failed and why."""
    from resolvent.batch.manifest import Manifest
    from resolvent.batch.places import as_place
    from resolvent.batch.status import summarize, write_csv

    ending = None if output is None else output.suffix.lower()
    if output is not None and ending not in (".html", ".csv", ".json"):
        raise UsageError(f"-o {output}: a report is .html, .csv or .json; give one of these extensions")
    check_report("-o", output, ending or "", overwrite=overwrite)
    with Manifest.open(as_place(folder), create=False) as manifest:
        found = summarize(manifest)
        if output is not None and ending == ".csv":
            write_csv(manifest, output, overwrite=overwrite)
    if output is not None and ending == ".html":
        write_report(output, _page(found), overwrite=overwrite)
    if output is not None and ending == ".json":
        import json

        text = json.dumps(found.to_json(), ensure_ascii=False, indent=1)
        write_report(output, text, overwrite=overwrite)
    if as_json:
        show_json(found.to_json())
        return
    fates = ", ".join(f"{count} {name}" for name, count in _fates(found))
    say(f"{counted(sum(found.counts.values()), 'photograph')}: {fates}")
    if pace := _pace(found):
        say(pace)
    for path, reason in found.failures if output is None else ():
        say(f"failed: {path}: {reason}")
    if output is not None:
        say(f"open {output}" if ending == ".html" else f"wrote {output}")


def _fates(found: Summary) -> list[tuple[str, str]]:
    counts, statuses = found.counts, found.statuses
    lines = [
        ("restored", statuses["restored"]),
        ("unchanged, nothing to fix", statuses["unchanged"]),
        ("found there, of an earlier batch", statuses["skipped"]),
        ("failed", counts["failed"]),
        ("not done yet", counts["waiting"] + counts["started"]),
    ]
    return [(name, str(count)) for name, count in lines if count]


def _pace(found: Summary) -> str:
    if found.rate is None:
        return ""
    return (
        f"{found.pixels / 1e6:.1f} megapixels restored, {found.rate:.3f} a second by each worker, "
        f"{duration(found.seconds)} of work"
    )


def _page(found: Summary) -> str:
    from resolvent.batch.places import Url
    from resolvent.engine.plan import INVENTED
    from resolvent.report.batch_page import batch_page

    tables = [("Results", [("result", "photographs"), *_fates(found)])]
    if found.models:
        models = [(name, str(count)) for name, count in found.models.most_common()]
        tables.append(("Models", [("model", "photographs"), *models]))
    more = f", the first {FAILURES} of {len(found.failures)}" if len(found.failures) > FAILURES else ""
    failures = [(str(path), reason) for path, reason in found.failures[:FAILURES]]
    pairs = [(old, new) for old, new in found.restored if not (isinstance(old, Url) or isinstance(new, Url))]
    step = max(1, len(pairs) // SAMPLE)
    frame = found.settings.get("files", {}).get("frame") or 1
    lead = f"{counted(sum(found.counts.values()), 'photograph')} in {found.folder}. {_pace(found)}"
    if found.invented:
        lead += f". Of those restored, {found.invented}: {INVENTED}."
    sample = pairs[::step][:SAMPLE]
    return batch_page("Batch report", lead, tables, (f"Failures{more}", failures), sample, frame=frame)
