"""Objectives that learn from noisy photographs alone: none of them sees a clean pixel."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from resolvent.training.objectives.base import Batch, Objective, Outcome, Predict, with_image

__all__ = ["Neighbor2Neighbor", "Noise2Noise", "Noise2Self", "Noise2Void", "Recorrupted", "Sure", "neighbors"]


class Noise2Noise(Objective):
    """‖f(y) - y'‖², y' another shot: in expectation ‖f(y) - x‖² plus the variance of its noise.

    J. Lehtinen et al., 2018, arXiv:1803.04189.
    """

    def forward(self, predict: Predict, batch: Batch, share: float) -> Outcome:
        restored = predict(batch.inputs)
        return Outcome(F.mse_loss(restored, batch.target), restored, {})


class Noise2Void(Objective):
    """‖f(y without some pixels) - y‖² on these: a network that does not see them cannot learn their noise.

    Each hidden pixel is replaced by another one from around it. A. Krull, T.-O. Buchholz, F. Jug, 2019,
    doi:10.1109/CVPR.2019.00223.

    Args:
        share: Of the pixels that are hidden.
        radius: From within which they are replaced.
    """

    def __init__(self, share: float = 0.03, radius: int = 2) -> None:
        super().__init__()
        self.share, self.radius = share, radius

    def forward(self, predict: Predict, batch: Batch, share: float) -> Outcome:
        y = batch.inputs[:, :3]
        count, _, height, width = y.shape
        hidden = torch.rand(count, 1, height, width, device=y.device) < self.share
        side = 2 * self.radius + 1
        drawn = torch.randint(side * side - 1, (count, height, width), device=y.device)
        drawn = drawn + (drawn >= side * side // 2)  # any but the pixel itself
        down = drawn // side - self.radius + torch.arange(height, device=y.device)[:, None]
        right = drawn % side - self.radius + torch.arange(width, device=y.device)
        place = _reflected(down, height) * width + _reflected(right, width)
        others = y.flatten(2).gather(2, place.flatten(1)[:, None].expand(-1, y.shape[1], -1)).view_as(y)
        restored = predict(with_image(batch.inputs, torch.where(hidden, others, y)))
        return Outcome(_mean_where(hidden, (restored - y).square()), restored, {})


def _reflected(index: Tensor, size: int) -> Tensor:
    index = index.abs()
    return torch.where(index >= size, 2 * (size - 1) - index, index)


def _mean_where(mask: Tensor, error: Tensor) -> Tensor:
    return (error * mask).sum() / (mask.sum() * error.shape[1]).clamp(min=1)


class Noise2Self(Objective):
    """‖f(y without a grid of pixels) - y‖² on these; the grid moves from step to step.

    Each hidden pixel is replaced by another hidden one of its image, drawn at random, so that the network learns to do
    without it: a mean of its neighbors would be trusted, and the noise with it where all is computed in one pass.
    J. Batson, L. Royer, 2019, arXiv:1901.11365.

    Args:
        period: Of the grid in pixels.
    """

    def __init__(self, period: int = 4) -> None:
        super().__init__()
        self.period = period

    def forward(self, predict: Predict, batch: Batch, share: float) -> Outcome:
        y = batch.inputs[:, :3]
        top, left = torch.randint(self.period, (2,), device=y.device)
        rows = torch.arange(y.shape[2], device=y.device) % self.period == top
        columns = torch.arange(y.shape[3], device=y.device) % self.period == left
        hidden = (rows[:, None] & columns).expand(len(y), 1, -1, -1)
        grid = y[:, :, top :: self.period, left :: self.period]
        drawn = torch.randint(grid[0, 0].numel(), (len(y), 1, grid[0, 0].numel()), device=y.device)
        shown = y.clone()
        shown[:, :, top :: self.period, left :: self.period] = (
            grid.flatten(2).gather(2, drawn.expand(-1, y.shape[1], -1)).view_as(grid)
        )
        restored = predict(with_image(batch.inputs, shown))
        return Outcome(_mean_where(hidden, (restored - y).square()), restored, {})


class Neighbor2Neighbor(Objective):
    """‖f(g₁y) - g₂y‖² + γ ‖f(g₁y) - g₂y - (g₁f(y) - g₂f(y))‖²; g₁ and g₂ take neighbors out of each 2x2 pixels.

    The second term makes up for the difference of the scenes that the neighbors show; its weight grows with the share
    of the budget. T. Huang et al., 2021, doi:10.1109/CVPR46437.2021.01454, equation 14.

    Args:
        gamma: γ at the end.
    """

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, predict: Predict, batch: Batch, share: float) -> Outcome:
        y = batch.inputs[:, :3]
        with torch.no_grad():
            whole = predict(batch.inputs)
        chosen = choose_neighbors(y)
        (first, second), (smooth_first, smooth_second) = neighbors(y, chosen), neighbors(whole, chosen)
        half = batch.inputs[..., ::2, ::2]
        difference = predict(with_image(half, first)) - second
        fit = difference.square().mean()
        excess = (difference - (smooth_first - smooth_second)).square().mean()
        return Outcome(fit + share * self.gamma * excess, whole, {"fit": fit, "excess": excess})


def choose_neighbors(y: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Choose two pixels that touch in every 2x2 of (N, C, H, W): their places 0 to 3, each (N, 1, H/2, W/2)."""
    shape = len(y), 1, y.shape[2] // 2, y.shape[3] // 2
    first = torch.randint(4, shape, device=y.device, generator=generator)
    across = torch.randint(2, shape, device=y.device, generator=generator)
    return first, first ^ (1 + across)  # places are 2 row + column: another column, or another row


