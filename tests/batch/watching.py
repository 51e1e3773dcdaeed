"""A folder that is watched in a thread of its own."""

import threading
import time
from collections import Counter
from contextlib import contextmanager

from resolvent.batch.watch import restore_watched

SETTLE = 0.2
PATIENCE = 30.0
"""Seconds after which something that should happen has not."""


def until(happened):
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


class Watching:
    """A watch in a thread, and what it tells."""

    def __init__(self, *call, settle=SETTLE, on_event=lambda event: None, **options):
        self.results, self.idle = [], threading.Event()
        self.stop, self.report, self.error = threading.Event(), None, None

        def tell(event):
            if event.result is not None:
                self.results.append(event.result)
            on_event(event)

        def work():
            more = {"on_event": tell, "on_idle": self.idle.set, "stop": self.stop}
            try:
                self.report = restore_watched(*call, settle=settle, **more, **options)
            except Exception as error:  # noqa: BLE001 - for the thread that waits
                self.error = error

        self.thread = threading.Thread(target=work)
        self.thread.start()

    @property
    def done(self):
        """What was done about each photograph, by its name."""
        return Counter((result.source.name, result.status) for result in self.results)

    def wait(self, *names):
        """Wait until these have been done about, and all else."""
        until(lambda: self.error or all(any(result.source.name == name for result in self.results) for name in names))
        until(lambda: self.error or self.idle.is_set())
        assert self.error is None

    def end(self):
        self.stop.set()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@contextmanager
def watching(*call, **options):
    seen = Watching(*call, **options)
    try:
        yield seen
    finally:
        seen.end()
