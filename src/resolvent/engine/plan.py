"""Decide what to do to a photograph, and say why, before any work."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from resolvent import methods
from resolvent.degradations import Degradation
from resolvent.diagnosis import diagnose, measure
from resolvent.engine.remarks import nothing_to_do, remarks
from resolvent.engine.repair import FILL_TILE, count_tiles, find_damage, read_mask
from resolvent.engine.request import Options
from resolvent.errors import InputError, UsageError
from resolvent.inference.runtime import Session, open_session
from resolvent.inference.tiles import SMALLEST_TILE, largest_tile, margin, reflected, spans
from resolvent.methods.noise_level import scale_factor
from resolvent.models.registry import read_card
from resolvent.system import available_memory, parse_memory, tile_memory

if TYPE_CHECKING:
    from resolvent.image import Image
    from resolvent.models.card import ModelCard


Opener = Callable[[str | Path, str], Session]
"""Loads a model, by name or path, into a runtime."""


__all__ = ["Opener", "Plan", "plan"]


@dataclass(frozen=True)
class Plan:
    """What will be done to one image, and why.

    Attributes:
        options: What was asked.
        reasons: Sentences for a person.
        model: Name or path of the model that will run; None if a method will, or nothing.
        sigma: Noise level that it is told, in 8-bit gray levels.
        tile: Pixels a side that a tile contributes.
        tiles: How many tiles there are, those of ``first`` included.
        first: What is done before, where a photograph is repaired or restored and then enlarged.
        mask: (H, W), True where a pixel is filled, and that is all that is done; None where nothing is repaired.
        confidence: Share of the restoration that diagnosis trusts; it multiplies the strength.
    """

    options: Options
    reasons: tuple[str, ...]
    model: str | Path | None = None
    sigma: float | None = None
    tile: int = 0
    tiles: int = 1
    first: Plan | None = None
    mask: NDArray[np.bool_] | None = field(default=None, compare=False)
    confidence: float = 1.0

    @property
    def strength(self) -> float:
        """At which the result is blended with the image."""
        return self.options.strength * self.confidence

    @property
    def scale(self) -> int:
        """By how much the result is larger than the image."""
        if self.options.method is not None and self.options.told is not None:
            return scale_factor(self.options.told)
        return 1 if self.model is None else read_card(self.model).scale

    @property
    def unchanged(self) -> bool:
        """Whether the image comes back as it is."""
        if self.options.strength == 0:
            return True
        if self.mask is not None:
            return not self.mask.any()
        return self.model is None and self.options.method is None


def plan(
    image: Image,
    options: Options = Options(),  # noqa: B008 - frozen
    source: bytes | None = None,
    open_session: Opener = open_session,
) -> Plan:
    """Decide what to do to an image.

    Args:
        image: The image.
        options: What is asked.
        source: The bytes of the file, if it was not read from a path; they tell the JPEG quality.
        open_session: Loads a model into a runtime; pass a caching one to restore many images.

    Raises:
        UsageError: ``memory`` is too little for the smallest tile.
        InputError: The image is too large for the method and the memory there is, or ``sigma`` is more than its values
            span, or the mask cannot be read.
    """
    if options.repairs and (options.strength > 0 or options.write_mask is not None):
        return _repaired(image, options, source, open_session)
    if options.strength == 0:
        return Plan(options, ("strength 0 keeps the image as it is",))
    alone = nothing_to_do(image, options)
    chosen = Plan(options, (alone,)) if alone else _chosen(image, options, source, open_session)
    return replace(chosen, reasons=tuple(dict.fromkeys(chosen.reasons + remarks(image, chosen, source))))


def _repaired(image: Image, options: Options, source: bytes | None, open_session: Opener) -> Plan:
    """Find what is to be filled, and choose what is done after that."""
    mask = np.zeros((image.height, image.width), np.bool_)
    reasons: list[str] = []
    if options.mask is not None:
        mask |= read_mask(options.mask, image)
        reasons.append(f"{_percent(mask)} of it is named by the mask")
    if options.repair:
        session = open_session(options.finder, options.runtime)
        found = find_damage(image, session, _tile(image, session.card, options))
        reasons.append(f"{_percent(found)} of it is damaged, as model {str(options.finder)!r} finds")
        mask |= found
    card = read_card(options.filler)
    reasons.append(f"filled by model {str(options.filler)!r}" if mask.any() else "nothing to fill")
    tile = min(_tile(image, card, options), FILL_TILE)
    repaired = Plan(options, tuple(reasons), tile=tile, tiles=count_tiles(mask, card, tile), mask=mask)
    if options.only_repairs:
        return repaired
    after = plan(image, replace(options, repair=False, mask=None, write_mask=None), source, open_session)
    return repaired if after.unchanged else _preceded(after, repaired)


def _preceded(chosen: Plan, before: Plan) -> Plan:
    """The plan that does the one before all that the other does."""
    first = before if chosen.first is None else _preceded(chosen.first, before)
    return replace(chosen, reasons=before.reasons + chosen.reasons, tiles=chosen.tiles + before.tiles, first=first)


def _percent(mask: NDArray[np.bool_]) -> str:
    share = 100 * mask.mean()
    return "less than 0.01 %" if 0 < share < 0.01 else f"{share:.0f} %" if share >= 10 else f"{share:.2g} %"


def _chosen(image: Image, options: Options, source: bytes | None, open_session: Opener) -> Plan:
    """Choose the model, as asked or by diagnosis."""
    if options.method is not None:
        _check_memory(image, options)
        return Plan(options, (f"method {options.method!r}, as asked",))
    model, card, sigma, first = options.requested_model, options.card, options.sigma, None
    confidence = 1.0
    reasons: tuple[str, ...] = (f"model {str(model)!r}, as asked",)
    if options.scale is not None and options.model is None:
        before = plan(image, replace(options, scale=None), source, open_session)
        first = None if before.unchanged else before
        after = f", after restoring by {str(first.model)!r}" if first else ""
        reasons = (*before.reasons, f"enlarged by model {str(model)!r}{after}")
    if card is None:
        found = diagnose(image, source, open_session=lambda name: open_session(name, options.runtime))
        if found.model is None:
            return Plan(options, found.reasons)
        model, card, sigma, reasons = found.model, read_card(found.model), found.sigma, found.reasons
        confidence = found.strength
    elif card.noise_level and sigma is None:
        low, high = card.sigma_range or (0.0, 255.0)
        sigma = min(max(measure(image, source).told_sigma, low), high)
        reasons += (f"noise level {sigma:.1f} of 255, as measured",)
    tile = _tile(image, card, options)
    sides = (reflected(side, card.multiple) for side in (image.height, image.width))
    tiles = math.prod(len(spans(side, tile, card.halo, card.multiple)) for side in sides)
    tiles += first.tiles if first else 0
    return Plan(options, reasons, model, sigma, tile, tiles, first, confidence=confidence)


def _check_memory(image: Image, options: Options) -> None:
    name, told = cast("tuple[str, Degradation]", (options.method, options.told))
    height, width = (side * scale_factor(told) for side in (image.height, image.width))
    needed = methods.METHODS[name].memory * height * width
    free = available_memory() if options.memory is None else parse_memory(options.memory)
    if needed > free:
        raise InputError(
            f"{image.path or 'the image'}: {name} takes about {needed / 2**30:.1f} GiB for {width}x{height} pixels, "
            f"more than the {free / 2**30:.1f} GiB there are; restore a part of it, or use a model"
        )


def _tile(image: Image, card: ModelCard, options: Options) -> int:
    if options.tile is not None and options.memory is None:
        return options.tile
    memory = tile_memory() if options.memory is None else parse_memory(options.memory)
    height, width = (reflected(side, card.multiple) for side in (image.height, image.width))
    fits = largest_tile(memory // card.memory, height, width, card.halo, card.multiple)
    if not fits and options.memory is not None:
        least = card.memory * (SMALLEST_TILE + 2 * margin(card.halo, card.multiple)) ** 2
        raise UsageError(
            f"memory {options.memory}: is too little for one tile; give {math.ceil(least / 2**20)}M or more"
        )
    fits = fits or SMALLEST_TILE
    return min(fits, options.tile or fits)
