"""Noise, of single values or shared by neighbors, and rounding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from resolvent.degradations.base import Degradation, Pixels
from resolvent.parameters import Choice, Number, Range, Word, values_of
from resolvent.physics.filters import gaussian_filter
from resolvent.physics.noise import Noise

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["ChromaNoise", "GaussianNoise", "Grain", "HotPixels", "PoissonNoise", "Quantize", "RowNoise", "SaltPepper"]


@dataclass(frozen=True)
class GaussianNoise(Degradation):
    """White Gaussian noise, y = x + n, n ~ N(0, (sigma/255)^2), independent in every pixel and channel; not clipped.

    Attributes:
        sigma: Gray levels of 255.
    """

    name = "noise"
    examples = ("noise:sigma=25", "noise:sigma=0..50")
    random = True
    sigma: float | Range | Choice = field(metadata={"kind": Number(0, 255, "gray levels")})

    @property
    def noise(self) -> Noise:
        """White, of this level."""
        return Noise(sigma=self._fixed()["sigma"])

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        return image + np.float32(numbers["sigma"] / 255) * rng.standard_normal(image.shape).astype(np.float32)

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        from resolvent.degradations import tensors

        return tensors.gaussian_noise(x, numbers["sigma"], generator)


@dataclass(frozen=True)
class Grain(Degradation):
    """Spatially correlated noise, as in film grain and developed raw files: y = x + s (g * n), n white.

    g is a Gaussian, the convolution wraps, and s gives what is added the standard deviation ``sigma`` everywhere, in a
    picture of more than 8 ``radius`` pixels a side; not clipped.

    Attributes:
        sigma: Gray levels of 255.
        radius: Standard deviation of g in pixels; 0 leaves the noise white.
    """

    name = "grain"
    examples = ("grain:sigma=25,radius=0.6",)
    random = True
    sigma: float | Range | Choice = field(metadata={"kind": Number(0, 255, "gray levels")})
    radius: float | Range | Choice = field(default=0.7, metadata={"kind": Number(0, 8, "pixels")})

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        noise = _smooth_noise(image.shape, numbers["radius"], rng)
        return (image + numbers["sigma"] / 255 * noise).astype(np.float32)

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        from resolvent.degradations import tensors

        noise = tensors.smooth_noise(x, numbers["radius"], _reach(max(values_of(self.radius))), generator)
        return x + (tensors.column(numbers["sigma"]) / 255).to(x.dtype) * noise


@dataclass(frozen=True)
class ChromaNoise(Degradation):
    """Soft color blotches, as in developed photographs of high ISO: noise in Cb and Cr, with unchanged luma.

    Cb and Cr are those of JFIF (ITU-T T.871), their noise independent, Gaussian, and smoothed as that of ``Grain``; not
    clipped. A gray image has no chroma and stays as it is.

    Attributes:
        sigma: Standard deviation of Cb and of Cr, gray levels of 255.
        radius: Standard deviation of the smoothing Gaussian in pixels; 0 leaves the noise white.
    """

    name = "chroma"
    examples = ("chroma:sigma=20,radius=1.5",)
    random = True
    sigma: float | Range | Choice = field(metadata={"kind": Number(0, 255, "gray levels")})
    radius: float | Range | Choice = field(default=2, metadata={"kind": Number(0, 16, "pixels")})

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        if image.shape[2] != 3:
            return image.copy()
        noise = _smooth_noise((*image.shape[:2], 2), numbers["radius"], rng)
        colored: Pixels = noise @ np.array(RGB_OF_CHROMA, np.float32).T
        return image + np.float32(numbers["sigma"] / 255) * colored

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        import torch

        from resolvent.degradations import tensors

        if x.shape[1] != 3:
            return x.clone()
        noise = tensors.smooth_noise(x[:, :2], numbers["radius"], _reach(max(values_of(self.radius))), generator)
        colored = torch.einsum("ij,njhw->nihw", torch.tensor(RGB_OF_CHROMA).to(x), noise)
        return x + (tensors.column(numbers["sigma"]) / 255).to(x.dtype) * colored


RGB_OF_CHROMA = ((0.0, 1.402), (-0.344136286, -0.714136286), (1.772, 0.0))
"""What Cb and Cr add to R, G and B (ITU-T T.871, section 7)."""


def _reach(radius: float) -> int:
    """Give the distance in pixels at which a Gaussian of standard deviation ``radius`` is cut."""
    return int(4 * radius + 0.5)


def _smooth_noise(shape: tuple[int, ...], radius: float, rng: np.random.Generator) -> Pixels:
    """Draw noise (H, W, C) of standard deviation 1, convolved with a Gaussian that wraps."""
    noise: Pixels = rng.standard_normal(shape).astype(np.float32)
    if radius > 0:
        noise = gaussian_filter(noise, radius, "wrap")
        taps = np.exp(-0.5 * (np.arange(-_reach(radius), _reach(radius) + 1) / radius) ** 2)
        noise *= taps.sum() ** 2 / (taps**2).sum()
    return noise


@dataclass(frozen=True)
class RowNoise(Degradation):
    """One Gaussian offset for each row, alike in all channels, from the readout of a sensor; not clipped.

    The row noise of Wei et al. 2020, "A Physics-Based Noise Formation Model for Extreme Low-Light Raw Denoising"
    (doi:10.48550/arXiv.2003.12751); in a picture that was turned it lies along the columns.

    Attributes:
        sigma: Standard deviation of the offsets, gray levels of 255.
        axis: ``rows`` or ``columns``: what shares an offset.
    """

    name = "rownoise"
    examples = ("rownoise:sigma=10", "rownoise:sigma=10,axis=columns")
    random = True
    sigma: float | Range | Choice = field(metadata={"kind": Number(0, 255, "gray levels")})
    axis: str | Choice = field(default="rows", metadata={"kind": Word(("rows", "columns"), varies=True)})

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        along = int(numbers["axis"])
        shape = (image.shape[0], 1, 1) if along == 0 else (1, image.shape[1], 1)
        return image + np.float32(numbers["sigma"] / 255) * rng.standard_normal(shape).astype(np.float32)

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        import torch

        from resolvent.degradations import tensors

        noise = torch.randn((len(x), sum(x.shape[2:])), generator=generator, device=generator.device).to(x)
        rows, columns = noise[:, None, : x.shape[2], None], noise[:, None, None, x.shape[2] :]
        offsets = torch.where(tensors.column(numbers["axis"]) == 0, rows, columns)
        return x + (tensors.column(numbers["sigma"]) / 255).to(x.dtype) * offsets


@dataclass(frozen=True)
class PoissonNoise(Degradation):
    """Photon noise, y = Poisson(peak x) / peak, independent in every pixel and channel; x below zero counts as zero.

    Attributes:
        peak: Photons expected at white; fewer are noisier.
    """

    name = "poisson"
    examples = ("poisson:peak=30",)
    random = True
    peak: float | Range | Choice = field(metadata={"kind": Number(1e-6, 1e6, "photons")})

    @property
    def noise(self) -> Noise:
        """Of photons."""
        return Noise(peak=self._fixed()["peak"])

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        counts = rng.poisson(np.maximum(image, 0) * numbers["peak"])
        return (counts / numbers["peak"]).astype(np.float32)

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        from resolvent.degradations import tensors

        return tensors.poisson_noise(x, numbers["peak"], generator)


@dataclass(frozen=True)
class SaltPepper(Degradation):
    """Impulse noise: with probability ``amount`` a value becomes 0 or 1, both equally likely.

    Attributes:
        amount: Share of the values that are lost.
    """

    name = "saltpepper"
    examples = ("saltpepper:amount=0.1",)
    random = True
    amount: float | Range | Choice = field(metadata={"kind": Number(0, 1)})

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        u = rng.random(image.shape, np.float32)
        return np.where(u < numbers["amount"], u < numbers["amount"] / 2, image).astype(np.float32)

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        from resolvent.degradations import tensors

        return tensors.salt_pepper(x, numbers["amount"], generator)


@dataclass(frozen=True)
class HotPixels(Degradation):
    """Sensor sites that are stuck: hot ones at a bright value, dead ones at 0.

    With ``bayer`` a site has the one color of an RGGB mosaic, and bilinear demosaicing carries it to its neighbors:
    its channel changes by v - x there, by 1/4 of that at the four neighbors in G, by 1/2 there and 1/4 diagonally in R
    and B. Not clipped. In an image that has not three channels a site is always a pixel.

    Attributes:
        amount: Share of the sites that are stuck.
        hot: Share of the stuck sites that are hot; the others are dead.
        level: The value v of a hot site is uniform from this to 1.
        sites: ``pixel``: a site is a pixel with all its channels; ``channel``: one channel of a pixel, at random;
            ``bayer``: see above.
    """

    name = "hotpixels"
    examples = (
        "hotpixels:amount=0.05",
        "hotpixels:amount=0.05,hot=0.9,level=0.7,sites=channel",
        "hotpixels:amount=0.05,sites=bayer",
    )
    random = True
    amount: float | Range | Choice = field(metadata={"kind": Number(0, 1)})
    hot: float | Range | Choice = field(default=0.5, metadata={"kind": Number(0, 1)})
    level: float | Range | Choice = field(default=0.5, metadata={"kind": Number(0, 1)})
    sites: str | Choice = field(default="pixel", metadata={"kind": Word(("pixel", "channel", "bayer"), varies=True)})

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        height, width, channels = image.shape
        index = np.arange(channels)
        stuck, hot, value = rng.random((3, height, width, 1), np.float32)
        which = {
            "pixel": np.ones(channels, bool),
            "channel": rng.integers(channels, size=(height, width, 1)) == index,
            "bayer": np.add.outer(np.arange(height) % 2, np.arange(width) % 2)[..., None] == index,
        }
        sites = str(self.sites) if channels == 3 else "pixel"
        value = np.where(hot < numbers["hot"], numbers["level"] + (1 - numbers["level"]) * value, 0)
        change = np.where((stuck < numbers["amount"]) & which[sites], value - image, 0)
        if sites == "bayer":
            padded, weights = np.pad(change, ((1, 1), (1, 1), (0, 0))), np.array(DEMOSAICING)
            places = np.ndindex(3, 3)
            change = sum(weights[:, i, j] * padded[i : i + height, j : j + width] for i, j in places)
        return (image + change).astype(np.float32)

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        import torch

        from resolvent.degradations import tensors

        count, channels, height, width = x.shape
        amount, share, level, sites = (tensors.column(numbers[name]) for name in ("amount", "hot", "level", "sites"))
        index = torch.arange(channels, device=x.device)[:, None, None]
        stuck, hot, value, channel = tensors.uniform((4, count, 1, height, width), generator, x.device)
        value = torch.where(hot < share, level + (1 - level) * value, 0)
        which = stuck < amount
        if channels == 3:
            mosaic = torch.arange(height, device=x.device)[:, None] % 2 + torch.arange(width, device=x.device) % 2
            seen = torch.where(sites == 1, (channel * 3).floor() == index, mosaic == index)
            which = which & (seen | (sites == 0))
        change = torch.where(which, value.to(x.dtype) - x, 0)
        if channels == 3:
            kernels = torch.tensor(DEMOSAICING).to(x)[:, None]
            change = torch.where(sites == 2, torch.nn.functional.conv2d(change, kernels, padding=1, groups=3), change)
        return x + change


DEMOSAICING = (
    ((0.25, 0.5, 0.25), (0.5, 1.0, 0.5), (0.25, 0.5, 0.25)),
    ((0.0, 0.25, 0.0), (0.25, 1.0, 0.25), (0.0, 0.25, 0.0)),
    ((0.25, 0.5, 0.25), (0.5, 1.0, 0.5), (0.25, 0.5, 0.25)),
)
"""What bilinear demosaicing makes of a change of one site of R, of G and of B."""


@dataclass(frozen=True)
class Quantize(Degradation):
    """Stored as whole numbers, as a file holds them: clipped to [0, 1] and rounded to one of 2^bits - 1 steps.

    Attributes:
        bits: A value.
    """

    name = "quantize"
    examples = ("quantize", "quantize:bits=2..8")
    bits: int | Range | Choice = field(default=8, metadata={"kind": Number(1, 16, whole=True)})

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        steps = np.float32(2 ** numbers["bits"] - 1)
        stored: Pixels = np.rint(np.clip(image, 0, 1) * steps) / steps
        return stored

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        from resolvent.degradations import tensors

        steps = tensors.column(2 ** numbers["bits"] - 1).to(x)
        return (x.clamp(0, 1) * steps).round() / steps
