"""A server for tests: of this process, in a thread, on a port that is free."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
import uvicorn
from PIL import Image as Pillow
from PIL import ImageCms

from resolvent.web.app import create_app
from resolvent.web.server import Protocol, listen
from resolvent.web.settings import Settings


class Live:
    """A running server.

    Attributes:
        url: Where it is.
        app: Its application; ``app.state.store`` holds the jobs.
    """

    def __init__(self, url: str, app: Any) -> None:
        self.url, self.app = url, app

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, **options)


@contextmanager
def live_server(settings: Settings, *, warm: bool = False) -> Iterator[Live]:
    """Serve while the block runs."""
    listening = listen(settings.host, 0)
    app = create_app(settings, warm=warm)
    config = uvicorn.Config(
        app, http=Protocol, log_config=None, lifespan="on", ws="none", proxy_headers=False, timeout_graceful_shutdown=2,
        limit_concurrency=settings.connections,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield Live(f"http://127.0.0.1:{listening.getsockname()[1]}", app)
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


def finished(client: httpx.Client, job: str, seconds: float = 60) -> dict[str, Any]:
    """Ask for a job until it is done or failed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        body: dict[str, Any] = client.get(f"/v1/jobs/{job}").json()
        if body["state"] in ("done", "failed"):
            return body
        time.sleep(0.05)
    raise AssertionError(f"job {job} is not finished after {seconds} s")


def texture(seed: int = 0, height: int = 48, width: int = 64, noise: float = 20) -> np.ndarray:
    """A textured picture with noise, uint8 (height, width, 3)."""
    y, x = np.mgrid[:height, :width] / 64
    clean = 0.5 + 0.3 * np.stack([np.sin(9 * x + seed), np.cos(7 * y), np.sin(5 * (x + y))], axis=2)
    noisy = 255 * clean + np.random.default_rng(seed).normal(0, noise, clean.shape)
    return noisy.clip(0, 255).astype(np.uint8)


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def photograph(kind: str = "jpeg", array: np.ndarray | None = None, **options: Any) -> bytes:
    """The file of a picture, with a color profile and EXIF."""
    exif = Pillow.Exif()
    exif[0x010F] = "Resolvent"
    exif[0x0112] = 1
    exif.get_ifd(0x8825)[1] = "N"
    file = io.BytesIO()
    picture = Pillow.fromarray(texture() if array is None else array)
    picture.save(file, kind, exif=exif, icc_profile=PROFILE, **options)
    return file.getvalue()


def pixels(data: bytes) -> np.ndarray:
    """What another program reads from a file."""
    return np.asarray(Pillow.open(io.BytesIO(data)))
