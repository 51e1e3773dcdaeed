"""The API beside the command line and the library: the same words, the same files."""

from __future__ import annotations

import inspect
import io
import json
import re
import zipfile
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import resolvent
from resolvent import UsageError
from resolvent.cli.photographs import restore as restore_command
from resolvent.engine.options import make_request
from resolvent.report.overlay import CHANGE
from resolvent.web.forms import JobForm
from resolvent.web.settings import Settings
from tests.web.live import PROFILE, finished, live_server, photograph, pixels, texture

ASKED = {"model": "denoise", "sigma": "20"}


@pytest.fixture(scope="module")
def live():
    with live_server(Settings()) as server:
        yield server


@pytest.fixture(scope="module")
def client(live):
    with live.client() as client:
        yield client


def sent(client, data: bytes = b"", name: str = "photo.jpg", **options: Any) -> str:
    """Send a photograph; the id of its job."""
    files = {"file": (name, data or photograph())}
    answer = client.post("/v1/jobs", files=files, data={key: str(value) for key, value in options.items()})
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    return answer.json()["id"]


@pytest.fixture(scope="module")
def job(client):
    """A job with a map of errors, done."""
    body = finished(client, sent(client, uncertainty="learned", **ASKED))
    assert body["state"] == "done", body
    return body


FILES = {
    "photo.jpg": (photograph(quality=90), {}),
    "scan.png": (photograph("png"), {"ext": "webp", "quality": "80", "strip": "gps"}),
    "deep.tif": (photograph("tiff"), {"strength": "0.4"}),
    "small.png": (photograph("png", texture(height=24, width=32)), {"scale": "2"}),
    "invented.png": (photograph("png", texture(height=24, width=24)), {"scale": "4", "realism": "0.5"}),
}


@pytest.mark.parametrize("name", FILES)
def test_restoring_over_http_gives_the_bytes_of_the_command_line(client, run, tmp_path, name):
    data, options = FILES[name]
    options = options if "scale" in options else ASKED | options
    source, target = tmp_path / name, tmp_path / f"out.{options.get('ext', name.rpartition('.')[2])}"
    source.write_bytes(data)
    flags = [word for key, value in options.items() for word in (f"--{key}", value) if key != "ext"]
    assert run("restore", source, "-o", target, *flags)[0] == 0
    answer = client.post("/v1/restore", files={"file": (name, data)}, data=options)
    assert answer.status_code == 200, answer.text
    assert answer.content == target.read_bytes()
    said = json.loads(answer.headers["resolvent-result"])
    assert said["status"] == "restored"
    assert said["reasons"]
    stem, _, extension = name.partition(".")
    assert f'filename="{stem}.restored.{options.get("ext", extension)}"' in answer.headers["content-disposition"]


def test_what_needs_no_restoring_comes_back_byte_for_byte(client):
    data = photograph("png", np.full((40, 40, 3), 128, np.uint8))
    answer = client.post("/v1/restore", files={"file": ("flat.png", data)})
    assert answer.content == data
    assert json.loads(answer.headers["resolvent-result"])["status"] == "unchanged"


def test_metadata_survives_a_job(client, job):
    restored = Pillow.open(io.BytesIO(client.get(job["links"]["result"]).content))
    assert restored.info["icc_profile"] == PROFILE
    assert restored.getexif()[0x010F] == "Resolvent"
    assert restored.getexif().get_ifd(0x8825)[1] == "N"
    public = Pillow.open(io.BytesIO(client.get(job["links"]["result"], params={"strip": "gps"}).content))
    assert not public.getexif().get_ifd(0x8825)
    assert public.getexif()[0x010F] == "Resolvent"


def test_a_finished_restoration_can_be_answered_as_a_job(client):
    answer = client.post(
        "/v1/restore", files={"file": ("a.jpg", photograph())}, data=ASKED, headers={"Accept": "application/json"}
    )
    body = answer.json()
    assert body["state"] == "done"
    assert client.get(body["links"]["result"]).headers["content-type"] == "image/jpeg"
    assert client.delete(body["links"]["self"]).status_code == 204


def test_a_job_says_what_was_found_what_was_done_and_why(client):
    body = finished(client, sent(client, photograph("png", texture(height=96, width=96)), "a b.png"))
    assert body["name"] == "a b.png"
    assert body["photograph"] == {
        "width": 96, "height": 96, "format": "png", "depth": 8, "channels": 3, "alpha": False,
        "bytes": body["photograph"]["bytes"],
    }  # fmt: skip
    assert "noise" in body["diagnosis"]["words"]
    assert body["plan"]["model"] == body["diagnosis"]["model"] == body["result"]["model"]
    assert body["plan"]["expected_seconds"] > 0
    assert body["result"]["name"] == "a b.restored.png"
    assert (body["stage"], body["progress"], body["error"]) == ("done", 1.0, None)


