"""Degradations of a batch of tensors (N, C, H, W), with one parameter per sample, on any device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from resolvent.parameters import Choice, Range


def draw(
    value: float | Range | Choice,
    count: int,
    generator: torch.Generator,
    device: torch.device,
    *,
    whole: bool = False,
    log: bool = False,
) -> Tensor:
    """Draw one number per sample, (count,) float32; a plain number does not touch the generator."""
    if isinstance(value, Choice):
        index = torch.randint(len(value.values), (count,), generator=generator, device=generator.device)
        return torch.tensor(value.values, dtype=torch.float32, device=device)[index.to(device)]
    if isinstance(value, Range) and whole:
        low, high = int(value.low), int(value.high)
        return torch.randint(low, high + 1, (count,), generator=generator, device=generator.device).float().to(device)
    if isinstance(value, Range) and log:
        return value.low * (value.high / value.low) ** uniform((count,), generator, device)
    if isinstance(value, Range):
        return value.low + (value.high - value.low) * uniform((count,), generator, device)
    return torch.full((count,), float(value), device=device)


def uniform(shape: Sequence[int], generator: torch.Generator, device: torch.device) -> Tensor:
    """Draw numbers in [0, 1) on the generator's own device."""
    return torch.rand(shape, generator=generator, device=generator.device).to(device)


def column(numbers: Tensor) -> Tensor:
    """Reshape (N,) to (N, 1, 1, 1)."""
    return numbers[:, None, None, None]


def pad(x: Tensor, before: tuple[int, int], after: tuple[int, int], boundary: str) -> Tensor:
    """Lengthen the height and the width of (..., H, W).

    Args:
        x: The batch.
        before: Rows above, columns to the left.
        after: Rows below, columns to the right.
        boundary: ``reflect`` mirrors without repeating the edge, ``circular`` wraps, ``edge`` repeats the edge; any
            amount of padding goes.
    """
    for axis, start, end in zip((-2, -1), before, after, strict=True):
        size = x.shape[axis]
        index = torch.arange(-start, size + end, device=x.device)
        if boundary == "circular":
            index = index % size
        elif boundary == "reflect":
            period = max(2 * size - 2, 1)
            index = torch.minimum(index % period, -index % period)
        x = x.index_select(axis, index.clamp(0, size - 1))
    return x


