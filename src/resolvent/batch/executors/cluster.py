"""Which cluster a name such as ``local:4`` stands for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from resolvent.errors import UsageError

if TYPE_CHECKING:
    from resolvent.batch.executors.dask import DaskExecutor
    from resolvent.batch.executors.ray import RayExecutor

__all__ = ["check_cluster", "open_cluster"]

NAMES = r"local:[1-9]\d{0,4}|ray(:[1-9]\d{0,4})?|ray://\S+|(tcp|tls|ws|wss|ucx|ucxx)://\S+"


def check_cluster(where: str) -> None:
    """Refuse what names no cluster.

    Raises:
        UsageError: It does not.
    """
    if not re.fullmatch(NAMES, where):
        raise UsageError(
            f"cluster {where!r:.80}: is not known; give local:4 (processes), tcp://host:8786 (a Dask scheduler), ray, "
            "ray:4 or ray://host:10001"
        )


def open_cluster(where: str, photographs: int, workers: int | None = None) -> DaskExecutor | RayExecutor:
    """Join a cluster, or start one on this machine.

    Args:
        where: See ``check_cluster``.
        photographs: How many there are.
        workers: Photographs that it restores at once at most.

    Raises:
        UsageError: There is none there.
        MissingDependencyError: What runs it is not installed.
    """
    check_cluster(where)
    if workers is not None and workers < 1:
        raise UsageError(f"workers {workers}: must be 1 or more; leave it out for all that the cluster has")
    if where.startswith("ray"):
        from resolvent.batch.executors.ray import RayExecutor

        return RayExecutor(where, photographs, workers)
    from resolvent.batch.executors.dask import DaskExecutor

    return DaskExecutor(where, workers)
