"""What is asked of a restoration.

::

    Request                  what all share: strength, memory, seed
    ├── TiledRequest         what models share: tile, runtime
    │   ├── ModelRequest     a model, the one that is named or the one that diagnosis chooses; enlarging
    │   └── RepairRequest    filling what is damaged, and what comes after that
    └── MethodRequest        a method, and the degradation that it is to undo

The defaults of every front end stand here. ``make_request`` turns options, as ``resolvent.restore`` and the command
line take them, into one of these, and refuses what does not go together before any work.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np

from resolvent import methods
from resolvent.degradations import Degradation, parse
from resolvent.errors import UsageError, unknown
from resolvent.image.sources import Source
from resolvent.inference.runtime import RUNTIMES
from resolvent.inference.tiles import SMALLEST_TILE
from resolvent.io import check_writable
from resolvent.methods.control import Control
from resolvent.models.registry import bundled, read_card
from resolvent.physics.forward_model import ForwardModel
from resolvent.system import parse_memory

__all__ = [
    "MethodRequest",
    "ModelRequest",
    "Options",
    "RepairRequest",
    "Request",
    "TiledRequest",
    "make_request",
]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of any restoration.

    Attributes:
        strength: 0 keeps the image as it is, 1 restores it fully, between is the blend y + strength (x - y).
        memory: Bytes, or text such as ``"2G"``. For tiles; half of what is free, at most 512 MiB, if not given. For a
            method, how much it may take; all that is free if not given.
        seed: Random seed.

    Raises:
        UsageError: A value breaks its rule, as for all requests.
    """

    strength: float = 1.0
    memory: int | str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise UsageError(f"strength {self.strength:g}: must be from 0 (the image as it is) to 1 (fully restored)")
        if self.memory is not None:
            parse_memory(self.memory)
        if not 0 <= self.seed < 1 << 31:
            raise UsageError(f"seed {self.seed}: must be from 0 to {(1 << 31) - 1}")

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it reads beside the photograph."""
        return ()

    @property
    def written(self) -> dict[str, Path]:
        """The files that it writes beside the result, by the name of their option."""
        return {}

    def check_written(self, *, overwrite: bool = False) -> None:
        """Refuse, before any work, files to be written beside the result that exist or that could not be written.

        Raises:
            UsageError: One exists, and is not to be replaced.
            OutputError: One could not be written.
        """
        for name, path in self.written.items():
            if os.path.lexists(path) and not overwrite:
                raise UsageError(f"{name} {path}: exists; give another name, or overwrite (--overwrite)")
            check_writable(path)

    def models(self) -> tuple[tuple[str | Path, str], ...]:
        """The models that are known to run whatever the image, each with its runtime."""
        return ()


@dataclass(frozen=True, kw_only=True)
class TiledRequest(Request):
    """What is asked of models, which run over tiles.

    Attributes:
        tile: Pixels a side that a tile contributes; as many as ``memory`` allows if not given.
        runtime: What runs the models: ``onnxruntime`` (which ``auto`` means), ``openvino`` or ``torch``.
    """

    tile: int | None = None
    runtime: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tile is not None and self.tile < SMALLEST_TILE:
            raise UsageError(
                f"tile {self.tile}: must be {SMALLEST_TILE} pixels or more; leave it out to have it chosen"
            )
        if self.runtime not in ("auto", *RUNTIMES):
            raise unknown("runtime", self.runtime, ("auto", *RUNTIMES))


@dataclass(frozen=True, kw_only=True)
class ModelRequest(TiledRequest):
    """Restoring by a model.

    Attributes:
        model: Name of a bundled model, or path of a model file; None lets diagnosis choose.
        sigma: Noise level for the model, in 8-bit gray levels of the range that the image uses; measured if not given.
        scale: Enlarge by this with a bundled model, after restoring what diagnosis finds wrong.
    """

    model: str | Path | None = None
    sigma: float | None = None
    scale: int | None = None

    def named(self) -> str | Path | None:
        """The model that is named, or the bundled one that enlarges by ``scale``; None if neither is given.

        Raises:
            UsageError: None enlarges so much.
        """
        return _enlarger(self.scale) if self.model is None and self.scale is not None else self.model

    def models(self) -> tuple[tuple[str | Path, str], ...]:
        """The one that is named."""
        model = self.named()
        return () if model is None else ((model, self.runtime),)


@dataclass(frozen=True, kw_only=True)
class MethodRequest(Request):
    """Restoring by a method without training.

    Attributes:
        method: A key of METHODS.
        degradation: What it is to undo.
        settings: Its own options, by name.
        budget: Seconds after which an iterative method gives what it has.
        preview: A PNG that such a method writes again every few seconds while it works.
    """

    method: str
    degradation: Degradation
    settings: Mapping[str, Any] = field(default_factory=dict)
    budget: float | None = None
    preview: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        Control(self.budget)

    @cached_property
    def forward_model(self) -> ForwardModel:
        """That of the degradation.

        Raises:
            UsageError: It has none.
        """
        return ForwardModel(self.degradation)

    @property
    def iterative(self) -> bool:
        """Whether the method goes step by step, and can be watched and stopped."""
        return "control" in methods.common_options(self.method)

    @property
    def files(self) -> tuple[Path, ...]:
        """Those of the degradation, such as a mask."""
        return tuple(map(Path, self.degradation.files))

    @property
    def written(self) -> dict[str, Path]:
        """The preview."""
        return {} if self.preview is None else {"preview": self.preview}


@dataclass(frozen=True, kw_only=True)
class RepairRequest(TiledRequest):
    """Filling what is damaged; no other pixel changes.

    Attributes:
        find: Find scratches, dust and creases.
        mask: Fill this too: a picture, or an array (H, W), as large as the image; white or True is filled.
        write_mask: A PNG of what is filled, white.
        finder: The model that finds damage.
        filler: The model that fills it.
        then: What is asked of the image after that; None leaves it at the repair.
    """

    find: bool = True
    mask: Source | None = field(default=None, compare=False, repr=False)
    write_mask: Path | None = None
    finder: str | Path = "scratches"
    filler: str | Path = "inpaint"
    then: Request | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The mask, and those of what comes after."""
        own = (Path(self.mask),) if isinstance(self.mask, str | os.PathLike) else ()
        return own + (self.then.files if self.then else ())

    @property
    def written(self) -> dict[str, Path]:
        """The mask that is written, and what comes after writes."""
        own = {} if self.write_mask is None else {"write_mask": self.write_mask}
        return own | (self.then.written if self.then else {})

    def models(self) -> tuple[tuple[str | Path, str], ...]:
        """Those that find and fill, and that of what comes after."""
        own = (self.finder, self.filler) if self.find else (self.filler,)
        return tuple((model, self.runtime) for model in own) + (self.then.models() if self.then else ())


