"""Half-quadratic splitting as a network: the iterations of plug-and-play, trained from end to end.

The form is that of USRNet (Zhang, Van Gool, Timofte, 2020, arXiv:2003.10428) without enlargement: each step solves for
the data in closed form and then denoises, and the denoiser and the weights of the steps are learned together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resolvent.degradations.tensors import pad
from resolvent.networks.unet import UNet

__all__ = ["UnrolledHQS"]

START, STRENGTH = 49.0, 0.23
"""DPIR's (Zhang et al., 2022, doi:10.1109/TPAMI.2021.3088914): the first noise level in gray levels, and λ."""

LEAST, HIGHEST = 0.255, 75.0
"""Gray levels: DPIR's floor of the image's noise level, and the highest level that the denoiser is given."""

GIVEN = 2.0
"""Gray levels of noise in an image that comes without its level."""

BORDER = 8
"""Pixels by which an image is reflected on each side, the second at least half as many; as ``inference.tiles`` does."""

GAIN = 20.0
"""The schedule's numbers are stored divided by this, so that the optimizer moves them faster than a weight."""


class UnrolledHQS(nn.Module):
    """Undoes a known blur: (N, 3, H, W), with the planes below, to the same shape.

    From z_1 = y on, each step k computes x_k = argmin_x ‖y - A x‖² + α_k ‖x - z_k‖² at every frequency, and then
    z_{k+1} = D(x_k, σ_k), with the same D in every step. With d_k from 49 gray levels to the noise level σ, evenly in
    logarithm, σ_k = l_k d_k and α_k = w_k σ² / d_k²; l_k and w_k are learned, positive by softplus, and start at 1 and
    at 0.23, where all is ``pnp``. As there, each step flips or turns the image another way. The image is taken to wrap
    around.

    Args:
        widths: Of the denoiser, a U-Net.
        blocks: Likewise.
        steps: How many.
        noise_level: The input carries one more channel, σ/255 at every pixel; without, σ is 2.
        kernel: The input carries one more channel, last: the kernel, its center in row H // 2 and column W // 2.
            Without, the image is taken to be sharp.
        fold: Of the U-Net.
        bias: Likewise.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128, 256),
        blocks: Sequence[int] = (1, 1, 1, 1),
        *,
        steps: int = 5,
        noise_level: bool = False,
        kernel: bool = False,
        fold: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.noise_level, self.kernel = noise_level, kernel
        arguments: dict[str, Any] = {
            "widths": widths,
            "blocks": blocks,
            "noise_level": True,
            "fold": fold,
            "bias": bias,
        }
        self.denoiser_arguments = arguments
        """Of ``unet-small``."""
        self.denoiser = UNet(**arguments)
        self.multiple = self.denoiser.multiple
        self.levels = nn.Parameter(_inverse_softplus(torch.ones(steps)) / GAIN)
        self.weights = nn.Parameter(_inverse_softplus(torch.full((steps,), STRENGTH)) / GAIN)

    def schedule(self) -> tuple[Tensor, Tensor]:
        """The factors of the denoiser's levels, l_k, and the weights w_k, (steps,) each."""
        return F.softplus(GAIN * self.levels), F.softplus(GAIN * self.weights)

    def forward(self, x: Tensor) -> Tensor:
        y = x[:, :3].float()
        size = y.shape[-2:]
        given = 255 * x[:, 3:4].float().mean((1, 2, 3)) if self.noise_level else y.new_full((len(y),), GIVEN)
        sigma = given.clamp(min=LEAST)[:, None, None, None]
        power, seen = self._data(y, x[:, -1:].float())
        z, factors, weights = y, *self.schedule()
        steps = len(factors)
        for k in range(steps):
            falling = _falling(sigma, k / max(steps - 1, 1))
            alpha = weights[k] * (sigma / falling) ** 2
            solved = torch.fft.irfft2((seen + alpha * torch.fft.rfft2(z)) / (power + alpha), s=size)
            level = (factors[k] * falling).clamp(max=HIGHEST) / 255
            image = turned(solved, k)
            level = level.expand(-1, 1, *image.shape[-2:])
            z = turned(self._denoise(torch.cat([image, level], dim=1)), k, back=True)
        return z

    def _denoise(self, x: Tensor) -> Tensor:
        """D of (N, 4, H, W), reflected at its borders as where a model is run; the U-Net itself pads with zeros."""
        height, width = x.shape[-2:]
        before = -(-BORDER // self.multiple) * self.multiple
        bottom, right = (BORDER // 2 + (-(side + before + BORDER // 2)) % self.multiple for side in (height, width))
        restored: Tensor = self.denoiser(pad(x, (before, before), (bottom, right), "reflect"))
        return restored[..., before : before + height, before : before + width].float()

    def _data(self, y: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """|k|² and k̄ y at every frequency."""
        observed = torch.fft.rfft2(y)
        if not self.kernel:
            return y.new_ones(()), observed
        height, width = y.shape[-2:]
        response = torch.fft.rfft2(kernel.roll((-(height // 2), -(width // 2)), (-2, -1)))
        return response.real**2 + response.imag**2, response.conj() * observed


def _falling(sigma: Tensor, share: float) -> Tensor:
    """The noise level of plug-and-play after this share of the way from START to sigma, evenly in logarithm."""
    return sigma.clamp(min=START) ** (1 - share) * sigma**share


def _inverse_softplus(value: Tensor) -> Tensor:
    return value.expm1().log()


def turned(x: Tensor, k: int, *, back: bool = False) -> Tensor:
    """One of the eight flips and quarter turns of (N, C, H, W); ``back`` inverts it."""
    if not back:
        return torch.rot90(x.flip(-2) if k % 8 >= 4 else x, k % 4, (-2, -1))
    x = torch.rot90(x, -(k % 4), (-2, -1))
    return x.flip(-2) if k % 8 >= 4 else x
