"""The end product of a run: one model file with its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resolvent import networks
from resolvent.degradations import GaussianNoise, RandomApply, parse
from resolvent.models.card import UNSTATED, ModelCard
from resolvent.models.context import measure_halo
from resolvent.models.export import as_function, estimate_memory, export
from resolvent.models.registry import read_card
from resolvent.parameters import values_of
from resolvent.training.devices import join
from resolvent.training.loop import train
from resolvent.training.objectives import OBJECTIVES
from resolvent.training.recipe import Recipe
from resolvent.training.runs import LAST, Result, resumed_recipe

__all__ = ["release", "train_and_release"]


MEASURED = "mean PSNR-RGB in dB on the centers of the validation photographs, output clipped to [0, 1]"
FOUND = (
    "mean PSNR in dB between the predicted probability and the mask of what was damaged, on the centers of the "
    "validation photographs"
)


def train_and_release(
    recipe: Recipe,
    images: Path,
    run: Path,
    settings: Mapping[str, Any],
    *,
    data: str = "",
    license: str = UNSTATED,  # noqa: A002 - the key of SPDX
    resume: bool = False,
    **options: Any,
) -> tuple[Path, Result, ModelCard]:
    """Train a model, and write it into the folder of its run.

    Args:
        recipe: What to train and how.
        images: Folder of clean photographs.
        run: Folder of the run.
        settings: What of the recipe was overridden; a cool-down that is resumed takes these alone.
        data: What the photographs are; if not given, what the run was given before, else the name of their folder.
        license: Of the weights, an SPDX expression; if ``unstated``, what the run was given before.
        resume: Go on from the checkpoint in ``run``.
        **options: As of ``loop.train``, as are the errors. Under torchrun, the first process writes the file.

    Returns:
        The model's file, what the run has come to, and the model's card.
    """
    with join(options.get("device"), options.get("threads")) as group:
        if resume and (run / LAST).exists():
            recipe = resumed_recipe(run, recipe, settings)
        result = train(recipe, images, run, resume=resume, data=_stated(data), license=_stated(license), **options)
        path = run / f"{recipe.name}.onnx"
        group.alone(lambda: release(result, path))
        return path, result, read_card(path)


def release(
    result: Result,
    path: Path,
    *,
    data: str = UNSTATED,
    license: str = UNSTATED,  # noqa: A002 - the key of SPDX
) -> ModelCard:
    """Write the model of a run to one ``.onnx`` file: of an unrolled network its denoiser, the schedule in the card.

    Args:
        result: What ``train`` or ``load_result`` returned.
        path: Of the file; replaced if it exists.
        data: What the photographs are, and under which license; if not given, what the run was given, else the name of
            their folder.
        license: Of the weights, an SPDX expression; if not given, what the run was given.

    Returns:
        The card that was written.
    """
    from resolvent.networks.unrolled import HIGHEST, UnrolledHQS

    recipe, network = result.recipe, result.network
    data = _stated(data) or result.data or result.source or UNSTATED
    license = _stated(license) or result.license or UNSTATED  # noqa: A001
    name, arguments = recipe.network, networks.resolve_arguments(recipe.network, **recipe.arguments)
    steps: dict[str, list[float]] = {}
    if isinstance(network, UnrolledHQS):
        levels, weights = network.schedule()
        steps = {"levels": [round(v, 6) for v in levels.tolist()], "weights": [round(v, 6) for v in weights.tolist()]}
        name, arguments = "unet-small", networks.resolve_arguments("unet-small", **network.denoiser_arguments)
        network = network.denoiser
    card = ModelCard(
        name=recipe.name,
        task=recipe.task,
        summary=" ".join(recipe.summary.split()),
        network=name,
        arguments={key: list(value) if isinstance(value, tuple) else value for key, value in arguments.items()},
        degradation=recipe.degradation,
        noise_level=recipe.noise_level,
        sigma_range=(0.0, HIGHEST) if steps else noise_range(recipe.degradation) if recipe.noise_level else None,
        mask=recipe.fills,
        outputs=1 if recipe.finds else 3,
        scale=recipe.scale,
        multiple=networks.multiple_of(network, name),
        parameters=sum(p.numel() for p in network.parameters()),
        recipe=recipe.to_json(),
        data={"photographs": result.photographs, "source": " ".join(data.split())},
        license=license,
        commit=result.code,
        hardware=f"{result.device}; {result.machine}",
        seconds=round(result.seconds, 1),
        steps=result.steps,
        figures={
            "protocol": FOUND if recipe.finds else MEASURED,
            "validation": {name: round(value, 3) for name, value in result.psnr.items()},
            "input": {name: round(value, 3) for name, value in result.inputs.items()},
        },
        schedule=steps,
        invents=OBJECTIVES[recipe.objective].invents,
        created=datetime.now(UTC).date().isoformat(),
    )
    halo = measure_halo(as_function(network), card)
    card = replace(card, halo=halo, memory=estimate_memory(network, card))
    return export(network, card, path)


def _stated(words: str) -> str:
    """What was said, or nothing."""
    return "" if words == UNSTATED else words


def noise_range(degradation: str) -> tuple[float, float] | None:
    """The noise levels that a degradation samples from; 0 is one of them where the noise is optional."""
    for part in parse(degradation).parts:
        if isinstance(noise := part.applied, GaussianNoise):
            values = values_of(noise.sigma)
            return 0.0 if isinstance(part, RandomApply) else float(min(values)), float(max(values))
    return None
