"""Try the models on a few windows of a photograph and measure their changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resolvent.inference.runtime import Session

__all__ = ["BORDER", "MODELS", "changes"]

MODELS = ("denoise", "deblur", "dejpeg", "restore")
"""The models to choose from, all of which are tried."""

COUNT = 8
BORDER = 8
"""Pixels cut off around a window, where the models lack context."""


def changes(sample: NDArray[np.float32], sigma: float, open_session: Callable[[str], Session]) -> NDArray[np.float32]:
    """Restore some windows, evenly spread, with each of MODELS, and give what was added to them.

    Args:
        sample: (K, h, w, C) windows, in gray levels 0 to 255.
        sigma: Noise level for a denoiser, in gray levels.
        open_session: Loads a model of color images, with or without a noise level, of the same size in and out.

    Returns:
        (M, L, h', w', C), L at most COUNT, in gray levels; without borders, and cut to whole multiples of the models'.
    """
    tried = sample[np.linspace(0, len(sample) - 1, min(COUNT, len(sample))).astype(int)]
    sessions = [open_session(name) for name in MODELS]
    multiple = int(np.lcm.reduce([session.card.multiple for session in sessions]))
    height, width = (side // multiple * multiple for side in tried.shape[1:3])
    tried = tried[:, :height, :width]
    x = np.broadcast_to(tried / np.float32(255), (*tried.shape[:3], 3)).transpose(0, 3, 1, 2)
    level = np.full_like(x[:, :1], sigma / 255)
    inside = np.s_[:, BORDER:-BORDER, BORDER:-BORDER]
    added = []
    for session in sessions:
        given = np.concatenate([x, level], 1) if session.card.noise_level else np.ascontiguousarray(x)
        restored = 255 * np.clip(session.run(given).transpose(0, 2, 3, 1), 0, 1)
        if tried.shape[3] == 1:
            restored = restored.mean(3, keepdims=True)
        added.append((restored - tried)[inside])
    return np.stack(added)
