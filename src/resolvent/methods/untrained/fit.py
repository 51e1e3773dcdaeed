"""Fit an untrained network to one image: the loop that deep image prior and its variants share.

The network prefers images to noise, so that on its way to the data it passes near the clean image; what differs
between the methods is the loss, and when to stop.
"""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import MissingDependencyError
from resolvent.methods.control import Control

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional as F

    from resolvent.networks.precision import fast_bfloat16, memory_format
except ModuleNotFoundError as error:
    raise MissingDependencyError(str(error.name), "lab", "an untrained method") from error

__all__ = [
    "Discrepancy",
    "MovingVariance",
    "Settings",
    "Settled",
    "Stop",
    "fit",
    "noise_input",
    "to_image",
    "to_tensor",
]

BACKTRACK, DROP = 50, 5.0
"""Every so many steps, a fit that is worse than at the last look by so many dB returns to it [DIP's code]."""

WARM_UP = 10
"""Steps after which the past may weigh one half in the running mean."""


@dataclass(frozen=True)
class Settings:
    """How a network is fitted.

    Attributes:
        iterations: At most so many.
        learning_rate: Of Adam.
        input_noise: Standard deviation of what is added to the input at every step.
        weight_noise: Standard deviation of what is added to the weights at every step, as a share of that of each
            tensor.
        average: Weight of the past in the running mean of the outputs, but at most k / (k + 10) after k steps, lest the
            first outputs linger in a fit that is stopped early; 0 gives the last output.
        half: Convolve in bfloat16, where the device is faster at that.
    """

    iterations: int = 3000
    learning_rate: float = 0.01
    input_noise: float = 1 / 30
    weight_noise: float = 0.0
    average: float = 0.99
    half: bool = False


class Stop:
    """Decides when a fit has gone far enough; this one never does."""

    def add(self, step: int, output: Tensor, mean: Tensor, residual: float) -> bool:
        """Called after each step: the output and the running mean (1, C, H, W), and the mean square of y - A x.

        Returns:
            Whether to stop.
        """
        return False

    @property
    def best(self) -> Tensor | None:
        """The image to give; None takes the running mean at the end."""
        return None


class MovingVariance(Stop):
    """Stop where the outputs hardly move: before that they become an image, after it they fit the noise.

    The variance of the last ``window`` outputs is least near the best one; ES-WMV of H. Wang et al., Early stopping for
    deep image prior, TMLR 2023, https://arxiv.org/abs/2112.06074.

    Args:
        window: Outputs.
        patience: Steps without a smaller variance after which to stop.
        every: Which pixels are looked at, one of so many a side.
    """

    def __init__(self, window: int = 100, patience: int = 1000, every: int = 2) -> None:
        self.frames: deque[Tensor] = deque(maxlen=window)
        self.patience, self.every = patience, every
        self.least, self.since = math.inf, 0
        self.best_mean: Tensor | None = None
        self.sum: Tensor | None = None
        self.squares = 0.0

    def add(self, step: int, output: Tensor, mean: Tensor, residual: float) -> bool:
        frame = output[..., :: self.every, :: self.every].clone()
        if len(self.frames) == self.frames.maxlen:
            gone = self.frames[0]
            self.sum = self.sum - gone if self.sum is not None else None
            self.squares -= float(gone.double().square().sum())
        self.frames.append(frame)
        self.sum = frame.double() if self.sum is None else self.sum + frame
        self.squares += float(frame.double().square().sum())
        if len(self.frames) < (self.frames.maxlen or 0):
            return False
        count = len(self.frames)
        variance = (self.squares - float(self.sum.square().sum()) / count) / count / frame.numel()
        if variance < self.least:
            self.least, self.since, self.best_mean = variance, 0, mean.clone()
        else:
            self.since += 1
        return self.since >= self.patience

    @property
    def best(self) -> Tensor | None:
        return self.best_mean


class Discrepancy(Stop):
    """Stop where the residual is as strong as the noise, averaged over some steps.

    Args:
        sigma: Of the noise, 1 being white.
        window: Steps.
    """

    def __init__(self, sigma: float, window: int = 10) -> None:
        self.variance = sigma**2
        self.residuals: deque[float] = deque(maxlen=window)

    def add(self, step: int, output: Tensor, mean: Tensor, residual: float) -> bool:
        self.residuals.append(residual)
        full = len(self.residuals) == self.residuals.maxlen
        return full and sum(self.residuals) / len(self.residuals) <= self.variance


