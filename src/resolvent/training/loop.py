"""The training loop: one function, read from top to bottom."""

from __future__ import annotations

import copy
import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from resolvent import networks
from resolvent.degradations import parse
from resolvent.errors import InputError, MissingDependencyError, TrainingError, UsageError

try:
    import torch
    from torch import Tensor, nn
except ModuleNotFoundError as error:
    raise MissingDependencyError(str(error.name), "lab", "training") from error

from resolvent.models.export import adopt
from resolvent.networks.precision import fast_bfloat16, memory_format
from resolvent.provenance import provenance
from resolvent.training import checkpoint
from resolvent.training.batches import (
    Batches,
    as_color,
    as_large,
    epoch_steps,
    example,
    preview,
    seed_step,
)
from resolvent.training.callbacks import Callback
from resolvent.training.data import Shard, check_patch, find_photographs, pack
from resolvent.training.losses import LOSSES
from resolvent.training.optimizers import build_optimizers, set_rate
from resolvent.training.recipe import Budget, Recipe

__all__ = ["Result", "branch", "load_result", "resumed_recipe", "train"]

VALIDATION_PATCH = 160
"""Largest side of the center crops that are measured, in pixels."""

SPIKE = 5.0
"""A loss this many times its running mean counts as a spike, once the mean is over SETTLED updates."""

SETTLED = 50

COOLDOWN_VALIDATIONS = 10
"""A cool-down is short: it is measured so often at most, however often its trunk is."""

SHARDS = "training.shard", "validation.shard"
"""Files of a run that hold its photographs."""

ROLLBACKS = 5
"""After so many rollbacks the run gives up."""


@dataclass(frozen=True)
class Result:
    """The best of a run so far.

    Attributes:
        recipe: That was trained.
        network: The averaged weights of the best validation PSNR, on the CPU, in evaluation mode.
        psnr: Their PSNR in dB for each degradation of the recipe's ``validation``.
        steps: Updates made until then.
        seconds: Training time until then, over all resumed parts.
        photographs: How many were trained on.
        source: Name of the folder that they were packed from.
        device: What it ran on.
        code: The commit that trained, or the version.
        machine: Its processor and system.
    """

    recipe: Recipe
    network: nn.Module
    psnr: dict[str, float]
    steps: int
    seconds: float
    photographs: int
    source: str
    device: str
    code: str
    machine: str