class Options(TypedDict, total=False):
    """The options of a restoration, as Python and the command line take them by keyword; None counts as not given.

    Attributes:
        model: See ModelRequest, as for the next two. One that finds or fills damage takes the place of the bundled one
            in a repair.
        sigma: Needs ``model``.
        scale: Where ``model`` names the enlarging model, it alone runs.
        method: Instead of a model; see MethodRequest, as for the next four.
        degradation: What the method is to undo, or its text form.
        settings: Needs ``method``.
        budget: Needs an iterative method, as for the next one.
        preview: A PNG.
        repair: Find scratches, dust and creases and fill them, before anything else; without a model, a method or a
            scale, nothing else is done.
        mask: Fill this too; see RepairRequest, as for the next one.
        write_mask: Needs ``repair`` or ``mask``.
        strength: See Request, as for the next two.
        memory: For tiles, or for a method.
        seed: Of a method.
        tile: See TiledRequest, as for the next one.
        runtime: Of models.
    """

    model: str | Path | None
    sigma: float | None
    scale: int | None
    method: str | None
    degradation: Degradation | str | None
    settings: Mapping[str, Any] | None
    budget: float | None
    preview: str | Path | None
    repair: bool
    mask: Source | None
    write_mask: str | Path | None
    strength: float
    memory: int | str | None
    seed: int
    tile: int | None
    runtime: str


_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(("scale", "seed", "tile"), ((Integral,), "a whole number")),
    **dict.fromkeys(("sigma", "strength", "budget"), ((Real,), "a number")),
    **dict.fromkeys(("model", "preview", "write_mask"), ((str, os.PathLike), "a name or a path, as text or Path")),
    **dict.fromkeys(("method", "runtime"), ((str,), "a name")),
    "degradation": ((str, Degradation), "a text such as 'blur:sigma=1.6', or a Degradation"),
    "settings": ((Mapping,), "a mapping of names to values"),
    "memory": ((Integral, str), "a number of bytes, or a text such as '512M'"),
    "repair": ((bool, np.bool_), "True or False"),
}
"""What the values of options may be, and how a person says it."""


