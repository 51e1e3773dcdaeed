"""Being stopped: by Ctrl-C, by ``kill``, or because the terminal was closed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from resolvent.methods.control import Control

__all__ = ["STOP", "canceling", "stoppable"]


class Stop:
    """Whether a signal has stopped the command, and which one."""

    def __init__(self) -> None:
        self.number = int(signal.SIGINT)
        self.received = False

    @property
    def exit_code(self) -> int:
        """As a shell tells it: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + self.number

    def __call__(self, number: int, frame: FrameType | None) -> NoReturn:
        """Handle a signal as Ctrl-C is handled."""
        self.number, self.received = number, True
        raise KeyboardInterrupt

    def check(self) -> None:
        """Raise KeyboardInterrupt once more, for where the first one came was perhaps a callback that swallows it."""
        if self.received:
            raise KeyboardInterrupt


STOP = Stop()
"""Of this process."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end what is done as Ctrl-C does, unless they are ignored, as under ``nohup``."""
    STOP.number, STOP.received = int(signal.SIGINT), False
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in numbers}
    before = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, STOP)
    try:
        yield
    finally:
        STOP.received = False
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def canceling() -> Iterator[Control]:
    """Give a control that Ctrl-C cancels: an iterative method that is running gives what it has.

    A second Ctrl-C, or one where no such method is running, interrupts as always.
    """
    from resolvent.methods.control import Control

    control = Control()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before == signal.SIG_IGN:
        yield control
        return

    def cancel(number: int, frame: object) -> None:
        if not control.cancel():
            STOP(number, None)

    signal.signal(signal.SIGINT, cancel)
    try:
        yield control
    finally:
        signal.signal(signal.SIGINT, before)
