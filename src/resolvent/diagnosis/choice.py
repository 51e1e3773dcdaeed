"""Which model to choose: the PSNR gain of each, predicted from how strong the detail is at every frequency.

Noise fills all frequencies alike, grain the lower ones, blur empties the higher ones, and JPEG leaves few of them. How
strong each coefficient of the 8x8 cosine transform is in the smoothest, the middling and the most detailed blocks tells
these apart, and mixtures of them too; and so does what each model would change, tried on a few windows. Small networks,
learned by ``benchmarks/choice.py --learn`` from photographs that were degraded and restored by every model, turn that
into dB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from resolvent.diagnosis.cosines import cosines
from resolvent.diagnosis.ensemble import REACH, Ensemble

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "FALLBACK",
    "LEAST_GAIN",
    "NOVEL",
    "Candidate",
    "Chooser",
    "Decision",
    "Prediction",
    "decide",
    "features",
    "is_of_texture",
    "load_chooser",
]

Candidate = tuple[str, float]
"""A model, and the strength at which its result is blended with the photograph."""

LEAST_GAIN = 0.15
"""dB of PSNR; where no model is expected to gain so much, a photograph is left alone."""

CAUTION = 1.0
"""Standard deviations of the networks' predictions that are subtracted from their mean."""

NOVEL = 0.02
"""Share of features further than REACH from the training data, above which predictions are not used."""

FALLBACK: Candidate = ("restore", 0.5)
"""The strongest treatment of a photograph unlike the training data, and of obvious noise."""

SEEN, PLAIN = 4.0, 6.0
"""Noise in gray levels from which JPEG is not the only fault, and from which noise is obvious."""

BLURRED = 1.0
"""Pixels; width of the sharpest edges from which a drawing counts as blurred."""

COARSE, GOOD = 50, 85
"""JPEG qualities between which noise that is seen is not JPEG's: below, JPEG leaves as much of it, and above, it often
comes from a coarser JPEG before."""

NEAR_LOSSLESS, CERTAIN = (94, 97), 1.0
"""JPEG quality from which on a file lacks next to nothing, one with all of its chroma, and any; and dB below which a
gain is not believed there, for what seems to be missing is mostly what the photograph never had."""

ALONE = (2.0, 0.15)
"""Gray levels from which ``restore`` changes much, and the share of that which no other model reaches where it is alone
with it."""

LINES, SPARSE = 0.2, 50.0
"""Share of the energy of changes that is in the means of rows or of columns, from which they are lines that a sensor
adds; and their fourth moment, in squares of the second, from which they are single pixels."""

BLOCK = 8
LUMA, CHROMA = (0.1, 0.5, 0.9), (0.25, 0.75)  # quantiles over the blocks
FLOOR = 0.25  # gray levels; the rounding to 8 bits makes a coefficient about as large
FINE = 0.05  # gray levels; the same for the changes by a model
LOW = 5  # half waves a block, across and down together, below which a coefficient counts as low


def features(
    sample: NDArray[np.float32], changes: NDArray[np.float32], numbers: NDArray[np.float64]
) -> NDArray[np.float32] | None:
    """Describe a photograph for the choice.

    Args:
        sample: (K, h, w, C) windows, in gray levels 0 to 255.
        changes: (M, L, h', w', C), what each of MODELS would add to some of them, in gray levels.
        numbers: (N,) what else was measured.

    Returns:
        (F,) float32; None where no window holds a block.
    """
    if min(*sample.shape[1:3], *changes.shape[2:4]) < BLOCK:
        return None
    quantiles = []
    for windows, floor in ((sample, FLOOR), (changes[-1], FINE)):
        for plane, shares in zip(_planes(windows), (LUMA, CHROMA), strict=True):
            quantiles.append(np.log(np.quantile(np.abs(_coefficients(plane)), shares, axis=0) + floor))
    agreement = [_agreement(plane) for plane in _planes(changes)]
    of_sample = [spectrum.ravel() for spectrum in quantiles[:2]]
    return np.concatenate([*of_sample, *map(_bands, quantiles[2:]), *agreement, numbers]).astype(np.float32)


