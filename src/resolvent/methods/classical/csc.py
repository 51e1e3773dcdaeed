"""Convolutional sparse coding: an image as a sum of few, shifted atoms of a learned dictionary."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from resolvent.methods.classical.fourier import gradient_power
from resolvent.methods.control import Control
from resolvent.methods.noise_level import noise_level

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from resolvent.physics.forward_model import ForwardModel

__all__ = ["Coding", "code", "learn", "load_dictionary", "lowpass", "objective", "restore"]

BORDER = 8
"""Pixels mirrored around the image, which is then taken to wrap around."""
SMOOTHNESS = 5.0
"""λ of the split into smooth and detailed parts."""
UPDATES = 10
"""Gradient steps of the atoms for each image."""
NOISE_SHARE = 2.75
"""β over the standard deviation of the noise; scored best on a part of Set12's house."""
TILE, OVERLAP = 256, 16
"""Pixels a side of what is coded at once, and what neighbors share."""


@dataclass(frozen=True)
class Coding:
    """How the codes are found.

    Attributes:
        sparsity: β, the weight of the l1 norm.
        penalty: μ as a multiple of β.
        iterations: At most so many.
        tolerance: Relative primal and dual residual at which to stop.
        relaxation: Over-relaxation, 1 to 2.
    """

    sparsity: float = 0.048
    penalty: float = 400.0
    iterations: int = 250
    tolerance: float = 3e-3
    relaxation: float = 1.8


def restore(
    y: NDArray[np.float32],
    forward_model: ForwardModel,
    *,
    sparsity: float | None = None,
    iterations: int = 250,
    control: Control | None = None,
) -> NDArray[np.float32]:
    """Code the image without its smooth part, and reconstruct it from the atoms [1, 2].

    min_z ½ ‖m (x_high - Σ_k d_k * z_k)‖² + β Σ_k ‖z_k‖₁, by the alternating direction method of multipliers with
    Fourier transforms [1]; the linear system at each frequency has rank one plus the identity, and Sherman-Morrison's
    formula solves it [2]. The smooth part, min_l ½ ‖y - l‖² + λ/2 ‖∇l‖², is left as it is.

    Args:
        y: (H, W, C) in [0, 1] or beyond; each channel is coded by itself.
        forward_model: White noise, whose level is estimated if not given, or a mask, or both.
        sparsity: β; by default for the noise level.
        iterations: At most so many.
        control: See Control.

    Returns:
        (H, W, C), a new array.

    References:
        [1] H. Bristow, A. Eriksson, S. Lucey, Fast convolutional sparse coding, CVPR 2013.
        https://doi.org/10.1109/CVPR.2013.57
        [2] B. Wohlberg, Efficient algorithms for convolutional sparse representations, IEEE TIP 25(1), 2016.
        https://doi.org/10.1109/TIP.2015.2495260
    """
    control = control or Control()
    known = forward_model.known(y.shape[:2])
    mask = None if known.all() else np.broadcast_to(known[..., None], y.shape).astype(np.float32)
    sigma = noise_level(y, forward_model) / 255
    beta = sparsity or (0.0 if mask is None else 0.007) + NOISE_SHARE * sigma
    if beta == 0:
        return y.copy()
    coding = Coding(beta, iterations=iterations) if mask is None else Coding(beta, 50.0, iterations)
    boxes = _boxes(*y.shape)
    tiles = [_Tile(y, mask, around) for _, around, _ in boxes]
    result = np.empty_like(y)
    for tile, (inside, _, own) in zip(tiles, boxes, strict=True):
        result[inside] = tile.image(None)[own]
    for i, (tile, (inside, _, own)) in enumerate(zip(tiles, boxes, strict=True)):

        def step(done: int, codes: Callable[[], Tensor], i: int = i) -> bool:
            def so_far() -> NDArray[np.float32]:
                shown = result.copy()
                shown[boxes[i][0]] = tiles[i].image(codes())[boxes[i][2]]
                return shown

            return control.step(i * iterations + done, len(tiles) * iterations, so_far)

        result[inside] = tile.image(code(tile.detail, load_dictionary(), coding, mask=tile.mask, step=step))[own]
        if control.over:
            break
    return result


Box = tuple["slice | int", ...]


