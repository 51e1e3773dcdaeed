"""The commands for photographs: restore, degrade, demo."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resolvent.cli import complete
from resolvent.cli.console import Bar, RestoreConsole, names, say, show_json, summary
from resolvent.cli.options import DASH, Json, Output, Overwrite, Seed, check_report, fail, to_stdout, write_report
from resolvent.cli.pipe import restore_pipe
from resolvent.cli.signals import STOP, canceling
from resolvent.cli.watch import watch_folder
from resolvent.errors import UsageError, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resolvent.batch.report import Result
    from resolvent.engine.options import Options
    from resolvent.image import Limits

__all__ = ["degrade", "demo", "restore"]

COMMON = partial(typer.Option, rich_help_panel="Common")
OUTPUT = partial(typer.Option, rich_help_panel="Output")
ADVANCED = partial(typer.Option, rich_help_panel="Advanced")
METHODS = partial(typer.Option, rich_help_panel="Methods")
"""The panels of the help, in their order."""


def restore(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            path_type=str,
            help="Files, and folders (recursively), also as URLs such as s3://; - reads one photograph from stdin.",
        ),
    ] = None,
    more: Annotated[
        list[str] | None, typer.Option("-i", "--input", path_type=str, help="Further file or folder.", hidden=True)
    ] = None,
    output: Annotated[
        str | None,
        COMMON(
            "-o",
            "--output",
            path_type=str,
            help="Output folder, or output file for one input, or a URL; - is stdout. Default: beside the input.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        COMMON(
            "-m",
            "--model",
            help="Model (see resolvent models) or .onnx file. Default: chosen by diagnosis.",
            autocompletion=complete.models,
        ),
    ] = None,
    scale: Annotated[
        int | None, COMMON("-s", "--scale", help="Enlarge by a factor of 2 or 4.", autocompletion=complete.scales)
    ] = None,
    strength: Annotated[
        float, COMMON("--strength", help="Blend: 0 keeps the photograph exactly, 1 restores it fully.")
    ] = 1.0,
    realism: Annotated[
        float,
        COMMON("--realism", help="Invent detail that looks real, for -s 4: 0 (none) to 1. Not true to the scene."),
    ] = 0.0,
    repair: Annotated[
        bool, COMMON("--repair", help="Find and fill scratches, dust and creases; nothing else unless asked for.")
    ] = False,
    resume: Annotated[
        bool, COMMON("--resume", help="Continue: keep what is done, redo what changed (input, options), do the rest.")
    ] = False,
    watch: Annotated[
        bool,
        COMMON(
            "--watch", help="Restore what is in a folder, then what arrives there, until Ctrl-C; goes on as --resume."
        ),
    ] = False,
    overwrite: Annotated[bool, COMMON("--overwrite", help="Replace existing output files.")] = False,
    dry_run: Annotated[
        bool, COMMON("--dry-run", help="Show what would be done to each photograph, and how long it would take.")
    ] = False,
    quiet: Annotated[bool, COMMON("-q", "--quiet", help="Print failures only.")] = False,
    ext: Annotated[
        str | None,
        OUTPUT(
            "--ext",
            help="Output format, such as png. Default: the format of the input.",
            autocompletion=complete.formats,
        ),
    ] = None,
    quality: Annotated[
        int | None,
        OUTPUT("--quality", help="JPEG, WebP and AVIF quality, 1 to 100. Default: 95, or that of a finer JPEG input."),
    ] = None,
    suffix: Annotated[
        str, OUTPUT("--suffix", help="Suffix of output names, where outputs stand beside their inputs.")
    ] = ".restored",
    strip: Annotated[
        str | None,
        OUTPUT(
            "--strip",
            help="Leave out metadata: gps (coordinates and names of places), or all (all but the color profile).",
            autocompletion=complete.stripped,
        ),
    ] = None,
    keep_time: Annotated[bool, OUTPUT("--keep-time", help="Keep the modification time of the input.")] = False,
    page: Annotated[
        Path | None, OUTPUT("--page", help="HTML page with a before/after slider for each restored photograph.")
    ] = None,
    uncertainty: Annotated[
        str | None,
        OUTPUT(
            "--uncertainty",
            metavar="[KIND]",
            autocompletion=complete.maps,
            help="Write how far each pixel may be from the truth, as NAME.uncertainty.tif and an overlay (.png). KIND: "
            "learned (the default), or jacobian:probes=4 for a denoiser with -m.",
        ),
    ] = None,
    as_json: Annotated[
        bool, OUTPUT("--json", help="Print the results as one JSON object on stdout.", callback=to_stdout)
    ] = False,
    stream: Annotated[
        bool,
        OUTPUT(
            "--jsonl",
            help="Print each result as a line of JSON on stdout, as soon as it is finished.",
            callback=to_stdout,
        ),
    ] = False,
    sigma: Annotated[
        float | None, ADVANCED("--sigma", help="Noise level in 8-bit gray levels, for -m. Default: measured.")
    ] = None,
    mask: Annotated[
        Path | None, ADVANCED("--mask", help="Mask image of the input's size: white is filled, black is kept.")
    ] = None,
    write_mask: Annotated[
        Path | None, ADVANCED("--write-mask", help="PNG file for the mask of what --repair finds.")
    ] = None,
    frame: Annotated[
        int | None,
        ADVANCED("--frame", help="Page of a TIFF, or frame of an animated WebP or GIF. Default: the first, 1."),
    ] = None,
    workers: Annotated[
        int | None,
        ADVANCED("--workers", help="Photographs restored at once. Default: one on each core, as the memory allows."),
    ] = None,
    cluster: Annotated[
        str | None,
        ADVANCED(
            "--cluster", help="Restore on a cluster: a Dask scheduler (tcp://host:8786), local:4, ray, ray://host."
        ),
    ] = None,
    retry_failed: Annotated[
        bool, ADVANCED("--retry-failed", help="With --resume: try again what failed before.")
    ] = False,
    files_from: Annotated[
        str | None, ADVANCED("--files-from", help="Read input names from a file, one a line; - is stdin.")
    ] = None,
    null: Annotated[
        bool, ADVANCED("-0", "--null", help="Names of --files-from end with NUL, as from find -print0.")
    ] = False,
    tile: Annotated[
        int | None, ADVANCED("-t", "--tile", help="Tile size in pixels. Default: as large as the memory allows.")
    ] = None,
    memory: Annotated[
        str | None, ADVANCED("--memory", help="Memory limit, such as 512M. Default: half of the free memory.")
    ] = None,
    runtime: Annotated[
        str,
        ADVANCED("--runtime", help="Runtime: auto, onnxruntime, openvino or torch.", autocompletion=complete.runtimes),
    ] = "auto",
    megapixels: Annotated[float, ADVANCED("--max-megapixels", help="Refuse larger photographs.")] = 250,
    megabytes: Annotated[float, ADVANCED("--max-megabytes", help="Refuse larger files.")] = 500,
    method: Annotated[
        str | None,
        METHODS(
            "--method",
            help="Classical or untrained method (see resolvent methods) instead of a model.",
            autocompletion=complete.methods,
        ),
    ] = None,
    degradation: Annotated[
        str | None,
        METHODS(
            "--degradation",
            help="Known degradation that the method inverts, such as 'blur:sigma=1.6'.",
            autocompletion=complete.degradations,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, METHODS("--set", help="Setting of the method, such as iterations=500; repeatable.")
    ] = None,
    budget: Annotated[float | None, METHODS("--budget", help="Time limit in seconds of an iterative method.")] = None,
    preview: Annotated[
        Path | None, METHODS("--preview", help="PNG file of the current iterate, rewritten every few seconds.")
    ] = None,
    seed: Annotated[int, METHODS("--seed", help="Random seed.")] = 0,
) -> None:
    """Restore photographs: files, folders or stdin.

    Writes photo.restored.jpg beside photo.jpg, or to -o; inputs are never changed or replaced.

    A folder that was stopped goes on with --resume; resolvent batch tells how far it is and what failed.

    With --repair or --mask, only damage is filled, unless a model, a method or -s is given too: that follows.
    """
    from resolvent import methods
    from resolvent.batch.many import restore_many
    from resolvent.batch.places import Url, as_place, as_places, local
    from resolvent.batch.report import BatchReport
    from resolvent.batch.store import is_folder
    from resolvent.image import Limits

    method = method and method.lower()
    if settings and method is None:
        raise UsageError(f"--set {settings[0]}: is a setting of a method; give --method too")
    if uncertainty == "":
        raise UsageError("--uncertainty '': names no kind; leave it without a value, or give learned or jacobian")
    options: Options = {
        "model": model, "sigma": sigma, "scale": scale, "method": method, "degradation": degradation,
        "settings": methods.read_settings(method, settings) if method and settings else None, "budget": budget,
        "preview": preview, "repair": repair, "mask": mask, "write_mask": write_mask, "strength": strength,
        "realism": realism,
        "memory": memory, "seed": seed, "tile": tile, "runtime": runtime, "uncertainty": uncertainty,
    }  # fmt: skip
    limits = Limits(megapixels, megabytes)
    if as_json and stream:
        raise UsageError("--json and --jsonl: give one of them")
    if null and files_from is None:
        raise UsageError("--null: tells how --files-from is read; give --files-from - too")
    check_report("--page", page, ".html", overwrite=overwrite)
    files: dict[str, Any] = {
        "ext": ext, "quality": quality, "strip": strip, "keep_time": keep_time, "limits": limits, "frame": frame,
    }  # fmt: skip
    many = {**files, "suffix": suffix, "workers": workers, "retry_failed": retry_failed}
    if watch:
        endless = {
            "--overwrite": overwrite, "--dry-run": dry_run, "--page": page is not None, "--json": as_json,
            "--files-from": files_from is not None,
        }  # fmt: skip
        watched = [local(place) for place in as_places([*(inputs or []), *(more or [])])]
        to = None if output is None else local(as_place(output))
        watch_folder(watched, to, refused=endless, quiet=quiet, stream=stream, **many, **options)
    paths = as_places([*(inputs or []), *(more or []), *(names(files_from, null=null) if files_from else ())])
    place = None if output is None else as_place(output)
    if page is not None and any(isinstance(path, Url) for path in (*paths, place)):
        raise UsageError(f"--page {page}: shows files of this machine, and a URL is given; leave it out")
    if DASH in paths or place == DASH:
        unpiped = {
            "--resume": resume, "--workers": workers is not None, "--cluster": cluster is not None,
            "--dry-run": dry_run, "--page": page is not None,
        }  # fmt: skip
        restore_pipe(
            paths, place, refused=unpiped, quiet=quiet, as_json=as_json, stream=stream, overwrite=overwrite, **files,
            **options,
        )  # fmt: skip
        return
    verbose = len(paths) == 1 and not is_folder(paths[0])
    with RestoreConsole(verbose=verbose, quiet=quiet, stream=stream, dry_run=dry_run) as shown, canceling() as control:
        try:
            report = restore_many(
                paths,
                place,
                resume=resume,
                overwrite=overwrite,
                dry_run=dry_run,
                cluster=cluster,
                on_event=shown,
                on_full=shown.wait_for_room,
                control=control,
                **many,
                **options,
            )
        except KeyboardInterrupt:
            so_far = BatchReport(tuple(shown.results)).to_json() if as_json else None
            fail(f"stopped; {len(shown.results)} finished and kept; --resume goes on", STOP.exit_code, so_far)
    if page is not None and not dry_run:
        _write_page(page, report.results, overwrite, frame or 1, limits)
    if report.stopped or not (quiet or (verbose and len(report.results) == 1)):
        for line in summary(report):
            say(line)
    if as_json:
        show_json(report.to_json())
    raise typer.Exit(report.exit_code)


def _write_page(page: Path, results: Sequence[Result], overwrite: bool, frame: int, limits: Limits) -> None:
    from resolvent.batch.places import local
    from resolvent.engine.plan import INVENTED
    from resolvent.report.before_after import before_after_page

    restored = [result for result in results if result.status == "restored"]
    maps = {local(result.target): local(result.half_widths) for result in restored if result.half_widths is not None}
    pairs = [(local(result.source), local(result.target)) for result in restored]
    notes = {local(result.target): INVENTED for result in restored if INVENTED in result.reasons}
    html = before_after_page("Before and after", pairs, maps, frame=frame, limits=limits, notes=notes)
    write_report(page, html, overwrite=overwrite)
    say(f"open {page}")


def degrade(
    image: Annotated[Path, typer.Argument(help="Photograph to degrade.")],
    degradation: Annotated[
        str,
        typer.Argument(
            help="Degradation, such as 'blur:sigma=2 + noise:sigma=10 + jpeg:quality=40'.",
            autocompletion=complete.degradations,
        ),
    ],
    output: Output = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Degrade a photograph in a known way: to test, to train, to compare.

    A range (noise:sigma=5..30), a choice or a chance is sampled first, by --seed; what was sampled is printed.
    """
    import numpy as np

    from resolvent.degradations import degrade as apply
    from resolvent.degradations import parse
    from resolvent.image import output_format, write_image

    if DASH in (image, output):
        raise UsageError("degrade reads a file and writes one; - is for restore and diagnose")
    distribution = parse(degradation)
    degraded = apply(image, distribution, seed=seed)
    sampled = distribution.sample(np.random.default_rng(seed))  # as the line above has done
    target = output or image.with_name(f"{image.stem}.degraded{image.suffix}")
    inputs = [image, *distribution.files]
    if os.path.realpath(target) in map(os.path.realpath, inputs):
        raise UsageError(f"output {target}: is an input, and inputs are never replaced; give another output")
    losses = write_image(degraded, target, overwrite=overwrite, format=None if output else output_format(degraded))
    if as_json:
        facts = {"degradation": str(distribution), "sampled": str(sampled), "seed": seed, "warnings": losses}
        show_json({"input": str(image), "output": str(target), **facts})
        return
    for line in (str(sampled), *losses):
        say(f"{target}: {line}")


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Output folder.")] = Path("demo"),
    overwrite: Overwrite = False,
) -> None:
    """Degrade three photographs, restore them, and write a page that shows it."""
    from resolvent.report.demo import run_demo

    with Bar() as bar:
        page = run_demo(
            output,
            overwrite=overwrite,
            progress=lambda done, total: bar.show(done / total, f"{done} of {counted(total, 'restoration')}"),
        )
    say(f"open {page}")
