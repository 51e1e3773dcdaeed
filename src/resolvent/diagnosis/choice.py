"""Which model to choose: the PSNR gain of each, predicted from how strong the detail is at every frequency.

Noise fills all frequencies alike, grain the lower ones, blur empties the higher ones, and JPEG leaves few of them. How
strong each coefficient of the 8x8 cosine transform is in the smoothest, the middling and the most detailed blocks tells
these apart, and mixtures of them too; and so does what the model ``restore`` would change. Small networks, learned by
``benchmarks/choice.py --learn`` from photographs that were degraded and restored by every model, turn that into dB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

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
    "load_chooser",
]

Candidate = tuple[str, float]
"""A model, and the strength at which its result is blended with the photograph."""

LEAST_GAIN = 0.15
"""dB of PSNR; where no model is expected to gain so much, a photograph is left alone."""

CAUTION = 1.0
"""Standard deviations among the networks by which a gain is taken to be smaller than their mean."""

NOVEL = 0.02
"""Share of the features further than REACH from those that were learned, above which a prediction is not believed."""

FALLBACK: Candidate = ("restore", 0.5)
"""What is done at most to a photograph unlike all that were learned from, or against noise that is plain to see."""

FAINT, SEEN, PLAIN = 1.0, 4.0, 6.0
"""Gray levels of noise: of less, a denoiser has nothing to do; of so much, JPEG is not all that is wrong; and of so
much, it is plain to see that something is."""

BLOCK = 8
LUMA, CHROMA = (0.1, 0.5, 0.9), (0.25, 0.75)  # quantiles over the blocks
FLOOR = 0.25  # gray levels; the rounding to 8 bits makes a coefficient about as large
FINE = 0.05  # gray levels; the like for what a model changes


def features(
    sample: NDArray[np.float32], change: NDArray[np.float32], numbers: NDArray[np.float64]
) -> NDArray[np.float32] | None:
    """Describe a photograph for the choice.

    Args:
        sample: (K, h, w, C) windows, in gray levels 0 to 255.
        change: (L, h, w, C), what a model would add to some of them, in gray levels.
        numbers: (N,) what else was measured.

    Returns:
        (F,) float32; None where no window holds a block.
    """
    if min(*sample.shape[1:3], *change.shape[1:3]) < BLOCK:
        return None
    spectra = []
    for windows, floor in ((sample, FLOOR), (change, FINE)):
        luma, chroma = windows.mean(-1), windows[..., 0] - windows[..., -1]
        spectra += [_spectrum(luma, LUMA, floor), _spectrum(chroma, CHROMA, floor)]
    return np.concatenate([*spectra[:2], *map(_bands, spectra[2:]), numbers]).astype(np.float32)


def _bands(spectrum: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of a spectrum over the coefficients of about one frequency, 1 to 14 half waves a block."""
    k = np.arange(BLOCK)
    order = (k[:, None] + k).ravel()[1:]
    rows = spectrum.reshape(-1, order.size)
    means: NDArray[np.float64] = np.stack([rows[:, order == n].mean(1) for n in range(1, 2 * BLOCK - 1)], 1).ravel()
    return means


def _spectrum(planes: NDArray[np.float32], quantiles: tuple[float, ...], floor: float) -> NDArray[np.float64]:
    """Logarithms of quantiles of the 63 alternating coefficients over the blocks of (K, h, w)."""
    height, width = (side // BLOCK * BLOCK for side in planes.shape[1:])
    planes, count = planes[:, :height, :width], len(planes)
    basis = cosines(BLOCK)
    blocks = planes.reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK).swapaxes(2, 3)
    coefficients = np.abs(basis @ blocks @ basis.T).reshape(-1, BLOCK**2)[:, 1:]
    spectrum: NDArray[np.float64] = np.log(np.quantile(coefficients, quantiles, axis=0) + floor).ravel()
    return spectrum


@dataclass(frozen=True)
class Prediction:
    """The gain that is expected of a candidate.

    Attributes:
        gain: dB of PSNR, the mean of what the networks say.
        spread: Their standard deviation in dB.
    """

    gain: float
    spread: float

    @property
    def cautious(self) -> float:
        """The gain that can be counted on, in dB."""
        return self.gain - CAUTION * self.spread


class Chooser(Ensemble):
    """Small networks whose outputs are the gains of candidates, named such as ``restore@0.5``."""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Whose gains they are."""
        pairs = (output.split("@") for output in self.outputs)
        return tuple((model, float(strength)) for model, strength in pairs)

    def predict_gains(self, measured: NDArray[np.float32]) -> dict[Candidate, Prediction]:
        """Predict the gain of each candidate from (F,) features."""
        said = self.members(measured)
        gains, spreads = said.mean(0).tolist(), said.std(0).tolist()
        return {name: Prediction(*both) for name, *both in zip(self.candidates, gains, spreads, strict=True)}

    def novelty(self, measured: NDArray[np.float32]) -> float:
        """Share of (F,) features that lie further than REACH standard deviations from those that were learned."""
        return float(np.mean(np.abs((measured - self.mean) / self.scale) > REACH))


@dataclass(frozen=True)
class Decision:
    """What to do to a photograph.

    Attributes:
        candidate: The model and the strength to use; None to leave it alone.
        predictions: Of every candidate.
        novel: Whether the photograph is unlike all that was learned from, so that the predictions are not believed.
    """

    candidate: Candidate | None
    predictions: Mapping[Candidate, Prediction]
    novel: bool


def decide(chooser: Chooser, measured: NDArray[np.float32], sigma: float) -> Decision:
    """Take the candidate with the largest gain that can be counted on, if that is LEAST_GAIN or more.

    Of a photograph unlike those that were learned from, FALLBACK is taken, or nothing. A measured noise and a predicted
    gain that contradict each other are not both believed: where there is none, nothing is denoised; where it is seen,
    ``dejpeg``, which keeps it, does not do; and where it is plain, FALLBACK is taken if nothing else is, unless that is
    expected to harm.

    Args:
        chooser: Predicts the gains.
        measured: (F,) features.
        sigma: Noise level that a denoiser would be told, in gray levels.
    """
    predictions = chooser.predict_gains(measured)
    novel = chooser.novelty(measured) > NOVEL
    able = [name for name in predictions if name == FALLBACK or not novel]
    unfit = "denoise" if sigma < FAINT else "dejpeg" if sigma >= SEEN else None
    able = [name for name in able if name[0] != unfit]
    first = max(able, key=lambda name: predictions[name].cautious, default=None)
    chosen = first if first is not None and predictions[first].cautious >= LEAST_GAIN else None
    if chosen is None and sigma >= PLAIN and FALLBACK in predictions and predictions[FALLBACK].gain > 0:
        chosen = FALLBACK
    return Decision(chosen, predictions, novel)


@cache
def load_chooser() -> Chooser:
    """Load the one that comes with Resolvent."""
    with resources.files(__package__).joinpath("choice.npz").open("rb") as file:
        return Chooser.load(file)
