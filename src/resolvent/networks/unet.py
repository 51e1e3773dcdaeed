"""A residual U-Net of plain 3x3 convolutions and ReLU, entered by space-to-depth.

Every operation is one that CPU runtimes execute near their peak: no attention, no depthwise convolution, no
normalization. The encoder and decoder with additive skips are those of DRUNet (Zhang et al., 2021,
doi:10.1109/TPAMI.2021.3088914); working on 2x2 blocks of pixels is FFDNet's (Zhang et al., 2018,
doi:10.1109/TIP.2018.2839891); an enlarging one works on the small grid and leaves it by sub-pixel convolution (Shi et
al., 2016, doi:10.1109/CVPR.2016.207).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resolvent.errors import UsageError
from resolvent.physics.resize import cubic_pieces


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, width: int, *, bias: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.conv2(F.relu(self.conv1(x)))
        return x + residual


def stage(width: int, blocks: int, *, bias: bool = True) -> nn.Sequential:
    """A run of residual blocks at one scale."""
    return nn.Sequential(*(ResidualBlock(width, bias=bias) for _ in range(blocks)))


def cubic(x: Tensor) -> Tensor:
    """Keys' kernel, as ``imresize`` has it."""
    x = x.abs()
    near, far = cubic_pieces(x)
    kernel: Tensor = near.where(x <= 1, far.where(x <= 2, torch.zeros_like(x)))
    return kernel


