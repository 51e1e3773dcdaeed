"""Losses between a restored batch and its clean original, (N, C, H, W) in [0, 1]; each is a mean over all elements."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def charbonnier(restored: Tensor, clean: Tensor, epsilon: float = 1e-3) -> Tensor:
    """sqrt(d² + ε²), a smooth L1 (Charbonnier et al., 1994, doi:10.1109/ICIP.1994.413553)."""
    return torch.sqrt((restored - clean).square() + epsilon**2).mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": F.l1_loss,
    "mse": F.mse_loss,
    "charbonnier": charbonnier,
}
