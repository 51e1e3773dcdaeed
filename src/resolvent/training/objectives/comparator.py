"""A network whose features tell how much worse a photograph looks; it was trained to name degradations."""

from __future__ import annotations

from importlib import resources
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resolvent.errors import InputError

__all__ = ["COMPARED", "KINDS", "Comparator", "load_comparator"]

KINDS = ("none", "blur", "noise", "jpeg", "downsample")
"""What it tells apart."""

WIDTHS = (24, 48, 72, 96)

COMPARED = (0, 1)
"""Stages whose features are compared, from 0."""

SMALL = 1e-3
"""Length below which features count as none."""

FILE = "comparator.safetensors"


class Comparator(nn.Module):
    """A convolutional network of four stages: from a patch to the kind and the severity of its degradation.

    ``distance`` compares two images by the features of the first two stages before their last ReLU, as the perceptual
    losses of Dosovitskiy & Brox (2016, arXiv:1602.02644) and Johnson et al. (2016, arXiv:1603.08155) do with a network
    that was trained on labeled photographs. Features have unit length at each pixel, as those of LPIPS (Zhang et al.,
    2018, arXiv:1801.03924); but no opinion of people went into it.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (3, *WIDTHS)
        self.first = nn.ModuleList(
            nn.Conv2d(before, width, 3, padding=1) for before, width in zip(widths[:-1], WIDTHS, strict=True)
        )
        self.second = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for width in WIDTHS)
        self.kind = nn.Linear(WIDTHS[-1], len(KINDS))
        self.severity = nn.Linear(WIDTHS[-1], 1)

    def stages(self, x: Tensor, count: int = len(WIDTHS)) -> list[Tensor]:
        """The features of the first stages, each before its last ReLU, of images (N, 3, H, W) in [0, 1]."""
        found: list[Tensor] = []
        for first, second in islice(zip(self.first, self.second, strict=True), count):
            features = F.max_pool2d(F.relu(found[-1]), 2) if found else x - 0.5
            found.append(second(F.relu(first(features))))
        return found

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of the kinds, (N, kinds), and the severity, (N,), 0 for none to 1."""
        pooled = F.relu(self.stages(x)[-1]).mean((2, 3))
        return self.kind(pooled), self.severity(pooled)[:, 0]

    def features(self, x: Tensor) -> list[Tensor]:
        """The features that are compared, of unit length at each pixel."""
        stages = self.stages(x, max(COMPARED) + 1)
        return [stages[stage] / (stages[stage].norm(dim=1, keepdim=True) + SMALL) for stage in COMPARED]

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """The mean absolute difference of the features of each pair of images, (N,)."""
        pairs = zip(self.features(x), self.features(y), strict=True)
        return torch.stack([(a - b).abs().mean((1, 2, 3)) for a, b in pairs]).mean(0)


def load_comparator() -> Comparator:
    """The comparator that comes with Resolvent, frozen.

    Raises:
        InputError: Its file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    file = resources.files("resolvent.training.objectives") / FILE
    comparator = Comparator()
    try:
        comparator.load_state_dict({name: value.float() for name, value in load(file.read_bytes()).items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(f"{FILE}: cannot be read ({error}); reinstall resolvent") from error
    return comparator.requires_grad_(False).eval()