def train(
    recipe: Recipe,
    images: Path,
    run: Path,
    *,
    validation: Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    resume: bool = False,
    compiled: bool = False,
    checkpoint_every: float = 120.0,
    watch: Callback | None = None,
) -> Result:
    """Train the recipe's network on a folder of clean photographs.

    The schedule follows the share of the budget that is spent. The batch, the degradation and the dropout of a step
    depend on the recipe's seed and the number of the step alone, so that a run that was stopped goes on as if it had
    not been.

    Args:
        recipe: What to train and how.
        images: Folder of clean photographs.
        run: Folder for the shard, the checkpoints and the log.
        validation: Folder of other photographs to choose by; None holds the last of ``images`` back.
        device: ``cpu``, ``cuda`` or another of torch; None takes a GPU where there is one.
        threads: CPU threads; None leaves torch's choice.
        resume: Go on from the checkpoint in ``run``.
        compiled: Let torch compile the network first; some 15 % faster on a CPU, which needs a C++ compiler.
        checkpoint_every: Seconds between checkpoints.
        watch: Told of every step and measurement, and closed by the caller; None is silent.

    Raises:
        InputError: The photographs cannot be used.
        UsageError: The recipe does not fit the photographs, or ``run`` holds another run.
        TrainingError: The loss does not stay finite.
    """
    watch = watch or Callback()
    if threads is not None:
        if threads < 1:
            raise UsageError(f"threads {threads}: must be 1 or more; leave it out for torch's choice")
        torch.set_num_threads(threads)
    where = open_device(device)
    torch.backends.cudnn.allow_tf32 = False  # would blur with ten bits; the network has bfloat16 where TF32 exists
    last, best = run / "last.safetensors", run / "best.safetensors"
    if last.exists() and not resume:
        raise UsageError(f"{run} holds a run already: resume it with --resume, or choose another folder with -o")

    training, held = shards(recipe, images, validation, run, watch, packed=last.exists())
    source = images.name
    check_patch(training, recipe, networks.NETWORKS[recipe.network].multiple * recipe.scale)
    training = training.to(where)
    batches = Batches(recipe, training)
    measured = validation_examples(recipe, held)

    torch.manual_seed(recipe.seed)
    network = networks.build(recipe.network, **recipe.arguments)
    if recipe.start:
        adopt(network, recipe.start)
    network.to(where).to(memory_format=memory_format(where))  # type: ignore[call-overload]  # torch's stubs lack it
    forward = torch.compile(network) if compiled else network
    average = copy.deepcopy(network).requires_grad_(False)
    optimizers = build_optimizers(recipe, network)
    loss_function = LOSSES[recipe.loss]
    budget = Budget.parse(recipe.budget)
    steps_per_epoch = epoch_steps(recipe, len(training))

    step, begun, spent, before, rate_scale, rollbacks, running = 0, 0, 0.0, 0.0, 1.0, 0, None
    psnr: dict[str, float] = {}
    best_psnr, measured_share = -math.inf, 0.0
    origin = provenance()
    if resume and last.exists():
        tensors, book = checkpoint.load(last)
        refuse_another_recipe(recipe, book["recipe"], run)
        checkpoint.restore_into(tensors, network, average, optimizers)
        step, spent, rate_scale, running = book["step"], book["spent"], book["rate_scale"], book["running"]
        begun, before = book["begun"], book["before"]
        best_psnr, measured_share = book["best_psnr"] if best.exists() else -math.inf, book["measured_share"]
        source = book.get("source", source)

    def keep(path: Path, tensors: dict[str, Tensor]) -> None:
        book = {
            "recipe": recipe.to_json(),
            "step": step,
            "begun": begun,
            "spent": spent,
            "before": before,
            "rate_scale": rate_scale,
            "running": running,
            "best_psnr": best_psnr,
            "measured_share": measured_share,
            "psnr": psnr,
            "photographs": len(training),
            "source": source,
            "device": describe(where),
            "code": origin.code,
            "machine": origin.machine,
        }
        checkpoint.save(path, tensors, book)

    def measure(share: float) -> None:
        nonlocal psnr, best_psnr, measured_share
        measured_share = share
        psnr, examples = validate(average, measured, where)
        watch.validation(step, psnr, examples)
        mean = sum(psnr.values()) / len(psnr)
        if not math.isfinite(mean):
            raise TrainingError(f"the validation at step {step} is not finite; lower learning_rate in the recipe")
        if mean > best_psnr:
            best_psnr = mean
            keep(best, checkpoint.weights("average", average))

    watch.start(recipe, training, held, preview(recipe, training), where, average)
    if recipe.start and step == 0:
        measure(0.0)  # what is fine-tuned is the best until it is beaten
    keep(last, checkpoint.snapshot(network, average, optimizers))
    saved = clock = time.monotonic()
    while (share := budget.share(step=step - begun, seconds=spent, steps_per_epoch=steps_per_epoch)) < 1:
        seed_step(recipe.seed, step)
        target, inputs = batches(step)
        rate = rate_scale * schedule(recipe, share)
        set_rate(optimizers, rate)
        network.train()
        with torch.autocast(where.type, torch.bfloat16, enabled=fast_bfloat16(where)):
            restored = forward(inputs)
        loss = loss_function(restored.float(), target)
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if recipe.clip:
            torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        for optimizer in optimizers:
            optimizer.step()
        update_average(average, network, recipe.ema, step)

        due = time.monotonic() - saved > checkpoint_every
        value = loss.item() if due or step % 10 == 0 or where.type == "cpu" else running
        spiked = value is not None and running is not None and step > SETTLED and value > SPIKE * running
        if spiked or (value is not None and not math.isfinite(value)) or (due and not is_finite(network)):
            rollbacks += 1
            if rollbacks > ROLLBACKS:
                raise TrainingError(
                    f"the loss is {loss.item():.3g} after {ROLLBACKS} rollbacks; lower learning_rate in the recipe"
                )
            tensors, book = checkpoint.load(last)
            checkpoint.restore_into(tensors, network, average, optimizers)
            rate_scale /= 2
            running = book["running"]
            watch.rollback(step, loss.item(), rate_scale * recipe.learning_rate)
            step += 1
            continue
        if value is not None:
            running = value if running is None else 0.99 * running + 0.01 * value
        step += 1
        now = time.monotonic()
        spent, clock = spent + now - clock, now
        share = budget.share(step=step - begun, seconds=spent, steps_per_epoch=steps_per_epoch)
        watch.step(step, share, spent, running, rate * recipe.learning_rate, restored, target)

        if share >= 1 or share - measured_share >= 1 / recipe.validations:
            measure(share)
        if share >= 1 or due:
            keep(last, checkpoint.snapshot(network, average, optimizers))
            saved = now

    if not best.exists():
        measure(1.0)
    return load_result(run)


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
    if (run / "last.safetensors").exists():
        raise UsageError(f"{run} holds a run already: choose another folder with -o")
    tensors, book = checkpoint.load(trunk / "last.safetensors")
    recipe = Recipe.from_json(book["recipe"], str(trunk))
    if recipe.schedule != "constant":
        raise UsageError(f"{trunk}: its schedule is {recipe.schedule}; only a constant one can be cooled down")
    if name not in (None, recipe.name):
        raise UsageError(f"{trunk}: trains {recipe.name!r}, not {name!r}; give that recipe, or another --trunk")
    missing = [trunk / shard for shard in SHARDS if not (trunk / shard).exists()]
    if missing:
        raise InputError(f"{missing[0]}: is not there; resume the trunk with its photographs, and it is packed anew")
    few = min(recipe.validations, COOLDOWN_VALIDATIONS)
    recipe = replace(recipe, schedule="cooldown", warmup=0.0, budget=budget, validations=few)
    run.mkdir(parents=True, exist_ok=True)
    for shard in SHARDS:
        shutil.copyfile(trunk / shard, run / shard)
    changes = {"recipe": recipe.to_json(), "begun": book["step"], "before": book["before"] + book["spent"]}
    fresh = {"spent": 0.0, "best_psnr": -math.inf, "measured_share": 0.0}
    checkpoint.save(run / "last.safetensors", tensors, {**book, **changes, **fresh})
    return recipe


