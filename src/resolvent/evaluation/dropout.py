"""What networks that differ by chance make of one image: passes with dropout left on, and networks trained apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ensemble", "mc_dropout"]

PIXELS = 2**18
"""Pixels of all passes that are computed at once."""


def mc_dropout(
    network: nn.Module, x: NDArray[np.float32], passes: int = 50, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of passes with dropout left on, samples of an approximate posterior of the weights.

    Everything but dropout works as in evaluation, and the network and torch's random state are left as they were.

    Args:
        network: On the CPU, with dropout of a probability above 0.
        x: (N, C, H, W), what the network takes.
        passes: How many, 2 or more.
        seed: Random seed; the same gives the same passes.

    Returns:
        Two arrays of the shape of the network's output. The standard deviation is that of the passes (divided by their
        number), without the noise of the data that Gal and Ghahramani add.

    Raises:
        UsageError: The network has no dropout, or there are too few passes.

    References:
        Y. Gal, Z. Ghahramani, Dropout as a Bayesian Approximation, ICML 2016, arXiv:1506.02142, equations 6 and 7.
    """
    import torch
    from torch.nn.modules.dropout import _DropoutNd

    dropouts = [module for module in network.modules() if isinstance(module, _DropoutNd) and module.p > 0]
    if not dropouts:
        raise UsageError(
            f"{type(network).__name__} has no dropout of a probability above 0, so that all passes would be equal; "
            "give a network that was trained with dropout, or several networks to ensemble()"
        )
    if passes < 2:
        raise UsageError(f"passes {passes}: must be 2 or more, for a standard deviation")
    together = max(1, PIXELS // (x.shape[0] * x.shape[2] * x.shape[3]))
    batch, modes = torch.from_numpy(x), [(module, module.training) for module in network.modules()]
    sums: list[torch.Tensor] = []
    try:
        network.eval()
        for module in dropouts:
            module.train()
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            for start in range(0, passes, together):
                count = min(together, passes - start)
                y = network(batch.repeat(count, 1, 1, 1)).double().unflatten(0, (count, -1))
                if not sums:
                    first = y[0]  # what all are compared with, for the sake of precision
                off = y - first
                sums.append(torch.stack([off.sum(0), off.square().sum(0)]))
    finally:
        for each, training in modes:
            each.training = training
    off, squares = torch.stack(sums).sum(0) / passes
    spread = (squares - off.square()).clamp(min=0).sqrt()
    return (first + off).float().numpy(), spread.float().numpy()


def ensemble(
    networks: Sequence[Callable[[NDArray[np.float32]], NDArray[np.float32]]], x: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of what several networks make of one batch.

    Args:
        networks: Two or more that were trained apart, each a function of an array: ``Session.run``, or a torch module
            by ``models.export.as_function``.
        x: (N, C, H, W), what they take.

    Returns:
        Two arrays of the shape of an output. The standard deviation is that of the members (divided by their number).

    Raises:
        UsageError: There is one network or none, or their outputs differ in shape.

    References:
        B. Lakshminarayanan, A. Pritzel, C. Blundell, Simple and Scalable Predictive Uncertainty Estimation using Deep
        Ensembles, NeurIPS 2017, arXiv:1612.01474, section 2.4.
    """
    if len(networks) < 2:
        raise UsageError(f"an ensemble of {len(networks)}: must be 2 or more networks, for a standard deviation")
    results = [network(x) for network in networks]
    if len({result.shape for result in results}) > 1:
        shapes = ", ".join(str(result.shape) for result in results)
        raise UsageError(f"the networks of an ensemble give {shapes}; take networks of one task and scale")
    members = np.stack(results).astype(np.float64)
    return members.mean(0).astype(np.float32), members.std(0).astype(np.float32)
