"""The application: the page, the API, and how errors are answered."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from resolvent import __version__
from resolvent.errors import ResolventError
from resolvent.io import is_disk_full
from resolvent.web.documents import Assets, docs_page
from resolvent.web.guard import Guard
from resolvent.web.metrics import Metrics
from resolvent.web.pool import Pool
from resolvent.web.private import private_folder
from resolvent.web.problems import Problem, full_disk, rule_of
from resolvent.web.routes import ROUTERS
from resolvent.web.routes.common import check_names
from resolvent.web.settings import Settings
from resolvent.web.store import Store

__all__ = ["create_app"]

logger = logging.getLogger("resolvent")

DESCRIPTION = "Restores noisy, blurred and over-compressed photographs on this machine."


def create_app(settings: Settings, *, warm: bool = True) -> FastAPI:
    """Make the application of a server.

    Args:
        settings: How it is run.
        warm: Whether a worker is started before the first photograph comes.
    """
    assets, metrics = Assets(), Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with private_folder() as root:
            temporary, tempfile.tempdir = tempfile.tempdir, str(root)  # where uploads are collected
            store = Store(settings, Pool(settings, metrics), metrics, root)
            app.state.store = store
            try:
                async with anyio.create_task_group() as group:
                    store.group = group
                    group.start_soon(store.tend)
                    if warm:
                        group.start_soon(_warm, store)
                    yield
                    group.cancel_scope.cancel()
            finally:
                tempfile.tempdir = temporary

    app = FastAPI(
        title="Resolvent",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        form_limits={"max_files": 2, "max_fields": 64, "max_part_size": 1 << 19},
    )
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(check_names)] if router.prefix else [])

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return HTMLResponse(assets.page, headers={"Cache-Control": "no-store"})

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str) -> Response:
        if name not in assets.files:
            raise Problem(404, f"file {name!r:.40}: there is none; reload the page")
        data, kind = assets.files[name]
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(data, media_type=kind, headers=headers)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(docs_page(app.openapi(), assets.path("docs.css")))

    _answer_errors(app)
    app.add_middleware(Guard, settings=settings, metrics=metrics)
    if settings.origins:  # outside: a browser asks for leave without a token, and shows a page no error without it
        app.add_middleware(
            CORSMiddleware, allow_origins=list(settings.origins), allow_methods=["*"], allow_headers=["*"],
            expose_headers=["Location", "ETag", "Retry-After", "Resolvent-Result", "Content-Disposition"],
        )  # fmt: skip
    return app


async def _warm(store: Store) -> None:
    try:
        await store.pool.warm()
    except Problem as problem:
        logger.warning("the first worker: %s", problem.message)


def _answer_errors(app: FastAPI) -> None:
    """Make a problem of whatever is raised."""

    @app.exception_handler(Problem)
    async def of_problem(request: Request, error: Problem) -> Response:
        return error.response(request.url.path)

    @app.exception_handler(ResolventError)
    async def of_call(request: Request, error: ResolventError) -> Response:
        return Problem(422, str(error)).response(request.url.path)

    @app.exception_handler(RequestValidationError)
    async def of_form(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][1:]) or "request"
        given = first.get("input")
        shown = "" if given is None or isinstance(given, dict) else f" {given!r:.80}"
        return Problem(422, f"{name}{shown}: {rule_of(first)}; see /docs").response(request.url.path)

    @app.exception_handler(HTTPException)
    async def of_http(request: Request, error: HTTPException) -> Response:
        texts = {
            404: f"path {request.url.path!r:.80}: there is none; /docs lists them",
            405: f"method {request.method}: {request.url.path!r:.80} does not take it; /docs says which it takes",
        }
        if is_disk_full(error):  # while a form is read
            return full_disk(error.__cause__ or error).response(request.url.path)
        problem = Problem(error.status_code, texts.get(error.status_code, f"the request: {error.detail}"))
        response = problem.response(request.url.path)
        response.headers.update(error.headers or {})
        return response
