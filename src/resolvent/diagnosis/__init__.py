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
from resolvent.diagnosis.content import Content, content_of, with_content
from resolvent.diagnosis.jpeg import jpeg_quality
from resolvent.diagnosis.level import Noise, measure_noise
from resolvent.diagnosis.noise import grain_of
from resolvent.diagnosis.sample import sample_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.image import Image

__all__ = [
    "EXTRA_FEATURES",
    "LEAST_GAIN",
    "NOISE_LIMIT",
    "Content",
    "Diagnosis",
    "Measurements",
    "Noise",
    "diagnose",
    "measure",
]

NOISE_LIMIT = 75.0
"""Gray levels; the strongest noise that the denoiser was trained for."""


@dataclass(frozen=True)
class Measurements:
    """What is measured in a photograph.

    Attributes:
        noise: Its levels and its correlation.
        blur_sigma: Gaussian blur in pixels that would make a step as soft as the sharpest edges here; 0 if they are
            sharp, or if there are too few to tell.
        jpeg_quality: 1 to 100, libjpeg's scale; None if the file is not a JPEG.
        content: What is uniform, clipped or drawn.
        features: What the choice of the model rests on, see ``choice.features``; None if there is too little to see.
        size: Height and width in pixels.
    """

    noise: Noise
    blur_sigma: float
    jpeg_quality: int | None
    content: Content
    features: NDArray[np.float32] | None
    size: tuple[int, int]

    @property
    def noise_sigma(self) -> float:
        """Standard deviation of the noise in gray levels, the root mean square over the channels."""
        return self.noise.sigma

    @property
    def noise_levels(self) -> tuple[float, float, float]:
        """Standard deviation of the noise in gray levels of red, green and blue."""
        return self.noise.levels

    @property
    def told_sigma(self) -> float:
        """Noise level to give to a denoiser, in gray levels."""
        return min(self.noise.told, NOISE_LIMIT)

    @property
    def extra_features(self) -> NDArray[np.float32]:
        """What a choice can rest on beside ``features``, (11,), as EXTRA_FEATURES names it."""
        noise, content = self.noise, self.content
        return np.array(
            [
                *np.log1p(noise.levels), np.log1p(np.median(noise.white)), np.log1p(noise.told),
                noise.neighbor_correlation, noise.channel_correlation,
                content.flat_share, np.sqrt(content.clipped_share), content.drawing, np.log2(min(self.size)) / 12,
            ],
            np.float32,
        )  # fmt: skip


EXTRA_FEATURES = (
    *("log1p red", "log1p green", "log1p blue", "log1p white", "log1p told"),
    *("neighbor correlation", "channel correlation"),
    *("flat share", "sqrt clipped share", "drawing", "log2 shorter side / 12"),
)


@dataclass(frozen=True)
class Diagnosis:
    """What was measured, and what to do about it.

    Attributes:
        noise_sigma: See Measurements, as for the next one.
        noise_levels: Of red, green and blue.
        noise_correlation: Of neighboring pixels.
        noise_colored: Whether the noise is correlated from pixel to pixel, as cameras, film and JPEG make it.
        blur_sigma: See Measurements, as for the next one.
        jpeg_quality: 1 to 100, or None.
        drawing: Whether it looks drawn or printed, not photographed.
        gains: By how many dB of PSNR each bundled model is expected to bring the photograph nearer to the truth.
        model: The bundled model to use; None if there is nothing that one of them would fix.
        sigma: The noise level to give to the model; None if it takes none.
        reasons: Sentences that say why, with the numbers.
    """

    noise_sigma: float
    noise_levels: tuple[float, float, float]
    noise_correlation: float
    noise_colored: bool
    blur_sigma: float
    jpeg_quality: int | None
    drawing: bool
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
    quality = found.jpeg_quality
    reasons = [found.noise.described(), f"blur of {found.blur_sigma:.1f} pixels at the sharpest edges"]
    if quality is not None:
        reasons.append(f"JPEG quality {quality}")
    if found.content.drawing:
        reasons.append("looks drawn or printed, not photographed")
    gains: dict[str, float] = {}
    if found.features is not None:
        gains = (chooser or load_chooser()).gains(found.features)
    model = best(gains)
    sigma = found.told_sigma if model == "denoise" else None
    if not gains:
        reasons.append("too small to tell what would help")
    elif model is None:
        reasons.append(f"nothing to fix: no model is expected to gain {LEAST_GAIN} dB")
    else:
        reasons.append("expected gain: " + _listed(gains))
    return Diagnosis(
        found.noise_sigma,
        found.noise_levels,
        found.noise.neighbor_correlation,
        found.noise.colored,
        found.blur_sigma,
        quality,
        found.content.drawing,
        gains,
        model,
        sigma,
        tuple(reasons),
    )


def _listed(gains: dict[str, float]) -> str:
    return ", ".join(f"{name} {gains[name]:.1f} dB" for name in sorted(gains, key=lambda name: -gains[name]))


def measure(image: Image, source: Path | bytes | None = None) -> Measurements:
    """Measure a photograph; see ``diagnose``."""
    whole, cover = sample_of(image)
    content = content_of(whole, cover)
    sample = with_content(whole, cover)
    source = image.path if source is None else source
    quality = None if source is None else jpeg_quality(source)
    noise = measure_noise(sample, quality, content.drawing, rounded=image.depth == 8)
    white = float(np.median(noise.white))
    blur = blur_sigma(sample, noise.sigma)
    seen = features(sample, white, blur, quality, grain_of(sample))
    return Measurements(noise, blur, quality, content, seen, (image.height, image.width))
