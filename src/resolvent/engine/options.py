"""The options of a restoration, and the request that they make.

``make_request`` turns options, as ``resolvent.restore`` and the command line take them, into a request, and refuses
what does not go together before any work.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from resolvent import methods
from resolvent.engine.error_maps import ErrorMap, Jacobian, read_error_map
from resolvent.engine.request import MethodRequest, ModelRequest, RepairRequest, Request, TiledRequest
from resolvent.errors import UsageError, unknown
from resolvent.image.sources import Source
from resolvent.models.registry import read_card, split_realism

if TYPE_CHECKING:
    from resolvent.degradations import Degradation

__all__ = ["Options", "make_request"]


class Options(TypedDict, total=False):
    """The options of a restoration, as Python and the command line take them by keyword; None counts as not given.

    Attributes:
        model: See ModelRequest, as for the next two. One that finds or fills damage takes the place of the bundled one
            in a repair.
        sigma: Needs ``model``.
        scale: Where ``model`` names the enlarging model, it alone runs.
        realism: Needs a model that has it, as ``scale`` 4 does; see ModelRequest.
        uncertainty: Of a model: True or ``"learned"`` for its own map, ``"jacobian:probes=4"`` for that of a denoiser's
            Jacobian. What comes of it is in ``Restoration.uncertainty``.
        method: Instead of a model; see MethodRequest, as for the next four.
        degradation: What the method inverts, or its text form.
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
    realism: float | None
    uncertainty: bool | str | None
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


_SWITCHES = ("repair", "uncertainty")
"""Options that True and False are values of."""

_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(("scale", "seed", "tile"), ((Integral,), "a whole number")),
    **dict.fromkeys(("sigma", "strength", "realism", "budget"), ((Real,), "a number")),
    **dict.fromkeys(("model", "preview", "write_mask"), ((str, os.PathLike), "a name or a path, as text or Path")),
    **dict.fromkeys(("method", "runtime"), ((str,), "a name")),
    "settings": ((Mapping,), "a mapping of names to values"),
    "memory": ((Integral, str), "a number of bytes, or a text such as '512M'"),
    "repair": ((bool, np.bool_), "True or False"),
    "uncertainty": ((bool, np.bool_, str), "True or False, or a text such as 'jacobian:probes=4'"),
}
"""What the values of options may be, and how a person says it."""


def _check_types(given: Mapping[str, Any]) -> None:
    types = dict(_TYPES)
    if "degradation" in given:
        from resolvent.degradations import Degradation

        types["degradation"] = ((str, Degradation), "a text such as 'blur:sigma=1.6', or a Degradation")
    for name, value in given.items():
        kinds, rule = types.get(name, ((object,), ""))
        truth = isinstance(value, bool) and name not in _SWITCHES and rule  # to Python a whole number
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
    uncertainty = _read_uncertainty(given)
    after = _method_request(given, common) if "method" in given else _model_request(given, tiled, uncertainty)
    if not repair:
        return after
    alone = isinstance(after, ModelRequest) and after.model is None and after.scale is None
    return RepairRequest(**tiled, **repair, then=None if alone else after)


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


def _model_request(given: Mapping[str, Any], tiled: Mapping[str, Any], uncertainty: ErrorMap | None) -> ModelRequest:
    for name in ("budget", "preview"):
        if name in given:
            raise UsageError(f"{name} {given[name]}: is for an iterative method, such as pnp; leave it out")
    if "degradation" in given:
        raise UsageError(f"degradation '{given['degradation']}': is what a method inverts; give method= too")
    if given.get("settings"):
        raise UsageError(f"settings {', '.join(given['settings'])}: are of a method; give method= too")
    request = ModelRequest(**tiled, **_only(given, "model", "sigma", "scale", "realism"), uncertainty=uncertainty)
    _check_model(request)
    return request


def _read_uncertainty(given: Mapping[str, Any]) -> ErrorMap | None:
    """The map of errors that is wanted; refuse what it cannot be given for."""
    wanted = given.get("uncertainty", False)
    if not wanted:
        return None
    error_map = read_error_map(wanted if isinstance(wanted, str) else "learned")
    for name in ("method", "repair", "mask"):
        if given.get(name) is not None and given.get(name) is not False:
            raise UsageError(
                f"uncertainty and {name}: only a model that restores has a map of errors; leave one of them out"
            )
    realism = given.get("realism") or split_realism(given.get("model", ""))[1]
    if realism:
        raise UsageError(
            f"realism {float(realism):g} and uncertainty: detail that is invented has no map of errors; leave realism "
            "(--realism) out"
        )
    error_map.check_runtime(given.get("runtime", "auto"))
    if "model" in given:
        error_map.check(read_card(given["model"]))
    elif "scale" in given:
        example = f"upscale{given['scale']}"
        raise UsageError(
            f"uncertainty and scale {given['scale']}: unknown after restoring and enlarging in turn; give one model, "
            f"model={example!r} (-m {example})"
        )
    elif isinstance(error_map, Jacobian):
        raise UsageError("uncertainty jacobian: needs a denoiser that is named; give model='denoise' (-m denoise)")
    return error_map


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
        raise UsageError(f"sigma {sigma:g}: is the noise level for a model; give model='denoise' (-m denoise) too")
    if not card.noise_level:
        raise UsageError(f"sigma {sigma:g}: model {card.name!r} takes no noise level; leave it out")
    low, high = card.sigma_range or (0.0, 255.0)
    if not low <= sigma <= high:
        raise UsageError(f"sigma {sigma:g}: model {card.name!r} is for {low:g} to {high:g} gray levels of 255")


def _method_request(given: Mapping[str, Any], common: Mapping[str, Any]) -> MethodRequest:
    from resolvent.degradations import parse

    name, degradation = given["method"], given.get("degradation")
    if given.get("realism"):
        raise UsageError(
            f"realism {given['realism']:g} and method {name!r}: only a model can invent detail; leave one of them out"
        )
    for other in ("model", "scale"):
        if other in given:
            value = given[other] if other == "scale" else repr(str(given[other]))
            raise UsageError(f"{other} {value} and method {name!r}: give one of them")
    if name not in methods.METHODS:
        raise unknown("method", name, methods.METHODS)
    if "sigma" in given:
        sigma = f"{given['sigma']:g}"
        raise UsageError(f"sigma {sigma}: is for a model; a method reads it from degradation='noise:sigma={sigma}'")
    if degradation is None:
        example = methods.METHODS[name].example
        raise UsageError(
            f"method {name!r}: needs the degradation that it inverts; give degradation= (--degradation) {example!r}"
        )
    request = MethodRequest(
        method=name,
        degradation=parse(degradation) if isinstance(degradation, str) else degradation,
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
