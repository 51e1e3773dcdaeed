"""The networks: ``NETWORKS`` names them, ``build`` makes one.

A network maps (N, C, H, W) float tensors in [0, 1] to (N, 3, H, W) and accepts any height and width. torch is imported
when a network is built, not when it is listed.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from resolvent.errors import MissingDependencyError, UsageError, unknown

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NETWORKS", "Network", "build", "construct", "resolve_arguments"]


@dataclass(frozen=True)
class Network:
    """One entry of NETWORKS.

    Attributes:
        entry: ``module:Class`` of the torch module.
        summary: One line for a person who chooses.
        arguments: The arguments that make this entry; ``build`` overrides them by name.
        multiple: Height and width that run without padding are multiples of this, in pixels.
    """

    entry: str
    summary: str
    arguments: dict[str, Any] = field(default_factory=dict)
    multiple: int = 8


NETWORKS: dict[str, Network] = {
    "seed_unet": Network(
        "resolvent.networks.seed_unet:SeedUNet",
        "the founding paper's U-Net, 15.1 M parameters, 818 GMAC per megapixel",
        {"variant": "15m"},
    ),
    "seed_unet-lite": Network(
        "resolvent.networks.seed_unet:SeedUNet",
        "the same with a wide middle, 15.0 M parameters, 381 GMAC per megapixel",
        {"variant": "lite"},
    ),
    "unet-small": Network(
        "resolvent.networks.unet:UNet",
        "residual U-Net of four scales, 2.3 M parameters, 143 GMAC per megapixel",
        {"widths": (32, 64, 128, 256), "blocks": (1, 1, 1, 1), "fold": 1},
        multiple=8,
    ),
    "unet-base": Network(
        "resolvent.networks.unet:UNet",
        "the same on 2x2 blocks of pixels, wider and deeper: 14.7 M parameters, 522 GMAC per megapixel",
        {"widths": (96, 192, 384), "blocks": (2, 2, 4)},
        multiple=8,
    ),
}


def resolve_arguments(name: str, **overrides: Any) -> dict[str, Any]:
    """Give the full arguments of a network: the registry's, overridden by name.

    Raises:
        UsageError: There is no network of that name.
    """
    if name not in NETWORKS:
        raise unknown("network", name, NETWORKS)
    return {**NETWORKS[name].arguments, **overrides}


def build(name: str, **overrides: Any) -> nn.Module:
    """Build a network of NETWORKS with fresh weights.

    Args:
        name: A key of NETWORKS.
        overrides: Arguments of its class that differ from the entry's, such as ``noise_level=True``.

    Raises:
        UsageError: The name or an argument is not known.
        MissingDependencyError: torch is not installed.
    """
    return construct(name, resolve_arguments(name, **overrides))


def construct(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build a network from all its arguments, as the card of a model holds them; the registry's do not count.

    Raises:
        UsageError: The name or an argument is not known.
        MissingDependencyError: torch is not installed.
    """
    if name not in NETWORKS:
        raise unknown("network", name, NETWORKS)
    module, _, attribute = NETWORKS[name].entry.partition(":")
    try:
        cls = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingDependencyError("torch", "lab", f"building the network {name!r}") from error
    try:
        network: nn.Module = cls(**arguments)
    except TypeError as error:
        raise UsageError(f"network {name!r}: {str(error).partition('() ')[2] or error}") from error
    return network
