"""Maps of errors that need no training, beside which a trained one has to stand: (H, W), not calibrated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from resolvent.evaluation.dropout import ensemble
from resolvent.methods.plug_and_play.pnp import turned

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A photograph that was restored.

    Attributes:
        run: The model, (N, C, H, W) to (N, 3, sH, sW).
        x: What it was given, (1, C, H, W).
        y: What it made of that, (3, sH, sW).
    """

    run: Callable[[Array], Array]
    x: Array
    y: Array


def joined(variance: Array) -> Array:
    """Standard deviation (H, W) of the variance of each value (C, H, W), over the channels and 5x5 pixels."""
    return np.sqrt(uniform_filter(variance.mean(0), 5, mode="nearest").clip(min=0))


def change(case: Case) -> Array:
    """How much the image was changed, over 9x9 pixels."""
    return uniform_filter(np.abs(case.y - case.x[0, :3]).mean(0), 9, mode="nearest")


def contrast(case: Case) -> Array:
    """Standard deviation of the result over 5x5 pixels."""
    mean, squares = (uniform_filter(power.astype(float), (1, 5, 5), mode="nearest") for power in (case.y, case.y**2))
    return np.sqrt((squares - mean**2).clip(min=0).mean(0))


def symmetries(case: Case) -> Array:
    """Standard deviation over the eight flips and quarter turns, each turned back."""
    results = [case.y]
    for k in range(1, 8):
        x = turned(case.x[0].transpose(1, 2, 0), k).transpose(2, 0, 1)
        y = case.run(np.ascontiguousarray(x[None]))[0]
        results.append(turned(y.transpose(1, 2, 0), k, back=True).transpose(2, 0, 1))
    return joined(np.var(results, axis=0))


def rivals(case: Case, other: Callable[[Array], Array]) -> Array:
    """Standard deviation of two networks."""
    return joined(ensemble([lambda x: case.y[None], other], case.x)[1][0] ** 2)
