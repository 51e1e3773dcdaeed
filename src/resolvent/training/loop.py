"""The training loop: one function, read from top to bottom."""

from __future__ import annotations

import copy
import math
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path

from resolvent import networks
from resolvent.errors import MissingDependencyError, TrainingError, UsageError

try:
    import torch
    from torch import Tensor, nn
except ModuleNotFoundError as error:
    raise MissingDependencyError(str(error.name), "lab", "training") from error

from resolvent.models.export import adopt
from resolvent.networks.precision import fast_bfloat16, memory_format
from resolvent.provenance import provenance
from resolvent.training import checkpoint
from resolvent.training.batches import Batches, check_shares, clean_batch, epoch_steps, preview, seed_step
from resolvent.training.budget import Budget
from resolvent.training.callbacks import Callback
from resolvent.training.checkpoint import State
from resolvent.training.data import check_patch, digest_names
from resolvent.training.devices import join
from resolvent.training.noisy import noisy_batch, noisy_examples, noisy_preview, scenes_of, without_noise
from resolvent.training.objectives import OBJECTIVES
from resolvent.training.objectives import build as build_objective
from resolvent.training.optimizers import build_optimizers, set_rate
from resolvent.training.recipe import Recipe
from resolvent.training.runs import (
    BEST,
    LAST,
    Result,
    choose_photographs,
    claimed,
    is_packed,
    load_result,
    open_shards,
    pack_photographs,
    refuse_another_recipe,
    refuse_other_photographs,
)
from resolvent.training.validation import (
    Examples,
    input_psnr,
    seconds_needed,
    updates_needed,
    validate,
    validation_examples,
)

__all__ = ["train"]

SPIKE = 5.0
"""A loss this many times its running mean counts as a spike, once the mean is over SETTLED updates."""

SETTLED = 50

ROLLBACKS = 5
"""Number of rollbacks after which the run fails."""

FIRST_CHECKPOINT = 10.0
"""Seconds to the first checkpoint; until the next it takes as much longer as has been trained, up to the usual time."""

