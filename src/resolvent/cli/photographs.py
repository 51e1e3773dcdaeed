"""The commands for photographs: restore, diagnose, degrade, demo."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from resolvent.batch.jobs import SUFFIX
from resolvent.batch.local import restore_many
from resolvent.batch.pipe import restore_piped
from resolvent.batch.report import BatchReport
from resolvent.cli.console import RestoreConsole, console, emit, say, show_json, stdin, summary
from resolvent.cli.options import DASH, Json, Output, Overwrite, Seed, fail
from resolvent.engine.request import Options
from resolvent.errors import UsageError
from resolvent.image import QUALITY, Limits, output_format, read_image, write_image
from resolvent.methods.settings import read_settings

__all__ = ["degrade", "demo", "diagnose", "restore"]


def restore(
    inputs: Annotated[list[Path] | None, typer.Argument(help="Files and folders; - is stdin.")] = None,
    more: Annotated[list[Path] | None, typer.Option("-i", "--input", help="A file or folder too.", hidden=True)] = None,
    output: Output = None,
    model: Annotated[
        str | None, typer.Option("-m", "--model", help="A model by name, or an .onnx file; chosen if not given.")
    ] = None,
    method: Annotated[str | None, typer.Option("--method", help="A method instead of a model.")] = Options.method,
    degradation: Annotated[
        str | None, typer.Option("--degradation", help="What the method is to undo, such as 'blur:sigma=1.6'.")
    ] = None,
    sigma: Annotated[
        float | None, typer.Option("--sigma", help="Noise level in gray levels of 255; measured if not given.")
    ] = Options.sigma,
    strength: Annotated[
        float, typer.Option("--strength", help="0 keeps the photograph exactly, 1 restores it fully.")
    ] = Options.strength,
    scale: Annotated[int | None, typer.Option("-s", "--scale", help="Enlarge by this: 2 or 4.")] = Options.scale,
    tile: Annotated[
        int | None, typer.Option("-t", "--tile", help="Pixels a side of a tile; as many as fit.")
    ] = Options.tile,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory", help="For the tiles, such as 512M; half of what is free. For a method: all it may take."
        ),
    ] = None,
    runtime: Annotated[str, typer.Option("--runtime", help="onnxruntime (auto), openvino or torch.")] = Options.runtime,
    seed: Seed = Options.seed,
    budget: Annotated[
        float | None, typer.Option("--budget", help="Seconds for a method that goes step by step.")
    ] = Options.budget,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="An option of the method, such as iterations=500.")
    ] = None,
    preview: Annotated[
        Path | None, typer.Option("--preview", help="A PNG of what such a method has so far, every few seconds.")
    ] = Options.preview,
    repair: Annotated[
        bool, typer.Option("--repair", help="Find scratches, dust and creases and fill them, nothing else.")
    ] = Options.repair,
    mask: Annotated[
        Path | None, typer.Option("--mask", help="A picture of what to fill: white is filled, black is kept.")
    ] = None,
    write_mask: Annotated[
        Path | None, typer.Option("--write-mask", help="A PNG of what --repair finds, white.")
    ] = Options.write_mask,
    suffix: Annotated[str, typer.Option("--suffix", help="Of results that stand beside their photographs.")] = SUFFIX,
    ext: Annotated[str | None, typer.Option("--ext", help="Format of the results, such as png.")] = None,
    quality: Annotated[
        int | None,
        typer.Option("--quality", help=f"Of JPEG, WebP and AVIF results; {QUALITY}, or that of a finer JPEG."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Skip what is done.")] = False,
    overwrite: Overwrite = False,
    megapixels: Annotated[
        float, typer.Option("--max-megapixels", help="Refuse larger photographs.")
    ] = Limits.megapixels,
    megabytes: Annotated[float, typer.Option("--max-megabytes", help="Refuse larger files.")] = Limits.megabytes,
    as_json: Json = False,
) -> None:
    """Restore photographs: files, folders with all they hold, or stdin.

    Writes photo.restored.jpg beside photo.jpg, or to -o; a photograph is never changed or replaced. With --repair or
    --mask, only damage is filled, unless a model, a method or -s is given too: that follows.
    """
    told = None
    if settings:
        if method is None:
            raise UsageError(f"--set {settings[0]}: is an option of a method; give --method too")
        told = read_settings(method, settings)
    options = Options(
        model, method, degradation, sigma, strength, tile, memory, runtime, seed, scale, budget, told, preview,
        repair, mask, write_mask,
    )  # fmt: skip
    limits = Limits(megapixels, megabytes)
    paths = [*(inputs or []), *(more or [])]
    if DASH in paths or output == DASH:
        if as_json and output in (None, DASH):
            raise UsageError("--json and a photograph cannot both go to stdout; name an output file with -o")
        if resume:
            raise UsageError("--resume: has nothing to skip where one photograph is piped; leave it out")
        if len(paths) != 1:
            raise UsageError(f"{len(paths)} inputs: - takes one photograph")
        result, encoded = restore_piped(
            stdin(limits) if paths[0] == DASH else paths[0],
            None if output == DASH else output,
            options=options,
            overwrite=overwrite,
            ext=ext,
            quality=quality,
            limits=limits,
        )
        for line in (*result.reasons, *result.warnings):
            say(line)
        if output in (None, DASH):
            emit(encoded)
        if as_json:
            show_json(BatchReport((result,)).to_json())
        return
    with RestoreConsole(verbose=len(paths) == 1 and not paths[0].is_dir()) as watch:
        try:
            report = restore_many(
                paths,
                output,
                options=options,
                resume=resume,
                overwrite=overwrite,
                suffix=suffix,
                ext=ext,
                quality=quality,
                limits=limits,
                on_event=watch,
            )
        except KeyboardInterrupt:
            fail(f"stopped; {watch.finished} finished and kept; --resume goes on", 130)
    if len(report.results) > 1:
        for line in summary(report):
            say(line)
    if as_json:
        show_json(report.to_json())
    raise typer.Exit(report.exit_code)


def diagnose(
    image: Annotated[Path, typer.Argument(help="A photograph.")],
    as_json: Json = False,
) -> None:
    """Measure the noise, the blur and the JPEG quality of a photograph, and say what would help."""
    import dataclasses

    from resolvent.diagnosis import diagnose as measure
    from resolvent.engine.remarks import nothing_to_do

    source = stdin() if image == DASH else image
    photograph = read_image(source)
    found = measure(photograph, source)
    alone = nothing_to_do(photograph, Options())
    if alone is not None:
        found = dataclasses.replace(found, model=None, sigma=None, strength=1.0, reasons=(alone,))
    if as_json:
        show_json(dataclasses.asdict(found))
        return
    out = console()
    red, green, blue = found.noise_levels
    out.print(f"noise    {found.noise_sigma:.1f} gray levels of 255")
    out.print(f"         red {red:.1f}, green {green:.1f}, blue {blue:.1f}")
    if found.noise_colored:
        out.print(f"         neighboring pixels share it (correlation {found.noise_correlation:.2f}): from a camera,")
        out.print("         film or compression, not white noise")
    out.print(f"blur     {found.blur_sigma:.1f} pixels")
    out.print(f"JPEG     {'not a JPEG' if found.jpeg_quality is None else f'quality {found.jpeg_quality}'}")
    for reason in (*found.reasons, *filter(None, [photograph.value_range.note])):
        out.print(f"- {reason}", soft_wrap=True)
    out.print(f"advice   {'nothing to fix' if found.model is None else f'restore with the model {found.model!r}'}")
    out.print("         scratches and dust are not looked for here: restore --repair does")


def degrade(
    image: Annotated[Path, typer.Argument(help="A photograph.")],
    degradation: Annotated[str, typer.Argument(help="Such as 'blur:sigma=2 + noise:sigma=10 + jpeg:quality=40'.")],
    output: Output = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Degrade a photograph in a way that is known: to test, to train, to compare."""
    from resolvent.degradations import degrade as apply
    from resolvent.degradations import parse

    if DASH in (image, output):
        raise UsageError("degrade reads a file and writes one; - is for restore and diagnose")
    told = parse(degradation)
    degraded = apply(image, told, seed=seed)
    target = output or image.with_name(f"{image.stem}.degraded{image.suffix}")
    inputs = [image, *told.files]
    if os.path.realpath(target) in map(os.path.realpath, inputs):
        raise UsageError(f"output {target}: is an input, and inputs are never replaced; give another output")
    losses = write_image(degraded, target, overwrite=overwrite, format=None if output else output_format(degraded))
    for line in (str(told), *losses):
        say(f"{target}: {line}")


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the page.")] = Path("demo"),
    overwrite: Overwrite = False,
) -> None:
    """Degrade three photographs, restore them, and write a page that shows it."""
    from resolvent.report.demo import run_demo

    say(f"open {run_demo(output, overwrite=overwrite)}")