def neighbors(y: Tensor, chosen: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Take the chosen pixels out of (N, C, H, W): two images (N, C, H/2, W/2)."""
    places = F.pixel_unshuffle(y, 2).view(len(y), y.shape[1], 4, y.shape[2] // 2, y.shape[3] // 2)
    one, other = (places.gather(2, place[:, :, None].expand(-1, y.shape[1], -1, -1, -1))[:, :, 0] for place in chosen)
    return one, other


class Sure(Objective):
    """‖f(y) - y‖²/n - σ² + 2σ² bᵀ(f(y + τb) - f(y)) / (τn): in expectation the mean squared error of f(y).

    b is ±1 at random; in all channels alike where the image is gray, as its noise is. S. Ramani, T. Blu, M. Unser,
    2008, doi:10.1109/TIP.2008.2001404.

    Args:
        sigma: In gray levels; None for that of each photograph.
        step: τ.
    """

    bounded = False

    def __init__(self, sigma: float | None = None, step: float = 0.01) -> None:
        super().__init__()
        self.sigma, self.step = sigma, step

    def forward(self, predict: Predict, batch: Batch, share: float) -> Outcome:
        y = batch.inputs[:, :3]
        variance = noise_of(batch, self.sigma).square()
        probe = alike(torch.randint(2, y.shape, device=y.device) * 2.0 - 1, y)
        restored = predict(batch.inputs, precise=True)
        moved = predict(with_image(batch.inputs, y + self.step * probe), precise=True)
        divergence = (probe * (moved - restored)).mean((1, 2, 3)) / self.step
        residual = (restored - y).square().mean((1, 2, 3))
        flat = variance.flatten()
        return Outcome((residual - flat + 2 * flat * divergence).mean(), restored, {"residual": residual.mean()})


class Recorrupted(Objective):
    """‖f(y + αz) - (y - z/α)‖², z as strong as the noise, and as gray: the noise of the two is independent.

    T. Pang, H. Zheng, Y. Quan, H. Ji, 2021, doi:10.1109/CVPR46437.2021.00208.

    Args:
        sigma: In gray levels; None for that of each photograph.
        alpha: α.
    """

    def __init__(self, sigma: float | None = None, alpha: float = 0.5) -> None:
        super().__init__()
        self.sigma, self.alpha = sigma, alpha

    def forward(self, predict: Predict, batch: Batch, share: float) -> Outcome:
        y = batch.inputs[:, :3]
        z = noise_of(batch, self.sigma) * alike(torch.randn_like(y), y)
        inputs = with_image(batch.inputs, y + self.alpha * z)
        inputs[:, 3:] *= math.sqrt(1 + self.alpha**2)  # the noise level map
        restored = predict(inputs)
        return Outcome(F.mse_loss(restored, y - z / self.alpha), restored, {})


def alike(drawn: Tensor, y: Tensor) -> Tensor:
    """Random numbers (N, 3, H, W), in all channels those of the first where an image is gray."""
    gray = (y == y[:, :1]).flatten(1).all(1)[:, None, None, None]
    return torch.where(gray, drawn[:, :1], drawn)


def noise_of(batch: Batch, sigma: float | None) -> Tensor:
    """The standard deviation of the noise of each sample, (N, 1, 1, 1), in [0, 1] of the image."""
    if sigma is not None:
        return batch.inputs.new_full((len(batch.inputs), 1, 1, 1), sigma / 255)
    if batch.sigma is None:
        raise TypeError("a batch of noisy photographs carries their noise level")
    return (batch.sigma / 255)[:, None, None, None]
