"""The command line: it parses, calls and prints.

What a person reads goes to stderr; ``--json`` prints one object on stdout. Exit codes: 0 all done, 1 some inputs
failed, 2 the call itself is wrong.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from resolvent import batch
from resolvent.console import Bar, RestoreConsole, console, emit, say, show_json, stdin
from resolvent.engine.restore import Options
from resolvent.errors import OutputError, ResolventError, UsageError
from resolvent.image import QUALITY, Limits, output_format, read_image, write_image, write_whole

__all__ = ["app", "main"]

app = typer.Typer(
    name="resolvent",
    help="Restore noisy, blurred and over-compressed photographs.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

UNSTATED = "unstated"
"""What a card says of photographs or a licence that nobody has told."""

DASH = Path("-")
"""stdin or stdout."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Where the result goes.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
Licence = Annotated[str, typer.Option("--licence", help="Of the weights, for the card.")]
Seed = Annotated[int, typer.Option("--seed", help="Of everything random.")]


CALL_ERROR: Any = typer.BadParameter.__base__
"""What typer raises for an option or an argument that it cannot read; it does not export the class itself."""

SEVERAL = ("--sigma", "--levels", "--degradation", "--methods", "--models", "--tasks")
"""Options of ``benchmark`` that take several values: ``--sigma 15 25 50``."""


def main() -> NoReturn:
    """Run the command line, with one line for every wrong call and every error that Resolvent raises on purpose."""
    if sys.stderr is None:  # closed by the caller
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for the life of the process
    try:
        code = app(spread(sys.argv[1:]) or ["--help"], prog_name="resolvent", standalone_mode=False)
    except CALL_ERROR as error:
        where = error.ctx.command_path if error.ctx else "resolvent"
        fail(f"{' '.join(error.format_message().split())} (see {where} -h)", 2)
    except UsageError as error:
        fail(str(error), 2)
    except ResolventError as error:
        fail(str(error), 1)
    if code == 130:  # typer's word for Ctrl-C
        fail("stopped", 130)
    sys.exit(code)


def fail(message: str, code: int) -> NoReturn:
    """Print one line, as JSON too where that was asked for, and exit."""
    say(f"resolvent: {message}")
    if "--json" in sys.argv:
        with suppress(OutputError):  # stdout may be what failed
            show_json({"error": message})
    sys.exit(code)


def spread(arguments: list[str]) -> list[str]:
    """Repeat an option of ``benchmark`` for each of its values, and let ``--json`` stand without one.

    Example:
        >>> spread(["benchmark", "denoise", "--sigma", "15", "25", "--json"])
        ['benchmark', 'denoise', '--sigma', '15', '--sigma', '25', '--json', '-']
    """
    if arguments[:1] != ["benchmark"]:
        return arguments
    result: list[str] = []
    option, values = "", 0
    for argument in [*arguments, "--"]:
        if argument.startswith("--"):
            if option == "--json" and not values:
                result.append("-")
            option, values = argument, 0
        else:
            if option in SEVERAL and values:
                result.append(option)
            values += 1
        result.append(argument)
    return result[:-1]


