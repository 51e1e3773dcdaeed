"""The API: every path under /v1, and those that watch a server."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal
from urllib.parse import quote

import anyio
from fastapi import APIRouter, Form, Header, Query, Request, UploadFile
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from pydantic import BaseModel
from starlette.background import BackgroundTask

from resolvent import __version__
from resolvent.image.formats import DEPTHS, FORMATS
from resolvent.report.overlay import CHANGE, UNCERTAINTY
from resolvent.web import work
from resolvent.web.archive import entry_name, stream
from resolvent.web.bodies import About, DiagnosisBody, JobBody, LayerBody, Limits, Sample, body_of
from resolvent.web.forms import (
    Choices,
    Item,
    JobForm,
    PhotographForm,
    RestoreForm,
    format_named,
    options_of,
    read_items,
    variant_of,
)
from resolvent.web.guard import COOKIE, is_same, session_of
from resolvent.web.pictures import LARGEST, View, draw
from resolvent.web.problems import MEDIA_TYPE, STATUSES, Problem, ProblemBody, full_disk
from resolvent.web.samples import SAMPLES, sample
from resolvent.web.store import Job, Store, plain_name, result_name

if TYPE_CHECKING:
    from resolvent.engine.options import Options
    from resolvent.web.folder import Folder
    from resolvent.web.settings import Settings

__all__ = ["router", "watching"]

MEDIA_TYPES = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "tiff": "image/tiff",
               "avif": "image/avif", "bmp": "image/bmp", "heif": "image/heif", "gif": "image/gif"}  # fmt: skip

PIECES = 15.0
"""Seconds after which a stream of events says that it is alive."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the errors of an operation, and those of all."""
    every = (400, 401, 403, 406, 422)
    schema = {"schema": {"$ref": "#/components/schemas/ProblemBody"}}
    return {
        status: {"description": STATUSES[status], "model": ProblemBody, "content": {MEDIA_TYPE: schema}}
        for status in sorted({*every, *statuses})
    }


IMAGE: dict[str, Any] = {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
EVENT = {
    "type": "object",
    "properties": {"event": {"const": "job"}, "data": {"type": "string", "contentMediaType": "application/json"}},
}
JOB = problems(404)
SENT = problems(408, 409, 413, 415, 429, 500, 503, 504, 507)

router = APIRouter(prefix="/v1")
watching = APIRouter(tags=["watching"])


def accept(request: Request, *types: str) -> str:
    """Choose the type of the answer that a client accepts.

    Raises:
        Problem: It accepts none.
    """
    wanted = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "*/*").split(",")]
    for part in wanted:
        for kind in types:
            if part in ("*/*", kind, f"{kind.partition('/')[0]}/*") or (
                kind == "image/*" and part.startswith("image/")
            ):
                return kind
    raise Problem(406, f"accept {', '.join(wanted):.80}: the answer is {' or '.join(types)}; accept one of them")


def store_of(request: Request) -> Store:
    """The jobs of the server that a request has reached."""
    store: Store = request.app.state.store
    return store


def settings_of(request: Request) -> Settings:
    """How that server is run."""
    return store_of(request).settings


def client_of(request: Request) -> str:
    """The address of who asks."""
    return request.client.host if request.client else "unknown"


def as_json(body: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> JSONResponse:
    """Answer a body, in characters that any client prints."""
    return JSONResponse(body.model_dump(mode="json"), status, headers)


@router.post("/restore", tags=["photographs"], response_class=Response, responses={200: {**IMAGE}, **SENT})
async def restore(request: Request, form: Annotated[RestoreForm, Form(media_type="multipart/form-data")]) -> Response:
    """Restore a photograph, and answer its file.

    The header `Resolvent-Result` says as JSON what was done and why. With `Accept: application/json` the answer is the
    finished job, and its result is kept for a while. If the client hangs up, the work stops.
    """
    kind = accept(request, "image/*", "application/json")
    job = await submit(request, form.file, form, keep=kind == "application/json")
    store = store_of(request)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_remove_if_gone, request, job, store)
            await job.finished.wait()
            group.cancel_scope.cancel()
        result = job.done().facts["result"]
    except BaseException:
        store.remove(job)
        raise
    if kind == "application/json":
        return as_json(body_of(job, store))
    said = json.dumps({name: value for name, value in result.items() if name not in ("layers", "blendable")})
    return FileResponse(
        job.folder.result,
        media_type=MEDIA_TYPES[result["format"]],
        headers={"Resolvent-Result": said, "Content-Disposition": disposition(result["name"])},
        background=BackgroundTask(_remove, job, store),
    )


