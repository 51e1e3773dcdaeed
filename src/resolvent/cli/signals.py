"""Being stopped: by Ctrl-C, by ``kill``, or because the terminal was closed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

__all__ = ["STOP", "stoppable"]


class Stop:
    """Which signal stopped the command."""

    def __init__(self) -> None:
        self.number = int(signal.SIGINT)

    @property
    def exit_code(self) -> int:
        """As a shell tells it: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + self.number

    def __call__(self, number: int, frame: FrameType | None) -> NoReturn:
        """Handle a signal as Ctrl-C is handled."""
        self.number = number
        raise KeyboardInterrupt


STOP = Stop()
"""Of this process."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end what is done as Ctrl-C does, unless they are ignored, as under ``nohup``."""
    STOP.number = int(signal.SIGINT)
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in numbers}
    before = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, STOP)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
