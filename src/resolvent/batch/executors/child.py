"""A photograph restored in a process of its own, which it may end without ending the batch.

A photograph that was at work when the program died is suspect: a decoder may crash on it, or the system have killed
what took too much memory. It is done again by a child. If that dies too, it is the photograph's fault, and not that of
whoever killed the program.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

import resolvent
from resolvent.batch.executors.local import SharedSessions
from resolvent.batch.progress import FileProgress, Progress
from resolvent.batch.report import Result
from resolvent.batch.task import Row, Task, perform
from resolvent.errors import first_line

__all__ = ["ChildExecutor"]


class ChildExecutor:
    """Does each task in a process of its own, one after the other."""

    workers = 1

    def map(self, tasks: Iterator[Task | None], watch: Callable[[Task], FileProgress]) -> Iterator[Row]:
        """See Executor."""
        for task in tasks:
            if task is not None:
                yield _row(task)

    def close(self) -> tuple[Row, ...]:
        """See Executor."""
        return ()


def _row(task: Task) -> Row:
    """Do a task in a child."""
    source = str(Path(resolvent.__file__).parents[1])
    path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    call = [sys.executable, "-P", "-c", f"from {__name__} import main; main()"]
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as child:
        stdin, stdout = cast("BinaryIO", child.stdin), cast("BinaryIO", child.stdout)
        try:
            pickle.dump(task, stdin)
            stdin.flush()  # and not closed, which would tell the child that this process has died
            answer = stdout.read()
        except BrokenPipeError:
            answer = b""
            with suppress(BrokenPipeError):  # of what is still to be flushed
                stdin.close()
        except BaseException:
            child.kill()
            raise
    if not answer.startswith(READY):
        return _not_begun(task, child.returncode)
    try:
        row: Row = pickle.loads(answer.removeprefix(READY))
    except (EOFError, pickle.UnpicklingError):  # it died before it had answered
        return _ended(task, child.returncode)
    return row


READY = b"\0"
"""What a child answers once it has its task: what ends it after that is the photograph."""


def _how(code: int) -> str:
    """How a child ended."""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"


def _not_begun(task: Task, code: int) -> Row:
    """The row of a task that its child did not come to, which is no fault of the photograph."""
    reason = f"{task.job.source}: not tried, for the process that does it by itself did not start ({_how(code)})"
    failed = Result(task.job.source, task.job.target, "failed", (f"{reason}; --resume tries it beside the others",))
    return Row(task.number, failed)


def _ended(task: Task, code: int) -> Row:
    """The row of a task whose child died."""
    reason = f"{task.job.source}: ended the program twice ({_how(code)}): set aside; --retry-failed tries again"
    return Row(task.number, Result(task.job.source, task.job.target, "failed", (reason,)), lasting=True, deadly=True)


def main() -> None:
    """Do the task that comes through stdin, and end when that is closed."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get among the answer
    try:
        task = pickle.load(sys.stdin.buffer)
    except (AttributeError, ImportError) as error:  # of a class that only the parent knows
        sys.exit(f"resolvent: {first_line(error)}")
    answer.write(READY)
    answer.flush()

    def end_with_parent() -> None:
        sys.stdin.buffer.read()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    row = perform(task, SharedSessions(), Progress(1, lambda event: None).start(task.job.source))
    with answer:
        pickle.dump(row, answer)
    os._exit(0)
