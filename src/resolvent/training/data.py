"""Photographs to training patches: packed once into a shard of bytes, then read by memory map or on the device."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resolvent.errors import InputError, MissingDependencyError, UsageError, counted
from resolvent.physics.resize import imresize, resize_square

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from resolvent.training.recipe import Recipe

__all__ = ["Shard", "check_patch", "digest_names", "find_photographs", "pack", "thumbnail"]

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".avif"})
DUPLICATE = 0.98
"""Correlation of two 16x16 thumbnails above which two photographs count as the same."""


def find_photographs(folder: Path, limit: int | None = None) -> list[Path]:
    """List the photographs under a folder, sorted by path, but those that are hidden or in hidden folders.

    Raises:
        InputError: There is no such folder, or it holds none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: not a folder; give the folder that holds the clean photographs")
    if not (found := _photographs(folder)):
        raise InputError(f"{folder}: holds no photograph ({', '.join(sorted(EXTENSIONS))}); give another folder")
    return found[:limit]


def digest_names(folder: Path, limit: int | None = None) -> str:
    """Digest the names, below the folder, and the sizes of what ``find_photographs`` finds: the same after a move."""
    found = _photographs(folder)[:limit]
    lines = [f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\n" for path in found]
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def _photographs(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in EXTENSIONS and p.is_file())
    return [p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts)]


@dataclass(frozen=True)
class Shard:
    """Photographs as bytes.

    Attributes:
        pixels: uint8, or float32 in [0, 1] where noisy photographs have more than 8 bits; flat: one photograph after
            the other, each (H, W, 3).
        index: int64 (n, 3): offset into ``pixels``, height and width of each.
        names: Of the files, in the same order.
        skipped: (name, reason) of the files that were left out.
    """

    pixels: Tensor
    index: Tensor
    names: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def open(cls, path: Path) -> Shard:
        """Map a shard that ``pack`` wrote; its pages are read as they are needed.

        Raises:
            InputError: The file is not a shard.
        """
        try:
            from safetensors import SafetensorError, safe_open
        except ModuleNotFoundError as error:
            raise MissingDependencyError("safetensors", "lab", "training") from error
        try:
            with safe_open(path, framework="pt") as file:
                names = json.loads(file.metadata()["names"])
                skipped = json.loads(file.metadata()["skipped"])
                tensors = file.get_tensor("pixels"), file.get_tensor("index")
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise InputError(f"{path}: not a shard ({error}); delete it, and it is packed again") from error
        return cls(*tensors, tuple(names), tuple((n, r) for n, r in skipped))

    def to(self, device: torch.device) -> Shard:
        """The same shard in a device's memory."""
        return Shard(self.pixels.to(device), self.index.to(device), self.names, self.skipped)

    def photograph(self, number: int) -> NDArray[Any]:
        """One photograph, (H, W, 3), in the main memory."""
        offset, height, width = self.index[number].tolist()
        flat = self.pixels[offset : offset + height * width * 3].cpu()
        pixels: NDArray[Any] = flat.numpy().reshape(height, width, 3)
        return pixels

    def patches(self, which: Tensor, size: int, generator: torch.Generator | None, *, flips: bool = False) -> Tensor:
        """Cut one square patch out of each chosen photograph.

        Args:
            which: int64 (N,), on the shard's device.
            size: Side in pixels, at most that of the smallest photograph.
            generator: Places and flips the patches; None takes each from the center.
            flips: Flip and transpose at random.

        Returns:
            float32 (N, 3, size, size) in [0, 1].
        """
        import torch

        device = self.pixels.device
        offset, height, width = self.index[which].T
        if generator is None:
            top, left = (height - size) // 2, (width - size) // 2
        else:
            place = torch.rand(2, len(which), generator=generator, device=device)
            top, left = (place * (torch.stack([height, width]) - size + 1)).long()
        side = torch.arange(size, device=device)
        rows = (top[:, None] + side)[:, :, None] * width[:, None, None]
        columns = (left[:, None] + side)[:, None, :]
        flat = (offset[:, None, None] + (rows + columns) * 3)[:, None] + torch.arange(3, device=device)[:, None, None]
        batch = self.pixels[flat]
        batch = batch.float() / 255 if batch.dtype == torch.uint8 else batch
        if flips and generator is not None:
            turn = torch.rand(3, len(which), 1, 1, 1, generator=generator, device=device) < 0.5
            batch = torch.where(turn[0], batch.flip(-1), batch)
            batch = torch.where(turn[1], batch.flip(-2), batch)
            batch = torch.where(turn[2], batch.transpose(-1, -2), batch)
        return batch


