"""Requests that are no HTTP, or a use of it that nobody expects."""

from __future__ import annotations

import re
import sys

import pytest

from tests.web.attacks import status_of
from tests.web.conftest import Live

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "CONNECT", "QUERY", "X" * 500])
@pytest.mark.parametrize("path", ["/", "/v1/jobs", "/v1/jobs/x/result", "/docs"])
def test_other_methods_are_405(live: Live, method: str, path: str) -> None:
    answer = live.client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"]
    assert answer.content == b"" or answer.json()["status"] == 405


def test_pipelined_requests_are_answered_in_turn(live: Live, plain: str) -> None:
    asked = [
        f"GET /v1/jobs/{plain}",
        "GET /healthz",
        f"GET /v1/jobs/{plain}/before?size=16",
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
def test_odd_ranges_of_a_result(live: Live, plain: str, value: str) -> None:
    answer = live.get(f"/v1/jobs/{plain}/result", headers={"Range": value})
    assert answer.status_code in (200, 206, 400, 416)
    assert len(answer.content) < 100_000
