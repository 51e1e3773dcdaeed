"""JPEG compression."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from resolvent.degradations.base import Degradation, Pixels
from resolvent.errors import UsageError
from resolvent.parameters import Choice, Number, Range, Word, values_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Jpeg"]

SUBSAMPLINGS = {"4:2:0": (2, 2), "4:2:2": (1, 2), "4:4:4": (1, 1)}
"""Rows and columns of pixels that share one value of each chroma channel."""

BEYOND = 17  # pixels mirrored below and to the right of a cut image: the last block and what its chroma reaches


@dataclass(frozen=True)
class Jpeg(Degradation):
    """Written as JPEG and read again, by libjpeg; the input is clipped and rounded to 8 bits first.

    A batch of tensors goes through the same steps in torch, which differs from libjpeg by rounding alone.

    Attributes:
        quality: libjpeg's, 1 to 100.
        subsampling: Of the chroma: ``4:2:0`` halves both its sides, ``4:2:2`` its width, ``4:4:4`` keeps it.
        top: Rows cut off above after the compression, so that the first block is not a whole one. What was compressed
            goes on, mirrored, beyond an image that was cut.
        left: Columns cut off on the left.
    """

    name = "jpeg"
    examples = ("jpeg:quality=40", "jpeg:quality=75,subsampling=4:4:4", "jpeg:quality=60,top=0..7,left=0..7")
    quality: int | Range | Choice = field(metadata={"kind": Number(1, 100, whole=True)})
    subsampling: str | Choice = field(default="4:2:0", metadata={"kind": Word(tuple(SUBSAMPLINGS), varies=True)})
    top: int | Range | Choice = field(default=0, metadata={"kind": Number(0, 15, "pixels", whole=True)})
    left: int | Range | Choice = field(default=0, metadata={"kind": Number(0, 15, "pixels", whole=True)})

    def _apply(self, image: Pixels, numbers: dict[str, float], rng: np.random.Generator) -> Pixels:
        from PIL import Image

        top, left = int(numbers["top"]), int(numbers["left"])
        beyond = BEYOND if top or left else 0
        whole = np.pad(image, [(top, beyond), (left, beyond), (0, 0)], mode="reflect")
        height, width, channels = whole.shape
        if channels not in (1, 3) or max(height, width) > 65500:
            raise UsageError(f"{self}: an image of shape {image.shape}: 1 or 3 channels, at most 65500 pixels a side")
        pixels = np.rint(np.clip(whole, 0, 1) * 255).astype(np.uint8)
        file = io.BytesIO()
        picture = Image.fromarray(pixels if channels == 3 else pixels[..., 0])
        picture.save(file, "JPEG", quality=int(numbers["quality"]), subsampling=str(self.subsampling))
        with Image.open(file) as decoded:
            compressed = np.asarray(decoded, np.float32).reshape(whole.shape) / np.float32(255)
        return np.ascontiguousarray(compressed[top : height - beyond, left : width - beyond])

    def _apply_batch(self, x: Tensor, numbers: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        from resolvent.degradations import tensors

        places = list(SUBSAMPLINGS.values())
        shared = [places[int(place)] for place in numbers["subsampling"].tolist()]
        uncut = ((numbers["top"] == 0) & (numbers["left"] == 0)).nonzero()[:, 0].tolist()
        if len(uncut) == len(x):
            return tensors.jpeg(x, numbers["quality"], shared)
        reach = (int(max(values_of(self.top))), int(max(values_of(self.left))))
        height, width = x.shape[2:]
        moved = tensors.pad(x, reach, (reach[0] + BEYOND, reach[1] + BEYOND), "reflect")
        size = (height + reach[0] + BEYOND, width + reach[1] + BEYOND)
        cut = reach[0] - numbers["top"], reach[1] - numbers["left"]
        y = tensors.jpeg(tensors.crops(moved, *cut, size), numbers["quality"], shared)
        y = tensors.crops(y, numbers["top"], numbers["left"], (height, width))
        if uncut:
            y[uncut] = tensors.jpeg(x[uncut], numbers["quality"][uncut], [shared[i] for i in uncut])
        return y
