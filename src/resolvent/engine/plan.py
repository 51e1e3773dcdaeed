"""Decide what to do to a photograph, and say why, before any work."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from resolvent import methods
from resolvent.degradations import Degradation, Downsample, parse
from resolvent.diagnosis import diagnose, measure
from resolvent.engine.remarks import nothing_to_do, remarks
from resolvent.engine.repair import FILL_TILE, MaskSource, count_tiles, find_damage, read_mask
from resolvent.errors import InputError, UsageError, unknown
from resolvent.methods.control import Control
from resolvent.methods.forward import enlargement
from resolvent.models.runtime import RUNTIMES, Session, open_session
from resolvent.models.store import list_models, read_card
from resolvent.models.tiles import SMALLEST_TILE, largest_tile, margin, reflected, spans
from resolvent.system import available_memory, parse_memory, tile_memory

if TYPE_CHECKING:
    from resolvent.image import Image
    from resolvent.models.card import Card

Opener = Callable[[str | Path, str], Session]
"""Loads a model, by name or path, into a runtime."""

__all__ = ["Options", "Plan", "plan"]


FINDER, FILLER = "scratches", "inpaint"
"""The bundled models that repair."""


@dataclass(frozen=True)
class Options:
    """What is asked of a restoration; the defaults of every front end stand here.

    Attributes:
        model: Name of a bundled model, or path of a model file; without it or a method, diagnosis chooses.
        method: A key of METHODS, instead of a model.
        degradation: What the method is to undo.
        sigma: Noise level for the model, in 8-bit gray levels of the range that the image uses; measured if not given.
        strength: 0 keeps the image as it is, 1 restores it fully, between is the blend y + strength (x - y).
        tile: Pixels a side that a tile contributes; as many as ``memory`` allows if not given.
        memory: For the tiles: bytes, or text such as ``"2G"``; half of what is free, at most 512 MiB, if not given. For
            a method, how much it may take; all that is free if not given.
        runtime: What runs the model: ``onnxruntime`` (which ``auto`` means), ``openvino`` or ``torch``.
        seed: Of everything random in a method.
        scale: Enlarge by this with a bundled model, after restoring what diagnosis finds wrong; where ``model`` names
            the enlarging model, it alone runs.
        budget: Seconds after which a method that goes step by step gives what it has.
        settings: Options of the method itself, by name.
        preview: A PNG that such a method writes again every few seconds while it works.
        repair: Find scratches, dust and creases and fill them, before anything else; without a model, a method or a
            scale, nothing else is done, and no other pixel changes. A ``model`` that finds or fills damage takes the
            place of the bundled one.
        mask: Fill this too: a picture, or an array (H, W), as large as the image; white or True is filled.
        write_mask: A PNG of what is filled, white.

    Raises:
        UsageError: An option breaks its rule, or two do not go together.
        InputError: The model's file cannot be used.
    """

    model: str | Path | None = None
    method: str | None = None
    degradation: Degradation | str | None = None
    sigma: float | None = None
    strength: float = 1.0
    tile: int | None = None
    memory: int | str | None = None
    runtime: str = "auto"
    seed: int = 0
    scale: int | None = None
    budget: float | None = None
    settings: Mapping[str, Any] | None = None
    preview: Path | None = None
    repair: bool = False
    mask: MaskSource | None = field(default=None, compare=False)
    write_mask: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise UsageError(f"strength {self.strength:g}: must be from 0 (the image as it is) to 1 (fully restored)")
        if self.tile is not None and self.tile < SMALLEST_TILE:
            raise UsageError(
                f"tile {self.tile}: must be {SMALLEST_TILE} pixels or more; leave it out to have it chosen"
            )
        if self.seed < 0:
            raise UsageError(f"seed {self.seed}: must be 0 or above")
        if self.memory is not None:
            parse_memory(self.memory)
        if self.budget is not None:
            Control(self.budget)
        if self.runtime not in ("auto", *RUNTIMES):
            raise unknown("runtime", self.runtime, ("auto", *RUNTIMES))
        self._check_repair()
        self._check_model()
        self._check_method()

    @property
    def repairs(self) -> bool:
        """Whether damage is to be filled."""
        return self.repair or self.mask is not None

    @property
    def finder(self) -> str | Path:
        """The model that finds damage."""
        return self.model if self.model is not None and read_card(self.model).outputs == 1 else FINDER

    @property
    def filler(self) -> str | Path:
        """The model that fills it."""
        return self.model if self.model is not None and read_card(self.model).mask else FILLER

    @property
    def only_repairs(self) -> bool:
        """Whether the image is repaired and nothing else is asked."""
        other = self.model is not None and self.model not in (self.finder, self.filler)
        return self.repairs and not (other or self.method or self.scale)

    @cached_property
    def requested_model(self) -> str | Path | None:
        """The model that is named, or the bundled one that enlarges by ``scale``; None if neither is given."""
        return self.model if self.scale is None else self._enlarging()

    @cached_property
    def card(self) -> Card | None:
        """Of the model, if one is asked for."""
        return None if self.requested_model is None else read_card(self.requested_model)

    @cached_property
    def told(self) -> Degradation | None:
        """The degradation, read from its text form."""
        return parse(self.degradation) if isinstance(self.degradation, str) else self.degradation

    def _enlarging(self) -> str | Path:
        """The model that enlarges by ``scale``: the one that is named, if it does, or a bundled one."""
        if self.model is not None:
            if read_card(self.model).scale != self.scale:
                raise UsageError(f"scale {self.scale}: not what model {str(self.model)!r} does; leave one of them out")
            return self.model
        able = {card.scale: name for name, card in list_models().items() if card.scale > 1}
        if self.scale not in able:
            raise UsageError(f"scale {self.scale}: the bundled models enlarge by {' or '.join(map(str, sorted(able)))}")
        return able[self.scale]

    def _check_repair(self) -> None:
        card = self.card
        if card is not None and card.outputs == 1 and not self.repair:
            raise UsageError(
                f"model {card.name!r}: finds damage, and restores nothing alone; give repair (--repair) too"
            )
        if card is not None and card.mask and not self.repairs:
            raise UsageError(
                f"model {card.name!r}: fills what a mask names; give mask (--mask) or repair (--repair) too"
            )
        if self.write_mask is None:
            return
        if not self.repairs:
            raise UsageError(f"write_mask {self.write_mask}: writes what repair finds; give repair (--repair) too")
        if self.write_mask.suffix.lower() != ".png":
            raise UsageError(f"write_mask {self.write_mask}: is a PNG; give a name that ends in .png")
        if self.write_mask.exists():
            raise UsageError(f"write_mask {self.write_mask}: exists, and is never replaced; give another name")

    def _check_model(self) -> None:
        card, sigma = self.card, self.sigma
        if card is not None and card.scale > 1 and self.strength < 1:
            raise UsageError(
                f"strength {self.strength:g}: model {card.name!r} enlarges, and there is nothing to blend with"
            )
        if sigma is None:
            return
        if card is None:
            raise UsageError(f"sigma {sigma:g}: tells a model the noise level; give model='denoise' (-m denoise) too")
        if not card.noise_level:
            raise UsageError(f"sigma {sigma:g}: model {card.name!r} takes no noise level; leave it out")
        low, high = card.sigma_range or (0.0, 255.0)
        if not low <= sigma <= high:
            raise UsageError(f"sigma {sigma:g}: model {card.name!r} is for {low:g} to {high:g} grey levels of 255")

    def _check_method(self) -> None:
        name, told = self.method, self.told
        stepwise = {"budget": self.budget, "preview": self.preview}
        given = [f"{key} {value}" for key, value in stepwise.items() if value is not None]
        if given and (name is None or "control" not in methods.takes(name)):
            raise UsageError(f"{given[0]}: is for a method that goes step by step, such as pnp; leave it out")
        if self.preview is not None and self.preview.suffix.lower() != ".png":
            raise UsageError(f"preview {self.preview}: is a PNG; give a name that ends in .png")
        if self.preview is not None and self.preview.exists():
            raise UsageError(f"preview {self.preview}: exists, and is never replaced; give another name")
        if name is None:
            if told is not None:
                raise UsageError(f"degradation '{told}': tells a method what to undo; give method= too")
            if self.settings:
                raise UsageError(f"settings {', '.join(self.settings)}: are of a method; give method= too")
            return
        if self.requested_model is not None:
            asked = f"model {str(self.model)!r}" if self.scale is None else f"scale {self.scale}"
            raise UsageError(f"{asked} and method {name!r}: give one of them")
        if name not in methods.METHODS:
            raise unknown("method", name, methods.METHODS)
        if told is None:
            raise UsageError(
                f"method {name!r}: must know what to undo; give degradation='blur:sigma=1.6 + noise:sigma=2'"
            )
        methods.check(name, told)
        for key in self.settings or ():
            if key not in methods.settings(name):
                raise unknown(f"option of {name}", key, methods.settings(name))
        if self.strength < 1 and any(isinstance(part, Downsample) for part in told.parts):
            raise UsageError(f"strength {self.strength:g}: {name} enlarges here, and there is nothing to blend with")


@dataclass(frozen=True)
class Plan:
    """What will be done to one image, and why.

    Attributes:
        options: What was asked.
        reasons: Sentences for a person.
        model: Name or path of the model that will run; None if a method will, or nothing.
        sigma: Noise level that it is told, in 8-bit grey levels.
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
    def unchanged(self) -> bool:
        """Whether the image comes back as it is."""
        if self.options.strength == 0:
            return True
        if self.mask is not None:
            return not self.mask.any()
        return self.model is None and self.options.method is None


def plan(
    image: Image,
    options: Options = Options(),
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
    height, width = (side * enlargement(told) for side in (image.height, image.width))
    needed = methods.METHODS[name].memory * height * width
    free = available_memory() if options.memory is None else parse_memory(options.memory)
    if needed > free:
        raise InputError(
            f"{image.path or 'the image'}: {name} takes about {needed / 2**30:.1f} GiB for {width}x{height} pixels, "
            f"more than the {free / 2**30:.1f} GiB there are; restore a part of it, or use a model"
        )


def _tile(image: Image, card: Card, options: Options) -> int:
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
