"""What all routes share: what a client accepts, whom it has reached, and how errors are described."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from resolvent.web.problems import MEDIA_TYPE, STATUSES, Problem, ProblemBody
from resolvent.web.store import Store

if TYPE_CHECKING:
    from resolvent.web.settings import Settings

__all__ = [
    "IMAGE",
    "JOB",
    "MEDIA_TYPES",
    "SENT",
    "accept",
    "as_json",
    "check_names",
    "client_of",
    "disposition",
    "is_gone",
    "problems",
    "settings_of",
    "store_of",
]

MEDIA_TYPES = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "tiff": "image/tiff",
               "avif": "image/avif", "bmp": "image/bmp", "heif": "image/heif", "gif": "image/gif"}  # fmt: skip


SEVERAL = {"set"}
"""Fields that may be given several times."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the errors of an operation, and those of all."""
    every = (400, 401, 403, 406, 422)
    schema = {"schema": {"$ref": "#/components/schemas/ProblemBody"}}
    return {
        status: {"description": STATUSES[status], "model": ProblemBody, "content": {MEDIA_TYPE: schema}}
        for status in sorted({*every, *statuses})
    }


IMAGE: dict[str, Any] = {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
JOB = problems(404)
SENT = problems(408, 409, 413, 415, 429, 500, 503, 504, 507)


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


async def check_names(request: Request) -> None:
    """Refuse what would be ignored: a parameter that the path does not take, and all but the last of one given twice.

    Raises:
        Problem: There is such a one.
    """
    operation = request.app.openapi()["paths"][request.scope["route"].path][request.method.lower()]
    known = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"}
    for name in request.query_params:
        if name not in known:
            takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
            raise Problem(422, f"parameter {name!r:.80}: {request.url.path:.80} does not know it; {takes}")
    sent = Counter(name for name, _ in request.query_params.multi_items())
    if "requestBody" in operation:
        sent.update(name for name, _ in (await request.form()).multi_items())
    for name, count in sent.items():
        if count > 1 and name not in SEVERAL:
            raise Problem(422, f"{name:.80}: is given {count} times; give it once")


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


def disposition(name: str) -> str:
    """Tell a client to save a file, and its name: in ASCII too, for those that read no other (RFC 6266)."""
    plain = "".join(letter if " " <= letter <= "~" and letter not in '"\\%' else "_" for letter in name)
    return f'attachment; filename="{plain}"' + ("" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}")


async def is_gone(request: Request) -> bool:
    """Whether the client has hung up; what is received first is the end of its request."""
    return await request.is_disconnected() or await request.is_disconnected()
