"""Training batches: patches cut and degraded as a function of the recipe and the step alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from resolvent.degradations import Degradation, parse
from resolvent.degradations.compose import join
from resolvent.errors import MissingDependencyError, UsageError
from resolvent.training.data import Shard
from resolvent.training.recipe import Recipe

try:
    import torch
    from torch import Tensor

    from resolvent.networks.precision import memory_format
    from resolvent.training.objectives.base import Batch
except ModuleNotFoundError as error:
    raise MissingDependencyError(str(error.name), "lab", "training") from error

__all__ = [
    "Batches",
    "as_color",
    "as_large",
    "batch",
    "check_shares",
    "chosen",
    "clean_batch",
    "epoch_steps",
    "example",
    "mask_of",
    "network_input",
    "preview",
    "seed_step",
    "share",
    "stream",
]


def epoch_steps(recipe: Recipe, photographs: int) -> int:
    """Count the updates of an epoch."""
    exact = photographs / recipe.batch
    return math.ceil(exact) if recipe.partial_batch else max(1, round(exact))


def chosen(recipe: Recipe, photographs: int, step: int) -> list[int]:
    """Give the photographs of a step: a slice of an endless sequence of permutations, one for each epoch."""
    if recipe.partial_batch:
        per_epoch = math.ceil(photographs / recipe.batch)
        epoch, position = divmod(step, per_epoch)
        order = permutation(recipe.seed, epoch, photographs)
        return order[position * recipe.batch : (position + 1) * recipe.batch]
    first = step * recipe.batch
    places = range(first, first + recipe.batch)
    orders = {epoch: permutation(recipe.seed, epoch, photographs) for epoch in {p // photographs for p in places}}
    return [orders[p // photographs][p % photographs] for p in places]


def check_shares(recipe: Recipe, size: int) -> None:
    """Refuse a batch of fewer patches than there are processes to share it.

    Raises:
        UsageError: It is.
    """
    if recipe.batch < size:
        raise UsageError(
            f"batch = {recipe.batch}: {size} processes share it; give batch = {size} or more, or start fewer"
        )


def share(recipe: Recipe, photographs: int, step: int, rank: int = 0, size: int = 1) -> tuple[list[int], float]:
    """Give the photographs of a step that one process of several takes, and its weight, the part that they are of all.

    One that a small last batch of an epoch leaves without any takes one all the same, of weight 0.
    """
    whole = chosen(recipe, photographs, step)
    own = whole[rank::size]
    return own or whole[:1], len(own) / len(whole)


def stream(seed: int, number: int, rank: int = 0) -> int:
    """The seed of one step, epoch or photograph; of 32 bits, for torch's generator on the CPU drops the others."""
    return (seed * 0x9E3779B1 + rank * 0x85EBCA77 + number) % 2**32


def permutation(seed: int, epoch: int, n: int) -> list[int]:
    """Give the order of the photographs in an epoch."""
    generator = torch.Generator().manual_seed(stream(seed, epoch))
    order: list[int] = torch.randperm(n, generator=generator).tolist()
    return order


def seed_step(seed: int, step: int, rank: int = 0) -> None:
    """Seed the default generators, which dropout draws from, by the numbers of the step and of the process."""
    torch.manual_seed(stream(seed, step + 1, rank))


Make = Callable[[Recipe, Shard, int, int, int], Batch]
"""From recipe, shard, first step, rank and size to the batch of ``recipe.together`` steps."""


class Batches:
    """The target and the network's input of each step; those of ``recipe.together`` steps are made at once.

    Args:
        recipe: What is trained; its ``batch`` is that of all processes together.
        shard: The photographs.
        rank: Number of this process, from 0.
        size: How many processes share a batch.
        make: Makes the batches; None degrades clean photographs.
    """

    def __init__(
        self,
        recipe: Recipe,
        shard: Shard,
        rank: int = 0,
        size: int = 1,
        make: Callable[[Recipe, Shard, int, int, int], Batch] | None = None,
    ) -> None:
        self.recipe, self.shard, self.rank, self.size = recipe, shard, rank, size
        self.make = make or clean_batch
        self.first, self.made = -1, list[Batch]()

    def __call__(self, step: int) -> Batch:
        """The batch of a step."""
        first = step - step % self.recipe.together
        if first != self.first:
            self.made.clear()  # so that both sets need not fit in memory
            made = self.make(self.recipe, self.shard, first, self.rank, self.size)
            sizes = [len(self._share(first + i)[0]) for i in range(self.recipe.together)]
            sigmas = [None] * len(sizes) if made.sigma is None else torch.split(made.sigma, sizes)
            self.made = [
                Batch(*parts) for parts in zip(*(torch.split(x, sizes) for x in made[:2]), sigmas, strict=True)
            ]
            self.first = first
        return self.made[step - first]

    def weight(self, step: int) -> float:
        """The part of a step's batch that this process takes."""
        return self._share(step)[1]

    def _share(self, step: int) -> tuple[list[int], float]:
        return share(self.recipe, len(self.shard), step, self.rank, self.size)