class Settled(Stop):
    """Stop where the running mean moves no more than by a share of the noise.

    Args:
        sigma: Of the noise, 1 being white.
        share: Of it.
        every: Steps between looks.
    """

    def __init__(self, sigma: float, share: float = 0.02, every: int = 50) -> None:
        self.least, self.every = share * sigma, every
        self.seen: Tensor | None = None

    def add(self, step: int, output: Tensor, mean: Tensor, residual: float) -> bool:
        if step % self.every:
            return False
        settled = self.seen is not None and float(mean_square(mean, self.seen)) <= self.least**2
        self.seen = mean.clone()
        return settled


def fit(
    network: nn.Module,
    z: Tensor,
    loss: Callable[[Tensor], tuple[Tensor, float]],
    *,
    size: tuple[int, int],
    settings: Settings,
    stop: Stop,
    generator: torch.Generator,
    control: Control,
    give: Callable[[Tensor], Tensor] = lambda mean: mean,
) -> Tensor:
    """Fit a network whose input is ``z``.

    Args:
        network: Fresh; fitted in place.
        z: (1, C, H', W'), on the device to compute on.
        loss: Of an image (1, channels, H, W): what is minimized, and the mean square of y - A x.
        size: (H, W), at most that of ``z``; what lies beyond is cut off.
        settings: How.
        stop: When to stop before the last iteration.
        generator: Of all noise.
        control: See Control.
        give: From the running mean of the outputs to the image to show and to give.

    Returns:
        (1, channels, H, W), what ``stop`` thinks best or else the running mean of the outputs, as ``give`` has it.
    """
    half = settings.half and fast_bfloat16(z.device)
    if half:
        network.to(memory_format=memory_format(z.device))  # type: ignore[call-overload]  # torch's stubs lack it
        z = z.to(memory_format=memory_format(z.device))
    network.to(z.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    mean = torch.zeros(())
    checkpoint, checkpoint_residual = copy.deepcopy(network.state_dict()), math.inf
    for step in range(1, settings.iterations + 1):
        if settings.weight_noise:
            _shake(network, settings.weight_noise, generator)
        noise = settings.input_noise * torch.randn(z.shape, generator=generator).to(z)
        with torch.autocast(z.device.type, torch.bfloat16, enabled=half):
            output = network(z + noise if settings.input_noise else z)
        output = output.float()[..., : size[0], : size[1]]
        value, residual = loss(output)
        optimizer.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        output = output.detach()
        past = min(settings.average, (step - 1) / (step - 1 + WARM_UP))
        mean = past * mean + (1 - past) * output
        if stop.add(step, output, mean, residual):
            break
        if step % BACKTRACK == 0:
            if residual > 10 ** (DROP / 10) * checkpoint_residual:
                network.load_state_dict(checkpoint)
            else:
                checkpoint, checkpoint_residual = copy.deepcopy(network.state_dict()), residual
        if not control.step(step, settings.iterations, lambda mean=mean: to_image(give(mean))):  # type: ignore[misc]
            break
    return give(mean if stop.best is None else stop.best)


def _shake(network: nn.Module, share: float, generator: torch.Generator) -> None:
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim == 4:
                noise = torch.randn(weight.shape, generator=generator).to(weight)
                weight.add_(share * weight.std() * noise)


def device() -> torch.device:
    """Where networks are fitted: a GPU, if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from a seed what draws from torch's default generator, such as fresh weights; it is as before afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def noise_input(channels: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Uniform noise in [0, 0.1), (1, channels, height, width)."""
    return 0.1 * torch.rand((1, channels, height, width), generator=generator)


def grid_input(height: int, width: int) -> Tensor:
    """The coordinates of each pixel in [0, 1], (1, 2, height, width)."""
    rows = torch.linspace(0, 1, height)[:, None].expand(-1, width)
    columns = torch.linspace(0, 1, width)[None].expand(height, -1)
    return torch.stack([columns, rows])[None]


def to_tensor(y: NDArray[np.float32]) -> Tensor:
    """(H, W, C) to (1, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(y.transpose(2, 0, 1)))[None]


def to_image(x: Tensor) -> NDArray[np.float32]:
    """(1, C, H, W) to (H, W, C)."""
    return np.ascontiguousarray(x[0].detach().cpu().numpy().transpose(1, 2, 0))


def padded(size: int, multiple: int, least: int = 0) -> int:
    """The next multiple of a number, at least ``least``."""
    return max(-(-size // multiple) * multiple, least)


def mean_square(a: Tensor, b: Tensor) -> Tensor:
    """Of the difference."""
    return F.mse_loss(a, b)
