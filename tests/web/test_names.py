"""Odd names become safe ones, in headers and in archives."""

from __future__ import annotations

import io
import re
import sys
import zipfile
from urllib.parse import unquote

import httpx
import pytest

from tests.web.attacks import GOOD, is_problem, items, multipart
from tests.web.conftest import Live

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


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
