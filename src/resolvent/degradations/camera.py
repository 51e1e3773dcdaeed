"""What a camera does to a scene: its sensor, its noise, and how it develops the picture.

A clean picture is taken back to what the sensor saw, as Brooks et al. do ("Unprocessing Images for Learned Raw
Denoising", CVPR 2019, doi:10.1109/CVPR.2019.01129), gets the noise of the sensor, and is developed again.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from resolvent.degradations.base import Degradation, Pixels
from resolvent.errors import UsageError
from resolvent.parameters import Choice, Number, Range

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Camera"]

SHOT = 4e-7
"""Shot noise per ISO: its variance at 1, the sensor's range being [0, 1]. 25,000 electrons fill a pixel at ISO 100."""

WHITE = 0.8
"""Where the green of a white surface lies in the sensor's range, as the mean of Brooks et al."""

BLOWN = 0.99
"""Linear mean of the channels from which a highlight saturates the sensor. Brooks et al. have 0.9, for a target that
has lost the same highlights; the target here is the clean picture, which must come back."""

REACH = 8
"""Pixels of the sensor beyond the border that the picture depends on: 2 by the mosaic, 6 by what comes later."""

NOISE = ("denoise", "chroma")
"""Parameters that are 0 where there is no noise."""

# XYZ to the color space of four cameras, from their DNG files, as Brooks et al. give them
_CAMERAS = (
    ((1.0234, -0.2969, -0.2266), (-0.5625, 1.6328, -0.0469), (-0.0703, 0.2188, 0.6406)),
    ((0.4913, -0.0541, -0.0202), (-0.6130, 1.3513, 0.2906), (-0.1564, 0.2151, 0.7183)),
    ((0.8380, -0.2630, -0.0639), (-0.2887, 1.0725, 0.2496), (-0.0627, 0.1427, 0.5438)),
    ((0.6596, -0.2079, -0.0562), (-0.4782, 1.3016, 0.1933), (-0.0970, 0.1581, 0.5181)),
)
# IEC 61966-2-1: linear sRGB to XYZ
_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


