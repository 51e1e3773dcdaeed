"""Learn the dictionary of convolutional sparse coding from a folder of photographs, and bundle it.

python benchmarks/dictionary.py --images TRAIN [--count 200] [--rounds 400] [--sparsity 0.1]

Squares of the photographs are made gray, and their smooth part is taken off, as ``csc`` does before it codes an image.
The result replaces the bundled ``csc.npz``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from resolvent.evaluation.files import find_images
from resolvent.image import read_image
from resolvent.methods.classical import csc
from resolvent.provenance import provenance

SIDE = 128
"""Pixels of the squares."""
COUNT, ATOM = 64, 8
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def square(path: Path, rng: np.random.Generator) -> NDArray[np.float32]:
    """The luma of a square of a photograph, at random."""
    pixels = read_image(path).pixels
    top, left = (int(rng.integers(side - SIDE + 1)) for side in pixels.shape[:2])
    return pixels[top : top + SIDE, left : left + SIDE] @ LUMA


def main() -> None:
    """Learn and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200, help="photographs")
    parser.add_argument("--rounds", type=int, default=400, help="images that are coded, one after the other")
    parser.add_argument("--sparsity", type=float, default=0.1)
    parser.add_argument("--output", type=Path, default=Path(csc.__file__).parent / "csc.npz")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    folders = [options.images, *sorted(path for path in options.images.rglob("*") if path.is_dir())]
    files = [file for folder in folders for file in find_images(folder)]
    chosen = [files[i] for i in rng.permutation(len(files))[: options.count]]
    images = torch.from_numpy(np.stack([square(path, rng) for path in chosen]))
    details = torch.stack([image - csc.lowpass(image, csc.SMOOTHNESS) for image in images])
    objectives: list[float] = []

    def report(done: int, objective: float) -> None:
        objectives.append(objective)
        if done % 20 == 0:
            print(f"{done} of {options.rounds}: objective {np.mean(objectives[-20:]):.1f}", flush=True)

    dictionary = csc.learn(details, COUNT, ATOM, sparsity=options.sparsity, rounds=options.rounds, step=report)
    about = f"{len(chosen)} photographs of {options.images.name}, {options.rounds} rounds, {provenance()}"
    np.savez_compressed(options.output, dictionary=dictionary.numpy(), about=np.array(about))
    print(f"{options.output}: {about}")


if __name__ == "__main__":
    main()
