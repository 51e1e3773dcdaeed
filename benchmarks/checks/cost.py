"""What the methods cost: time and memory."""

from __future__ import annotations

import multiprocessing
import resource
import sys
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
    """What every method takes for its example in color; for an iterative method, extrapolated from the first steps."""
    x = read_image(data / "CSet9" / "image_House256rgb.png").pixels
    for name, method in methods.METHODS.items():
        degradation, times, total = parse(method.example), [], 1
        y = degraded(x, degradation)

        def look(done: int, steps: int, image: object) -> None:
            nonlocal total
            times.append(time.process_time())  # noqa: B023 - called within this turn alone
            total = steps
            if done == looks:
                control.cancel()  # noqa: B023

        control = Control(on_step=look)
        _, seconds = restored(
            name, y, degradation, **({"control": control} if "control" in method.common_options else {})
        )
        if total > looks:
            seconds += (total - looks) * float(np.median(np.diff(times)))
        what = f"256x256 in color, {method.example}"
        yield Row(name, what, f"stated: {method.cost}", f"{seconds:.0f} s", seconds)


def memory(data: Path) -> Iterator[Row]:
    """What every method takes for one more pixel of the result, in color: the peaks of two processes compared."""
    for name, method in methods.METHODS.items():
        sides = (256, 512) if method.memory > 1000 else (512, 1024)
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            (small, few), (large, many) = pool.map(_peak, [(name, side) for side in sides], chunksize=1)
        slope = (large - small) / (sides[1] ** 2 - sides[0] ** 2)
        yield Row(
            name, f"bytes for a pixel, {sides[0]}x{sides[0]} to {sides[1]}x{sides[1]}", f"stated: {method.memory}",
            f"{slope:.0f}", few + many,
        )  # fmt: skip


def _peak(job: tuple[str, int]) -> tuple[int, float]:
    """Bytes that this process has held at most after two steps of a method, and the seconds of it."""
    name, side = job
    method = methods.METHODS[name]
    degradation = parse(method.example)
    small = side // degradation.scale
    y = np.random.default_rng(0).random((small, small, 3), np.float32)
    control = Control(on_step=lambda done, total, image: control.cancel() if done == 2 else None)
    _, seconds = restored(name, y, degradation, **({"control": control} if "control" in method.common_options else {}))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (peak if sys.platform == "darwin" else 1024 * peak), seconds
