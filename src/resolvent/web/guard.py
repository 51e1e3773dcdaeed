"""What every request passes first: host, origin, token, size and pace of its body; and the headers of every answer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser

from resolvent.errors import internal
from resolvent.io import is_disk_full
from resolvent.web.problems import Problem, full_disk

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from resolvent.web.metrics import Metrics
    from resolvent.web.settings import Settings

logger = logging.getLogger("resolvent")

__all__ = ["CSP", "Guard", "cookie_of", "is_same"]

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

PATIENCE = 30.0
"""Seconds that the body of a request may take, and between two pieces of it."""

PACE = 100_000.0
"""Bytes a second that a body has to arrive at, once its patience is spent."""

UPLOADS = ("/v1/restore", "/v1/diagnose", "/v1/jobs")
"""Paths that photographs are sent to."""

SMALL = 2 * 2**20
"""Bytes of any other request, which is read into memory."""

SAFE = {"GET", "HEAD", "OPTIONS"}
"""Methods that change nothing."""

METHODS = SAFE | {"POST", "PUT", "PATCH", "DELETE"}

OPEN = ("/", "/docs", "/healthz", "/readyz", "/openapi.json", "/v1/session")
"""Paths that need no token: they show nothing of anybody's."""


class Guard:
    """Refuses what should not reach the application, with a problem.

    Args:
        app: The application.
        settings: Of the server.
        metrics: Counts the requests.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics
        self.arriving = 0
        own = {"localhost", settings.host.lower(), *(name.lower() for name in settings.hosts)}
        self.names = own | {socket.gethostname().lower()} if settings.token else own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, and pass it on."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), str(scope["path"])
        most = self.settings.body_bytes if path in UPLOADS else SMALL
        paced = _Paced(receive, most, self)
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                own = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    own.setdefault(name, value)
                own.setdefault("Cache-Control", "private, no-store")
            await send(message)

        try:
            self._check(scope, headers, path, most)
            await self.app(scope, paced, answer)
        except Problem as problem:
            if status:
                raise
            await problem.response(path)(scope, receive, answer)
        except Exception as error:  # whatever it is, it is one request's
            logger.error("%s %s: %s", scope["method"], path, internal(error))
            logger.debug("it was", exc_info=error)
            if not status:
                failed = full_disk(error) if is_disk_full(error) else Problem(500, internal(error))
                await failed.response(path)(scope, receive, answer)
        finally:
            self.arriving -= paced.size
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.requests.labels(
                scope["method"] if scope["method"] in METHODS else "other", route, status
            ).inc()

    def _check(self, scope: Scope, headers: Headers, path: str, most: int) -> None:
        if scope.get("crowded"):
            raise Problem(
                503, f"more than {self.settings.connections} connections: the server takes no more; send it later",
                retry_after=1,
            )  # fmt: skip
        host = headers.get("host", "")
        if not self._is_own(host):
            raise Problem(
                400, f"host {host!r:.80}: is not a name of this server; open it by its address, or give --allow-host"
            )
        if scope["method"] not in SAFE:
            self._check_origin(headers, host)
        if self.settings.token and path not in OPEN and not path.startswith("/static/"):
            self._check_token(headers)
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > most:
            raise _too_large(most)

    def _is_own(self, host: str) -> bool:
        """Addresses cannot be rebound by DNS; names have to be known."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self.names
        return True

    def _check_origin(self, headers: Headers, host: str) -> None:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if site in ("same-origin", "none") or origin in self.settings.origins:
            return
        foreign = origin is not None and origin.lower().partition("://")[2] != host.lower()
        if site is not None or foreign:
            raise Problem(403, f"origin {origin!r:.80}: is a page of another site; open the page of this server")

    def _check_token(self, headers: Headers) -> None:
        token = self.settings.token or ""
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and is_same(given, token):
            return
        name, known = cookie_of(token)
        if not is_same(cookie_parser(headers.get("cookie", "")).get(name, ""), known):
            raise Problem(401, "token: is missing or wrong; send it as Authorization: Bearer TOKEN")


def is_same(given: str, known: str) -> bool:
    """Compare in a time that does not tell how much is the same."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), known.encode())


def cookie_of(token: str) -> tuple[str, str]:
    """Give the name and the value of what a browser keeps instead of the token, which cannot be found from it.

    The name is that of this token, for servers at all ports of a host share their cookies.
    """
    digest = hmac.new(token.encode(), b"resolvent page", hashlib.sha256).hexdigest()
    return f"resolvent_{digest[:8]}", digest[8:]


def _too_large(most: int) -> Problem:
    return Problem(413, f"more than {most / 1e6:.0f} megabytes: the server takes no more; restore it with resolvent")


class _Paced:
    """Receives a body, as long as it is not too large and not too slow."""

    def __init__(self, receive: Receive, most: int, guard: Guard) -> None:
        self.receive, self.most, self.guard = receive, most, guard
        self.began: float | None = None
        self.size, self.complete = 0, False

    async def __call__(self) -> Message:
        if self.complete:  # what follows is the end of the connection, which takes as long as the answer
            return await self.receive()
        clock = asyncio.get_running_loop().time
        self.began = clock() if self.began is None else self.began
        until = min(clock() + PATIENCE, self.began + PATIENCE + self.size / PACE)
        try:
            async with asyncio.timeout_at(until):
                message = await self.receive()
        except TimeoutError:
            raise Problem(
                408, f"{self.size} bytes in {clock() - self.began:.0f} s: the body arrives too slowly; send it again"
            ) from None
        length = len(message.get("body", b""))
        self.size += length
        self.guard.arriving += length
        self.complete = not message.get("more_body", False)
        if self.size > self.most:
            raise _too_large(self.most)
        if self.guard.arriving > max(self.most, 1e6 * self.guard.settings.kept_megabytes):
            raise Problem(
                503, "the disk of the server: others send it too much just now; send it later", retry_after=10
            )
        return message
