"""The network of deep image prior: an encoder-decoder with narrow skip connections, fitted to one image.

D. Ulyanov, A. Vedaldi, V. Lempitsky, Deep image prior, CVPR 2018, https://doi.org/10.1007/s11263-020-01303-4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resolvent.errors import UsageError

Upsampling = Literal["bilinear", "nearest"]
Padding = Literal["reflect", "circular"]


class Unit(nn.Sequential):
    """Convolution, batch normalization, leaky ReLU; optionally averaged over 2x2 pixels between the first two."""

    def __init__(
        self,
        channels: int,
        filters: int,
        size: int,
        *,
        stride: int = 1,
        pool: bool = False,
        padding: Padding = "reflect",
    ) -> None:
        mode = padding if size > 1 else "zeros"  # which a 1x1 convolution would pay for with a copy
        conv = nn.Conv2d(channels, filters, size, stride=1 if pool else stride, padding=size // 2, padding_mode=mode)
        middle = [nn.AvgPool2d(2)] if pool else []
        super().__init__(conv, *middle, nn.BatchNorm2d(filters), nn.LeakyReLU(0.2, inplace=True))


class Scale(nn.Module):
    """One scale and all coarser ones below it."""

    def __init__(
        self, channels: int, down: Sequence[int], up: Sequence[int], skip: Sequence[int], modes: Sequence[Upsampling],
        size_down: int, size_up: int, pool: bool, sharp: bool, padding: Padding,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mode = modes[0]
        self.skip = Unit(channels, skip[0], 1, padding=padding) if skip[0] else None
        self.down = nn.Sequential(
            Unit(channels, down[0], size_down, stride=2, pool=pool, padding=padding),
            Unit(down[0], down[0], size_down, padding=padding),
        )
        rest = (down[1:], up[1:], skip[1:], modes[1:], size_down, size_up, pool, sharp, padding)
        self.deeper = Scale(down[0], *rest) if len(down) > 1 else None
        coarse = up[1] if len(up) > 1 else down[0]
        self.norm = nn.BatchNorm2d(skip[0] + coarse)
        self.up = Unit(skip[0] + coarse, up[0], size_up, padding=padding)
        self.point = Unit(up[0], up[0], 1, padding=padding) if sharp else None

    def forward(self, x: Tensor) -> Tensor:
        deep = self.down(x)
        if self.deeper is not None:
            deep = self.deeper(deep)
        corners = {} if self.mode == "nearest" else {"align_corners": False}
        deep = F.interpolate(deep, scale_factor=2, mode=self.mode, **corners)[..., : x.shape[-2], : x.shape[-1]]
        if self.skip is not None:
            deep = torch.cat([self.skip(x), deep], dim=1)
        result: Tensor = self.up(self.norm(deep))
        return result if self.point is None else self.point(result)


class Skip(nn.Module):
    """Noise (N, C, H, W) to an image (N, channels, H, W) in (0, 1).

    Args:
        inputs: C.
        channels: Of the image.
        down: Filters on the way down, finest first.
        up: Filters on the way up, finest first; ``down`` if not given.
        skip: Filters of each skip connection; 0 leaves it out.
        upsampling: ``bilinear`` or ``nearest``, one or one a scale.
        size_down: Side of the kernels on the way down.
        size_up: Side of the kernels on the way up.
        pool: Average over 2x2 pixels instead of taking every second.
        sharp: A 1x1 convolution ends every scale.
        padding: ``reflect``, or ``circular``.

    Raises:
        UsageError: The lists differ in length.
    """

    def __init__(
        self,
        inputs: int = 32,
        channels: int = 3,
        down: Sequence[int] = (128,) * 5,
        up: Sequence[int] | None = None,
        skip: Sequence[int] = (4,) * 5,
        upsampling: Upsampling | Sequence[Upsampling] = "bilinear",
        *,
        size_down: int = 3,
        size_up: int = 3,
        pool: bool = False,
        sharp: bool = True,
        padding: Padding = "reflect",
    ) -> None:
        super().__init__()
        up = down if up is None else up
        modes = [upsampling] * len(down) if isinstance(upsampling, str) else list(upsampling)
        if not len(down) == len(up) == len(skip) == len(modes) or not down:
            raise UsageError(
                f"skip: down {tuple(down)}, up {tuple(up)}, skip {tuple(skip)} and upsampling {tuple(modes)}: "
                "give one of each for every scale"
            )
        self.multiple = 2 ** len(down)
        self.least = self.multiple * (max(size_down, size_up) // 2 + 1)  # which the coarsest scale can still reflect
        self.body = Scale(inputs, down, up, skip, modes, size_down, size_up, pool, sharp, padding)
        self.last = nn.Conv2d(up[0], channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        image: Tensor = torch.sigmoid(self.last(self.body(x)))
        return image