def disposition(name: str) -> str:
    """Tell a client to save a file, and its name: in ASCII too, for those that read no other (RFC 6266)."""
    plain = "".join(letter if " " <= letter <= "~" and letter not in '"\\%' else "_" for letter in name)
    return f'attachment; filename="{plain}"' + ("" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}")


async def _remove(job: Job, store: Store) -> None:
    store.remove(job)


async def _remove_if_gone(request: Request, job: Job, store: Store) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    store.remove(job)


@router.post("/diagnose", tags=["photographs"], responses=SENT)
async def diagnose(
    request: Request, form: Annotated[PhotographForm, Form(media_type="multipart/form-data")]
) -> DiagnosisBody:
    """Measure noise, blur and JPEG quality of a photograph, and recommend a model."""
    accept(request, "application/json")
    store = store_of(request)
    store.admit(client_of(request), form.file.size or 0)
    folder = store.new_folder()
    try:
        await save(form.file, folder.photograph)
        task = _task(request, folder, plain_name(form.file.filename), {}, frame=form.frame)
        outcome = await store.pool.soon(work.diagnose, task)
    finally:
        shutil.rmtree(folder.path, ignore_errors=True)
    return DiagnosisBody(**outcome.value)


@router.post("/jobs", tags=["jobs"], status_code=202, responses={**SENT, **JOB})
async def send(
    request: Request,
    form: Annotated[JobForm, Form(media_type="multipart/form-data")],
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> JobBody:
    """Send a photograph, or name a job whose photograph is used again; it is restored when it is its turn.

    The header `Location` names the job. Sent again with the same `Idempotency-Key` within the life of the job, it is
    the same job.
    """
    accept(request, "application/json")
    store = store_of(request)
    if (form.file is None) == (form.source is None):
        raise Problem(422, "file and source: send one of them, the photograph or a job that has it")
    if not idempotency_key:
        return _accepted(await _taken(request, form), store)  # type: ignore[return-value]
    key, fingerprint = (client_of(request), idempotency_key), await _fingerprint(form)
    async with store.keyed:
        known = store.keys.get(key)
        if known is None:
            job = await _taken(request, form)
            store.keys[key] = (fingerprint, job.id)
        elif known[0] != fingerprint:
            raise Problem(422, f"Idempotency-Key {idempotency_key!r:.80}: was sent with another request; send another")
        else:
            job = store.find(known[1])
    return _accepted(job, store)  # type: ignore[return-value]


async def _taken(request: Request, form: JobForm) -> Job:
    if form.source is not None:
        return await submit(request, store_of(request).find(form.source), form)
    assert form.file is not None  # noqa: S101 - one of the two is given
    return await submit(request, form.file, form)


def _accepted(job: Job, store: Store) -> JSONResponse:
    return as_json(body_of(job, store), 202, {"Location": f"/v1/jobs/{job.id}"})


async def _fingerprint(form: JobForm) -> str:
    digest = hashlib.sha256(form.model_dump_json(exclude={"file", "mask"}).encode())
    for upload in (form.file, form.mask):
        while upload is not None and (piece := await upload.read(1 << 20)):
            digest.update(piece)
        if upload is not None:
            await upload.seek(0)
        digest.update(b"|")
    return digest.hexdigest()


@router.get("/jobs/{name}", tags=["jobs"], responses=JOB)
async def show(request: Request, name: str) -> JobBody:
    """Say how far a job is. With `If-None-Match` and the ETag of the last answer, 304 says that nothing changed."""
    accept(request, "application/json")
    store = store_of(request)
    job = store.find(name)
    body = body_of(job, store)
    tag = f'"{hashlib.sha256(body.model_dump_json(exclude={"expires"}).encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag} | ({} if job.over else {"Retry-After": "1"})
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)  # type: ignore[return-value]
    return as_json(body, headers=headers)  # type: ignore[return-value]


