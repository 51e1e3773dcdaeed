"""Known blurs on crops of photographs: the unrolled network against plug-and-play and the Wiener filter."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from resolvent.degradations import Degradation, Kernel, parse
from resolvent.errors import InputError, first_line
from resolvent.evaluation.metrics import psnr
from resolvent.methods import load
from resolvent.physics.forward_model import ForwardModel

__all__ = ["SIDE", "measure", "tasks"]

SIDE = 128


def tasks(kernels: Path | None) -> dict[str, list[Degradation]]:
    """The blurs by name, of which the crops take one after the other; the kernels of a .npz file are one task.

    Raises:
        InputError: The file of kernels is not there, or holds none.
    """
    named = {f"Gaussian blur, sigma {s}, noise 2": [parse(f"blur:sigma={s} + noise:sigma=2")] for s in (1.6, 3)}
    if kernels:
        try:
            with np.load(kernels) as file:
                measured = [Kernel(array=np.asarray(file[key], float)) for key in file]
        except (OSError, TypeError, AttributeError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(f"{kernels}: no kernels ({first_line(error)}); give a .npz file of arrays") from error
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
