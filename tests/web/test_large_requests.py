"""Requests that arrive slowly, never end, or hold too much; the server answers a good photograph afterwards."""

from __future__ import annotations

import io
import socket
import sys
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from PIL import Image as Pillow

from resolvent.image import Limits
from resolvent.web import guard, server
from tests.web.attacks import GOOD, TOKEN, is_problem, multipart, resident, status_of
from tests.web.conftest import Live, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


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