def _boxes(height: int, width: int, channels: int) -> list[tuple[Box, Box, Box]]:
    """Tiles of each channel: their own pixels; those and the overlap; the own ones within these."""
    boxes: list[tuple[Box, Box, Box]] = []
    for channel in range(channels):
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                first, start = max(top - OVERLAP, 0), max(left - OVERLAP, 0)
                bottom, right = min(top + TILE, height), min(left + TILE, width)
                inside = slice(top, bottom), slice(left, right), channel
                around = slice(first, bottom + OVERLAP), slice(start, right + OVERLAP), channel
                own = slice(top - first, bottom - first), slice(left - start, right - start)
                boxes.append((inside, around, own))
    return boxes


class _Tile:
    """Part of one channel, mirrored around, and parted into what is smooth and the detail that is coded."""

    def __init__(self, y: NDArray[np.float32], mask: NDArray[np.float32] | None, around: Box) -> None:
        plane = _mirrored(y[around])
        self.mask = None if mask is None else _mirrored(mask[around])
        self.low = lowpass(plane, SMOOTHNESS, self.mask)
        self.detail = plane - self.low

    def image(self, codes: Tensor | None) -> NDArray[np.float32]:
        """The image that the codes represent; the smooth part alone without them."""
        x = self.low if codes is None else self.low + _synthesis(codes, load_dictionary())
        image: NDArray[np.float32] = x[BORDER:-BORDER, BORDER:-BORDER].numpy()
        return image


def _mirrored(plane: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.pad(plane, BORDER, mode="symmetric"))


def lowpass(x: Tensor, smoothness: float, mask: Tensor | None = None) -> Tensor:
    """argmin_l ½ ‖m (x - l)‖² + λ/2 ‖∇l‖² of (H, W) that wraps around; in closed form, or by conjugate gradients."""
    gradient = torch.from_numpy(gradient_power(x.shape[0], x.shape[1])).to(x)
    if mask is None:
        smooth: Tensor = torch.fft.irfft2(torch.fft.rfft2(x) / (1 + smoothness * gradient), s=x.shape)
        return smooth

    def normal(v: Tensor) -> Tensor:
        bent: Tensor = torch.fft.irfft2(gradient * torch.fft.rfft2(v), s=v.shape)
        return seen * v + smoothness * bent

    seen = mask
    right = mask * x
    solution = torch.full_like(x, float(right.sum() / mask.sum().clamp(min=1)))
    residual = right - normal(solution)
    direction, power = residual.clone(), residual.square().sum()
    for _ in range(200):
        if float(power) < 1e-8 * x.numel() * 1e-2:
            break
        moved = normal(direction)
        length = power / (direction * moved).sum()
        solution = solution + length * direction
        residual = residual - length * moved
        before, power = power, residual.square().sum()
        direction = residual + power / before * direction
    return solution


def _spectra(dictionary: Tensor, height: int, width: int) -> Tensor:
    """Of the atoms (K, h, w), with their first pixel at the origin; (K, H, W/2 + 1)."""
    spectra: Tensor = torch.fft.rfft2(dictionary, s=(height, width))
    return spectra


def _synthesis(codes: Tensor, dictionary: Tensor) -> Tensor:
    """Σ_k d_k * z_k of codes (K, H, W)."""
    height, width = codes.shape[-2:]
    total = (_spectra(dictionary, height, width) * torch.fft.rfft2(codes)).sum(0)
    image: Tensor = torch.fft.irfft2(total, s=(height, width))
    return image


def _shrunk(x: Tensor, threshold: float) -> Tensor:
    shrunk: Tensor = torch.nn.functional.softshrink(x, threshold)
    return shrunk