@app.command()
def restore(
    inputs: Annotated[list[Path] | None, typer.Argument(help="Files and folders; - is stdin.")] = None,
    more: Annotated[list[Path] | None, typer.Option("-i", "--input", help="A file or folder too.", hidden=True)] = None,
    output: Output = None,
    model: Annotated[
        str | None, typer.Option("-m", "--model", help="A bundled model or an .onnx file; chosen if not given.")
    ] = None,
    method: Annotated[str | None, typer.Option("--method", help="A method instead of a model.")] = Options.method,
    degradation: Annotated[
        str | None, typer.Option("--degradation", help="What the method is to undo, such as 'blur:sigma=1.6'.")
    ] = None,
    sigma: Annotated[
        float | None, typer.Option("--sigma", help="Noise level in grey levels of 255; measured if not given.")
    ] = Options.sigma,
    strength: Annotated[
        float, typer.Option("--strength", help="0 keeps the photograph exactly, 1 restores it fully.")
    ] = Options.strength,
    scale: Annotated[int | None, typer.Option("-s", "--scale", help="Enlarge by this: 2 or 4.")] = Options.scale,
    tile: Annotated[
        int | None, typer.Option("-t", "--tile", help="Pixels a side of a tile; as many as fit.")
    ] = Options.tile,
    memory: Annotated[
        str | None, typer.Option("--memory", help="For the tiles, such as 512M; half of what is free.")
    ] = None,
    runtime: Annotated[str, typer.Option("--runtime", help="onnxruntime (auto), openvino or torch.")] = Options.runtime,
    seed: Seed = Options.seed,
    suffix: Annotated[
        str, typer.Option("--suffix", help="Of results that stand beside their photographs.")
    ] = batch.SUFFIX,
    ext: Annotated[str | None, typer.Option("--ext", help="Format of the results, such as png.")] = None,
    quality: Annotated[int, typer.Option("--quality", help="Of JPEG, WebP and AVIF results.")] = QUALITY,
    resume: Annotated[bool, typer.Option("--resume", help="Skip what is done.")] = False,
    overwrite: Overwrite = False,
    megapixels: Annotated[
        float, typer.Option("--max-megapixels", help="Refuse larger photographs.")
    ] = Limits.megapixels,
    megabytes: Annotated[float, typer.Option("--max-megabytes", help="Refuse larger files.")] = Limits.megabytes,
    as_json: Json = False,
) -> None:
    """Restore photographs: files, folders with all they hold, or stdin.

    Writes photo.restored.jpg beside photo.jpg, or to -o; a photograph is never changed or replaced.
    """
    options = Options(model, method, degradation, sigma, strength, tile, memory, runtime, seed, scale)
    limits = Limits(megapixels, megabytes)
    paths = [*(inputs or []), *(more or [])]
    if DASH in paths or output == DASH:
        if as_json and output in (None, DASH):
            raise UsageError("--json and a photograph cannot both go to stdout; name an output file with -o")
        if resume:
            raise UsageError("--resume: has nothing to skip where one photograph is piped; leave it out")
        if len(paths) != 1:
            raise UsageError(f"{len(paths)} inputs: - takes one photograph")
        result, encoded = batch.restore_piped(
            stdin(limits) if paths[0] == DASH else paths[0],
            None if output == DASH else output,
            options=options,
            overwrite=overwrite,
            ext=ext,
            quality=quality,
            limits=limits,
        )
        for reason in result.reasons:
            say(reason)
        if output in (None, DASH):
            emit(encoded)
        if as_json:
            show_json(batch.BatchReport((result,)).to_json())
        return
    with RestoreConsole(verbose=len(paths) == 1 and not paths[0].is_dir()) as watch:
        try:
            report = batch.restore_many(
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
    if as_json:
        show_json(report.to_json())
    raise typer.Exit(report.exit_code)


@app.command()
def diagnose(
    image: Annotated[Path, typer.Argument(help="A photograph.")],
    as_json: Json = False,
) -> None:
    """Measure the noise, the blur and the JPEG quality of a photograph, and say what would help."""
    import dataclasses

    from resolvent.diagnosis import diagnose as measure

    source = stdin() if image == DASH else image
    found = measure(read_image(source), source)
    if as_json:
        show_json(dataclasses.asdict(found))
        return
    out = console()
    out.print(f"noise    {found.noise_sigma:.1f} grey levels of 255")
    out.print(f"blur     {found.blur_sigma:.1f} pixels")
    out.print(f"JPEG     {'not a JPEG' if found.jpeg_quality is None else f'quality {found.jpeg_quality}'}")
    for reason in found.reasons:
        out.print(f"- {reason}", soft_wrap=True)
    out.print(f"advice   {'nothing to fix' if found.model is None else f'restore with the model {found.model!r}'}")


@app.command()
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
    if os.path.realpath(target) == os.path.realpath(image):
        raise UsageError(f"output {target}: is the input, and inputs are never replaced; give another output")
    losses = write_image(degraded, target, overwrite=overwrite, format=None if output else output_format(degraded))
    for line in (str(told), *losses):
        say(f"{target}: {line}")


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, such as denoise, or a TOML file.")],
    images: Annotated[Path, typer.Option("--images", help="Folder of clean photographs.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder of the run; runs/NAME if not given.")
    ] = None,
    validation: Annotated[
        Path | None, typer.Option("--validation", help="Folder of other photographs to choose by.")
    ] = None,
    budget: Annotated[str | None, typer.Option("--budget", help="Such as 30m, 3h, '2000 steps'.")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="A budget in epochs.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the recipe; repeat it.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's checkpoint.")] = False,
    device: Annotated[str | None, typer.Option("--device", help="cpu or cuda; a GPU if there is one.")] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="CPU threads.")] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Let torch compile the network; needs a compiler.")
    ] = False,
    data: Annotated[str, typer.Option("--data", help="What the photographs are, for the model's card.")] = "",
    licence: Licence = UNSTATED,
    as_json: Json = False,
) -> None:
    """Train a model on a folder of clean photographs; write one .onnx file with its card."""
    from contextlib import closing

    from resolvent.training.loop import train as run_training
    from resolvent.training.recipe import load_recipe, parse_settings
    from resolvent.training.release import release
    from resolvent.training.watch import RunWatch

    overrides = parse_settings(settings or [])
    if budget is not None and epochs is not None:
        raise UsageError("--budget and --epochs: give one of them")
    if budget is not None or epochs is not None:
        overrides["budget"] = f"{epochs} epochs" if budget is None else budget
    told = load_recipe(recipe, **overrides)
    run = output or Path("runs") / told.name
    with closing(RunWatch(run, console())) as watch:
        result = run_training(
            told,
            images,
            run,
            validation=validation,
            device=device,
            threads=threads,
            resume=resume,
            compiled=compiled,
            watch=watch,
        )
    path = run / f"{told.name}.onnx"
    card = release(result, path, data=data or images.name, licence=licence)
    if as_json:
        show_json({"model": str(path), "card": card.to_json()})
    else:
        say(f"{path}: resolvent restore PHOTO -m {path}")


