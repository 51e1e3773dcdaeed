"""Training the head that predicts a model's errors; the model itself stays as it is, to the bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from resolvent.errors import MissingDependencyError, UsageError

try:
    import torch
    from torch import Tensor
except ModuleNotFoundError as error:
    raise MissingDependencyError(str(error.name), "lab", "training") from error

from resolvent.models.branch import with_branch
from resolvent.models.export import load_module, write
from resolvent.models.registry import find
from resolvent.networks.uncertainty import UncertaintyHead, features_of, laplace_loss
from resolvent.training.batches import OVERSTATED_TO, batch
from resolvent.training.data import Shard, find_photographs, pack
from resolvent.training.devices import refuse_several
from resolvent.training.recipe import Recipe

if TYPE_CHECKING:
    from resolvent.models.card import ModelCard

__all__ = ["MISSTATED", "misstate", "train_head"]

PATCH, MARGIN = 64, 16
"""Sides in input pixels: of what is learned from, and of what the restorer sees around it."""

TOGETHER = 24
"""Patches that the restorer takes at once."""

BATCH = 20
RATE, WARMUP, CLIP = 4e-3, 20, 1.0

MISSTATED = (0.5, 1.7)
"""Factors between which a misstated noise level lies; log-uniform."""

MISSTATED_SHARE = 1 / 3

Report = Callable[[str, float], None]


def train_head(
    model: str | Path,
    images: Path,
    output: Path,
    *,
    steps: int = 2000,
    patches: int = 2400,
    seed: int = 0,
    threads: int | None = None,
    progress: Report = lambda stage, share: None,
) -> ModelCard:
    """Train the head of a model and write both to one file.

    The restorer runs once over patches that are degraded as its recipe says, a third of them with a noise level that is
    misstated if it takes one; what its last layer sees is kept in float16, and the head learns from that.

    Args:
        model: Name of a model, or path of a model file.
        images: Folder of clean photographs.
        output: The model file to write; it has no certificate until ``evaluation.uncertainty.certify`` gives it one.
        steps: Updates of the head.
        patches: That the head learns from; of 64 pixels a side they take 700 KB each.
        seed: Random seed.
        threads: CPU threads; None leaves torch's choice.
        progress: Called with what is done, and the share of it that is.

    Returns:
        The card of the file.

    Raises:
        UsageError: The model is no U-Net that restores images, or says not what it was trained on; or several
            processes were started.
        InputError: The photographs cannot be used.
    """
    import onnx

    refuse_several("train head")
    network, card = load_module(model)
    if card.mask or card.outputs != 3 or not hasattr(network, "tail") or not card.recipe:
        raise UsageError(f"model {card.name!r}: a map of errors is for a U-Net that restores images and has a recipe")
    if min(steps, patches) < 1:
        raise UsageError(f"steps {steps}, patches {patches}: must be 1 or more")
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        with TemporaryDirectory() as folder:
            recipe = replace(
                Recipe.from_json(card.recipe, card.name),
                patch=(PATCH + 2 * MARGIN) * card.scale, batch=TOGETHER, together=1, seed=seed,
            )  # fmt: skip
            shard = pack(find_photographs(images), Path(folder) / "photographs.shard", minimum=recipe.cut)
            cache = _run_once(network.requires_grad_(False), card, recipe, shard, patches, progress)
        head = _fit(cache, card, steps, seed, progress)
    finally:
        torch.set_num_threads(before)
    proto = onnx.load(find(model))
    card = replace(with_branch(proto, head, card), uncertainty={})
    write(proto, card, output)
    return card


def misstate(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Tell a share of a batch (N, 4, H, W) another noise level, up to MISSTATED times theirs; a new tensor."""
    low, high = (math.log(factor) for factor in MISSTATED)
    drawn = torch.rand(2, len(x), generator=generator)
    factors = torch.where(drawn[0] < share, (low + drawn[1] * (high - low)).exp(), torch.ones(len(x)))
    level = (x[:, 3:] * factors[:, None, None, None]).clamp(max=OVERSTATED_TO / 255)
    return torch.cat([x[:, :3], level], dim=1)


def _run_once(
    network: torch.nn.Module, card: ModelCard, recipe: Recipe, shard: Shard, patches: int, progress: Report
) -> tuple[Tensor, ...]:
    """Features, input, result and truth of many patches, in float16."""
    generator = torch.Generator().manual_seed(recipe.seed)
    small, large = (slice(scale * MARGIN, -scale * MARGIN) for scale in (1, card.scale))
    parts = []
    with torch.inference_mode():
        for step in range(math.ceil(patches / TOGETHER)):
            target, _, x = batch(recipe, shard, step)
            if card.noise_level:
                x = misstate(x, MISSTATED_SHARE, generator)
            restored, features = features_of(network, x)  # type: ignore[arg-type]
            found = (features[..., small, small], x[..., small, small], restored[..., large, large])
            parts.append([tensor.half() for tensor in (*found, target[..., large, large])])
            progress("restoring", (step + 1) * TOGETHER / patches)
    return tuple(torch.cat(tensors)[:patches] for tensors in zip(*parts, strict=True))


def _fit(cache: tuple[Tensor, ...], card: ModelCard, steps: int, seed: int, progress: Report) -> UncertaintyHead:
    features, x, restored, target = cache
    fold = int(card.arguments.get("fold", 1))
    with torch.random.fork_rng(devices=[]):  # the caller's generator stays as it is
        torch.manual_seed(seed)
        head = UncertaintyHead(features.shape[1], scale=card.scale, fold=fold, channels=x.shape[1])
    optimizer = torch.optim.Adam(head.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / WARMUP) * 0.5 * (1 + math.cos(math.pi * step / steps))
    )
    generator = torch.Generator().manual_seed(seed)
    mean = 0.0
    for step in range(steps):
        chosen = torch.randint(len(x), (BATCH,), generator=generator)
        result = restored[chosen].float()
        b = head(features[chosen].float(), x[chosen].float(), result)
        loss = laplace_loss(b, result, target[chosen].float())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(head.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        mean += (loss.item() - mean) * max(0.01, 1 / (step + 1))
        progress(f"training, loss {mean:.3f}", (step + 1) / steps)
    return head.eval()
