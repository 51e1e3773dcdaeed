"""What is wrong with a photograph: noise level, blur, JPEG quality; and which bundled model to give it to.

Everything is measured in at most 64 windows of 64x64 pixels at native resolution, so that the time does not grow with
the photograph; and with numpy alone, because a restore starts here, and importing scipy takes longer than this does.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.image import Image

__all__ = ["Diagnosis", "Thresholds", "blur_sigma", "diagnose", "jpeg_quality", "noise_sigma", "windows"]


@dataclass(frozen=True)
class Thresholds:
    """When something is worth restoring; ``benchmarks/diagnosis.py`` measures how often each is right.

    Attributes:
        noise: Grey levels. Clean photographs of the standard test sets stay below: their grain and texture read as up
            to 2.3. A weaker noise is hardly seen, and removing it risks texture.
        noise_limit: Grey levels; the strongest noise that the denoiser was trained for.
        blur: Pixels. Sharp photographs of the standard test sets stay below 0.5; the optics and the sensor of a camera
            leave about 0.6 by themselves.
        quality: Of JPEG; what it loses from there up is hardly seen.
        grain: Grey levels; from there up the smoothest places are as rough as smooth places never are, see ``Grain``.
        evenness: What photographs without grain exceed.
        strong: Grey levels of noise from which clipping matters: the denoiser does not know it, ``restore`` does.
        clipped: Share of the values at black or white from which noise counts as clipped.
    """

    noise: float = 2.5
    noise_limit: float = 75.0
    blur: float = 0.7
    quality: int = 95
    grain: float = 7.0
    evenness: float = 1.3
    strong: float = 25.0
    clipped: float = 0.01


@dataclass(frozen=True)
class Diagnosis:
    """What was measured, and what to do about it.

    Attributes:
        noise_sigma: Standard deviation of white noise in 8-bit grey levels.
        blur_sigma: Gaussian blur in pixels that would make a step as soft as the sharpest edges here; 0 if they are
            sharp, or if there are too few to tell.
        jpeg_quality: 1 to 100, libjpeg's scale; None if the file is not a JPEG.
        model: The bundled model to use; None if there is nothing that one of them would fix.
        sigma: The noise level to give to the model; None if it takes none.
        reasons: Sentences that say why, with the numbers.
    """

    noise_sigma: float
    blur_sigma: float
    jpeg_quality: int | None
    model: Literal["denoise", "deblur", "dejpeg", "restore"] | None
    sigma: float | None
    reasons: tuple[str, ...]


def diagnose(image: Image, source: Path | bytes | None = None, thresholds: Thresholds = Thresholds()) -> Diagnosis:
    """Measure a photograph and choose the bundled model for it.

    Args:
        image: The photograph.
        source: The file it was read from, or its bytes, for the JPEG quality; ``image.path`` if not given.
        thresholds: When something is worth restoring.

    Returns:
        The measurements, the choice and the reasons; a choice of None is a full answer: nothing to fix.
    """
    sample = 255 * windows(image.read, image.height, image.width)
    alpha = image.alpha
    if alpha is not None:
        cover = windows(lambda top, left, bottom, right: alpha[top:bottom, left:right], image.height, image.width)
        visible = (cover > 0).all(axis=(1, 2))
        sample = sample[visible] if visible.any() else sample  # hidden pixels may hold anything
    noise = noise_sigma(sample)
    if image.depth == 8:
        noise = max(noise**2 - 1 / 12, 0.0) ** 0.5  # rounding to 8 bits is itself a noise of variance 1/12
    blur = blur_sigma(sample, noise)
    source = image.path if source is None else source
    quality = None if source is None else jpeg_quality(source)
    grain = grain_of(sample)
    clipped = float(np.mean((sample <= 0) | (sample >= 255)))
    return _choose(noise, blur, quality, grain, clipped, thresholds)


def _choose(
    noise: float, blur: float, quality: int | None, grain: Grain, clipped: float, thresholds: Thresholds
) -> Diagnosis:
    faults: dict[Literal["denoise", "deblur", "dejpeg"], bool] = {
        "denoise": noise >= thresholds.noise,
        "deblur": blur >= thresholds.blur,
        "dejpeg": quality is not None and quality < thresholds.quality,
    }
    reasons = [
        f"noise of {noise:.1f} grey levels: {_verdict(faults['denoise'], thresholds.noise)}",
        f"blur of {blur:.1f} pixels at the sharpest edges: {_verdict(faults['deblur'], thresholds.blur)}",
    ]
    if quality is not None:
        reasons.append(f"JPEG quality {quality}: {_verdict(faults['dejpeg'], thresholds.quality, below=True)}")
    present = [model for model, found in faults.items() if found]
    mixed = ""
    if len(present) > 1 or (faults["denoise"] and quality is not None):
        mixed = "several faults at once: the model for mixtures"
    elif not faults["denoise"] and grain.roughness >= thresholds.grain and grain.evenness <= thresholds.evenness:
        mixed = f"the smoothest places are as rough as {grain.roughness:.0f} grey levels: noise that is not white"
    elif faults["denoise"] and noise >= thresholds.strong and clipped >= thresholds.clipped:
        mixed = f"strong noise, clipped in {clipped:.0%} of the values: the model that knows clipping"
    if mixed:
        reasons.append(mixed)
        return Diagnosis(noise, blur, quality, "restore", None, tuple(reasons))
    model = present[0] if present else None
    sigma = min(noise, thresholds.noise_limit) if model == "denoise" else None
    return Diagnosis(noise, blur, quality, model, sigma, tuple(reasons))


def _verdict(worth: bool, threshold: float, *, below: bool = False) -> str:
    side = f"below {threshold:g}" if worth == below else f"from {threshold:g} up"
    return f"worth removing, {side}" if worth else f"not worth removing, {side}"


@dataclass(frozen=True)
class Grain:
    """How rough the smoothest places are, whatever the spectrum of what makes them so.

    Attributes:
        roughness: Standard deviation of the discrete Laplacian in an 8x8 block, exceeded by 98 %, in grey levels.
        evenness: What 90 % exceed, as a multiple of it: noise lies evenly over a photograph, texture does not.
    """

    roughness: float
    evenness: float


def grain_of(sample: NDArray[np.float32]) -> Grain:
    """Measure the grain of (K, h, w, C) windows, in grey levels 0 to 255; none where there are too few blocks.

    Noise that a camera or JPEG has smoothed reads as nothing in ``noise_sigma``, which takes it for texture; but no
    place is free of it.
    """
    gray = sample.mean(-1)
    height, width = ((side - 2) // 8 * 8 for side in gray.shape[1:])
    if min(height, width) < 8:
        return Grain(0.0, 1.0)
    around = gray[:, :-2, 1:-1] + gray[:, 2:, 1:-1] + gray[:, 1:-1, :-2] + gray[:, 1:-1, 2:]
    laplacian, middle = (4 * gray[:, 1:-1, 1:-1] - around), gray[:, 1:-1, 1:-1]
    rough, mean = (
        x[:, :height, :width].reshape(len(x), height // 8, 8, width // 8, 8).transpose(0, 1, 3, 2, 4).reshape(-1, 64)
        for x in (laplacian, middle)
    )
    level = mean.mean(1)
    spread = rough.std(1)[(level > BLACK) & (level < 255 - BLACK)]
    if len(spread) < BLOCKS:
        return Grain(0.0, 1.0)
    low, tenth = np.quantile(spread, [0.02, 0.1])
    return Grain(float(low), float(tenth / max(low, 1e-6)))


BLACK = 12.0  # grey levels: in blocks as near as this to black or white, clipping hides noise
BLOCKS = 20  # fewer say nothing


def windows(
    read: Callable[[int, int, int, int], NDArray[np.float32]], height: int, width: int, size: int = 64, count: int = 64
) -> NDArray[np.float32]:
    """Cut square windows from an image, evenly spread, at native resolution.

    Args:
        read: Top, left, bottom, right of a box to its pixels, as ``Image.read``.
        height: Of the image.
        width: Of the image.
        size: Side of a window in pixels; less where the image has less.
        count: At most so many windows.

    Returns:
        (K, h, w, C).
    """
    tall, wide = min(size, height), min(size, width)
    rows, columns = -(-height // tall), -(-width // wide)
    if rows * columns > count:
        rows = min(rows, max(round(count**0.5), count // columns))
        columns = min(columns, count // rows)
    tops = np.linspace(0, height - tall, rows).astype(int).tolist()
    lefts = np.linspace(0, width - wide, columns).astype(int).tolist()
    return np.stack([read(top, left, top + tall, left + wide) for top in tops for left in lefts])


def noise_sigma(sample: NDArray[np.float32]) -> float:
    """Estimate the level of white noise, from the patches without texture.

    The covariance of patches of noise is σ²I; an image adds a few large eigenvalues. The tail of the sorted eigenvalues
    whose mean is its median is the noise's [1]. Photographs full of texture have no such tail, so only those patches
    count whose gradients noise of this level would explain [2], and the two are repeated until they agree.

    White means independent from pixel to pixel: noise that a camera has smoothed or compressed is not, and reads as
    less, or as none.

    Args:
        sample: (K, h, w, C) windows, in grey levels 0 to 255.

    Returns:
        σ in grey levels, the median over the channels; 0 if there is too little to measure, or if it is all texture.

    References:
        [1] G. Chen, F. Zhu, P. A. Heng, An efficient statistical method for image noise level estimation, ICCV 2015,
        Algorithm 1. https://doi.org/10.1109/ICCV.2015.62
        [2] X. Liu, M. Tanaka, M. Okutomi, Single-image noise level estimation for blind denoising, IEEE TIP 22(12),
        2013. https://doi.org/10.1109/TIP.2013.2283400
    """
    return float(np.median([_channel_noise(sample[..., channel]) for channel in range(sample.shape[-1])]))


PATCH = 6  # pixels a side
ENOUGH = 8 * PATCH**2  # patches: fewer give a covariance whose own error spreads the eigenvalues
PLAIN = 0.01  # share of the patches that noise alone must explain: with fewer, what was measured is texture
MOST = 12_000  # patches: more cost time and hardly change the estimate
WEAK = 1.6  # the mean square gradient of a patch of pure noise is σ²; above 1.6 σ² in 3 patches of 100
CLIPPED = 2.0  # noise in a patch whose mean is nearer than 2 σ to black or white has lost part of its variance


def _channel_noise(channel: NDArray[np.float32]) -> float:
    step = 2 if channel.size > 128 * 128 else 1
    if min(channel.shape[1:]) < PATCH:
        return 0.0
    patches = sliding_window_view(channel, (PATCH, PATCH), axis=(1, 2))[:, ::step, ::step]
    mean = _box_sum(channel, PATCH, PATCH, step) / PATCH**2
    across = _box_sum((channel[:, :, 2:] - channel[:, :, :-2]) ** 2, PATCH, PATCH - 2, step)
    down = _box_sum((channel[:, 2:] - channel[:, :-2]) ** 2, PATCH - 2, PATCH, step)
    texture = (across + down) / (4 * PATCH * (PATCH - 2))  # of noise, this has the mean σ²
    unsaturated = (mean > 0) & (mean < 255)
    if np.count_nonzero(unsaturated) < ENOUGH:
        return 0.0
    sigma, count = _tail(_eigenvalues(patches, unsaturated)), -1
    for _ in range(12):
        flat = unsaturated & (np.minimum(mean, 255 - mean) >= CLIPPED * sigma)
        if np.count_nonzero(flat) < ENOUGH:
            flat = unsaturated
        limit = max(WEAK * sigma**2, float(np.partition(texture[flat], ENOUGH - 1)[ENOUGH - 1]))
        flat &= texture <= limit
        if np.count_nonzero(flat) == count:
            break
        count = int(np.count_nonzero(flat))
        sigma = _tail(_eigenvalues(patches, flat))
    explained = np.count_nonzero(unsaturated & (texture <= WEAK * sigma**2))
    return sigma if explained >= max(ENOUGH, PLAIN * np.count_nonzero(unsaturated)) else 0.0


def _eigenvalues(patches: NDArray[np.float32], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    index = np.flatnonzero(chosen)
    index = index[:: -(-len(index) // MOST)]
    x = patches[np.unravel_index(index, chosen.shape)].reshape(-1, PATCH**2)
    x -= x.mean(0)
    covariance = np.zeros((PATCH**2, PATCH**2))
    for part in np.array_split(x, -(-len(x) // 128)):  # so small that BLAS stays on one thread: others may be busy
        covariance += part.T @ part
    return np.linalg.eigvalsh((covariance / len(x)).astype(np.float64))


def _tail(eigenvalues: NDArray[np.float64]) -> float:
    """√ of the mean of the longest run of smallest eigenvalues whose mean is at most their median [1, Algorithm 1]."""
    size = np.arange(1, len(eigenvalues) + 1)
    mean = np.cumsum(eigenvalues) / size
    median = (eigenvalues[(size - 1) // 2] + eigenvalues[size // 2]) / 2
    return float(np.sqrt(max(mean[mean <= median][-1], 0.0)))


def _box_sum(x: NDArray[np.float32], height: int, width: int, step: int) -> NDArray[np.float64]:
    """Sum over every box of (K, h, w), as an integral image gives it."""
    total = np.pad(x, ((0, 0), (1, 0), (1, 0))).cumsum(1, dtype=np.float64).cumsum(2)
    total = total[:, height:] - total[:, :-height]
    boxes: NDArray[np.float64] = total[:, :, width:] - total[:, :, :-width]
    return boxes[:, ::step, ::step]


NARROW, WIDE = 0.7, 1.4  # pixels, the two blurs of an edge that are compared
EDGE = 3.0  # grey levels a pixel: the slope of a step of 30 grey levels under a blur of 4 pixels
NOISE_SLOPE = 0.27  # the slope of noise of σ = 1 after the narrow blur, along one axis: √Σ (k ∗ [½, 0, -½])²
FEW = 100  # edge pixels: fewer say nothing
STRONGEST, SHARPEST = 0.05, 0.4  # of the steepest 5 %, the 40 % quantile, so that a blurred background does not count


def blur_sigma(sample: NDArray[np.float32], noise: float = 0.0) -> float:
    """Estimate how blurred the sharpest edges are, by blurring them again.

    A step edge of contrast c under a Gaussian blur σ has the slope c / √(2π σ²) at its middle. Two further blurs a < b
    make it c / √(2π (σ² + a²)) and c / √(2π (σ² + b²)); from the ratio R of these slopes, σ² = (b² - R² a²) / (R² - 1)
    [1, with a = 0]. The blur a keeps noise and the steps between pixels out of the first slope.

    Args:
        sample: (K, h, w, C) windows, in grey levels 0 to 255.
        noise: σ of its noise in grey levels; only slopes six times as steep as the noise makes them are edges.

    Returns:
        σ in pixels; 0 for sharp edges, and where there are too few edges to tell.

    References:
        [1] S. Zhuo, T. Sim, Defocus map estimation from a single image, Pattern Recognition 44(9), 2011.
    """
    gray = sample.mean(-1)
    radius = round(4 * WIDE)
    if min(gray.shape[1:]) < 2 * radius + 5:
        return 0.0
    steep, shallow = (_slope(_blur(gray, sigma, radius)) for sigma in (NARROW, WIDE))
    across, down = steep
    slope = np.hypot(across, down)
    middle = slope[:, 1:-1, 1:-1]
    crest_across = (middle >= slope[:, 1:-1, :-2]) & (middle > slope[:, 1:-1, 2:])
    crest_down = (middle >= slope[:, :-2, 1:-1]) & (middle > slope[:, 2:, 1:-1])
    edge = np.where((np.abs(across) > np.abs(down))[:, 1:-1, 1:-1], crest_across, crest_down)
    edge &= middle > max(EDGE, 6 * noise * NOISE_SLOPE)
    first, second = middle[edge], np.hypot(*shallow)[:, 1:-1, 1:-1][edge]
    if len(first) < FEW:
        return 0.0
    count = max(FEW, int(STRONGEST * len(first)))
    strongest = np.argpartition(first, -count)[-count:]
    ratio = (first[strongest] / np.maximum(second[strongest], 1e-6)) ** 2
    pixel = 1 / 3  # a central difference is the slope of the edge averaged over two pixels: a box of this variance
    variance = (WIDE**2 + pixel - ratio * (NARROW**2 + pixel)) / np.maximum(ratio - 1, 1e-3)
    return float(np.sqrt(max(np.quantile(variance, SHARPEST), 0.0)))


def _blur(x: NDArray[np.float32], sigma: float, radius: int) -> NDArray[np.float32]:
    """Gaussian blur of (K, h, w), the ``radius`` at the borders cut off."""
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1, dtype=np.float32) / sigma) ** 2)
    taps /= taps.sum()
    for axis in (1, 2):
        x = sliding_window_view(x, len(taps), axis=axis) @ taps
    return x


def _slope(x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    half = np.float32(0.5)
    return half * (x[:, 1:-1, 2:] - x[:, 1:-1, :-2]), half * (x[:, 2:, 1:-1] - x[:, :-2, 1:-1])


# ITU-T T.81, table K.1: the quantisation of luminance that libjpeg scales, in zigzag order as files store it.
_LUMINANCE = np.array(
    [
        16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
        26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
        56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
        95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
    ]
)  # fmt: skip


def jpeg_quality(source: Path | bytes) -> int | None:
    """Estimate the quality that a JPEG file was saved with, from its luminance quantisation table.

    libjpeg scales the standard table by 50/q below quality 50 and by 2 - q/50 from there on; that is inverted. Exact
    for files of libjpeg and its kin; for another table, the nearest quality.

    Args:
        source: The file, or its bytes.

    Returns:
        1 to 100; None if it is not a JPEG, or its table cannot be found.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        table = _quantisation(file)
    if table is None:
        return None
    quality = np.arange(1, 101)
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    scaled = np.clip((_LUMINANCE * percent[:, None] + 50) // 100, 1, 255)
    return int(quality[np.abs(scaled - table).sum(1).argmin()])


def _quantisation(file: BinaryIO) -> NDArray[np.int_] | None:
    """Quantisation table 0 of a JPEG file, (64,) in zigzag order."""
    if file.read(2) != b"\xff\xd8":
        return None
    while (marker := file.read(4))[:1] == b"\xff" and len(marker) == 4 and marker[1] != 0xDA:
        size = max(int.from_bytes(marker[2:]) - 2, 0)
        if marker[1] != 0xDB:
            file.seek(size, io.SEEK_CUR)
            continue
        tables = file.read(size)
        while tables:
            wide, name = divmod(tables[0], 16)
            end = 1 + (128 if wide else 64)
            if name == 0 and len(tables) >= end:
                return np.frombuffer(tables[1:end], ">u2" if wide else np.uint8).astype(int)
            tables = tables[end:]
    return None