@router.delete("/jobs/{name}", tags=["jobs"], status_code=204, responses=JOB)
async def delete(request: Request, name: str) -> None:
    """Stop a job at once, and delete all of it."""
    store = store_of(request)
    store.remove(store.find(name))


@router.get(
    "/jobs/{name}/events",
    tags=["jobs"],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": EVENT}}}, **JOB},
)
async def events(request: Request, name: str) -> Response:
    """Send the job as a server-sent event `job` whenever it changes, until it is done, failed or deleted."""
    accept(request, "text/event-stream")
    store = store_of(request)
    return StreamingResponse(_events(store.find(name), store), media_type="text/event-stream")


async def _events(job: Job, store: Store) -> AsyncIterator[str]:
    last, quiet = "", 0.0
    while True:
        over = job.over
        text = body_of(job, store).model_dump_json(exclude={"expires"})
        if text != last:
            last, quiet = text, 0.0
            yield f"event: job\ndata: {text}\n\n"
        elif quiet >= PIECES:
            quiet = 0.0
            yield ": alive\n\n"
        if over or job.id not in store.jobs:
            return
        with anyio.move_on_after(0.25):
            await job.finished.wait()
        quiet += 0.25


Strength = Annotated[float, Query(ge=0, le=1, description="Blend: 0 is the photograph, 1 the result.")]
Ext = Annotated[str | None, Query(description="Format, such as `png`.")]
Quality = Annotated[int | None, Query(ge=1, le=100, description="JPEG, WebP and AVIF quality.")]
Strip = Annotated[str | None, Query(description="Leave out metadata: `gps` or `all`.")]


@router.get("/jobs/{name}/result", tags=["jobs"], response_class=Response, responses={200: IMAGE, **problems(404, 409)})
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
    store.find(job.id)
    return outcome


async def is_gone(request: Request) -> bool:
    """Whether the client has hung up; what is received first is the end of its request."""
    return await request.is_disconnected() or await request.is_disconnected()


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


@router.get("/jobs/{name}/before", tags=["jobs"], response_class=Response, responses={200: IMAGE, **problems(404, 409)})
async def before(request: Request, name: str, size: Size = 2048, crop: Crop = None) -> Response:
    """Show the photograph as it was sent, with its color profile."""
    accept(request, "image/*")
    job = store_of(request).find(name)
    job.refresh()
    if "photograph" not in job.facts:
        job.done()
    return await _picture(request, job, "before", size, crop)


@router.get("/jobs/{name}/after", tags=["jobs"], response_class=Response, responses={200: IMAGE, **problems(404, 409)})
async def after(request: Request, name: str, size: Size = 2048, crop: Crop = None) -> Response:
    """Show the result, with its color profile."""
    accept(request, "image/*")
    return await _picture(request, store_of(request).find(name).done(), "after", size, crop)


@router.get(
    "/jobs/{name}/layers/{layer}", tags=["jobs"], response_class=Response, responses={200: IMAGE, **problems(404, 409)}
)
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


@router.get("/jobs/{name}/half-widths", tags=["jobs"], response_class=Response, responses={200: IMAGE, **problems(404)})
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
    tags=["jobs"],
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


@router.get("/models", tags=["lists"], responses=problems())
async def models(request: Request) -> dict[str, dict[str, Any]]:
    """List the models: what each is for, what it takes, and whether it has a map of errors."""
    accept(request, "application/json")
    from resolvent.models.registry import bundled, list_models

    return {
        name: {
            "summary": card.summary,
            "task": card.task,
            "scale": card.scale,
            "noise_level": card.noise_level,
            "sigma_range": card.sigma_range,
            "uncertainty": bool(card.uncertainty),
            "finds": card.outputs == 1,
            "fills": card.mask,
            "parameters": card.parameters,
            "license": card.license,
            "origin": "bundled" if name in bundled() else "added",
        }
        for name, card in list_models().items()
    }


