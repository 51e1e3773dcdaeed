"""How far apart two images are in the features of our own network, which was trained to name degradations."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from resolvent.errors import MissingDependencyError
from resolvent.evaluation.metrics import Pixels, check_images
from resolvent.inference.tiles import spans

if TYPE_CHECKING:
    from torch import Tensor

    from resolvent.training.objectives.comparator import Comparator

__all__ = ["feature_distance", "open_comparator"]

TILE = 512
"""Pixels a side that are compared at once: some 200 MB of features, however large the image is."""

HALO = 8
"""Pixels around a tile on which its features depend: 2 in the first stage, and 1 + 2 * 2 more in the second."""


@cache
def open_comparator() -> Comparator:
    """Load the network whose features are compared, once.

    Raises:
        MissingDependencyError: torch or safetensors is not installed.
        InputError: Its file is missing or damaged.
    """
    try:
        from resolvent.training.objectives.comparator import load_comparator

        return load_comparator()
    except ModuleNotFoundError as error:
        raise MissingDependencyError(str(error.name), "lab", "the feature distance") from error


def feature_distance(image_true: Pixels, image_test: Pixels) -> float:
    """Mean absolute difference of the features of two images, 0 for equal ones; lower is closer.

    d = 1/2 sum_s mean(abs(f_s(image_true) - f_s(image_test))) over the first two stages s of ``Comparator``, a network
    of ours that was trained to name degradations; the features f_s have unit length at each pixel. It is not LPIPS
    (Zhang et al., 2018, arXiv:1801.03924), whose form it borrows: no opinion of people went into it, and its values
    compare with nothing but each other. The objectives ``perceptual`` and ``adversarial`` minimize it: a model
    that was trained with one of them is close by it for that reason alone.

    A large image is compared in tiles with their context. The result is that of the whole image, to some 1e-8.

    Args:
        image_true: (H, W, C) with C = 1 or 3, in [0, 1], beyond which it is clipped; gray counts as three equal
            channels. At least 2 pixels a side.
        image_test: Of the same shape.

    Raises:
        UsageError: The shapes differ, a value is not finite, or a side is below 2 pixels.
        MissingDependencyError: torch or safetensors is not installed.
        InputError: The file of the network is missing or damaged.
    """
    check_images(image_true, image_test, smallest=2)
    comparator = open_comparator()
    import torch

    from resolvent.training.objectives.comparator import COMPARED

    totals, counts = [0.0] * len(COMPARED), [0] * len(COMPARED)
    axes = (spans(length, TILE, HALO, 2 ** max(COMPARED), blend=0) for length in image_true.shape[:2])
    for tile in product(*axes):
        window = tuple(slice(span.origin, span.origin + span.size) for span in tile)
        a, b = (comparator.features(_tensor(image[window])) for image in (image_true, image_test))
        for i, stage in enumerate(COMPARED):
            rows, columns = (
                slice((span.start >> stage) - (span.origin >> stage), (span.stop >> stage) - (span.origin >> stage))
                for span in tile
            )
            difference = (a[i] - b[i])[..., rows, columns].abs()
            totals[i] += difference.sum(dtype=torch.float64).item()
            counts[i] += difference.numel()
    return float(np.mean(np.divide(totals, counts)))


def _tensor(image: Pixels) -> Tensor:
    """An image (H, W, C) as (1, 3, H, W)."""
    import torch

    planes = np.clip(image, 0, 1).astype(np.float32).transpose(2, 0, 1)[None]
    return torch.from_numpy(np.ascontiguousarray(np.broadcast_to(planes, (1, 3, *planes.shape[2:]))))
