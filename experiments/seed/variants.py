"""What is trained: the paper's network, changes to it, and our own network on the same photographs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from resolvent.training.recipe import Recipe
from resolvent.training.recipe_file import load_recipe

__all__ = ["ABLATIONS", "BLURS", "VARIANTS", "Variant", "blur"]

BLURS = (5, 9, 15, 21)


def blur(ksize: int) -> str:
    """What OpenCV's GaussianBlur makes of a picture of 8 bits."""
    return f"blur:ksize={ksize} + quantize"


@dataclass(frozen=True)
class Variant:
    """A network and how it is trained.

    Attributes:
        label: For tables and figures.
        changes: Of the recipe ``seed``.
        after: The variant whose weights it starts from.
    """

    label: str
    changes: dict[str, Any]
    after: str = ""

    def recipe(self, train: int, val: int, epochs: int | None) -> Recipe:
        """The recipe for a number of photographs; ``epochs`` overrides its own."""
        changes = {"limit": train + val, "holdout": val / (train + val), **self.changes}
        if epochs is not None:
            changes["budget"] = f"{epochs} epochs"
        return dataclasses.replace(load_recipe("seed"), **changes)


def _lite(**arguments: Any) -> dict[str, Any]:
    return {"network": "seed_unet-lite", "arguments": arguments}


MODERN = {
    "network": "unet-small",
    "flips": True,
    "batch": 8,
    "partial_batch": False,
    "objective": "charbonnier",
    "schedule": "cosine",
    "warmup": 0.02,
    "betas": (0.9, 0.99),
    "epsilon": 1e-8,
    "clip": 1.0,
    "ema": 0.999,
}

VARIANTS: dict[str, Variant] = {
    "lite": Variant("paper's U-Net, lite", _lite()),
    "15m": Variant("paper's U-Net, 15m", {}),
    "lite-linear": Variant("lite, linear output", _lite(output="linear")),
    "lite-residual": Variant("lite, residual output", _lite(output="residual")),
    "unet-small": Variant("unet-small", MODERN),
    "largest-channel": Variant(
        "unet-small, for the accuracy",
        MODERN | {"objective": "largest-channel", "learning_rate": 4e-4, "budget": "100 epochs"},
        after="unet-small",
    ),
}

QUARTER = (8, 16, 32, 192)

ABLATIONS: dict[str, Variant] = {
    "quarter widths": Variant("a quarter of the widths, 0.9 M", _lite(widths=QUARTER)),
    "no skips": Variant("... without skip connections", _lite(widths=QUARTER, skips=False)),
    "dropout 0": Variant("... without dropout", _lite(widths=QUARTER, dropout=0.0)),
    "dropout 0.5": Variant("... dropout 0.5", _lite(widths=QUARTER, dropout=0.5)),
    "linear": Variant("... linear output", _lite(widths=QUARTER, output="linear")),
    "residual": Variant("... residual output", _lite(widths=QUARTER, output="residual")),
    "half widths": Variant("half the widths, 3.7 M", _lite(widths=(16, 32, 64, 384))),
    "full widths": Variant("the whole width, 15 M", _lite()),
}
