"""The folder of a run: its photographs, its checkpoints and its results, and runs that continue another."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from resolvent import networks
from resolvent.errors import InputError, OutputError, UsageError, counted
from resolvent.io import exclusive
from resolvent.training import checkpoint
from resolvent.training.batches import epoch_steps
from resolvent.training.budget import Budget
from resolvent.training.data import Shard, digest_names, find_photographs, pack
from resolvent.training.recipe import Recipe, under_present_names

if TYPE_CHECKING:
    from torch import nn

    from resolvent.training.callbacks import Callback

__all__ = [
    "BEST",
    "LAST",
    "Result",
    "branch",
    "choose_photographs",
    "claimed",
    "is_packed",
    "load_result",
    "open_shards",
    "pack_photographs",
    "refuse_another_recipe",
    "refuse_other_photographs",
    "resumed_recipe",
    "with_inputs",
]

LAST, BEST = "last.safetensors", "best.safetensors"
"""The checkpoint that training goes on from, and the weights of the best validation."""

SHARDS = "training.shard", "validation.shard"
"""Files of a run that hold its photographs."""

LOCK = "run.lock"

COOLDOWN_VALIDATIONS = 10
"""Largest number of validations of a cool-down, which is short."""

LITTLE_GAIN = 0.5
"""Gain in dB over the input below which a model has hardly learned anything."""

FEW_STEPS = 1000


@dataclass(frozen=True)
class Result:
    """The best of a run so far.

    Attributes:
        recipe: That was trained.
        network: The averaged weights of the best validation PSNR, on the CPU, in evaluation mode.
        psnr: Their PSNR in dB for each degradation of the recipe's ``validation``.
        inputs: The PSNR in dB of the degraded input, in the same way; empty for runs that did not measure it.
        steps: Updates made until then.
        trained: Updates made in all.
        seconds: Training time until then, over all resumed parts.
        photographs: How many were trained on.
        source: Name of the folder that they were packed from.
        device: What it ran on.
        code: The commit that trained, or the version.
        machine: Its processor and system.
        data: What the photographs are, as the last call to train that named it did; else empty.
        license: Of the weights, in the same way.
    """

    recipe: Recipe
    network: nn.Module
    psnr: dict[str, float]
    inputs: dict[str, float]
    steps: int
    trained: int
    seconds: float
    photographs: int
    source: str
    device: str
    code: str
    machine: str
    data: str = ""
    license: str = ""

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {figure}" for name, figure in with_inputs(self.psnr, self.inputs).items())
        return f"{self.recipe.name}, best after {self.steps} of {counted(self.trained, 'step')}: {figures}"

    @property
    def warnings(self) -> list[str]:
        """Why the model may not be worth using yet."""
        found = []
        before = sum(self.inputs.values()) / max(len(self.inputs), 1)
        after = sum(self.psnr[name] for name in self.inputs) / max(len(self.inputs), 1)
        if self.inputs and after < before + LITTLE_GAIN:
            judged = "worse" if after < before else "hardly better"
            figures = f"{after:.2f} dB on average, and the input {before:.2f} dB"
            found.append(f"{judged} than its input, {figures}: train longer (--budget, --resume)")
        if self.trained < FEW_STEPS:
            steps = counted(self.trained, "step")
            found.append(f"trained for {steps}, where thousands are usual: train longer (--budget, --resume)")
        if self.recipe.start and self.steps == 0:
            found.append(f"no step was better than {self.recipe.start}, whose weights these are: lower learning_rate")
        return found


def with_inputs(psnr: Mapping[str, float], inputs: Mapping[str, float]) -> dict[str, str]:
    """Each PSNR with that of the input, where it is known.

    Examples:
        >>> with_inputs({"jpeg:quality=10": 29.256, "blur": 30}, {"jpeg:quality=10": 27.8})
        {'jpeg:quality=10': '29.26 dB (input 27.80)', 'blur': '30.00 dB'}
    """
    return {
        name: f"{value:.2f} dB" + (f" (input {inputs[name]:.2f})" if name in inputs else "")
        for name, value in psnr.items()
    }


@contextmanager
def claimed(run: Path) -> Iterator[None]:
    """Make the folder of a run and keep other processes out of it; one that ends without a checkpoint is removed.

    Raises:
        UsageError: Another process trains there.
        OutputError: The folder cannot be made.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{run}: cannot be made: {error.strerror}; choose another folder with -o") from error
    with exclusive(run / LOCK):
        try:
            yield
        finally:
            if not (run / LAST).exists():
                for name in (*SHARDS, LOCK):
                    (run / name).unlink(missing_ok=True)
                with suppress(OSError):  # it holds something else
                    run.rmdir()


