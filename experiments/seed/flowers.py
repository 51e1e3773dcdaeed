"""The photographs: 90 to train, 10 to validate, the rest to test, which the paper did not have."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import InputError
from resolvent.training.data import find_photographs, pack

__all__ = ["KINDS", "SIDE", "SPLITS", "Flowers", "arrange", "prepare"]

KINDS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
"""The folders of the public archive flower_photos."""

SIDE = 128
COUNT = 150
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


def arrange(images: Path, into: Path) -> list[Path]:
    """Copy at most 150 photographs under names that fix their order.

    A folder of photographs keeps the order of its names. The public archive, a folder of five kinds, is shuffled with a
    fixed seed, so that every split holds all kinds.

    Raises:
        InputError: There are fewer than 12 photographs, or some of the five kinds are missing.
    """
    found = find_photographs(images)
    there = [kind for kind in KINDS if (images / kind).is_dir()]
    if there:
        if len(there) < len(KINDS):
            missing = ", ".join(kind for kind in KINDS if kind not in there)
            raise InputError(f"{images}: flower_photos holds {', '.join(KINDS)}; {missing} missing, unpack it again")
        found = [path for path in found if path.parent.name in KINDS]
        random.Random(0).shuffle(found)
    if len(found) < 12:
        raise InputError(f"{images}: holds {len(found)} photographs; give 12 or more, 150 for the whole experiment")
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    copies = [into / f"{i:03d}{path.suffix.lower()}" for i, path in enumerate(found[:COUNT])]
    for path, copy in zip(found, copies, strict=False):
        shutil.copyfile(path, copy)
    return copies


def sizes(count: int) -> tuple[int, int]:
    """How many photographs train and validate: 90 and 10; of fewer than 110, three quarters and an eighth."""
    return (90, 10) if count >= 110 else (3 * count // 4, max(count // 8, 1))


def prepare(photographs: list[Path], work: Path) -> Flowers:
    """Center-crop and area-resize to 128x128, rounded to 8 bits, as training does."""
    shard = pack(photographs, work / "flowers.shard", minimum=SIDE, resize=SIDE)
    pixels = shard.pixels.numpy().reshape(len(shard), SIDE, SIDE, 3).astype(np.float32) / np.float32(255)
    train, val = sizes(len(photographs))
    return Flowers(pixels[:train], pixels[train : train + val], pixels[train + val :])
