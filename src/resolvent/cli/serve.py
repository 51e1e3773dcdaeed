"""The command serve: the page and the API."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from resolvent.cli.console import say
from resolvent.errors import MissingDependencyError

__all__ = ["serve"]


def serve(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; one that other machines reach needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port; 0 takes any that is free.")] = 8484,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    token: Annotated[
        str | None,
        typer.Option("--token", help="Token that requests have to bring; better given as RESOLVENT_TOKEN."),
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option("--allow-host", help="A further name of this server; repeatable.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option("--allow-origin", help="Let pages of another site call the API (CORS); repeatable."),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", help="Photographs restored at once.")] = 1,
    memory: Annotated[str | None, typer.Option("--memory", help="Memory limit of each worker, such as 2G.")] = None,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds that one photograph may take.")] = 1800,
    queue: Annotated[int, typer.Option("--queue", help="Photographs that may wait.")] = 100,
    keep: Annotated[float, typer.Option("--keep", help="Minutes that results are kept for download.")] = 60,
    kept_megabytes: Annotated[
        float, typer.Option("--max-kept-megabytes", help="Disk space of results that are kept.")
    ] = 8000,
    megapixels: Annotated[float, typer.Option("--max-megapixels", help="Refuse larger photographs.")] = 250,
    megabytes: Annotated[float, typer.Option("--max-megabytes", help="Refuse larger files.")] = 500,
) -> None:
    """Serve a page that restores photographs, and an HTTP API, on this machine.

    Photographs stay on this machine, and everything is deleted at the end.
    """
    from importlib.util import find_spec

    from resolvent.image import Limits

    for module, package in (("fastapi", "FastAPI"), ("uvicorn", "uvicorn"), ("python_multipart", "python-multipart"),
                            ("prometheus_client", "prometheus-client")):  # fmt: skip
        if find_spec(module) is None:
            raise MissingDependencyError(package, "web", "serve")
    from resolvent.web.server import serve as run
    from resolvent.web.settings import TOKEN, Settings

    settings = Settings(
        host=host,
        port=port,
        token=token or os.environ.get(TOKEN) or None,
        hosts=tuple(allow_host or ()),
        origins=tuple(allow_origin or ()),
        workers=workers,
        memory=memory,
        limits=Limits(megapixels, megabytes),
        seconds=timeout,
        queue=queue,
        minutes=keep,
        kept_megabytes=kept_megabytes,
    )
    run(settings, open_page=open_page, say=say)