VALIDATING = 0.2
"""Share of a budget that validations may take, besides the last; of steps and epochs, by an estimate."""


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
    data: str = "",
    license: str = "",  # noqa: A002 - the key of SPDX
) -> Result:
    """Train the recipe's network on a folder of clean photographs.

    The schedule follows the share of the budget that is spent. The batch, the degradation and the dropout of a step
    depend on the recipe's seed and the number of the step alone, so that a run that was stopped goes on as if it had
    not been: with a budget of steps or epochs to the same weights; with one of time to similar ones, since the schedule
    follows the clock. Of a time the last validation is a part. All the others take a fifth of a budget at most.

    Under torchrun its processes share each batch, and all return the same result; see ``devices``.

    Args:
        recipe: What to train and how.
        images: Folder of clean photographs; to go on, the one that the run began with, wherever it is now.
        run: Folder for the shard, the checkpoints and the log; of several processes, one that all of them see.
        validation: Folder of validation photographs, for checkpoint selection; None holds out the last of ``images``.
        device: ``cpu``, ``cuda`` or another of torch; None takes a GPU where there is one.
        threads: CPU threads, of each process; None leaves torch's choice.
        resume: Go on from the checkpoint in ``run``.
        compiled: Let torch compile the network first; some 15 % faster on a CPU, which needs a C++ compiler.
        checkpoint_every: Seconds between checkpoints; the first ones follow each other faster.
        watch: Called after every step and measurement, in the first process, and closed by the caller; None is silent.
        data: What the photographs are, for the model's card; a run that goes on keeps what it was given before.
        license: Of the weights, an SPDX expression, in the same way.

    Raises:
        InputError: The photographs cannot be used.
        UsageError: The recipe does not fit the photographs, ``run`` holds another run or one of other photographs, or
            another process trains there.
        TrainingError: The loss does not stay finite, or another of the processes failed.
    """
    recipe = recipe.as_trained()
    with join(device, threads) as group:
        where = group.device
        watch = watch if watch and group.leads else Callback()
        last, best = run / LAST, run / BEST
        going_on = bool(group.first(last.exists()))
        if going_on and not resume:
            raise UsageError(f"{run} holds a run already: resume it with --resume, or choose another folder with -o")
        check_shares(recipe, group.size)
        if going_on and group.leads:
            refuse_other_photographs(images, run)
        packs = group.leads and not (going_on and is_packed(run))
        chosen = choose_photographs(recipe, images, validation) if packs else None
        packed = digest_names(images, recipe.limit) if packs else ""
        judged_clean = validation is not None or not recipe.from_noisy
        torch.manual_seed(recipe.seed)
        objective = build_objective(recipe.objective, recipe.objective_settings).to(where)
        torch.manual_seed(recipe.seed)
        network = networks.build(recipe.network, **recipe.arguments)
        if recipe.start:
            adopt(network, recipe.start)
        network.to(where).to(memory_format=memory_format(where))  # type: ignore[call-overload]  # torch's stubs lack it
        forward = torch.compile(network) if compiled else network

        with claimed(run) if group.leads else nullcontext():
            group.alone(lambda: chosen and pack_photographs(recipe, run, chosen, watch, judged_clean=judged_clean))
            training, held = open_shards(run)
            check_patch(training, recipe, networks.multiple_of(network, recipe.network) * recipe.scale)
            training = training.to(where)
            tensors, book = checkpoint.load(last) if going_on else ({}, {})
            judged_clean = book.get("judged_clean", judged_clean)
            scenes = scenes_of(recipe, training) if recipe.from_noisy else None
            make = partial(noisy_batch, scenes) if scenes else clean_batch
            batches = Batches(recipe, training, group.rank, group.size, make)
            pairs = noisy_preview(recipe, training, scenes) if scenes else preview(recipe, training)
            examples: Examples = {}
            if group.leads:
                examples = validation_examples(recipe, held) if judged_clean else noisy_examples(recipe, held)

            average = copy.deepcopy(network).requires_grad_(False)
            optimizers = build_optimizers(recipe, network)
            origin = provenance()
            state = State(
                photographs=len(training),
                source=images.name,
                device=str(group),
                code=origin.code,
                machine=origin.machine,
                inputs=input_psnr(recipe, examples),
                judged_clean=judged_clean,
                data=data,
                license=license,
                packed=packed,
            )
            if going_on:
                refuse_another_recipe(recipe, book["recipe"], run)
                checkpoint.restore_into(tensors, network, average, optimizers, objective)
                state = state.resumed(book)
                if not best.exists():
                    state.best_psnr = -math.inf

            budget, rollbacks = Budget.parse(recipe.budget), 0
            epoch, validate_every = epoch_steps(recipe, len(training)), 1 / recipe.validations

            def spent() -> float:
                done, reserve = state.step - state.begun, state.validation_seconds
                return budget.share(step=done, seconds=state.spent, steps_per_epoch=epoch, reserve=reserve)

            def predict(inputs: Tensor, *, precise: bool = False) -> Tensor:
                with torch.autocast(where.type, torch.bfloat16, enabled=fast_bfloat16(where) and not precise):
                    restored: Tensor = forward(inputs)
                return restored.float()

            def keep(path: Path, tensors: dict[str, Tensor]) -> None:
                checkpoint.save(path, tensors, {"recipe": recipe.to_json(), **asdict(state)})

            def keep_last() -> None:
                if group.leads:
                    keep(last, checkpoint.snapshot(network, average, optimizers, objective))

            def measure() -> None:
                state.measured_share = spent()
                group.alone(judge)

            def judge() -> None:
                state.psnr, pictures = validate(average, examples, where)
                watch.validation(state.step, state.psnr, state.inputs, pictures)
                mean = sum(state.psnr.values()) / len(state.psnr)
                if not math.isfinite(mean):
                    raise TrainingError(f"the validation at step {state.step} is not finite; lower learning_rate")
                if mean > state.best_psnr or OBJECTIVES[recipe.objective].invents:
                    state.best_psnr = mean
                    keep(best, checkpoint.weights("average", average))

            watch.start(recipe, training, held, pairs, where, average)
            if scenes and (hint := without_noise(recipe, scenes)):
                watch.hint(hint)
            begun = saved = clock = group.clock()
            if budget.unit == "seconds":
                needed = seconds_needed(average, examples, where) if group.leads else 0.0
                state.validation_seconds = group.first(needed)
                validate_every = max(validate_every, state.validation_seconds / (VALIDATING * budget.amount))
            else:
                updates = budget.amount * (epoch if budget.unit == "epochs" else 1)
                needed = group.first(updates_needed(recipe, examples))
                validate_every = max(validate_every, needed / (VALIDATING * updates))
            if recipe.start and state.step == 0:
                measure()  # what is fine-tuned is the best until it is beaten
            keep_last()
            while (share := spent()) < 1:
                seed_step(recipe.seed, state.step, group.rank)
                batch = batches(state.step)
                weight = batches.weight(state.step)
                rate = state.rate_scale * schedule(recipe, share)
                set_rate(optimizers, rate)
                network.train()
                loss, restored, parts = objective(predict, batch, state.grown + (1 - state.grown) * share)
                for optimizer in optimizers:
                    optimizer.zero_grad(set_to_none=True)
                loss.backward()
                group.average(network, weight)
                if recipe.clip:
                    torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
                for optimizer in optimizers:
                    optimizer.step()
                update_average(average, network, recipe.ema, state.step)
                objective.update(batch, restored, partial(group.average, weight=weight))

                now = group.clock()
                due = now - saved > min(checkpoint_every, FIRST_CHECKPOINT + saved - begun)
                seen = due or state.step % 10 == 0 or where.type == "cpu"  # a GPU would have to be waited for
                value = group.sum(weight * loss.item()) if seen else math.nan
                if seen and (
                    has_left_its_range(value, state, bounded=objective.bounded) or (due and not is_finite(network))
                ):
                    rollbacks += 1
                    if rollbacks > ROLLBACKS:
                        raise TrainingError(
                            f"the loss is {value:.3g} after {ROLLBACKS} rollbacks; lower learning_rate in the recipe"
                        )
                    tensors, book = checkpoint.load(last)
                    checkpoint.restore_into(tensors, network, average, optimizers, objective)
                    state.rate_scale, state.running = state.rate_scale / 2, book["running"]
                    watch.rollback(state.step, value, state.rate_scale * recipe.learning_rate)
                    state.step += 1
                    continue
                if seen:
                    state.running = value if state.running is None else 0.99 * state.running + 0.01 * value
                state.step += 1
                state.spent, clock = state.spent + now - clock, now
                share = spent()
                learning_rate = rate * recipe.learning_rate
                watch.step(state.step, share, state.spent, state.running, learning_rate, restored, batch.target, parts)
                if share >= 1 or share - state.measured_share >= validate_every - 1e-9:
                    measure()
                if share >= 1 or due:
                    keep_last()
                    saved = now

            if not group.first(best.exists()):
                measure()
        return load_result(run)


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

    Buffers, such as the statistics of a batch normalization, are copied.
    """
    decay = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
    for averaged, value in zip(average.buffers(), network.buffers(), strict=True):
        averaged.copy_(value)


def has_left_its_range(loss: float, state: State, *, bounded: bool = True) -> bool:
    """Whether a loss is not finite, or, if it cannot be below 0, a spike above its running mean."""
    usual = math.inf if state.running is None or state.step <= SETTLED or not bounded else state.running
    return not math.isfinite(loss) or loss > SPIKE * usual


@torch.no_grad()
def is_finite(network: nn.Module) -> bool:
    """Whether all weights are, so that a checkpoint of them is worth going back to."""
    return bool(torch.stack(torch._foreach_norm(list(network.parameters()))).isfinite().all())
