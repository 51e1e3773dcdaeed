"""Every method beside a published or an exact figure: the table of verification in RESULTS.md.

python benchmarks/methods.py --data DATA [--only nlm csc-oracle ...] [--threads 1]

DATA holds the sets as folders: Set12, Set5, CSet9, and kernels/levin09.npz beside or in it. Each check keeps its rows,
with the commit and the machine, in ``methods.json``, so that they can be run one at a time; those that were not run are
listed as such. ``csc-oracle`` needs sporco, which nothing else does.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from results import write_section

from resolvent import methods
from resolvent.degradations import Degradation, GaussianNoise, Kernel, parse
from resolvent.degradations.resize import imresize
from resolvent.evaluation.benchmark import find_images
from resolvent.evaluation.metrics import psnr
from resolvent.image import read_image
from resolvent.methods.control import Control
from resolvent.provenance import provenance

Pixels = NDArray[np.float32]

KEPT = Path(__file__).with_name("methods.json")
SIGMA = "noise:sigma=25"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        method: Key of METHODS.
        what: What was restored.
        published: The figure to reach, and whose it is.
        ours: What came out.
        seconds: Of the processor, of all that the line holds.
    """

    method: str
    what: str
    published: str
    ours: str
    seconds: float


@dataclass
class Trace:
    """The PSNR of a method's image as it goes, which is also told: step, seconds of the processor, dB."""

    truth: Pixels
    every: int
    steps: list[tuple[int, float, float]]

    def control(self) -> Control:
        """One that fills it."""
        started = time.process_time()

        def look(done: int, total: int, image: Callable[[], Pixels]) -> None:
            if done % self.every == 0 or done == total:
                seen = psnr(np.clip(image(), 0, 1), self.truth)
                self.steps.append((done, time.process_time() - started, seen))
                print(f"step {done} of {total}: {self.steps[-1][1]:.0f} s, {seen:.2f} dB", file=sys.stderr, flush=True)

        return Control(on_step=look)

    @property
    def best(self) -> tuple[int, float, float]:
        """The step of the highest PSNR."""
        return max(self.steps, key=lambda step: step[2])

    def reached(self, level: float) -> float | None:
        """Seconds until a PSNR."""
        return next((seconds for _, seconds, seen in self.steps if seen >= level), None)


def degraded(x: Pixels, told: Degradation, seed: int = 0) -> Pixels:
    """As float, not clipped, with a fixed seed."""
    return told(x, np.random.default_rng(seed))


def restored(name: str, y: Pixels, told: Degradation, **options: Any) -> tuple[Pixels, float]:
    """The image, clipped, and the seconds of the processor."""
    started = time.process_time()
    x = methods.load(name)(y, told, **options)
    return np.clip(x, 0, 1), time.process_time() - started


def mean_over(name: str, files: list[Path], told: Degradation, **options: Any) -> tuple[float, float]:
    """Mean PSNR over photographs, and the seconds in all."""
    scores, seconds = [], 0.0
    for file in files:
        x = read_image(file).pixels
        result, took = restored(name, degraded(x, told), told, **options)
        scores.append(psnr(result, x))
        seconds += took
    return float(np.mean(scores)), seconds


def denoise_set12(name: str, published: str, data: Path) -> Iterator[Row]:
    """Gray denoising at three levels."""
    files = find_images(data / "Set12")
    found = [mean_over(name, files, parse(f"noise:sigma={sigma}")) for sigma in (15, 25, 50)]
    ours = " / ".join(f"{score:.2f}" for score, _ in found)
    yield Row(name, "Set12, sigma 15 / 25 / 50", published, ours, sum(seconds for _, seconds in found))


