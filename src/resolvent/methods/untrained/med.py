"""Multi-level encoder-decoders as an image prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from resolvent.methods.control import Control
from resolvent.methods.untrained.dip import PRESETS, choose, fit_to, stopping
from resolvent.methods.untrained.fit import noise_input, padded, seeded
from resolvent.methods.untrained.med_network import Med

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from resolvent.physics.forward_model import ForwardModel

__all__ = ["restore"]

INPUTS = 32


def restore(
    y: NDArray[np.float32],
    forward_model: ForwardModel,
    *,
    levels: Sequence[int] = (5, 4, 3),
    width: int = 128,
    skip: int = 4,
    cascade: bool = False,
    resize: float = 1.0,
    iterations: int | None = None,
    stop: str = "auto",
    seed: int = 0,
    control: Control | None = None,
) -> NDArray[np.float32]:
    """Fit a generator with enhancers after it, min_θ ‖A f_θ(z) - y‖² [1]; what is not said here is as of ``dip``.

    Args:
        y: See ``dip.restore``, as for the next one.
        forward_model: What degraded it.
        levels: Scales of the generator, and of each enhancer.
        width: Filters everywhere.
        skip: Filters of the links between equal scales; 0 leaves them out.
        cascade: Show the input to every stage again.
        resize: Size of what goes from one sub-network to the next, as a share.
        iterations: See ``dip.restore``, as for the rest.
        stop: When to stop.
        seed: Random seed.
        control: Stops it early.

    Returns:
        (H, W, C), or (scale H, scale W, C), a new array: the running mean of the outputs.

    Raises:
        UsageError: There is no such stop.

    References:
        [1] I. Mastan, S. Raman, Multi-level encoder-decoder architectures for image restoration, CVPR workshops 2019.
        https://arxiv.org/abs/1905.00322
    """
    settings = PRESETS[choose(forward_model)].settings
    settings = settings if iterations is None else replace(settings, iterations=iterations)
    generator = torch.Generator().manual_seed(seed)
    with seeded(seed):
        network = Med(INPUTS, y.shape[2], levels, width, skip, cascade=cascade, resize=resize)
    size = (forward_model.scale * y.shape[0], forward_model.scale * y.shape[1])
    height, columns = (padded(side, network.multiple, 2 * network.multiple) for side in size)
    z = noise_input(INPUTS, height, columns, generator)
    return fit_to(y, forward_model, network, z, settings, stopping(stop, y, forward_model), generator, control)
