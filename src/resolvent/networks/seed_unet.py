"""The founding paper's U-Net, as its text determines it.

"Inverse Imaging: Reconstructing high-resolution images from degraded images", EasyChair preprint, 2022. The paper gives
the kinds of layer, the concatenations and "about 15 million parameters", not the widths: this is a reconstruction, not
the authors' network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = {"15m": (64, 128, 256, 512), "lite": (32, 64, 128, 768)}


class ConvTransposeSame(nn.ConvTranspose2d):
    """3x3 transposed convolution of stride 2 with the alignment of Keras's ``padding="same"``.

    Keras crops the last row and column of the full (2n + 1) output; PyTorch's ``padding=1, output_padding=1`` crops the
    first, which shifts the image by a pixel under the same weights.
    """

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__(channels, filters, 3, stride=2)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Double the size of (N, C, H, W)."""
        return super().forward(x, output_size)[..., : 2 * x.shape[-2], : 2 * x.shape[-1]]


class Triple(nn.Module):
    """Three 3x3 convolutions with ReLU, and a concatenation around the last two."""

    def __init__(self, channels: int, filters: int, *, skip_input: bool = False) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(channels, filters, 3, padding=1)
        self.c2 = nn.Conv2d(filters, filters, 3, padding=1)
        self.c3 = nn.Conv2d(filters, filters, 3, padding=1)
        self.skip_input = skip_input
        self.filters_out = filters + (channels if skip_input else filters)

    def forward(self, x: Tensor) -> Tensor:
        first = F.relu(self.c1(x))
        last = F.relu(self.c3(F.relu(self.c2(first))))
        return torch.cat([last, x if self.skip_input else first], dim=1)


class Dropout(nn.Dropout):
    """Dropout of single values from 16 random bits each, several times cheaper on a CPU than PyTorch's Bernoulli draws.

    Args:
        p: Probability, rounded to 1 / 65536; what remains is scaled by 1 / (1 - p) of that.
    """

    def __init__(self, p: float) -> None:
        super().__init__(p)
        self.dropped = round(p * 2**16)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.dropped:
            return x
        words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device).random_(-(2**63), None)
        bits = words.view(torch.int16)[: x.numel()]
        if x.is_contiguous(memory_format=torch.channels_last):
            n, c, h, w = x.shape
            bits = bits.view(n, h, w, c).permute(0, 3, 1, 2)
        else:
            bits = bits.view(x.shape)
        return torch.where(bits >= self.dropped - 2**15, x * (2**16 / (2**16 - self.dropped)), 0.0)


class Deconvolution(nn.Module):
    """Transposed convolutions: double the size, concatenate the encoder's tensor, if any, drop out, merge."""

    def __init__(self, channels: int, filters: int, skip: int, out: int, dropout: float) -> None:
        super().__init__()
        self.skip = skip
        self.t1 = ConvTransposeSame(channels, filters)
        self.t2 = nn.ConvTranspose2d(filters, filters, 3, padding=1)
        self.dropout = Dropout(dropout)
        self.t3 = nn.ConvTranspose2d(filters + skip, out, 3, padding=1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        up = resize(F.relu(self.t1(x)), skip.shape[-2:])
        wide = F.relu(self.t2(up))
        merged: Tensor = self.t3(self.dropout(torch.cat([wide, skip], dim=1) if self.skip else wide))
        return merged


class SeedUNet(nn.Module):
    """The paper's U-Net: (N, 3, H, W) in [0, 1] to the same shape.

    Args:
        variant: ``"15m"``, widths 64/128/256/512 (15,088,451 parameters), or ``"lite"``, 32/64/128/768 (14,983,075).
        size: The Lambda layers: resize the input to this many pixels a side and the output back, bilinearly; the
            paper's is 128. None runs at the size of the input.
        dropout: Probability, before the last convolution of each deconvolution block; the image itself is never
            dropped.
        output: ``"relu"`` as the paper says (outputs unbounded above, and a channel whose pre-activation is negative
            everywhere is dead for good: its bias starts at +0.1), ``"linear"``, or ``"residual"``, which adds the
            input.
        widths: Of the three scales and the middle, instead of the variant's.
        skips: Whether the decoder sees what the encoder saw at the same scale, as in the paper.
    """

    def __init__(
        self,
        variant: Literal["15m", "lite"] = "15m",
        size: int | None = None,
        dropout: float = 0.2,
        output: Literal["relu", "linear", "residual"] = "relu",
        widths: Sequence[int] | None = None,
        skips: bool = True,
    ) -> None:
        super().__init__()
        w1, w2, w3, middle = widths or WIDTHS[variant]
        self.size, self.output = size, output
        self.e1 = Triple(3, w1)
        self.e2 = Triple(2 * w1, w2)
        self.e3 = Triple(2 * w2, w3)
        self.middle = Triple(2 * w3, middle, skip_input=variant == "lite")
        self.d3 = Deconvolution(self.middle.filters_out, w3, 2 * w3 * skips, w3, dropout)
        self.d2 = Deconvolution(w3, w2, 2 * w2 * skips, w2, dropout)
        self.d1 = Deconvolution(w2, w1, 2 * w1 * skips, 3, dropout)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if output == "relu" and self.d1.t3.bias is not None:
            nn.init.constant_(self.d1.t3.bias, 0.1)

    def forward(self, x: Tensor) -> Tensor:
        inner = x if self.size is None else resize(x, torch.Size((self.size, self.size)))
        s1 = self.e1(inner)
        s2 = self.e2(F.max_pool2d(s1, 2))
        s3 = self.e3(F.max_pool2d(s2, 2))
        m = self.middle(F.max_pool2d(s3, 2))
        y = self.d1(F.relu(self.d2(F.relu(self.d3(m, s3)), s2)), s1)
        if self.output == "relu":
            y = F.relu(y)
        elif self.output == "residual":
            y = inner + y
        return resize(y, x.shape[-2:])


def resize(x: Tensor, size: torch.Size) -> Tensor:
    """Resize (N, C, H, W) as ``tf.image.resize`` does (bilinear, half-pixel centers); identity when equal."""
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
