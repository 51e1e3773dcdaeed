"""Learn the noise estimate from photographs with added noise of known level and correlation."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from resolvent.degradations import parse
from resolvent.diagnosis.ensemble import Ensemble
from resolvent.diagnosis.level import OFFSET, OUTPUTS, level_features
from resolvent.diagnosis.sample import windows
from resolvent.errors import MissingDependencyError
from resolvent.evaluation.ensembles import Fit, fit
from resolvent.physics.filters import gaussian_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["KINDS", "LevelCase", "learn_levels", "make_level_case", "noise_statistics", "page"]

KINDS = ("camera", "clean", "grain", "clean", "camera", "white", "clean", "camera", "chroma", "clean", "grain")


@dataclass(frozen=True)
class LevelCase:
    """One picture with known noise.

    Attributes:
        kind: One of KINDS.
        features: See ``level_features``.
        targets: (5,), see OUTPUTS.
    """

    kind: str
    features: NDArray[np.float32]
    targets: NDArray[np.float32]


def noise_statistics(noise: NDArray[Any]) -> tuple[NDArray[np.float64], float, float]:
    """Standard deviation of each channel, correlation of neighbors and of channels, of (H, W, C)."""
    centered = noise - noise.mean((0, 1), dtype=np.float64)
    variance = (centered**2).mean((0, 1)) + 1e-9
    across = (centered[:, 1:] * centered[:, :-1]).mean((0, 1)) / variance
    down = (centered[1:] * centered[:-1]).mean((0, 1)) / variance
    pairs = [
        (centered[..., i] * centered[..., j]).mean() / np.sqrt(variance[i] * variance[j])
        for i in range(noise.shape[2])
        for j in range(i)
    ]
    return np.sqrt(variance), float((across + down).mean() / 2), float(np.mean(pairs)) if pairs else 1.0


def make_level_case(truth: NDArray[np.float32], kind: str, seed: int) -> LevelCase | None:
    """Add noise of one kind to a picture (H, W, 3) in [0, 1]; None if too little is left to measure."""
    rng = np.random.default_rng(seed)
    truth = _softened(truth, rng)
    noisy, clean, quality = _saved(*_MAKERS[kind](truth, rng), rng)
    height, width = noisy.shape[:2]
    sample = windows(lambda top, left, bottom, right: noisy[top:bottom, left:right].astype(np.float32), height, width)
    features = level_features(sample, quality)
    if features is None:
        return None
    sigma, neighbor, channel = noise_statistics(noisy.astype(np.float32) - clean)
    sigma = np.broadcast_to(sigma, (3,))
    return LevelCase(kind, features, np.array([*np.log(sigma + OFFSET), neighbor, channel], np.float32))


def page(side: int, seed: int) -> NDArray[np.float32]:
    """A page of text, (side, side, 3) in [0, 1]: dark on light, or light on dark."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    rng = np.random.default_rng(seed)
    ink, paper = int(rng.integers(0, 80)), int(rng.integers(180, 256)) if rng.random() < 0.6 else 255
    if rng.random() < 0.2:
        ink, paper = paper, ink
    picture = Pillow.new("RGB", (side, side), (paper, paper, max(paper - int(rng.integers(0, 20)), 0)))
    pen, size, top = ImageDraw.Draw(picture), float(rng.uniform(8, 22)), int(rng.integers(0, 20))
    while top < side:
        words = ["".join(map(chr, rng.integers(97, 123, int(rng.integers(2, 10))))) for _ in range(14)]
        pen.text((int(rng.integers(0, 30)), top), " ".join(words), fill=(ink, ink, ink), font_size=size)
        top += int(size * rng.uniform(1.1, 1.8))
    return np.asarray(picture, np.float32) / np.float32(255)


