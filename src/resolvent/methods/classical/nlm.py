"""Non-local means."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from resolvent.methods.noise_level import noise_level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.physics.forward_model import ForwardModel

__all__ = ["restore"]

# Up to this noise level: side of a patch in pixels, and h as a share of the noise level. In color those of [1]; in
# gray those that scored best on Set12, because scikit-image averages pixels where [1] averages whole patches.
GRAY = ((math.inf, 5, 0.6),)
COLOR = ((25.0, 3, 0.55), (math.inf, 5, 0.4))


def restore(
    y: NDArray[np.float32],
    forward_model: ForwardModel,
    *,
    patch_size: int | None = None,
    patch_distance: int = 6,
    h: float | None = None,
) -> NDArray[np.float32]:
    """Average pixels whose patches look alike.

    x_i = Σ_j w_ij y_j / Σ_j w_ij with w_ij = exp(-max(‖P_i - P_j‖² - 2σ², 0) / h²), ‖·‖² the mean over a patch [1]; as
    scikit-image computes it, with the sum over (patch_size - 1)² pixels divided by patch_size².

    Args:
        y: (H, W, C) in [0, 1] or beyond.
        forward_model: White noise.
        patch_size: Side of a patch in pixels, odd; by default for the noise level.
        patch_distance: How far apart two patches may be, in pixels.
        h: How fast the weights fall, as a share of σ; by default for the noise level.

    Returns:
        (H, W, C), a new array.

    References:
        [1] A. Buades, B. Coll, J.-M. Morel, Non-local means denoising, IPOL 1, 2011. https://doi.org/10.5201/ipol.2011.bcm_nlm
    """
    from skimage.restoration import denoise_nl_means

    level = noise_level(y, forward_model)
    if level == 0:
        return y.copy()
    _, size, share = next(row for row in (GRAY if y.shape[2] == 1 else COLOR) if level <= row[0])
    sigma = level / 255
    result: NDArray[np.float32] = denoise_nl_means(
        y,
        patch_size=patch_size or size,
        patch_distance=patch_distance,
        h=(h or share) * sigma,
        sigma=sigma,
        channel_axis=-1,
    )
    return result.reshape(y.shape)  # scikit-image drops a single channel
