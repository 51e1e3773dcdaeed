"""The server as a process: how it starts, and how it ends."""

import inspect
import os
import re
import signal
import subprocess
import sys
import threading
import time

import httpx
import numpy as np
import pytest

from resolvent.cli.serve import serve
from resolvent.errors import UsageError
from resolvent.web.settings import Settings
from tests.web.live import live_server, photograph, texture

LARGE = photograph("png", np.tile(texture(0, 96, 96), (16, 16, 1)))


def test_ctrl_c_tells_whoever_waits_and_prints_one_line(tmp_path):
    call = [sys.executable, "-m", "resolvent", "serve", "--port", "0"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(call, stderr=subprocess.PIPE, text=True, env=environment) as process:
        url = re.search(r"http://\S+", process.stderr.readline())[0]
        answers = []

        def ask(send):
            try:
                answers.append(send())
            except httpx.HTTPError as error:
                answers.append(error)

        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            job = client.post("/v1/jobs", files={"file": ("a.png", LARGE)}).json()["id"]
            waiting = [
                threading.Thread(
                    target=ask, args=[lambda: client.post("/v1/restore", files={"file": ("b.png", LARGE)})]
                ),
                threading.Thread(target=ask, args=[lambda: client.get(f"/v1/jobs/{job}/events")]),
            ]
            for thread in waiting:
                thread.start()
            while client.get(f"/v1/jobs/{job}").json()["state"] == "queued":
                time.sleep(0.05)
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            for thread in waiting:
                thread.join(30)
        assert process.wait(30) == 130
        assert process.stderr.read().splitlines() == ["resolvent: stopped"]
    statuses = {answer.status_code: answer for answer in answers}
    assert statuses.keys() == {200, 503}
    assert "is ending" in statuses[503].json()["detail"]
    assert '"state":"failed"' in statuses[200].text.rpartition("data: ")[2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("abandon", [10, None])
def test_a_job_that_nobody_asks_for_is_stopped_if_that_was_asked(monkeypatch, abandon):
    with live_server(Settings()) as live, live.client() as client:
        data = {} if abandon is None else {"abandon": str(abandon)}
        name = client.post("/v1/jobs", files={"file": ("a.png", LARGE)}, data=data).json()["id"]
        store = live.app.state.store
        store.jobs[name].seen -= 11
        client.post("/v1/jobs", files={"file": ("b.png", photograph("png"))})  # for which place is made
        assert (name in store.jobs) == (abandon is None)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"host": "0.0.0.0"}, "other machines reach it, and nobody asks them for a token"),
        ({"host": "photos.example.org"}, "other machines reach it"),
        ({"token": "short"}, "must have at least 16"),
        ({"port": 70_000}, "from 0 .* to 65535"),
        ({"workers": 0}, "workers 0: must be above zero"),
        ({"memory": "10M"}, "is too little for a worker"),
        ({"origins": ("*",)}, "must be a scheme and a host"),
    ],
)
def test_what_would_not_be_safe_does_not_start(settings, part):
    with pytest.raises(UsageError, match=part):
        Settings(**settings)
    if "host" in settings:
        assert Settings(**settings, token="a" * 16).token


def test_the_defaults_of_the_command_are_those_of_the_settings():
    command, settings = inspect.signature(serve).parameters, Settings()
    renamed = {"timeout": "seconds", "keep": "minutes"}
    for name in ("host", "port", "token", "workers", "memory", "timeout", "queue", "keep", "kept_megabytes"):
        assert command[name].default == getattr(settings, renamed.get(name, name)), name
    for name in ("megapixels", "megabytes"):
        assert command[name].default == getattr(settings.limits, name)


def test_what_goes_wrong_at_the_end_of_a_job_is_its_own(monkeypatch):
    def lost(self, job, facts):
        raise FileNotFoundError(job.folder.result)

    small = {"file": ("a.png", photograph("png"))}
    with live_server(Settings()) as live, live.client() as client:
        with monkeypatch.context() as patch:
            patch.setattr("resolvent.web.store.Store._finish", lost)
            assert client.post("/v1/restore", files=small).status_code == 500
        assert client.post("/v1/restore", files=small).status_code == 200


def test_a_worker_that_is_warmed_up_has_its_share_of_the_threads(monkeypatch):
    from resolvent.web import work

    given = []
    monkeypatch.setattr(work, "open_session", lambda model, runtime, threads: given.append(threads))
    monkeypatch.setattr(work, "THREADS", None)
    work.sessions.cache_clear()
    try:
        work.ready(3)
    finally:
        work.sessions.cache_clear()
    assert set(given) == {3}
