"""JPEG compression."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resolvent.degradations.base import Degradation
from resolvent.degradations.parameters import Choice, Number, Range, Word
from resolvent.errors import UsageError

if TYPE_CHECKING:
    import torch

__all__ = ["Jpeg"]


@dataclass(frozen=True)
class Jpeg(Degradation):
    """Written as JPEG and read again, by libjpeg; the input is clipped and rounded to 8 bits first.

    A batch of tensors goes through the same steps in torch, which differs from libjpeg by rounding alone.

    Attributes:
        quality: libjpeg's, 1 to 100.
        subsampling: Of the chroma: ``4:2:0`` halves both its sides, ``4:4:4`` keeps it.
    """

    name = "jpeg"
    quality: int | Range | Choice = field(metadata={"kind": Number(1, 100, whole=True)})
    subsampling: str = field(default="4:2:0", metadata={"kind": Word(("4:2:0", "4:4:4"))})

    def _apply(
        self, image: NDArray[np.float32], numbers: dict[str, float], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        from PIL import Image

        height, width, channels = image.shape
        if channels not in (1, 3) or max(height, width) > 65500:
            raise UsageError(f"{self}: an image of shape {image.shape}: 1 or 3 channels, at most 65500 pixels a side")
        pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
        file = io.BytesIO()
        picture = Image.fromarray(pixels if channels == 3 else pixels[..., 0])
        picture.save(file, "JPEG", quality=int(numbers["quality"]), subsampling=self.subsampling)
        with Image.open(file) as decoded:
            return np.asarray(decoded, np.float32).reshape(image.shape) / np.float32(255)

    def _apply_batch(
        self, x: torch.Tensor, numbers: dict[str, torch.Tensor], generator: torch.Generator
    ) -> torch.Tensor:
        from resolvent.degradations import tensors

        return tensors.jpeg(x, numbers["quality"], self.subsampling)
