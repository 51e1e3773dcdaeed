"""Programs of others to compare with, run where they are installed; none is a dependency."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from resolvent.errors import InputError
from resolvent.methods.noise_level import noise_level
from resolvent.physics.forward_model import ForwardModel

if TYPE_CHECKING:
    from resolvent.degradations import Degradation
    from resolvent.evaluation.metrics import Pixels

__all__ = ["BASELINES", "Baseline", "available_baselines", "run_baseline"]


@dataclass(frozen=True)
class Baseline:
    """A program to compare with.

    Attributes:
        package: That must be installed.
        summary: What it is, and what its license asks.
        handles: The degradations that it can undo, by name.
    """

    package: str
    summary: str
    handles: tuple[str, ...]


BASELINES: dict[str, Baseline] = {
    "bm3d": Baseline("bm3d", "BM3D, and CBM3D for color (Dabov et al., 2007); non-commercial use only", ("noise",)),
}


def available_baselines(degradation: Degradation) -> list[str]:
    """The baselines that are installed and can undo a degradation."""
    return [
        name
        for name, baseline in BASELINES.items()
        if all(part.name in baseline.handles for part in degradation.parts)
        and importlib.util.find_spec(baseline.package)
    ]


def run_baseline(name: str, y: Pixels, degradation: Degradation) -> Pixels:
    """Restore (H, W, C) with a baseline.

    Raises:
        InputError: Its package is not installed.
    """
    baseline = BASELINES[name]
    try:
        module = importlib.import_module(baseline.package)
    except ModuleNotFoundError as error:
        raise InputError(f"{name} is not installed: pip install {baseline.package} ({baseline.summary})") from error
    sigma = noise_level(y.astype(np.float32), ForwardModel(degradation)) / 255
    restored = module.bm3d(y[..., 0], sigma) if y.shape[2] == 1 else module.bm3d_rgb(y, sigma)
    return np.asarray(restored, np.float32).reshape(y.shape)
