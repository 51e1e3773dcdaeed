"""How strong the noise of a degraded image is, for methods that must know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resolvent.diagnosis.noise import noise_sigma
from resolvent.physics.operators import Convolution

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.physics.forward_model import ForwardModel

__all__ = ["noise_level"]

BLOCKED = 0.25
"""Of the strongest frequency; what passes weaker than this is next to nothing but noise."""


def noise_level(y: NDArray[np.float32], forward_model: ForwardModel) -> float:
    """Standard deviation of the noise in 8-bit gray levels; of photon noise, its root mean square over the image.

    Where the degradation names no noise, it is estimated. The tenth of the frequencies that A lets through least holds
    next to nothing but noise, whose periodogram is exponentially distributed, with the median σ² log 2; where A lets
    through all, the plainest patches show it. What a mask has cut up shows none, and is taken to have none.

    Args:
        y: (H, W, C).
        forward_model: Of ``y``.
    """
    height, width, _ = y.shape
    if forward_model.noise.named:
        known = forward_model.known((height, width))
        return forward_model.noise.level(float(y[known].mean()) if known.any() else 0.0)
    if forward_model.masked:
        return 0.0
    operator = forward_model.circular.operator_to((height, width))
    if isinstance(operator, Convolution):
        passed = np.sqrt(operator.power)
        blocked = passed <= np.quantile(passed, 0.1)
        if passed[blocked].max() < BLOCKED * passed.max():
            spectrum = np.fft.fft2(y, axes=(0, 1))[blocked]
            return float(255 * np.sqrt(np.median(np.abs(spectrum) ** 2) / (height * width) / np.log(2)))
    return noise_sigma(255 * y[None])
