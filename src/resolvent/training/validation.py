"""Checkpoint selection: PSNR on photographs that are not trained on, and that of the degraded input."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

from resolvent import networks
from resolvent.degradations import parse
from resolvent.errors import MissingDependencyError

try:
    import torch
    from torch import Tensor, nn
except ModuleNotFoundError as error:
    raise MissingDependencyError(str(error.name), "lab", "training") from error

from resolvent.physics.resize import imresize_tensor
from resolvent.training.batches import as_color, as_large, example
from resolvent.training.data import Shard
from resolvent.training.recipe import Recipe

__all__ = ["Examples", "input_psnr", "seconds_needed", "updates_needed", "validate", "validation_examples"]

VALIDATION_PATCH = 160
"""Largest side of the center crops that are measured, in pixels."""

PASSES = 3
"""Forward passes that an update takes as long as: its own, and about two for the gradients."""

Examples = Mapping[str, Sequence[tuple[Tensor, Tensor]]]
"""Of each degradation that is measured, the target and the network's input for every photograph."""


def validation_examples(recipe: Recipe, held: Shard) -> Examples:
    """The center of every photograph under every degradation of ``recipe.validation``.

    They are alike in all runs of a recipe, and on every device.
    """
    side = min(VALIDATION_PATCH, int(held.index[:, 1:].min()))
    side -= side % (networks.NETWORKS[recipe.network].multiple * recipe.scale)
    patches = [held.patches(torch.tensor([i]), side, None) for i in range(len(held))]
    checks = [parse(text) for text in recipe.validation]
    return {str(check): [example(recipe, check, patch, i) for i, patch in enumerate(patches)] for check in checks}


@torch.no_grad()
def validate(network: nn.Module, examples: Examples, device: torch.device) -> tuple[dict[str, float], Tensor]:
    """Measure a network.

    Returns:
        The mean PSNR in dB for each degradation, of the mask where the network finds damage; and of the first
        photograph, under each, the degraded, the restored and the clean patch, (3n, 3, H, W).
    """
    network.eval()
    scores, shown = {}, []
    for check, pairs in examples.items():
        restored = [network(inputs.to(device)).float().cpu().clamp(0, 1) for _, inputs in pairs]
        scores[check] = mean_psnr(restored, [target for target, _ in pairs])
        target, inputs = pairs[0]
        shown += [as_large(inputs[:, :3], target).clamp(0, 1), as_color(restored[0]), as_color(target)]
    return scores, torch.cat(shown)


def input_psnr(recipe: Recipe, examples: Examples) -> dict[str, float]:
    """The PSNR in dB that a network has to beat, for each degradation: that of what it is given.

    Of a smaller input its bicubic enlargement is measured, and of a network that finds damage a mask that names none.
    """

    def given(target: Tensor, inputs: Tensor) -> Tensor:
        if recipe.finds:
            return torch.zeros_like(target)
        return (imresize_tensor(inputs[:, :3], recipe.scale) if recipe.scale > 1 else inputs[:, :3]).clamp(0, 1)

    return {
        check: mean_psnr([given(*pair) for pair in pairs], [target for target, _ in pairs])
        for check, pairs in examples.items()
    }


def mean_psnr(images: Sequence[Tensor], targets: Sequence[Tensor]) -> float:
    """The mean over images of -10 log10 of the mean squared error, at most 100 dB."""
    errors = [float((image - target).square().mean()) for image, target in zip(images, targets, strict=True)]
    return sum(-10 * math.log10(max(error, 1e-10)) for error in errors) / len(errors)


def updates_needed(recipe: Recipe, examples: Examples) -> float:
    """Estimate how many updates take as long as ``validate``: by their pixels, so that it is alike on every machine."""
    pixels = sum(target.shape[-2] * target.shape[-1] for pairs in examples.values() for target, _ in pairs)
    return pixels / (PASSES * recipe.batch * recipe.patch**2)


def seconds_needed(network: nn.Module, examples: Examples, device: torch.device) -> float:
    """Estimate how long ``validate`` takes, from the first photograph; measured again, since a first run prepares."""
    first = {check: pairs[:1] for check, pairs in examples.items()}
    for _ in range(2):
        begun = time.monotonic()
        validate(network, first, device)
    return (time.monotonic() - begun) * max(map(len, examples.values()))
