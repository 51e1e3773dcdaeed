"""Who does the work of a batch: threads of this process, or the processes of a cluster.

An executor does tasks and gives their rows as they come. It writes outputs, never the manifest: that is the driver's,
``batch.many``. A task may be done twice, where a worker was lost; its output is then the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from resolvent.batch.progress import FileProgress
from resolvent.batch.task import Row, Task

__all__ = ["Executor"]


class Executor(Protocol):
    """Does tasks.

    Attributes:
        workers: Tasks that are done at once, or will be soon.
    """

    @property
    def workers(self) -> int: ...  # noqa: D102

    def map(self, tasks: Iterator[Task | None], watch: Callable[[Task], FileProgress]) -> Iterator[Row]:
        """Do tasks, and give what became of each as soon as it is known.

        Args:
            tasks: Each is taken, in the thread of the caller, only when a worker will soon be free for it; it may be
                done beside those taken before. None, of a folder that is watched: there is none yet, and a moment was
                waited for one; what is done meanwhile is given, and it is asked again.
            watch: What is told how far a task is.
        """

    def close(self) -> Iterable[Row]:
        """End what is being done as soon as can be, and give the rows of what was finished all the same."""
