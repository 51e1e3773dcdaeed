"""Requests made from the OpenAPI description: none is an internal error, and every answer is as described."""

from __future__ import annotations

import warnings
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from resolvent.web.settings import Settings
from tests.web.live import finished, live_server, photograph, texture

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

IMAGES = [photograph("png", texture(seed, 16, 16)) for seed in range(3)] + [
    photograph("jpeg", texture(0, 16, 24)),
    b"x",
]

FIELDS = ["frame", "strength", "realism", "seed", "quality", "repair", "items", "token", "mask", "sigma", "scale"]
"""Of a form, that are left as they were made; those of free text are tested by hand."""


@pytest.fixture(scope="module")
def described():
    with live_server(Settings(queue=1000, kept=10_000)) as server:
        with server.client() as client:
            options = {"model": "denoise", "uncertainty": "learned"}
            job = client.post("/v1/jobs", files={"file": ("a.png", IMAGES[0])}, data=options).json()["id"]
            finished(client, job)
        yield schemathesis.openapi.from_url(f"{server.url}/openapi.json"), job


def test_every_answer_is_as_described(described):
    """By hand, for the plug-in of schemathesis does not know this pytest."""
    schema, job = described
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= 20
    seen = Counter()

    @settings(
        max_examples=5, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(data=st.data(), known=st.integers(0, 3))
    def check(operation, data, known):
        case = data.draw(operation.as_strategy())
        if known and "name" in (case.path_parameters or ()):
            case.path_parameters["name"] = "noisy.png" if "samples" in operation.path else job
        if known and isinstance(case.body, dict):
            fields = data.draw(st.sets(st.sampled_from(FIELDS), max_size=1))
            case.body = {name: value for name, value in case.body.items() if name in fields}
            if operation.body[0].media_type == "multipart/form-data":
                case.body["file"] = data.draw(st.sampled_from(IMAGES))
        answer = case.call_and_validate(checks=CHECKS, timeout=60)
        seen[answer.status_code] += 1

    for operation in sorted(operations, key=lambda operation: operation.method == "delete"):
        check(operation)
    assert {200, 202, 404, 415, 422} <= seen.keys()
