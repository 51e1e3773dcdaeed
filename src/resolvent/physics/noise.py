"""What a forward model adds to A x."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Noise"]


@dataclass(frozen=True)
class Noise:
    """Noise that is independent in every pixel and channel, as far as it is known; and what is no such noise.

    Attributes:
        sigma: Standard deviation of white Gaussian noise, in 8-bit gray levels; None where none is named.
        peak: Photons expected at white; infinity without photon noise.
        others: Names of what changes the image and is not additive white noise, such as JPEG compression.
    """

    sigma: float | None = None
    peak: float = math.inf
    others: tuple[str, ...] = ()

    def __add__(self, other: Noise) -> Noise:
        """One noise after another: variances add."""
        peak = 1 / (1 / self.peak + 1 / other.peak) if min(self.peak, other.peak) < math.inf else math.inf
        named = [noise.sigma for noise in (self, other) if noise.sigma is not None]
        return Noise(math.hypot(*named) if named else None, peak, self.others + other.others)

    @property
    def named(self) -> bool:
        """Whether its level is known."""
        return self.sigma is not None or self.peak < math.inf

    @property
    def additive(self) -> bool:
        """Whether it is noise, and nothing else."""
        return not self.others

    def level(self, mean: float) -> float:
        """Standard deviation in 8-bit gray levels, where the image has this mean; of photon noise its mean square.

        Args:
            mean: Of the image, in [0, 1].
        """
        return math.hypot(self.sigma or 0.0, 255 * math.sqrt(max(mean, 0.0) / self.peak))
