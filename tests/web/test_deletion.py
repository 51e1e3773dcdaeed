"""What is deleted while it is fetched or packed is missed, and nothing of it is left."""

from __future__ import annotations

import io
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.web.attacks import items
from tests.web.conftest import Live, nothing_is_left, photograph

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def test_a_job_that_is_deleted_while_it_is_packed_is_listed(live: Live) -> None:
    jobs = [live.send(photograph(number, 500, 700), name=f"{number}.png", strength=0) for number in range(6)]
    for job in jobs:
        live.wait(job)
    many = [{"job": job, "ext": ext} for job in jobs for ext in ("tiff", "bmp", "png")]
    with live.client.stream("POST", "/v1/archive", data=items(*many)) as answer:
        pieces = answer.iter_bytes(1000)
        data = next(pieces)
        live.store.find(jobs[-1])
        assert httpx.delete(f"{live.url}/v1/jobs/{jobs[-1]}").status_code == 204
        data += b"".join(pieces)
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    assert set(archive.namelist()) == {f"{n}.restored.{ext}" for n in range(5) for ext in ("tif", "bmp", "png")} | {
        "errors.txt"
    }
    assert "5.png: job" in archive.read("errors.txt").decode()


def fetched(url: str) -> int | str:
    """The status of an answer, which may be cut off by the deletion of its file."""
    try:
        return httpx.get(url, timeout=30).status_code
    except httpx.RemoteProtocolError:
        return "cut"


def test_a_job_that_is_deleted_while_it_is_asked_for_is_404(live: Live) -> None:
    """Never an error of the server, and nothing is left of it."""
    for turn in range(6):
        job = live.send(photograph(turn, 300, 300), strength=0)
        live.wait(job)
        folder = live.store.jobs[job].task.folder
        asked = [
            f"result?strength=0.{turn}&ext=webp",
            f"result?quality=9{turn}&ext=jpeg",
            "before",
            "result",
            "after?size=99",
            "",
        ]
        with ThreadPoolExecutor(len(asked)) as threads:
            answers = [threads.submit(fetched, f"{live.url}/v1/jobs/{job}/{path}".rstrip("/")) for path in asked]
            time.sleep(0.03 * turn)
            assert live.client.delete(f"/v1/jobs/{job}").status_code == 204
            assert {answer.result() for answer in answers} <= {200, 404, "cut"}
        assert not folder.exists()


def test_nothing_is_left_behind(live: Live) -> None:
    """After all of the above, as after all other files that attack the same server."""

    nothing_is_left(live)
