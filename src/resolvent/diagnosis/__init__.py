"""What is wrong with a photograph: noise level, blur, JPEG quality; and which bundled model to give it to.

Everything is measured in at most 64 windows of 64x64 pixels at native resolution, so that the time does not grow with
the photograph; and with numpy alone, because a restore starts here, and importing scipy takes longer than this does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resolvent.diagnosis.blur import blur_sigma
from resolvent.diagnosis.choice import LEAST_GAIN, Chooser, decide, features, load_chooser
from resolvent.diagnosis.jpeg import jpeg_quality
from resolvent.diagnosis.noise import grain_of, noise_sigma
from resolvent.diagnosis.probe import BORDER, PROBE, change
from resolvent.diagnosis.sample import windows
from resolvent.models.runtime import open_session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.image import Image
    from resolvent.models.runtime import Session

__all__ = ["LEAST_GAIN", "NOISE_LIMIT", "Diagnosis", "Measurements", "denoising_level", "diagnose", "measure"]

NOISE_LIMIT = 75.0
"""Grey levels; the strongest noise that the denoiser was trained for."""


@dataclass(frozen=True)
class Measurements:
    """What is measured in a photograph.

    Attributes:
        noise_sigma: Standard deviation of white noise in 8-bit grey levels.
        blur_sigma: Gaussian blur in pixels that would make a step as soft as the sharpest edges here; 0 if they are
            sharp, or if there are too few to tell.
        jpeg_quality: 1 to 100, libjpeg's scale; None if the file is not a JPEG.
        features: What the choice of the model rests on, see ``choice.features``; None if it was not asked for, or if
            there is too little to see.
    """

    noise_sigma: float
    blur_sigma: float
    jpeg_quality: int | None
    features: NDArray[np.float32] | None


@dataclass(frozen=True)
class Diagnosis:
    """What was measured, and what to do about it.

    Attributes:
        noise_sigma: See Measurements.
        blur_sigma: See Measurements.
        jpeg_quality: See Measurements.
        gains: By how many dB of PSNR each bundled model is expected to bring the photograph nearer to the truth, at
            the better of its strengths.
        model: The bundled model to use; None if there is nothing that one of them would fix.
        strength: At which its result is to be blended with the photograph; 1 where it is surely better.
        sigma: The noise level to give to the model; None if it takes none.
        reasons: Sentences that say why, with the numbers.
    """

    noise_sigma: float
    blur_sigma: float
    jpeg_quality: int | None
    gains: dict[str, float]
    model: str | None
    strength: float
    sigma: float | None
    reasons: tuple[str, ...]


def diagnose(
    image: Image,
    source: Path | bytes | None = None,
    chooser: Chooser | None = None,
    open_session: Callable[[str], Session] = open_session,
) -> Diagnosis:
    """Measure a photograph and choose the bundled model for it.

    Args:
        image: The photograph.
        source: The file it was read from, or its bytes, for the JPEG quality; ``image.path`` if not given.
        chooser: What predicts the gain of each model; the bundled one if not given.
        open_session: Loads the model that is tried on a few windows; pass a caching one to diagnose many photographs.

    Returns:
        The measurements, the choice and the reasons; a choice of None is a full answer: nothing to fix.
    """
    found = measure(image, source, open_session)
    noise, blur, quality = found.noise_sigma, found.blur_sigma, found.jpeg_quality
    reasons = [f"noise of {noise:.1f} gray levels", f"blur of {blur:.1f} pixels at the sharpest edges"]
    if quality is not None:
        reasons.append(f"JPEG quality {quality}")
    if found.features is None:
        reasons.append("too small to tell what would help")
        return Diagnosis(noise, blur, quality, {}, None, 1.0, None, tuple(reasons))
    decision = decide(chooser or load_chooser(), found.features)
    gains: dict[str, float] = {}
    for (name, _), prediction in decision.predictions.items():
        gains[name] = max(gains.get(name, prediction.gain), prediction.gain)
    model, strength = decision.candidate or (None, 1.0)
    if decision.novel:
        reasons.append("unlike the photographs that the choice was learned from: at most a cautious restoration")
    if model is None:
        reasons.append(f"nothing to fix: no model is expected to gain {LEAST_GAIN} dB for certain")
    else:
        reasons.append("expected gain: " + _listed(gains))
    if strength < 1:
        reasons.append(f"blended with the photograph at {strength:.0%}, for it is not certain that all of it helps")
    sigma = denoising_level(found) if model == "denoise" else None
    return Diagnosis(noise, blur, quality, gains, model, strength, sigma, tuple(reasons))


def denoising_level(measured: Measurements) -> float:
    """The noise level to give to a denoiser, in gray levels."""
    return min(measured.noise_sigma, NOISE_LIMIT)


def _listed(gains: dict[str, float]) -> str:
    return ", ".join(f"{name} {gains[name]:.1f} dB" for name in sorted(gains, key=lambda name: -gains[name]))


def measure(
    image: Image, source: Path | bytes | None = None, open_session: Callable[[str], Session] | None = None
) -> Measurements:
    """Measure a photograph; see ``diagnose``. Without ``open_session`` there are no features."""
    sample = 255 * windows(image.read, image.height, image.width)
    alpha = image.alpha
    if alpha is not None:
        cover = windows(lambda top, left, bottom, right: alpha[top:bottom, left:right], image.height, image.width)
        visible = (cover > 0).all(axis=(1, 2))
        sample = sample[visible] if visible.any() else sample  # hidden pixels may hold anything
    noise = noise_sigma(sample)
    if image.depth == 8:
        noise = max(noise**2 - 1 / 12, 0.0) ** 0.5  # rounding to 8 bits is itself a noise of variance 1/12
    blur = blur_sigma(sample, noise)
    source = image.path if source is None else source
    quality = None if source is None else jpeg_quality(source)
    seen = None
    if open_session is not None and min(sample.shape[1:3]) > 3 * BORDER:
        grain, clipped = grain_of(sample), float(np.mean((sample <= 0) | (sample >= 255)))
        numbers = np.array(
            [
                np.log1p(noise), blur, (100 if quality is None else quality) / 100, quality is not None,
                np.log1p(grain.roughness), np.log(grain.evenness + 0.25), clipped**0.5, image.channels == 3,
                np.log2(image.height * image.width) / 20,
            ]
        )  # fmt: skip
        seen = features(sample, change(sample, open_session(PROBE)), numbers)
    return Measurements(noise, blur, quality, seen)