@router.get("/methods", tags=["lists"], responses=problems())
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


@router.get("/about", tags=["lists"], responses=problems())
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
    samples = [Sample(name=name, title=title, url=f"/v1/samples/{name}") for name, (title, _, _) in SAMPLES.items()]
    return About(
        version=__version__, workers=settings.workers, limits=limits, formats=FORMATS, written=list(DEPTHS),
        layers=layers, samples=samples,
    )  # fmt: skip


@router.get("/samples/{name}", tags=["lists"], response_class=Response, responses={200: IMAGE, **JOB})
async def show_sample(request: Request, name: str) -> Response:
    """Give a photograph to try."""
    accept(request, "image/*")
    if name not in SAMPLES:
        raise Problem(404, f"sample {name!r:.40}: there is none; /v1/about lists them")
    data = await anyio.to_thread.run_sync(sample, name)
    return Response(data, media_type="image/png")


class Token(BaseModel):
    """What is sent once in the place of a password."""

    token: str


@router.post("/session", tags=["watching"], status_code=204, responses=problems())
async def session(request: Request, body: Token) -> Response:
    """Take the token of a browser, and give it a cookie instead."""
    settings = settings_of(request)
    await asyncio.sleep(0.2)  # who tries tokens is slow
    if settings.token and not is_same(body.token, settings.token):
        raise Problem(401, "token: is wrong; take it from where the server was started")
    response = Response(status_code=204)
    if settings.token:
        secure = request.headers.get("origin", "").startswith("https:")  # to a proxy perhaps, which asks over HTTP
        response.set_cookie(COOKIE, session_of(settings.token), httponly=True, samesite="strict", secure=secure)
    return response


@watching.get("/healthz", responses=problems())
async def healthz() -> dict[str, str]:
    """Say that the server is alive."""
    return {"status": "alive"}


@watching.get("/readyz", responses=problems(500, 504))
async def readyz(request: Request) -> dict[str, str]:
    """Say that a worker answers."""
    await store_of(request).pool.warm()
    return {"status": "ready"}


@watching.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}, **problems()})
async def metrics(request: Request) -> Response:
    """Give what Prometheus collects."""
    store = store_of(request)
    store.count()
    return Response(store.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def submit(request: Request, photograph: UploadFile | Job, form: Choices, *, keep: bool = True) -> Job:
    """Check a request, save its files, and make a job of it."""
    store, client = store_of(request), client_of(request)
    options = options_of(form)
    store.admit(client, photograph.size or 0)
    folder = store.new_folder()
    try:
        if isinstance(photograph, Job):
            name, frame = photograph.name, form.frame or photograph.task.frame
            folder.photograph.hardlink_to(photograph.folder.photograph)
        else:
            name, frame = plain_name(photograph.filename), form.frame
            await save(photograph, folder.photograph)
        if form.mask is not None:
            await save(form.mask, folder.mask)
            options["mask"] = folder.mask
        task = replace(
            _task(request, folder, name, options, frame=frame),
            format=format_named(form.ext), quality=form.quality, strip=form.strip, keep=keep,
        )  # fmt: skip
        store.admit(client)  # others may have come while the file was written
        return store.submit(client, name, task)
    except BaseException:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise


def _task(request: Request, folder: Folder, name: str, options: Options, *, frame: int | None) -> work.Task:
    settings = settings_of(request)
    return work.Task(
        folder.path, name, options, frame=frame, limits=settings.limits, memory=settings.memory_bytes,
        threads=settings.threads,
    )  # fmt: skip


async def save(upload: UploadFile, path: Path) -> None:
    """Write what was sent to a file of ours.

    Raises:
        Problem: It is empty, or the disk is full.
    """
    if not upload.size:
        raise Problem(422, f"file {plain_name(upload.filename)}: is empty; send a photograph")
    try:
        await anyio.to_thread.run_sync(_copy, upload.file, path)
    except OSError as error:
        raise full_disk(error) from error


def _copy(source: BinaryIO, path: Path) -> None:
    with path.open("xb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
