"""The commands for models: train, export, benchmark, compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resolvent.cli import complete
from resolvent.cli.console import Bar, console, emit, say, show_json
from resolvent.cli.models import certificate
from resolvent.cli.options import UNSTATED, Json, JsonFile, License, Output, Overwrite, Seed, check_report, write_report
from resolvent.errors import UsageError, counted
from resolvent.io import write_atomic

if TYPE_CHECKING:
    from resolvent.models.card import ModelCard
    from resolvent.training.runs import Result

__all__ = ["benchmark", "calibrate", "compare", "export", "train"]

Threads = Annotated[int | None, typer.Option("--threads", help="Number of CPU threads.")]


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            help="Bundled recipe, such as denoise (see resolvent recipes), or TOML file; or head, with --model.",
            autocompletion=complete.training,
        ),
    ],
    images: Annotated[Path, typer.Option("--images", help="Folder of clean training photographs.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Run folder. Default: runs/NAME.")] = None,
    validation: Annotated[
        Path | None,
        typer.Option(
            "--validation",
            help="Folder of validation images (checkpoint selection). Default: a share of the training images.",
        ),
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", help="Training budget, such as 30m, 3h or '2000 steps'.")
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Training budget in epochs.")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Model whose uncertainty is learned, for the recipe head; it stays as it is.",
            autocompletion=complete.models,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Recipe setting KEY=VALUE (TOML), such as batch=32 or 'arguments={widths=[32, 64, 128]}'; repeatable.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume from the last checkpoint of the run.")] = False,
    cooldown: Annotated[
        str | None,
        typer.Option(
            "--cooldown",
            help="Budget over which the learning rate of a constant-rate run is annealed to zero, as a new run in -o.",
        ),
    ] = None,
    trunk: Annotated[
        Path | None, typer.Option("--trunk", help="Run folder that --cooldown starts from. Default: runs/NAME.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device", help="Device: cpu or cuda. Default: a GPU if there is one.", autocompletion=complete.devices
        ),
    ] = None,
    threads: Threads = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the network with torch.compile; needs a C++ compiler.")
    ] = False,
    data: Annotated[str, typer.Option("--data", help="Name of the data set, recorded in the model card.")] = "",
    license: License = UNSTATED,  # noqa: A002
    as_json: Json = False,
) -> None:
    """Train a model on a folder of clean photographs, and write it as an .onnx file with its model card.

    The recipe head adds a map of uncertainty to the model that --model names, and writes both to the file -o.
    """
    if recipe == "head":
        refused = {
            "--validation": validation, "--budget": budget, "--epochs": epochs, "--set": settings,
            "--cooldown": cooldown, "--trunk": trunk, "--resume": resume, "--compile": compiled, "--device": device,
            "--data": data,
        }  # fmt: skip
        _train_head(model, images, output, threads, [flag for flag, value in refused.items() if value], as_json=as_json)
        return
    if model is not None:
        raise UsageError(f"--model {model}: is for resolvent train head; to fine-tune, give --set start={model}")
    from contextlib import closing

    from resolvent.training.callbacks import Callback, RunCallback
    from resolvent.training.devices import join
    from resolvent.training.recipe_file import load_recipe, parse_settings
    from resolvent.training.release import train_and_release
    from resolvent.training.runs import branch, refuse_other_photographs

    overrides = parse_settings(settings or [])
    if budget is not None and epochs is not None:
        raise UsageError("--budget and --epochs: give one of them")
    if budget is not None or epochs is not None:
        overrides["budget"] = f"{epochs} epochs" if budget is None else budget
    with join(device, threads) as group:
        loaded = load_recipe(recipe, **overrides)
        run = output or Path("runs") / loaded.name
        if cooldown is not None:
            if output is None or overrides or resume:
                raise UsageError(
                    "--cooldown: begins a run of the trunk's recipe in the folder -o; leave out --resume, --set, "
                    "--budget"
                )
            span, begun = cooldown, trunk or Path("runs") / loaded.name
            group.alone(lambda: refuse_other_photographs(images, begun))
            group.alone(lambda: branch(begun, run, span, loaded.name))
        elif trunk is not None:
            raise UsageError(f"--trunk {trunk}: is what --cooldown cools down; give --cooldown 40m too")
        with closing(RunCallback(run, console()) if group.leads else Callback()) as callback:
            path, result, card = train_and_release(
                loaded, images, run, overrides,
                validation=validation, device=device, threads=threads, resume=resume or cooldown is not None,
                compiled=compiled, watch=callback, data=data, license=license,
            )  # fmt: skip
        if not group.leads:
            return
    _print_result(path, result, card, as_json=as_json)
    if not as_json:
        say(f"resolvent restore PHOTO -m {path}" + " --repair" * (card.mask or card.outputs == 1))


def _train_head(
    model: str | None, images: Path, output: Path | None, threads: int | None, refused: list[str], *, as_json: bool
) -> None:
    from resolvent.training.head import train_head

    if model is None:
        raise UsageError("train head: learns the uncertainty of one model; give --model")
    if refused:
        raise UsageError(f"train head and {refused[0]}: it takes --model, --images, -o and --threads alone")
    target = output or Path(f"{Path(model).stem}.head.onnx")
    check_report("-o", target, ".onnx", overwrite=False)
    with Bar() as bar:
        card = train_head(model, images, target, threads=threads, progress=lambda stage, share: bar.show(share, stage))
    if as_json:
        show_json({"model": str(target), "card": card.to_json()})
        return
    say(f"resolvent calibrate {target} --images UNSEEN")


def calibrate(
    model: Annotated[Path, typer.Argument(help="Model file of resolvent train head; its card gets the certificate.")],
    images: Annotated[
        list[Path],
        typer.Option("--images", help="Folder of photographs that the model has never seen, 200 in all; repeatable."),
    ],
    test: Annotated[
        list[Path] | None, typer.Option("--test", help="Folder on which the coverage is measured too; repeatable.")
    ] = None,
    pairs: Annotated[
        list[Path] | None,
        typer.Option(
            "--pairs", help="Folder of NAME_real and NAME_mean of cameras: the same, as they are; repeatable."
        ),
    ] = None,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Calibrate a model's map of uncertainty, so that 9 of 10 pixels lie within it on unseen photographs."""
    from resolvent.evaluation.files import find_images
    from resolvent.evaluation.uncertainty import certify
    from resolvent.training.data import find_photographs

    photographs = [path for folder in images for path in find_photographs(folder)]
    tests = {folder.name: find_photographs(folder) for folder in test or ()}
    real = {folder.name: find_images(folder, pairs=True) for folder in pairs or ()}
    with Bar() as bar:
        card = certify(
            model, photographs, tests, real, seed=seed, threads=threads,
            progress=lambda stage, done, total: bar.show(done / total, f"{stage}: {done} of {total}"),
        )  # fmt: skip
    if as_json:
        show_json(card.uncertainty)
        return
    for line in certificate(card):
        say(line)


