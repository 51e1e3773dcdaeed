"""Queues, files, bytes and connections are bounded, and many requests at once do not disturb each other."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import numpy as np
import pytest

from tests.web.attacks import FOREVER, GOOD, is_problem, large, pixels, resident
from tests.web.conftest import Live, photograph, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


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


def test_the_events_of_a_job_that_is_deleted_while_it_waits_end(start: Callable[..., Live]) -> None:
    live = start(queue=4)
    running = live.send(large(), **FOREVER)
    until(lambda: live.job(running)["state"] == "running")
    waiting = live.send(GOOD)
    with live.client.stream("GET", f"/v1/jobs/{waiting}/events") as answer:
        lines = (line for line in answer.iter_lines() if line.startswith("data: "))
        assert json.loads(next(lines).removeprefix("data: "))["position"] == 1
        assert httpx.delete(f"{live.url}/v1/jobs/{waiting}").status_code == 204
        assert [json.loads(line.removeprefix("data: "))["position"] for line in lines] == [0]
    live.client.delete(f"/v1/jobs/{running}")


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
    before, each = resident(), 4  # photographs of a client

    def client(number: int) -> int:
        mine = photograph(number, 40 + number, 50 + 2 * number)
        color = pixels(mine).mean((0, 1))
        with httpx.Client(base_url=live.url, timeout=60) as own:
            for answered in range(each):
                answer = own.post(
                    "/v1/restore", files={"file": (f"{number} {answered}.png", mine)}, data={"model": "denoise"}
                )
                assert answer.status_code == 200, answer.text
                assert f'filename="{number} {answered}.restored.png"' in answer.headers["content-disposition"]
                result = pixels(answer.content)
                assert result.shape == (40 + number, 50 + 2 * number, 3)
                assert np.abs(result.mean((0, 1)) - color).max() < 2.5
        return each

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(client, range(16))) == 16 * each
    assert resident() - before < 60
    assert not list(live.store.root.glob("*/result"))[200:]


def test_variants_made_at_once_do_not_disturb_each_other(live: Live) -> None:
    job = live.send(photograph(4, 200, 200), model="denoise")
    live.wait(job)
    asked = [f"{live.url}/v1/jobs/{job}/result?strength=0.{number}&ext=png" for number in range(10)] * 2
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(partial(httpx.get, timeout=30), asked))
    assert [answer.status_code for answer in answers] == [200] * 20
    assert len({answer.content for answer in answers}) == 10