def test_a_diagnosis_is_that_of_the_command_line(client, run, tmp_path):
    data = photograph("png", texture(height=96, width=96))
    (tmp_path / "a.png").write_bytes(data)
    known = json.loads(run("diagnose", tmp_path / "a.png", "--json")[1])
    found = client.post("/v1/diagnose", files={"file": ("a.png", data)}).json()["diagnosis"]
    assert found["noise_sigma"] == pytest.approx(known["noise_sigma"], abs=0.01)
    assert found["model"] == known["model"]
    assert found["reasons"] == known["reasons"]


def test_options_are_named_as_on_the_command_line():
    flags = set(inspect.signature(restore_command).parameters)
    named = {field.alias or name for name, field in JobForm.model_fields.items()}
    renamed = {"set": "settings"}
    assert {renamed.get(name, name) for name in named - {"file", "source", "abandon"}} <= flags


def test_the_events_of_a_job_end_with_what_it_is(client):
    job = sent(client, **ASKED)
    with client.stream("GET", f"/v1/jobs/{job}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line]
    assert set(lines[::2]) == {"event: job"}
    bodies = [json.loads(line.removeprefix("data: ")) for line in lines[1::2]]
    assert bodies[-1]["state"] == "done"
    assert [body["progress"] for body in bodies] == sorted(body["progress"] for body in bodies)


def test_a_request_that_is_sent_twice_is_one_job(client):
    def send(data, key="a key"):
        return client.post("/v1/jobs", files={"file": ("a.jpg", data)}, data=ASKED, headers={"Idempotency-Key": key})

    first, second = send(photograph()), send(photograph())
    assert first.json()["id"] == second.json()["id"]
    assert send(photograph(), "another").json()["id"] != first.json()["id"]
    other = send(photograph(quality=50))
    assert (other.status_code, "was sent with another request" in other.json()["detail"]) == (422, True)
    client.delete(first.headers["location"])
    assert send(photograph()).json()["id"] != first.json()["id"]


def test_nothing_is_sent_again_that_is_known(client, job):
    first = client.get(job["links"]["self"])
    again = client.get(job["links"]["self"], headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_pictures_are_the_pixels_of_both_files(client, job):
    restored = pixels(client.get(job["links"]["result"], params={"ext": "png"}).content)
    for link, known in (("before", pixels(photograph())), ("after", restored)):
        answer = client.get(job["links"][link], params={"crop": "8,4,16,12"})
        assert answer.headers["content-type"] == "image/png"
        assert (pixels(answer.content) == known[4:16, 8:24]).all()
        shown = Pillow.open(io.BytesIO(client.get(job["links"][link], params={"size": 32}).content))
        assert (shown.size, shown.info["icc_profile"]) == ((32, 24), PROFILE)
        small = known.reshape(24, 2, 32, 2, 3).mean((1, 3))
        assert abs(np.asarray(shown, float) - small).mean() < 3


def test_a_crop_beyond_the_edge_ends_there(client, job):
    assert pixels(client.get(job["links"]["after"], params={"crop": "60,40,100,100"}).content).shape == (8, 4, 3)
    assert pixels(client.get(job["links"]["after"], params={"crop": "900,900,10,10"}).content).shape == (1, 1, 3)


def test_layers_are_red_and_blue_where_the_numbers_say_so(client, job):
    widths = np.asarray(Pillow.open(io.BytesIO(client.get(job["links"]["half_widths"]).content))) / 256
    options = {"model": "denoise", "sigma": 20, "uncertainty": True}
    done = resolvent.Restorer(**options).run(photograph())
    assert (widths == done.uncertainty.half_width).all()
    whole = {"crop": "0,0,64,48"}
    red = pixels(client.get(job["links"]["uncertainty"], params=whole).content).astype(float)
    assert np.corrcoef((red[..., 0] - red[..., 1]).ravel(), np.clip(widths, 8, 32).ravel())[0, 1] > 0.9
    blue = pixels(client.get(job["links"]["change"], params=whole).content)
    levels = np.abs(pixels(photograph()).astype(np.float32) - done.image.data).max(axis=2)
    known = CHANGE.tinted(done.image.pixels.mean(axis=2), levels)
    assert abs(blue.astype(int) - known).max() <= 1


@pytest.mark.parametrize("strength", [0, 0.35, 1])
def test_another_strength_is_the_blend(client, job, strength):
    answer = client.get(job["links"]["result"], params={"strength": strength, "ext": "png"})
    known = resolvent.restore(pixels(photograph()), model="denoise", sigma=20, strength=strength)
    assert abs(pixels(answer.content).astype(int) - known).max() <= (0 if strength in (0, 1) else 1)


def test_the_photograph_of_a_job_is_restored_again_without_sending_it(client, job):
    answer = client.post("/v1/jobs", files={"source": (None, job["id"]), "model": (None, "dejpeg")})
    body = finished(client, answer.json()["id"])
    assert (body["name"], body["result"]["model"]) == ("photo.jpg", "dejpeg")
    client.delete(job["links"]["self"].replace(job["id"], body["id"]))
    assert client.get(job["links"]["result"]).status_code == 200


def test_an_archive_holds_what_was_asked_for(client, job):
    items = [{"job": job["id"], "folder": "../holiday/"}, {"job": job["id"], "strength": 0.5, "ext": "png"}]
    answer = client.post("/v1/archive", data={"items": json.dumps(items)})
    assert answer.headers["content-disposition"] == 'attachment; filename="restored.zip"'
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    assert archive.namelist() == ["holiday/photo.restored.jpg", "photo.restored.png"]
    assert archive.read("holiday/photo.restored.jpg") == client.get(job["links"]["result"]).content


def test_a_mask_is_filled(client):
    array = texture(noise=0)
    mask = np.zeros((48, 64), np.uint8)
    mask[10:14, 20:40] = 255
    data = photograph("png", np.where(mask[..., None] > 0, 255, array).astype(np.uint8))
    answer = client.post("/v1/restore", files={"file": ("a.png", data), "mask": ("m.png", photograph("png", mask))})
    filled = pixels(answer.content)
    assert (filled[mask == 0] == array[mask == 0]).all()
    assert abs(filled[mask > 0].astype(int) - array[mask > 0]).mean() < 60


def test_a_method_is_given_its_settings(client):
    asked = {"method": "wiener", "degradation": "blur:sigma=1 + noise:sigma=2", "set": ["iterations=3"]}
    answer = client.post("/v1/restore", files={"file": ("a.png", photograph("png"))}, data=asked)
    known = resolvent.restore(texture(), method="wiener", degradation=asked["degradation"], settings={"iterations": 3})
    assert (pixels(answer.content) == known).all()


WRONG = {
    "unknown option": ({"foo": "1"}, "foo '1': is not known here"),
    "out of range": ({"sigma": "900", "model": "denoise"}, "sigma '900'"),
    "not a number": ({"strength": "much"}, "strength 'much'"),
    "no such scale": ({"scale": "3"}, "scale 3"),
    "unknown model": ({"model": "denoize"}, "did you mean 'denoise'"),
    "a path": ({"model": "/models/own.onnx"}, "unknown model"),
    "more invention than there is": ({"scale": "4", "realism": "1.5"}, "realism '1.5'"),
    "invention of no model": ({"realism": "0.5"}, "realism 0.5: needs a model that can invent detail; give model upsc"),
    "invention of a model without it": ({"scale": "2", "realism": "0.5"}, "model 'upscale2' cannot invent detail"),
    "a map of invention": (
        {"model": "upscale4", "realism": "0.5", "uncertainty": "learned"}, "realism 0.5 and uncertainty"
    ),
    "two that do not go together": ({"model": "denoise", "scale": "2"}, "scale 2: not what model"),
    "a map of a method": (
        {"method": "tv", "degradation": "noise:sigma=5", "uncertainty": "learned"}, "uncertainty and method"
    ),
    "a file of the server": ({"method": "pnp", "degradation": "kernel:path=k.npy"}, "no file of the server is read"),
    "a model by its path": (
        {"method": "pnp", "degradation": "noise:sigma=5", "set": "model=own.onnx"}, "unknown model"
    ),
    "a model of several by its path": (
        {"method": "multi-target-dip", "degradation": "noise:sigma=5", "set": "targets=nlm,own.onnx"}, "unknown model"
    ),
    "a format that is not written": ({"ext": "gif"}, "unknown output extension"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"file": "abc"}, "file 'abc': must be a file"),
        ({"strength": "60%"}, "strength '60%': must be a number"),
        ({"strength": ["0", "1"]}, "strength: is given 2 times; give it once"),
        ({"frame": "1.5"}, "frame '1.5': must be a whole number"),
        ({"repair": "maybe"}, "repair 'maybe': must be true or false"),
        ({"budget": "0"}, "budget '0': must be more than 0"),
        ({"seed": "-1"}, "seed '-1': must be 0 or more"),
        ({"strip": "a" * 5000}, "must have 4096 characters at most"),
    ],
)
def test_a_wrong_field_is_told_in_plain_words(client, fields, message):
    files = {} if "file" in fields else {"file": ("a.jpg", photograph())}
    answer = client.post("/v1/jobs", files=files, data=fields)
    assert (answer.status_code, message in answer.json()["detail"]) == (422, True), answer.text


