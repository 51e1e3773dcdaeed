"""Training on several devices: the processes that torchrun starts, one for each device, and what they exchange."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from resolvent.errors import ElsewhereError, MissingDependencyError, TrainingError, UsageError, counted, first_line

try:
    import torch
    from torch import Tensor, nn

    from resolvent.networks.precision import fast_bfloat16
except ModuleNotFoundError as error:
    raise MissingDependencyError(str(error.name), "lab", "training") from error

__all__ = ["Group", "join", "refuse_several"]

PATIENCE = timedelta(minutes=15)
"""How long a process waits for the others in a step, before it counts them as lost."""

POLL = 0.05
"""Seconds between two looks at whether the first process is done."""

VARIABLES = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""Environment variables that torchrun sets besides WORLD_SIZE."""

FAILED = "failed"
"""Key of the store for what the first process to fail says."""


@dataclass
class Group:
    """The processes that train one network: each has its own device, its share of each batch, and the same weights.

    The first alone has a clock, validates, writes and prints. A single process exchanges nothing.

    Attributes:
        device: Of this process.
        rank: Its number, from 0.
        size: How many there are.
        store: Keys and values that all see; None for a single process.
        turns: How often the first process has worked alone.
    """

    device: torch.device
    rank: int = 0
    size: int = 1
    store: Any = None
    turns: int = 0

    @property
    def leads(self) -> bool:
        """Whether this is the first process."""
        return self.rank == 0

    def __str__(self) -> str:
        precision = "bfloat16" if fast_bfloat16(self.device) else "float32"
        name = f"CPU, {counted(torch.get_num_threads(), 'thread')}, {precision}"
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
        return name if self.size == 1 else f"{self.size} x {name}"

    def clock(self) -> float:
        """The time of the first process in seconds, once all have come here, so that all stop at the same step."""
        return self.first(time.monotonic())

    def first(self, value: float) -> float:
        """The value of the first process."""
        return self.sum(value if self.leads else 0.0)

    def sum(self, value: float) -> float:
        """The sum of the values of all processes; NaN if one of them is."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64)
        self._reduce(total)
        return total.item()

    def average(self, network: nn.Module, weight: float) -> None:
        """Replace the gradients by their weighted mean over the processes, and the buffers by those of the first.

        All travel as one tensor: networks for images have some millions of weights, fewer than a bucket is worth.

        Args:
            network: After its backward pass.
            weight: Of this process, its share of the batch; all of them add up to 1.
        """
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        buffers = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
        own = [gradient * weight for gradient in gradients]
        own += buffers if self.leads else [torch.zeros_like(buffer) for buffer in buffers]
        flat = torch.cat([tensor.reshape(-1) for tensor in own])
        self._reduce(flat)
        parts = torch.split(flat, [tensor.numel() for tensor in own])
        for tensor, part in zip([*gradients, *buffers], parts, strict=True):
            tensor.copy_(part.view(tensor.shape))

    def alone(self, work: Callable[[], object]) -> None:
        """Let the first process work while the others wait, as long as it takes.

        Raises:
            TrainingError: In those that wait, if a process fails.
        """
        self.turns += 1
        if self.leads:
            work()
        if self.store is None:
            return
        key = f"turn {self.turns}"
        with self._answered():
            if self.leads:
                self.store.set(key, "done")
            while not self.store.check([key]):
                if self.store.check([FAILED]):
                    raise RuntimeError(FAILED)
                time.sleep(POLL)

    def failure(self, error: BaseException) -> str:
        """Report an error to the others, unless one of them failed before; then return what that one reported."""
        own = f"process {self.rank} of {self.size}: {first_line(error)}"
        try:
            reported: str = self.store.compare_set(FAILED, "", own).decode()
        except RuntimeError:  # the store has ended with the process that held it
            return ""
        return "" if reported == own else reported

    def _reduce(self, tensor: Tensor) -> None:
        from torch import distributed

        with self._answered():
            distributed.all_reduce(tensor)

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Say in plain words that another process does not answer."""
        try:
            yield
        except RuntimeError as error:
            minutes = PATIENCE.total_seconds() / 60
            raise TrainingError(
                f"another process of the training ended, or did not answer for {minutes:.0f} minutes; "
                "start them again, with --resume"
            ) from error


JOINED: ContextVar[Group | None] = ContextVar("joined", default=None)
"""The group of the block that runs."""

JOINS = count()
"""Numbers the trainings of this process: the store outlives each of them."""


