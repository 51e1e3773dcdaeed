"""Batches of photographs that are noisy themselves: nothing is done to them, and no clean one is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import sqrt
from pathlib import PurePath

import numpy as np

from resolvent import networks
from resolvent.diagnosis.noise import noise_sigma
from resolvent.errors import InputError, MissingDependencyError
from resolvent.training.batches import network_input, share, stream
from resolvent.training.data import Shard, thumbnail
from resolvent.training.objectives import OBJECTIVES
from resolvent.training.recipe import Recipe

try:
    import torch
    from torch import Tensor

    from resolvent.training.objectives.base import Batch
    from resolvent.training.objectives.noisy import choose_neighbors, neighbors
except ModuleNotFoundError as error:
    raise MissingDependencyError(str(error.name), "lab", "training") from error

__all__ = ["Scenes", "noisy_batch", "noisy_examples", "noisy_preview", "scenes_of", "without_noise"]

MEASURED = 384
"""Largest side in pixels of the center of a photograph in which the noise is measured."""

VALIDATION_PATCH = 160
"""Largest side in pixels of what is validated on."""

UNLIKE = 0.5
"""Correlation of the thumbnails of two shots below which they show different scenes; those of one have above 0.9."""

PLAIN = 12.0
"""Difference of two thumbnails in gray levels, besides what their noise explains, that plain scenes may have."""

NOISELESS = 0.5
"""Gray levels of noise below which a photograph counts as clean; rounding to 8 bits alone gives 0.3."""


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
        InputError: A burst has one shot, or its shots differ in size or show different scenes.
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
            refuse_other_scenes(recipe, shard, group, sigma)
        first = [group[0] for group in folders for _ in group]
        shots = [len(group) for group in folders for _ in group]
    device = shard.pixels.device
    return Scenes(torch.tensor(sigma, device=device), *(torch.tensor(x, device=device) for x in (first, shots)))


def refuse_other_scenes(recipe: Recipe, shard: Shard, burst: Sequence[int], sigma: Sequence[float]) -> None:
    """Refuse shots that plainly are of another scene than the first of their burst.

    Args:
        recipe: What is trained.
        shard: The photographs.
        burst: Numbers of the shots.
        sigma: Noise of every photograph of the shard in gray levels.

    Raises:
        InputError: There is one.
    """
    unit = 255 if shard.pixels.is_floating_point() else 1
    first, *others = burst
    seen = unit * thumbnail(shard.photograph(first))
    averaged = sqrt(int(shard.index[first, 1:].prod()) / seen.size)  # by which the noise of a thumbnail is less
    for shot in others:
        other = unit * thumbnail(shard.photograph(shot))
        correlation = float(seen @ other) / max(float(np.linalg.norm(seen) * np.linalg.norm(other)), 1e-6)
        noise = 3 * max(sigma[first], sigma[shot]) / averaged
        if correlation < UNLIKE and np.sqrt(np.mean(np.square(seen - other))) > PLAIN + noise:
            raise InputError(
                f"{shard.names[shot]}: shows another scene than {shard.names[first]} (correlation {correlation:.2f}), "
                f"and {recipe.objective} takes a folder as shots of one; give each scene a folder, or another objective"
            )


def without_noise(recipe: Recipe, scenes: Scenes) -> str | None:
    """Say that an objective which goes by the measured noise has none to learn from; None if it has."""
    measured = "sigma" in OBJECTIVES[recipe.objective].settings and recipe.objective_settings.get("sigma") is None
    typical = float(scenes.sigma.median())
    if not measured or typical >= NOISELESS:
        return None
    return (
        f"noise of {typical:.1f} gray levels was measured, as in clean photographs, from which {recipe.objective} "
        "learns to change nothing: give noisy ones, or the sigma of their noise in objective_settings"
    )


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

    Raises:
        InputError: The photographs are too small, or their bursts are not what ``scenes_of`` asks for.
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
