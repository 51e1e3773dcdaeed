"""One fit of deep image prior to its end, and where each rule would have stopped it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resolvent.degradations import parse
from resolvent.diagnosis.noise import noise_sigma
from resolvent.evaluation.metrics import psnr
from resolvent.methods.untrained.dip import PRESETS, fast_preset, fit_to, start
from resolvent.methods.untrained.fit import Discrepancy, MovingVariance, Stop, to_image
from resolvent.physics.forward_model import ForwardModel

__all__ = ["NETWORKS", "RULES", "Watch", "measure", "rules"]

Image = NDArray[np.float32]

NETWORKS = {"dip-fast": fast_preset("denoise"), "dip": PRESETS["denoise"]}
"""The published network, and that with a quarter of its filters."""

VARIANCES = {"variance": (100, 1000), "shorter": (50, 300), "longer": (300, 1000)}
"""Outputs that the moving variance looks at, and its patience: as published, and scaled to small photographs."""

RULES = {
    "told": "residual = σ², σ given",
    "estimated": "residual = σ², σ estimated",
    **{key: f"ES-WMV, {window} outputs, patience {patience}" for key, (window, patience) in VARIANCES.items()},
}

EVERY = 10
"""Steps between two points of a curve."""


def rules(y: Image, sigma: float) -> dict[str, Stop]:
    """A fresh rule under each key of RULES, as the method ``dip`` has them."""
    return {
        "told": Discrepancy(sigma / 255),
        "estimated": Discrepancy(noise_sigma(255 * y[None]) / 255),
        **{key: MovingVariance(window, patience) for key, (window, patience) in VARIANCES.items()},
    }


class Watch(Stop):
    """Lets a fit run to its end, and records what each rule would have stopped it at.

    Args:
        truth: (H, W, C).
        others: The rules.

    Attributes:
        curve: (step, PSNR of the running mean in dB, PSNR of the output, mean square of the residual), now and then.
        stopped: Step at which a rule ended the fit.
        images: Key of a rule, to the step and the image that it gives; ``oracle`` is the best running mean.
    """

    def __init__(self, truth: Image, others: dict[str, Stop]) -> None:
        self.truth, self.others = truth, others
        self.curve: list[tuple[int, float, float, float]] = []
        self.stopped: dict[str, int] = {}
        self.images: dict[str, tuple[int, Tensor]] = {}
        self.highest = -math.inf

    def score(self, image: Tensor) -> float:
        """PSNR in dB of what a file would hold, but for the rounding."""
        return psnr(np.clip(to_image(image), 0, 1), self.truth)

    def add(self, step: int, output: Tensor, mean: Tensor, residual: float) -> bool:
        level = self.score(mean)
        if step % EVERY == 0:
            self.curve.append((step, level, self.score(output), residual))
        if level > self.highest:
            self.highest = level
            self.images["oracle"] = step, mean.clone()
        for name, rule in self.others.items():
            if name in self.stopped:
                continue
            before = rule.best
            if rule.add(step, output, mean, residual):
                self.stopped[name] = step
            if rule.best is None:  # which gives the running mean of the step it stops at
                self.images[name] = step, mean
            elif rule.best is not before:
                self.images[name] = step, rule.best
        self.images["last"] = step, mean
        return False


def measure(
    truth: Image, *, network: str, sigma: float, steps: int, seed: int
) -> tuple[dict[str, Any], dict[str, Image]]:
    """Add noise, fit, and compare the rules.

    Args:
        truth: (H, W, 3).
        network: A key of NETWORKS.
        sigma: Of the noise, in gray levels.
        steps: Of the fit.
        seed: Of the noise and the fit.

    Returns:
        ``curve`` and ``rules``: key to the step whose image it gives, the step that the fit ended at (None: it went to
        its end) and the PSNR; and the images, with the noisy one.
    """
    degradation = parse(f"noise:sigma={sigma:g}")
    y = degradation(truth, np.random.default_rng(seed))
    watch = Watch(truth, rules(y, sigma))
    preset = NETWORKS[network]
    generator = torch.Generator().manual_seed(seed)
    fresh, z = start(preset, 3, (truth.shape[0], truth.shape[1]), seed, generator)
    settings = replace(preset.settings, iterations=steps)
    fit_to(y, ForwardModel(degradation), fresh, z, settings, watch, generator, None)
    compared = {
        name: {"step": step, "stopped": watch.stopped.get(name), "psnr": watch.score(image)}
        for name, (step, image) in watch.images.items()
    }
    images = {"noisy": y} | {name: to_image(image) for name, (_, image) in watch.images.items()}
    estimated = float(noise_sigma(255 * y[None]))
    noisy = psnr(np.clip(y, 0, 1), truth)
    return {"curve": watch.curve, "rules": compared, "estimated": estimated, "noisy": noisy}, images
