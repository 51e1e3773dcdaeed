"""Checkpoints of a training run: one safetensors file, its bookkeeping as JSON in the header. No pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resolvent.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["load", "restore_into", "save", "snapshot", "weights"]


def snapshot(network: nn.Module, average: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """Copy weights, averaged weights and the optimizers' moments to named tensors in main memory."""
    tensors = weights("network", network) | weights("average", average)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    for optimizer in optimizers:
        for parameter, state in optimizer.state.items():
            tensors |= {f"optimizer/{names[id(parameter)]}/{key}": _copied(value) for key, value in state.items()}
    return tensors


def weights(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """Copy the weights of a module to tensors in main memory, named ``prefix/name``."""
    return {f"{prefix}/{name}": _copied(value) for name, value in module.state_dict().items()}


def _copied(value: Tensor) -> Tensor:
    return value.detach().to("cpu", copy=True).contiguous()


def restore_into(
    tensors: dict[str, Tensor], network: nn.Module, average: nn.Module, optimizers: Sequence[torch.optim.Optimizer]
) -> None:
    """Put a ``snapshot`` back; the learning rates stay the optimizers' own.

    Raises:
        InputError: The tensors are not those of this network.
    """
    for prefix, module in (("network", network), ("average", average)):
        try:
            module.load_state_dict({n.partition("/")[2]: v for n, v in tensors.items() if n.startswith(f"{prefix}/")})
        except RuntimeError as error:
            raise InputError(f"the checkpoint is not of this network ({error}); begin a new run with -o") from error
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    for optimizer in optimizers:
        moments: dict[int, dict[str, Tensor]] = {}
        for i, parameter in enumerate(p for group in optimizer.param_groups for p in group["params"]):
            start = f"optimizer/{names[id(parameter)]}/"
            found = {n.removeprefix(start): _laid_out(v, parameter) for n, v in tensors.items() if n.startswith(start)}
            if found:
                moments[i] = found
        optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})


def _laid_out(value: Tensor, like: Tensor) -> Tensor:
    """The value in the memory format of its parameter: a fused optimizer walks through both as they lie in memory."""
    return like.detach().clone().copy_(value) if value.shape == like.shape else value


def save(path: Path, tensors: dict[str, Tensor], book: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    from safetensors.torch import save_file

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
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            book: dict[str, Any] = json.loads(file.metadata()["book"])
            return {name: file.get_tensor(name) for name in file.keys()}, book  # noqa: SIM118 - safe_open is no mapping
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a checkpoint ({error}); remove it to start anew") from error