def test_what_would_be_ignored_is_refused(client):
    """A parameter of another path, or one given twice, of which one would not count; watchers may add theirs."""
    files = [("file", ("a.jpg", photograph())), ("file", ("b.jpg", photograph()))]
    for answer, message in {
        client.post("/v1/jobs", files=files): "file: is given 2 times",
        client.post("/v1/jobs?strength=0", files=files[:1]): "parameter 'strength': /v1/jobs does not know it",
        client.get("/v1/models?x=1"): "it takes none",
        client.get("/v1/jobs/a/result?Strength=0"): "it takes ext, quality, strength, strip",
        client.get("/v1/jobs/a/result?strength=0&strength=1"): "strength: is given 2 times",
    }.items():
        assert (answer.status_code, message in answer.json()["detail"]) == (422, True), answer.text
    crop = client.get("/v1/jobs/a/before?crop=abc")
    assert (crop.status_code, crop.json()["rule"]) == (422, "is not written as it must be")
    assert client.get("/healthz?time=1").status_code == client.get("/?x").status_code == 200


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_option_is_named_before_any_work(client, case):
    options, part = WRONG[case]
    answer = client.post("/v1/jobs", files={"file": ("a.jpg", photograph())}, data=options)
    body = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert part in body["detail"]
    assert body["instance"] == "/v1/jobs"
    assert {"type", "title", "status", "value", "rule", "remedy"} <= body.keys()


