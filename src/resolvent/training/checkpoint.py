"""Checkpoints of a training run: one safetensors file, its bookkeeping as JSON in the header. No pickle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resolvent.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["load", "restore_into", "save", "snapshot", "weights"]


def snapshot(network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Copy weights, averaged weights and optimiser moments to named tensors in main memory."""
    tensors = weights("network", network) | weights("average", average)
    state = optimiser.state_dict()["state"]
    for i, (name, _) in enumerate(network.named_parameters()):
        tensors |= {f"optimiser/{name}/{key}": _copied(value) for key, value in state.get(i, {}).items()}
    return tensors


def weights(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """Copy the weights of a module to tensors in main memory, named ``prefix/name``."""
    return {f"{prefix}/{name}": _copied(value) for name, value in module.state_dict().items()}


def _copied(value: Tensor) -> Tensor:
    return value.detach().to("cpu", copy=True).contiguous()


def restore_into(
    tensors: dict[str, Tensor], network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """Put a ``snapshot`` back; the learning rate stays the optimiser's own."""
    for prefix, module in (("network", network), ("average", average)):
        module.load_state_dict({n.partition("/")[2]: v for n, v in tensors.items() if n.startswith(f"{prefix}/")})
    moments: dict[int, dict[str, Tensor]] = {}
    for i, (name, parameter) in enumerate(network.named_parameters()):
        start = f"optimiser/{name}/"
        found = {n.removeprefix(start): _laid_out(v, parameter) for n, v in tensors.items() if n.startswith(start)}
        if found:
            moments[i] = found
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})


def _laid_out(value: Tensor, like: Tensor) -> Tensor:
    """The value in the memory format of its parameter: a fused optimiser walks through both as they lie in memory."""
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