def clean_batch(recipe: Recipe, shard: Shard, step: int, rank: int = 0, size: int = 1) -> Batch:
    """The batch of ``recipe.together`` steps, of clean photographs that are degraded."""
    target, _, inputs = batch(recipe, shard, step, rank, size)
    return Batch(target, inputs)


def batch(recipe: Recipe, shard: Shard, step: int, rank: int = 0, size: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """The target, the degraded patches and the network's input of ``recipe.together`` steps from one on.

    Of several processes, for the share of the one of this rank.
    """
    device = shard.pixels.device
    generator = torch.Generator(device).manual_seed(stream(recipe.seed, step + 1, rank))
    steps = range(step, step + recipe.together)
    shares = [share(recipe, len(shard), nth, rank, size)[0] for nth in steps]
    which = torch.tensor([i for one in shares for i in one], device=device)
    clean = shard.patches(which, recipe.cut, generator, flips=recipe.flips)
    gray = torch.rand(len(clean), generator=generator, device=device) < recipe.gray
    clean[gray] = clean[gray].mean(dim=1, keepdim=True)
    if recipe.prepare:
        clean = parse(recipe.prepare).on_tensor(clean, generator)
    degraded, target, numbers = pairs(recipe, clean, gray, generator)
    if recipe.clean:
        whole = torch.rand(len(clean), generator=generator, device=device) < recipe.clean
        degraded[whole] = target[whole] = clean[whole]
    if recipe.margin:
        inside = slice(recipe.margin, -recipe.margin)
        target, degraded = target[..., inside, inside], degraded[..., inside, inside]
        numbers = {key: value[..., inside, inside] if value.ndim == 4 else value for key, value in numbers.items()}
    if recipe.overstated:
        numbers = {**numbers, "noise.sigma": overstate(numbers["noise.sigma"], recipe.overstated, generator)}
    if recipe.fills:
        numbers = {"mask": widened(mask_of(numbers), generator)}
    if recipe.finds:
        target = mask_of(numbers)
    return target, degraded, network_input(recipe, degraded, numbers)


def pairs(
    recipe: Recipe, clean: Tensor, gray: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Degrade a batch by the recipe's degradation, and a share of it by one of the others instead."""
    if recipe.kernel:
        return blurred_pair(parse(recipe.degradation), clean, gray, generator)
    if not recipe.others:
        return pair(parse(recipe.degradation), clean, gray, generator)
    drawn = torch.rand((2, len(clean)), generator=generator, device=clean.device)
    kind = torch.where(drawn[0] < recipe.others_share, 1 + (drawn[1] * len(recipe.others)).long(), 0)
    parts = []
    for number, text in enumerate((recipe.degradation, *recipe.others)):
        members = (kind == number).nonzero()[:, 0]
        if len(members):
            degraded, target, numbers = pair(parse(text), clean[members], gray[members], generator)
            parts.append((members, degraded, target, input_level(recipe, text, degraded, target, numbers)))
    order = torch.cat([members for members, *_ in parts]).argsort()
    degraded, target, level = (torch.cat([part[i] for part in parts])[order] for i in (1, 2, 3))
    off = torch.rand(len(clean), generator=generator, device=clean.device) * 2 - 1
    return degraded, target, {"noise.sigma": torch.where(kind > 0, level * ESTIMATED**off, level)}


ESTIMATED = 1.4
"""Largest factor of error in the level of noise that is not white."""


def input_level(recipe: Recipe, text: str, degraded: Tensor, target: Tensor, numbers: Mapping[str, Tensor]) -> Tensor:
    """Compute the noise level that a network gets for each sample (N, C, H, W), (N,), gray levels of 255; 0 if none.

    Of the recipe's degradation, its sigma; of the others, and where no noise has a sigma, the root mean square of what
    happened.
    """
    if not recipe.noise_level:
        return degraded.new_zeros(len(degraded))
    if text not in recipe.others and "noise.sigma" in numbers:
        return numbers["noise.sigma"]
    return (degraded - target).square().mean(dim=(1, 2, 3)).sqrt() * 255


def pair(
    degradation: Degradation, clean: Tensor, gray: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Degrade a batch of which some samples, gray (N,), are gray photographs; see ``Degradation.pair_batch``."""
    parts = [
        (which, degradation.pair_batch(clean[which][:, :channels], generator))
        for which, channels in ((~gray, 3), (gray, 1))
        if which.any()
    ]
    order = torch.cat([which.nonzero()[:, 0] for which, _ in parts]).argsort()
    degraded = torch.cat([as_color(found[0]) for _, found in parts])[order]
    target = torch.cat([as_color(found[1]) for _, found in parts])[order]
    numbers = {key: torch.cat([found[2][key] for _, found in parts])[order] for key in parts[0][1][2]}
    return degraded, target, numbers


def blurred_pair(
    degradation: Degradation, clean: Tensor, gray: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Degrade a batch as ``pair`` does, and give the kernel of each sample's blur, ``"kernel"``, (N, 1, H, W).

    A kernel is what the blur makes of a single bright pixel, in row H // 2 and column W // 2.
    """
    linear = [part.applied.linear for part in degradation.parts]
    blur, rest = (
        join(tuple(part for part, blurs in zip(degradation.parts, linear, strict=True) if blurs is wanted))
        for wanted in (True, False)
    )
    impulse = torch.zeros_like(clean[:, :1])
    impulse[..., clean.shape[-2] // 2, clean.shape[-1] // 2] = 1
    seen = torch.cat([clean, impulse], dim=1)
    seen = blur.on_tensor(seen, generator) if blur else seen
    degraded, _, numbers = pair(rest, seen[:, :3], gray, generator) if rest else (seen[:, :3], None, {})
    return degraded, clean, {**numbers, "kernel": seen[:, 3:]}


OVERSTATED_TO = 75.0
"""Gray levels up to which a noise level is overstated."""


def overstate(sigma: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Raise a share of the noise levels (N,) that the network gets, uniformly up to OVERSTATED_TO."""
    drawn = torch.rand((2, len(sigma)), generator=generator, device=sigma.device)
    return torch.where(drawn[0] < share, sigma + drawn[1] * (OVERSTATED_TO - sigma).clamp(min=0), sigma)


def example(recipe: Recipe, degradation: Degradation, clean: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """The target and the network's input for photographs that are measured; the same for the same seed.

    Gray ones get gray noise where the network learns from noisy photographs, whose noise is then gray too.
    """
    generator = torch.Generator().manual_seed(seed)
    gray = (clean == clean[:, :1]).flatten(1).all(1) & recipe.from_noisy
    make = blurred_pair if recipe.kernel else pair
    degraded, target, numbers = make(degradation, clean, gray, generator)
    if recipe.noise_level and not recipe.kernel:
        numbers = {"noise.sigma": input_level(recipe, str(degradation), degraded, target, numbers)}
    return mask_of(numbers) if recipe.finds else target, network_input(recipe, degraded, numbers)


def network_input(recipe: Recipe, degraded: Tensor, numbers: Mapping[str, Tensor]) -> Tensor:
    """Append the network's extra channels: the noise-level map, sigma/255, the mask of missing pixels, the kernel."""
    if recipe.noise_level:
        level = (numbers["noise.sigma"] / 255)[:, None, None, None].expand(-1, 1, *degraded.shape[-2:])
        degraded = torch.cat([degraded, level], dim=1)
    if recipe.fills:
        degraded = torch.cat([degraded, mask_of(numbers)], dim=1)
    if recipe.kernel:
        degraded = torch.cat([degraded, numbers["kernel"]], dim=1)
    return degraded.contiguous(memory_format=memory_format(degraded.device))


def mask_of(numbers: Mapping[str, Tensor]) -> Tensor:
    """Give the union of the damage masks of all parts, (N, 1, H, W): 1 or 0."""
    return torch.stack([value for key, value in numbers.items() if key.endswith("mask")]).amax(0)


def widened(mask: Tensor, generator: torch.Generator) -> Tensor:
    """Dilate the mask of each sample by 0 to 3 pixels, as masks drawn by hand or found automatically are."""
    pixels = torch.randint(4, (len(mask), 1, 1, 1), generator=generator, device=mask.device)
    for step in range(1, 4):
        mask = torch.where(pixels >= step, torch.nn.functional.max_pool2d(mask, 3, 1, 1), mask)
    return mask


def preview(recipe: Recipe, shard: Shard) -> Tensor:
    """Pairs such as those of a step, degraded above the target: (2n, 3, H, W) in [0, 1]."""
    target, degraded, _ = batch(replace(recipe, together=1), shard, 0)
    return torch.cat([as_large(degraded, target), as_color(target)]).float().clamp(0, 1).cpu()


def as_color(x: Tensor) -> Tensor:
    """A batch of three channels; a mask in all of them."""
    return x.expand(-1, 3, -1, -1)


def as_large(degraded: Tensor, clean: Tensor) -> Tensor:
    """Repeat the pixels of a smaller batch up to the size of the clean one."""
    return torch.nn.functional.interpolate(degraded, size=clean.shape[-2:])