def export(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of resolvent train.")],
    output: Output = None,
    data: Annotated[str, typer.Option("--data", help="Name of the data set, recorded in the model card.")] = UNSTATED,
    license: License = UNSTATED,  # noqa: A002
    as_json: Json = False,
) -> None:
    """Export the best weights of a training run, finished or not, as an .onnx file with its model card."""
    from resolvent.training.release import release
    from resolvent.training.runs import load_result

    result = load_result(run_folder)
    path = output or run_folder / f"{result.recipe.name}.onnx"
    card = release(result, path, data=data, license=license)
    _print_result(path, result, card, as_json=as_json)


def _print_result(path: Path, result: Result, card: ModelCard, *, as_json: bool) -> None:
    """Print the result of a run, and its warnings."""
    if as_json:
        show_json({"model": str(path), "card": card.to_json(), "warnings": result.warnings})
        return
    say(f"{path}: {result}")
    for warning in result.warnings:
        say(f"warning: {warning}")


def benchmark(
    task: Annotated[
        str,
        typer.Argument(
            help="Task: denoise, deblur, dejpeg, upscale, restore, real, seed, or all.", autocompletion=complete.tasks
        ),
    ],
    images: Annotated[
        Path, typer.Option("--images", help="Folder of ground-truth photographs; for all, folder of test sets.")
    ],
    sigma: Annotated[
        list[float] | None, typer.Option("--sigma", "--levels", help="Degradation levels, such as 15 25 50.")
    ] = None,
    degradation: Annotated[
        list[str] | None,
        typer.Option(
            "--degradation", help="Degradations instead of those of the task.", autocompletion=complete.degradations
        ),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--models",
            help="Bundled models or .onnx files to measure. Default: those of the task.",
            autocompletion=complete.models,
        ),
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option("--methods", help="Methods to measure besides the models.", autocompletion=complete.methods),
    ] = None,
    tasks: Annotated[
        list[str] | None, typer.Option("--tasks", help="Tasks to run of benchmark all.", autocompletion=complete.tasks)
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="Maximum number of images.")] = None,
    seed: Seed = 0,
    features: Annotated[
        bool,
        typer.Option(
            "--features", help="Also measure the feature distance of Resolvent's own network, not LPIPS; needs torch."
        ),
    ] = False,
    json_file: JsonFile = None,
    page: Annotated[Path | None, typer.Option("--page", help="HTML page of the tables.")] = None,
    figure: Annotated[Path | None, typer.Option("--figure", help="SVG figure of PSNR against time.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Degrade the photographs of a folder, restore them, and report PSNR and SSIM.

    The task "all" measures every bundled model and every fast method on every test set in the folder.
    """
    from resolvent.evaluation.benchmark import benchmark as measure
    from resolvent.evaluation.suite import markdown_suite, published, suite
    from resolvent.evaluation.tables import dumps, markdown, to_json
    from resolvent.provenance import provenance
    from resolvent.report.page import page as make_page
    from resolvent.report.pareto import pareto

    report = None if json_file in (None, "-") else Path(str(json_file))
    for option, path, suffix in (("--json", report, ".json"), ("--page", page, ".html"), ("--figure", figure, ".svg")):
        check_report(option, path, suffix, overwrite=overwrite)
    where = provenance()
    if task == "all":
        if sigma or degradation or models or methods:
            raise UsageError("benchmark all: measures what is bundled at the literature's levels; only --tasks chooses")
        rows = suite(images, tasks=tasks or (), limit=limit, seed=seed, features=features, progress=say)
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
                methods=[method_name(name) for name in methods or ()],
                limit=limit,
                seed=seed,
                features=features,
                progress=lambda done, total: bar.show(done / total, f"{done} of {counted(total, 'restoration')}"),
            )
        text = markdown(rows, where)
    if page is not None:
        html = make_page(f"{task} on {images.name}", "", where, rows=rows)
        write_report(page, html, overwrite=overwrite)
    if figure is not None:
        drawn = pareto(rows, published(), task=rows[0].task, footer=str(where))
        write_atomic(figure, lambda file: file.write(drawn), overwrite=overwrite)
    data = dumps(to_json(rows, where)).encode(errors="replace")
    if report is not None:
        write_atomic(report, lambda file: file.write(data), overwrite=overwrite)
    emit(data if json_file == "-" else text.encode(errors="replace"))


def method_name(name: str) -> str:
    """The name of a method as it is registered, whatever case it was given in; another name as it is."""
    from resolvent.methods import METHODS

    return name.lower() if name.lower() in METHODS else name


def compare(
    image: Annotated[Path, typer.Argument(help="Photograph; with AFTER, as it was before.")],
    after: Annotated[
        Path | None, typer.Argument(help="The same photograph, restored: shown with a slider between the two.")
    ] = None,
    degradation: Annotated[
        str | None,
        typer.Option(
            "--degradation",
            help="Degradation to invert, such as 'mask:path=m.png'.",
            autocompletion=complete.degradations,
        ),
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--methods",
            help="Methods and models to compare. Default: all that can invert it.",
            autocompletion=complete.methods_and_models,
        ),
    ] = None,
    budget: Annotated[float | None, typer.Option("--budget", help="Time limit in seconds, of all together.")] = None,
    truth: Annotated[Path | None, typer.Option("--truth", help="Ground truth, for PSNR and SSIM.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="HTML page. Default: beside the photograph.")
    ] = None,
    overwrite: Overwrite = False,
    seed: Seed = 0,
) -> None:
    """Show a photograph before and after, or restored by every method and model that can, on one HTML page."""
    names = dict.fromkeys([image.stem, (after or image).stem])
    target = output or image.parent / f"{'-'.join(names)}.compared.html"
    check_report("-o", target, ".html", overwrite=overwrite)
    if after is not None and degradation is None:
        from resolvent.report.before_after import before_after_page

        title = " → ".join(dict.fromkeys([image.name, after.name]))
        page = before_after_page(title, [(image, after)])
    elif degradation is None or after is not None:
        raise UsageError("compare: give a second photograph, or --degradation to compare what methods make of one")
    else:
        page = _compared(image, degradation, methods, budget, truth, seed)
    write_report(target, page, overwrite=overwrite)
    say(f"open {target}")


def _compared(
    image: Path, known: str, methods: list[str] | None, budget: float | None, truth: Path | None, seed: int
) -> str:
    """The page of a photograph restored by every method and model that can."""
    from resolvent.cli.signals import canceling
    from resolvent.degradations import parse
    from resolvent.evaluation.compare import compare as run_all
    from resolvent.image import read_image
    from resolvent.provenance import provenance
    from resolvent.report.compare_page import compare_page

    degradation, picture = parse(known), read_image(image)
    true = None if truth is None else read_image(truth).in_range_of(picture)
    names = [] if methods in (None, ["all"]) else [method_name(name) for name in methods or ()]
    with Bar() as bar, canceling() as control:
        trials = run_all(
            picture, degradation, names, budget=budget, truth=true, seed=seed,
            progress=lambda name, share: bar.show(share, name), control=control,
        )  # fmt: skip
    for trial in trials:
        if trial.restored is None:
            say(f"{trial.method}: {trial.remark}")
    return compare_page(image.name, picture, degradation, trials, provenance(), true)