def cropped(file: Path, scale: int) -> Pixels:
    """A photograph whose sides the scale divides."""
    x = read_image(file).pixels
    return x[: x.shape[0] // scale * scale, : x.shape[1] // scale * scale]


def enlarged_psnr(result: Pixels, x: Pixels, scale: int) -> float:
    """As the literature measures super-resolution: Y, the border cut, 8 bits."""
    return psnr(result, x, space="y", border=scale, round8=True)


def self_similarity(data: Path) -> Iterator[Row]:
    """Super-resolution of Set5, Y channel."""
    published = {2: "35.43", 3: "31.10", 4: "28.84"}
    for scale, figure in published.items():
        told, scores, seconds = parse(f"downsample:scale={scale}"), [], 0.0
        for file in find_images(data / "Set5"):
            x = cropped(file, scale)
            result, took = restored("self-similarity", told(x), told)
            scores.append(enlarged_psnr(result, x, scale))
            seconds += took
        ours = f"{np.mean(scores):.2f}"
        yield Row("self-similarity", f"Set5 x{scale}, Y", f"{figure} (Glasner, by Huang)", ours, seconds)


def pnp_deblur(data: Path) -> Iterator[Row]:
    """Levin's 17x17 kernel, circular: the literature's first four images, and Starfish, which it has in colour."""
    kernel = next(p for p in (data / "kernels/levin09.npz", data.parent / "kernels/levin09.npz") if p.exists())
    files = ("Set12/01.png", "Set12/02.png", "Set12/05.png", "Set5/img_003_SRF_4_HR.png", "Set12/04.png")
    names = "Cameraman / House / Monarch / Butterfly in colour / Starfish in gray, theirs in colour"
    for sigma, figures in (
        (2.55, "31.69 / 35.04 / 32.71 / 33.13 / 33.15"),
        (7.65, "27.70 / 31.94 / 28.23 / 28.73 / 28.76"),
    ):
        told = parse(f"kernel:path={kernel},key=k1,boundary=circular + noise:sigma={sigma}")
        found, seconds = [], 0.0
        for file in files:
            x = read_image(data / file).pixels
            result, took = restored("pnp", degraded(x, told), told)
            found.append(psnr(result, x))
            seconds += took
        ours = " / ".join(f"{value:.2f}" for value in found)
        yield Row("pnp", f"{names}, 17x17 kernel, sigma {sigma}", f"{figures} (IRCNN)", ours, seconds)


def pnp_enlarge(data: Path) -> Iterator[Row]:
    """Bicubic super-resolution of Set5, Y."""
    for scale, figure in ((2, "33.64 (bicubic)"), (4, "28.42 (bicubic)")):
        told, scores, seconds = parse(f"downsample:scale={scale}"), [], 0.0
        for file in find_images(data / "Set5"):
            x = cropped(file, scale)
            result, took = restored("pnp", told(x), told + parse("noise:sigma=0.1"))
            scores.append(enlarged_psnr(result, x, scale))
            seconds += took
        yield Row("pnp", f"Set5 x{scale}, Y", figure, f"{np.mean(scores):.2f}", seconds)


def red_deblur(data: Path) -> Iterator[Row]:
    """Beside plug-and-play on the same image."""
    told = parse("blur:sigma=1.6,boundary=circular + noise:sigma=1.41421")
    x = read_image(data / "Set12" / "02.png").pixels
    y = degraded(x, told)
    result, seconds = restored("red", y, told)
    other, _ = restored("pnp", y, told)
    beside = f"input {psnr(np.clip(y, 0, 1), x):.2f}; pnp {psnr(other, x):.2f}"
    yield Row("red", "House, Gaussian 1.6, sigma 1.41", beside, f"{psnr(result, x):.2f}", seconds)


def inpaint(name: str, figures: dict[str, str], data: Path, **options: Any) -> Iterator[Row]:
    """Half of the pixels of gray images, at random."""
    told = parse("mask:keep=0.5,seed=0")
    for number, figure in figures.items():
        x = read_image(data / "Set12" / f"{number}.png").pixels
        result, seconds = restored(name, told(x), told, **options)
        yield Row(name, f"Set12/{number}, half the pixels", figure, f"{psnr(result, x):.2f}", seconds)


def csc_oracle(data: Path) -> Iterator[Row]:
    """The objective after the same number of iterations, and the time, beside sporco's."""
    from sporco.admm import cbpdn

    from resolvent.methods import csc

    x = read_image(data / "Set12" / "02.png").pixels[..., 0]
    plane = torch.from_numpy(np.ascontiguousarray(x))
    detail = plane - csc.lowpass(plane, csc.SMOOTHNESS)
    dictionary = csc.load_dictionary()
    for beta in (0.048, 0.01):
        told = csc.Coding(beta, 50.0, 250, 0.0)
        options = cbpdn.ConvBPDN.Options(
            {"Verbose": False, "MaxMainIter": 250, "RelStopTol": 1e-9, "rho": 50.0 * beta, "RelaxParam": 1.8,
             "AutoRho": {"Enabled": False}}
        )  # fmt: skip
        atoms = np.ascontiguousarray(dictionary.numpy().transpose(1, 2, 0))
        clock = time.perf_counter()
        theirs = cbpdn.ConvBPDN(atoms, detail.numpy(), beta, options).solve().squeeze()
        their_wall = time.perf_counter() - clock
        started, clock = time.process_time(), time.perf_counter()
        ours = csc.code(detail, dictionary, told)
        our_cpu, our_wall = time.process_time() - started, time.perf_counter() - clock
        codes = torch.from_numpy(np.ascontiguousarray(theirs.transpose(2, 0, 1), np.float32))
        values = [csc.objective(detail, dictionary, each, beta) for each in (codes, ours)]
        yield Row(
            "csc", f"objective on House, beta {beta:g}, 250 iterations",
            f"{values[0]:.4f} (sporco, {their_wall:.1f} s)",
            f"{values[1]:.4f}, {abs(values[1] / values[0] - 1):.1e} apart, {our_wall:.1f} s", our_cpu,
        )  # fmt: skip


def dip_pair(data: Path, number: int = 1800) -> Iterator[Row]:
    """House at full length by the published preset and by the fast one: dB, and time to the same dB."""
    x = read_image(data / "CSet9" / "image_House256rgb.png").pixels
    told = parse(SIGMA)
    y = degraded(x, told)
    traces = {name: Trace(x, 25, []) for name in ("dip", "dip-fast")}
    for name, trace in traces.items():
        restored(name, y, told, iterations=number, stop="none", control=trace.control())
        _, seconds, last = trace.steps[-1]
        step, _, peak = trace.best
        yield Row(name, f"House, sigma 25, {number} iterations", "30.43 (mean of the nine, Ulyanov)",
                  f"{last:.2f} at the end; {peak:.2f} at {step}", seconds)  # fmt: skip
    level = traces["dip"].best[2] - 0.2
    times = [traces[name].reached(level) for name in ("dip", "dip-fast")]
    ours = "not reached" if times[0] is None or times[1] is None else f"{times[0]:.0f} s, {times[1]:.0f} s"
    yield Row("dip-fast", f"seconds to {level:.2f} dB, dip and dip-fast", "5 times faster (our aim)", ours, 0.0)


def dip_enlarge(data: Path) -> Iterator[Row]:
    """Super-resolution of each photograph of Set5, Y, by the fast preset, at the published number of iterations."""
    told = parse("downsample:scale=4,kernel=lanczos2")
    for file in find_images(data / "Set5"):
        x = cropped(file, 4)
        y = told(x)
        plain = enlarged_psnr(np.clip(imresize(y, shape=x.shape[:2]), 0, 1), x, 4)
        result, seconds = restored("dip-fast", y, told, stop="none")
        ours = f"{enlarged_psnr(result, x, 4):.2f}"
        published = f"29.90 (mean of the five, Ulyanov); bicubic {plain:.2f}"
        yield Row("dip-fast", f"Set5/{file.stem}, {x.shape[1]}x{x.shape[0]}, x4, Y", published, ours, seconds)


def stopping(name: str, data: Path, **options: Any) -> Iterator[Row]:
    """How far from the best iterate a method stops by itself."""
    told = parse(SIGMA)
    for file in ("image_House256rgb.png", "kodim03.png"):
        x = read_image(data / "CSet9" / file).pixels[:256, :256]
        y = degraded(x, told)
        for stop in ("variance", "discrepancy"):
            trace = Trace(x, 25, [])
            result, seconds = restored(name, y, told, iterations=3000, stop=stop, control=trace.control(), **options)
            gap = trace.best[2] - psnr(result, x)
            what = f"{file.split('.')[0]}, sigma 25, stopped by {stop} at about {trace.steps[-1][0]}"
            yield Row(
                name, what, "at most 0.2 dB below the best iterate", f"{psnr(result, x):.2f}, {gap:.2f} below", seconds
            )


def multi_target(data: Path) -> Iterator[Row]:
    """Beside deep image prior with averaging on the same image."""
    x = read_image(data / "CSet9" / "image_House256rgb.png").pixels
    told = parse(SIGMA)
    trace = Trace(x, 10, [])
    result, seconds = restored("multi-target-dip", degraded(x, told), told, control=trace.control())
    ours = f"{psnr(result, x):.2f} after {trace.steps[-1][0]} iterations; best {trace.best[2]:.2f}"
    yield Row("multi-target-dip", "House, sigma 25", "beats dip, in fewer iterations", ours, seconds)


def overfitting(data: Path, number: int = 1500) -> Iterator[Row]:
    """Least squares and projected GSURE on the same network: peak and end."""
    x = read_image(data / "Set12" / "08.png").pixels[192:256, 192:256].repeat(3, 2)
    for text in ("noise:sigma=12.75", "blur:sigma=1.6,boundary=circular + noise:sigma=1.41421"):
        told = parse(text)
        y = degraded(x, told)
        found, seconds = [], 0.0
        for name, options in (("dip", {"stop": "none"}), ("p-gsure", {})):
            trace = Trace(x, 10, [])
            result, took = restored(name, y, told, iterations=number, control=trace.control(), **options)
            found.append((trace.best[2], trace.steps[-1][2], psnr(result, x)))
            seconds += took
        yield Row(
            "p-gsure", f"64x64 of Set12/08, {text}, {number} iterations",
            f"dip: peak {found[0][0]:.2f}, end {found[0][1]:.2f}",
            f"peak {found[1][0]:.2f}, end {found[1][1]:.2f}, given {found[1][2]:.2f}", seconds,
        )  # fmt: skip


def gsure_kernels() -> dict[str, tuple[Pixels, float, float]]:
    """The blurs of the paper of P-GSURE, the variance of the noise in grey levels, and the threshold."""
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
    """Deblurring as the paper of P-GSURE parts it."""
    for name, (kernel, variance, threshold) in gsure_kernels().items():
        sigma = float(np.sqrt(variance))
        told = Kernel(array=kernel, boundary="circular") + GaussianNoise(sigma)
        yield gsure_row(data, f"{name}, sigma {sigma:.2f}", told, threshold)


def gsure_enlarge(data: Path) -> Iterator[Row]:
    """Super-resolution as the paper of P-GSURE parts it."""
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


def gsure_row(data: Path, name: str, told: Degradation, threshold: float, number: int = 600) -> Row:
    """Projected GSURE beside plain least squares, on 60x60 pixels."""
    truth = read_image(data / "Set12" / "08.png").pixels[192:252, 192:252].repeat(3, 2)
    y, found, seconds = degraded(truth, told), [], 0.0
    for method, options in (("dip", {"stop": "none"}), ("p-gsure", {"threshold": threshold})):
        trace = Trace(truth, 20, [])
        result, took = restored(method, y, told, iterations=number, control=trace.control(), **options)
        found.append((trace.best[2], psnr(result, truth)))
        seconds += took
    start = psnr(np.clip(y if y.shape == truth.shape else imresize(y, shape=truth.shape[:2]), 0, 1), truth)
    beside = f"input {start:.2f}; dip: peak {found[0][0]:.2f}, end {found[0][1]:.2f}"
    what = f"60x60 of Set12/08, {name}, {number} iterations"
    return Row("p-gsure", what, beside, f"peak {found[1][0]:.2f}, given {found[1][1]:.2f}", seconds)


def med_grid(data: Path, number: int = 600) -> Iterator[Row]:
    """Links, cascade, composition and depth, on a square of 64 pixels, with 32 filters."""
    x = read_image(data / "CSet9" / "image_House256rgb.png").pixels[96:160, 96:160]
    for text in (SIGMA, "downsample:scale=4,kernel=lanczos2", "mask:keep=0.5,seed=0"):
        told = parse(text)
        y = degraded(x, told)
        for depth, parts in product((3, 4, 5), (1, 2, 3)):
            levels, found, seconds = tuple(range(depth, depth - parts, -1)), [], 0.0
            for skip, cascade in product((0, 4), (False, True)):
                options = {"levels": levels, "skip": skip, "cascade": cascade, "width": 32, "stop": "none"}
                result, took = restored("med", y, told, iterations=number, **options)
                found.append(psnr(result, x))
                seconds += took
            start = psnr(np.clip(y if y.shape == x.shape else imresize(y, shape=x.shape[:2]), 0, 1), x)
            ours = " / ".join(f"{value:.2f}" for value in found)
            what = f"64x64 of House, {text}, scales {levels}; bare / cascade / links / both"
            yield Row("med", what, f"input {start:.2f}", ours, seconds)


def costs(data: Path, looks: int = 5) -> Iterator[Row]:
    """What every method takes for its example in colour; where it goes step by step, by the first few steps."""
    x = read_image(data / "CSet9" / "image_House256rgb.png").pixels
    for name, method in methods.METHODS.items():
        told, times, total = parse(method.example), [], 1
        y = degraded(x, told)

        def look(done: int, steps: int, image: object) -> None:
            nonlocal total
            times.append(time.process_time())  # noqa: B023 - called within this turn alone
            total = steps
            if done == looks:
                control.cancel()  # noqa: B023

        control = Control(on_step=look)
        _, seconds = restored(name, y, told, **({"control": control} if "control" in method.takes else {}))
        if total > looks:
            seconds += (total - looks) * float(np.median(np.diff(times)))
        what = f"256x256 in colour, {method.example}"
        yield Row(name, what, f"stated: {method.cost}", f"{seconds:.0f} s", seconds)


CHECKS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "cost": costs,
    "nlm": partial(denoise_set12, "nlm", "31.15 / 28.68 / 25.02 (scikit-image)"),
    "tv": partial(denoise_set12, "tv", "none"),
    "wavelet": partial(denoise_set12, "wavelet", "none"),
    "csc": partial(denoise_set12, "csc", "none"),
    "csc-inpaint": partial(inpaint, "csc", {"02": "34.58 (Papyan)", "09": "28.14 (Papyan)", "03": "31.11 (Papyan)"}),
    "csc-oracle": csc_oracle,
    "self-similarity": self_similarity,
    "pnp-deblur": pnp_deblur,
    "pnp-enlarge": pnp_enlarge,
    "pnp-inpaint": partial(inpaint, "pnp", {"02": "39.16 (DIP)", "09": "32.22 (DIP)", "03": "33.05 (DIP)"}),
    "red": red_deblur,
    "dip": dip_pair,
    "dip-fast-enlarge": dip_enlarge,
    "dip-fast-stop": partial(stopping, "dip-fast"),
    "multi-target-dip": multi_target,
    "p-gsure": overfitting,
    "p-gsure-deblur": gsure_deblur,
    "p-gsure-enlarge": gsure_enlarge,
    "med": med_grid,
}


