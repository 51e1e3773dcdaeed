"""The result while it is put together, block by block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resolvent.engine.checks import Checks, check_finite
from resolvent.image import Image
from resolvent.inference.stitch import Box
from resolvent.physics.resize import resize_plane

__all__ = ["Canvas"]


class Canvas:
    """Takes finished blocks: checks them, blends them with the input, brings them to its type."""

    def __init__(self, image: Image, strength: float, sigma: float | None, scale: int = 1) -> None:
        self.image, self.strength, self.scale = image, strength, scale
        self.data = np.empty((scale * image.height, scale * image.width, image.channels), image.data.dtype)
        known = image.value_range
        self.checks = Checks(image.channels, sigma, 0.0 if image.depth == 32 else 255 / (known.high - known.low))

    def put(
        self,
        box: Box,
        restored: NDArray[np.float32],
        known: NDArray[np.bool_] | None = None,
        degraded: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None,
    ) -> None:
        """Take the restored pixels of a box of the image.

        Args:
            box: Of the image.
            restored: (scale * h, scale * w, channels of the model).
            known: (h, w), True where the image says something about what should be there; the rest is not judged.
            degraded: Applies the forward model to a result, (h, w, C); the degraded result is judged in its place.

        Raises:
            QualityError: The result is not finite.
        """
        if self.image.channels == 1:
            restored = restored.mean(2, keepdims=True)
        check_finite(restored)
        before, place = self.image.read(*box), box.slices(self.scale)
        stored = self.image.data[box.slices()]
        outliers = self.image.value_range.outliers(stored)
        hidden = None if self.image.alpha is None else self.image.alpha[box.slices()] == 0
        excluded = (None if outliers is None else outliers.any(2), hidden, None if known is None else ~known)
        unjudged = [part for part in excluded if part is not None and part.any()]
        compared = restored if degraded is None else degraded(restored)
        if unjudged:
            judged = ~np.logical_or.reduce(unjudged)
            self.checks.add(before, compared, (judged, self._enlarged(judged) if degraded is None else judged))
        else:
            self.checks.add(before, compared)
        if self.strength < 1:
            restored = before + np.float32(self.strength) * (np.clip(restored, 0, 1) - before)
        self.data[place] = self.image.quantize(restored)
        if outliers is not None:
            np.copyto(self.data[place], self._enlarged(stored), where=self._enlarged(outliers))
        if hidden is not None and self.scale == 1:
            np.copyto(self.data[place], stored, where=hidden[..., None])

    def _enlarged(self, values: NDArray[Any]) -> NDArray[Any]:
        """(h, w) or (h, w, C), each pixel repeated as often as the result is larger."""
        return values.repeat(self.scale, 0).repeat(self.scale, 1)

    def finish(self, judge: bool) -> Image:
        """Return the whole image; with ``judge``, once it has passed the checks."""
        if judge:
            self.checks.finish()
        alpha = self.image.alpha
        if alpha is not None and self.scale > 1:
            alpha = resize_plane(alpha, self.scale)
        return self.image.with_data(self.data, alpha)