def test_a_damaged_photograph_fails_alone_and_is_called_by_its_name(client):
    body = finished(client, sent(client, photograph()[:300], "broken one.jpg", **ASKED))
    assert (body["state"], body["error"]["status"]) == ("failed", 422)
    assert body["error"]["detail"].startswith("broken one.jpg: ")
    assert "resolvent-serve" not in json.dumps(body)
    answer = client.get(f"/v1/jobs/{body['id']}/result")
    assert (answer.status_code, answer.json()["detail"]) == (422, body["error"]["detail"])


def test_lists_are_those_of_the_library(client):
    assert set(client.get("/v1/models").json()) == set(resolvent.list_models())
    assert set(client.get("/v1/methods").json()) == set(resolvent.list_methods())


def test_the_models_that_are_said_to_invent_detail_are_those_that_may(client):
    said = {name: about["realism"] for name, about in client.get("/v1/models").json().items()}
    for name, realism in said.items():
        try:
            make_request(model=name, realism=0.5)
        except UsageError:
            assert realism is False, name
        else:
            assert realism is True, name
    assert any(said.values())


def test_a_job_says_that_detail_is_invented_and_invents_it(client):
    data = photograph("png", texture(height=24, width=24))
    true, invented = (finished(client, sent(client, data, "a.png", scale=4, realism=value)) for value in (0, 0.5))
    assert all(body["state"] == "done" for body in (true, invented))
    words = "fine detail is invented to look real, and is not true to the scene"
    assert words in invented["result"]["reasons"]
    assert words not in true["result"]["reasons"]
    seen = [pixels(client.get(f"/v1/jobs/{body['id']}/result").content) for body in (true, invented)]
    assert seen[0].shape == seen[1].shape == (96, 96, 3)
    assert (seen[0] != seen[1]).any()


def test_samples_are_photographs_with_something_to_do(client):
    for sample in client.get("/v1/about").json()["samples"]:
        data = client.get(sample["url"]).content
        assert resolvent.diagnose(data).model is not None, sample["name"]


def test_the_description_names_every_error_and_the_docs_list_every_operation(client):
    schema = client.get("/openapi.json").json()
    assert schema["openapi"].startswith("3.1")
    docs = client.get("/docs").text
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", docs)
    assert "<script" not in docs
    for path, operations in schema["paths"].items():
        assert path in docs
        for operation in operations.values():
            assert operation["description"] or operation["summary"]
            assert "422" in operation["responses"]
            assert "HTTPValidationError" not in json.dumps(operation)


def test_requests_and_jobs_are_counted(client, job):
    text = client.get("/metrics").text
    assert float(re.search(r'^resolvent_jobs_total\{outcome="restored"\} (\S+)', text, re.MULTILINE)[1]) >= 1
    assert float(re.search(r"^resolvent_kept_bytes (\S+)", text, re.MULTILINE)[1]) > 0
    assert 'path="/v1/jobs/{name}"' in text
    assert job["id"] not in text


def test_it_is_alive_and_a_worker_answers(client):
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_the_page_and_its_files_are_ours(client):
    page = client.get("/").text
    links = [link for link in re.findall(r'(?:src|href)="([^"]+)"', page) if not link.startswith("#")]
    assert len(links) >= 3
    for link in links:
        answer = client.get(link)
        assert answer.status_code == 200, link
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
