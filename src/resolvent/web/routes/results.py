"""What came of jobs: files, in the form that is asked for, pictures for a browser, and archives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse

from resolvent.web import work
from resolvent.web.archive import entry_name, stream
from resolvent.web.forms import Item, read_items, variant_of
from resolvent.web.pictures import LARGEST, View, draw
from resolvent.web.problems import Problem
from resolvent.web.routes.common import IMAGE, JOB, MEDIA_TYPES, accept, disposition, is_gone, problems, store_of
from resolvent.web.store import Job, Store, plain_name, result_name

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["jobs"])

Strength = Annotated[float, Query(ge=0, le=1, description="Blend: 0 is the photograph, 1 the result.")]


Ext = Annotated[str | None, Query(description="Format, such as `png`.")]


Quality = Annotated[int | None, Query(ge=1, le=100, description="JPEG, WebP and AVIF quality.")]


Strip = Annotated[str | None, Query(description="Leave out metadata: `gps` or `all`.")]


@router.get("/jobs/{name}/result", response_class=Response, responses={200: IMAGE, **problems(404, 409)})
async def result(
    request: Request, name: str, strength: Strength = 1, ext: Ext = None, quality: Quality = None, strip: Strip = None
) -> Response:
    """Give the file of a result: as it was made, or blended, in another format, or without metadata."""
    accept(request, "image/*")
    store = store_of(request)
    job = store.find(name).done()
    path, called, kind = await variant(store, job, strength, ext, quality, strip)
    headers = {"Content-Disposition": disposition(called)}
    return FileResponse(path, media_type=MEDIA_TYPES[kind], headers=headers, stat_result=path.stat())


async def soon(
    store: Store, job: Job, function: Callable[..., work.Outcome], *arguments: Any, gone: Any = None
) -> work.Outcome:
    """Call what does not take long; if the job is deleted meanwhile, say that and not what came of it."""
    try:
        outcome = await store.pool.soon(function, job.task, *arguments, gone=gone)
    except Problem:
        store.find(job.id)
        raise
    finally:
        store.sweep(job)
    store.find(job.id)
    return outcome


async def variant(
    store: Store, job: Job, strength: float, ext: str | None, quality: int | None, strip: str | None
) -> tuple[Path, str, str]:
    """Give the file, the name and the format of a result in the form that is asked for."""
    own = job.facts["result"]
    wanted = variant_of(strength, ext, quality, strip)
    if wanted.format == own["format"] and wanted.quality is None:
        wanted = replace(wanted, format=None)
    if own["status"] == "unchanged" or wanted.strength == 1:
        wanted = replace(wanted, strength=1.0)
    if wanted == work.Variant():
        return job.folder.result, own["name"], own["format"]
    kind = (await soon(store, job, work.variant, wanted)).value
    job.size = job.folder.size
    return job.folder.variant(wanted), result_name(job.name, kind), kind


Size = Annotated[int, Query(ge=16, le=LARGEST, description="Of the longer side, at most.")]


Crop = Annotated[
    str | None,
    Query(
        pattern=r"^\d{1,6},\d{1,6},[1-9]\d{0,3},[1-9]\d{0,3}$",
        description="`left,top,width,height` in pixels of that image, shown at their own size; at most 4096 a side.",
    ),
]


@router.get("/jobs/{name}/before", response_class=Response, responses={200: IMAGE, **problems(404, 409)})
async def before(request: Request, name: str, size: Size = 2048, crop: Crop = None) -> Response:
    """Show the photograph as it was sent, with its color profile."""
    accept(request, "image/*")
    job = store_of(request).find(name)
    job.refresh()
    if "photograph" not in job.facts:
        job.done()
    return await _picture(request, job, "before", size, crop)


@router.get("/jobs/{name}/after", response_class=Response, responses={200: IMAGE, **problems(404, 409)})
async def after(request: Request, name: str, size: Size = 2048, crop: Crop = None) -> Response:
    """Show the result, with its color profile."""
    accept(request, "image/*")
    return await _picture(request, store_of(request).find(name).done(), "after", size, crop)


@router.get("/jobs/{name}/layers/{layer}", response_class=Response, responses={200: IMAGE, **problems(404, 409)})
async def layer(
    request: Request, name: str, layer: Literal["uncertainty", "change"], size: Size = 2048, crop: Crop = None
) -> Response:
    """Show where the result may be wrong, or what was changed, as color over the photograph in gray."""
    accept(request, "image/*")
    job = store_of(request).find(name).done()
    if layer not in job.facts["result"]["layers"]:
        raise Problem(404, f"layer {layer!r}: this result has none; ask for uncertainty with the job")
    return await _picture(request, job, layer, size, crop)


async def _picture(request: Request, job: Job, layer: str, size: int, crop: str | None) -> Response:
    box = None if crop is None else tuple(map(int, crop.split(",")))
    if box is not None and max(box[2:]) > LARGEST:
        raise Problem(422, f"crop {crop}: is more than {LARGEST} pixels a side; ask for a smaller part")
    view = View(layer, size, box)  # type: ignore[arg-type]
    drawn = (await soon(store_of(request), job, draw, view, gone=lambda: is_gone(request))).value
    return Response(drawn[0], media_type=drawn[1])


@router.get("/jobs/{name}/half-widths", response_class=Response, responses={200: IMAGE, **problems(404)})
async def half_widths(request: Request, name: str) -> Response:
    """Give the map of errors: a TIFF of 16 bits, half-widths in 1/256 gray level of 255."""
    accept(request, "image/*")
    job = store_of(request).find(name).done()
    if "uncertainty" not in job.facts["result"]["layers"]:
        raise Problem(404, "half-widths: this result has none; ask for uncertainty with the job")
    called = job.facts["result"]["name"].rpartition(".")[0] + ".uncertainty.tif"
    headers = {"Content-Disposition": disposition(called)}
    return FileResponse(job.folder.half_widths, media_type="image/tiff", headers=headers)


@router.post(
    "/archive",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}, **JOB},
)
async def archive(
    request: Request,
    items: Annotated[
        str, Form(max_length=500_000, description='Such as `[{"job": "ID", "strength": 1, "ext": null}]`.')
    ],
) -> Response:
    """Send several results as a ZIP, while it is made."""
    accept(request, "application/zip")
    store = store_of(request)
    wanted = [(item, store.find(item.job).done()) for item in read_items(items)]
    for item, _ in wanted:
        variant_of(item.strength, item.ext, item.quality, item.strip)
    headers = {"Content-Disposition": 'attachment; filename="restored.zip"'}
    return StreamingResponse(stream(_entries(store, wanted)), media_type="application/zip", headers=headers)


async def _entries(store: Store, wanted: list[tuple[Item, Job]]) -> AsyncIterator[tuple[str, Path | Problem]]:
    for item, job in wanted:
        try:
            job = store.find(job.id)
            strength = item.strength if job.facts["result"]["blendable"] else 1
            path, called, _ = await variant(store, job, strength, item.ext, item.quality, item.strip)
        except Problem as problem:
            yield job.name, problem
        else:
            yield entry_name(item.folder, plain_name(called), plain_name), path
