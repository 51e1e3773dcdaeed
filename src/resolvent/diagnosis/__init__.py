"""Diagnose a photograph: noise level, blur, JPEG quality, and the bundled model to use.

Everything is measured in at most 64 windows of 64x64 pixels at native resolution, so that the time does not grow with
the photograph; and with numpy alone, because a restore starts here, and importing scipy takes longer than this does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resolvent.diagnosis.blur import blur_sigma
from resolvent.diagnosis.choice import LEAST_GAIN, Chooser, decide, features, is_of_texture, load_chooser
from resolvent.diagnosis.content import Content, content_of, empty_share, with_content
from resolvent.diagnosis.level import Noise, measure_noise
from resolvent.diagnosis.noise import grain_of, impulses
from resolvent.diagnosis.probe import BORDER, MODELS, changes
from resolvent.diagnosis.sample import sample_of
from resolvent.image.jpeg_header import jpeg_header
from resolvent.image.sources import Source, open_source
from resolvent.inference.runtime import open_session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.image import Image
    from resolvent.inference.runtime import Session

__all__ = [
    "LEAST_GAIN",
    "NOISE_LIMIT",
    "Blended",
    "Content",
    "Diagnosis",
    "Measurements",
    "Noise",
    "diagnose",
    "measure",
]

ENOUGH = 256**2
"""Pixels; larger samples count as this large, since the choice was learned from none larger."""

NOISE_LIMIT = 75.0
"""Gray levels; the strongest noise that the denoiser was trained for."""


class Blended(str):
    """A reason: the result is blended with the photograph."""


@dataclass(frozen=True)
class Measurements:
    """What is measured in a photograph.

    Attributes:
        noise: Its levels and its correlation.
        blur_sigma: Gaussian blur in pixels that would make a step as soft as the sharpest edges here; 0 if they are
            sharp, or if there are too few to tell.
        jpeg_quality: 1 to 100, libjpeg's scale; None if the file is not a JPEG.
        jpeg_chroma: Share of the samples of chroma that it keeps, 0.25 for 4:2:0; None if it is not a JPEG.
        content: What is uniform, clipped or drawn.
        features: What the choice of the model rests on, see ``choice.features``; None if it was not asked for, or if
            there is too little to see.
        changes: By how many gray levels, root mean square, each bundled model changes a few windows of it; empty where
            there are no features.
        textured: Whether ``restore`` takes its texture for a fault, see ``choice.is_of_texture``.
    """

    noise: Noise
    blur_sigma: float
    jpeg_quality: int | None
    jpeg_chroma: float | None
    content: Content
    features: NDArray[np.float32] | None
    changes: Mapping[str, float] = field(default_factory=dict)
    textured: bool = False

    @property
    def noise_sigma(self) -> float:
        """Standard deviation of the noise in gray levels, the root mean square over the channels."""
        return self.noise.sigma

    @property
    def noise_levels(self) -> tuple[float, float, float]:
        """Standard deviation of the noise in gray levels of red, green and blue."""
        return self.noise.levels

    @property
    def denoiser_sigma(self) -> float:
        """Noise level to give to a denoiser, in gray levels."""
        return min(self.noise.denoiser_sigma, NOISE_LIMIT)


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
        gains: By how many dB of PSNR each bundled model is expected to bring the photograph nearer to the truth, at
            the better of its strengths.
        model: The bundled model to use; None if there is nothing that one of them would fix.
        strength: At which its result is to be blended with the photograph; 1 where it is surely better.
        change: Gray levels, root mean square, by which that is expected to change the photograph; None if no model is.
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
    strength: float
    change: float | None
    sigma: float | None
    reasons: tuple[str, ...]


def diagnose(
    photograph: Source,
    source: Path | bytes | None = None,
    chooser: Chooser | None = None,
    open_session: Callable[[str], Session] = open_session,
) -> Diagnosis:
    """Measure a photograph and choose the bundled model for it.

    Args:
        photograph: A path, the bytes of a file, an open file, an array, a Pillow image or an Image.
        source: The file that an Image was read from, or its bytes, for the JPEG quality; ``image.jpeg`` if not given.
        chooser: What predicts the gain of each model; the bundled one if not given.
        open_session: Loads the model that is tried on a few windows; pass a caching one to diagnose many photographs.

    Returns:
        The measurements, the choice and the reasons; a choice of None is a full answer: nothing to fix.

    Raises:
        UsageError: It is none of these.
        InputError: It cannot be read.
    """
    image, file = open_source(photograph)
    found = measure(image, file if source is None else source, open_session)
    reasons = [found.noise.described(), f"blur of {found.blur_sigma:.1f} pixels at the sharpest edges"]
    if found.jpeg_quality is not None:
        reasons.append(f"JPEG quality {found.jpeg_quality}")
    if found.content.drawing:
        reasons.append("looks drawn or printed, not photographed")
    gains: dict[str, float] = {}
    model, strength = None, 1.0
    if found.features is None:
        reasons.append("too little detail to predict what would help")
    else:
        decision = decide(
            chooser or load_chooser(),
            found.features,
            found.denoiser_sigma,
            drawing=found.content.drawing,
            blur_sigma=found.blur_sigma,
            jpeg_quality=found.jpeg_quality,
            jpeg_chroma=found.jpeg_chroma,
            textured=found.textured,
        )
        model, strength = decision.candidate or (None, 1.0)
        for (name, _), prediction in decision.predictions.items():
            gains[name] = max(gains.get(name, prediction.gain), prediction.gain)
        if decision.novel:
            reasons.append("unlike the photographs that the choice was learned from: restored cautiously, if at all")
        if model is None:
            reasons.append(f"nothing to fix: no model is certain to gain {decision.least:g} dB")
        else:
            reasons.append("expected gain: " + _listed(gains))
            first = max(gains, key=lambda name: gains[name])
            if first != model:
                why = "what is measured speaks against it" if first in decision.unfit else "it is less certain"
                reasons.append(f"not {first}: {why}")
        if strength < 1:
            uncertain = f"blended with the photograph at {strength:.0%}, for not all of it is certain to help"
            reasons.append(Blended(uncertain))
    return Diagnosis(
        noise_sigma=found.noise_sigma,
        noise_levels=found.noise_levels,
        noise_correlation=found.noise.neighbor_correlation,
        noise_colored=found.noise.colored,
        blur_sigma=found.blur_sigma,
        jpeg_quality=found.jpeg_quality,
        drawing=found.content.drawing,
        gains=gains,
        model=model,
        strength=strength,
        change=None if model is None else strength * found.changes[model],
        sigma=found.denoiser_sigma if model == "denoise" else None,
        reasons=tuple(reasons),
    )


def _listed(gains: dict[str, float]) -> str:
    return ", ".join(f"{name} {gains[name]:.1f} dB" for name in sorted(gains, key=lambda name: -gains[name]))


def measure(
    image: Image, source: Path | bytes | None = None, open_session: Callable[[str], Session] | None = None
) -> Measurements:
    """Measure a photograph; see ``diagnose``. Without ``open_session`` there are no features."""
    whole, cover = sample_of(image)
    content = content_of(whole, cover)
    sample = with_content(whole, cover)
    jpeg = image.jpeg if source is None else jpeg_header(source)
    quality, chroma = (jpeg.quality, jpeg.chroma) if jpeg else (None, None)
    noise = measure_noise(sample, quality, content.drawing, rounded=image.depth == 8)
    found = Measurements(noise, blur_sigma(sample, noise.sigma), quality, chroma, content, None)
    if open_session is None or min(sample.shape[1:3]) <= 3 * BORDER or (empty_share(whole, cover) == 1).all():
        return found
    tried = changes(sample, found.denoiser_sigma, open_session)
    changed = {name: float(np.sqrt(np.square(added).mean())) for name, added in zip(MODELS, tried, strict=True)}
    known = features(sample, tried, _numbers(found, sample))
    return replace(found, features=known, changes=changed, textured=is_of_texture(tried))


def _numbers(found: Measurements, sample: NDArray[np.float32]) -> NDArray[np.float64]:
    """The features of the choice that are not spectra, (21,)."""
    noise, content, quality, grain = found.noise, found.content, found.jpeg_quality, grain_of(sample)
    return np.array(
        [
            *np.log1p(noise.levels), np.log1p(np.median(noise.white)), np.log1p(noise.denoiser_sigma),
            noise.neighbor_correlation, noise.channel_correlation,
            np.log1p(grain.roughness), np.log(grain.evenness + 0.25), found.blur_sigma,
            (100 if quality is None else quality) / 100, quality is not None,
            content.flat_share, np.sqrt(content.clipped_share), content.drawing, sample.shape[3] == 3,
            *np.log1p(impulses(sample)), np.log2(min(sample[..., 0].size, ENOUGH)),
            1 if found.jpeg_chroma is None else found.jpeg_chroma,
        ]
    )  # fmt: skip
