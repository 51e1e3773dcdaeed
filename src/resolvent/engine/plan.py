"""Decide what to do to a photograph, and say why, before any work."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from resolvent import methods
from resolvent.diagnosis import diagnose, measure
from resolvent.diagnosis.level import FAINT
from resolvent.engine.error_maps import Jacobian
from resolvent.engine.remarks import nothing_to_do, remarks
from resolvent.engine.repair import FILL_TILE, count_tiles, find_damage, read_mask
from resolvent.engine.request import MethodRequest, ModelRequest, RepairRequest, Request, TiledRequest
from resolvent.errors import InputError, UsageError
from resolvent.inference.runtime import Session, open_session
from resolvent.inference.tiles import SMALLEST_TILE, largest_tile, margin, reflected, spans
from resolvent.system import available_memory, parse_memory, tile_memory

if TYPE_CHECKING:
    from resolvent.diagnosis import Diagnosis, Measurements
    from resolvent.diagnosis.level import Noise
    from resolvent.image import Image
    from resolvent.models.card import ModelCard


Opener = Callable[[str | Path, str], Session]
"""Loads a model, by name or path, into a runtime."""


TOLERANCE = 0.15
"""By which share a noise level may be off before a map of errors has to allow for it."""

LEAST = 2.0
"""Gray levels; below, measuring is off by more than a share."""

HIDING = 95
"""JPEG quality below which noise of a camera may be much stronger than the faint noise that is measured."""

INVENTED = "fine detail is invented to look real, and is not true to the scene"
"""The reason that every report and page tells of what a model with realism restored."""

__all__ = ["INVENTED", "Opener", "Plan", "make_plan"]


@dataclass(frozen=True)
class Plan:
    """What will be done to one image, and why.

    Attributes:
        request: What was asked.
        reasons: Sentences for a person.
        model: Name or path of the model that will run; None if a method will, or nothing.
        sigma: Noise level that it is given, in 8-bit gray levels.
        tile: Pixels a side that a tile contributes.
        tiles: How many tiles there are, those of ``first`` included.
        first: What is done before, where a photograph is repaired or restored and then enlarged.
        mask: (H, W), True where a pixel is filled, and that is all that is done; None where nothing is repaired.
        confidence: Share of the restoration that diagnosis trusts; it multiplies the strength.
        change: Gray levels, root mean square, by which diagnosis expects the image to change; None where it was asked.
        scale: By how much the result is larger than the image.
        wide: Whether the noise is not white, or not of the level that the model is given, and a map of errors has to
            allow for it.
        diagnosis: That chose the model, or found that there is nothing to fix; None where the model was named.
    """

    request: Request
    reasons: tuple[str, ...]
    model: str | Path | None = None
    sigma: float | None = None
    tile: int = 0
    tiles: int = 1
    first: Plan | None = None
    mask: NDArray[np.bool_] | None = field(default=None, compare=False, repr=False)
    confidence: float = 1.0
    change: float | None = None
    scale: int = 1
    wide: bool = False
    diagnosis: Diagnosis | None = field(default=None, compare=False, repr=False)

    @property
    def strength(self) -> float:
        """At which the result is blended with the image."""
        return self.request.strength * self.confidence

    @property
    def unchanged(self) -> bool:
        """Whether the image comes back as it is."""
        if self.request.strength == 0:
            return True
        if self.mask is not None:
            return not self.mask.any()
        return self.model is None and not isinstance(self.request, MethodRequest)

    @property
    def runs(self) -> str | None:
        """The model or the method that gives the result; None if nothing runs."""
        if self.unchanged:
            return None
        if isinstance(self.request, MethodRequest):
            return self.request.method
        return str(self.request.filler if isinstance(self.request, RepairRequest) else self.model)


def make_plan(
    image: Image,
    request: Request = ModelRequest(),  # noqa: B008 - frozen
    source: bytes | None = None,
    open_session: Opener = open_session,
) -> Plan:
    """Decide what to do to an image.

    Args:
        image: The image.
        request: What is asked; see ``make_request``.
        source: The bytes of the file, if it was not read from a path; the JPEG quality is read from them.
        open_session: Loads a model into a runtime; pass a caching one to restore many images.

    Raises:
        UsageError: ``memory`` is too little for the smallest tile.
        InputError: The image is too large for the method and the memory there is, or ``sigma`` is more than its values
            span, or the mask cannot be read.
    """
    if isinstance(request, RepairRequest) and (request.strength > 0 or request.write_mask is not None):
        return _repaired(image, request, source, open_session)
    if request.strength == 0:
        return Plan(request, ("strength 0 keeps the image as it is",))
    alone = nothing_to_do(image, request)
    measured = cache(lambda: measure(image, source))
    chosen = Plan(request, (alone,)) if alone else _chosen(image, request, source, open_session, measured)
    return replace(chosen, reasons=tuple(dict.fromkeys(chosen.reasons + remarks(image, chosen, measured))))


def _repaired(image: Image, request: RepairRequest, source: bytes | None, open_session: Opener) -> Plan:
    """Find what is to be filled, and choose what is done after that."""
    mask = np.zeros((image.height, image.width), np.bool_)
    reasons: list[str] = []
    if request.mask is not None:
        mask |= read_mask(request.mask, image)
        reasons.append(f"{_percent(mask)} of it is named by the mask")
    if request.find:
        session = open_session(request.finder, request.runtime)
        found = find_damage(image, session, _tile(image, session.card, request))
        reasons.append(f"{_percent(found)} of it is damaged, as model {str(request.finder)!r} finds")
        mask |= found
    if mask.any():
        card = open_session(request.filler, request.runtime).card
        tile = min(_tile(image, card, request), FILL_TILE)
        reasons.append(f"filled by model {str(request.filler)!r}")
        repaired = Plan(request, tuple(reasons), tile=tile, tiles=count_tiles(mask, card, tile), mask=mask)
    else:
        repaired = Plan(request, (*reasons, "nothing to fill"), tiles=0, mask=mask)
    if request.then is None:
        return repaired
    after = make_plan(image, request.then, source, open_session)
    return repaired if after.unchanged else _preceded(after, repaired)


def _preceded(chosen: Plan, before: Plan) -> Plan:
    """The plan that does the one before all that the other does."""
    first = before if chosen.first is None else _preceded(chosen.first, before)
    return replace(chosen, reasons=before.reasons + chosen.reasons, tiles=chosen.tiles + before.tiles, first=first)


def _percent(mask: NDArray[np.bool_]) -> str:
    share = 100 * mask.mean()
    return "less than 0.01 %" if 0 < share < 0.01 else f"{share:.0f} %" if share >= 10 else f"{share:.2g} %"


def _chosen(
    image: Image, request: Request, source: bytes | None, open_session: Opener, measured: Callable[[], Measurements]
) -> Plan:
    """Choose the model, as asked or by diagnosis."""
    if isinstance(request, MethodRequest):
        _check_memory(image, request)
        reason = f"method {request.method!r}, as asked"
        return Plan(request, (reason,), scale=request.forward_model.scale)
    request = cast("ModelRequest", request)
    model, sigma, first, confidence, change = request.named(), request.sigma, None, 1.0, None
    found: Diagnosis | None = None
    reasons: tuple[str, ...] = (f"model {str(model)!r}, as asked",)
    if request.model is None and request.scale is not None:
        before = make_plan(image, replace(request, scale=None, realism=0.0), source, open_session)
        first, found = None if before.unchanged else before, before.diagnosis
        after = f", after restoring by {str(first.model)!r}" if first else ""
        reasons = (*before.reasons, f"enlarged by model {model!r}{after}")
    if model is None:
        found = diagnose(image, source, open_session=lambda name: open_session(name, request.runtime))
        if found.model is None:
            return Plan(request, found.reasons, diagnosis=found)
        model, sigma, reasons, confidence = found.model, found.sigma, found.reasons, found.strength
        change = found.change
    card, wide = open_session(model, request.runtime).card, False
    if card.noise_level and sigma is None:
        low, high = card.sigma_range or (0.0, 255.0)
        sigma = min(max(measured().denoiser_sigma, low), high)
        reasons += (f"noise level {sigma:.1f} of 255, as measured",)
    if card.invents:
        reasons += (INVENTED,)
    error_map = request.uncertainty
    if error_map is not None:
        error_map.check(card)
        card = replace(card, halo=card.halo + error_map.halo)
    if error_map is not None and card.noise_level:
        noise = measured().noise
        if isinstance(error_map, Jacobian) and noise.colored:
            raise InputError(
                f"{image.path or 'the image'}: its noise is correlated between neighbors, and uncertainty jacobian is "
                "for white noise; take the map of the model, uncertainty=True (--uncertainty)"
            )
        wide = not _is_as_given(noise, cast("float", sigma))
        if noise.sigma < FAINT and (quality := (image.jpeg and image.jpeg.quality) or HIDING) < HIDING:
            error_map = None
            reasons += (f"no map of errors: JPEG {quality} may hide more noise than is measured, {noise.sigma:.1f}",)
    tile = _tile(image, card, request)
    sides = (reflected(side, card.multiple) for side in (image.height, image.width))
    tiles = math.prod(len(spans(side, tile, card.halo, card.multiple)) for side in sides)
    tiles += first.tiles if first else 0
    scale = card.scale
    return Plan(
        replace(request, uncertainty=error_map), reasons, model, sigma, tile, tiles, first,
        confidence=confidence, change=change, scale=scale, wide=wide, diagnosis=found,
    )  # fmt: skip


def _is_as_given(noise: Noise, sigma: float) -> bool:
    """Whether noise is white and of a level, within TOLERANCE of it."""
    return not noise.colored and abs(noise.sigma - sigma) <= TOLERANCE * max(noise.sigma, LEAST)


def _check_memory(image: Image, request: MethodRequest) -> None:
    name = request.method
    height, width = (side * request.forward_model.scale for side in (image.height, image.width))
    needed = methods.METHODS[name].memory * height * width
    free = available_memory() if request.memory is None else parse_memory(request.memory)
    if needed > free:
        raise InputError(
            f"{image.path or 'the image'}: {name} takes about {needed / 2**30:.1f} GiB for {width}x{height} pixels, "
            f"more than the {free / 2**30:.1f} GiB there are; restore a part of it, or use a model"
        )


def _tile(image: Image, card: ModelCard, request: TiledRequest) -> int:
    if request.tile is not None and request.memory is None:
        return request.tile
    memory = tile_memory() if request.memory is None else parse_memory(request.memory)
    height, width = (reflected(side, card.multiple) for side in (image.height, image.width))
    fits = largest_tile(memory // card.memory, height, width, card.halo, card.multiple)
    if not fits and request.memory is not None:
        least = card.memory * (SMALLEST_TILE + 2 * margin(card.halo, card.multiple)) ** 2
        raise UsageError(
            f"memory {request.memory}: is too little for one tile; give {math.ceil(least / 2**20)}M or more"
        )
    fits = fits or SMALLEST_TILE
    return min(fits, request.tile or fits)
