"""For browsers that have a token, and for those who watch a server."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel

from resolvent.web.guard import cookie_of, is_same
from resolvent.web.problems import Problem
from resolvent.web.routes.common import problems, settings_of, store_of

__all__ = ["router"]

router = APIRouter(tags=["watching"])


class Token(BaseModel):
    """What is sent once in the place of a password."""

    token: str


@router.post("/v1/session", status_code=204, responses=problems())
async def session(request: Request, body: Token) -> Response:
    """Take the token of a browser, and give it a cookie instead."""
    settings = settings_of(request)
    await asyncio.sleep(0.2)  # who tries tokens is slow
    if settings.token and not is_same(body.token, settings.token):
        raise Problem(401, "token: is wrong; take it from where the server was started")
    response = Response(status_code=204)
    if settings.token:
        secure = request.headers.get("origin", "").startswith("https:")  # to a proxy perhaps, which asks over HTTP
        response.set_cookie(*cookie_of(settings.token), httponly=True, samesite="strict", secure=secure)
    return response


@router.get("/healthz", responses=problems())
async def healthz() -> dict[str, str]:
    """Say that the server is alive."""
    return {"status": "alive"}


@router.get("/readyz", responses=problems(500, 504))
async def readyz(request: Request) -> dict[str, str]:
    """Say that a worker answers."""
    await store_of(request).pool.warm()
    return {"status": "ready"}


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}, **problems()})
async def metrics(request: Request) -> Response:
    """Give what Prometheus collects."""
    store = store_of(request)
    store.count()
    return Response(store.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
