"""The methods that fit a network to the one image."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from checks.common import Pixels, Row, Trace, cropped, degraded, enlarged_psnr, mean_over, restored
from resolvent.degradations import Degradation, GaussianNoise, Kernel, parse
from resolvent.evaluation.files import find_images
from resolvent.evaluation.metrics import psnr
from resolvent.image import read_image
from resolvent.methods.untrained import dip
from resolvent.methods.untrained.fit import Stop, to_image, to_tensor
from resolvent.physics.forward_model import ForwardModel
from resolvent.physics.resize import imresize

SIGMA = "noise:sigma=25"


def dip_pair(data: Path, number: int = 1800) -> Iterator[Row]:
    """House at full length by the published preset and by the fast one: dB, and time to the same dB."""
    x = read_image(data / "CSet9" / "image_House256rgb.png").pixels
    degradation = parse(SIGMA)
    y = degraded(x, degradation)
    traces = {name: Trace(x, 25, []) for name in ("dip", "dip-fast")}
    for name, trace in traces.items():
        restored(name, y, degradation, iterations=number, stop="none", control=trace.control())
        _, seconds, last = trace.steps[-1]
        step, _, peak = trace.best
        yield Row(name, f"House, sigma 25, {number} iterations", "30.43 (mean of the nine, Ulyanov)",
                  f"{last:.2f} at the end; {peak:.2f} at {step}", seconds)  # fmt: skip
    level = traces["dip"].best[2] - 0.2
    times = [traces[name].reached(level) for name in ("dip", "dip-fast")]
    ours = "not reached" if times[0] is None or times[1] is None else f"{times[0][1]:.0f} s, {times[1][1]:.0f} s"
    yield Row("dip-fast", f"seconds to {level:.2f} dB, dip and dip-fast", "5 times faster (our aim)", ours, 0.0)


def denoise_cset9(name: str, data: Path) -> Iterator[Row]:
    """Color denoising at the published number of iterations."""
    files = find_images(data / "CSet9")
    score, seconds = mean_over(name, files, parse(SIGMA), iterations=1800, stop="none")
    yield Row(name, "CSet9, sigma 25", "30.43 (Ulyanov)", f"{score:.2f}", seconds)


def enlarge_set5(name: str, data: Path, numbers: Sequence[int] = (1, 2, 3, 4, 5)) -> Iterator[Row]:
    """Super-resolution of photographs of Set5, Y, at the published number of iterations."""
    degradation = parse("downsample:scale=4,kernel=lanczos2")
    files = find_images(data / "Set5")
    for file in (files[number - 1] for number in numbers):
        x = cropped(file, 4)
        y = degradation(x)
        plain = enlarged_psnr(np.clip(imresize(y, shape=x.shape[:2]), 0, 1), x, 4)
        result, seconds = restored(name, y, degradation, stop="none")
        ours = f"{enlarged_psnr(result, x, 4):.2f}"
        published = f"29.90 (mean of the five, Ulyanov); bicubic {plain:.2f}"
        yield Row(name, f"Set5/{file.stem}, {x.shape[1]}x{x.shape[0]}, x4, Y", published, ours, seconds)


class Shadow(Stop):
    """Records where other stopping rules would end, without stopping."""

    def __init__(self, stops: dict[str, Stop]) -> None:
        self.stops, self.given = stops, dict[str, tuple[int, Pixels]]()

    def add(self, step: int, output: Tensor, mean: Tensor, residual: float) -> bool:
        """See Stop."""
        for name in self.stops.keys() - self.given.keys():
            if self.stops[name].add(step, output, mean, residual):
                self.end(name, step, mean)
        return False

    def end(self, name: str, step: int, mean: Tensor) -> None:
        """Record the image that a stopping rule gives."""
        best = self.stops[name].best
        self.given[name] = (step, np.clip(to_image(mean if best is None else best), 0, 1))


def stopping(
    data: Path, text: str, files: Sequence[str], names: Sequence[str], iterations: int | None = None
) -> Iterator[Row]:
    """How far each stop of ``dip-fast`` ends from the best iterate of a run to the last iteration."""
    degradation = parse(text)
    preset = dip.fast_preset(dip.choose(ForwardModel(degradation)))
    settings = replace(preset.settings, iterations=iterations or preset.settings.iterations)
    for file in files:
        x = read_image(data / file).pixels[:256, :256]
        y, trace, started = degraded(x, degradation), Trace(x, 25, []), time.process_time()
        generator = torch.Generator().manual_seed(0)
        network, z = dip.start(preset, 3, x.shape[:2], 0, generator)
        shadow = Shadow({name: dip.stopping(name, y, ForwardModel(degradation)) for name in names})
        last = to_tensor(
            dip.fit_to(y, ForwardModel(degradation), network, z, settings, shadow, generator, trace.control())
        )
        for name in names:
            if name not in shadow.given:
                shadow.end(name, settings.iterations, last)
        seconds = time.process_time() - started
        step, _, peak = trace.best
        for name in names:
            ended, image = shadow.given[name]
            score = psnr(image, x)
            yield Row(
                "dip-fast", f"{Path(file).stem}, {text}, stopped by {name} at {ended} of {settings.iterations}",
                f"{peak:.2f} at its best, step {step}; aim: at most 0.2 below",
                f"{score:.2f}, {peak - score:.2f} below", seconds / len(names),
            )  # fmt: skip


def multi_target(data: Path, number: int = 1800, side: int = 256) -> Iterator[Row]:
    """Compared with deep image prior with averaging, with the same smaller network, on the middle of each image.

    Several targets get two thirds of its iterations.
    """
    degradation, peaks, ends, given, steps = parse(SIGMA), [], [], [], []
    for file in find_images(data / "CSet9"):
        x = read_image(file).pixels
        top, left = (x.shape[0] - side) // 2, (x.shape[1] - side) // 2
        x = x[top : top + side, left : left + side]
        y, alone, several = degraded(x, degradation), Trace(x, 10, []), Trace(x, 10, [])
        _, seconds = restored("dip-fast", y, degradation, iterations=number, stop="none", control=alone.control())
        result, took = restored(
            "multi-target-dip", y, degradation, iterations=2 * number // 3, fast=True, control=several.control()
        )
        step, _, peak = alone.best
        reached = several.reached(peak)
        peaks.append(peak)
        ends.append(alone.steps[-1][2])
        given.append(psnr(result, x))
        steps.append(several.steps[-1][0])
        yield Row(
            "multi-target-dip", f"CSet9/{file.stem}, middle {side}x{side}, sigma 25, smaller network",
            f"dip-fast: {peak:.2f} at its best, step {step}; {ends[-1]:.2f} at {number}",
            f"{given[-1]:.2f} given, at about {steps[-1]}; {peak:.2f} at {reached[0] if reached else 'no step'}",
            seconds + took,
        )  # fmt: skip
    yield Row(
        "multi-target-dip", "mean of the nine",
        f"dip-fast: {np.mean(peaks):.2f} at the best of each, {np.mean(ends):.2f} at {number}",
        f"{np.mean(given):.2f} given, after {np.mean(steps):.0f} steps", 0.0,
    )  # fmt: skip


def overfitting(data: Path, number: int = 1500) -> Iterator[Row]:
    """Least squares and projected GSURE on the same network: peak and end."""
    x = read_image(data / "Set12" / "08.png").pixels[192:256, 192:256].repeat(3, 2)
    for text in ("noise:sigma=12.75", "blur:sigma=1.6,boundary=circular + noise:sigma=1.41421"):
        degradation = parse(text)
        y = degraded(x, degradation)
        found, seconds = [], 0.0
        for name, options in (("dip", {"stop": "none"}), ("p-gsure", {})):
            trace = Trace(x, 10, [])
            result, took = restored(name, y, degradation, iterations=number, control=trace.control(), **options)
            found.append((trace.best[2], trace.steps[-1][2], psnr(result, x)))
            seconds += took
        yield Row(
            "p-gsure", f"64x64 of Set12/08, {text}, {number} iterations",
            f"dip: peak {found[0][0]:.2f}, end {found[0][1]:.2f}",
            f"peak {found[1][0]:.2f}, end {found[1][1]:.2f}, given {found[1][2]:.2f}", seconds,
        )  # fmt: skip


def gsure_kernels() -> dict[str, tuple[Pixels, float, float]]:
    """The blurs of the paper of P-GSURE, the variance of the noise in gray levels, and the threshold."""
    r = np.arange(-7, 8)
    squares = r[:, None] ** 2 + r[None] ** 2
    taps = np.array([1, 4, 6, 4, 1], np.float32)
    return {
        "1 / (1 + r²)": ((1 / (1 + squares)).astype(np.float32), 2, 0.05),
        "1 / (1 + r²), more noise": ((1 / (1 + squares)).astype(np.float32), 8, 0.1),
        "box 9x9": (np.ones((9, 9), np.float32), 0.3, 0.005),
        "binomial": (np.outer(taps, taps), 49, 0.1),
        "Gaussian 1.6": (np.exp(-squares / (2 * 1.6**2)).astype(np.float32), 4, 0.05),
        "Gaussian 0.4": (np.exp(-squares / (2 * 0.4**2)).astype(np.float32), 64, 0.0),
    }


def gsure_deblur(data: Path) -> Iterator[Row]:
    """Deblurring with the settings of the paper of P-GSURE."""
    for name, (kernel, variance, threshold) in gsure_kernels().items():
        sigma = float(np.sqrt(variance))
        degradation = Kernel(array=kernel, boundary="circular") + GaussianNoise(sigma)
        yield gsure_row(data, f"{name}, sigma {sigma:.2f}", degradation, threshold)


def gsure_enlarge(data: Path) -> Iterator[Row]:
    """Super-resolution with the settings of the paper of P-GSURE."""
    for scale, kind, sigma, threshold in (
        (3, "Gaussian 1.6", 10**0.5, 0.01), (3, "Gaussian 1.6", 7, 0.01), (2, "bicubic", 10**0.5, 0.01),
        (3, "bicubic", 10**0.5, 0.0), (2, "bicubic", 7, 0.0), (3, "bicubic", 7, 0.0),
    ):  # fmt: skip
        shrink = f"downsample:scale={scale},boundary=circular"
        if kind != "bicubic":
            shrink = f"blur:sigma=1.6,boundary=circular + downsample:scale={scale},kernel=none"
        yield gsure_row(
            data, f"x{scale} {kind}, sigma {sigma:.2f}", parse(f"{shrink} + noise:sigma={sigma}"), threshold
        )


def gsure_row(data: Path, name: str, degradation: Degradation, threshold: float, number: int = 400) -> Row:
    """Projected GSURE compared with plain least squares, on 60x60 pixels."""
    truth = read_image(data / "Set12" / "08.png").pixels[192:252, 192:252].repeat(3, 2)
    y, found, seconds = degraded(truth, degradation), [], 0.0
    for method, options in (("dip", {"stop": "none"}), ("p-gsure", {"threshold": threshold})):
        trace = Trace(truth, 20, [])
        result, took = restored(method, y, degradation, iterations=number, control=trace.control(), **options)
        found.append((trace.best[2], psnr(result, truth)))
        seconds += took
    start = psnr(np.clip(y if y.shape == truth.shape else imresize(y, shape=truth.shape[:2]), 0, 1), truth)
    reference = f"input {start:.2f}; dip: peak {found[0][0]:.2f}, end {found[0][1]:.2f}"
    what = f"60x60 of Set12/08, {name}, {number} iterations"
    return Row("p-gsure", what, reference, f"peak {found[1][0]:.2f}, given {found[1][1]:.2f}", seconds)


def med_grid(data: Path, number: int = 300) -> Iterator[Row]:
    """Links, cascade, composition and depth, on a square of 64 pixels, with 32 filters."""
    x = read_image(data / "CSet9" / "image_House256rgb.png").pixels[96:160, 96:160]
    for text, levels in product(
        (SIGMA, "downsample:scale=4,kernel=lanczos2", "mask:keep=0.5,seed=0"), ((5, 4, 3), (5, 4), (5,), (4,), (3,))
    ):
        degradation, found, seconds = parse(text), [], 0.0
        y = degraded(x, degradation)
        for skip, cascade in product((0, 4), (False, True)):
            options = {"levels": levels, "skip": skip, "cascade": cascade, "width": 32, "stop": "none"}
            result, took = restored("med", y, degradation, iterations=number, **options)
            found.append(psnr(result, x))
            seconds += took
        start = psnr(np.clip(y if y.shape == x.shape else imresize(y, shape=x.shape[:2]), 0, 1), x)
        ours = " / ".join(f"{value:.2f}" for value in found)
        what = f"64x64 of House, {text}, scales {levels}, {number} iterations; bare / cascade / links / both"
        yield Row("med", what, f"input {start:.2f}", ours, seconds)
