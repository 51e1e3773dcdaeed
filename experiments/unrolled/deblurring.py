"""Known blurs on crops of photographs: the unrolled network against plug-and-play and the Wiener filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from resolvent.degradations import Degradation, Kernel, parse
from resolvent.errors import UsageError
from resolvent.evaluation.metrics import psnr
from resolvent.image import read_image
from resolvent.methods import load
from resolvent.physics.forward_model import ForwardModel

__all__ = ["SIDE", "center", "measure", "tasks"]

SIDE = 128


def center(path: Path) -> Any:
    """The middle of a color photograph, (SIDE, SIDE, 3) float32.

    Raises:
        UsageError: It is smaller than that, or gray.
    """
    pixels = read_image(path).pixels
    height, width, channels = pixels.shape
    if min(height, width) < SIDE or channels != 3:
        raise UsageError(f"{path}: is {height}x{width}x{channels}; give color photographs of {SIDE} pixels or more")
    top, left = (height - SIDE) // 2, (width - SIDE) // 2
    return pixels[top : top + SIDE, left : left + SIDE]


def tasks(kernels: Path | None) -> dict[str, list[Degradation]]:
    """The blurs by name, of which the crops take one after the other; the kernels of a .npz file are one task."""
    named = {f"Gaussian blur, sigma {s}, noise 2": [parse(f"blur:sigma={s} + noise:sigma=2")] for s in (1.6, 3)}
    if kernels:
        with np.load(kernels) as file:
            measured = [Kernel(array=np.asarray(file[key], float)) for key in file]
        named["measured camera shake, noise 2.55"] = [kernel + parse("noise:sigma=2.55") for kernel in measured]
    return named


def measure(
    crops: Sequence[Any], degradations: Sequence[Degradation], methods: Mapping[str, tuple[str, dict[str, Any]]]
) -> dict[str, float]:
    """Mean PSNR in dB of what is given and of each method, (name in METHODS, settings), results clipped to [0, 1]."""
    scores: dict[str, list[float]] = {name: [] for name in ("degraded", *methods)}
    for number, truth in enumerate(crops):
        degradation = degradations[number % len(degradations)]
        y = degradation(truth, np.random.default_rng(number))
        scores["degraded"].append(psnr(truth, np.clip(y, 0, 1)))
        for name, (method, settings) in methods.items():
            restored = load(method)(y, ForwardModel(degradation), **settings)
            scores[name].append(psnr(truth, np.clip(restored, 0, 1)))
    return {name: float(np.mean(values)) for name, values in scores.items()}
