"""Files that are no photographs, and photographs that are too large, are refused."""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from resolvent.image import Limits
from tests.web.attacks import GOOD, is_problem, pixels
from tests.web.conftest import Live, photograph

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def bomb(side: int) -> bytes:
    """A black PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    squeezed, rows = zlib.compressobj(1), bytes(100 * (1 + (side + 7) // 8))
    data = b"".join(squeezed.compress(rows) for _ in range(side // 100)) + squeezed.flush()
    header = side.to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "status"),
    [(bomb(30_000), 413), (b"", 422), (b"hello", 415), (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415),
     (GOOD[:40], 422), (b"\x89PNG\r\n\x1a\n", 422), (b"%PDF-1.7", 415)],
    ids=["bomb", "empty", "text", "svg", "cut", "signature", "pdf"],
)  # fmt: skip
def test_what_is_no_photograph_is_refused(live: Live, data: bytes, status: int) -> None:
    for path in ("/v1/restore", "/v1/diagnose"):
        is_problem(live.post(data, path=path), status)
    if data:
        job = live.send(data)
        assert live.wait(job)["error"]["status"] == status
        for name in ("before", "after", "result", "layers/change", "half-widths"):
            is_problem(live.get(f"/v1/jobs/{job}/{name}"), status)
    live.works()


@pytest.mark.parametrize("mask", [b"junk", GOOD[:40], photograph(1, 5, 5)], ids=["text", "cut", "size"])
def test_an_error_of_a_mask_names_the_mask(live: Live, mask: bytes) -> None:
    sent = live.client.post("/v1/jobs", files={"file": ("a.png", GOOD), "mask": ("../m.png", mask)})
    error = live.wait(sent.json()["id"])["error"]
    assert error["status"] in (415, 422)
    assert error["value"] == "mask"


def test_a_result_is_no_larger_than_a_photograph_may_be(start: Callable[..., Live]) -> None:
    live = start(limits=Limits(megapixels=0.01))
    small = photograph(0, 24, 32)
    problem = is_problem(live.post(small, path="/v1/restore", scale=4), 413)
    assert "scale 4: 128 x 96 are 0.0 megapixels" in problem["detail"]
    assert live.post(small, path="/v1/restore", scale=2).status_code == 200


def odd_files() -> list[bytes]:
    """Images of every format, cut and with bytes changed; those of a folder too, if one is given."""
    from resolvent.image import Image, encode_image
    from resolvent.image.formats import DEPTHS

    generator = np.random.default_rng(11)
    files = [
        b"GIF89a" + bytes(40),
        b"II*\x00" + b"\xff" * 60,
        b"MM\x00*" + bytes(60),
        b"BM" + b"\xff" * 60,
        b"RIFF\xff\xff\xff\xffWEBPVP8L" + bytes(40),
        b"\xff\xd8\xff" + bytes(60),
        b"\x00\x00\x00 ftypavif" + bytes(60),
    ]
    for kind in DEPTHS:
        whole = encode_image(Image.from_array(pixels(photograph(3, 24, 32))), kind)
        files += [whole[: len(whole) // 2], whole[:-5], whole + b"more"]
        for _ in range(6):
            changed = np.frombuffer(whole, np.uint8).copy()
            where = generator.integers(0, min(len(changed), 400), 4)
            changed[where] = generator.integers(0, 256, 4)
            files.append(changed.tobytes())
    folder = os.environ.get("RESOLVENT_BAD")
    if folder:
        files += [path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    return files


def test_no_odd_file_is_an_error_of_the_server(live: Live) -> None:
    files = odd_files()
    for start in range(0, len(files), 40):  # a client may have so many that wait
        answers = [live.post(data, model="dejpeg") for data in files[start : start + 40]]
        assert {answer.status_code for answer in answers} <= {202, 413, 422}
        for job in [answer.json()["id"] for answer in answers if answer.status_code == 202]:
            body = live.wait(job, 120)
            if body["state"] == "failed":
                assert body["error"]["status"] in (413, 415, 422, 503), body["error"]
            before = live.get(f"/v1/jobs/{job}/before?size=16")
            assert before.status_code in (200, 413, 415, 422)
            assert live.client.delete(f"/v1/jobs/{job}").status_code == 204
    live.works()
