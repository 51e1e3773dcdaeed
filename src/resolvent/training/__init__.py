"""Training: a folder of clean photographs and a recipe to a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["train"]


def train(
    recipe: str | Path,
    images: str | Path,
    run: str | Path | None = None,
    *,
    validation: str | Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    resume: bool = False,
    license: str = "unstated",  # noqa: A002 - the key of SPDX
    **settings: Any,
) -> Path:
    """Train a model on a folder of clean photographs, and write it to one file with its card.

    Args:
        recipe: Name of a recipe, such as ``"denoise"``, or path of a TOML file.
        images: Folder of clean photographs.
        run: Folder for the checkpoints, the log and the model; ``runs/NAME`` if not given.
        validation: Folder of validation images; None holds the last of ``images`` back.
        device: ``cpu``, ``cuda`` or another of torch; a GPU where there is one if not given.
        threads: CPU threads; None leaves torch's choice.
        resume: Continue from the checkpoint in ``run``.
        license: Of the weights, an SPDX expression; if not given, what the run was given before.
        **settings: Values of the recipe, such as ``budget="30m"`` or ``batch=32``.

    Returns:
        The model's file, which ``resolvent.restore(..., model=path)`` takes.

    Raises:
        MissingDependencyError: torch is not installed.
        UsageError: The recipe does not exist or does not fit the photographs, or ``run`` holds another run.
        InputError: The photographs cannot be used.
        TrainingError: The loss does not stay finite.
    """
    from resolvent.training.recipe_file import load_recipe
    from resolvent.training.release import train_and_release

    loaded = load_recipe(str(recipe), **settings)
    path, *_ = train_and_release(
        loaded,
        Path(images),
        Path("runs") / loaded.name if run is None else Path(run),
        settings,
        validation=None if validation is None else Path(validation),
        device=device,
        threads=threads,
        resume=resume,
        license=license,
    )
    return path
