"""Fit the network of deep image prior to an image, to one with noise, to its shuffled pixels, and to noise alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resolvent.degradations import parse
from resolvent.methods.untrained.dip import PRESETS, fast_preset, fit_to, start
from resolvent.methods.untrained.fit import Stop
from resolvent.physics.forward_model import ForwardModel

__all__ = ["NETWORKS", "TARGETS", "Target", "fit", "reached", "targets"]

Target = NDArray[np.float32]
"""(H, W, 3)."""

TARGETS = {
    "image": "image",
    "noisy": "image + noise",
    "shuffled": "pixels shuffled",
    "noise": "uniform noise",
}

NETWORKS = {"dip": PRESETS["denoise"], "dip-fast": fast_preset("denoise")}


def targets(image: Target, sigma: float, seed: int) -> dict[str, Target]:
    """What to fit, under the keys of TARGETS.

    Args:
        image: In [0, 1].
        sigma: Of the Gaussian noise that is added to the image, in gray levels.
        seed: Of all that is random.
    """
    rng = np.random.default_rng(seed)
    noisy = parse(f"noise:sigma={sigma:g}")(image, rng)
    shuffled = rng.permutation(image.reshape(-1, image.shape[2])).reshape(image.shape)
    return {"image": image, "noisy": noisy, "shuffled": shuffled, "noise": rng.random(image.shape, np.float32)}


class Record(Stop):
    """Records the mean square of each step's residual."""

    def __init__(self) -> None:
        self.mse: list[float] = []

    def add(self, step: int, output: Tensor, mean: Tensor, residual: float) -> bool:
        self.mse.append(residual)
        return False


def fit(target: Target, *, network: str, steps: int, seed: int) -> list[float]:
    """MSE of each step of a fit.

    The input gets no noise, unlike that of the method ``dip``: it would keep the network from fitting noise as well.

    Args:
        target: (H, W, 3).
        network: A key of NETWORKS.
        steps: Of Adam.
        seed: Of the network and its input.
    """
    preset = NETWORKS[network]
    generator = torch.Generator().manual_seed(seed)
    fresh, z = start(preset, 3, (target.shape[0], target.shape[1]), seed, generator)
    settings = replace(preset.settings, iterations=steps, input_noise=0.0)
    record = Record()
    fit_to(target, ForwardModel(parse("noise:sigma=0")), fresh, z, settings, record, generator, None)
    return record.mse


def reached(mse: list[float], level: float) -> int | None:
    """The first step whose MSE is at most a level; None if there is none."""
    return next((step for step, value in enumerate(mse, 1) if value <= level), None)
