"""The networks: ``NETWORKS`` names them, ``build`` makes one.

A network maps (N, C, H, W) float tensors in [0, 1] to (N, 3, H, W), for any height and width from its ``multiple`` up.
torch is imported when a network is built, not when it is listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from resolvent.errors import unknown
from resolvent.parameters import Flag, Number, Setting, Several, Word, check_settings
from resolvent.plugins import Registry, import_entry

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NETWORKS", "Network", "build", "check_arguments", "construct", "multiple_of", "resolve_arguments"]


@dataclass(frozen=True)
class Network:
    """One entry of NETWORKS.

    Attributes:
        entry: ``module:Class`` of the torch module.
        summary: One line for a person who chooses.
        parameters: How many weights this entry has.
        arguments: The arguments that make this entry; ``build`` overrides them by name.
        multiple: Height and width that run without padding are multiples of this, in pixels; of a network that was
            built with other arguments, see ``multiple_of``.
        settings: All arguments of the class, with its own defaults, which a test compares.
    """

    entry: str
    summary: str
    parameters: int
    arguments: dict[str, Any] = field(default_factory=dict)
    multiple: int = 8
    settings: dict[str, Setting] = field(default_factory=dict)


Whole = partial(Number, whole=True, varies=False)

SEED_UNET = {
    "variant": Setting(Word(("15m", "lite")), "15m", "widths 64, 128, 256, 512, or 32, 64, 128, 768"),
    "size": Setting(Whole(8, 4096, "pixels"), None, "side that the input is resized to; its own"),
    "dropout": Setting(Number(0, 0.99, varies=False), 0.2, "probability, in each block on the way up"),
    "output": Setting(Word(("relu", "linear", "residual")), "relu", "what the last layer gives"),
    "widths": Setting(Several(Whole(1, 4096), 4, 4), None, "channels of three scales and of the middle; the variant's"),
    "skips": Setting(Flag(), True, "whether the encoder is joined to the decoder"),
}

UNET = {
    "widths": Setting(Several(Whole(1, 4096), 1, 8), (48, 96, 192), "channels at each scale, finest first"),
    "blocks": Setting(Several(Whole(0, 64), 1, 8), (2, 2, 2), "residual blocks at each scale"),
    "noise_level": Setting(Flag(), False, "whether it takes a noise level map as one more channel"),
    "fold": Setting(Whole(1, 8), 2, "space-to-depth factor at the entrance"),
    "skips": Setting(Word(("add", "concat")), "add", "skip connections: added, or concatenated"),
    "scale": Setting(Whole(1, 8), 1, "output pixels for each input pixel and axis"),
    "mask": Setting(Flag(), False, "whether it takes a mask of missing pixels as one more channel"),
    "outputs": Setting(Whole(1, 3), 3, "3, an image; or 1, the probability that a pixel is damaged"),
    "bias": Setting(Flag(), True, "whether convolutions have a bias"),
}

UNROLLED = {
    "widths": replace(UNET["widths"], default=(32, 64, 128, 256)),
    "blocks": replace(UNET["blocks"], default=(1, 1, 1, 1)),
    "steps": Setting(Whole(1, 64), 5, "how many steps share the denoiser"),
    "noise_level": UNET["noise_level"],
    "kernel": Setting(Flag(), False, "whether it takes the blur's kernel as one more channel"),
    "fold": replace(UNET["fold"], default=1),
    "bias": UNET["bias"],
}

BUILT_IN: dict[str, Network] = {
    "seed_unet": Network(
        "resolvent.networks.seed_unet:SeedUNet",
        "the founding paper's U-Net, 818 GMAC per megapixel",
        15_088_451,
        {"variant": "15m"},
        settings=SEED_UNET,
    ),
    "seed_unet-lite": Network(
        "resolvent.networks.seed_unet:SeedUNet",
        "the same with a wide middle, 381 GMAC per megapixel",
        14_983_075,
        {"variant": "lite"},
        settings=SEED_UNET,
    ),
    "unet-small": Network(
        "resolvent.networks.unet:UNet",
        "residual U-Net of four scales, 143 GMAC per megapixel",
        2_301_699,
        {"widths": (32, 64, 128, 256), "blocks": (1, 1, 1, 1), "fold": 1},
        multiple=8,
        settings=UNET,
    ),
    "unet-base": Network(
        "resolvent.networks.unet:UNet",
        "the same on 2x2 blocks of pixels, wider and deeper: 522 GMAC per megapixel",
        14_698_956,
        {"widths": (96, 192, 384), "blocks": (2, 2, 4)},
        multiple=8,
        settings=UNET,
    ),
    "unrolled-hqs": Network(
        "resolvent.networks.unrolled:UnrolledHQS",
        "five steps of plug-and-play with unet-small as the denoiser, for a known blur: 718 GMAC per megapixel",
        2_301_997,
        {"kernel": False},
        multiple=8,
        settings=UNROLLED,
    ),
}

NETWORKS = Registry(
    "network",
    BUILT_IN,
    lambda name, entry: None if isinstance(entry, Network) else "must be a resolvent.networks.Network",
)
"""All networks: name to entry."""


def resolve_arguments(name: str, **overrides: Any) -> dict[str, Any]:
    """Give the full arguments of a network: the registry's, overridden by name.

    Raises:
        UsageError: There is no network of that name, or an argument is not known or breaks its rule.
    """
    return {**_find(name).arguments, **check_arguments(name, overrides)}


def check_arguments(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of a network in their canonical types.

    Raises:
        UsageError: There is no network of that name, or an argument is not known or breaks its rule.
    """
    return check_settings(name, _find(name).settings, arguments)


def build(name: str, **overrides: Any) -> nn.Module:
    """Build a network of NETWORKS with fresh weights.

    Args:
        name: A key of NETWORKS.
        **overrides: Arguments of its class that differ from the entry's, such as ``noise_level=True``.

    Raises:
        UsageError: The name or an argument is not known, or an argument breaks its rule.
        MissingDependencyError: torch is not installed.
    """
    return construct(name, resolve_arguments(name, **overrides))


def construct(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build a network from all its arguments, as the card of a model holds them; the registry's do not count.

    Raises:
        UsageError: The name or an argument is not known, or an argument breaks its rule.
        MissingDependencyError: torch is not installed.
    """
    arguments = check_arguments(name, arguments)
    network: nn.Module = import_entry(NETWORKS[name].entry, f"the network {name!r}")(**arguments)
    return network


def _find(name: str) -> Network:
    if name not in NETWORKS:
        raise unknown("network", name, NETWORKS)
    return NETWORKS[name]


def multiple_of(network: nn.Module, name: str) -> int:
    """Give the number of pixels of which sides that run without padding are multiples.

    Args:
        network: That ``build`` has built; its own ``multiple`` counts, if it has one.
        name: That it was built by.
    """
    return int(getattr(network, "multiple", NETWORKS[name].multiple))
