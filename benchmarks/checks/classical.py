"""The methods that fit no network to the image."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from checks.common import Row, cropped, degraded, enlarged_psnr, mean_over, restored
from resolvent.degradations import parse
from resolvent.evaluation.files import find_images
from resolvent.evaluation.metrics import psnr
from resolvent.image import read_image


def denoise_set12(name: str, published: str, data: Path) -> Iterator[Row]:
    """Gray denoising at three levels."""
    files = find_images(data / "Set12")
    found = [mean_over(name, files, parse(f"noise:sigma={sigma}")) for sigma in (15, 25, 50)]
    ours = " / ".join(f"{score:.2f}" for score, _ in found)
    yield Row(name, "Set12, sigma 15 / 25 / 50", published, ours, sum(seconds for _, seconds in found))


def enlarge_set5(name: str, published: dict[int, str], data: Path, assumed: str = "") -> Iterator[Row]:
    """Super-resolution of Set5, Y; ``assumed`` is added to the degradation that the method gets."""
    for scale, figure in published.items():
        degradation, scores, seconds = parse(f"downsample:scale={scale}"), [], 0.0
        for file in find_images(data / "Set5"):
            x = cropped(file, scale)
            result, took = restored(name, degradation(x), degradation + parse(assumed) if assumed else degradation)
            scores.append(enlarged_psnr(result, x, scale))
            seconds += took
        yield Row(name, f"Set5 x{scale}, Y", figure, f"{np.mean(scores):.2f}", seconds)


def pnp_deblur(data: Path) -> Iterator[Row]:
    """Levin's 17x17 kernel, circular: the literature's first four images, and Starfish, which it has in color."""
    kernel = next(p for p in (data / "kernels/levin09.npz", data.parent / "kernels/levin09.npz") if p.exists())
    files = ("Set12/01.png", "Set12/02.png", "Set12/05.png", "Set5/img_003_SRF_4_HR.png", "Set12/04.png")
    names = "Cameraman / House / Monarch / Butterfly in color / Starfish in gray, theirs in color"
    for sigma, figures in (
        (2.55, "31.69 / 35.04 / 32.71 / 33.13 / 33.15"),
        (7.65, "27.70 / 31.94 / 28.23 / 28.73 / 28.76"),
    ):
        degradation = parse(f"kernel:path={kernel},key=k1,boundary=circular + noise:sigma={sigma}")
        found, seconds = [], 0.0
        for file in files:
            x = read_image(data / file).pixels
            result, took = restored("pnp", degraded(x, degradation), degradation)
            found.append(psnr(result, x))
            seconds += took
        ours = " / ".join(f"{value:.2f}" for value in found)
        yield Row("pnp", f"{names}, 17x17 kernel, sigma {sigma}", f"{figures} (IRCNN)", ours, seconds)


def red_deblur(data: Path) -> Iterator[Row]:
    """Compared with plug-and-play on the same image."""
    degradation = parse("blur:sigma=1.6,boundary=circular + noise:sigma=1.41421")
    x = read_image(data / "Set12" / "02.png").pixels
    y = degraded(x, degradation)
    result, seconds = restored("red", y, degradation)
    other, _ = restored("pnp", y, degradation)
    reference = f"input {psnr(np.clip(y, 0, 1), x):.2f}; pnp {psnr(other, x):.2f}"
    yield Row("red", "House, Gaussian 1.6, sigma 1.41", reference, f"{psnr(result, x):.2f}", seconds)


def inpaint(name: str, figures: dict[str, str], data: Path, **options: Any) -> Iterator[Row]:
    """Half of the pixels of gray images, at random."""
    degradation = parse("mask:keep=0.5,seed=0")
    for number, figure in figures.items():
        x = read_image(data / "Set12" / f"{number}.png").pixels
        result, seconds = restored(name, degradation(x), degradation, **options)
        yield Row(name, f"Set12/{number}, half the pixels", figure, f"{psnr(result, x):.2f}", seconds)


def csc_oracle(data: Path) -> Iterator[Row]:
    """The objective after the same number of iterations, and the time, compared with sporco's."""
    from sporco.admm import cbpdn

    from resolvent.methods.classical import csc

    x = read_image(data / "Set12" / "02.png").pixels[..., 0]
    plane = torch.from_numpy(np.ascontiguousarray(x))
    detail = plane - csc.lowpass(plane, csc.SMOOTHNESS)
    dictionary = csc.load_dictionary()
    for beta in (0.048, 0.01):
        coding = csc.Coding(beta, 50.0, 250, 0.0)
        options = cbpdn.ConvBPDN.Options(
            {"Verbose": False, "MaxMainIter": 250, "RelStopTol": 1e-9, "rho": 50.0 * beta, "RelaxParam": 1.8,
             "AutoRho": {"Enabled": False}}
        )  # fmt: skip
        atoms = np.ascontiguousarray(dictionary.numpy().transpose(1, 2, 0))
        clock = time.perf_counter()
        theirs = cbpdn.ConvBPDN(atoms, detail.numpy(), beta, options).solve().squeeze()
        their_wall = time.perf_counter() - clock
        started, clock = time.process_time(), time.perf_counter()
        ours = csc.code(detail, dictionary, coding)
        our_cpu, our_wall = time.process_time() - started, time.perf_counter() - clock
        codes = torch.from_numpy(np.ascontiguousarray(theirs.transpose(2, 0, 1), np.float32))
        values = [csc.objective(detail, dictionary, candidate, beta) for candidate in (codes, ours)]
        yield Row(
            "csc", f"objective on House, beta {beta:g}, 250 iterations",
            f"{values[0]:.4f} (sporco, {their_wall:.1f} s)",
            f"{values[1]:.4f}, {abs(values[1] / values[0] - 1):.1e} apart, {our_wall:.1f} s", our_cpu,
        )  # fmt: skip