def is_of_texture(changes: NDArray[np.float32]) -> bool:
    """Whether ``restore`` alone would change a photograph much, and neither lines nor single pixels of it.

    Then it takes texture, such as grass, for a fault: noise, blur and JPEG are seen by another model too, and the
    faults that are not are noise of whole rows or columns, and hot pixels.

    Args:
        changes: (M, L, h, w, C), what each of MODELS would add, in gray levels; that of ``restore`` is the last.
    """
    *others, own = np.sqrt(np.square(changes).mean(axis=(1, 2, 3, 4))).tolist()
    if own < ALONE[0] or max(others) > ALONE[1] * own:
        return False
    last = changes[-1] / np.float32(own)
    lines = max(float(np.square(last.mean(axis)).mean()) for axis in (1, 2))
    return lines < LINES and float((last**4).mean()) < SPARSE


def _planes(windows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Luminance, and red less blue."""
    return windows.mean(-1), windows[..., 0] - windows[..., -1]


def _agreement(changes: NDArray[np.float32]) -> NDArray[np.float64]:
    """Measure the strength and similarity of the changes (M, L, h, w) of models, and of their differences.

    A model whose change x̂ - y is what can be known of x - y, and no more, lessens the squared error of any other
    change c by 2 c (x̂ - y) - c^2 in the mean: the gains of all models follow from products of their changes.
    """
    coefficients = np.stack([_coefficients(plane) for plane in changes])
    low = _ORDER < LOW
    numbers = []
    for band in (low, ~low):
        selected = coefficients[..., band].reshape(len(changes), -1).astype(np.float64)
        products = selected @ selected.T / selected.shape[1]
        power = np.diag(products)
        first, second = np.triu_indices(len(changes), 1)
        apart = power[first] + power[second] - 2 * products[first, second]
        alike = products[first, second] / (np.sqrt(power[first] * power[second]) + FINE**2)
        strong = np.log(np.sqrt(np.clip(np.concatenate([power, apart]), 0, None)) + FINE)
        numbers += [strong, alike]
    return np.concatenate(numbers)


def _bands(spectrum: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of a spectrum (Q, 63) over the coefficients of about one frequency, 1 to 14 half waves a block."""
    means: NDArray[np.float64] = np.stack([spectrum[:, n == _ORDER].mean(1) for n in range(1, 2 * BLOCK - 1)], 1)
    return means.ravel()


def _coefficients(planes: NDArray[np.float32]) -> NDArray[Any]:
    """The 63 alternating coefficients of the blocks of (K, h, w), (blocks, 63)."""
    height, width = (side // BLOCK * BLOCK for side in planes.shape[1:])
    planes, count = planes[:, :height, :width], len(planes)
    basis = cosines(BLOCK)
    blocks = planes.reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK).swapaxes(2, 3)
    coefficients: NDArray[Any] = (basis @ blocks @ basis.T).reshape(-1, BLOCK**2)[:, 1:]
    return coefficients


_ORDER = np.add.outer(np.arange(BLOCK), np.arange(BLOCK)).ravel()[1:]
"""Half waves a block of each coefficient, across and down together."""


@dataclass(frozen=True)
class Prediction:
    """The predicted gain of a candidate.

    Attributes:
        gain: dB of PSNR, the mean prediction of the networks.
        spread: Their standard deviation in dB.
    """

    gain: float
    spread: float

    @property
    def cautious(self) -> float:
        """A lower bound of the gain, in dB."""
        return self.gain - CAUTION * self.spread


class Chooser(Ensemble):
    """Small networks whose outputs are the gains of candidates, named such as ``restore@0.5``."""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The candidates whose gains are predicted."""
        pairs = (output.split("@") for output in self.outputs)
        return tuple((model, float(strength)) for model, strength in pairs)

    def predict_gains(self, measured: NDArray[np.float32]) -> dict[Candidate, Prediction]:
        """Predict the gain of each candidate from (F,) features."""
        said = self.members(measured)
        gains, spreads = said.mean(0).tolist(), said.std(0).tolist()
        return {name: Prediction(*both) for name, *both in zip(self.candidates, gains, spreads, strict=True)}

    def novelty(self, measured: NDArray[np.float32]) -> float:
        """Share of (F,) features further than REACH standard deviations from the training data."""
        return float(np.mean(np.abs((measured - self.mean) / self.scale) > REACH))


@dataclass(frozen=True)
class Decision:
    """What to do to a photograph.

    Attributes:
        candidate: The model and the strength to use; None to leave it alone.
        predictions: Of every candidate.
        novel: Whether the photograph is unlike all that was learned from, so that the predictions are not believed.
        unfit: Models that what is measured speaks against, whatever is predicted of them.
        least: Gain in dB below which nothing is done.
    """

    candidate: Candidate | None
    predictions: Mapping[Candidate, Prediction]
    novel: bool
    unfit: frozenset[str]
    least: float = LEAST_GAIN


def decide(
    chooser: Chooser,
    measured: NDArray[np.float32],
    sigma: float,
    *,
    drawing: bool = False,
    blur_sigma: float = 0.0,
    jpeg_quality: int | None = None,
    jpeg_chroma: float | None = None,
    textured: bool = False,
) -> Decision:
    """Take the candidate with the largest lower bound of the gain, if it is large enough.

    That is LEAST_GAIN, and CERTAIN in a JPEG file that is NEAR_LOSSLESS, with twice the caution.

    Of a photograph unlike those that were learned from, FALLBACK is taken, or nothing. A measured noise and a predicted
    gain that contradict each other are not both believed: where it is seen, ``dejpeg``, which keeps it, does not do,
    but where JPEG may be what is seen; and where it is plain, FALLBACK is taken if nothing else is, unless that is
    expected to harm, or the file is NEAR_LOSSLESS. The noise of a drawing cannot be
    distinguished from its dots and lines, and it has no blur where an edge is sharp.

    Args:
        chooser: Predicts the gains.
        measured: (F,) features.
        sigma: Noise level for a denoiser, in gray levels.
        drawing: Whether it looks drawn or printed.
        blur_sigma: Width of the sharpest edges, in pixels.
        jpeg_quality: Of the file, 1 to 100; None if it is no JPEG.
        jpeg_chroma: Share of the samples of chroma that it keeps; None if it is no JPEG.
        textured: See ``is_of_texture``; then ``restore`` does not do.
    """
    predictions = chooser.predict_gains(measured)
    novel = chooser.novelty(measured) > NOVEL
    own = jpeg_quality is not None and not COARSE <= jpeg_quality < GOOD
    near_lossless = jpeg_quality is not None and jpeg_quality >= NEAR_LOSSLESS[jpeg_chroma != 1]
    contradicted = {
        "denoise": drawing,
        "deblur": drawing and blur_sigma < BLURRED,
        "dejpeg": sigma >= SEEN and not own,
        "restore": drawing or textured,
    }
    unfit = frozenset(model for model, is_so in contradicted.items() if is_so)
    able = [name for name in predictions if (name == FALLBACK or not novel) and name[0] not in unfit]
    first = max(able, key=lambda name: predictions[name].cautious, default=None)
    least = CERTAIN if near_lossless else LEAST_GAIN
    doubt = CAUTION * predictions[first].spread if first is not None and near_lossless else 0.0
    chosen = first if first is not None and predictions[first].cautious - doubt >= least else None
    if chosen is None and sigma >= PLAIN and not near_lossless and FALLBACK in able and predictions[FALLBACK].gain > 0:
        chosen = FALLBACK
    return Decision(chosen, predictions, novel, unfit, least)


@cache
def load_chooser() -> Chooser:
    """Load the bundled chooser."""
    with resources.files(__package__).joinpath("choice.npz").open("rb") as file:
        return Chooser.load(file)
