"""Jobs: send a photograph, watch it, stop it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Annotated

import anyio
from fastapi import APIRouter, Form, Header, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from resolvent.web.bodies import JobBody, body_of
from resolvent.web.forms import JobForm
from resolvent.web.problems import Problem
from resolvent.web.routes.common import JOB, SENT, accept, as_json, client_of, is_gone, store_of
from resolvent.web.routes.intake import submit
from resolvent.web.store import Job, Store

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["jobs"])

PIECES = 15.0
"""Seconds after which a stream of events says that it is alive."""


EVENT = {
    "type": "object",
    "properties": {"event": {"const": "job"}, "data": {"type": "string", "contentMediaType": "application/json"}},
}


@router.post("/jobs", status_code=202, responses={**SENT, **JOB})
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
    key, fingerprint = (client_of(request), idempotency_key or ""), ""
    if idempotency_key:
        fingerprint = await _fingerprint(form)
        known, name = store.keys.get(key, (fingerprint, None))
        if known != fingerprint:
            raise Problem(422, f"Idempotency-Key {idempotency_key!r:.80}: was sent with another request; send another")
        if name == "":
            raise Problem(409, f"Idempotency-Key {idempotency_key!r:.80}: its request is being read; ask again")
        if name in store.jobs:
            return _accepted(store.jobs[name], store)  # type: ignore[return-value]
        store.keys[key] = (fingerprint, "")
    try:
        job = await submit(request, form.file or store.find(form.source or ""), form)
    except BaseException:
        if idempotency_key:
            del store.keys[key]
        raise
    if idempotency_key:
        store.keys[key] = (fingerprint, job.id)
    elif await is_gone(request):  # and nobody knows its name
        store.remove(job)
    return _accepted(job, store)  # type: ignore[return-value]


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


@router.get("/jobs/{name}", responses=JOB)
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


@router.delete("/jobs/{name}", status_code=204, responses=JOB)
async def delete(request: Request, name: str) -> None:
    """Stop a job at once, and delete all of it."""
    store = store_of(request)
    store.remove(store.find(name))


@router.get(
    "/jobs/{name}/events",
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
