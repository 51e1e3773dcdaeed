"""Scores of every restorer on the flowers, with the input as the baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from experiments.seed.flowers import SPLITS, Flowers
from experiments.seed.variants import BLURS, blur
from resolvent import methods
from resolvent.degradations import Degradation, GaussianNoise, parse
from resolvent.evaluation.metrics import argmax_accuracy, psnr, ssim
from resolvent.physics.forward_model import ForwardModel

__all__ = [
    "BASELINES",
    "MIXTURE",
    "Restorer",
    "baselines",
    "compare",
    "degraded",
    "network",
    "score",
    "sweep",
    "tensor",
]

Restorer = Callable[[NDArray[np.float32], Degradation], NDArray[np.float32]]
"""(N, H, W, 3) and what happened to it, to what was restored, not clipped."""

MIXTURE = "mixture"
"""All four blurs, as the network is trained on them."""

BASELINES = {"identity": "nothing done", "wiener": "Wiener, known kernel", "richardson-lucy": "RL, known kernel"}


ROUNDING = GaussianNoise(12**-0.5)
"""As noise, which methods know: the error of rounding has this standard deviation."""


def degraded(clean: NDArray[np.float32], degradation: Degradation, seed: int = 0) -> NDArray[np.float32]:
    """Degrade each photograph, as float and not clipped."""
    rng = np.random.default_rng(seed)
    return np.stack([degradation(image, rng) for image in clean])


def tensor(photographs: NDArray[np.float32]) -> torch.Tensor:
    """(N, H, W, 3) as (N, 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(photographs.transpose(0, 3, 1, 2)))


def baselines() -> dict[str, Restorer]:
    """Doing nothing, and what a person who knows the kernel has."""

    def by_method(name: str) -> Restorer:
        restore = methods.load(name)
        return lambda y, degradation: np.stack(
            [restore(image, ForwardModel(degradation.parts[0] + ROUNDING)) for image in y]
        )

    return {name: by_method(name) if name in methods.METHODS else lambda y, degradation: y for name in BASELINES}


def network(module: nn.Module, batch: int = 10) -> Restorer:
    """A trained network, which is blind."""

    def restore(y: NDArray[np.float32], degradation: Degradation) -> NDArray[np.float32]:
        with torch.inference_mode():
            parts = [module(part).float() for part in torch.split(tensor(y), batch)]
        return np.ascontiguousarray(torch.cat(parts).numpy().transpose(0, 2, 3, 1))

    return restore


def score(restored: Iterable[NDArray[np.float32]], clean: Iterable[NDArray[np.float32]]) -> dict[str, float]:
    """Mean accuracy of the values as they are, and mean PSNR in dB and SSIM of what a file would hold."""
    rows = []
    for x, truth in zip(restored, clean, strict=True):
        shown = np.clip(x, 0, 1)
        rows.append((argmax_accuracy(x, truth), psnr(shown, truth), ssim(shown, truth)))
    means = np.mean(rows, axis=0).tolist()
    return dict(zip(("accuracy", "psnr", "ssim"), means, strict=True))


def compare(restorer: Restorer, flowers: Flowers, splits: Iterable[str] = SPLITS) -> dict[str, dict[str, Any]]:
    """The scores of a restorer: blur, then split, then accuracy, psnr and ssim; and the mixture of all blurs."""
    results: dict[str, dict[str, Any]] = {}
    for ksize in BLURS:
        degradation = parse(blur(ksize))
        results[str(ksize)] = {}
        for split in splits:
            clean = flowers.split(split)
            results[str(ksize)][split] = score(restorer(degraded(clean, degradation), degradation), clean)
    results[MIXTURE] = {
        split: {
            key: float(np.mean([results[str(ksize)][split][key] for ksize in BLURS]))
            for key in ("accuracy", "psnr", "ssim")
        }
        for split in splits
    }
    return results


def sweep(restorers: dict[str, Restorer], clean: NDArray[np.float32], texts: Iterable[str]) -> dict[str, list[float]]:
    """Mean PSNR in dB of every restorer, and of nothing done, under each degradation."""
    results: dict[str, list[float]] = {name: [] for name in ("identity", *restorers)}
    for text in texts:
        degradation = parse(text)
        y = degraded(clean, degradation)
        results["identity"].append(score(y, clean)["psnr"])
        for name, restorer in restorers.items():
            results[name].append(score(restorer(y, degradation), clean)["psnr"])
    return results
