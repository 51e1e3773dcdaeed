"""What a step trains on: which photographs, cut and degraded how; a function of the recipe and the step alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

from resolvent.degradations import Degradation
from resolvent.errors import MissingDependencyError
from resolvent.training.data import Shard
from resolvent.training.recipe import Recipe

try:
    import torch
    from torch import Tensor

    from resolvent.networks.precision import memory_format
except ModuleNotFoundError as error:
    raise MissingDependencyError(str(error.name), "lab", "training") from error

__all__ = [
    "as_large",
    "batch",
    "chosen",
    "epoch_steps",
    "network_input",
    "preview",
    "seed_step",
]


def epoch_steps(recipe: Recipe, photographs: int) -> int:
    """Updates in which every photograph is seen about once."""
    exact = photographs / recipe.batch
    return math.ceil(exact) if recipe.partial_batch else max(1, round(exact))


def chosen(recipe: Recipe, photographs: int, step: int) -> list[int]:
    """Which photographs a step trains on: cuts of an endless run of permutations, one for each epoch."""
    if recipe.partial_batch:
        per_epoch = math.ceil(photographs / recipe.batch)
        epoch, position = divmod(step, per_epoch)
        order = permutation(recipe.seed, epoch, photographs)
        return order[position * recipe.batch : (position + 1) * recipe.batch]
    first = step * recipe.batch
    places = range(first, first + recipe.batch)
    orders = {epoch: permutation(recipe.seed, epoch, photographs) for epoch in {p // photographs for p in places}}
    return [orders[p // photographs][p % photographs] for p in places]


def permutation(seed: int, epoch: int, n: int) -> list[int]:
    """The order of an epoch."""
    generator = torch.Generator().manual_seed((seed << 32) + epoch)
    order: list[int] = torch.randperm(n, generator=generator).tolist()
    return order


def seed_step(seed: int, step: int) -> None:
    """Seed the default generators, which dropout draws from, by the number of the step."""
    torch.manual_seed((seed << 32) + step + 1)


def batch(recipe: Recipe, degradation: Degradation, shard: Shard, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """The clean patches, the degraded patches and the network's input of one step."""
    device = shard.pixels.device
    generator = torch.Generator(device).manual_seed((recipe.seed << 32) + step + 1)
    which = torch.tensor(chosen(recipe, len(shard), step), device=device)
    clean = shard.patches(which, recipe.cut, generator, flips=recipe.flips)
    gray = torch.rand(len(clean), generator=generator, device=device) < recipe.gray
    clean[gray] = clean[gray].mean(dim=1, keepdim=True)
    degraded, numbers = degradation.apply_batch(clean, generator)
    degraded[gray] = degraded[gray, :1]
    if recipe.margin:
        inside = slice(recipe.margin, -recipe.margin)
        clean, degraded = clean[..., inside, inside], degraded[..., inside, inside]
    return clean, degraded, network_input(recipe, degraded, numbers)


def network_input(recipe: Recipe, degraded: Tensor, numbers: Mapping[str, Tensor]) -> Tensor:
    """Append the noise-level map, sigma/255, where the network has a channel for it."""
    if recipe.noise_level:
        level = (numbers["noise.sigma"] / 255)[:, None, None, None].expand(-1, 1, *degraded.shape[-2:])
        degraded = torch.cat([degraded, level], dim=1)
    return degraded.contiguous(memory_format=memory_format(degraded.device))


def preview(recipe: Recipe, degradation: Degradation, shard: Shard) -> Tensor:
    """The pairs of the first step, degraded above clean: (2n, 3, H, W) in [0, 1]."""
    clean, degraded, _ = batch(recipe, degradation, shard, 0)
    return torch.cat([as_large(degraded, clean), clean]).float().clamp(0, 1).cpu()


def as_large(degraded: Tensor, clean: Tensor) -> Tensor:
    """Repeat the pixels of a smaller batch until it can stand beside the clean one."""
    return torch.nn.functional.interpolate(degraded, size=clean.shape[-2:])
