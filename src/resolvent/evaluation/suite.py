"""The full benchmark: every bundled model and every installed method, on every set of images."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from resolvent import methods
from resolvent.degradations import parse
from resolvent.errors import InputError, UsageError, unknown
from resolvent.evaluation.baselines import available_baselines
from resolvent.evaluation.benchmark import TASKS, Restore, benchmark, own_model
from resolvent.evaluation.files import find_images
from resolvent.evaluation.tables import INPUT, Row, feature_notes, markdown_tables, means
from resolvent.models.registry import bundled
from resolvent.physics.forward_model import ForwardModel

__all__ = ["Published", "markdown_suite", "published", "suite"]


def suite(
    images: Path,
    *,
    tasks: Sequence[str] = (),
    limit: int | None = None,
    seed: int = 0,
    features: bool = False,
    restore_fn: Restore | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Row]:
    """Measure every task that has a bundled model.

    On each set: the task's own model, its rivals, and every baseline and method that undoes the degradation in
    seconds; ``benchmarks/methods.py`` measures the slower ones. A set of pairs (NAME_real, NAME_mean) is for the
    task ``real`` alone.

    Args:
        images: A folder of sets, each a folder of images; or one such set.
        tasks: Keys of TASKS; all that have a bundled model if not given.
        limit: Number of images of each set, the first ones by name; None for all.
        seed: See ``benchmark``.
        features: See ``benchmark``.
        restore_fn: Called instead of ``resolvent.restore``.
        progress: Called with a description of what is measured next.

    Raises:
        UsageError: A task is not known or has no bundled model.
        MissingDependencyError: The feature distance is wanted, and torch is not installed.
        InputError: There is no image.
    """
    for task in tasks:
        if task not in TASKS:
            raise unknown("task", task, TASKS)
    able = [name for name in tasks or TASKS if _planned(name)]
    if missing := [task for task in tasks if task not in able]:
        raise UsageError(f"task {missing[0]!r} has no bundled model; leave it out")
    rows: list[Row] = []
    for folder in _sets(images):
        for task in able:
            if TASKS[task].pairs is not _is_paired(folder):
                continue
            for degradation in _planned(task):
                if progress:
                    progress(f"{folder.name}: {task}, {degradation}")
                rows += _measure(task, folder, degradation, limit, seed, restore_fn, features=features)
    if not rows:
        raise InputError(f"{images}: no set for {', '.join(able)}; give a folder of folders of images")
    return rows


def _measure(
    task: str, folder: Path, degradation: str, limit: int | None, seed: int, restore_fn: Restore | None, *,
    features: bool,
) -> list[Row]:  # fmt: skip
    spec, parsed = TASKS[task], parse(degradation)
    names = [name for name in (own_model(spec, parsed), *spec.rivals) if name in bundled()]
    quick = [name for name in methods.methods_for(ForwardModel(parsed)) if methods.METHODS[name].cost == "seconds"]
    quick = [name for name in quick if methods.missing(name) is None]
    able = [] if spec.pairs else [*quick, *available_baselines(parsed)]
    few = min((n for n in (limit, spec.few) if n), default=None)
    rows: list[Row] = []
    for models, others, count in ((names, [], limit), ([], able, few)):
        if models or others:
            found = benchmark(
                task, folder, degradations=[degradation], models=models, methods=others, limit=count, seed=seed,
                features=features, restore_fn=restore_fn,
            )  # fmt: skip
            rows += [row for row in found if row.method != INPUT or models]
    return rows


def _planned(task: str) -> list[str]:
    """The degradations of a task for which its own model is bundled."""
    spec = TASKS[task]
    texts = ["none"] if spec.pairs else spec.texts()
    return [text for text in texts if spec.model and own_model(spec, parse(text)) in bundled()]


def _sets(images: Path) -> list[Path]:
    """The folders of images in a folder, or the folder itself."""
    if not images.is_dir():
        raise InputError(f"{images}: not a folder; give a folder of images, or of folders of them")
    found = [folder for folder in sorted(images.iterdir()) if folder.is_dir() and find_images(folder)]
    return found or [images]


def _is_paired(folder: Path) -> bool:
    return bool(find_images(folder, pairs=True))


@dataclass(frozen=True)
class Published:
    """Published figures of a method on one set.

    Attributes:
        task: Key of TASKS.
        dataset: Name of the set.
        method: As its authors call it.
        psnr: In dB, by degradation.
        gmac: 10^9 multiply-adds a megapixel; None where unknown.
        source: The paper.
    """

    task: str
    dataset: str
    method: str
    psnr: dict[str, float]
    gmac: float | None
    source: str


def published() -> list[Published]:
    """The figures of ``published.toml``."""
    data = tomllib.loads(resources.files(__package__).joinpath("published.toml").read_text("utf-8"))
    return [
        Published(
            task=block["task"],
            dataset=dataset,
            method=row["method"],
            psnr=dict(zip(block["degradations"], values, strict=True)),
            gmac=row.get("gmac"),
            source=data["sources"][row["source"]],
        )
        for block in data["figures"]
        for row in block["rows"]
        for dataset, values in row.items()
        if isinstance(values, list)
    ]


def markdown_suite(rows: Sequence[Row]) -> str:
    """The tables of a suite, a section for each task, with the published figures below our own.

    A method that was measured on only some images of a set gets a separate table, with the others on the same images.
    """
    known, sources = published(), list[str]()
    parts = []
    for task in dict.fromkeys(row.task for row in rows):
        parts.append(f"### {task}: {TASKS[task].summary}")
        for dataset in dict.fromkeys(row.dataset for row in rows if row.task == task):
            ours = [row for row in rows if (row.task, row.dataset) == (task, dataset)]
            whole, part = _by_coverage(ours)
            table = markdown_tables(whole, level=4, protocols=False).splitlines()
            columns = list(dict.fromkeys(row.degradation for row in whole))
            for figure in known:
                if (figure.task, figure.dataset) == (task, dataset) and set(columns) <= set(figure.psnr):
                    if figure.source not in sources:
                        sources.append(figure.source)
                    cells = [f"{figure.psnr[column]:.2f}" for column in columns]
                    label = f"*{figure.method}* [{sources.index(figure.source) + 1}]"
                    table.append("| " + " | ".join([label, *cells, ""]) + " |")
            parts.append("\n".join(table))
            if part:
                parts.append(markdown_tables(part, level=4, protocols=False))
    notes = [
        "Cells: PSNR in dB / SSIM (deblur: / share of pixels with the same largest channel). *Italic*: as published."
    ]
    notes += feature_notes(rows)
    notes += dict.fromkeys(f"{row.task}: {row.protocol}." for row in rows)
    notes += [f"[{i}] {source}." for i, source in enumerate(sources, 1)]
    return "\n\n".join([*parts, "\n".join(f"- {note}" for note in notes)])


def _by_coverage(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The rows of the methods that saw all images; and, where some did not, those of all on the images they saw."""
    counts = {(mean.method, mean.degradation): mean.images for mean in means(rows)}
    most = max(counts.values())
    whole = [row for row in rows if counts[row.method, row.degradation] == most]
    fewest = min(counts.values())
    if fewest == most:
        return whole, []
    seen = {row.image for row in rows if counts[row.method, row.degradation] == fewest}
    return whole, [row for row in rows if row.image in seen]
