"""Predict how long a plan will take on this machine, from a short run of its models."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resolvent.engine.request import ModelRequest, TiledRequest
from resolvent.inference.tiles import reflected, spans

if TYPE_CHECKING:
    from resolvent.engine.plan import Opener, Plan
    from resolvent.image import Image

__all__ = ["Forecast"]

PROBE = 128
"""Pixels a side of what a model is timed on."""


class Forecast:
    """Predicts how long plans will take; each model is timed once.

    Args:
        sessions: Loads a model into a runtime.
    """

    def __init__(self, sessions: Opener) -> None:
        self.sessions = sessions
        self.seconds_a_pixel = cache(self._seconds_a_pixel)

    def __call__(self, image: Image, plan: Plan) -> float | None:
        """Seconds that a plan for an image will take, reading and writing not counted; None for a method."""
        if plan.unchanged:
            return 0.0
        request = plan.request
        if not isinstance(request, TiledRequest) or plan.runs is None:
            return None
        before = 0.0 if plan.first is None else self(image, plan.first)
        card = self.sessions(plan.runs, request.runtime).card
        share = 1.0 if plan.mask is None else float(plan.mask.any(1).mean() * plan.mask.any(0).mean())
        error_map = request.uncertainty if isinstance(request, ModelRequest) else None
        passes, halo = 1, card.halo
        if error_map is not None:
            passes, halo = passes + error_map.passes, halo + error_map.halo
        seconds = passes * self.seconds_a_pixel(plan.runs, request.runtime)
        return (before or 0.0) + share * seconds * _pixels_read(image, plan.tile, halo, card.multiple)

    def _seconds_a_pixel(self, model: str | Path, runtime: str) -> float:
        """What a pixel of a tile takes, once the session is warm."""
        session = self.sessions(model, runtime)
        x = np.zeros((1, session.card.inputs, PROBE, PROBE), np.float32)
        session.run(x)
        began = time.perf_counter()
        session.run(x)
        return (time.perf_counter() - began) / PROBE**2


def _pixels_read(image: Image, tile: int, halo: int, multiple: int) -> int:
    """Pixels that all tiles read together."""
    rows, columns = (
        sum(span.size for span in spans(reflected(side, multiple), tile, halo, multiple))
        for side in (image.height, image.width)
    )
    return rows * columns