@contextmanager
def join(device: str | None, threads: int | None) -> Iterator[Group]:
    """Join the processes that torchrun has started; without torchrun, the group is this process alone.

    Inside of another such block, its group. What fails in one process ends all of them: the first to fail raises its
    own error, the others an ElsewhereError.

    Args:
        device: As of ``open_device``; of several processes, each takes the GPU of its number.
        threads: CPU threads of each process.

    Raises:
        UsageError: There is no such device, or the environment is only a part of torchrun's.
        TrainingError: The processes do not find each other.
    """
    if (joined := JOINED.get()) is not None:
        yield joined
        return
    rank, local, size = place()
    if size == 1:
        yield Group(open_device(device, threads))
        return
    from torch import distributed
    from torch.distributed.rendezvous import rendezvous

    try:
        met, *_ = next(iter(rendezvous("env://", timeout=PATIENCE)))
    except (RuntimeError, ValueError) as error:
        where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise TrainingError(f"{where}: {size} processes do not meet there ({first_line(error)}); check it") from error
    start = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")  # torchrun keeps the store when it starts all again
    store = distributed.PrefixStore(f"resolvent {start} {next(JOINS)}", met)  # type: ignore[attr-defined]  # it is C++
    group = Group(torch.device("cpu"), rank, size, store)
    token = JOINED.set(group)
    try:
        group.device = open_device(own_device(device, local), threads)
        if group.device.type == "cuda":
            torch.cuda.set_device(group.device)
        backend = "cpu:gloo,cuda:nccl" if group.device.type == "cuda" else "gloo"
        distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
        yield group
        group.clock()  # until all are done
        distributed.destroy_process_group()
    except BaseException as error:
        reported = group.failure(error)
        if group.device.type == "cpu" and distributed.is_initialized():  # NCCL would wait for the one that failed
            distributed.destroy_process_group()
        if reported:
            raise ElsewhereError(reported) from error
        raise
    finally:
        JOINED.reset(token)


def place() -> tuple[int, int, int]:
    """Read from the environment: the number of this process, that on its machine, and how many there are.

    Raises:
        UsageError: There are several, and torchrun did not start them.
    """
    if (size := os.environ.get("WORLD_SIZE", "1")) == "1":
        return 0, 0, 1
    remedy = "start with torchrun --nproc-per-node N -m resolvent train ..., or unset WORLD_SIZE"
    if missing := [name for name in VARIABLES if name not in os.environ]:
        raise UsageError(f"WORLD_SIZE={size}: without {', '.join(missing)}, which torchrun sets; {remedy}")
    try:
        rank, local, number = (int(os.environ[name]) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"))
    except ValueError as error:
        raise UsageError(f"WORLD_SIZE={size}, RANK, LOCAL_RANK: must be whole numbers; {remedy}") from error
    return rank, local, number


def refuse_several(what: str) -> None:
    """Refuse to do under torchrun what runs on one device.

    Raises:
        UsageError: There are several processes; in all but the first it is an ElsewhereError.
    """
    rank, _, size = place()
    if size > 1:
        refused = f"{what}: runs on one device, not as {size} processes; leave out torchrun"
        raise UsageError(refused) if rank == 0 else ElsewhereError(refused)


def own_device(name: str | None, local: int) -> str:
    """Name the device of one process of several: the GPU of its number on this machine, or the CPU, which they share.

    Raises:
        UsageError: The name is of one device, or there are fewer GPUs than processes.
    """
    gpus = torch.cuda.device_count()
    kind = name or ("cuda" if gpus else "cpu")
    if kind not in ("cpu", "cuda"):
        raise UsageError(f"device {name!r}: several processes take one each; give cpu or cuda, or leave it out")
    if kind == "cuda" and local >= gpus:
        raise UsageError(
            f"process {local} of this machine, which has {counted(gpus, 'GPU')}: start {gpus}, or give --device cpu"
        )
    return kind if kind == "cpu" else f"cuda:{local}"


def open_device(name: str | None, threads: int | None) -> torch.device:
    """Give the device of that name, if this machine has it, and set the number of CPU threads.

    Raises:
        UsageError: There is no such device, or the threads are none.
    """
    if threads is not None:
        if threads < 1:
            raise UsageError(f"threads {threads}: must be 1 or more; leave it out for torch's choice")
        torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False  # would blur with ten bits; the network has bfloat16 where TF32 exists
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter where torch was built without that kind of device
        raise UsageError(f"device {name!r}: torch cannot use it here; give cpu, or leave it out") from error
    return device