def _check_types(given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        kinds, rule = _TYPES.get(name, ((object,), ""))
        truth = isinstance(value, bool) and name != "repair" and rule  # to Python a whole number
        if truth or not isinstance(value, kinds):
            raise UsageError(f"{name} {value!r:.80}: must be {rule}")


def make_request(**options: Unpack[Options]) -> Request:
    """Turn options into a request, and check all that can be checked before there is an image.

    Raises:
        UsageError: An option is unknown or breaks its rule, or two do not go together.
        InputError: A model's file cannot be used.
    """
    for name in options:
        if name not in Options.__annotations__:
            raise unknown("option", name, Options.__annotations__)
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    _check_types(given)
    common = _only(given, "strength", "memory", "seed")
    tiled = common | _only(given, "tile", "runtime")
    TiledRequest(**tiled)  # whatever is asked for, a value that breaks its rule is refused
    repair = _repair_options(given)
    after = _method_request(given, common) if "method" in given else _model_request(given, tiled)
    if not repair:
        return after
    alone = isinstance(after, ModelRequest) and after.model is None and after.scale is None
    return RepairRequest(**tiled, **repair, then=None if alone else after)


def _enlarger(scale: int) -> str:
    """Name the bundled model that enlarges by a scale.

    Raises:
        UsageError: None does.
    """
    listed = reversed(bundled())  # so that of two models of one scale the first listed stands
    known = {card_scale: name for name in listed if (card_scale := read_card(name).scale) > 1}
    if scale not in known:
        raise UsageError(f"scale {scale}: the bundled models enlarge by {' or '.join(map(str, sorted(known)))}")
    return known[scale]


def _only(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def _repair_options(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a RepairRequest; none where nothing is to be repaired. Takes a ``model`` that repairs with it."""
    find, mask, written = given.get("repair", False), given.get("mask"), given.get("write_mask")
    found: dict[str, Any] = {"find": find, "mask": mask} if find or mask is not None else {}
    card = read_card(given["model"]) if "model" in given else None
    if card is not None and card.outputs == 1:
        if not find:
            raise UsageError(
                f"model {card.name!r}: finds damage, and restores nothing alone; give repair (--repair) too"
            )
        found["finder"] = given.pop("model")
    if card is not None and card.mask:
        if not found:
            raise UsageError(
                f"model {card.name!r}: fills what a mask names; give mask (--mask) or repair (--repair) too"
            )
        found["filler"] = given.pop("model")
    if written is not None:
        if not found:
            raise UsageError(f"write_mask {written}: writes what repair finds; give repair (--repair) too")
        found["write_mask"] = _png("write_mask", written)
    return found


def _png(option: str, path: str | Path) -> Path:
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise UsageError(f"{option} {path}: is a PNG; give a name that ends in .png")
    return path


def _model_request(given: Mapping[str, Any], tiled: Mapping[str, Any]) -> ModelRequest:
    for name in ("budget", "preview"):
        if name in given:
            raise UsageError(f"{name} {given[name]}: is for an iterative method, such as pnp; leave it out")
    if "degradation" in given:
        raise UsageError(f"degradation '{given['degradation']}': tells a method what to undo; give method= too")
    if given.get("settings"):
        raise UsageError(f"settings {', '.join(given['settings'])}: are of a method; give method= too")
    request = ModelRequest(**tiled, **_only(given, "model", "sigma", "scale"))
    _check_model(request)
    return request


def _check_model(request: ModelRequest) -> None:
    model, sigma, scale = request.named(), request.sigma, request.scale
    card = None if model is None else read_card(model)
    if card is not None and scale not in (None, card.scale):
        raise UsageError(f"scale {scale}: not what model {str(model)!r} does; leave one of them out")
    if card is not None and card.scale > 1 and request.strength < 1:
        raise UsageError(
            f"strength {request.strength:g}: model {card.name!r} enlarges, and there is nothing to blend with"
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


def _method_request(given: Mapping[str, Any], common: Mapping[str, Any]) -> MethodRequest:
    name, told = given["method"], given.get("degradation")
    for other in ("model", "scale"):
        if other in given:
            value = given[other] if other == "scale" else repr(str(given[other]))
            raise UsageError(f"{other} {value} and method {name!r}: give one of them")
    if name not in methods.METHODS:
        raise unknown("method", name, methods.METHODS)
    if "sigma" in given:
        sigma = f"{given['sigma']:g}"
        raise UsageError(f"sigma {sigma}: is for a model; a method reads it from degradation='noise:sigma={sigma}'")
    if told is None:
        example = methods.METHODS[name].example
        raise UsageError(f"method {name!r}: must know what to undo; give degradation= (--degradation) {example!r}")
    request = MethodRequest(
        method=name,
        degradation=parse(told) if isinstance(told, str) else told,
        preview=_png("preview", given["preview"]) if "preview" in given else None,
        **common,
        **_only(given, "settings", "budget"),
    )
    _check_method(request)
    return request


def _check_method(request: MethodRequest) -> None:
    name = request.method
    iterative = {"budget": request.budget, "preview": request.preview}
    refused = [f"{key} {value}" for key, value in iterative.items() if value is not None]
    if refused and not request.iterative:
        raise UsageError(f"{refused[0]}: is for an iterative method, such as pnp; leave it out")
    methods.check(name, request.forward_model)
    methods.check_settings(name, request.settings)
    if request.strength < 1 and request.forward_model.scale > 1:
        raise UsageError(f"strength {request.strength:g}: {name} enlarges here, and there is nothing to blend with")
