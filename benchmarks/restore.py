"""Time and memory of ``resolvent restore`` as whole processes, on photographs made here.

python benchmarks/restore.py [--runs 5] [--runtimes onnxruntime openvino] [--skip-large]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from results import Run, measure, write_section

import resolvent
from resolvent.image import Image, write_image


def photograph(height: int, width: int, sigma: float) -> np.ndarray:
    """A noisy photograph of any size: scikit-image's astronaut, mirrored until it fills the frame; uint8."""
    from skimage.data import astronaut

    tile = astronaut()
    tile = np.concatenate([tile, tile[:, ::-1]], axis=1)
    tile = np.concatenate([tile, tile[::-1]], axis=0)
    repeats = (-(-height // tile.shape[0]), -(-width // tile.shape[1]), 1)
    image = np.tile(tile, repeats)[:height, :width]
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((512, 512, 3), np.float32) * sigma
    for top in range(0, height, 512):
        for left in range(0, width, 512):
            box = image[top : top + 512, left : left + 512]
            box[:] = np.clip(np.round(box + noise[: box.shape[0], : box.shape[1]]), 0, 255)
    return image


def torch_stays_out(source: Path, target: Path) -> bool:
    """Restore within a fresh process, and look whether torch was loaded."""
    program = (
        "import sys; from resolvent.cli import main; sys.argv = ['resolvent', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        "print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program, "restore", str(source), "-m", "denoise", "-o", str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1] == "False"


def row(name: str, megapixels: float, runs: list[Run]) -> str:
    """One line of the table, with medians."""
    wall = statistics.median(run.wall for run in runs)
    cpu = statistics.median(run.cpu for run in runs)
    peak = max(run.peak for run in runs) / 1e9
    return f"| {name} | {len(runs)} | {wall:.2f} | {wall / megapixels:.2f} | {cpu:.2f} | {peak:.2f} |"


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--runtimes", nargs="+", default=["onnxruntime"])
    parser.add_argument("--skip-large", action="store_true", help="leave out the 100-megapixel file")
    options = parser.parse_args()

    cases = [("512x512 PNG", "small.png", 512, 512, options.runs), ("12-megapixel JPEG", "photo.jpg", 3000, 4000, 1)]
    if not options.skip_large:
        cases.append(("100-megapixel TIFF", "large.tif", 10000, 10000, 1))
    lines = [
        "| input | runs | wall s (median) | s per megapixel | CPU s (median) | peak memory GB |",
        "|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, file, height, width, runs in cases:
            source = Path(folder) / file
            write_image(Image.from_array(photograph(height, width, 25)), source)
            for runtime in options.runtimes:
                target = Path(folder) / f"out{source.suffix}"
                command = [sys.executable, "-m", "resolvent", "restore", str(source), "-o", str(target), "--overwrite"]
                command += ["-m", "denoise", "--sigma", "25", "--runtime", runtime]
                if height == 512:
                    measure(command)  # the first run reads everything from the disk
                measured = [measure(command) for _ in range(runs)]
                lines.append(row(f"{name}, {runtime}", height * width / 1e6, measured))
        small = Path(folder) / "small.png"
        absent = torch_stays_out(small, Path(folder) / "checked.png")
    lines.append(
        f"\ntorch is {'not ' if absent else ''}loaded by `resolvent restore` (resolvent {resolvent.__version__})."
    )
    write_section("Restoring: time and memory", "python benchmarks/restore.py", "\n".join(lines))


if __name__ == "__main__":
    main()
