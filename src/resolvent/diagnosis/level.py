"""How strong noise of any kind is: correlated between neighbors or channels, dependent on the signal, compressed.

White noise differs from texture by its flat spectrum (``noise.noise_sigma``). The noise in a camera's files is not
white: raw values are interpolated, mixed into colors and compressed, and the noise with them. No single figure
separates such noise from fine texture. Together these do: how strong every band of frequencies is, in luminance and in
color, in the smoothest and in the other blocks; how much it varies from block to block; and how Gaussian it is. Small
networks turn that into levels; ``benchmarks/noise_level.py --learn`` fits them to photographs with known added noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from resolvent.diagnosis.cosines import cosines
from resolvent.diagnosis.ensemble import Ensemble
from resolvent.diagnosis.noise import noise_sigmas

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["OFFSET", "OUTPUTS", "Noise", "level_features", "load_levels", "measure_noise", "predict_levels"]

OUTPUTS = ("red", "green", "blue", "neighbor", "channel")
"""Logarithms of the levels + ``OFFSET``; correlation of neighbors; of channels."""

OFFSET = 0.5
"""Gray levels: where noise is weaker than about this, its ratio to another level does not matter."""

BLOCK, STEP = 16, 8  # pixels a side; from one block to the next
BANDS = 8
LOWEST = 2  # bands below this one are smooth image content, and do not count as texture
LEAST_BLOCKS = 12
QUANTILES = (0.02, 0.1, 0.3, 0.6, 0.9)
PLAIN = (0.05, 0.3)  # shares of the blocks, the plainest ones
FLOOR = 0.15  # gray levels
EMPTY = 1e-6
CLIPPED = 0.1  # share of the values of a block that may be black or white
OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]], np.float32) / np.sqrt([[3], [2], [6]]).astype(np.float32)
"""Orthonormal: luminance, red - blue, magenta - green; white noise is as strong in each of them."""


COLORED = 0.3
"""Correlation of neighbors from which noise counts as correlated; JPEG and texture leave white noise some."""

FAINT = 1.0
"""Gray levels; the correlation of weaker noise is not reported."""

HIDDEN_BY_JPEG = 2.8
"""JPEG takes most of weak noise out of plain blocks, where it is measured, and leaves it in the others: what is left of
p gray levels there means about 3 min(p, √p), until that is less than p. Fitted to the cameras that
``benchmarks/noise_level.py`` names, and checked on others."""

DENOISER_FACTOR = 1.45
"""Best noise level for a denoiser of white noise, as a multiple of the level of correlated noise; fitted and checked
as well."""

CONTRADICTED = 3.0
"""In JPEG files, the ratio to the prediction, plus 2 gray levels, above which the white-noise estimate is rejected."""


@dataclass(frozen=True)
class Noise:
    """Noise of any spectrum.

    Attributes:
        levels: Standard deviation in gray levels of red, green and blue.
        neighbor_correlation: Of neighboring pixels, the mean of across and down.
        channel_correlation: Of two channels in the same pixel, the mean of the three pairs; 1 in gray pictures.
        white: What white noise alone would explain, in each channel; see ``noise_sigmas``.
    """

    levels: tuple[float, float, float]
    neighbor_correlation: float
    channel_correlation: float
    white: tuple[float, ...]

    @property
    def sigma(self) -> float:
        """Root mean square of the levels."""
        return float(np.sqrt(np.mean(np.square(self.levels))))

    @property
    def colored(self) -> bool:
        """Whether there is noise that is correlated between neighbors."""
        return self.sigma >= FAINT and self.neighbor_correlation >= COLORED

    @property
    def denoiser_sigma(self) -> float:
        """Best noise level for a denoiser of white noise, in gray levels."""
        return (DENOISER_FACTOR if self.colored else 1.0) * self.sigma

    def described(self) -> str:
        """Describe the noise in a phrase."""
        text = f"noise of {self.sigma:.1f} gray levels"
        low, high = min(self.levels), max(self.levels)
        if high - low > max(0.25 * self.sigma, 0.3):
            text += " ({:.1f} in red, {:.1f} in green, {:.1f} in blue)".format(*self.levels)
        if self.colored:
            text += f", correlated: {self.neighbor_correlation:.2f} between neighboring pixels"
        return text


def measure_noise(
    sample: NDArray[np.float32], quality: int | None = None, drawing: bool = False, rounded: bool = True
) -> Noise:
    """Measure the noise of any spectrum.

    White noise is measured most exactly by ``noise_sigmas``, which sees other noise too weakly or not at all. It stands
    unless the networks find more, and that neighbors share it or JPEG has touched it. Drawings have none: noise would
    leave no two pixels equal, which is how they are recognized, and what JPEG leaves around letters only passes for it.

    Args:
        sample: (K, h, w, C) windows, in gray levels 0 to 255.
        quality: Of JPEG.
        drawing: Whether the picture looks drawn or printed.
        rounded: The picture has 8 bits: rounding is itself noise of variance 1/12, which does not count.
    """
    rounding = 1 / 12 if rounded else 0.0
    white = tuple(max(sigma**2 - rounding, 0.0) ** 0.5 for sigma in noise_sigmas(sample))
    red, green, blue = (white[i % len(white)] for i in range(3))
    features = level_features(sample, quality)
    if features is None or drawing:
        levels = (0.0, 0.0, 0.0) if drawing else (red, green, blue)
        return Noise(levels, 0.0, 1.0 if len(white) == 1 else 0.0, white)
    levels, neighbor, channel = predict_levels(features)
    if len(white) == 1:
        levels, channel = (float(np.sqrt(np.mean(np.square(levels)))),) * 3, 1.0
    total, predicted = (float(np.sqrt(np.mean(np.square(values)))) for values in (white, levels))
    enough = total >= (predicted if neighbor >= COLORED else predicted / AGREED - 1)
    enough |= quality is None and neighbor < COLORED and total > 0
    believable = quality is None or total <= predicted * CONTRADICTED + 2
    if enough and believable:
        return Noise((red, green, blue), neighbor if total < predicted * AGREED else 0.0, channel, white)
    if quality is not None and neighbor >= COLORED:
        factor = max(1.0, HIDDEN_BY_JPEG * min(1.0, 1 / max(predicted, 1e-6) ** 0.5))
        levels = (levels[0] * factor, levels[1] * factor, levels[2] * factor)
    return Noise(levels, neighbor, channel, white)


AGREED = 1.6
"""Ratio up to which the two estimates of white noise agree."""


def level_features(sample: NDArray[np.float32], quality: int | None = None) -> NDArray[np.float32] | None:
    """Measure the features from which the levels are predicted.

    Args:
        sample: (K, h, w, C) windows, in gray levels 0 to 255.
        quality: Of JPEG.

    Returns:
        (F,); None where fewer than ``LEAST_BLOCKS`` blocks of 16x16 pixels are neither clipped nor uniform.
    """
    blocks = _blocks(sample)
    if blocks is None:
        return None
    coefficients = (_DCT @ blocks @ _DCT.T).reshape(*blocks.shape[:2], -1)
    power = coefficients**2 @ _BAND  # (B, 3, BANDS), the mean of each band
    level = np.log(np.sqrt(power) + FLOOR)
    order = np.argsort(power[..., LOWEST:].mean((1, 2)))
    numbers = [np.quantile(level, QUANTILES, axis=0).ravel()]
    for share in PLAIN:
        plainest = order[: max(int(share * len(order)), LEAST_BLOCKS)]
        mean = power[plainest].mean(0)
        numbers.append(np.log(np.sqrt(mean) + FLOOR).ravel())
    plain = coefficients[plainest]
    gaussian = (np.abs(plain) @ _BAND).mean(0) / np.sqrt(mean + EMPTY)  # √(2 / π) if it is, less if a few stand out
    numbers.append(np.log(gaussian + FLOOR).ravel())
    for i, j in ((0, 1), (0, 2), (1, 2)):
        shared = (plain[:, i] * plain[:, j]).mean(0) @ _BAND
        numbers.append(shared / (np.sqrt(mean[i] * mean[j]) + FLOOR**2))
    numbers.append(np.array([(100 if quality is None else quality) / 100, quality is not None]))
    return np.concatenate(numbers).astype(np.float32)


def _blocks(sample: NDArray[np.float32]) -> NDArray[np.float32] | None:
    if min(sample.shape[1:3]) < BLOCK:
        return None
    blocks = sliding_window_view(sample, (BLOCK, BLOCK), axis=(1, 2))[:, ::STEP, ::STEP]
    blocks = blocks.reshape(-1, sample.shape[-1], BLOCK, BLOCK)
    clipped = ((blocks <= 0) | (blocks >= 255)).mean((1, 2, 3))
    varied = np.ptp(blocks, axis=(2, 3)).max(1) > 0
    blocks = blocks[varied & (clipped < CLIPPED)]
    if len(blocks) < LEAST_BLOCKS:
        return None
    if blocks.shape[1] == 1:
        blocks = np.repeat(blocks, 3, axis=1)
    turned: NDArray[np.float32] = np.einsum("oc,bchw->bohw", OPPONENT, blocks)
    return turned


def _band() -> NDArray[np.float32]:
    """(BLOCK², BANDS): averages the coefficients of each band of frequencies, the mean of a block left out."""
    k = np.arange(BLOCK)
    edges = np.array([0.5, 1.5, 2.9, 4.5, 6.5, 9, 11.5, 14.5, 99])
    band = np.digitize(np.hypot(k, k[:, None]), edges).ravel()
    chosen = (band[:, None] == np.arange(1, BANDS + 1)).astype(np.float32)
    weights: NDArray[np.float32] = chosen / chosen.sum(0)
    return weights


_DCT, _BAND = cosines(BLOCK), _band()


def predict_levels(
    features: NDArray[np.float32], ensemble: Ensemble | None = None
) -> tuple[tuple[float, float, float], float, float]:
    """Predict levels and the correlation of neighbors and of channels from what ``level_features`` measured.

    Args:
        features: (F,).
        ensemble: The bundled one if not given.
    """
    found = (ensemble or load_levels()).predict(features)
    red, green, blue = (max(float(np.exp(found[name])) - OFFSET, 0.0) for name in OUTPUTS[:3])
    neighbor, channel = (min(max(found[name], -1.0), 1.0) for name in OUTPUTS[3:])
    return (red, green, blue), neighbor, channel


@cache
def load_levels() -> Ensemble:
    """Load the networks that come with Resolvent."""
    with resources.files(__package__).joinpath("level.npz").open("rb") as file:
        return Ensemble.load(file)
