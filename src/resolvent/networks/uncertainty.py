"""A small network beside a restorer: how large the error of each restored pixel is likely to be.

It reads the features from which the restorer's last layer makes the image, and predicts the scale b of a Laplace
distribution of the error, the heteroscedastic regression of Kendall and Gal (2017, arXiv:1703.04977). Half of all
errors are then below b ln 2, nine of ten below b ln 10. It works on a grid of half the resolution, where a map of
errors loses nothing and costs a quarter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resolvent.errors import UsageError

if TYPE_CHECKING:
    from resolvent.networks.unet import UNet

__all__ = ["LOWEST", "UncertaintyHead", "features_of", "laplace_loss"]

LOWEST, HIGHEST = -3.0, 5.5
"""Of log b, b in 8-bit gray levels: 0.05 to 245."""


class UncertaintyHead(nn.Module):
    """The scale b of the error of each restored value, from a frozen network's features.

    Args:
        features: Channels of the features.
        scale: Output pixels of the restorer for each input pixel and axis.
        fold: Input pixels for each cell of the features' grid and axis.
        channels: Of the restorer's input: the image's 3, and what follows it, such as the noise level.
        width: Channels of the hidden layers.

    Raises:
        UsageError: The features' grid is coarser than every second pixel of the input.
    """

    def __init__(self, features: int, *, scale: int = 1, fold: int = 1, channels: int = 3, width: int = 32) -> None:
        super().__init__()
        if fold > 2:
            raise UsageError(f"fold {fold}: a map of errors needs features of every second pixel at least, fold 1 or 2")
        self.scale, self.cell = scale, max(2, scale * fold)
        stride = self.cell // (scale * fold)
        self.enter = nn.Conv2d(features, width, stride, stride=stride)
        self.conv1 = nn.Conv2d(width + channels + 8, width, 3)
        self.conv2 = nn.Conv2d(width, width, 3)
        self.leave = nn.Conv2d(width, 3 * (self.cell // 2) ** 2, 1)
        for weights, start in zip(self.leave.parameters(), (0.0, 1.5), strict=True):  # 4.5 gray levels everywhere
            nn.init.constant_(weights, start)

    def forward(self, features: Tensor, x: Tensor, restored: Tensor) -> Tensor:
        """Predict b.

        Args:
            features: (N, features, H / fold, W / fold).
            x: (N, channels, H, W), what the restorer was given; H and W multiples of 2 and of fold.
            restored: (N, 3, scale H, scale W), what it made of that.

        Returns:
            (N, 3, scale H, scale W), in the unit of the image, white is 1.
        """
        cells = torch.cat([F.relu(self.enter(features)), self._statistics(x, restored)], dim=1)
        cells = F.relu(self.conv1(F.pad(cells, (1, 1, 1, 1), mode="replicate")))
        cells = F.relu(self.conv2(F.pad(cells, (1, 1, 1, 1), mode="replicate")))
        parts = self.cell // 2
        log_b = _box(F.pixel_shuffle(self.leave(cells), parts), 3).clamp(LOWEST, HIGHEST)
        return F.interpolate(log_b, scale_factor=self.cell / parts, mode="bilinear").exp() / 255

    def _statistics(self, x: Tensor, restored: Tensor) -> Tensor:
        """The colors, the local contrast of the result and the local change that led to it, for each cell."""
        image, cell = x[:, :3], self.cell
        if self.scale > 1:
            image = F.interpolate(image, scale_factor=float(self.scale), mode="bilinear")
        given = F.avg_pool2d(x, cell // self.scale)
        mean = F.avg_pool2d(restored, cell)
        gray = _mean(restored)
        around, squares = (_box(F.avg_pool2d(values, cell), 3) for values in (gray, gray * gray))
        contrast = (squares - around * around).clamp(min=1e-8).sqrt()
        change = F.avg_pool2d((restored - image).abs(), cell)
        far = _box(_mean(change), 5)
        return torch.cat([given, mean, torch.log1p(255 * torch.cat([contrast, change, far], dim=1)) / 3], dim=1)


def _mean(x: Tensor) -> Tensor:
    """The mean of three channels, (N, 1, H, W), in operators that every runtime takes within a branch."""
    return (x[:, :1] + x[:, 1:2] + x[:, 2:]) / 3


def _box(x: Tensor, side: int) -> Tensor:
    """The mean over side x side cells, with the border repeated."""
    return F.avg_pool2d(F.pad(x, (side // 2,) * 4, mode="replicate"), side, 1)


def laplace_loss(b: Tensor, restored: Tensor, target: Tensor) -> Tensor:
    """The mean of |error| / b + log b: the negative log-likelihood of Laplace errors, in 8-bit gray levels."""
    levels = 255 * b
    return (255 * (restored - target).abs() / levels + levels.log()).mean()


def features_of(network: UNet, x: Tensor) -> tuple[Tensor, Tensor]:
    """What a U-Net restores (N, 3, sH, sW), and the features (N, F, H / fold, W / fold) that its last layer sees."""
    seen: list[Tensor] = []
    hook = network.tail.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    try:
        restored: Tensor = network(x)
    finally:
        hook.remove()
    return restored, seen[0]