def table(kept: dict[str, Any]) -> str:
    """All rows, and what was not run."""
    lines = ["| method | what | published or exact | ours | CPU seconds | command: `--only` |", "|---" * 6 + "|"]
    origins: dict[str, list[str]] = {}
    for name in CHECKS:
        if name not in kept:
            lines.append(f"| {name} | not run | | | | `{name}` |")
            continue
        origins.setdefault(kept[name]["origin"], []).append(name)
        for row in kept[name]["rows"]:
            cells = [row["method"], row["what"], row["published"], row["ours"], f"{row['seconds']:.0f}", f"`{name}`"]
            lines.append("| " + " | ".join(cells) + " |")
    measured = [f"- {', '.join(names)}: {origin}" for origin, names in origins.items()]
    return "\n".join([*lines, "", "Each check where it was last run:", "", *measured])


def main() -> None:
    """Run the checks, keep their rows, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=list(CHECKS), default=list(CHECKS))
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    origin = str(provenance())  # before anything is written
    for name in options.only:
        rows = []
        for row in CHECKS[name](options.data):
            print(f"{row.method}: {row.what}: {row.published}: {row.ours} ({row.seconds:.0f} s)", flush=True)
            rows.append(asdict(row))
        kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
        kept[name] = {"rows": rows, "origin": origin}
        KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    body = (
        "PSNR in dB, of floats clipped to [0, 1]; noise is float, not clipped, seed 0. Set5: Y, border of the "
        "scale cut, 8 bit.\n\n" + table(kept)
    )
    write_section("Methods: verification", "python benchmarks/methods.py --data DATA", body, origin)


if __name__ == "__main__":
    main()
