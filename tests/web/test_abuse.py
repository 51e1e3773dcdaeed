"""The server is attacked, and answers a good photograph afterwards."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx
import numpy as np
import pytest
import tifffile
from anyio import to_process
from PIL import Image as Pillow

import resolvent
from resolvent.image import Limits
from resolvent.web import guard, pool, private, server, work
from resolvent.web.settings import Settings
from tests.web.conftest import Live, children, photograph, running, state, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

TOKEN = "token-for-tests-0"
FOREVER = {"method": "pnp", "degradation": "blur:sigma=1.6 + noise:sigma=2", "set": "iterations=1000"}
GOOD = photograph(7)
HEAD = b"%b / HTTP/1.1\r\nHost: localhost\r\n"


def pixels(data: bytes) -> Any:
    """The pixels of a file."""
    return np.asarray(Pillow.open(io.BytesIO(data)))


def resident() -> float:
    """Megabytes that this process takes, with the servers in it."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def multipart(*parts: tuple[bytes, bytes]) -> dict[str, Any]:
    """A form, byte by byte: what follows ``form-data;`` in each part, and what it holds."""
    body = b"".join(b"--x\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % part for part in parts)
    return {"content": body + b"--x--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}


def is_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Check that an answer is a problem of that status, with the headers of every answer."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-security-policy"] == guard.CSP
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["detail"]
    assert tempfile.gettempdir() + "/" not in answer.text
    return body


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def running_worker(live: Live, job: str, before: set[int]) -> int:
    """Wait until a job is being restored, and give the process that does it."""
    until(lambda: live.job(job)["stage"] == "restoring", 40)
    workers = children() - before

    def ticks() -> dict[int, int]:
        return {pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11]) for pid in workers}

    earlier = ticks()
    return until(lambda: next((pid for pid, used in ticks().items() if used > earlier[pid] + 10), None))


# Requests that arrive slowly, or never end


def test_a_slow_body_is_408(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PATIENCE", 0.4)
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    for length in (b"Content-Length: 1000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"):
        start = time.monotonic()
        assert status_of(live.first(head + length)) == 408
        with live.connect() as drip:  # some of it every now and then
            part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
            drip.sendall(head + length + (b"%x\r\n%b\r\n" % (len(part), part) if b"chunked" in length else part))
            answer = b""
            drip.settimeout(0.1)
            while not answer and time.monotonic() < start + 10:
                drip.sendall(b"1\r\n-\r\n" if b"chunked" in length else b"-")
                try:
                    answer = drip.recv(1000)
                except TimeoutError:
                    continue
            assert status_of(answer) == 408
        assert time.monotonic() - start < 6
    monkeypatch.undo()
    live.works()


def test_slow_headers_are_hung_up_on(monkeypatch: pytest.MonkeyPatch, start: Callable[..., Live]) -> None:
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.6)
    live = start()
    assert live.raw(b"GET / HT") == b""
    assert live.raw(b"") == b""
    with live.connect() as second:  # the first request is complete, the second is not
        second.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert second.recv(1)
        until(lambda: b"alive" in second.recv(4000))
        second.sendall(b"GET / HT")
        assert second.recv(4000) == b""
    with live.connect() as drain:  # answered before the body, which then drips for ever
        drain.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n")
        assert status_of(drain.recv(4000)) == 413
        until(lambda: not live.connections)
    assert live.get("/healthz").status_code == 200


