"""Losses between a predicted batch and its target, (N, C, H, W) in [0, 1]; each is a mean over all elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LOSSES"]


def l1(restored: Tensor, clean: Tensor) -> Tensor:
    """|d|."""
    return (restored - clean).abs().mean()


def mse(restored: Tensor, clean: Tensor) -> Tensor:
    """d²."""
    return (restored - clean).square().mean()


def charbonnier(restored: Tensor, clean: Tensor, epsilon: float = 1e-3) -> Tensor:
    """sqrt(d² + ε²), a smooth L1 (Charbonnier et al., 1994, doi:10.1109/ICIP.1994.413553)."""
    return ((restored - clean).square() + epsilon**2).sqrt().mean()


def psnr(restored: Tensor, clean: Tensor, floor: float = 1e-5) -> Tensor:
    """log(1 + MSE / floor) of each sample, averaged: near-clean and ruined samples weigh alike, as in mean PSNR.

    ``floor`` is the mean squared error at 50 dB, below which a sample counts for less.
    """
    error = (restored - clean).square().flatten(1).mean(1)
    return (error / floor).log1p().mean()


def largest_channel(restored: Tensor, clean: Tensor, temperature: float = 2 / 255, weight: float = 0.004) -> Tensor:
    """Charbonnier plus the cross-entropy of the largest channel, which the founding paper's accuracy counts.

    Its gradient is ``weight / temperature`` = 0.5 at most, where that of ``charbonnier`` is 1, and fades where the
    channels are further apart than the temperature; equal channels count as the first, as in ``argmax``.
    """
    from torch.nn import functional as F

    return charbonnier(restored, clean) + weight * F.cross_entropy(restored / temperature, clean.argmax(1))


def bce_dice(predicted: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy of a mask, and half of 1 - its Dice coefficient, 2 Σpm / (Σp + Σm), over the whole batch.

    The second does not drown in the many pixels that are whole (Milletari et al., 2016, doi:10.1109/3DV.2016.79).
    """
    from torch.nn import functional as F

    overlap = (2 * (predicted * mask).sum() + 1) / (predicted.sum() + mask.sum() + 1)
    return F.binary_cross_entropy(predicted, mask) + 0.5 * (1 - overlap)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": l1,
    "mse": mse,
    "charbonnier": charbonnier,
    "largest-channel": largest_channel,
    "psnr": psnr,
    "bce-dice": bce_dice,
}
