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
"""In which the header of a request has to be there, from the start of a connection or the last answer."""

EVERYWHERE = ("0.0.0.0", "::")
"""Hosts that stand for all addresses of this machine."""

STALLED_SECONDS = 60.0
"""In which a client has to take some of what it asked for."""


class Protocol(H11Protocol):
    """HTTP/1.1, which hangs up on connections that send no request or take no answer, and marks those too many."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.most, self.limit_concurrency = self.limit_concurrency, None
        self.app = self._marked
        self.patience: asyncio.TimerHandle | None = None
        self.stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """End waiting."""
        for timer in (self.patience, self.stalled):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._wait()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Wait for a client that does not read."""
        super().pause_writing()
        self.stalled = self.loop.call_later(STALLED_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """End waiting for it."""
        if self.stalled is not None:
            self.stalled.cancel()
        super().resume_writing()

    def _wait(self) -> None:
        if self.patience is not None:
            self.patience.cancel()
        self.patience = self.loop.call_later(HEADER_SECONDS, self._hang_up)

    def _hang_up(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
            self.patience = self.loop.call_later(STALLED_SECONDS, self.transport.abort)

    async def _marked(self, scope: Any, receive: Any, send: Any) -> None:
        scope["crowded"] = self.most is not None and max(len(self.connections), len(self.tasks)) > self.most
        await self.config.loaded_app(scope, receive, send)


class Server(uvicorn.Server):
    """Tells when it listens, and ends the work that runs before it ends itself."""

    def __init__(self, app: FastAPI, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self.application, self.on_start = app, on_start

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell whoever waits for a photograph, then end."""
        self.application.state.store.end()
        await super().shutdown(sockets)

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
    url = f"http://{'localhost' if settings.host in EVERYWHERE else host}:{port}/"

    def started() -> None:
        say(f"open {url} (Ctrl-C ends it)")
        if settings.host in EVERYWHERE:
            say(f"others open http://{socket.gethostname()}:{port}/, and need the token")
        if open_page:
            webbrowser.open(url)

    with listening:
        app = create_app(settings)
        Server(app, configuration(app, settings), started).run([listening])


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
