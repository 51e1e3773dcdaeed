"""Noise: what each value of a picture suffers by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resolvent.degradations.base import Degradation
from resolvent.degradations.parameters import Choice, Number, Range

if TYPE_CHECKING:
    import torch

__all__ = ["GaussianNoise", "PoissonNoise", "SaltPepper"]


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