def choose_photographs(recipe: Recipe, images: Path, validation: Path | None) -> tuple[list[Path], list[Path]]:
    """The photographs to train on, and those to validate on: the last of them, unless a validation folder is given.

    Raises:
        InputError: A folder holds no photographs.
        UsageError: One photograph cannot be both.
    """
    photographs = find_photographs(images, recipe.limit)
    if recipe.from_bursts:  # the shots of a folder stay together, whatever folders are in it
        photographs.sort(key=lambda photograph: (photograph.parent, photograph.name))
    if validation is not None:
        return photographs, find_photographs(validation)
    if recipe.from_bursts:
        bursts = sorted({photograph.parent for photograph in photographs})
        if len(bursts) < 2:
            raise UsageError(
                f"{images}: holds one folder of photographs; {recipe.objective} takes one for each scene, with its "
                "noisy shots, and validates on the last; give more scenes"
            )
        last = bursts[-max(1, round(recipe.holdout * len(bursts))) :]
        count = sum(photograph.parent in last for photograph in photographs)
    else:
        count = max(1, round(recipe.holdout * len(photographs)))
    if count >= len(photographs):
        raise UsageError(
            f"{images}: validating on {counted(count, 'photograph')} leaves none to train on; add more, or give "
            "a validation folder"
        )
    return photographs[:-count], photographs[-count:]


def is_packed(run: Path) -> bool:
    """Whether a run has all its shards."""
    return all((run / name).exists() for name in SHARDS)


def open_shards(run: Path) -> tuple[Shard, Shard]:
    """The photographs that a run has packed: to train on, and to validate on."""
    training, validation = (Shard.open(run / name) for name in SHARDS)
    return training, validation


def pack_photographs(
    recipe: Recipe, run: Path, chosen: tuple[list[Path], list[Path]], watch: Callback, *, judged_clean: bool
) -> tuple[Shard, Shard]:
    """Pack what ``choose_photographs`` gave, without those to train on that are nearly one to validate on.

    Where those are as noisy, none is left out: many shots of one scene are the rule, and their noise is not alike.
    """
    photographs, held = chosen
    sizes: dict[str, Any] = {"minimum": recipe.cut, "resize": recipe.resize, "progress": watch.packing}
    sizes["noisy"] = recipe.from_noisy
    validation = pack(held, run / SHARDS[1], **sizes)
    return pack(photographs, run / SHARDS[0], unlike=validation if judged_clean else None, **sizes), validation