class Enlarge(nn.Module):
    """Bicubic enlargement by a whole number, as ``imresize`` computes it, with the border repeated: one convolution."""

    radius = 2
    weight: Tensor

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        center = (torch.arange(scale) + 0.5) / scale - 0.5  # of the output pixels within the middle input pixel
        taps = cubic(center[:, None] - torch.arange(-self.radius, self.radius + 1))
        kernels = torch.einsum("ai,bj->abij", taps, taps).flatten(0, 1)
        self.register_buffer("weight", kernels[:, None].repeat(3, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (self.radius,) * 4, mode="replicate")
        return F.pixel_shuffle(F.conv2d(padded, self.weight, groups=3), self.scale)


def fill_coarsely(x: Tensor, missing: Tensor, levels: int = 3) -> Tensor:
    """Fill missing pixels with smooth color from around them, and keep the others exactly.

    Pull-push interpolation (Gortler et al., 1996, doi:10.1145/237170.237200, section 3.4): colors are averaged into
    ever coarser grids, and each takes from the coarser one what it does not know; the coarsest takes it from around.

    Args:
        x: (N, 3, H, W), H and W multiples of 2^levels.
        missing: (N, 1, H, W), 1 where a pixel is to be filled, else 0.
        levels: How many times the sides are halved.
    """
    known = 1 - missing
    grids = [(x * known, known)]
    for _ in range(levels):
        grids.append((F.avg_pool2d(grids[-1][0], 2), F.avg_pool2d(grids[-1][1], 2)))
    colors, weights = grids.pop()
    around, weight = colors, weights
    for _ in range(2):
        around, weight = F.avg_pool2d(around, 5, 1, 2), F.avg_pool2d(weight, 5, 1, 2)
    filled = colors + (1 - weights) * (around + 5e-5) / (weight + 1e-4)
    for colors, weights in reversed(grids):
        filled = colors + (1 - weights) * F.interpolate(filled, scale_factor=2.0, mode="bilinear")
    return filled


class UNet(nn.Module):
    """Predicts what to add to the image: (N, 3, H, W), or (N, 4, H, W) with a noise-level map, to (N, 3, sH, sW).

    With a mask it fills what is missing instead, and with one output it predicts the probability of damage.

    Args:
        widths: Channels at each scale, finest first.
        blocks: Residual blocks at each scale; the coarsest is passed once, the others on the way down and on the way
            up.
        noise_level: The input carries a fourth channel, sigma/255 at every pixel.
        fold: Space-to-depth factor at the entrance; the finest scale works on H/fold x W/fold.
        skips: What joins the encoder to the decoder at each scale: ``add``, or ``concat`` followed by a 1x1
            convolution.
        scale: Output pixels for each input pixel and axis, s; above 1 it adds to the bicubic enlargement.
        mask: The input carries one more channel, 1 where a pixel is missing, else 0. What the image holds there does
            not count; all other pixels come back exactly.
        outputs: 3, an image; or 1, the probability in [0, 1] that a pixel is damaged, (N, 1, H, W).
        bias: Whether convolutions add a constant; without, f(a x) = a f(x) for a > 0, and a clean flat image stays as
            it is at any noise level (Mohan et al., 2020, arXiv:1906.05478).

    Raises:
        UsageError: widths and blocks differ in length, or the outputs are not 3 or 1, or do not go with a mask or a
            scale.
    """

    def __init__(
        self,
        widths: Sequence[int] = (48, 96, 192),
        blocks: Sequence[int] = (2, 2, 2),
        *,
        noise_level: bool = False,
        fold: int = 2,
        skips: Literal["add", "concat"] = "add",
        scale: int = 1,
        mask: bool = False,
        outputs: int = 3,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if len(widths) != len(blocks) or not widths:
            raise UsageError(
                f"unet widths {tuple(widths)} and blocks {tuple(blocks)}: give one of each for every scale"
            )
        if outputs not in (1, 3) or (scale > 1 and (mask or outputs == 1)) or (mask and (outputs == 1 or noise_level)):
            raise UsageError(
                f"unet outputs {outputs}, mask {mask}, scale {scale}: give 3 outputs, or 1 for a mask of damage; a "
                "mask as input goes with 3, scale 1 and no noise level"
            )
        self.fold, self.skips, self.scale, self.mask, self.outputs = fold, skips, scale, mask, outputs
        self.multiple = fold * 2 ** (len(widths) - 1)
        pairs = list(pairwise(widths))
        self.head = nn.Conv2d((3 + noise_level + mask) * fold**2, widths[0], 3, padding=1, bias=bias)
        self.encoder = nn.ModuleList(stage(w, b, bias=bias) for w, b in zip(widths[:-1], blocks[:-1], strict=True))
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2, bias=bias) for fine, coarse in pairs)
        self.middle = stage(widths[-1], blocks[-1], bias=bias)
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2, bias=bias) for fine, coarse in pairs)
        self.decoder = nn.ModuleList(stage(w, b, bias=bias) for w, b in zip(widths[:-1], blocks[:-1], strict=True))
        if skips == "concat":
            self.merge = nn.ModuleList(nn.Conv2d(2 * w, w, 1, bias=bias) for w in widths[:-1])
        self.tail = nn.Conv2d(widths[0], outputs * (fold * scale) ** 2, 3, padding=1, bias=bias)
        if scale > 1:
            self.enlarge = Enlarge(scale)
        self.initialize()

    def initialize(self) -> None:
        """He-normal weights; residual branches and the tail start small, so that all starts near the identity."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                module.conv2.weight.data.mul_(0.1)
        self.tail.weight.data.mul_(0.01)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        bottom, right = -height % self.multiple, -width % self.multiple
        if bottom or right:
            padded = F.pad(x, (0, right, 0, bottom), mode="replicate")
            return self.forward(padded)[..., : height * self.scale, : width * self.scale]
        if self.mask:
            image, missing = fill_coarsely(x[:, :3], x[:, 3:]), x[:, 3:]
            return image + missing * self.predict(torch.cat([image, missing], dim=1))
        if self.outputs == 1:
            return torch.sigmoid(self.predict(x).float())
        image = self.enlarge(x[:, :3]) if self.scale > 1 else x[:, :3]
        return image + self.predict(x)

    def predict(self, x: Tensor) -> Tensor:
        """What the tail gives, (N, outputs, sH, sW), for sides that are multiples of ``multiple``."""
        features = self.head(F.pixel_unshuffle(x, self.fold))
        skips = []
        for encode, down in zip(self.encoder, self.down, strict=True):
            features = encode(features)
            skips.append(features)
            features = down(features)
        features = self.middle(features)
        for level in reversed(range(len(skips))):
            features = self.up[level](features)
            if self.skips == "add":
                features = features + skips[level]
            else:
                features = self.merge[level](torch.cat([features, skips[level]], dim=1))
            features = self.decoder[level](features)
        return F.pixel_shuffle(self.tail(features), self.fold * self.scale)