def pack(
    photographs: Sequence[Path],
    path: Path,
    *,
    minimum: int,
    resize: int | None = None,
    unlike: Shard | None = None,
    noisy: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Shard:
    """Decode photographs once, check them, and write them to a shard.

    Args:
        photographs: Their files.
        path: The shard to write.
        minimum: Photographs below this many pixels a side are left out.
        resize: Center-crop to a square and area-resize to this many pixels a side.
        unlike: A shard, the validation set, of which no near-duplicate is let in.
        noisy: Keep what 8 bits would round, and the names of the folders, which tell the shots of a burst.
        progress: Called with (done, total).

    Raises:
        InputError: No photograph is left.
    """
    import torch
    from safetensors.torch import save_file

    from resolvent.image import read_image

    held = np.stack([_unit(thumbnail(unlike.photograph(i))) for i in range(len(unlike))]) if unlike else None
    root = Path(os.path.commonpath([photograph.parent.absolute() for photograph in photographs])).parent
    parts: list[NDArray[Any]] = []
    names: list[str] = []
    index: list[tuple[int, int, int]] = []
    skipped: list[tuple[str, str]] = []
    offset = 0
    for done, photograph in enumerate(photographs, 1):
        try:
            image = read_image(photograph)
            pixels = _prepare(image.pixels, resize, rounded=not (noisy and image.depth > 8))
            if min(pixels.shape[:2]) < minimum:
                raise InputError(f"{pixels.shape[1]}x{pixels.shape[0]} pixels, below {minimum} a side")
            if held is not None and (held @ _unit(thumbnail(pixels))).max() > DUPLICATE:
                raise InputError("nearly the same as a validation photograph")
        except InputError as error:
            skipped.append((photograph.name, str(error)))
        else:
            parts.append(pixels.reshape(-1))
            names.append(str(photograph.absolute().relative_to(root)) if noisy else photograph.name)
            index.append((offset, *pixels.shape[:2]))
            offset += pixels.size
        if progress:
            progress(done, len(photographs))
    if not parts:
        raise InputError(
            f"none of {counted(len(photographs), 'photograph')} can be used; the first, {skipped[0][0]}: "
            f"{skipped[0][1]}; add larger, undamaged ones"
        )
    if any(part.dtype == np.float32 for part in parts):
        parts = [part if part.dtype == np.float32 else part.astype(np.float32) / 255 for part in parts]
    tensors = {"pixels": torch.from_numpy(np.concatenate(parts)), "index": torch.tensor(index, dtype=torch.int64)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, metadata={"names": json.dumps(names), "skipped": json.dumps(skipped)})
    partial.replace(path)
    return Shard.open(path)


def _prepare(pixels: NDArray[np.float32], resize: int | None, *, rounded: bool = True) -> NDArray[Any]:
    """Three channels, and the center square area-resized where asked; uint8, or float32 if not to be rounded."""
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    if resize is not None:
        pixels = resize_square(pixels, resize)
    return np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8) if rounded else pixels


def thumbnail(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Average a photograph (H, W, 3) to 16x16 gray pixels, less their mean: (256,), in the photograph's unit."""
    small: NDArray[np.float32] = imresize(pixels.mean(axis=2), shape=(16, 16), kernel="area").reshape(-1)
    small -= small.mean()
    return small


def _unit(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """A thumbnail of unit norm: the dot product of two is their correlation."""
    unit: NDArray[np.float32] = small / max(float(np.linalg.norm(small)), 1e-6)
    return unit


def check_patch(shard: Shard, recipe: Recipe, multiple: int) -> None:
    """Refuse a patch that the network or the smallest photograph cannot take.

    Raises:
        UsageError: The patch is not a multiple of the network's, or larger with its margins than a photograph.
    """
    if recipe.patch % multiple:
        raise UsageError(
            f"patch = {recipe.patch}: must be a multiple of {multiple}; give {-(-recipe.patch // multiple) * multiple}"
        )
    smallest = int(shard.index[:, 1:].min())
    if recipe.cut > smallest:
        raise UsageError(
            f"patch = {recipe.patch} and margin = {recipe.margin}: larger than the smallest photograph, {smallest} "
            "pixels a side; lower them"
        )
