"""What the tests that attack the server share: good files, forms made by hand, and what an answer has to be."""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image as Pillow

from resolvent.web import guard
from tests.web.conftest import photograph

TOKEN = "token-for-tests-0"
FOREVER = {"method": "pnp", "degradation": "blur:sigma=1.6 + noise:sigma=2", "set": "iterations=1000"}
GOOD = photograph(7)


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


def large(seed: int = 0) -> bytes:
    return photograph(seed, 512, 512)


def items(*jobs: Any) -> dict[str, str]:
    return {"items": json.dumps([job if isinstance(job, dict) else {"job": job} for job in jobs])}