def resumed_recipe(run: Path, recipe: Recipe, overrides: Mapping[str, Any] = MappingProxyType({})) -> Recipe:
    """Give the recipe that a run is resumed with: of one that cools down its own, with what is overridden."""
    own = Recipe.from_json(checkpoint.load(run / "last.safetensors")[1]["recipe"], str(run))
    if own.schedule != "cooldown" or own.name != recipe.name:
        return recipe
    return Recipe.from_json({**own.to_json(), **overrides}, str(run))


def load_result(run: Path) -> Result:
    """Load the best weights of a run, finished or not.

    Raises:
        InputError: The folder holds no measured checkpoint.
    """
    tensors, book = checkpoint.load(run / "best.safetensors")
    recipe = Recipe.from_json(book["recipe"], str(run))
    network = networks.build(recipe.network, **recipe.arguments)
    network.load_state_dict({n.removeprefix("average/"): v for n, v in tensors.items() if n.startswith("average/")})
    measured = {key: book[key] for key in ("psnr", "photographs", "device", "code", "machine")}
    measured["source"] = book.get("source", "")
    return Result(recipe, network.eval(), steps=book["step"], seconds=book["before"] + book["spent"], **measured)


def open_device(name: str | None) -> torch.device:
    """Give the device of that name, if this machine has it; None takes a GPU where there is one.

    Raises:
        UsageError: There is no such device.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter where torch was built without that kind of device
        raise UsageError(f"device {name!r}: torch cannot use it here; give cpu, or leave it out") from error
    return device


def shards(
    recipe: Recipe, images: Path, validation: Path | None, run: Path, watch: Callback, *, packed: bool
) -> tuple[Shard, Shard]:
    """Pack the training and the validation photographs; or open the shards that a run to be resumed has packed."""
    paths = run / SHARDS[0], run / SHARDS[1]
    if packed and all(path.exists() for path in paths):
        return Shard.open(paths[0]), Shard.open(paths[1])
    photographs = find_photographs(images, recipe.limit)
    if validation is not None:
        held = find_photographs(validation)
    else:
        count = max(1, round(recipe.holdout * len(photographs)))
        photographs, held = photographs[:-count], photographs[-count:]
        if not photographs:
            raise UsageError(f"{images}: one photograph is not enough; give at least two, or a validation folder")
    kept = pack(held, paths[1], minimum=recipe.cut, resize=recipe.resize, progress=watch.packing)
    rest = pack(photographs, paths[0], minimum=recipe.cut, resize=recipe.resize, unlike=kept, progress=watch.packing)
    return rest, kept


def schedule(recipe: Recipe, share: float) -> float:
    """The learning rate's share of its peak: a linear warm-up, then constant, linear or half a cosine to zero."""
    if share < recipe.warmup:
        return share / recipe.warmup + 1e-3
    if recipe.schedule == "constant":
        return 1.0
    if recipe.schedule == "cooldown":
        return 1 - share
    return 0.5 * (1 + math.cos(math.pi * (share - recipe.warmup) / (1 - recipe.warmup)))


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Exponential moving average of the weights, its decay climbing with the steps so that the start is forgotten.

    What a network keeps beside its weights, as the statistics of a batch normalization, is taken as it is.
    """
    decay = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
    for kept, value in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(value)


@torch.no_grad()
def is_finite(network: nn.Module) -> bool:
    """Whether all weights are, so that a checkpoint of them is worth going back to."""
    return bool(torch.stack(torch._foreach_norm(list(network.parameters()))).isfinite().all())


def validation_examples(recipe: Recipe, held: Shard) -> dict[str, list[tuple[Tensor, Tensor]]]:
    """Of each degradation that is measured, the target and the network's input for every photograph's center.

    They are alike in all runs of a recipe, and on every device.
    """
    side = min(VALIDATION_PATCH, int(held.index[:, 1:].min()))
    side -= side % (networks.NETWORKS[recipe.network].multiple * recipe.scale)
    patches = [held.patches(torch.tensor([i]), side, None) for i in range(len(held))]
    checks = [parse(text) for text in recipe.validation]
    return {str(check): [example(recipe, check, patch, i) for i, patch in enumerate(patches)] for check in checks}


@torch.no_grad()
def validate(
    network: nn.Module, measured: Mapping[str, list[tuple[Tensor, Tensor]]], device: torch.device
) -> tuple[dict[str, float], Tensor]:
    """Measure the examples of ``validation_examples``.

    Returns:
        The mean PSNR in dB for each degradation, of the mask where the network finds damage; and of the first
        photograph, under each, the degraded, the restored and the clean patch, (3n, 3, H, W).
    """
    network.eval()
    psnr, shown = {}, []
    for check, examples in measured.items():
        total = 0.0
        for i, (target, inputs) in enumerate(examples):
            restored = network(inputs.to(device)).float().cpu().clamp(0, 1)
            if i == 0:
                shown += [as_large(inputs[:, :3], target).clamp(0, 1), as_color(restored), as_color(target)]
            total += -10 * math.log10(max(float((restored - target).square().mean()), 1e-10))
        psnr[check] = total / len(examples)
    return psnr, torch.cat(shown)


def refuse_another_recipe(recipe: Recipe, stored: dict[str, Any], run: Path) -> None:
    """A run is resumed with the recipe that it was started with; its budget may grow."""
    before = Recipe.from_json(stored, str(run)).to_json()
    changed = [key for key, value in recipe.to_json().items() if before[key] != value and key != "budget"]
    if changed:
        raise UsageError(
            f"{run} was started with another {', '.join(changed)}: give the same, or choose another folder with -o"
        )


def describe(device: torch.device) -> str:
    """Name the device and, on a CPU, its threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    precision = "bfloat16" if fast_bfloat16(device) else "float32"
    return f"CPU, {torch.get_num_threads()} threads, {precision}"
