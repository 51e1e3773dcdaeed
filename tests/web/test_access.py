"""Who may ask, and for what: hosts, origins, tokens, jobs and files of others."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from resolvent.web import guard
from tests.web.attacks import GOOD, TOKEN, is_problem, pixels
from tests.web.conftest import Live, photograph

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


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
