"""What is wrong with a photograph: noise level, blur, JPEG quality; and which bundled model to give it to.

Everything is measured in at most 64 windows of 64x64 pixels at native resolution, so that the time does not grow with
the photograph; and with numpy alone, because a restore starts here, and importing scipy takes longer than this does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resolvent.diagnosis.blur import blur_sigma
from resolvent.diagnosis.choice import LEAST_GAIN, Chooser, best, features, load_chooser
from resolvent.diagnosis.jpeg import jpeg_quality
from resolvent.diagnosis.noise import grain_of, noise_sigma
from resolvent.diagnosis.sample import windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.image import Image

__all__ = ["LEAST_GAIN", "NOISE_LIMIT", "Diagnosis", "Measurements", "diagnose", "measure"]

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
        features: What the choice of the model rests on, see ``choice.features``; None if there is too little to see.
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
        gains: By how many dB of PSNR each bundled model is expected to bring the photograph nearer to the truth.
        model: The bundled model to use; None if there is nothing that one of them would fix.
        sigma: The noise level to give to the model; None if it takes none.
        reasons: Sentences that say why, with the numbers.
    """

    noise_sigma: float
    blur_sigma: float
    jpeg_quality: int | None
    gains: dict[str, float]
    model: str | None
    sigma: float | None
    reasons: tuple[str, ...]


def diagnose(image: Image, source: Path | bytes | None = None, chooser: Chooser | None = None) -> Diagnosis:
    """Measure a photograph and choose the bundled model for it.

    Args:
        image: The photograph.
        source: The file it was read from, or its bytes, for the JPEG quality; ``image.path`` if not given.
        chooser: What expects a gain of each model; the bundled one if not given.

    Returns:
        The measurements, the choice and the reasons; a choice of None is a full answer: nothing to fix.
    """
    found = measure(image, source)
    noise, blur, quality = found.noise_sigma, found.blur_sigma, found.jpeg_quality
    reasons = [f"noise of {noise:.1f} grey levels", f"blur of {blur:.1f} pixels at the sharpest edges"]
    if quality is not None:
        reasons.append(f"JPEG quality {quality}")
    gains: dict[str, float] = {}
    if found.features is not None:
        gains = (chooser or load_chooser()).gains(found.features)
    model = best(gains)
    sigma = min(noise, NOISE_LIMIT) if model == "denoise" else None
    if not gains:
        reasons.append("too small to tell what would help")
    elif model is None:
        reasons.append(f"nothing to fix: no model is expected to gain {LEAST_GAIN} dB")
    else:
        reasons.append("expected gain: " + _listed(gains))
    return Diagnosis(noise, blur, quality, gains, model, sigma, tuple(reasons))


def _listed(gains: dict[str, float]) -> str:
    return ", ".join(f"{name} {gains[name]:.1f} dB" for name in sorted(gains, key=lambda name: -gains[name]))


def measure(image: Image, source: Path | bytes | None = None) -> Measurements:
    """Measure a photograph; see ``diagnose``."""
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
    return Measurements(noise, blur, quality, features(sample, noise, blur, quality, grain_of(sample)))
