"""Restore or diagnose a photograph in one request."""

from __future__ import annotations

import json
import shutil
from typing import Annotated

import anyio
from fastapi import APIRouter, Form, Request
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from resolvent.web import work
from resolvent.web.bodies import DiagnosisBody, body_of
from resolvent.web.forms import PhotographForm, RestoreForm
from resolvent.web.routes.common import IMAGE, MEDIA_TYPES, SENT, accept, as_json, client_of, disposition, store_of
from resolvent.web.routes.intake import save, submit, task_for
from resolvent.web.store import Job, Store, plain_name

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["photographs"])


@router.post("/restore", response_class=Response, responses={200: {**IMAGE}, **SENT})
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


async def _remove(job: Job, store: Store) -> None:
    store.remove(job)


async def _remove_if_gone(request: Request, job: Job, store: Store) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    store.remove(job)


@router.post("/diagnose", responses=SENT)
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
        task = task_for(request, folder, plain_name(form.file.filename), {}, frame=form.frame)
        outcome = await store.pool.soon(work.diagnose, task)
    finally:
        shutil.rmtree(folder.path, ignore_errors=True)
    return DiagnosisBody(**outcome.value)
