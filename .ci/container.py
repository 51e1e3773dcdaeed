"""Serve from an installed wheel as the container does: nothing can be written but TMPDIR, and there is no home.

Run by the Python of a read-only environment that holds the wheel with its extra `web`, outside the checkout. What is
started, and how its health is checked, is read from the Dockerfile.
"""

import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from resolvent.image import Image, encode_image, read_image

DOCKERFILE = (Path(__file__).parent.parent / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
CONFINED = [] if os.geteuid() else ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
"""Without it, root could write anywhere."""


def instruction(name):
    """The JSON list of the last instruction of that name."""
    (line,) = [line for line in DOCKERFILE.splitlines() if line.partition(" ")[0] == name]
    return json.loads(line[line.index("[") :])


def answer(port, method, path, body=None, **headers):
    """Status and body of a request."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, response.read()


def alive(port, process, log):
    """Wait until the server answers."""
    until = time.monotonic() + 60
    while True:
        try:
            return answer(port, "GET", "/healthz")
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the server does not answer:\n{log.read_text()}") from None
            time.sleep(0.02)


def contents(folder):
    """Every file below a folder, and when it was changed."""
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*") if path.is_file()}


prefix, token = Path(sys.prefix), secrets.token_urlsafe()
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
start = [*instruction("ENTRYPOINT"), *instruction("CMD"), "--port", str(port)]
health = [word.replace("8484", str(port)) for word in instruction("HEALTHCHECK")]
before = contents(prefix)
with tempfile.TemporaryDirectory() as temporary, tempfile.TemporaryDirectory() as outside:
    environment = {"PATH": f"{prefix / 'bin'}:/usr/bin:/bin", "TMPDIR": temporary, "HOME": "/nonexistent"}
    there = {"cwd": prefix, "env": environment, "text": True}
    written = subprocess.run([*CONFINED, sys.executable, "-c", "open('new', 'w')"], capture_output=True, **there)
    assert "PermissionError" in written.stderr, "the environment can be written, so that nothing is tested"
    refused = subprocess.run([*CONFINED, *start], capture_output=True, **there)
    assert (refused.returncode, "RESOLVENT_TOKEN" in refused.stderr) == (2, True), refused
    log = Path(outside) / "log"
    environment["RESOLVENT_TOKEN"] = token
    with log.open("w") as file:
        process = subprocess.Popen([*CONFINED, *start], stdout=file, stderr=file, **there)
    try:
        assert alive(port, process, log)[0] == 200
        subprocess.run([*CONFINED, *health], check=True, **there)
        noisy = np.random.default_rng(0).normal(128, 25, (64, 96, 3)).clip(0, 255).astype(np.uint8)
        photograph = encode_image(Image.from_array(noisy), "png")
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        body, kind = head + photograph + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"
        status, said = answer(port, "POST", "/v1/restore", body, Content_Type=kind)
        assert (status, json.loads(said)["value"]) == (401, "token"), said
        status, said = answer(port, "POST", "/v1/restore", body, Content_Type=kind, Authorization=f"Bearer {token}")
        assert status == 200, said
        assert read_image(said).data.std() < noisy.std() / 2, "the noise is still there"
    finally:
        process.terminate()
        process.wait(30)
    left = sorted(str(path.relative_to(temporary)) for path in Path(temporary).rglob("*"))
    assert not left, f"left in TMPDIR: {left}"
    assert contents(prefix) == before, "files of the environment have changed"
    lines = log.read_text().splitlines()
    begin = [line.partition(" ")[0] for line in lines]
    assert begin == ["open", "others", "resolvent:"], f"a warning in the log: {lines}"
print("the server of the container works with nothing to write but TMPDIR")