def test_who_does_not_read_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, start: Callable[..., Live]) -> None:
    monkeypatch.setattr(server, "STALLED_SECONDS", 0.5)
    live = start()
    with live.connect() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.sendall(60 * b"GET /v1/samples/noisy.png HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: len(live.connections) == 1)
        until(lambda: not live.connections)
    assert live.get("/healthz").status_code == 200


def test_too_many_bytes_are_413(start: Callable[..., Live]) -> None:
    live = start(limits=Limits(megapixels=2, megabytes=1))
    before = resident()
    head = b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    for path in (b"/v1/jobs", b"/v1/restore", b"/v1/diagnose", b"/v1/archive", b"/v1/session", b"/nowhere"):
        start_time = time.monotonic()
        answer = live.first(head % path + b"Content-Length: 10000000000\r\n\r\n")
        assert status_of(answer) == 413
        assert b"application/problem+json" in answer
        assert time.monotonic() - start_time < 2

    def endless() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        for _ in range(300):
            yield bytes(100_000)

    for path in ("/v1/jobs", "/v1/session", "/v1/archive"):
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        try:
            answered = live.client.post(path, content=endless(), headers=kind)
        except httpx.TransportError:  # the server has hung up while we were sending
            continue
        assert answered.status_code in (400, 413)
    assert resident() - before < 40
    large = Pillow.new("L", (1000, 2001))
    file = io.BytesIO()
    large.save(file, "PNG")
    is_problem(live.post(file.getvalue(), path="/v1/restore"), 413)
    live.works()


def test_a_body_that_is_no_photograph_is_not_kept_in_memory(start: Callable[..., Live]) -> None:
    """Before anybody has asked for the token."""
    live = start(token=TOKEN)
    body = b'{"token": "' + b"a" * 150_000_000 + b'"}'
    before = resident()
    is_problem(live.client.post("/v1/session", content=body, headers={"Content-Type": "application/json"}), 413)
    assert resident() - before < 75


def test_bodies_that_arrive_at_once_do_not_fill_the_disk(start: Callable[..., Live]) -> None:
    live = start(limits=Limits(megabytes=5), kept_megabytes=10)
    head = (
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        b"Content-Length: 5000000\r\n\r\n"
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    )
    connections = [live.connect() for _ in range(4)]
    try:
        for connection in connections:
            connection.sendall(head + bytes(4_000_000))
        refused = until(lambda: [each for each in connections if readable(each)])
        answer = refused[0].recv(4000)
        assert status_of(answer) == 503
        assert b"retry-after" in answer.lower()
    finally:
        for connection in connections:
            connection.close()
    until(lambda: live.post(GOOD).status_code == 202)


def readable(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


def test_forms_of_many_parts_are_refused_at_once(live: Live) -> None:
    start = time.monotonic()
    is_problem(live.client.post("/v1/jobs", **multipart(*10_000 * [(b'name="set"', b"a=1")])), 400)
    is_problem(live.client.post("/v1/jobs", **multipart(*10_000 * [(b'name="file"; filename="a"', b"a")])), 400)
    is_problem(live.client.post("/v1/jobs", **multipart((b'name="set"', bytes(1 << 20)))), 400)
    is_problem(live.client.post("/v1/jobs", **multipart((b'name="set"\r\n' + 9999 * b"A: b\r\n", b""))), 400)
    kind = "multipart/form-data"
    for content_type in (
        kind,
        f"{kind}; boundary=",
        f"{kind}; boundary={'x' * 9999}",
        f"{kind}; boundary=y; charset=idna",
    ):
        answer = live.client.post("/v1/jobs", content=b"--x\r\n", headers={"Content-Type": content_type})
        assert answer.status_code in (400, 422), answer.text
    assert time.monotonic() - start < 6
    live.works()


TEXTS = {
    "degradation": ["blur:sigma=1 + " * 30_000, "(" * 400_000, "blur:" + "sigma=1," * 50_000,
                    "blur:sigma=" + "9" * 400_000, "blur:sigma=1e9",
                    "motion:length=1e300", "noise:sigma=nan", "\x00", "🙂"],
    "model": ["a" * 400_000, "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "..", ""],
    "method": ["x" * 400_000, "pnp\n", "__class__"],
    "set": ["a=[" * 100_000, "iterations=" + "9" * 400_000, "iterations=1e999", "=", "iterations"],
    "uncertainty": ["jacobian:probes=1e9", "x:" * 200_000],
    "ext": ["." * 400_000, "png/../x", "\x00"],
    "strip": ["gps" * 9999],
    "seed": ["9" * 30, "9" * 9999, "-1", "1.5"],
    "frame": ["9" * 9999, "0"],
    "sigma": ["nan", "-inf", "1e999"],
    "budget": ["nan", "-1", "0"],
    "strength": ["nan", "1.0001"],
    "nothing": ["1"],
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_huge_and_odd_options_are_refused_at_once(live: Live, name: str) -> None:
    for text in TEXTS[name]:
        options = {"method": "pnp", "degradation": "noise:sigma=9"} if name in ("set", "degradation") else {}
        start = time.monotonic()
        answer = live.post(GOOD, **{**options, name: text})
        if text:
            body = is_problem(answer, 422)
            assert len(body["detail"]) < 1000
        assert time.monotonic() - start < 2
    assert live.get("/healthz").status_code == 200


# Files that are none


def bomb(side: int) -> bytes:
    """A black PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    squeezed, rows = zlib.compressobj(1), bytes(100 * (1 + (side + 7) // 8))
    data = b"".join(squeezed.compress(rows) for _ in range(side // 100)) + squeezed.flush()
    header = side.to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "status"),
    [(bomb(30_000), 413), (b"", 422), (b"hello", 415), (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415),
     (GOOD[:40], 422), (b"\x89PNG\r\n\x1a\n", 422), (b"%PDF-1.7", 415)],
    ids=["bomb", "empty", "text", "svg", "cut", "signature", "pdf"],
)  # fmt: skip
def test_what_is_no_photograph_is_refused(live: Live, data: bytes, status: int) -> None:
    for path in ("/v1/restore", "/v1/diagnose"):
        is_problem(live.post(data, path=path), status)
    if data:
        job = live.send(data)
        assert live.wait(job)["error"]["status"] == status
        for name in ("before", "after", "result", "layers/change", "half-widths"):
            is_problem(live.get(f"/v1/jobs/{job}/{name}"), status)
    live.works()


@pytest.mark.parametrize("mask", [b"junk", GOOD[:40], photograph(1, 5, 5)], ids=["text", "cut", "size"])
def test_an_error_of_a_mask_names_the_mask(live: Live, mask: bytes) -> None:
    sent = live.client.post("/v1/jobs", files={"file": ("a.png", GOOD), "mask": ("../m.png", mask)})
    error = live.wait(sent.json()["id"])["error"]
    assert error["status"] in (415, 422)
    assert error["value"] == "mask"


def test_a_result_is_no_larger_than_a_photograph_may_be(start: Callable[..., Live]) -> None:
    live = start(limits=Limits(megapixels=0.01))
    small = photograph(0, 24, 32)
    problem = is_problem(live.post(small, path="/v1/restore", scale=4), 413)
    assert "scale 4: 128 x 96 are 0.0 megapixels" in problem["detail"]
    assert live.post(small, path="/v1/restore", scale=2).status_code == 200


def odd_files() -> list[bytes]:
    """Images of every format, cut and with bytes changed; those of a folder too, if one is given."""
    from resolvent.image import Image, encode_image
    from resolvent.image.formats import DEPTHS

    generator = np.random.default_rng(11)
    files = [
        b"GIF89a" + bytes(40),
        b"II*\x00" + b"\xff" * 60,
        b"MM\x00*" + bytes(60),
        b"BM" + b"\xff" * 60,
        b"RIFF\xff\xff\xff\xffWEBPVP8L" + bytes(40),
        b"\xff\xd8\xff" + bytes(60),
        b"\x00\x00\x00 ftypavif" + bytes(60),
    ]
    for kind in DEPTHS:
        whole = encode_image(Image.from_array(pixels(photograph(3, 24, 32))), kind)
        files += [whole[: len(whole) // 2], whole[:-5], whole + b"more"]
        for _ in range(6):
            changed = np.frombuffer(whole, np.uint8).copy()
            where = generator.integers(0, min(len(changed), 400), 4)
            changed[where] = generator.integers(0, 256, 4)
            files.append(changed.tobytes())
    folder = os.environ.get("RESOLVENT_BAD")
    if folder:
        files += [path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    return files


def test_no_odd_file_is_an_error_of_the_server(live: Live) -> None:
    files = odd_files()
    for start in range(0, len(files), 40):  # a client may have so many that wait
        answers = [live.post(data, model="dejpeg") for data in files[start : start + 40]]
        assert {answer.status_code for answer in answers} <= {202, 413, 422}
        for job in [answer.json()["id"] for answer in answers if answer.status_code == 202]:
            body = live.wait(job, 120)
            if body["state"] == "failed":
                assert body["error"]["status"] in (413, 415, 422, 503), body["error"]
            before = live.get(f"/v1/jobs/{job}/before?size=16")
            assert before.status_code in (200, 413, 415, 422)
            assert live.client.delete(f"/v1/jobs/{job}").status_code == 204
    live.works()


# Who may ask


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("/v1/about", "image/png"), ("/v1/jobs/x", "text/html"), ("/v1/jobs/x/result", "application/json"),
     ("/v1/samples/noisy.png", "text/*"), ("/v1/jobs/x/events", "application/json"), ("/v1/models", ",;q")],
)  # fmt: skip
def test_what_is_not_accepted_is_406(live: Live, path: str, wanted: str) -> None:
    is_problem(live.get(path, headers={"Accept": wanted}), 406)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "",
        "[",
        "[::1",
        "localhost:8484@evil.example",
        "2130706433",
        "a" * 5000,
    ],
)
def test_other_names_of_the_server_are_400(live: Live, host: str) -> None:
    is_problem(live.get("/v1/about", headers={"Host": host}), 400)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "127.0.0.1", "[::1]:8484", "192.168.1.5:80"])
def test_addresses_and_localhost_are_names_of_the_server(live: Live, host: str) -> None:
    assert live.get("/v1/about", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[x"},
        {"Origin": ""},
        {"Origin": "localhost"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
def test_pages_of_other_sites_are_403(live: Live, headers: dict[str, str]) -> None:
    for path in ("/v1/jobs", "/v1/restore", "/v1/archive", "/v1/session"):
        is_problem(live.post(GOOD, path=path, headers=headers), 403)
    is_problem(live.client.request("DELETE", "/v1/jobs/x", headers=headers), 403)


def test_a_page_of_the_server_may_send(live: Live) -> None:
    headers = {"Origin": live.url, "Sec-Fetch-Site": "same-origin"}
    assert live.post(GOOD, headers=headers).status_code == 202


def test_the_token(start: Callable[..., Live]) -> None:
    live = start(token=TOKEN, origins=("https://example.org",))
    paths = ("/v1/about", "/v1/jobs/x", "/metrics", "/v1/samples/noisy.png", "/nowhere", "/v1/models")
    for path in paths:
        is_problem(live.get(path), 401)
    wrong = [f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer", "Bearer ÿ", f"Bearer {TOKEN} x", TOKEN]
    for value in wrong:
        is_problem(live.get("/v1/about", headers={"Authorization": value.encode("latin-1")}), 401)
    is_problem(live.post(GOOD), 401)
    assert live.get("/v1/about", headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200
    for token in ("wrong", "", "\ud800"):
        content = json.dumps({"token": token}).encode()
        answer = live.client.post("/v1/session", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code in (401, 422)
    name, cookie = guard.cookie_of(TOKEN)
    for value in ("a/b=1", "(x)=1", "=", "\x80\xff", f"{name}={TOKEN}", f'{name}="\\', "x" * 9999):
        is_problem(live.get("/v1/about", headers={"Cookie": value.encode("latin-1")}), 401)
        both = f"{value}; {name}={cookie}".encode("latin-1")  # of other servers of this machine
        assert live.get("/v1/about", headers={"Cookie": both}).status_code == 200
    assert live.client.post("/v1/session", json={"token": TOKEN}).status_code == 204
    assert live.get("/v1/about").status_code == 200
    live.client.cookies.clear()
    page = {"Origin": "https://example.org"}
    asked = live.client.options("/v1/jobs", headers={**page, "Access-Control-Request-Method": "POST"})
    assert asked.status_code == 200
    refused = live.get("/v1/about", headers=page)
    is_problem(refused, 401)
    assert refused.headers["access-control-allow-origin"] == "https://example.org"
    is_problem(live.get("/v1/about", headers={"Origin": "https://evil.example"}), 401)


def test_a_guessed_job_is_404(live: Live) -> None:
    job = live.send(GOOD)
    for guess in (job[:-1], job + "x", job.swapcase(), "x", "%00", "..", "%2e%2e", job + "%00", "é", "%ff", "a" * 9999):
        for rest in ("", "/before", "/result", "/layers/change", "/events"):
            assert live.get(f"/v1/jobs/{guess}{rest}").status_code == 404
        assert live.client.delete(f"/v1/jobs/{guess}").status_code in (404, 405)
        assert live.client.post("/v1/jobs", data={"source": guess}).status_code in (404, 422)
    assert live.wait(job)["state"] == "done"


@pytest.fixture(scope="module")
def opened() -> list[str]:
    """Names of files that this process opens."""
    names: list[str] = []
    sys.addaudithook(lambda event, arguments: names.append(str(arguments[0])) if event == "open" else None)
    return names


def test_no_file_of_the_server_is_read(live: Live, tmp_path: Path, opened: list[str]) -> None:
    canary = tmp_path / "canary.png"
    canary.write_bytes(photograph(99, 33, 44))
    os.utime(canary, (0, time.time()))  # a read brings the first of them up to date, except where nothing does
    opened.clear()
    answers = []
    for path in (
        str(canary),
        f"../../../../../../..{canary}",
        f"file://{canary}",
        str(canary).replace("/", "\\"),
        f"{canary}\x00.png",
    ):
        quoted = quote(path, safe="")
        answers += [
            live.post(GOOD, model=path),
            live.post(GOOD, method=path, degradation="noise:sigma=9"),
            live.post(GOOD, method="pnp", degradation="noise:sigma=9", set=f"denoiser={path}"),
            live.post(GOOD, method="pnp", degradation=f"kernel:path={path}"),
            live.post(GOOD, method="pnp", degradation=f"mask:path={path}"),
            live.post(GOOD, method="pnp", degradation=f"noise:sigma=9 + mask:path={path} "),
            live.post(GOOD, degradation=f"mask:path={path}"),
            live.post(GOOD, ext=path),
            live.post(GOOD, uncertainty=path),
            live.post(GOOD, mask=path),
            live.client.post("/v1/jobs", data={"source": path}),
            live.client.post("/v1/jobs", data={"file": path}),
            live.client.post("/v1/archive", data={"items": json.dumps([{"job": path, "folder": path}])}),
            *(live.get(f"{place}{rest}") for place in ("/static/", "/v1/samples/", "/v1/jobs/", "/", "/docs/")
              for rest in (quoted, "..%2f" * 9 + quoted)),
        ]  # fmt: skip
    for answer in answers:
        assert answer.status_code in (400, 404, 422), answer.text
    named = live.send(GOOD, name=f"../../..{canary}")
    body = live.wait(named)
    assert body["name"] == "canary.png"
    assert pixels(live.get(f"/v1/jobs/{named}/result").content).shape == (48, 64, 3)
    assert canary.stat().st_atime == 0
    assert not [name for name in opened if "canary" in name and not name.startswith("/proc")]
    assert any("photograph" in name for name in opened)


# Workers that die, hang or take too much


@pytest.fixture(scope="module")
def busy() -> Iterator[Live]:
    """A server whose workers are killed."""
    with running(Settings()) as live:
        live.works()
        yield live


@pytest.fixture(scope="module")
def others(busy: Live) -> set[int]:
    """Processes that are no workers of the busy server: those of other servers."""
    return children() - busy.store.pool.pids


def large(seed: int = 0) -> bytes:
    return photograph(seed, 512, 512)


def test_a_killed_worker_fails_one_job(busy: Live, others: set[int]) -> None:
    job, waiting = busy.send(large(), **FOREVER), busy.send(GOOD)
    os.kill(running_worker(busy, job, others), signal.SIGKILL)
    body = busy.wait(job)
    assert body["error"]["status"] == 500
    assert "killed" in body["error"]["detail"]
    is_problem(busy.get(f"/v1/jobs/{job}/result"), 500)
    assert busy.get(f"/v1/jobs/{job}/before").status_code == 200
    assert busy.wait(waiting)["state"] == "done"
    assert "resolvent_worker_deaths_total 1.0" in busy.get("/metrics").text
    until(lambda: not [pid for pid in children() if state(pid) == "Z"], 2)


def test_a_worker_that_hangs_is_504(busy: Live, others: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    busy.works()
    monkeypatch.setattr(busy.store.pool, "settings", replace(busy.store.settings, seconds=1.5))
    job = busy.send(large(), **FOREVER)
    worker = running_worker(busy, job, others)
    assert busy.wait(job)["error"]["status"] == 504
    until(lambda: not state(worker), 2)
    monkeypatch.undo()
    busy.works()


def test_a_deleted_job_ends_at_once(busy: Live, others: set[int]) -> None:
    job = busy.send(large(), **FOREVER)
    worker = running_worker(busy, job, others)
    folder = busy.store.jobs[job].task.folder
    waiting = busy.send(GOOD)
    place = busy.store.jobs[waiting].task.folder
    assert busy.job(waiting)["position"] == 1
    assert busy.client.delete(f"/v1/jobs/{waiting}").status_code == 204  # while it waits
    assert busy.client.delete(f"/v1/jobs/{job}").status_code == 204
    start = time.monotonic()
    until(lambda: not state(worker) and not folder.exists() and not place.exists(), 5)
    assert time.monotonic() - start < 1
    is_problem(busy.get(f"/v1/jobs/{job}"), 404)
    is_problem(busy.client.delete(f"/v1/jobs/{job}"), 404)
    is_problem(busy.get(f"/v1/jobs/{waiting}"), 404)
    busy.works()


def test_a_job_deleted_while_its_worker_starts_leaves_none(busy: Live, others: set[int]) -> None:
    for worker in children() - others:
        os.kill(worker, signal.SIGKILL)
    until(lambda: not children() - others)
    for wait in (0.0, 0.05, 0.2, 0.5):
        job = busy.send(large(), **FOREVER)
        time.sleep(wait)
        assert busy.client.delete(f"/v1/jobs/{job}").status_code == 204
    known: set[int] = set()

    async def ask() -> None:
        known.clear()
        known.update(process.pid for process in to_process._process_pool_workers.get())

    def none_is_left() -> bool:
        busy.call(ask)
        return children() - others == known

    until(none_is_left, 5)
    until(lambda: not [pid for pid in children() - others if state(pid) == "Z"], 2)
    busy.works()


def test_who_hangs_up_stops_the_work(busy: Live, others: set[int]) -> None:
    form = multipart(
        *((f'name="{name}"'.encode(), text.encode()) for name, text in FOREVER.items()),
        (b'name="file"; filename="a.png"', large()),
    )
    head = b"POST /v1/restore HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    connection = busy.connect()
    connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(form["content"]) + form["content"])
    job = until(lambda: [job for job in busy.store.jobs.values() if job.state == "running"])[0]
    worker = running_worker(busy, job.id, others)
    connection.close()
    until(lambda: not state(worker) and job.id not in busy.store.jobs and not job.task.folder.exists(), 4)
    busy.works()


def test_pictures_that_nobody_waits_for_are_not_drawn(busy: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    job = busy.send(GOOD)
    busy.wait(job)
    quick, call, calls = busy.store.pool.quick, busy.store.pool._call, []
    monkeypatch.setattr(busy.store.pool, "_call", lambda *arguments: calls.append(arguments) or call(*arguments))

    async def hold() -> None:
        await quick.acquire_on_behalf_of(job)

    async def let_go() -> None:
        quick.release_on_behalf_of(job)

    busy.call(hold)
    asked = [busy.connect() for _ in range(20)]
    for connection in asked:
        connection.sendall(b"GET /v1/jobs/%b/before HTTP/1.1\r\nHost: localhost\r\n\r\n" % job.encode())
    until(lambda: quick.statistics().tasks_waiting == 20)
    for connection in asked[1:]:
        connection.close()
    until(lambda: len(busy.connections) <= 2)  # the one that waits, and that of the client
    busy.call(let_go)
    assert asked[0].recv(12) == b"HTTP/1.1 200"
    asked[0].close()
    until(lambda: not quick.statistics().tasks_waiting)
    assert len(calls) == 1


def test_out_of_memory_is_507(start: Callable[..., Live]) -> None:
    live = start(memory="512M")
    job = live.send(photograph(1, 50, 60))
    assert live.wait(job)["state"] == "done"
    huge = io.BytesIO()
    Pillow.new("RGB", (9990, 9990), (90, 120, 60)).save(huge, "PNG", compress_level=1)
    answer = live.post(huge.getvalue(), path="/v1/restore")
    is_problem(answer, 507)
    live.works()


def test_a_library_that_prints_does_not_stop_its_worker(live: Live) -> None:
    """Nobody reads what a worker prints: a pipe that is full would hold it for ever."""
    job = live.store.jobs[live.send(GOOD)]
    live.wait(job.id)
    outcomes: list[Any] = []

    async def shout() -> None:
        outcomes.append(await live.store.pool.soon(work.attempt, job.task, partial(os.write, 2, bytes(1_000_000))))

    live.call(shout)
    assert outcomes[0].value == 1_000_000


@pytest.mark.parametrize(
    ("error", "status"), [(OSError(24, "Too many open files"), 500), (MemoryError(), 500), (ValueError("?"), 500)]
)
def test_a_worker_that_cannot_start_fails_one_job(
    live: Live, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    async def fail(*arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(pool.to_process, "run_sync", fail)
    job = live.send(GOOD)
    assert live.wait(job)["error"]["status"] == status
    monkeypatch.undo()
    live.works()


def test_a_full_disk_is_507(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("resolvent.web.routes.intake._copy", full)
        assert (
            is_problem(live.post(GOOD), 507)["detail"]
            == "the disk of the server: No space left on device; send it later"
        )
    with monkeypatch.context() as patch:
        patch.setattr(tempfile.SpooledTemporaryFile, "write", full)
        is_problem(live.post(GOOD), 507)
    live.works()


# Servers that are killed


def launch(folder: Path) -> tuple[subprocess.Popen[str], str]:
    environment = {**os.environ, "TMPDIR": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "resolvent", "serve", "--port", "0"], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(r"http://[^/]+/", line)
        if found:
            return process, found[0]
    raise AssertionError("it did not start")


def test_what_a_killed_server_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with private.private_folder() as other:  # of a server that lives
        first, url = launch(tmp_path)
        (own,) = set(tmp_path.glob(f"{private.PREFIX}*")) - {other}
        with httpx.Client(base_url=url, timeout=30) as client:
            sent = client.post("/v1/jobs", files={"file": ("a.png", large())}, data=FOREVER).json()
            until(lambda: client.get(f"/v1/jobs/{sent['id']}").json()["stage"] == "restoring", 40)
        workers = children(first.pid)
        assert workers
        first.kill()
        first.communicate()
        until(lambda: not any(map(state, workers)), 6)
        assert own.exists()
        second, url = launch(tmp_path)
        try:
            assert not own.exists()
            assert other.exists()
            assert httpx.get(f"{url}healthz").status_code == 200
            assert len(set(tmp_path.glob(f"{private.PREFIX}*")) - {other}) == 1
        finally:
            second.send_signal(signal.SIGINT)
            second.communicate(timeout=20)
    assert not list(tmp_path.glob(f"{private.PREFIX}*"))


# Bounds


def from_address(live: Live, number: int) -> Live:
    """The same server for another client."""
    other = Live(live.port, live.app, live.server)
    other.client = httpx.Client(base_url=live.url, transport=httpx.HTTPTransport(local_address=f"127.0.0.{number}"))
    return other


def is_busy(answer: httpx.Response, status: int) -> None:
    is_problem(answer, status)
    assert int(answer.headers["retry-after"]) >= 1


def test_the_queue_is_bounded(start: Callable[..., Live]) -> None:
    live = start(queue=4)
    second, third = from_address(live, 2), from_address(live, 3)
    running = live.send(large(), **FOREVER)
    until(lambda: live.job(running)["state"] == "running")
    mine = [live.send(GOOD) for _ in range(2)]
    is_busy(live.post(GOOD), 429)
    is_busy(live.post(GOOD, path="/v1/restore"), 429)
    with ThreadPoolExecutor(8) as threads:  # all at once
        answers = list(threads.map(lambda _: second.post(GOOD), range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] * 2 + [429] * 6
    is_busy(third.post(GOOD), 503)
    assert [live.job(job)["position"] for job in mine] == [1, 2]
    live.client.delete(f"/v1/jobs/{mine[0]}")
    assert live.job(mine[1])["position"] == 1
    third.send(GOOD)
    live.client.delete(f"/v1/jobs/{running}")
    live.wait(mine[1])
    second.client.close()
    third.client.close()


def test_what_is_kept_is_bounded_and_expires(start: Callable[..., Live]) -> None:
    live = start(kept=4)
    second, third = from_address(live, 2), from_address(live, 3)
    jobs = [live.send(GOOD), live.send(b"broken")]
    for job in jobs:
        live.wait(job)
    is_busy(live.post(GOOD), 429)
    for _ in range(2):
        second.send(GOOD)
    is_busy(third.post(GOOD), 503)
    folders = [live.store.jobs[job].task.folder for job in jobs]
    for job in jobs:
        live.store.jobs[job].seen -= 3601
    third.send(GOOD)
    assert not any(folder.exists() for folder in folders)
    assert live.get(f"/v1/jobs/{jobs[0]}").status_code == 404
    second.client.close()
    third.client.close()


def test_bytes_that_are_kept_are_bounded(start: Callable[..., Live]) -> None:
    live = start(kept_megabytes=0.03)
    live.wait(live.send(GOOD))
    is_busy(live.post(GOOD), 503)


def test_idempotency(live: Live) -> None:
    key = {"Idempotency-Key": "once"}
    first = live.post(GOOD, headers=key)
    assert live.post(GOOD, headers=key).json()["id"] == first.json()["id"]
    is_problem(live.post(photograph(8), headers=key), 422)
    is_problem(live.post(GOOD, headers=key, quality=9), 422)
    is_problem(live.post(GOOD, headers={"Idempotency-Key": "x" * 201}), 422)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: live.post(GOOD, headers={"Idempotency-Key": "many"}), range(8)))
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert live.client.delete(f"/v1/jobs/{first.json()['id']}").status_code == 204
    assert live.post(photograph(8), headers=key).json()["id"] != first.json()["id"]


def test_connections_are_bounded(start: Callable[..., Live]) -> None:
    live = start(connections=4)
    idle = [live.connect() for _ in range(4)]
    until(lambda: len(live.connections) == 4)
    answer = live.get("/healthz")
    is_busy(answer, 503)
    live.client.close()
    for connection in idle:
        connection.close()
    until(lambda: not live.connections)
    assert httpx.get(f"{live.url}/healthz").status_code == 200


# Many at once


def test_every_answer_is_of_its_request(live: Live) -> None:
    live.works()
    before, end = resident(), time.monotonic() + 5

    def client(number: int) -> int:
        mine = photograph(number, 40 + number, 50 + 2 * number)
        color, answered = pixels(mine).mean((0, 1)), 0
        with httpx.Client(base_url=live.url, timeout=60) as own:
            while not answered or time.monotonic() < end:
                answer = own.post(
                    "/v1/restore", files={"file": (f"{number} {answered}.png", mine)}, data={"model": "denoise"}
                )
                assert answer.status_code == 200, answer.text
                assert f'filename="{number} {answered}.restored.png"' in answer.headers["content-disposition"]
                result = pixels(answer.content)
                assert result.shape == (40 + number, 50 + 2 * number, 3)
                assert np.abs(result.mean((0, 1)) - color).max() < 2.5
                answered += 1
        return answered

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(client, range(16))) >= 16
    assert resident() - before < 60
    assert not list(live.store.root.glob("*/result"))[200:]


# Names, archives, and what is fetched while it is deleted

NAMES = {
    "plain.png": "plain.restored.png",
    "two words é.PNG": "two words é.restored.PNG",
    "🙂‍🎉.png": "🙂🎉.restored.png",
    'a"b\r\nSet-Cookie: c=d;%22%0a.png': "abSet-Cookie c=d;%22%0a.restored.png",
    "\u202egnp.exe\u200f.png": "gnp.exe.restored.png",
    "../../../etc/passwd": "passwd.restored.png",
    "C:\\x\\..\\y.png": "y.restored.png",
    "..": "photograph.restored.png",
    " . ": "photograph.restored.png",
    "trailing...": "trailing.restored.png",
    ".hidden": "hidden.restored.png",
    "x.tar.gz": "x.tar.gz.restored.png",
    "a" * 300 + ".png": "a" * 196 + ".restored.png",
    "é" * 300 + ".png": "é" * 98 + ".restored.png",
    "CON": "_CON.restored.png",
    "nul.jpg": "_nul.restored.png",
    "lpt1.tar.png": "_lpt1.tar.restored.png",
    "console.png": "console.restored.png",
    "'; rm -rf ~ #$(x)`y`.png": "'; rm -rf ~ #$(x)`y`.restored.png",
    "<script>|*?.png": "script.restored.png",
    "tab\tnul\x00.png": "tabnul.restored.png",
}


def raw_name(name: str) -> bytes:
    return b'name="file"; filename="%b"' % name.replace('"', '\\"').replace("\r\n", "").encode()


def saved_as(header: str) -> str:
    """The name under which a client saves a file: RFC 6266, the encoded one first."""
    assert header.isascii()
    assert header.startswith('attachment; filename="')
    plain, extended = re.fullmatch(
        r"""attachment; filename="([^"\\]*)"(?:; filename\*=UTF-8''([\w.~%-]+))?""", header
    ).groups()  # type: ignore[union-attr]
    return plain if extended is None else unquote(extended)


@pytest.fixture(scope="module")
def named(live: Live) -> dict[str, str]:
    """Jobs of photographs with odd names."""
    jobs = {}
    for name in NAMES:
        answer = live.client.post("/v1/jobs", **multipart((raw_name(name), GOOD), (b'name="strength"', b"0")))
        assert answer.status_code == 202, answer.text
        jobs[name] = answer.json()["id"]
    for job in jobs.values():
        assert live.wait(job)["state"] == "done"
    return jobs


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_become_safe_ones(live: Live, named: dict[str, str], name: str) -> None:
    body = live.job(named[name])
    assert body["result"]["name"] == NAMES[name]
    answer = live.get(f"/v1/jobs/{named[name]}/result")
    assert saved_as(answer.headers["content-disposition"]) == NAMES[name]
    assert "set-cookie" not in answer.headers


def items(*jobs: Any) -> dict[str, str]:
    return {"items": json.dumps([job if isinstance(job, dict) else {"job": job} for job in jobs])}


def opened_archive(answer: httpx.Response) -> zipfile.ZipFile:
    assert answer.status_code == 200, answer.text
    assert saved_as(answer.headers["content-disposition"]) == "restored.zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


def test_an_archive_of_odd_names_opens(live: Live, named: dict[str, str]) -> None:
    jobs = list(named.values())
    folders = ["", "../../", "/etc/", "C:\\", "a/b/" * 40, "..", "\x00/CON/", "🙂/\u202e/x. /", "é" * 400]
    wanted = [{"job": job, "folder": folders[number % len(folders)]} for number, job in enumerate(jobs * 15)]
    assert len(wanted) > 300
    archive = opened_archive(live.client.post("/v1/archive", data=items(*wanted)))
    names = archive.namelist()
    assert len({name.lower() for name in names}) == len(wanted)
    for name in names:
        parts = name.split("/")
        assert len(parts) <= 17
        for part in parts:
            assert part == part.strip(" .")
            assert part.isprintable()
            assert not set(part) & set('<>:"|?*\\')
            assert part.partition(".")[0].upper() not in ("CON", "NUL", "LPT1")
            assert 0 < len(part.encode()) <= 230
    assert all(info.external_attr >> 16 == 0o600 for info in archive.infolist())
    assert archive.read(names[0]) == live.get(f"/v1/jobs/{jobs[0]}/result").content


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 422),
        ("[]", 422),
        ("{}", 422),
        ("[1]", 422),
        ("[" * 100_000, 422),
        ('[{"job": "x"}]', 404),
        ("9" * 5000, 422),
        ('[{"job": "\\ud800"}]', 404),
        ('[{"job": "x", "strength": NaN}]', 422),
        ('[{"job": "x", "path": "/etc"}]', 422),
        ('[{"job": null}]', 422),
        ('"', 422),
        ("x" * 510_000, 422),
        ("\x00", 422),
    ],
)
def test_what_is_no_list_of_results_is_refused(live: Live, text: str, status: int) -> None:
    is_problem(live.client.post("/v1/archive", data={"items": text}), status)


