"""Run the server: listen, say where, and end with everything deleted."""

from __future__ import annotations

import asyncio
import socket
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from resolvent.errors import UsageError
from resolvent.web.app import create_app

if TYPE_CHECKING:
    from fastapi import FastAPI

    from resolvent.web.settings import Settings

__all__ = ["configuration", "listen", "serve"]

HEADER_SECONDS = 15.0
"""In which the header of the first request of a connection has to be there."""


class Protocol(H11Protocol):
    """HTTP/1.1, which hangs up on connections that send no request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self.patience = self.loop.call_later(HEADER_SECONDS, self._hang_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """End waiting."""
        self.patience.cancel()
        super().connection_lost(exc)

    def _hang_up(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


class Server(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self.on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started:
            self.on_start()


def serve(settings: Settings, *, open_page: bool = False, say: Callable[[str], None] = lambda line: None) -> None:
    """Serve the page and the API until a signal ends it.

    Args:
        settings: How.
        open_page: Whether the page is opened in a browser.
        say: Prints a line for a person.

    Raises:
        UsageError: The address cannot be listened on.
    """
    listening = listen(settings.host, settings.port)
    port = listening.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{'localhost' if settings.host in ('0.0.0.0', '::') else host}:{port}/"

    def started() -> None:
        say(f"open {url} (Ctrl-C ends it)")
        if open_page:
            webbrowser.open(url)

    with listening:
        Server(configuration(create_app(settings), settings), started).run([listening])


def configuration(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """Say how an application is served."""
    options: dict[str, Any] = {"log_level": "warning", "access_log": False, "server_header": False, "ws": "none"}
    return uvicorn.Config(
        app,
        http=Protocol,
        proxy_headers=False,
        limit_concurrency=settings.connections,
        timeout_graceful_shutdown=3,
        lifespan="on",
        **options,
    )


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Raises:
        UsageError: The port is taken, or the host is not of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise UsageError(
            f"host {host} and port {port}: cannot be listened on ({error.strerror}); give another --port"
        ) from error
