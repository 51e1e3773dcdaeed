"""Wavelet shrinkage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from resolvent.methods.noise_level import noise_level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.physics.forward_model import ForwardModel

__all__ = ["restore"]

LEAST = 32
"""Pixels a side; a smaller image is mirrored until it has so many."""


def restore(y: NDArray[np.float32], forward_model: ForwardModel, *, wavelet: str = "sym4") -> NDArray[np.float32]:
    """Shrink the coefficients of an orthogonal wavelet by a threshold for each band [1], as scikit-image computes it.

    Colors are decorrelated first, as Y, Cb and Cr.

    Args:
        y: (H, W, C) in [0, 1] or beyond.
        forward_model: White noise.
        wavelet: Of PyWavelets.

    Returns:
        (H, W, C), a new array.

    References:
        [1] S. G. Chang, B. Yu, M. Vetterli, Adaptive wavelet thresholding for image denoising and compression, IEEE TIP
        9(9), 2000. https://doi.org/10.1109/83.862633
    """
    import pywt
    from skimage.restoration import denoise_wavelet

    level = noise_level(y, forward_model)
    if level == 0:
        return y.copy()
    height, width, channels = y.shape
    least = max(LEAST, 2 * (pywt.Wavelet(wavelet).dec_len - 1))  # below that even one level is all border
    padded = np.pad(y, ((0, max(least - height, 0)), (0, max(least - width, 0)), (0, 0)), mode="symmetric")
    result: NDArray[np.float32] = denoise_wavelet(
        padded, sigma=level / 255, wavelet=wavelet, channel_axis=-1, convert2ycbcr=channels == 3, rescale_sigma=True
    )
    return result[:height, :width].astype(y.dtype, copy=False)
