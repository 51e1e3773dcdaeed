"""Noise: what each value of a picture suffers by itself, or with its neighbours; that of rounding too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resolvent.degradations.base import Degradation
from resolvent.degradations.parameters import Choice, Number, Range, values_of

if TYPE_CHECKING:
    import torch

__all__ = ["GaussianNoise", "Grain", "PoissonNoise", "Quantise", "SaltPepper"]


@dataclass(frozen=True)
class GaussianNoise(Degradation):
    """White Gaussian noise, y = x + n, n ~ N(0, (sigma/255)^2), independent in every pixel and channel; not clipped.

    Attributes:
        sigma: Grey levels of 255.
    """

    name = "noise"
    random = True
    sigma: float | Range | Choice = field(metadata={"kind": Number(0, 255, "grey levels")})

    def _apply(
        self, image: NDArray[np.float32], numbers: dict[str, float], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        return image + np.float32(numbers["sigma"] / 255) * rng.standard_normal(image.shape).astype(np.float32)

    def _apply_batch(
        self, x: torch.Tensor, numbers: dict[str, torch.Tensor], generator: torch.Generator
    ) -> torch.Tensor:
        from resolvent.degradations import tensors

        return tensors.gaussian_noise(x, numbers["sigma"], generator)


@dataclass(frozen=True)
class Grain(Degradation):
    """Noise that neighbours share, as film grain and developed raw files have it: y = x + s (g * n), n white.

    g is a Gaussian, the convolution wraps, and s gives what is added the standard deviation ``sigma`` everywhere; not
    clipped.

    Attributes:
        sigma: Grey levels of 255.
        radius: Standard deviation of g in pixels; 0 leaves the noise white.
    """

    name = "grain"
    random = True
    sigma: float | Range | Choice = field(metadata={"kind": Number(0, 255, "grey levels")})
    radius: float | Range | Choice = field(default=0.7, metadata={"kind": Number(0, 8, "pixels")})

    def _apply(
        self, image: NDArray[np.float32], numbers: dict[str, float], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        from scipy.ndimage import gaussian_filter

        noise = rng.standard_normal(image.shape).astype(np.float32)
        if numbers["radius"] > 0:
            noise = gaussian_filter(noise, numbers["radius"], axes=(0, 1), mode="wrap", truncate=GRAIN_REACH)
            reach = int(GRAIN_REACH * numbers["radius"] + 0.5)
            taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / numbers["radius"]) ** 2)
            noise *= taps.sum() ** 2 / (taps**2).sum()
        return (image + numbers["sigma"] / 255 * noise).astype(np.float32)

    def _apply_batch(
        self, x: torch.Tensor, numbers: dict[str, torch.Tensor], generator: torch.Generator
    ) -> torch.Tensor:
        from resolvent.degradations import tensors

        reach = int(GRAIN_REACH * max(values_of(self.radius)) + 0.5)
        return tensors.grain(x, numbers["sigma"], numbers["radius"], reach, generator)


GRAIN_REACH = 4.0
"""Standard deviations at which g is cut."""


@dataclass(frozen=True)
class PoissonNoise(Degradation):
    """Photon noise, y = Poisson(peak x) / peak, independent in every pixel and channel; x below zero counts as zero.

    Attributes:
        peak: Photons expected at white; fewer are noisier.
    """

    name = "poisson"
    random = True
    peak: float | Range | Choice = field(metadata={"kind": Number(0, 1e6, "photons", above=True)})

    def _apply(
        self, image: NDArray[np.float32], numbers: dict[str, float], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        counts = rng.poisson(np.maximum(image, 0) * numbers["peak"])
        return (counts / numbers["peak"]).astype(np.float32)

    def _apply_batch(
        self, x: torch.Tensor, numbers: dict[str, torch.Tensor], generator: torch.Generator
    ) -> torch.Tensor:
        from resolvent.degradations import tensors

        return tensors.poisson_noise(x, numbers["peak"], generator)


@dataclass(frozen=True)
class SaltPepper(Degradation):
    """Dead and hot pixels: each value becomes 0 or 1, as likely the one as the other, with probability ``amount``.

    Attributes:
        amount: Share of the values that are lost.
    """

    name = "saltpepper"
    random = True
    amount: float | Range | Choice = field(metadata={"kind": Number(0, 1)})

    def _apply(
        self, image: NDArray[np.float32], numbers: dict[str, float], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        u = rng.random(image.shape, np.float32)
        return np.where(u < numbers["amount"], u < numbers["amount"] / 2, image).astype(np.float32)

    def _apply_batch(
        self, x: torch.Tensor, numbers: dict[str, torch.Tensor], generator: torch.Generator
    ) -> torch.Tensor:
        from resolvent.degradations import tensors

        return tensors.salt_pepper(x, numbers["amount"], generator)


@dataclass(frozen=True)
class Quantise(Degradation):
    """Stored as whole numbers, as a file holds them: clipped to [0, 1] and rounded to one of 2^bits - 1 steps.

    Attributes:
        bits: A value.
    """

    name = "quantise"
    bits: int | Range | Choice = field(default=8, metadata={"kind": Number(1, 16, whole=True)})

    def _apply(
        self, image: NDArray[np.float32], numbers: dict[str, float], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        steps = np.float32(2 ** numbers["bits"] - 1)
        stored: NDArray[np.float32] = np.rint(np.clip(image, 0, 1) * steps) / steps
        return stored

    def _apply_batch(
        self, x: torch.Tensor, numbers: dict[str, torch.Tensor], generator: torch.Generator
    ) -> torch.Tensor:
        from resolvent.degradations import tensors

        steps = tensors.column(2 ** numbers["bits"] - 1).to(x)
        return (x.clamp(0, 1) * steps).round() / steps
