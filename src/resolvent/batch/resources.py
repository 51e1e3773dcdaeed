"""How many photographs are restored at once, and what each may take.

What decides a byte of an output is pinned in the manifest when a batch begins, so that a run that goes on, when less
memory is free, ends with the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from numbers import Integral
from typing import Any, Self

from resolvent.engine.request import MethodRequest, RepairRequest, Request, TiledRequest
from resolvent.errors import UsageError
from resolvent.system import CEILING, available_memory, usable_cpus

__all__ = ["Resources", "check_workers", "pinned", "share_out", "share_out_cluster"]

EACH = 512 * 2**20
"""Bytes that have to be free for each photograph that is restored beside others."""

LEAST_TILE = 128 * 2**20
"""Bytes of the smallest tiles that are pinned."""

PIXEL = 24
"""Bytes that a photograph takes for each of its pixels while it is restored, tiles not counted: as read, as restored,
and its canvas in float32, with what libvips and NumPy hold besides. Measured by ``benchmarks/batch.py``."""


@dataclass(frozen=True)
class Resources:
    """What each photograph may take.

    Attributes:
        workers: Photographs that are restored at once.
        threads: Of a session, for a photograph that is restored beside others; None for all.
        memory: Bytes of tiles.
        largest: Pixels of the largest photograph that is restored beside others.
    """

    workers: int
    threads: int | None
    memory: int
    largest: int

    @property
    def pins(self) -> dict[str, Any]:
        """What decides bytes, as plain data."""
        return {name: value for name, value in asdict(self).items() if name != "workers"}

    def with_pins(self, pins: Mapping[str, Any]) -> Self:
        """The same number of workers, and all else as it was pinned."""
        known = {field.name for field in fields(self)}
        return replace(self, **{name: value for name, value in pins.items() if name in known})


def check_workers(workers: object) -> int | None:
    """Give a number of workers as Python's own, and None as it is; refuse what is no whole number.

    Raises:
        UsageError: It is none.
    """
    if workers is not None and not isinstance(workers, Integral):
        raise UsageError(f"workers {workers!r:.80}: must be a whole number; give workers=2, or leave it out")
    return None if workers is None else int(workers)


def share_out(request: Request, photographs: int, workers: int | None = None) -> Resources:
    """Share this machine out among the photographs of a batch.

    A method takes the whole machine for one photograph, and so does a runtime whose threads cannot be bounded for one
    session. Models are given one core each.

    Args:
        request: What is asked.
        photographs: How many there are.
        workers: At once; by default as many as there are cores, and memory for.

    Raises:
        UsageError: There are to be no workers, or several where a photograph takes the whole machine.
    """
    workers = check_workers(workers)
    if workers is not None and workers < 1:
        raise UsageError(f"workers {workers}: must be 1 or more; leave it out for one on each core")
    free = available_memory()
    shared = _is_shared(request)
    if workers is not None and workers > 1 and not shared:
        raise UsageError(f"workers {workers}: a method, and torch, take all cores for one photograph; leave it out")
    most = workers or min(usable_cpus(), max(free // EACH, 1))
    count = min(most, max(photographs, 1)) if shared else 1
    return _resources(count, 1 if count > 1 else None, free // count)


def share_out_cluster(request: Request, free: int) -> Resources:
    """Say what each photograph may take on a cluster, where each thread of a worker restores one.

    A method, and a runtime whose threads cannot be bounded for one session, take a whole process for one photograph.

    Args:
        request: What is asked.
        free: Bytes for each thread.
    """
    return _resources(1, 1 if _is_shared(request) else None, free)


def _resources(workers: int, threads: int | None, free: int) -> Resources:
    """What each photograph may take where so many bytes are free for it: half of them."""
    each = free // 2
    tiles = min(max(each // 2, LEAST_TILE), CEILING)
    return Resources(workers, threads, tiles, max((each - tiles) // PIXEL, 1))


def pinned(request: Request, memory: int) -> Request:
    """The request, with tiles of this much memory unless they are bounded already."""
    if isinstance(request, RepairRequest) and request.then is not None:
        request = replace(request, then=pinned(request.then, memory))
    if isinstance(request, TiledRequest) and request.tile is None and request.memory is None:
        return replace(request, memory=memory)
    return request


def _is_shared(request: Request) -> bool:
    """Whether several photographs can be restored at once in one process."""
    if isinstance(request, RepairRequest) and request.then is not None and not _is_shared(request.then):
        return False
    return not isinstance(request, MethodRequest) and getattr(request, "runtime", "auto") in ("auto", "onnxruntime")
