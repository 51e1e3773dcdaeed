"""The multi-level encoder-decoder: a generator and enhancers after it, fitted to one image.

I. Mastan, S. Raman, Multi-level encoder-decoder architectures for image restoration, CVPR workshops 2019. The figures
give the scales of the sub-networks and what may vary; channels and everything else are those of deep image prior.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resolvent.errors import UsageError
from resolvent.methods.untrained.skip import Unit


class SubNetwork(nn.Module):
    """One encoder-decoder, (N, inputs, H, W) to (N, width, H, W).

    Args:
        inputs: Channels of its input.
        noise: Channels of the network's input, which ``cascade`` shows to every stage of the decoder.
        width: Filters everywhere.
        scales: How often the size is halved.
        skip: Filters of the link between equal scales; 0 leaves it out.
        cascade: Whether the network's input joins each stage of the decoder.
    """

    def __init__(self, inputs: int, noise: int, width: int, scales: int, skip: int, *, cascade: bool) -> None:
        super().__init__()
        self.cascade = cascade
        first = [inputs] + [width] * (scales - 1)
        self.down = nn.ModuleList(
            nn.Sequential(Unit(c, width, 3, stride=2, padding="reflect"), Unit(width, width, 3, padding="reflect"))
            for c in first
        )
        self.links = nn.ModuleList(Unit(c, skip, 1, padding="reflect") for c in first) if skip else None
        joined = width + skip + noise * cascade
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(joined),
                Unit(joined, width, 3, padding="reflect"),
                Unit(width, width, 3, padding="reflect"),
            )
            for _ in first
        )

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        entered = []
        for down in self.down:
            entered.append(x)
            x = down(x)
        for level in reversed(range(len(entered))):
            size = entered[level].shape[-2:]
            parts = [F.interpolate(x, size=size, mode="bilinear", align_corners=False)]
            if self.links is not None:
                parts.append(self.links[level](entered[level]))
            if self.cascade:
                parts.append(F.interpolate(z, size=size, mode="area"))
            x = self.up[level](torch.cat(parts, dim=1))
        return x


class Med(nn.Module):
    """Noise (N, C, H, W) to an image (N, channels, H, W) in (0, 1).

    Args:
        inputs: C.
        channels: Of the image.
        levels: Scales of the generator, and of each enhancer after it.
        width: Filters everywhere.
        skip: Filters of the links between equal scales of a sub-network; 0 leaves them out.
        cascade: Show the input to every sub-network and every stage of its decoder again.
        resize: Size of what goes from one sub-network to the next, as a share of its own.

    Raises:
        UsageError: There are no levels, or one below 1.
    """

    def __init__(
        self,
        inputs: int = 32,
        channels: int = 3,
        levels: Sequence[int] = (5, 4, 3),
        width: int = 128,
        skip: int = 4,
        *,
        cascade: bool = False,
        resize: float = 1.0,
    ) -> None:
        super().__init__()
        if not levels or min(levels) < 1:
            raise UsageError(f"med levels {tuple(levels)}: give the scales of each sub-network, 1 or more")
        self.multiple = 2 ** max(levels)
        self.resize, self.cascade = resize, cascade
        self.parts = nn.ModuleList(
            SubNetwork((inputs if i == 0 else width + inputs * cascade), inputs, width, scales, skip, cascade=cascade)
            for i, scales in enumerate(levels)
        )
        self.last = nn.Conv2d(width, channels, 1)

    def forward(self, z: Tensor) -> Tensor:
        size = z.shape[-2:]
        x = self.parts[0](z, z)
        for part in list(self.parts)[1:]:
            if self.resize != 1:
                inner = [max(self.multiple, round(side * self.resize)) for side in size]
                x = F.interpolate(x, size=inner, mode="bilinear", align_corners=False)
            if self.cascade:
                x = torch.cat([x, F.interpolate(z, size=x.shape[-2:], mode="area")], dim=1)
            x = part(x, z)
        if x.shape[-2:] != size:
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        image: Tensor = torch.sigmoid(self.last(x))
        return image