def crops(x: Tensor, top: Tensor, left: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut (N, C, *size) out of a batch, each sample from its own first row and column (N,)."""
    rows = top.to(x.device).long()[:, None, None] + torch.arange(size[0], device=x.device)[:, None]
    columns = left.to(x.device).long()[:, None, None] + torch.arange(size[1], device=x.device)
    samples = torch.arange(len(x), device=x.device)[:, None, None]
    return x.movedim(1, -1)[samples, rows, columns].movedim(-1, 1).contiguous()


def convolve(x: Tensor, kernels: Tensor, boundary: str) -> Tensor:
    """Convolve each sample with its own kernel, (N, h, w) or (1, h, w), by FFT."""
    height, width = kernels.shape[1:]
    x = pad(x, (height - 1 - height // 2, width - 1 - width // 2), (height // 2, width // 2), boundary)
    size = tuple(x.shape[2:])
    kernels = kernels.to(x)[:, None]
    blurred: Tensor = torch.fft.irfft2(torch.fft.rfft2(x) * torch.fft.rfft2(kernels, s=size), s=size)
    return blurred[..., height - 1 :, width - 1 :]


def convolve_separable(x: Tensor, taps: Tensor, boundary: str) -> Tensor:
    """Convolve each sample with its own symmetric taps (N, K), K odd, along the height and along the width."""
    radius = taps.shape[1] // 2
    n, channels, height, width = x.shape
    weights = taps.to(x.dtype).repeat_interleave(channels, 0)
    x = pad(x, (radius, radius), (radius, radius), boundary).flatten(0, 1)[None]
    x = conv2d(x, weights[:, None, :, None], groups=n * channels)
    return conv2d(x, weights[:, None, None, :], groups=n * channels).reshape(n, channels, height, width)


def gaussian_noise(x: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
    """Add white noise of ``sigma`` (N,) gray levels."""
    noise = torch.randn(x.shape, generator=generator, device=generator.device).to(x)
    return x + (column(sigma) / 255).to(x.dtype) * noise


def smooth_noise(x: Tensor, radius: Tensor, reach: int, generator: torch.Generator) -> Tensor:
    """Draw noise of variance 1, shaped as ``x``, smoothed by a Gaussian of ``radius`` (N,) pixels cut at ``reach``."""
    noise = torch.randn(x.shape, generator=generator, device=generator.device).to(x)
    distance = torch.arange(-reach, reach + 1, device=x.device)
    taps = torch.exp(-0.5 * (distance / radius.clamp(min=1e-3)[:, None]) ** 2)
    taps = taps / taps.square().sum(1, keepdim=True).sqrt()
    return convolve_separable(noise, taps, "circular")


def poisson_noise(x: Tensor, peak: Tensor, generator: torch.Generator) -> Tensor:
    """Draw Poisson(peak x) / peak for ``peak`` (N,) photons."""
    rate = x.clamp(min=0) * column(peak).to(x.dtype)
    return torch.poisson(rate.to(generator.device), generator).to(x) / column(peak).to(x.dtype)


def salt_pepper(x: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """Set each value to 0 or to 1, with probability ``amount / 2`` (N,) each."""
    u, amount = uniform(x.shape, generator, x.device), column(amount)
    return torch.where(u < amount, (u < amount / 2).to(x.dtype), x)


# ITU-T T.81, Annex K, tables K.1 (luma) and K.2 (chroma)
_QUANTIZATION = (
    (
        (16, 11, 10, 16, 24, 40, 51, 61),
        (12, 12, 14, 19, 26, 58, 60, 55),
        (14, 13, 16, 24, 40, 57, 69, 56),
        (14, 17, 22, 29, 51, 87, 80, 62),
        (18, 22, 37, 56, 68, 109, 103, 77),
        (24, 35, 55, 64, 81, 104, 113, 92),
        (49, 64, 78, 87, 103, 121, 120, 101),
        (72, 92, 95, 98, 112, 100, 103, 99),
    ),
    (
        (17, 18, 24, 47, 99, 99, 99, 99),
        (18, 21, 26, 66, 99, 99, 99, 99),
        (24, 26, 56, 99, 99, 99, 99, 99),
        (47, 66, 99, 99, 99, 99, 99, 99),
        (99, 99, 99, 99, 99, 99, 99, 99),
        (99, 99, 99, 99, 99, 99, 99, 99),
        (99, 99, 99, 99, 99, 99, 99, 99),
        (99, 99, 99, 99, 99, 99, 99, 99),
    ),
)
# JFIF: R, G, B to Y, Cb, Cr, in libjpeg's 16-bit fixed point, and what it adds before it drops the fraction
_YCC = ((19595, 38470, 7471), (-11059, -21709, 32768), (32768, -27439, -5329))
_YCC_BIAS = (32768, 32767, 32767)
# Cb and Cr less 128 to what R, G and B have beyond Y, in the same fixed point
_RGB = ((0, 91881), (-22554, -46802), (116130, 0))
# the cosine transform of jfdctint.c and jidctint.c, sqrt(8) times the orthonormal one, in 13-bit fixed point: the left
# half of each row; the right half mirrors it, with the sign changed in odd rows
_COSINES = (
    (8192, 8192, 8192, 8192),
    (11363, 9633, 6437, 2260),
    (10703, 4433, -4433, -10703),
    (9633, -2259, -11362, -6436),
    (8192, -8192, -8192, 8192),
    (6437, -11362, 2261, 9633),
    (4433, -10704, 10704, -4433),
    (2260, -6436, 9633, -11363),
)


def quantization_tables(quality: Tensor) -> Tensor:
    """Compute the tables of libjpeg for luma and chroma, (N, 2, 8, 8), at ``quality`` (N,) of 1 to 100."""
    percent = torch.where(quality < 50, 5000 // quality, 200 - 2 * quality)[:, None, None, None]
    base = torch.tensor(_QUANTIZATION, dtype=quality.dtype, device=quality.device)
    return ((base * percent + 50) // 100).clamp(1, 255)


def jpeg(x: Tensor, quality: Tensor, shared: Sequence[tuple[int, int]]) -> Tensor:
    """Compress and decompress as libjpeg does, each sample with its own ``quality`` (N,) and chroma subsampling.

    Every stage rounds to whole numbers where libjpeg does, with its constants; what differs are rare ties, for the sums
    of the cosine transform are rounded to float32.

    Args:
        x: (N, C, H, W) in [0, 1]; with C = 1 there is no chroma.
        quality: Whole numbers from 1 to 100.
        shared: For each sample, the rows and columns of pixels that share one value of chroma: 1 or 2.
    """
    levels = (x.clamp(0, 1) * 255).round().float()
    tables = quantization_tables(quality)
    if x.shape[1] == 1:
        return (_quantize(levels, tables[:, :1]) / 255).to(x.dtype)
    matrix, bias = (torch.tensor(numbers, dtype=torch.float64, device=x.device) for numbers in (_YCC, _YCC_BIAS))
    ycc = torch.einsum("ij,njhw->nihw", matrix, levels.double()).add(bias[:, None, None]).div(65536).floor().float()
    luma, chroma = ycc[:, :1], ycc[:, 1:] + 128
    luma = _quantize(luma, tables[:, :1])
    for rows, columns in sorted(set(shared)):
        samples = [i for i, block in enumerate(shared) if block == (rows, columns)]
        chroma[samples] = _quantize_chroma(chroma[samples], tables[samples, 1:], rows, columns)
    back = torch.tensor(_RGB, dtype=torch.float32, device=x.device)
    rgb = luma + _rounded(torch.einsum("ij,njhw->nihw", back, chroma - 128) / 65536)
    return (rgb.clamp(0, 255) / 255).to(x.dtype)


def _quantize_chroma(chroma: Tensor, tables: Tensor, rows: int, columns: int) -> Tensor:
    """Subsample so that ``rows`` and ``columns`` of pixels share a value, compress, and interpolate."""
    height, width = chroma.shape[2:]
    if columns == 1:
        return _quantize(chroma, tables)
    small = _quantize(_halve(chroma, rows), tables)[..., : (width + 1) // 2]
    return _double(small, rows)[..., :height, :width]


def _quantize(plane: Tensor, tables: Tensor) -> Tensor:
    """Round the cosine coefficients of 8x8 blocks to multiples of ``tables``, and transform back."""
    height, width = plane.shape[2:]
    padded = pad(plane, (0, 0), (-height % 8, -width % 8), "edge")
    left = torch.tensor(_COSINES).to(plane) / 8192
    sign = 1 - 2 * (torch.arange(8, device=plane.device) % 2)
    forward = torch.cat([left, left.flip(1) * sign[:, None]], 1)
    back = forward.T
    n, channels, rows, columns = padded.shape
    blocks = padded.reshape(n, channels, rows // 8, 8, columns // 8, 8).transpose(3, 4) - 128
    steps = tables[:, :, None, None]
    eighths = _rounded(forward @ _rounded(4 * blocks @ back) / 4)
    whole = eighths.sign() * ((eighths.abs() + 4 * steps) / (8 * steps)).floor()
    blocks = _rounded(_rounded(4 * back @ (whole * steps)) @ forward / 32) + 128
    return blocks.clamp(0, 255).transpose(3, 4).reshape(padded.shape)[..., :height, :width]


def _rounded(x: Tensor) -> Tensor:
    """Round to the nearest whole number, halves up, as libjpeg's DESCALE."""
    return (x + 0.5).floor()


def _halve(plane: Tensor, rows: int) -> Tensor:
    """Average each block of 1x2 or 2x2, rounded as libjpeg's h2v1_downsample and h2v2_downsample in jcsample.c.

    They add 0 and 1 alternately before they halve, and 1 and 2 before they divide by 4.
    """
    height, width = plane.shape[2:]
    plane = pad(plane, (0, 0), (height % rows, -width % 16), "edge")
    total = plane[..., ::2] + plane[..., 1::2]
    if rows == 2:
        total = total[..., ::2, :] + total[..., 1::2, :]
    bias = rows - 1 + torch.arange(total.shape[3], device=plane.device) % 2
    return ((total + bias) / (2 * rows)).floor()


def _double(plane: Tensor, rows: int) -> Tensor:
    """Double the columns, and the rows if ``rows`` is 2: 3/4 of the nearer and 1/4 of the further value.

    Rounded as libjpeg's h2v1_fancy_upsample and h2v2_fancy_upsample in jdsample.c.
    """
    if plane.shape[3] <= 2:
        return plane.repeat_interleave(rows, 2).repeat_interleave(2, 3)
    scale, to_left, to_right = 4, 1, 2
    if rows == 2:
        scale, to_left, to_right = 16, 8, 7
        tall = pad(plane, (1, 0), (1, 0), "edge")
        above = 3 * tall[..., 1:-1, :] + tall[..., :-2, :]
        below = 3 * tall[..., 1:-1, :] + tall[..., 2:, :]
        plane = torch.stack([above, below], 3).flatten(2, 3)
    wide = pad(plane, (0, 1), (0, 1), "edge")
    left = (3 * wide[..., 1:-1] + wide[..., :-2] + to_left) / scale
    right = (3 * wide[..., 1:-1] + wide[..., 2:] + to_right) / scale
    return torch.stack([left, right], 4).flatten(3, 4).floor()
