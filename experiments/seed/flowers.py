"""The photographs: 90 to train, 10 to validate, the rest to test, which the paper did not have."""

from __future__ import annotations

import itertools
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import InputError
from resolvent.image import read_image
from resolvent.training.data import find_photographs, pack

__all__ = ["KINDS", "LEAST", "SIDE", "SPLITS", "Flowers", "arrange", "gather", "needed", "prepare", "sizes"]

KINDS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
"""The folders of the public archive flower_photos."""

SIDE = 128
COUNT, LEAST = 150, 12
"""Photographs of the whole experiment, and of the shortest that makes sense."""
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Flowers:
    """Clean photographs, (N, 128, 128, 3) float32 in [0, 1] each."""

    train: NDArray[np.float32]
    val: NDArray[np.float32]
    test: NDArray[np.float32]

    def split(self, name: str) -> NDArray[np.float32]:
        """One of SPLITS."""
        photographs: NDArray[np.float32] = getattr(self, name)
        return photographs


def arrange(images: Path, into: Path, least: int = LEAST) -> list[Path]:
    """Copy at most 150 photographs under names that fix their order; those below 128 pixels a side are left out.

    A folder of photographs keeps the order of its names. The public archive, a folder of five kinds, is shuffled with a
    fixed seed, so that every split holds all kinds.

    Raises:
        InputError: There are fewer than ``least`` photographs, or some of the five kinds are missing.
    """
    found = find_photographs(images)
    there = [kind for kind in KINDS if (images / kind).is_dir()]
    if there:
        if len(there) < len(KINDS):
            missing = ", ".join(kind for kind in KINDS if kind not in there)
            raise InputError(f"{images}: flower_photos holds {', '.join(KINDS)}; {missing} missing, unpack it again")
        found = [path for path in found if path.parent.name in KINDS]
        random.Random(0).shuffle(found)
    found = list(itertools.islice(filter(_large, found), COUNT))
    if len(found) < least:
        raise InputError(
            f"{images}: holds {len(found)} photographs of {SIDE} pixels a side or more; "
            f"give {least} or more, {COUNT} for the whole experiment"
        )
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    copies = [into / f"{i:03d}{path.suffix.lower()}" for i, path in enumerate(found)]
    for path, copy in zip(found, copies, strict=True):
        shutil.copyfile(path, copy)
    return copies


def _large(path: Path) -> bool:
    try:
        image = read_image(path)
    except InputError:
        return False
    return min(image.height, image.width) >= SIDE


def gather(images: Path, work: Path, least: int = LEAST) -> Path:
    """The folder of arranged photographs in ``work``, which is filled unless it is there.

    Raises:
        InputError: There are fewer than ``least`` photographs, or some of the five kinds are missing.
    """
    folder = work / "flowers"
    if not folder.is_dir():
        arrange(images, folder, least)
    if (there := len(list(folder.iterdir()))) < least:
        raise InputError(f"{folder}: holds {there} photographs; delete it, and give {least} or more")
    return folder


def sizes(count: int) -> tuple[int, int]:
    """How many photographs train and validate: 90 and 10; of fewer than 110, three quarters and an eighth."""
    return (90, 10) if count >= 110 else (3 * count // 4, max(count // 8, 1))


def needed(test: int) -> int:
    """The number of photographs from which at least so many are left to test."""
    return 1 + max((n for n in range(LEAST, COUNT) if n - sum(sizes(n)) < test), default=LEAST - 1)


def prepare(folder: Path, work: Path) -> Flowers:
    """Center-crop and area-resize to 128x128, rounded to 8 bits, as training does."""
    shard = pack(sorted(folder.iterdir()), work / "flowers.shard", minimum=SIDE, resize=SIDE)
    pixels = shard.pixels.numpy().reshape(len(shard), SIDE, SIDE, 3).astype(np.float32) / np.float32(255)
    train, val = sizes(len(shard))
    return Flowers(pixels[:train], pixels[train : train + val], pixels[train + val :])
