"""Which model to choose: the gain of each, foretold from how strong the detail of a photograph is at every frequency.

Noise fills all frequencies alike, grain the lower ones, blur empties the higher ones, and JPEG leaves few of them. How
strong each coefficient of the 8x8 cosine transform is in the smoothest, the middling and the most detailed blocks tells
these apart, and mixtures of them too. Small networks, learned by ``benchmarks/choice.py --learn`` from photographs that
were degraded and restored by every model, turn that into dB.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from resolvent.diagnosis.ensemble import Ensemble

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.diagnosis.noise import Grain

__all__ = ["LEAST_GAIN", "Chooser", "best", "features", "load_chooser"]

LEAST_GAIN = 0.3
"""dB of PSNR; where no model is expected to gain so much, a photograph is left alone."""

BLOCK = 8
LUMA, CHROMA = (0.1, 0.5, 0.9), (0.25, 0.75)  # quantiles over the blocks
FLOOR = 0.25  # gray levels; the rounding to 8 bits makes a coefficient about as large


def features(
    sample: NDArray[np.float32], noise: float, blur: float, quality: int | None, grain: Grain
) -> NDArray[np.float32] | None:
    """Measure what the choice rests on.

    Args:
        sample: (K, h, w, C) windows, in gray levels 0 to 255.
        noise: Gray levels.
        blur: Pixels.
        quality: Of JPEG.
        grain: See ``Grain``.

    Returns:
        (F,); None where no window holds a block.
    """
    height, width = (side // BLOCK * BLOCK for side in sample.shape[1:3])
    if not height or not width:
        return None
    blocks = sample[:, :height, :width]
    luma, chroma = blocks.mean(-1), blocks[..., 0] - blocks[..., -1]
    clipped = float(np.mean((sample <= 0) | (sample >= 255)))
    numbers = [
        np.log1p(noise), blur, (100 if quality is None else quality) / 100, quality is not None,
        np.log1p(grain.roughness), np.log(grain.evenness + FLOOR), np.sqrt(clipped), float(np.ptp(chroma) > 0),
    ]  # fmt: skip
    spectra = [_spectrum(luma, LUMA), _spectrum(chroma, CHROMA)]
    return np.concatenate([*spectra, numbers]).astype(np.float32)


def _spectrum(planes: NDArray[np.float32], quantiles: tuple[float, ...]) -> NDArray[np.float64]:
    """Logarithms of quantiles of the 63 alternating coefficients over the blocks of (K, h, w)."""
    count, height, width = planes.shape
    k = np.arange(BLOCK)
    basis = np.cos(np.pi / (2 * BLOCK) * (2 * k + 1) * k[:, None]) * np.sqrt(2 / BLOCK)
    basis[0] /= np.sqrt(2)
    basis = basis.astype(np.float32)
    blocks = planes.reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK).swapaxes(2, 3)
    coefficients = np.abs(basis @ blocks @ basis.T).reshape(-1, BLOCK**2)[:, 1:]
    spectrum: NDArray[np.float64] = np.log(np.quantile(coefficients, quantiles, axis=0) + FLOOR).ravel()
    return spectrum


class Chooser(Ensemble):
    """Small networks whose outputs are the gains of the models that they name."""

    @property
    def models(self) -> tuple[str, ...]:
        """Whose gains they are."""
        return self.outputs

    def gains(self, measured: NDArray[np.float32]) -> dict[str, float]:
        """Predict the gain of each model in dB, from (F,) features."""
        return self.predict(measured)


def best(gains: Mapping[str, float]) -> str | None:
    """The model that gains most; None where that is less than LEAST_GAIN."""
    first = max(gains, key=lambda name: gains[name], default=None)
    return first if first is not None and gains[first] >= LEAST_GAIN else None


@cache
def load_chooser() -> Chooser:
    """Load the one that comes with Resolvent."""
    with resources.files(__package__).joinpath("choice.npz").open("rb") as file:
        return Chooser.load(file)
