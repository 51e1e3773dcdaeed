"""How close a restored image is to the true one: PSNR, SSIM, MS-SSIM, and the founding paper's accuracy.

Every function takes two images of one shape, (H, W, C) with C = 1 or 3 and values in [0, 1], and returns one number. A
figure without its protocol cannot be compared: ``Protocol`` describes it in one line, to be printed with the figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log10, prod
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import UsageError

__all__ = [
    "MS_SSIM_SIDE",
    "Pixels",
    "Protocol",
    "Score",
    "Space",
    "argmax_accuracy",
    "check_images",
    "ms_ssim",
    "psnr",
    "ssim",
]

Pixels = NDArray[np.floating[Any]]
"""An image (H, W, C), C = 1 or 3, in [0, 1]."""
Space = Literal["rgb", "y"]

RADIUS = 5
"""Of the window of SSIM: 11 x 11."""
_GAUSSIAN = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / 1.5) ** 2)
TAPS = (_GAUSSIAN / _GAUSSIAN.sum()).astype(np.float32)
C1, C2 = 0.01**2, 0.03**2
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
MS_SSIM_SIDE = (2 * RADIUS + 1) * 2 ** (len(MS_SSIM_WEIGHTS) - 1)
"""Least height and width of an image for ``ms_ssim``: the window must fit into its coarsest scale."""


@dataclass(frozen=True)
class Score:
    """PSNR in dB, infinite for identical images, and SSIM, at most 1."""

    psnr: float
    ssim: float


@dataclass(frozen=True)
class Protocol:
    """What is done to both images before they are compared, in this order.

    Attributes:
        clip: Clip to [0, 1].
        round8: Round to 8 bit, as a file stores them; clips as well. Y is then rounded too, as MATLAB does for uint8.
        space: ``rgb``: all channels alike; ``y``: the luma of BT.601, as MATLAB's ``rgb2ycbcr`` gives it.
        border: Pixels cut off on each side.

    Examples:
        >>> print(Protocol(space="y", border=4, round8=True))
        PSNR and SSIM over Y (BT.601, 16 to 235), 8-bit values, 4 border pixels cut
    """

    space: Space = "rgb"
    border: int = 0
    round8: bool = False
    clip: bool = True

    def __str__(self) -> str:
        space = "RGB (gray: its one channel)" if self.space == "rgb" else "Y (BT.601, 16 to 235)"
        values = (
            "8-bit values" if self.round8 else f"float values, {'clipped to [0, 1]' if self.clip else 'not clipped'}"
        )
        border = f"{self.border} border pixels cut" if self.border else "whole image"
        return f"PSNR and SSIM over {space}, {values}, {border}"

    def apply(self, image: Pixels) -> Pixels:
        """Give the image that is compared: (H - 2 border, W - 2 border, C), or C = 1 for ``y``."""
        if self.clip or self.round8:
            image = np.clip(image, 0, 1)
        if self.round8:
            image = _round8(image)
        if self.space == "y":
            image = _round8(_luma(image)) if self.round8 else _luma(image)
        height, width = image.shape[:2]
        return image[self.border : height - self.border, self.border : width - self.border]

    def measure(self, image: Pixels, truth: Pixels) -> Score:
        """PSNR and SSIM of an image against the truth.

        Raises:
            UsageError: As ``psnr`` and ``ssim``.
        """
        check_images(image, truth, self.border)
        a, b = self.apply(image), self.apply(truth)
        return Score(psnr(a, b), ssim(a, b))


def psnr(
    image_true: Pixels,
    image_test: Pixels,
    *,
    data_range: float = 1.0,
    space: Space = "rgb",
    border: int = 0,
    round8: bool = False,
) -> float:
    """Peak signal-to-noise ratio, PSNR = 10 log10(data_range^2 / mean((image_true - image_test)^2)), in dB.

    Values are taken as they are, unless ``round8`` is set; space, border and round8 are those of ``Protocol``. For
    ``space="y"``, Y = (65.481 R + 128.553 G + 24.966 B + 16) / 255 with the peak still at 1, as the literature on
    super-resolution computes it. A gray image is its own Y.

    Args:
        image_true: (H, W, C), in [0, 1].
        image_test: Of the same shape.
        data_range: White less black; space and round8 take it to be 1.
        space: The channels compared.
        border: Pixels cut off on each side.
        round8: Round both to 8 bit first.

    Returns:
        dB; infinite for identical images.

    Raises:
        UsageError: The shapes differ, a value is not finite, or nothing is left within the border.

    Examples:
        >>> black = np.zeros((8, 8, 3))
        >>> round(psnr(black, black + 0.1), 3)
        20.0
    """
    check_images(image_true, image_test, border)
    protocol = Protocol(space, border, round8, clip=False)
    difference = protocol.apply(image_true) - protocol.apply(image_test)
    error = float(np.mean(np.square(difference), dtype=np.float64)) / data_range**2
    return -10 * log10(error) if error else inf


def ssim(
    image_true: Pixels, image_test: Pixels, *, space: Space = "rgb", border: int = 0, round8: bool = False
) -> float:
    """Structural similarity: the mean over pixels and channels of equation 13 of the paper below.

    SSIM = (2 ma mb + C1) (2 sab + C2) / ((ma^2 + mb^2 + C1) (sa^2 + sb^2 + C2)), with means m, variances and
    covariance s under an 11 x 11 Gaussian window of sigma 1.5 that lies wholly inside the image; C1 = 0.01^2,
    C2 = 0.03^2. That is scikit-image's ``structural_similarity`` with ``gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=1``, in half its time.

    Args:
        image_true: (H, W, C), in [0, 1].
        image_test: Of the same shape.
        space: The channels compared, as for ``psnr``.
        border: Pixels cut off on each side.
        round8: Round both to 8 bit first.

    Raises:
        UsageError: The shapes differ, a value is not finite, or less than 11 x 11 pixels are left.

    References:
        Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural similarity. IEEE
        Transactions on Image Processing 13(4), 2004. doi:10.1109/TIP.2003.819861
    """
    check_images(image_true, image_test, border, smallest=len(TAPS))
    protocol = Protocol(space, border, round8, clip=False)
    pairs = zip(_planes(protocol.apply(image_true)), _planes(protocol.apply(image_test)), strict=True)
    return float(np.mean([_similarity(x, y)[0] for x, y in pairs]))


def ms_ssim(image_true: Pixels, image_test: Pixels) -> float:
    """Multi-scale structural similarity over five scales, equation 7 of the paper below; the mean over channels.

    MS-SSIM = SSIM_5^w5 prod_{j<5} CS_j^wj: the contrast and structure term CS = (2 sab + C2) / (sa^2 + sb^2 + C2) of
    the first four scales and the whole SSIM of the last, weighted (0.0448, 0.2856, 0.3001, 0.2363, 0.1333). From one
    scale to the next each 2 x 2 square becomes its mean; an odd side is mirrored at its end. A negative term counts
    as 0.

    Args:
        image_true: (H, W, C), in [0, 1], at least 176 pixels a side.
        image_test: Of the same shape.

    Raises:
        UsageError: The shapes differ, a value is not finite, or a side is below 176 pixels.

    References:
        Wang, Simoncelli, Bovik: Multi-scale structural similarity for image quality assessment. 37th Asilomar
        Conference on Signals, Systems and Computers, 2003. doi:10.1109/ACSSC.2003.1292216
    """
    check_images(image_true, image_test, smallest=MS_SSIM_SIDE)
    values = []
    for x, y in zip(_planes(image_true), _planes(image_test), strict=True):
        terms = []
        for _ in MS_SSIM_WEIGHTS[1:]:
            terms.append(_similarity(x, y)[1])
            x, y = _halve(x), _halve(y)
        terms.append(_similarity(x, y)[0])
        values.append(prod(max(term, 0.0) ** weight for term, weight in zip(terms, MS_SSIM_WEIGHTS, strict=True)))
    return float(np.mean(values))


def argmax_accuracy(image: Pixels, truth: Pixels) -> float:
    """Share of pixels whose largest channel is the same in both: the founding paper's "accuracy".

    It is what Keras computes for ``metrics=["accuracy"]`` on images: the mean over pixels of
    [argmax_c truth = argmax_c image], a tie going to the lowest channel. It says little of a restoration: a blurred
    photograph returned unchanged scores about 90 %. Report it only with that baseline.

    Args:
        image: (H, W, 3).
        truth: Of the same shape.

    Raises:
        UsageError: The shapes differ, a value is not finite, or the images are gray.

    References:
        ``sparse_categorical_matches`` in ``metrics_utils.py`` of Keras 2; ``CategoricalAccuracy`` in Keras 3.
    """
    check_images(image, truth)
    if truth.shape[2] == 1:
        raise UsageError("images of 1 channel: the accuracy compares the largest of 3; give color images")
    return float(np.mean(image.argmax(-1) == truth.argmax(-1)))


def check_images(a: Pixels, b: Pixels, border: int = 0, smallest: int = 1) -> None:
    """Check that two images can be compared, with ``smallest`` pixels a side left within the border.

    Raises:
        UsageError: The shapes differ, a value is not finite, or too little is left.
    """
    if a.shape != b.shape:
        raise UsageError(f"shapes {a.shape} and {b.shape}: must be the same; crop or resize one image")
    if a.ndim != 3 or a.shape[2] not in (1, 3):
        raise UsageError(f"shape {a.shape}: must be (H, W, 1) or (H, W, 3); add or reorder the axes")
    if border < 0 or min(a.shape[:2]) - 2 * border < smallest:
        raise UsageError(
            f"{a.shape[1]}x{a.shape[0]} pixels with border {border}: {smallest} must be left; give larger images"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise UsageError("a pixel is NaN or infinite: only finite values can be compared; look at what made the image")


def _round8(image: Pixels) -> Pixels:
    return cast(Pixels, np.round(image * 255) / 255)


def _luma(image: Pixels) -> Pixels:
    if image.shape[2] == 1:
        return image
    weights = np.array([65.481, 128.553, 24.966], image.dtype) / 255
    return cast(Pixels, (image @ weights + 16 / 255)[..., None])


def _planes(image: Pixels) -> list[NDArray[np.float32]]:
    """The channels, each contiguous: a filter over one stays in the cache."""
    return [np.ascontiguousarray(image[..., channel], np.float32) for channel in range(image.shape[2])]


def _similarity(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[float, float]:
    """The means of SSIM and of its contrast and structure term, over one channel."""
    mean_x, mean_y, square, product = (_window(plane) for plane in (x, y, x * x + y * y, x * y))
    means, squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    structure = (2 * (product - means) + C2) / (square - squares + C2)
    similarity = (2 * means + C1) / (squares + C1) * structure
    return float(similarity.mean(dtype=np.float64)), float(structure.mean(dtype=np.float64))


def _window(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convolve with the Gaussian window, where it lies inside: (H, W) to (H - 10, W - 10)."""
    return _convolve(_convolve(plane).T).T


def _convolve(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Along the first axis; the window is symmetric, so that its taps are shared in pairs."""
    height = len(plane) - 2 * RADIUS
    total: NDArray[np.float32] = TAPS[RADIUS] * plane[RADIUS : RADIUS + height]
    for i in range(RADIUS):
        total += TAPS[i] * (plane[i : i + height] + plane[2 * RADIUS - i : 2 * RADIUS - i + height])
    return total


def _halve(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = plane.shape
    plane = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="symmetric")
    four: NDArray[np.float32] = plane[::2, ::2] + plane[1::2, ::2] + plane[::2, 1::2] + plane[1::2, 1::2]
    return four * np.float32(0.25)
