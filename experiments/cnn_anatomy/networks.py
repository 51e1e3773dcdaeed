"""The founding paper's network at a quarter of its widths, trained shortly, with and without skip connections."""

from __future__ import annotations

from pathlib import Path

from experiments.seed.flowers import sizes
from experiments.seed.variants import MODERN, QUARTER, Variant
from resolvent.networks.seed_unet import SeedUNet
from resolvent.training.loop import train
from resolvent.training.runs import Result

__all__ = ["NETWORKS", "trained"]

SHORTLY = MODERN | {"network": "seed_unet-lite", "objective": "mse", "ema": 0.98}

NETWORKS: dict[str, Variant] = {
    "skips": Variant("with skip connections", SHORTLY | {"arguments": {"widths": QUARTER}}),
    "no skips": Variant("trained without", SHORTLY | {"arguments": {"widths": QUARTER, "skips": False}}),
}


def trained(name: str, work: Path, photographs: Path, epochs: int, threads: int | None) -> tuple[SeedUNet, Result]:
    """Train one of NETWORKS to its end, or go on where it was stopped."""
    run = work / name.replace(" ", "-")
    recipe = NETWORKS[name].recipe(*sizes(len(list(photographs.iterdir()))), epochs)
    result = train(recipe, photographs, run, threads=threads, resume=(run / "last.safetensors").exists())
    assert isinstance(result.network, SeedUNet)  # noqa: S101
    return result.network, result