def _softened(truth: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Vary sharpness and brightness as photographs do: blurred or not, darker or brighter, sometimes gray."""
    if rng.random() < 0.5:
        radius = rng.uniform(0.4, 2.0)
        truth = gaussian_filter(truth, radius)
    if rng.random() < 0.5:
        truth = truth ** np.float32(np.exp(rng.uniform(-0.6, 0.8)))
    if rng.random() < 0.3:
        truth = truth * np.float32(rng.uniform(0.3, 1.0)) + np.float32(rng.uniform(0, 0.15))
    if rng.random() < 0.08:
        truth = truth.mean(-1, keepdims=True).repeat(3, -1)
    return np.clip(truth, 0, 1).astype(np.float32)


def _clean(truth: NDArray[np.float32], rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return truth, truth


def _white(truth: NDArray[np.float32], rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    sigma = np.exp(rng.uniform(np.log(1), np.log(50))) * np.exp(rng.normal(0, 0.3 * (rng.random() < 0.5), 3))
    noise = rng.standard_normal(truth.shape)
    if rng.random() < 0.4:
        noise = noise[..., :1].repeat(3, -1)
    return truth + (sigma / 255 * noise).astype(np.float32), truth


def _grain(truth: NDArray[np.float32], rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    radius, shared = rng.uniform(0.4, 2.0), 1.0 if rng.random() < 0.5 else rng.random()
    noise = rng.standard_normal(truth.shape)
    noise = np.sqrt(1 - shared) * noise + np.sqrt(shared) * rng.standard_normal((*truth.shape[:2], 1))
    noise = gaussian_filter(noise, radius)
    sigma = np.exp(rng.uniform(np.log(1), np.log(40)))
    noise *= sigma / noise.std() * (0.5 + truth.mean(-1, keepdims=True) if rng.random() < 0.5 else 1)
    return truth + (noise / 255).astype(np.float32), truth


def _chroma(truth: NDArray[np.float32], rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    radius = rng.uniform(0.7, 4)
    noise = gaussian_filter(rng.standard_normal(truth.shape), radius)
    noise -= rng.uniform(0.7, 1) * noise.mean(-1, keepdims=True)
    noise *= np.exp(rng.uniform(np.log(1), np.log(30))) / noise.std()
    if rng.random() < 0.5:
        noise += np.exp(rng.uniform(np.log(0.5), np.log(8))) * rng.standard_normal((*truth.shape[:2], 1))
    return truth + (noise / 255).astype(np.float32), truth


def _camera(truth: NDArray[np.float32], rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return parse("camera").sample(rng).with_target(truth, rng)


_MAKERS = {"clean": _clean, "white": _white, "grain": _grain, "chroma": _chroma, "camera": _camera}
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")


def _saved(
    noisy: NDArray[np.float32], clean: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], int | None]:
    """Round both to 8 bits, mostly through one or two JPEG files; for some of them the quality is unknown."""
    pair = [np.rint(x.clip(0, 1) * 255).astype(np.uint8) for x in (noisy, clean)]
    quality = None
    for _ in range(int(rng.choice([0, 1, 2], p=[0.25, 0.4, 0.35]))):
        quality = int(rng.integers(70, 101) if rng.random() < 0.85 else rng.integers(15, 70))
        subsampling = str(rng.choice(SUBSAMPLINGS, p=[0.25, 0.25, 0.5]))
        pair = [_jpeg(x, quality, subsampling) for x in pair]
    return pair[0], pair[1], None if rng.random() < 0.2 else quality


def _jpeg(pixels: NDArray[np.uint8], quality: int, subsampling: str) -> NDArray[np.uint8]:
    from PIL import Image as Pillow

    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Pillow.open(file))


FIT = Fit(hidden=(128, 64), members=6, rate=3e-3, decay=0.05, steps=8000)
CORRELATION = 2.0
"""Gray levels of noise at which its correlation counts half as much in the loss as that of strong noise."""


def learn_levels(cases: Sequence[LevelCase], *, about: Mapping[str, Any], settings: Fit = FIT) -> Ensemble:
    """Learn to predict levels and correlations from cases.

    Args:
        cases: Thousands, of all kinds.
        about: What they were made from, and by which code.
        settings: How the networks are fitted.

    Raises:
        MissingDependencyError: torch is not installed.
    """
    try:
        import torch
        from torch.nn import functional as F
    except ModuleNotFoundError as error:
        raise MissingDependencyError(str(error.name), "lab", "learning the noise estimate") from error

    target = torch.from_numpy(np.stack([case.targets for case in cases]))
    strength = (target[:, :3].mean(1).exp() - OFFSET).clamp(min=0)
    weight = torch.ones_like(target)
    weight[:, 3:] = (strength / (strength + CORRELATION))[:, None] ** 2

    def loss(y: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
        return (weight[batch] * F.smooth_l1_loss(y, target[batch], beta=0.2, reduction="none")).mean()

    features = np.stack([case.features for case in cases])
    return Ensemble(OUTPUTS, *fit(features, len(OUTPUTS), loss, settings), dict(about))
