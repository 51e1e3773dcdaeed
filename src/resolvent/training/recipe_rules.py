"""What a recipe must obey: the range of each value, and which values go together."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from resolvent.degradations import Degradation, GaussianNoise, parse
from resolvent.degradations.blur import Blur
from resolvent.degradations.damage import Damage
from resolvent.errors import UsageError, counted, unknown
from resolvent.networks import check_arguments
from resolvent.training.budget import Budget
from resolvent.training.objectives import OBJECTIVES, check_objective

if TYPE_CHECKING:
    from resolvent.training.recipe import Recipe

__all__ = ["check_recipe"]

SCHEDULES = ("cosine", "constant", "cooldown")
OPTIMIZERS = ("adamw", "muon")

LARGEST = 4096
"""Of sides in pixels and of counts; what is above it is a slip, and would fill any memory."""


def check_recipe(recipe: Recipe) -> None:
    """Check a recipe.

    Raises:
        UsageError: A value is out of range, a name is not known, or two values do not go together.
    """
    _check_values(recipe)
    _check_degradations(recipe)
    _check_network(recipe)


def _check_values(recipe: Recipe) -> None:
    """Check what stands for itself: names, ranges and sizes."""
    if not 0 < len(recipe.name) <= 64 or recipe.name[0] in ".-" or not re.fullmatch(r"[^\x00-\x1f/\\:]+", recipe.name):
        raise UsageError(
            f"recipe name {recipe.name!r}: names a folder and a file; give 1 to 64 characters without / \\ : and "
            "control characters, the first no . or -"
        )
    check_arguments(recipe.network, recipe.arguments)
    check_objective(recipe.objective, recipe.objective_settings)
    least = OBJECTIVES[recipe.objective].least(recipe.objective_settings)
    if recipe.patch < least:
        raise _broken(recipe, f"patch = {recipe.patch}: must be {least} or more for objective = {recipe.objective}")
    if recipe.schedule not in SCHEDULES:
        raise unknown("schedule", recipe.schedule, SCHEDULES)
    if recipe.optimizer not in OPTIMIZERS:
        raise unknown("optimizer", recipe.optimizer, OPTIMIZERS)
    for name, low, high in (
        ("gray", 0, 1),
        ("clean", 0, 1),
        ("others_share", 0, 1),
        ("overstated", 0, 1),
        ("holdout", 0, 0.9),
        ("warmup", 0, 0.9),
        ("ema", 0, 0.99999),
    ):
        value = getattr(recipe, name)
        if not low <= value <= high:
            raise _broken(recipe, f"{name} = {value} must lie in {low} to {high}")
    if not 0 <= recipe.seed < 1 << 31:
        raise _broken(recipe, f"seed = {recipe.seed} must lie in 0 to {(1 << 31) - 1}")
    for name in ("patch", "batch", "together", "margin"):
        if getattr(recipe, name) > LARGEST:
            raise _broken(recipe, f"{name} = {getattr(recipe, name)} must be {LARGEST} or less")
    for name in ("patch", "batch", "together", "learning_rate", "kernel_rate", "validations"):
        if not 0 < getattr(recipe, name) < math.inf:
            raise _broken(recipe, f"{name} = {getattr(recipe, name)} must be above zero, and finite")
    for name in ("clip", "epsilon", "weight_decay"):
        if not 0 <= getattr(recipe, name) < math.inf:
            raise _broken(recipe, f"{name} = {getattr(recipe, name)} must be 0 or more, and finite")
    if not all(0 <= beta < 1 for beta in recipe.betas):
        raise _broken(recipe, f"betas = {list(recipe.betas)} must lie in 0 to 1, and be less than 1")
    if recipe.limit is not None and recipe.limit < 1:
        raise _broken(recipe, f"limit = {recipe.limit} must be 1 or more; leave it out to use all")
    if recipe.margin < 0 or (recipe.margin and recipe.scale > 1):
        raise _broken(recipe, f"margin = {recipe.margin} must be 0 or more, and 0 for scale above 1")
    if recipe.resize is not None and recipe.resize < recipe.cut:
        raise _broken(recipe, f"resize = {recipe.resize} is below patch and margins = {recipe.cut}; raise it")
    if not recipe.validation:
        raise _broken(recipe, "validation is empty; name at least one degradation to choose by")
    Budget.parse(recipe.budget)


def _check_degradations(recipe: Recipe) -> None:
    """Check that the degradations give what the network takes: its size, one noise level, damage."""
    if recipe.prepare and (reduced := _reduction(recipe.prepare)) != 1:
        raise _broken(recipe, f"prepare = {recipe.prepare!r} reduces by {reduced}; keep the size")
    for text in (recipe.degradation, *recipe.others, *recipe.validation):
        if (reduced := _reduction(text)) != recipe.scale:
            raise _broken(
                recipe,
                f"{text!r} reduces by {reduced}, and the network enlarges by {recipe.scale}; they must be the same",
            )
    for place, text in enumerate((recipe.degradation, *recipe.validation) if recipe.noise_level else ()):
        noises = sum(isinstance(part, GaussianNoise) for part in _happening(text))
        by_residual = place > 0 and recipe.scale == 1 and (text in recipe.others or noises == 0)
        if noises != 1 and not by_residual:
            raise _broken(
                recipe,
                f"{text!r} has noise {noises} times, and the network takes one noise level; give noise:sigma= once",
            )
    for text in (recipe.degradation, *recipe.validation):
        if (recipe.finds or recipe.fills) and not any(isinstance(part, Damage) for part in _happening(text)):
            raise _broken(
                recipe,
                f"{text!r} damages no pixel, and the network finds or fills damage; add "
                "scratches, dust, creases or holes",
            )


def _check_network(recipe: Recipe) -> None:
    """Check that the objective and the making of patches fit the kind of network."""
    if recipe.finds != (recipe.objective == "bce-dice"):
        raise _broken(recipe, f"objective = {recipe.objective}: bce-dice goes with outputs = 1; set both or neither")
    if recipe.clean and (recipe.noise_level or recipe.finds or recipe.fills or recipe.scale > 1):
        raise _broken(
            recipe,
            f"clean = {recipe.clean}: a network with a noise level, a mask, one output or "
            "a scale above 1 trains on degraded patches only; set clean = 0",
        )
    unfit = recipe.finds or recipe.fills or (recipe.noise_level and recipe.scale > 1)
    if bool(recipe.others) != (recipe.others_share > 0) or (recipe.others and unfit):
        raise _broken(
            recipe,
            f"others_share = {recipe.others_share} with {counted(len(recipe.others), 'other')}: give both "
            "or neither, and neither for a network that finds or fills damage, or enlarges and takes a level",
        )
    if recipe.from_noisy and (
        recipe.finds or recipe.fills or recipe.kernel or recipe.scale > 1 or recipe.resize is not None
    ):
        raise _broken(
            recipe,
            f"objective = {recipe.objective}: learns from noisy photographs, by a network that "
            "keeps their size; set scale = 1, and no mask, kernel, outputs or resize",
        )
    if recipe.from_noisy and recipe.patch % 2:
        raise _broken(recipe, f"patch = {recipe.patch}: must be even for {recipe.objective}")
    for text in (recipe.degradation, *recipe.validation) if recipe.kernel else ():
        parts = _happening(text)
        if any(part.reach or not isinstance(part, Blur | GaussianNoise) for part in parts):
            raise _broken(
                recipe,
                f"{text!r}: a network that takes the kernel undoes blurs that wrap around, "
                "with noise; give boundary=circular, and nothing else",
            )
    if recipe.kernel and (not recipe.noise_level or recipe.others or recipe.margin):
        raise _broken(
            recipe,
            f"margin = {recipe.margin}, {counted(len(recipe.others), 'other')}: a network that takes the "
            "kernel trains with noise_level = true, and without these",
        )
    if recipe.overstated and not recipe.noise_level:
        raise _broken(
            recipe,
            f"overstated = {recipe.overstated}: needs a network with a noise level; add "
            "noise_level = true to its arguments, or set overstated = 0",
        )


def _broken(recipe: Recipe, rule: str) -> UsageError:
    return UsageError(f"recipe {recipe.name!r}: {rule}")


def _happening(text: str) -> list[Degradation]:
    """The parts of a degradation, those that happen by chance without it."""
    return [part.applied for part in parse(text).parts]


def _reduction(text: str) -> int:
    """Give the factor by which a degradation reduces the image."""
    return math.prod(part.scale for part in _happening(text))