@app.command()
def export(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run.")],
    output: Output = None,
    data: Annotated[str, typer.Option("--data", help="What the photographs are, for the card.")] = UNSTATED,
    licence: Licence = UNSTATED,
    as_json: Json = False,
) -> None:
    """Write the model of a training run, finished or not: its best weights so far, with their card."""
    from resolvent.training.loop import load_result
    from resolvent.training.release import release

    result = load_result(run_folder)
    path = output or run_folder / f"{result.recipe.name}.onnx"
    card = release(result, path, data=data, licence=licence)
    if as_json:
        show_json({"model": str(path), "card": card.to_json()})
    else:
        say(f"{path}: {card.name}, {card.figures['validation']}")


@app.command()
def benchmark(
    task: Annotated[str, typer.Argument(help="denoise, deblur, dejpeg, upscale, restore, real or seed; or all.")],
    images: Annotated[Path, typer.Option("--images", help="Folder of sharp photographs; of such folders, for all.")],
    sigma: Annotated[
        list[float] | None, typer.Option("--sigma", "--levels", help="Levels of the degradation: 15 25 50.")
    ] = None,
    degradation: Annotated[
        list[str] | None, typer.Option("--degradation", help="Degradations, instead of the task's.")
    ] = None,
    models: Annotated[list[str] | None, typer.Option("--models", help="Bundled models or .onnx files.")] = None,
    methods: Annotated[list[str] | None, typer.Option("--methods", help="Methods to compare with.")] = None,
    tasks: Annotated[list[str] | None, typer.Option("--tasks", help="Of all: only these.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="Only the first so many images.")] = None,
    seed: Seed = 0,
    json_file: Annotated[str | None, typer.Option("--json", help="A file for every row; alone, stdout.")] = None,
    page: Annotated[Path | None, typer.Option("--page", help="An HTML page with the tables.")] = None,
    figure: Annotated[Path | None, typer.Option("--figure", help="PSNR against time, as SVG.")] = None,
) -> None:
    """Degrade the photographs of a folder, restore them, and print how near they come to the originals.

    The task "all" measures every bundled model and every method on every set that it finds in a folder.
    """
    from resolvent.evaluation.benchmark import benchmark as measure
    from resolvent.evaluation.page import page as make_page
    from resolvent.evaluation.pareto import pareto
    from resolvent.evaluation.report import dumps, markdown, to_json
    from resolvent.evaluation.suite import markdown_suite, published, suite
    from resolvent.provenance import provenance

    where = provenance()
    if task == "all":
        if sigma or degradation or models or methods:
            raise UsageError("benchmark all: measures what is bundled at the literature's levels; only --tasks chooses")
        rows = suite(images, tasks=tasks or (), limit=limit, seed=seed, progress=say)
        text = f"{markdown_suite(rows)}\n\n{where}\n"
    else:
        if tasks:
            raise UsageError(f"--tasks chooses among all; benchmark {task} is one task")
        with Bar() as bar:
            rows = measure(
                task,
                images,
                levels=sigma or (),
                degradations=degradation or (),
                models=models,
                methods=methods or (),
                limit=limit,
                seed=seed,
                progress=lambda done, total: bar.show(done / total, f"{done} of {total} restorations"),
            )
        text = markdown(rows, where)
    if page is not None:
        html = make_page(f"{task} on {images.name}", "", where, rows=rows)
        write_whole(page, lambda file: file.write(html.encode()), overwrite=True)
    if figure is not None:
        drawn = pareto(rows, published(), task=rows[0].task, footer=str(where))
        write_whole(figure, lambda file: file.write(drawn), overwrite=True)
    data = dumps(to_json(rows, where)).encode(errors="replace")
    if json_file is not None and json_file != "-":
        write_whole(Path(json_file), lambda file: file.write(data), overwrite=True)
    emit(data if json_file == "-" else text.encode(errors="replace"))


@app.command()
def models(
    name: Annotated[
        str | None, typer.Argument(help="A bundled model or an .onnx file; all bundled if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the models, or print the card of one."""
    from resolvent.models.store import models as all_models
    from resolvent.models.store import read_card

    cards = {name: read_card(name)} if name else all_models()
    if as_json:
        show_json({key: card.to_json() for key, card in cards.items()})
        return
    from rich.table import Table

    table = Table("model", "for", "parameters", "licence", "trained on")
    for key, card in cards.items():
        photographs = f"{card.data.get('photographs', '?')} photographs"
        table.add_row(key, card.summary, f"{card.parameters / 1e6:.2f} M", card.licence, photographs)
    console().print(table)


@app.command()
def methods(as_json: Json = False) -> None:
    """List the methods: what each one does and needs."""
    import dataclasses

    from resolvent.methods import METHODS

    if as_json:
        show_json({name: dataclasses.asdict(method) for name, method in METHODS.items()})
        return
    from rich.table import Table

    table = Table("method", "what it is", "needs")
    for name, method in METHODS.items():
        table.add_row(name, method.summary, str(method.needs))
    console().print(table)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the page.")] = Path("demo"),
    overwrite: Overwrite = False,
) -> None:
    """Degrade three photographs, restore them, and write a page that shows it."""
    from resolvent.evaluation.demo import run_demo

    say(f"open {run_demo(output, overwrite=overwrite)}")