@dataclass(frozen=True)
class Camera(Degradation):
    """Taken by a digital camera: a Bayer mosaic of noisy pixels, developed into a picture of the same size.

    Backwards: tone curve, sRGB transfer, color matrix, white balance. On the sensor: the blur of the lens, an RGGB
    mosaic of random phase, and noise whose variance at the value v is s v + r, s the shot noise and r the read noise,
    ln r = 2.18 ln s + 1.2. Forwards: white balance, demosaicing, the other steps back, and what cameras add: noise
    reduction of the luma and of the chroma, sharpening, softness. Without noise and blur a smooth picture comes back.
    In [0, 1], not rounded; a gray picture goes through as three equal channels, of which the luma is taken. What is not
    given varies from picture to picture as between cameras.

    Attributes:
        iso: ISO speed of a camera whose pixels hold 25,000 electrons at 100, as an APS-C sensor's, s = 4e-7 iso; a
            Range of it is uniform in the logarithm. A full-frame camera is as noisy at two to three times that speed, a
            phone at a third or a quarter of it.
        read: Standard deviation of the read noise, as a multiple of the usual.
        lens: Blur of the lens and of the filter before the sensor, standard deviation in pixels; without it a picture
            that is sharp to the pixel shows the colored fringes of demosaicing more than a camera does.
        red: White balance, red against green.
        blue: White balance, blue against green.
        sensor: Color matrix: 0, 1, 2, 3 are four cameras; between two, the matrices are mixed.
        tone: Contrast of the tone curve, from none to the smoothstep 3 x^2 - 2 x^3.
        malvar: Demosaicing, from 0, bilinear, to 1, Malvar, He and Cutler (doi:10.1109/ICASSP.2004.1326587).
        denoise: Noise reduction of the luma: its difference d from a 5x5 binomial blur is multiplied by P / (P + t^2),
            P the mean of d^2 over 3x3 pixels, t this many standard deviations of the noise at that brightness.
        chroma: Noise reduction of the chroma, the same against the mean over 7x7 pixels.
        sharpen: Amount of unsharp masking of the luma, 3x3 pixels.
        soft: Blur of the finished picture, as by a slight reduction in size: standard deviation in pixels.
    """

    name = "camera"
    examples = ("camera:iso=3200", "camera:iso=800..12800,denoise=0,chroma=0")
    random = True
    iso: float | Range | Choice = field(default=Range(100, 25600), metadata={"kind": Number(1e-3, 1e6, log=True)})
    read: float | Range | Choice = field(default=Range(0.75, 1.33), metadata={"kind": Number(0, 10)})
    lens: float | Range | Choice = field(default=Range(0, 0.6), metadata={"kind": Number(0, 0.7, "pixels")})
    red: float | Range | Choice = field(default=Range(1.5, 2.6), metadata={"kind": Number(0.5, 5)})
    blue: float | Range | Choice = field(default=Range(1.3, 2.4), metadata={"kind": Number(0.5, 5)})
    sensor: float | Range | Choice = field(default=Range(0, 3), metadata={"kind": Number(0, 3)})
    tone: float | Range | Choice = field(default=Range(0, 1), metadata={"kind": Number(0, 1)})
    malvar: float | Range | Choice = field(default=Choice((0, 1, 1)), metadata={"kind": Number(0, 1)})
    denoise: float | Range | Choice = field(default=Range(0, 1.2), metadata={"kind": Number(0, 20)})
    chroma: float | Range | Choice = field(default=Range(0, 12), metadata={"kind": Number(0, 20)})
    sharpen: float | Range | Choice = field(default=Choice((0, 0, 0.3, 0.6)), metadata={"kind": Number(0, 4)})
    soft: float | Range | Choice = field(default=Range(0, 0.6), metadata={"kind": Number(0, 1, "pixels")})

    def _with_target(self, image: Pixels, target: Pixels, rng: np.random.Generator | None) -> tuple[Pixels, Pixels]:
        """Simulate the camera; the target is its result without noise and without noise reduction."""
        start = cast("np.random.Generator", copy.deepcopy(rng))
        image, target = super()._with_target(image, target, rng)
        _, rows, columns = _sensor(target.shape, start)
        return image, _on_image(target, self._fixed() | dict.fromkeys(NOISE, 0.0), rows, columns, None)

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        self._check(image.shape[2])
        shape, rows, columns = _sensor(image.shape, rng)
        return _on_image(image, numbers, rows, columns, rng.standard_normal(shape, np.float32))

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        return self._pair_batch(x, None, numbers, generator)[0]

    def _pair_batch(
        self, x: Tensor, target: Tensor | None, numbers: dict[str, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        import torch

        from resolvent.degradations import tensors

        self._check(x.shape[1])
        phase = torch.randint(2, (2, len(x), 1, 1, 1), generator=generator, device=generator.device).to(x.device)
        shape = (len(x), 1, x.shape[2] + 2 * REACH, x.shape[3] + 2 * REACH)
        noise = torch.randn(shape, generator=generator, device=generator.device).to(x)
        given = {name: tensors.column(value).to(x) for name, value in numbers.items()}

        def photograph(scene: Tensor, given: dict[str, Tensor], noise: Tensor | None) -> Tensor:
            rows, columns = (torch.arange(side + 2 * REACH, device=x.device) % 2 for side in scene.shape[2:])
            taken: Tensor = _photograph(torch, scene, given, rows[:, None] == phase[0], columns == phase[1], noise)
            return taken

        if target is not None:
            target = photograph(target, given | {name: 0 * given[name] for name in NOISE}, None)
        return photograph(x, given, noise), target

    def _check(self, channels: int) -> None:
        if channels not in (1, 3):
            raise UsageError(f"{self}: an image of {channels} channels; must be gray or RGB")


def _sensor(
    shape: tuple[int, ...], rng: np.random.Generator
) -> tuple[tuple[int, ...], NDArray[np.bool_], NDArray[np.bool_]]:
    """Draw the phase of the mosaic: its shape, (1, 1, H', W'), and which rows and columns have red pixels."""
    height, width = shape[0] + 2 * REACH, shape[1] + 2 * REACH
    top, left = rng.integers(2, size=2)
    return (1, 1, height, width), np.arange(height)[:, None] % 2 == top, np.arange(width) % 2 == left


def _on_image(
    image: Pixels,
    numbers: dict[str, float],
    rows: NDArray[np.bool_],
    columns: NDArray[np.bool_],
    noise: Pixels | None,
) -> Pixels:
    given = {name: np.full((1, 1, 1, 1), value, np.float32) for name, value in numbers.items()}
    developed = _photograph(np, image.transpose(2, 0, 1)[None], given, rows, columns, noise)
    return np.ascontiguousarray(developed[0].transpose(1, 2, 0))


# One text for both: ``xp`` is numpy or torch, every array is (N, C, H, W), every number (N, 1, 1, 1).


def _photograph(xp: Any, x: Any, numbers: dict[str, Any], rows: Any, columns: Any, noise: Any) -> Any:
    """Take the picture.

    Args:
        xp: numpy or torch.
        x: (N, C, H, W); clipped to [0, 1].
        numbers: Those of Camera.
        rows: Which rows of the sensor have red pixels, (N, 1, H', 1) or (H', 1); the others have blue ones. The sensor
            is REACH pixels larger on each side: H' = H + 2 REACH.
        columns: Which columns have red pixels, (N, 1, 1, W') or (W',).
        noise: White, of unit variance, (N, 1, H', W'); None for none.
    """
    to_camera = _color_matrix(xp, numbers["sensor"])
    gains = [numbers["red"] / WHITE, 1 / WHITE + 0 * numbers["red"], numbers["blue"] / WHITE]
    tone = xp.clip(numbers["tone"], 1e-3, 1)  # the inverse divides by it
    shot, read = noise_law(xp, numbers["iso"], numbers["read"])

    scene = _from_display(xp, _untoned(xp, xp.clip(_extended(xp, x, REACH + 1), 0, 1), tone))
    side = numbers["lens"] ** 2 / 2
    scene = _blurred(scene, 1 - 2 * side, side)
    gray = scene.shape[1] == 1
    planes = [scene] * 3 if gray else _mixed(to_camera, [scene[:, i : i + 1] for i in range(3)])
    over = scene if gray else (planes[0] + planes[1] + planes[2]) / 3
    lift = 1 + (1 / WHITE - 1) * xp.clip((over - BLOWN) / (1 - BLOWN), 0, 1)
    gain = _mosaic(xp, gains, rows, columns)
    raw = _mosaic(xp, [plane * lift for plane in planes], rows, columns) / gain

    if noise is not None:
        raw = raw + noise * xp.sqrt(shot * xp.clip(raw, 0, None) + read)
    raw = xp.clip(raw, None, 1)

    balanced = xp.clip(raw * gain, None, 1)
    planes = demosaic(xp, balanced, rows, columns, numbers["malvar"])
    linear = xp.concatenate(_mixed(xp.linalg.inv(to_camera), planes), 1)
    developed = _toned(_to_display(xp, xp.clip(linear, 0, 1)), tone)
    finished = _blurred(_finished(xp, developed, numbers, shot, read), *_gaussian(xp, numbers["soft"]))
    return xp.clip(_luma(finished) if gray else finished, 0, 1)


def noise_law(xp: Any, iso: Any, read: Any) -> tuple[Any, Any]:
    """Compute slope and offset of the variance of a raw value, those of Brooks et al., ln r = 2.18 ln s + 1.2."""
    shot = SHOT * iso
    return shot, read**2 * xp.exp(2.18 * xp.log(shot) + 1.2)


def demosaic(xp: Any, raw: Any, rows: Any, columns: Any, malvar: Any) -> list[Any]:
    """Interpolate the red, green and blue planes, two pixels smaller on each side than the mosaic."""
    height, width = raw.shape[2:]

    def at(down: int, right: int) -> Any:
        return raw[:, :, 2 + down : height - 2 + down, 2 + right : width - 2 + right]

    here = at(0, 0)
    beside, above = at(0, -1) + at(0, 1), at(-1, 0) + at(1, 0)
    corners = at(-1, -1) + at(-1, 1) + at(1, -1) + at(1, 1)
    far_beside, far_above = at(0, -2) + at(0, 2), at(-2, 0) + at(2, 0)
    far = far_beside + far_above
    amount = malvar / 8  # figure 2: each is the bilinear estimate and a multiple of the Laplacian of what is there
    cross = (beside + above) / 4 + amount * (4 * here - far)
    across = beside / 2 + amount * (5 * here - corners - far_beside + far_above / 2)
    down = above / 2 + amount * (5 * here - corners - far_above + far_beside / 2)
    diagonal = corners / 4 + amount * (6 * here - 1.5 * far)
    rows, columns = rows[..., 2:-2, :], columns[..., 2:-2]
    red = xp.where(rows, xp.where(columns, here, across), xp.where(columns, down, diagonal))
    blue = xp.where(rows, xp.where(columns, diagonal, down), xp.where(columns, across, here))
    return [red, xp.where(rows == columns, cross, here), blue]


def _finished(xp: Any, x: Any, numbers: dict[str, Any], shot: Any, read: Any) -> Any:
    """Reduce the noise of luma and chroma, and sharpen; four pixels smaller on each side."""
    luma = _luma(x)
    chroma = xp.concatenate([x[:, :1] - luma, x[:, 2:] - luma], 1)

    smooth = _blurred(luma, 6 / 16, 4 / 16, 1 / 16)
    linear = _from_display(xp, smooth)
    slope = 1.055 / 2.4 * xp.clip(linear, 0.0031308, None) ** (1 / 2.4 - 1)
    variance = (shot * WHITE * linear + read) * (slope / WHITE) ** 2

    luma = _faded(_cut(luma, 2), smooth, numbers["denoise"] ** 2 * _cut(variance, 1))
    chroma = _faded(_cut(chroma, 3), _blurred(chroma, *(1 / 7,) * 4), numbers["chroma"] ** 2 * _cut(variance, 2))

    luma = _cut(luma, 1) * (1 + numbers["sharpen"]) - _blurred(luma, 1 / 3, 1 / 3) * numbers["sharpen"]
    red, blue = luma + chroma[:, :1], luma + chroma[:, 1:]
    return xp.concatenate([red, (luma - _LUMA[0] * red - _LUMA[2] * blue) / _LUMA[1], blue], 1)


def _faded(x: Any, smooth: Any, threshold: Any) -> Any:
    """Keep the detail x - smooth where its square, averaged over 3x3 pixels, is far above the threshold."""
    detail = x - smooth
    power = _blurred(detail**2, 1 / 3, 1 / 3)
    return _cut(smooth, 1) + _cut(detail, 1) * (power / (power + threshold + 1e-12))


def _gaussian(xp: Any, sigma: Any) -> tuple[Any, Any, Any]:
    """Compute the middle tap of a Gaussian of five taps, and the next two."""
    beside, far = (xp.exp(-(i**2) / (2 * xp.clip(sigma, 0.1, None) ** 2)) for i in (1, 2))
    middle = 1 / (1 + 2 * beside + 2 * far)
    return middle, middle * beside, middle * far


def _color_matrix(xp: Any, sensor: Any) -> Any:
    """Compute the matrix from linear sRGB to the sensor, (N, 3, 3); its rows sum to 1, so that gray stays gray."""
    products = np.array(_CAMERAS) @ np.array(_XYZ)
    products /= products.sum(2, keepdims=True)
    matrices = xp.asarray(products, dtype=sensor.dtype, device=sensor.device)
    return sum(xp.clip(1 - abs(sensor[:, 0] - i), 0, 1) * matrix for i, matrix in enumerate(matrices))


def _mixed(matrix: Any, planes: list[Any]) -> list[Any]:
    """Multiply three planes (N, 1, H, W) by a matrix (N, 3, 3)."""
    return [sum(matrix[:, i, j, None, None, None] * plane for j, plane in enumerate(planes)) for i in range(3)]


def _mosaic(xp: Any, planes: list[Any], rows: Any, columns: Any) -> Any:
    """Take one color a pixel: red in the rows and columns of red, blue where neither is, green elsewhere."""
    red, green, blue = planes
    return xp.where(rows, xp.where(columns, red, green), xp.where(columns, green, blue))


def _from_display(xp: Any, y: Any) -> Any:
    """Apply the inverse of the sRGB transfer function (IEC 61966-2-1); for y in [0, 1]."""
    return xp.where(y <= 0.04045, y / 12.92, ((y + 0.055) / 1.055) ** 2.4)


def _to_display(xp: Any, v: Any) -> Any:
    """Apply the sRGB transfer function; for v in [0, 1]."""
    return xp.where(v <= 0.0031308, 12.92 * v, 1.055 * xp.clip(v, 0.0031308, 1) ** (1 / 2.4) - 0.055)


def _toned(x: Any, tone: Any) -> Any:
    """Apply the tone curve (1 - tone) x + tone (3 x^2 - 2 x^3)."""
    return x * (1 - tone + tone * x * (3 - 2 * x))


def _untoned(xp: Any, y: Any, tone: Any) -> Any:
    """Invert ``_toned``: with u = x - 1/2 a cubic in u, which sin 3t = 3 sin t - 4 sin^3 t solves."""
    slope = 1 + tone / 2
    scale = xp.sqrt(slope / (6 * tone))
    angle = xp.arcsin(xp.clip(1.5 / (scale * slope) * (y - 0.5), -1, 1)) / 3
    return xp.clip(0.5 + 2 * scale * xp.sin(angle), 0, 1)


def _luma(x: Any) -> Any:
    return _LUMA[0] * x[:, :1] + _LUMA[1] * x[:, 1:2] + _LUMA[2] * x[:, 2:]


def _extended(xp: Any, x: Any, border: int) -> Any:
    """Extend by a border on each side, mirrored at the value of the edge, so that a slope goes on."""
    for axis in (2, 3):
        size = x.shape[axis]
        last = [max(size - 2 - i, 0) for i in range(border)]
        first = [size - 1 - i for i in reversed(last)]
        if axis == 2:
            x = xp.concatenate([2 * x[:, :, :1] - x[:, :, first], x, 2 * x[:, :, -1:] - x[:, :, last]], axis)
        else:
            x = xp.concatenate([2 * x[..., :1] - x[..., first], x, 2 * x[..., -1:] - x[..., last]], axis)
    return x


def _cut(x: Any, border: int) -> Any:
    return x[:, :, border : x.shape[2] - border, border : x.shape[3] - border]


def _blurred(x: Any, *taps: Any) -> Any:
    """Convolve along both axes with symmetric taps, of which the middle one and those after it are given.

    As many pixels smaller on each side as taps follow the middle one.
    """
    reach = len(taps) - 1
    for axis in (2, 3):
        size = x.shape[axis] - 2 * reach
        shifted = [x[:, :, i : i + size] if axis == 2 else x[..., i : i + size] for i in range(2 * reach + 1)]
        x = shifted[reach] * taps[0]
        for i, tap in enumerate(taps[1:], 1):
            x = x + (shifted[reach - i] + shifted[reach + i]) * tap
    return x
