"""A line of the table, and how a method is run and measured."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resolvent import methods
from resolvent.degradations import Degradation
from resolvent.evaluation.metrics import psnr
from resolvent.image import read_image
from resolvent.methods.control import Control
from resolvent.physics.forward_model import ForwardModel

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        method: Key of METHODS.
        what: What was restored.
        published: The figure to reach, and its source.
        ours: What came out.
        seconds: CPU seconds of the whole line.
    """

    method: str
    what: str
    published: str
    ours: str
    seconds: float


@dataclass
class Trace:
    """The PSNR of a method's image over its steps, also printed: step, CPU seconds, dB."""

    truth: Pixels
    every: int
    steps: list[tuple[int, float, float]]

    def control(self) -> Control:
        """A control that records the steps."""
        started = time.process_time()

        def look(done: int, total: int, image: Callable[[], Pixels]) -> None:
            if done % self.every == 0 or done == total:
                seen = psnr(np.clip(image(), 0, 1), self.truth)
                self.steps.append((done, time.process_time() - started, seen))
                print(f"step {done} of {total}: {self.steps[-1][1]:.0f} s, {seen:.2f} dB", file=sys.stderr, flush=True)

        return Control(on_step=look)

    @property
    def best(self) -> tuple[int, float, float]:
        """The step of the highest PSNR."""
        return max(self.steps, key=lambda step: step[2])

    def reached(self, level: float) -> tuple[int, float, float] | None:
        """The first step of a PSNR."""
        return next((step for step in self.steps if step[2] >= level), None)


def degraded(x: Pixels, degradation: Degradation, seed: int = 0) -> Pixels:
    """As float, not clipped, with a fixed seed."""
    return degradation(x, np.random.default_rng(seed))


def restored(name: str, y: Pixels, degradation: Degradation, **options: Any) -> tuple[Pixels, float]:
    """The image, clipped, and the CPU seconds."""
    started = time.process_time()
    x = methods.load(name)(y, ForwardModel(degradation), **options)
    return np.clip(x, 0, 1), time.process_time() - started


def mean_over(name: str, files: list[Path], degradation: Degradation, **options: Any) -> tuple[float, float]:
    """Mean PSNR over photographs, and the seconds in all."""
    scores, seconds = [], 0.0
    for file in files:
        x = read_image(file).pixels
        result, took = restored(name, degraded(x, degradation), degradation, **options)
        scores.append(psnr(result, x))
        seconds += took
    return float(np.mean(scores)), seconds


def cropped(file: Path, scale: int) -> Pixels:
    """A photograph whose sides the scale divides."""
    x = read_image(file).pixels
    return x[: x.shape[0] // scale * scale, : x.shape[1] // scale * scale]


def enlarged_psnr(result: Pixels, x: Pixels, scale: int) -> float:
    """As the literature measures super-resolution: Y, the border cut, 8 bits."""
    return psnr(result, x, space="y", border=scale, round8=True)
