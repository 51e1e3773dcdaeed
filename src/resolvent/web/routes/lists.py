"""What there is: models, methods, samples, and what the server takes."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response

from resolvent import __version__
from resolvent.image.encode import heif_is_written
from resolvent.image.formats import DEPTHS, FORMATS, RAW
from resolvent.report.overlay import CHANGE, UNCERTAINTY
from resolvent.web.bodies import About, LayerBody, Limits, Sample
from resolvent.web.problems import Problem
from resolvent.web.routes.common import IMAGE, JOB, accept, problems, settings_of
from resolvent.web.samples import SAMPLES, sample

__all__ = ["router"]

RAW_HINT = "a camera's raw file: develop it first, in any raw converter"
HEIF_HINT = "HEIC needs pillow-heif on this computer; run: pip install 'resolvent[heif]'"

router = APIRouter(prefix="/v1", tags=["lists"])


@router.get("/models", responses=problems())
async def models(request: Request) -> dict[str, dict[str, Any]]:
    """List the models: what each is for, what it takes, and whether it has a map of errors and `realism`."""
    accept(request, "application/json")
    from resolvent.models.registry import bundled, list_models, realistic

    return {
        name: {
            "summary": card.summary,
            "task": card.task,
            "scale": card.scale,
            "noise_level": card.noise_level,
            "sigma_range": card.sigma_range,
            "uncertainty": bool(card.uncertainty),
            "realism": name in realistic(),
            "finds": card.outputs == 1,
            "fills": card.mask,
            "parameters": card.parameters,
            "license": card.license,
            "origin": "bundled" if name in bundled() else "added",
        }
        for name, card in list_models().items()
    }


@router.get("/methods", responses=problems())
async def methods(request: Request) -> dict[str, dict[str, Any]]:
    """List the classical and untrained methods: what each is, takes and costs, and what it lacks here."""
    accept(request, "application/json")
    from resolvent.methods import METHODS, missing

    return {
        name: {
            "summary": method.summary,
            "example": method.example,
            "needs": str(method.needs),
            "cost": method.cost,
            "reference": method.reference,
            "settings": {key: setting.to_json() for key, setting in method.settings.items()},
            "missing": None if (absent := missing(name)) is None else str(absent),
        }
        for name, method in METHODS.items()
    }


@router.get("/about", responses=problems())
async def about(request: Request) -> About:
    """Say what this server is and takes."""
    accept(request, "application/json")
    settings = settings_of(request)
    limits = Limits(
        megabytes=settings.limits.megabytes, megapixels=settings.limits.megapixels, jobs=settings.kept_share,
        minutes=settings.minutes,
    )  # fmt: skip
    layers = {
        layer.name: LayerBody(
            label=layer.label, legend=layer.legend, color="#{:02x}{:02x}{:02x}".format(*layer.color), ticks=layer.ticks
        )
        for layer in (UNCERTAINTY, CHANGE)
    }
    heif = find_spec("pillow_heif") is not None
    samples = [Sample(name=name, title=title, url=f"/v1/samples/{name}") for name, (title, _, _) in SAMPLES.items()]
    return About(
        version=__version__, workers=settings.workers, limits=limits, layers=layers, samples=samples,
        formats={kind: extensions for kind, extensions in FORMATS.items() if kind != "heif" or heif},
        hints=dict.fromkeys(RAW, RAW_HINT) | ({} if heif else dict.fromkeys(FORMATS["heif"], HEIF_HINT)),
        written=[kind for kind in DEPTHS if kind != "heif" or heif_is_written()],
    )  # fmt: skip


@router.get("/samples/{name}", response_class=Response, responses={200: IMAGE, **JOB})
async def show_sample(request: Request, name: str) -> Response:
    """Give a photograph to try."""
    accept(request, "image/*")
    if name not in SAMPLES:
        raise Problem(404, f"sample {name!r:.40}: there is none; /v1/about lists them")
    data = await anyio.to_thread.run_sync(sample, name)
    return Response(data, media_type="image/png")
