"""What the methods cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from checks.common import Row, degraded, restored
from resolvent import methods
from resolvent.degradations import parse
from resolvent.image import read_image
from resolvent.methods.control import Control


def costs(data: Path, looks: int = 5) -> Iterator[Row]:
    """What every method takes for its example in colour; where it goes step by step, by the first few steps."""
    x = read_image(data / "CSet9" / "image_House256rgb.png").pixels
    for name, method in methods.METHODS.items():
        told, times, total = parse(method.example), [], 1
        y = degraded(x, told)

        def look(done: int, steps: int, image: object) -> None:
            nonlocal total
            times.append(time.process_time())  # noqa: B023 - called within this turn alone
            total = steps
            if done == looks:
                control.cancel()  # noqa: B023

        control = Control(on_step=look)
        _, seconds = restored(name, y, told, **({"control": control} if "control" in method.takes else {}))
        if total > looks:
            seconds += (total - looks) * float(np.median(np.diff(times)))
        what = f"256x256 in colour, {method.example}"
        yield Row(name, what, f"stated: {method.cost}", f"{seconds:.0f} s", seconds)