def test_an_archive_of_jobs_that_end_in_other_ways(live: Live) -> None:
    good, broken = live.send(GOOD), live.send(b"broken")
    live.wait(good)
    live.wait(broken)
    is_problem(live.client.post("/v1/archive", data=items(good, broken)), 415)
    is_problem(live.client.post("/v1/archive", data=items(good, "unknown")), 404)
    is_problem(live.client.post("/v1/archive", data=items({"job": good, "ext": "exe"})), 422)
    is_problem(live.client.post("/v1/archive", data=items({"job": good, "quality": 101})), 422)
    live.client.delete(f"/v1/jobs/{good}")
    is_problem(live.client.post("/v1/archive", data=items(good)), 404)


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


def test_variants_made_at_once_do_not_disturb_each_other(live: Live) -> None:
    job = live.send(photograph(4, 200, 200), model="denoise")
    live.wait(job)
    asked = [f"{live.url}/v1/jobs/{job}/result?strength=0.{number}&ext=png" for number in range(10)] * 2
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(partial(httpx.get, timeout=30), asked))
    assert [answer.status_code for answer in answers] == [200] * 20
    assert len({answer.content for answer in answers}) == 10


# Pictures and variants of photographs of all kinds


def tiff(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


def shade(channels: int, height: int = 61, width: int = 83) -> Any:
    """Noisy values from 0 to 1."""
    generator = np.random.default_rng(channels)
    ramp = np.linspace(0.2, 0.8, width)[None, :, None] * np.linspace(1, 0.8, channels)
    return np.clip(ramp + generator.normal(0, 0.05, (height, width, channels)), 0, 1)


def saved(array: Any, kind: str, mode: str | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(array, mode).save(file, kind, **options) if mode is None else Pillow.fromarray(array).convert(
        mode
    ).save(file, kind, **options)
    return file.getvalue()


def eight(values: Any) -> Any:
    return np.rint(255 * values).astype(np.uint8)


def kinds() -> dict[str, bytes]:
    rgb, gray, alpha = shade(3), shade(1)[..., 0], shade(4)
    return {
        "png 8": saved(eight(rgb), "PNG"),
        "png gray": saved(eight(gray), "PNG"),
        "png alpha": saved(eight(alpha), "PNG"),
        "png gray alpha": saved(eight(shade(2)), "PNG"),
        "png 16": saved(np.rint(65535 * gray).astype(np.uint16), "PNG"),
        "tiff 16": tiff(np.rint(65535 * rgb).astype(np.uint16), photometric="rgb"),
        "tiff float": tiff(rgb.astype(np.float32), photometric="rgb"),
        "tiff float gray": tiff(gray.astype(np.float32)),
        "tiff hdr": tiff((8 * rgb - 1).astype(np.float32), photometric="rgb"),
        "tiff alpha 16": tiff(np.rint(65535 * alpha).astype(np.uint16), photometric="rgb", extrasamples=["unassalpha"]),
        "palette": saved(eight(rgb), "PNG", "P"),
        "gif": saved(eight(rgb), "GIF"),
        "bmp": saved(eight(rgb), "BMP"),
        "webp": saved(eight(rgb), "WEBP", lossless=True),
        "jpeg": saved(eight(rgb), "JPEG", quality=95),
        "jpeg cmyk": saved(eight(rgb), "JPEG", "CMYK", quality=95),
        "1 bit": saved(eight(gray) > 128, "PNG"),
        "one pixel": saved(eight(rgb)[:1, :1], "PNG"),
        "a column": saved(eight(rgb)[:, :1], "PNG"),
    }


@pytest.mark.parametrize("name", kinds())
def test_pictures_show_the_pixels(live: Live, name: str, tmp_path: Path) -> None:
    data = kinds()[name]
    job = live.send(data, name=name.replace(" ", "."), model="denoise", strip="gps")
    body = live.wait(job)
    assert body["state"] == "done", body["error"]
    result = live.get(f"/v1/jobs/{job}/result").content
    before, after = resolvent.image.read_image(data), resolvent.image.read_image(result)
    width, height = before.width, before.height
    assert (body["photograph"]["width"], body["photograph"]["height"]) == (width, height)
    left, top = width // 3, height // 3
    part = np.s_[top : top + 20, left : left + 30]
    lossless = name not in ("jpeg", "jpeg cmyk", "webp")
    for where, image in (("before", before), ("after", after)):
        shown_range = before.with_data(image.data, image.alpha)  # of the photograph, for both
        colors = np.concatenate([shown_range.read(row, 0, row + 1, width) for row in range(height)])
        expected = 255 * np.clip(colors, 0, 1)
        shown = live.get(f"/v1/jobs/{job}/{where}?crop={left},{top},30,20")
        assert shown.headers["content-type"] == "image/png"
        picture = pixels(shown.content).astype(float)
        if picture.ndim == 2:
            picture = picture[..., None]
        assert (picture.shape[2] in (2, 4)) == (image.alpha is not None)
        drawn = picture[..., : image.channels]
        assert drawn.shape == expected[part].shape
        assert np.abs(drawn - expected[part]).max() <= (1 if lossless or where == "before" else 12)
        if image.alpha is not None:
            opaque = 1 if image.depth == 32 else 2**image.depth - 1
            assert np.abs(picture[..., -1] - 255.0 * image.alpha[part] / opaque).max() <= 1
        whole = live.get(f"/v1/jobs/{job}/{where}?size=16").content
        assert Pillow.open(io.BytesIO(whole)).size == small(width, height, 16)
    if "change" in body["result"]["layers"]:
        layer = pixels(live.get(f"/v1/jobs/{job}/layers/change?crop={left},{top},30,20").content)
        assert layer.shape[:2] == expected[part].shape[:2]


def small(width: int, height: int, size: int) -> tuple[int, int]:
    """The size of a picture: squares are averaged, then what is still too large is made smaller."""
    step = min(max(1, max(width, height) // size), width, height)
    shown = Pillow.new("L", (width // step, height // step))
    shown.thumbnail((size, size))
    return shown.size


@pytest.mark.parametrize("name", ["png 8", "png gray", "png alpha", "tiff 16", "tiff float", "tiff hdr", "jpeg"])
@pytest.mark.parametrize("strength", [0.0, 0.3, 0.9])
def test_a_strength_chosen_later_is_that_of_the_library(live: Live, name: str, strength: float) -> None:
    data = kinds()[name]
    body = live.wait(live.send(data, name=name.replace(" ", "."), model="denoise"))
    path = f"/v1/jobs/{body['id']}/result?strength={strength}"
    given = resolvent.image.read_image(live.get(f"{path}&quality=100" if name == "jpeg" else path).content)
    image = resolvent.image.read_image(data)
    expected = resolvent.restore(image, model="denoise", strength=strength)
    scale = 255 / (image.value_range.high - image.value_range.low)
    differences = scale * np.abs(given.data.astype(np.float64) - expected.data)
    assert given.data.dtype == expected.data.dtype
    assert (differences.mean() if name == "jpeg" else differences.max()) <= 1
    if strength == 0 and name != "jpeg":
        assert (given.data == image.data).all()


def test_pages_of_a_tiff_are_told_apart(live: Live) -> None:
    pages = [eight(shade(3)), 255 - eight(shade(3, 50, 40))]
    file = io.BytesIO()
    first, *rest = [Pillow.fromarray(page) for page in pages]
    first.save(file, "TIFF", save_all=True, append_images=rest)
    for frame in (1, 2):
        job = live.send(file.getvalue(), name="pages.tif", frame=frame, strength=0)
        assert live.wait(job)["state"] == "done"
        for where in ("before", "after"):
            shown = pixels(live.get(f"/v1/jobs/{job}/{where}?crop=0,0,200,200").content)
            assert (shown == pages[frame - 1]).all()
        again = live.client.post("/v1/jobs", data={"source": job, "strength": 0}).json()["id"]
        body = live.wait(again)
        assert (body["photograph"]["height"], body["photograph"]["width"]) == pages[frame - 1].shape[:2]
    assert live.wait(live.send(file.getvalue(), frame=3))["error"]["status"] == 422


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_an_enlarged_photograph_is_shown_in_its_own_pixels(live: Live, mode: str) -> None:
    data = photograph(2, 40, 30, mode=mode)
    job = live.send(data, scale=2)
    body = live.wait(job)
    assert body["state"] == "done", body["error"]
    assert (body["result"]["width"], body["result"]["height"]) == (60, 80)
    assert body["result"]["layers"] == []
    result = pixels(live.get(f"/v1/jobs/{job}/result").content)
    shown = pixels(live.get(f"/v1/jobs/{job}/after?crop=35,50,25,30").content)
    assert np.abs(shown.astype(int) - result[50:80, 35:60]).max() <= 1
    assert pixels(live.get(f"/v1/jobs/{job}/before?crop=0,0,99,99").content).shape[:2] == (40, 30)
    is_problem(live.get(f"/v1/jobs/{job}/result?strength=0.5"), 422)
    is_problem(live.get(f"/v1/jobs/{job}/layers/change"), 404)
    assert live.get(f"/v1/jobs/{job}/result?ext=bmp").status_code == 200


@pytest.mark.parametrize("crop", ["0,0,1,1", "63,47,9,9", "64,48,1,1", "999999,0,4096,4096", "0,0,4096,4096"])
def test_crops_at_the_edge_are_pictures(live: Live, named: dict[str, str], crop: str) -> None:
    job = named["plain.png"]
    truth = pixels(GOOD)
    shown = pixels(live.get(f"/v1/jobs/{job}/before?crop={crop}").content)
    left, top, width, height = map(int, crop.split(","))
    left, top = min(left, 63), min(top, 47)
    assert (shown == truth[top : top + height, left : left + width]).all()


@pytest.mark.parametrize(
    "crop",
    ["0,0,0,1", "-1,0,1,1", "0,0,4097,1", "1,2,3", "1,2,3,4,5", "", "a", "1e3,0,1,1", "9999999,0,1,1", "0,0,1,1\n"],
)
def test_what_is_no_crop_is_422(live: Live, named: dict[str, str], crop: str) -> None:
    is_problem(live.get(f"/v1/jobs/{named['plain.png']}/before", params={"crop": crop}), 422)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "CONNECT", "QUERY", "X" * 500])
@pytest.mark.parametrize("path", ["/", "/v1/jobs", "/v1/jobs/x/result", "/docs"])
def test_other_methods_are_405(live: Live, method: str, path: str) -> None:
    answer = live.client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"]
    assert answer.content == b"" or answer.json()["status"] == 405


def test_pipelined_requests_are_answered_in_turn(live: Live, named: dict[str, str]) -> None:
    job = named["plain.png"]
    asked = [
        f"GET /v1/jobs/{job}",
        "GET /healthz",
        f"GET /v1/jobs/{job}/before?size=16",
        "GET /nowhere",
        "DELETE /v1/jobs/x",
    ]
    head = "".join(f"{line} HTTP/1.1\r\nHost: localhost\r\n\r\n" for line in asked)
    answer = live.raw((head + "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").encode())
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"200", b"200", b"404", b"404", b"200"]


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n" * 50_000,
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        b"GET \xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["lines", "version", "tls", "hosts", "header", "path", "negative", "length", "smuggled", "http2"],
)
def test_what_is_no_http_is_refused(live: Live, data: bytes) -> None:
    with live.connect() as connection:
        connection.sendall(data)
        connection.settimeout(2)
        try:
            answer = connection.recv(4000)
        except (TimeoutError, ConnectionResetError):
            answer = b""
    assert answer == b"" or 400 <= status_of(answer) < 500
    assert live.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "value", ["bytes=abc", "bytes=0-0", "bytes=9999999-", "bytes=5-1", "bytes=" + "0-1," * 3000 + "0-1", "x=1"]
)
def test_odd_ranges_of_a_result(live: Live, named: dict[str, str], value: str) -> None:
    answer = live.get(f"/v1/jobs/{named['plain.png']}/result", headers={"Range": value})
    assert answer.status_code in (200, 206, 400, 416)
    assert len(answer.content) < 100_000


def test_nothing_is_left_behind(live: Live) -> None:
    """After all of the above: folders of the jobs that are kept, and no more processes than calls at once."""

    def left() -> dict[str, list[str]]:
        others = {path.name for path in live.store.root.glob(f"{private.PREFIX}*")}  # servers of other tests
        known = {job.task.folder.name for job in live.store.jobs.values()}
        folders = [path for path in live.store.root.iterdir() if path.is_dir() and path.name not in {*known, *others}]
        return {path.name: [file.name for file in path.iterdir()] for path in folders}

    until(lambda: live.store.pool.busy == 0)
    time.sleep(0.2)
    assert left() == {}
    until(lambda: not [pid for pid in children() if state(pid) == "Z"], 2)
    assert live.store.pool.busy == 0
