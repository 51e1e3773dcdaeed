"""What is asked of a restoration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resolvent import methods
from resolvent.degradations import Degradation, Downsample, parse
from resolvent.engine.repair import MaskSource
from resolvent.errors import UsageError, unknown
from resolvent.inference.runtime import RUNTIMES
from resolvent.inference.tiles import SMALLEST_TILE
from resolvent.methods.control import Control
from resolvent.methods.settings import settings as settings_of
from resolvent.models.registry import bundled, read_card
from resolvent.system import parse_memory

if TYPE_CHECKING:
    from resolvent.models.card import ModelCard

__all__ = ["FILLER", "FINDER", "Options"]


FINDER, FILLER = "scratches", "inpaint"
"""The bundled models that repair."""


@dataclass(frozen=True)
class Options:
    """What is asked of a restoration; the defaults of every front end stand here.

    Attributes:
        model: Name of a model, bundled or added, or path of a model file; without it or a method, diagnosis chooses.
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
    def card(self) -> ModelCard | None:
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
        able = {scale: name for name in bundled() if (scale := read_card(name).scale) > 1}
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
            raise UsageError(f"sigma {sigma:g}: model {card.name!r} is for {low:g} to {high:g} gray levels of 255")

    def _check_method(self) -> None:
        name, told = self.method, self.told
        stepwise = {"budget": self.budget, "preview": self.preview}
        given = [f"{key} {value}" for key, value in stepwise.items() if value is not None]
        if given and (name is None or "control" not in methods.common_options(name)):
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
            if key not in settings_of(name):
                raise unknown(f"option of {name}", key, settings_of(name))
        if self.strength < 1 and any(isinstance(part, Downsample) for part in told.parts):
            raise UsageError(f"strength {self.strength:g}: {name} enlarges here, and there is nothing to blend with")
