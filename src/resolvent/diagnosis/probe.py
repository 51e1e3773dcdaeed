"""What a model would change in a photograph, tried on a few windows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.models.runtime import Session

__all__ = ["PROBE", "change"]

PROBE = "restore"
"""The model that is tried."""

COUNT = 16
BORDER = 8
"""Pixels cut off around a window, where the model lacks context."""


def change(sample: NDArray[np.float32], session: Session) -> NDArray[np.float32]:
    """Restore some windows, evenly spread, and give what was added to each.

    Args:
        sample: (K, h, w, C) windows, in gray levels 0 to 255.
        session: A model that takes colors alone, of the same size in and out.

    Returns:
        (L, h', w', C), L at most COUNT, in gray levels; without borders, and cut to whole multiples of the model's.
    """
    multiple = session.card.multiple
    some = sample[np.linspace(0, len(sample) - 1, min(COUNT, len(sample))).astype(int)]
    height, width = (side // multiple * multiple for side in some.shape[1:3])
    some = some[:, :height, :width]
    x = np.broadcast_to(some / np.float32(255), (*some.shape[:3], 3)).transpose(0, 3, 1, 2)
    restored = session.run(np.ascontiguousarray(x)).transpose(0, 2, 3, 1)
    if some.shape[3] == 1:
        restored = restored.mean(3, keepdims=True)
    inside = slice(BORDER, -BORDER)
    added: NDArray[np.float32] = 255 * np.clip(restored, 0, 1) - some
    return added[:, inside, inside]
