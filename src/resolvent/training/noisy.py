"""Batches of photographs that are noisy themselves: nothing is done to them, and no clean one is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import PurePath

from resolvent import networks
from resolvent.diagnosis.noise import noise_sigma
from resolvent.errors import InputError, MissingDependencyError
from resolvent.training.batches import network_input, share, stream
from resolvent.training.data import Shard
from resolvent.training.recipe import Recipe

try:
    import torch
    from torch import Tensor

    from resolvent.training.objectives.base import Batch
    from resolvent.training.objectives.noisy import choose_neighbors, neighbors
except ModuleNotFoundError as error:
    raise MissingDependencyError(str(error.name), "lab", "training") from error

__all__ = ["Scenes", "noisy_batch", "noisy_examples", "noisy_preview", "scenes_of"]

MEASURED = 384
"""Largest side in pixels of the center of a photograph in which the noise is measured."""

VALIDATION_PATCH = 160
"""Largest side in pixels of what is validated on."""


@dataclass(frozen=True)
class Scenes:
    """What is known of noisy photographs.

    Attributes:
        sigma: (n,) estimated standard deviation of the noise in gray levels.
        first: (n,) number of the first shot of the same burst.
        shots: (n,) how many the burst has.
    """

    sigma: Tensor
    first: Tensor
    shots: Tensor

    def other(self, which: Tensor, generator: torch.Generator) -> Tensor:
        """Another shot of the burst of each, at random."""
        drawn = torch.rand(len(which), generator=generator, device=which.device)
        first, shots = self.first[which], self.shots[which]
        return first + (which - first + 1 + (drawn * (shots - 1)).long()) % shots


def scenes_of(recipe: Recipe, shard: Shard) -> Scenes:
    """Measure the noise of photographs, and find their bursts: those of one folder.

    Raises:
        InputError: A burst has one shot, or its shots differ in size.
    """
    sigma = []
    for number in range(len(shard)):
        side = min(MEASURED, *shard.index[number, 1:].tolist())
        center = shard.patches(torch.tensor([number], device=shard.pixels.device), side, None)
        sigma.append(noise_sigma(255 * center.permute(0, 2, 3, 1).cpu().numpy()))
    first, shots = list(range(len(shard))), [1] * len(shard)
    if recipe.from_bursts:
        folders = [list(group) for _, group in groupby(range(len(shard)), lambda i: PurePath(shard.names[i]).parent)]
        for group in folders:
            folder = PurePath(shard.names[group[0]]).parent
            if len(group) < 2:
                raise InputError(f"folder {folder}: holds one noisy shot of its scene; {recipe.objective} needs two")
            if len({tuple(shard.index[i, 1:].tolist()) for i in group}) > 1:
                raise InputError(f"folder {folder}: its shots differ in size; give aligned shots of one scene")
        first = [group[0] for group in folders for _ in group]
        shots = [len(group) for group in folders for _ in group]
    device = shard.pixels.device
    return Scenes(torch.tensor(sigma, device=device), *(torch.tensor(x, device=device) for x in (first, shots)))


def noisy_batch(scenes: Scenes, recipe: Recipe, shard: Shard, step: int, rank: int = 0, size: int = 1) -> Batch:
    """The batch of ``recipe.together`` steps from one on; of several processes, the share of the one of this rank."""
    device = shard.pixels.device
    generator = torch.Generator(device).manual_seed(stream(recipe.seed, step + 1, rank))
    shares = [share(recipe, len(shard), nth, rank, size)[0] for nth in range(step, step + recipe.together)]
    which = torch.tensor([i for one in shares for i in one], device=device)
    others = scenes.other(which, generator)
    place = generator.get_state()
    noisy = target = shard.patches(which, recipe.patch, generator, flips=recipe.flips)
    if recipe.from_bursts:
        generator.set_state(place)  # the same place in another shot
        target = shard.patches(others, recipe.patch, generator, flips=recipe.flips)
    sigma = scenes.sigma[which]
    return Batch(target, network_input(recipe, noisy, {"noise.sigma": sigma}), sigma)


def noisy_preview(recipe: Recipe, shard: Shard, scenes: Scenes) -> Tensor:
    """Patches such as those of a step, above what they are compared with: (2n, 3, H, W) in [0, 1]."""
    batch = noisy_batch(scenes, replace(recipe, together=1), shard, 0)
    return torch.cat([batch.inputs[:, :3], batch.target]).clamp(0, 1).cpu()


def noisy_examples(recipe: Recipe, held: Shard) -> dict[str, Sequence[tuple[Tensor, Tensor]]]:
    """Pairs of noisy images of the same scene: another shot of the burst, or neighboring pixels of one photograph.

    The mean squared error to the second is that to the clean image plus the variance of its noise, as long as the two
    are independent: PSNR falls short of the true one, but the order of two networks is the same.
    """
    scenes = scenes_of(recipe, held)
    multiple = networks.NETWORKS[recipe.network].multiple * (1 if recipe.from_bursts else 2)
    side = min(VALIDATION_PATCH, int(held.index[:, 1:].min()))
    side -= side % multiple
    if not side:
        raise InputError(f"photographs to validate on: must have {multiple} pixels a side or more")
    found = []
    for number in range(len(held)):
        generator = torch.Generator().manual_seed(number)
        which = torch.tensor([number])
        noisy = held.patches(which, side, None)
        if recipe.from_bursts:
            target = held.patches(scenes.other(which, generator), side, None)
        else:
            noisy, target = neighbors(noisy, choose_neighbors(noisy, generator))
        found.append((target, network_input(recipe, noisy, {"noise.sigma": scenes.sigma[which]})))
    return {"another shot" if recipe.from_bursts else "neighboring pixels": found}