def branch(trunk: Path, run: Path, budget: str, name: str | None = None) -> Recipe:
    """Begin a run that cools down from the last checkpoint of another, which is left as it is.

    ``train`` with the recipe that this returns, and ``resume``, takes the learning rate to zero over the budget.

    Args:
        trunk: Folder of a run whose schedule is ``constant``.
        run: Folder of the new run.
        budget: Of the cool-down.
        name: That the trunk's recipe must have; None takes any.

    Raises:
        UsageError: The trunk has another schedule or name, or ``run`` holds a run.
        InputError: The trunk holds no checkpoint, or not its photographs.
    """
    if (run / LAST).exists():
        raise UsageError(f"{run} holds a run already: choose another folder with -o")
    tensors, book = checkpoint.load(trunk / LAST)
    recipe = Recipe.from_json(book["recipe"], str(trunk))
    if recipe.schedule != "constant":
        raise UsageError(
            f"{trunk}: its schedule is {recipe.schedule}; only a constant one can be cooled down; "
            "train the trunk with schedule=constant"
        )
    if name not in (None, recipe.name):
        raise UsageError(f"{trunk}: trains {recipe.name!r}, not {name!r}; give that recipe, or another --trunk")
    missing = [trunk / shard for shard in SHARDS if not (trunk / shard).exists()]
    if missing:
        raise InputError(f"{missing[0]}: no such file; resume the trunk with its photographs, and it is packed again")
    grown = Budget.parse(recipe.budget).share(
        step=book["step"], seconds=book["spent"], steps_per_epoch=epoch_steps(recipe, book["photographs"])
    )
    few = min(recipe.validations, COOLDOWN_VALIDATIONS)
    recipe = replace(recipe, schedule="cooldown", warmup=0.0, budget=budget, validations=few)
    run.mkdir(parents=True, exist_ok=True)
    for shard in SHARDS:
        shutil.copyfile(trunk / shard, run / shard)
    changes = {
        "recipe": recipe.to_json(),
        "begun": book["step"],
        "before": book["before"] + book["spent"],
        "grown": grown,
    }
    fresh = {"spent": 0.0, "best_psnr": -math.inf, "measured_share": 0.0}
    checkpoint.save(run / LAST, tensors, {**book, **changes, **fresh})
    return recipe


def resumed_recipe(run: Path, recipe: Recipe, overrides: Mapping[str, Any] = MappingProxyType({})) -> Recipe:
    """Give the recipe that a run is resumed with: of one that cools down its own, with what is overridden."""
    own = Recipe.from_json(checkpoint.load_book(run / LAST)["recipe"], str(run))
    if own.schedule != "cooldown" or own.name != recipe.name:
        return recipe
    return Recipe.from_json({**own.to_json(), **under_present_names(overrides, "settings")}, str(run))


def load_result(run: Path) -> Result:
    """Load the best weights of a run, finished or not.

    Raises:
        InputError: The folder holds no measured checkpoint.
    """
    tensors, book = checkpoint.load(run / BEST)
    recipe = Recipe.from_json(book["recipe"], str(run))
    network = networks.build(recipe.network, **recipe.arguments)
    network.load_state_dict({n.removeprefix("average/"): v for n, v in tensors.items() if n.startswith("average/")})
    facts = {key: book[key] for key in ("psnr", "photographs", "device", "code", "machine")}
    latest = checkpoint.load_book(run / LAST) if (run / LAST).exists() else book
    return Result(
        recipe,
        network.eval(),
        inputs=book.get("inputs", {}),
        steps=book["step"],
        trained=latest["step"],
        seconds=book["before"] + book["spent"],
        source=book.get("source", ""),
        data=latest.get("data", ""),
        license=latest.get("license", ""),
        **facts,
    )


def refuse_another_recipe(recipe: Recipe, stored: dict[str, Any], run: Path) -> None:
    """Refuse to resume a run with another recipe than its own; the budget alone may differ.

    Raises:
        UsageError: Another key differs.
    """
    before = Recipe.from_json(stored, str(run)).to_json()
    changed = [key for key, value in recipe.to_json().items() if before[key] != value and key != "budget"]
    if changed:
        raise UsageError(
            f"{run} was started with another {', '.join(changed)}: give the same, or choose another folder with -o"
        )


def refuse_other_photographs(images: Path, run: Path) -> None:
    """Refuse to resume a run with another folder than the one that was packed; the folder may have moved.

    A run that was begun before checkpoints held what was packed goes on with any.

    Raises:
        UsageError: The names or the sizes of the photographs differ.
        InputError: The run holds no checkpoint.
    """
    book = checkpoint.load_book(run / LAST)
    if (packed := book.get("packed")) and packed != digest_names(images, book["recipe"].get("limit")):
        raise UsageError(
            f"{images}: holds other photographs than those of {str(book['source'])!r} that {run} trains on, by names "
            "and sizes; give that folder, or choose another folder for the run with -o"
        )