def code(
    x: Tensor,
    dictionary: Tensor,
    coding: Coding = Coding(),
    *,
    mask: Tensor | None = None,
    step: Callable[[int, Callable[[], Tensor]], bool] | None = None,
) -> Tensor:
    """Find the sparse codes of an image.

    Args:
        x: (H, W), which wraps around.
        dictionary: (K, h, w) atoms of norm 1.
        coding: Parameters of the solver.
        mask: (H, W), 1 where ``x`` is known; an atom of one pixel, whose code costs nothing, takes up the rest.
        step: Called with the steps done and a function that gives the codes so far; returns whether to go on.

    Returns:
        (K, H, W).
    """
    height, width = x.shape
    atoms = _spectra(dictionary, height, width)
    power = atoms.abs().square().sum(0)
    mu = coding.penalty * coding.sparsity + (0.1 if mask is not None else 0.0)
    shape = (len(dictionary), height, width)
    t, u = torch.zeros(shape), torch.zeros(shape)
    known = x if mask is None else mask * x
    block, dual = known, torch.zeros_like(x)
    for done in range(1, coding.iterations + 1):
        data = torch.fft.rfft2(x if mask is None else block - dual)
        right = atoms.conj() * data + mu * torch.fft.rfft2(t - u)
        z_hat = (right - atoms.conj() * ((atoms * right).sum(0) / (mu + power))) / mu
        z = torch.fft.irfft2(z_hat, s=(height, width))
        if mask is not None:
            made = torch.fft.irfft2((atoms * z_hat).sum(0), s=(height, width))
            block = torch.where(mask > 0, (known + made + dual) / 2, made + dual)
            dual = dual + made - block
        relaxed = coding.relaxation * z + (1 - coding.relaxation) * t
        before, t = t, _shrunk(relaxed + u, coding.sparsity / mu)
        u = u + relaxed - t
        primal = (z - t).norm() / torch.maximum(z.norm(), t.norm()).clamp(min=1e-12)
        moved = (t - before).norm() / u.norm().clamp(min=1e-12)
        if step is not None and not step(done, lambda t=t: t):  # type: ignore[misc]
            break
        if bool(t.any()) and float(primal) < coding.tolerance and float(moved) < coding.tolerance:
            break
    return t


def objective(x: Tensor, dictionary: Tensor, codes: Tensor, sparsity: float) -> float:
    """½ ‖x - Σ_k d_k * z_k‖² + β Σ_k ‖z_k‖₁."""
    misfit = 0.5 * (x - _synthesis(codes, dictionary)).square().sum()
    return float(misfit + sparsity * codes.abs().sum())


def learn(
    images: Tensor, count: int = 64, side: int = 8, *, sparsity: float = 0.1, rounds: int = 100, seed: int = 0,
    step: Callable[[int, float], None] | None = None,
) -> Tensor:  # fmt: skip
    """Learn a dictionary from the detailed parts of images.

    Codes and atoms take turns: the codes by ``code``, one image after the other; the atoms by a few steps of
    accelerated projected gradient descent for that image.

    Args:
        images: (N, H, W), which wrap around.
        count: Atoms.
        side: Of an atom.
        sparsity: β.
        rounds: Images that are coded, in turn.
        seed: Of the first atoms.
        step: Called with the round and the objective of its image.

    Returns:
        (count, side, side), of norm 1.
    """
    generator = torch.Generator().manual_seed(seed)
    dictionary = _normed(torch.randn((count, side, side), generator=generator))
    coding = Coding(sparsity, 10.0, iterations=40, tolerance=1e-3)
    height, width = images.shape[1:]
    for done in range(rounds):
        x = images[done % len(images)]
        codes = code(x, dictionary, coding)
        spectra = torch.fft.rfft2(codes)
        target = torch.fft.rfft2(x)
        bound = float(spectra.abs().square().sum(0).max())
        rate, ahead = 1 / max(bound, 1e-6), dictionary
        for k in range(UPDATES):
            misfit = (spectra * _spectra(ahead, height, width)).sum(0) - target
            gradient = torch.fft.irfft2(spectra.conj() * misfit, s=(height, width))[:, :side, :side]
            before, dictionary = dictionary, _normed(ahead - rate * gradient, unit=False)
            ahead = dictionary + k / (k + 3) * (dictionary - before)
        dictionary = _normed(dictionary)
        if step is not None:
            step(done + 1, objective(x, dictionary, codes, sparsity))
    return dictionary


def _normed(dictionary: Tensor, *, unit: bool = True) -> Tensor:
    """Onto the unit sphere, or into the unit ball."""
    norm = dictionary.flatten(1).norm(dim=1)[:, None, None]
    normed: Tensor = dictionary / (norm.clamp(min=1e-12) if unit else norm.clamp(min=1.0))
    return normed


@cache
def load_dictionary() -> Tensor:
    """The one that comes with Resolvent, (K, h, w)."""
    with resources.files(__package__).joinpath("csc.npz").open("rb") as file, np.load(file) as arrays:
        return torch.from_numpy(arrays["dictionary"].astype(np.float32))
