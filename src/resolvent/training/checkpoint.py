"""Checkpoints of a training run: one safetensors file, its bookkeeping as JSON in the header. No pickle."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from resolvent.errors import InputError, MissingDependencyError

try:
    import torch
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import save_file
    from torch import Tensor, nn

    from resolvent.training.objectives.base import Objective
except ModuleNotFoundError as error:
    raise MissingDependencyError(str(error.name), "lab", "training") from error

__all__ = ["State", "load", "load_book", "restore_into", "save", "snapshot", "weights"]


OWN = "objective-optimizer"
"""What the moments of an objective's own optimizers are stored under."""


@dataclass
class State:
    """Progress of a run: what a checkpoint holds besides the recipe and the tensors.

    Attributes:
        photographs: How many are trained on.
        source: Name of the folder that they were packed from.
        device: What it runs on.
        code: The commit that trains, or the version.
        machine: Its processor and system.
        inputs: PSNR in dB of the network's input for each degradation that is validated.
        step: Updates made.
        begun: Updates made when the schedule began; above 0 in the branch of a run.
        spent: Seconds of the schedule so far, over all resumed parts.
        before: Seconds of training before the schedule began.
        grown: Share of its budget that a branch's trunk had spent: what the objective changes over the budget goes on
            from there; else 0.
        rate_scale: Halved with every rollback.
        running: Running mean of the loss; None before the first.
        psnr: Of the last validation, in dB.
        best_psnr: Mean PSNR in dB of the best validation.
        measured_share: Share of the budget that was spent at the last validation.
        validation_seconds: How long a validation takes; 0 where it does not matter.
        judged_clean: Whether the photographs that are validated on are clean.
        data: What the photographs are, as the caller says; empty where nobody did.
        license: Of the weights, in the same way.
        packed: What ``digest_names`` said of the folder when it was packed; empty where nobody asked.
    """

    photographs: int
    source: str
    device: str
    code: str
    machine: str
    inputs: dict[str, float]
    step: int = 0
    begun: int = 0
    spent: float = 0.0
    before: float = 0.0
    grown: float = 0.0
    rate_scale: float = 1.0
    running: float | None = None
    psnr: dict[str, float] = field(default_factory=dict)
    best_psnr: float = -math.inf
    measured_share: float = 0.0
    validation_seconds: float = 0.0
    judged_clean: bool = True
    data: str = ""
    license: str = ""
    packed: str = ""

    def resumed(self, book: dict[str, Any]) -> State:
        """The state of a checkpoint, going on here and now."""
        progress = ("step", "begun", "spent", "before", "rate_scale", "running", "best_psnr", "measured_share")
        later = {"source": book.get("source", self.source), "grown": book.get("grown", 0.0)}
        later |= {"data": self.data or book.get("data", ""), "license": self.license or book.get("license", "")}
        later["packed"] = book.get("packed") or self.packed
        return replace(self, **later, **{name: book[name] for name in progress})


def snapshot(
    network: nn.Module, average: nn.Module, optimizers: Sequence[torch.optim.Optimizer], objective: Objective
) -> dict[str, Tensor]:
    """Copy weights, averaged weights, optimizer moments and what the objective owns to tensors in main memory."""
    tensors = weights("network", network) | weights("average", average) | weights("objective", objective)
    for prefix, module, own in (("optimizer", network, optimizers), (OWN, objective, objective.optimizers)):
        names = {id(parameter): name for name, parameter in module.named_parameters()}
        for optimizer in own:
            for parameter, state in optimizer.state.items():
                tensors |= {f"{prefix}/{names[id(parameter)]}/{key}": _copied(value) for key, value in state.items()}
    return tensors


def weights(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """Copy the weights of a module to tensors in main memory, named ``prefix/name``."""
    return {f"{prefix}/{name}": _copied(value) for name, value in module.state_dict().items()}


def _copied(value: Tensor) -> Tensor:
    return value.detach().to("cpu", copy=True).contiguous()


def restore_into(
    tensors: dict[str, Tensor],
    network: nn.Module,
    average: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    objective: Objective,
) -> None:
    """Put a ``snapshot`` back; the learning rates stay the optimizers' own.

    Raises:
        InputError: The tensors are not those of this network.
    """
    for prefix, module in (("network", network), ("average", average), ("objective", objective)):
        try:
            module.load_state_dict({n.partition("/")[2]: v for n, v in tensors.items() if n.startswith(f"{prefix}/")})
        except RuntimeError as error:
            raise InputError(f"the checkpoint is not of this network ({error}); begin a new run with -o") from error
    for prefix, module, own in (("optimizer", network, optimizers), (OWN, objective, objective.optimizers)):
        names = {id(parameter): name for name, parameter in module.named_parameters()}
        for optimizer in own:
            _restore_moments(optimizer, tensors, prefix, names)


def _restore_moments(
    optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], prefix: str, names: dict[int, str]
) -> None:
    moments: dict[int, dict[str, Tensor]] = {}
    for i, parameter in enumerate(p for group in optimizer.param_groups for p in group["params"]):
        start = f"{prefix}/{names[id(parameter)]}/"
        found = {n.removeprefix(start): _laid_out(v, parameter) for n, v in tensors.items() if n.startswith(start)}
        if found:
            moments[i] = found
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})


def _laid_out(value: Tensor, like: Tensor) -> Tensor:
    """The value in the memory format of its parameter: a fused optimizer walks through both as they lie in memory."""
    return like.detach().clone().copy_(value) if value.shape == like.shape else value


def save(path: Path, tensors: dict[str, Tensor], book: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, metadata={"book": json.dumps(book)})
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the bookkeeping of a checkpoint.

    Raises:
        InputError: The file is not a checkpoint.
    """
    with _opened(path) as (file, book):
        return {name: file.get_tensor(name) for name in file.keys()}, book  # noqa: SIM118 - safe_open is no mapping


def load_book(path: Path) -> dict[str, Any]:
    """Read the bookkeeping of a checkpoint alone.

    Raises:
        InputError: The file is not a checkpoint.
    """
    with _opened(path) as (_, book):
        return book


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    try:
        with safe_open(path, framework="pt") as file:
            book: dict[str, Any] = json.loads(file.metadata()["book"])
            _ = book["recipe"], book["step"]
            yield file, book
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a checkpoint ({error}); remove it to start again") from error
