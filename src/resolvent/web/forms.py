"""The options of requests, in the words of the command line, as a restoration takes them."""

from __future__ import annotations

import json
from typing import Annotated, Any, cast

from fastapi import UploadFile
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from resolvent.batch.jobs import format_named
from resolvent.batch.worker import Files
from resolvent.engine.options import Options, make_request
from resolvent.errors import UsageError, unknown
from resolvent.models.registry import added, bundled, named
from resolvent.web.problems import rule_of
from resolvent.web.work import Variant

__all__ = ["Item", "JobForm", "PhotographForm", "RestoreForm", "options_of", "read_items", "variant_of"]


PHOTOGRAPH = "The photograph: JPEG, PNG, WebP, TIFF, AVIF, GIF, BMP, or HEIC if installed."
FRAME = "Page of a TIFF, or frame of an animation. Default: the first, 1."


Text = Annotated[str, Field(max_length=4096)]
"""An option, short enough to be read in no time."""


def without_null(schema: dict[str, Any]) -> None:
    """Describe fields as a form has them: with a value, or not at all."""
    for about in schema["properties"].values():
        kinds = [kind for kind in about.get("anyOf", ()) if kind != {"type": "null"}]
        if len(kinds) == 1:
            del about["anyOf"]
            about |= kinds[0]
        if about.get("default", 0) is None:
            del about["default"]


class Form(BaseModel):
    """Fields of a request; others are refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=without_null)


class PhotographForm(Form):
    """A photograph."""

    file: UploadFile = Field(description=PHOTOGRAPH)
    frame: int | None = Field(None, ge=1, description=FRAME)


class Choices(Form):
    """How to restore it."""

    model: Text | None = Field(None, description="Name of a model (see /v1/models). Default: chosen by diagnosis.")
    sigma: float | None = Field(None, ge=0, le=255, description="Noise level in gray levels of 255, for `model`.")
    scale: int | None = Field(None, json_schema_extra={"enum": [2, 4]}, description="Enlarge by a factor of 2 or 4.")
    strength: float = Field(1, ge=0, le=1, description="Blend: 0 keeps the photograph exactly, 1 restores it fully.")
    realism: float = Field(
        0, ge=0, le=1, description="Invent detail that looks real, with `scale` 4; it is not true to the scene."
    )
    repair: bool = Field(False, description="Find and fill scratches, dust and creases.")
    mask: UploadFile | None = Field(None, description="Image of the photograph's size: white is filled, black is kept.")
    uncertainty: Text | None = Field(
        None, description="Map of errors: `learned`, or `jacobian:probes=4` for a denoiser that is named."
    )
    method: Text | None = Field(None, description="Method (see /v1/methods) instead of a model; needs `degradation`.")
    degradation: Text | None = Field(
        None, description="Known degradation that the method inverts, such as `blur:sigma=1.6 + noise:sigma=2`."
    )
    settings: list[Text] = Field([], alias="set", description="Settings of the method, such as `iterations=500`.")
    budget: float | None = Field(None, gt=0, description="Time limit in seconds of an iterative method.")
    seed: int = Field(0, ge=0, description="Random seed of a method.")
    ext: Text | None = Field(None, description="Output format, such as `png`. Default: the format of the photograph.")
    quality: int | None = Field(None, ge=1, le=100, description="JPEG, WebP and AVIF quality.")
    strip: Text | None = Field(None, description="Leave out metadata: `gps` or `all` (all but the color profile).")
    frame: int | None = Field(None, ge=1, description=FRAME)


class RestoreForm(Choices):
    """A photograph, and how to restore it."""

    file: UploadFile = Field(description=PHOTOGRAPH)


class JobForm(Choices):
    """A photograph, sent or of another job, and how to restore it."""

    file: UploadFile | None = Field(None, description="The photograph.")
    abandon: float | None = Field(
        None, ge=10, le=86_400, description="Seconds without a request for the job after which it is stopped."
    )
    source: Text | None = Field(None, description="Instead of `file`: id of a job whose photograph is used again.")


def options_of(form: Choices) -> Options:
    """Turn a form into options, checked as far as they can be without the photograph; a mask comes later.

    Raises:
        UsageError: An option breaks its rule, names a file of the server, or does not go with another.
    """
    options: dict[str, Any] = {
        "model": known_model("model", form.model),
        "sigma": form.sigma,
        "scale": form.scale,
        "strength": form.strength,
        "realism": form.realism or None,
        "repair": form.repair,
        "uncertainty": form.uncertainty or None,
        "method": form.method and form.method.lower(),
        "degradation": form.degradation,
        "budget": form.budget,
        "seed": form.seed,
    }
    if form.degradation is not None:
        from resolvent.degradations import parse

        degradation = parse(form.degradation)
        if degradation.files:
            raise UsageError(
                f"degradation {form.degradation!r:.80}: names a file, and no file of the server is read; use the "
                "command line for it"
            )
    if form.settings:
        from resolvent import methods

        if options["method"] is None:
            raise UsageError(f"set {form.settings[0]!r:.80}: is a setting of a method; give method too")
        for text in form.settings:
            refuse_path(options["method"], text)
        options["settings"] = methods.read_settings(options["method"], form.settings)
    make_request(**{**options, "mask": b"" if form.mask else None})
    format_named(form.ext)
    Files(quality=form.quality, strip=form.strip)  # which refuses what is none
    return cast("Options", {name: value for name, value in options.items() if value is not None})


def known_model(option: str, name: str | None) -> str | None:
    """Take the name of a model, and no path."""
    if name is not None and named(name) is None:
        raise unknown(option, name, {**added(), **bundled()})
    return name


def refuse_path(method: str, setting: str) -> None:
    """Refuse ``model=own.onnx``, where a setting takes the name of a model, before the disk is touched."""
    from resolvent.methods import METHODS
    from resolvent.methods.kinds import DenoiserName
    from resolvent.parameters import Several

    name, _, value = (part.strip() for part in setting.partition("="))
    known = METHODS[method].settings.get(name) if method in METHODS else None
    kind = known and known.kind
    if isinstance(kind, Several):
        kind, values = kind.kind, [part.strip() for part in value.split(",")]
    else:
        values = [value]
    if isinstance(kind, DenoiserName):
        for model in values:
            if model and model not in METHODS:
                known_model("model", model)


def variant_of(strength: float, ext: str | None, quality: int | None, strip: str | None) -> Variant:
    """Another form of a result, as a request asks for it."""
    Files(quality=quality, strip=strip)  # which refuses what is none
    return Variant(strength, format_named(ext), quality, strip)


class Item(BaseModel):
    """A result in an archive."""

    model_config = ConfigDict(extra="forbid")

    job: str
    strength: Annotated[float, Field(ge=0, le=1)] = 1
    ext: str | None = None
    quality: Annotated[int | None, Field(ge=1, le=100)] = None
    strip: str | None = None
    folder: str = ""


def read_items(text: str) -> list[Item]:
    """Read what an archive is to hold.

    Raises:
        UsageError: It is no such list.
    """
    try:
        items = TypeAdapter(list[Item]).validate_python(json.loads(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "list"
        raise UsageError(
            f'items {text!r:.80}: must be a list such as [{{"job": "ID", "strength": 1}}]; '
            f"{where:.80}: {rule_of(first):.100}"
        ) from None
    except (ValueError, RecursionError) as error:
        line = str(error).replace("\n", ", ")
        raise UsageError(
            f'items {text!r:.80}: must be a list such as [{{"job": "ID", "strength": 1}}]; {line:.200}'
        ) from None
    if not items:
        raise UsageError("items []: is empty; name at least one job")
    return items
