"""Pictures and variants of photographs of all kinds."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

import resolvent
from tests.web.attacks import GOOD, is_problem, pixels
from tests.web.conftest import Live, photograph

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def tiff(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


def shade(channels: int, height: int = 61, width: int = 83) -> Any:
    """Noisy values from 0 to 1."""
    generator = np.random.default_rng(channels)
    ramp = np.linspace(0.2, 0.8, width)[None, :, None] * np.linspace(1, 0.8, channels)
    return np.clip(ramp + generator.normal(0, 0.05, (height, width, channels)), 0, 1)


def saved(array: Any, kind: str, mode: str | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(array, mode).save(file, kind, **options) if mode is None else Pillow.fromarray(array).convert(
        mode
    ).save(file, kind, **options)
    return file.getvalue()


def eight(values: Any) -> Any:
    return np.rint(255 * values).astype(np.uint8)


def kinds() -> dict[str, bytes]:
    rgb, gray, alpha = shade(3), shade(1)[..., 0], shade(4)
    return {
        "png 8": saved(eight(rgb), "PNG"),
        "png gray": saved(eight(gray), "PNG"),
        "png alpha": saved(eight(alpha), "PNG"),
        "png gray alpha": saved(eight(shade(2)), "PNG"),
        "png 16": saved(np.rint(65535 * gray).astype(np.uint16), "PNG"),
        "tiff 16": tiff(np.rint(65535 * rgb).astype(np.uint16), photometric="rgb"),
        "tiff float": tiff(rgb.astype(np.float32), photometric="rgb"),
        "tiff float gray": tiff(gray.astype(np.float32)),
        "tiff hdr": tiff((8 * rgb - 1).astype(np.float32), photometric="rgb"),
        "tiff alpha 16": tiff(np.rint(65535 * alpha).astype(np.uint16), photometric="rgb", extrasamples=["unassalpha"]),
        "palette": saved(eight(rgb), "PNG", "P"),
        "gif": saved(eight(rgb), "GIF"),
        "bmp": saved(eight(rgb), "BMP"),
        "webp": saved(eight(rgb), "WEBP", lossless=True),
        "jpeg": saved(eight(rgb), "JPEG", quality=95),
        "jpeg cmyk": saved(eight(rgb), "JPEG", "CMYK", quality=95),
        "1 bit": saved(eight(gray) > 128, "PNG"),
        "one pixel": saved(eight(rgb)[:1, :1], "PNG"),
        "a column": saved(eight(rgb)[:, :1], "PNG"),
    }


@pytest.mark.parametrize("name", kinds())
def test_pictures_show_the_pixels(live: Live, name: str, tmp_path: Path) -> None:
    data = kinds()[name]
    job = live.send(data, name=name.replace(" ", "."), model="denoise", strip="gps")
    body = live.wait(job)
    assert body["state"] == "done", body["error"]
    result = live.get(f"/v1/jobs/{job}/result").content
    before, after = resolvent.image.read_image(data), resolvent.image.read_image(result)
    width, height = before.width, before.height
    assert (body["photograph"]["width"], body["photograph"]["height"]) == (width, height)
    left, top = width // 3, height // 3
    part = np.s_[top : top + 20, left : left + 30]
    lossless = name not in ("jpeg", "jpeg cmyk", "webp")
    for where, image in (("before", before), ("after", after)):
        shown_range = before.with_data(image.data, image.alpha)  # of the photograph, for both
        colors = np.concatenate([shown_range.read(row, 0, row + 1, width) for row in range(height)])
        expected = 255 * np.clip(colors, 0, 1)
        shown = live.get(f"/v1/jobs/{job}/{where}?crop={left},{top},30,20")
        assert shown.headers["content-type"] == "image/png"
        picture = pixels(shown.content).astype(float)
        if picture.ndim == 2:
            picture = picture[..., None]
        assert (picture.shape[2] in (2, 4)) == (image.alpha is not None)
        drawn = picture[..., : image.channels]
        assert drawn.shape == expected[part].shape
        assert np.abs(drawn - expected[part]).max() <= (1 if lossless or where == "before" else 12)
        if image.alpha is not None:
            opaque = 1 if image.depth == 32 else 2**image.depth - 1
            assert np.abs(picture[..., -1] - 255.0 * image.alpha[part] / opaque).max() <= 1
        whole = live.get(f"/v1/jobs/{job}/{where}?size=16").content
        assert Pillow.open(io.BytesIO(whole)).size == small(width, height, 16)
    if "change" in body["result"]["layers"]:
        layer = pixels(live.get(f"/v1/jobs/{job}/layers/change?crop={left},{top},30,20").content)
        assert layer.shape[:2] == expected[part].shape[:2]


def small(width: int, height: int, size: int) -> tuple[int, int]:
    """The size of a picture: squares are averaged, then what is still too large is made smaller."""
    step = min(max(1, max(width, height) // size), width, height)
    shown = Pillow.new("L", (width // step, height // step))
    shown.thumbnail((size, size))
    return shown.size


@pytest.mark.parametrize("name", ["png 8", "png gray", "png alpha", "tiff 16", "tiff float", "tiff hdr", "jpeg"])
@pytest.mark.parametrize("strength", [0.0, 0.3, 0.9])
def test_a_strength_chosen_later_is_that_of_the_library(live: Live, name: str, strength: float) -> None:
    data = kinds()[name]
    body = live.wait(live.send(data, name=name.replace(" ", "."), model="denoise"))
    path = f"/v1/jobs/{body['id']}/result?strength={strength}"
    given = resolvent.image.read_image(live.get(f"{path}&quality=100" if name == "jpeg" else path).content)
    image = resolvent.image.read_image(data)
    expected = resolvent.restore(image, model="denoise", strength=strength)
    scale = 255 / (image.value_range.high - image.value_range.low)
    differences = scale * np.abs(given.data.astype(np.float64) - expected.data)
    assert given.data.dtype == expected.data.dtype
    assert (differences.mean() if name == "jpeg" else differences.max()) <= 1
    if strength == 0 and name != "jpeg":
        assert (given.data == image.data).all()


def test_pages_of_a_tiff_are_told_apart(live: Live) -> None:
    pages = [eight(shade(3)), 255 - eight(shade(3, 50, 40))]
    file = io.BytesIO()
    first, *rest = [Pillow.fromarray(page) for page in pages]
    first.save(file, "TIFF", save_all=True, append_images=rest)
    for frame in (1, 2):
        job = live.send(file.getvalue(), name="pages.tif", frame=frame, strength=0)
        assert live.wait(job)["state"] == "done"
        for where in ("before", "after"):
            shown = pixels(live.get(f"/v1/jobs/{job}/{where}?crop=0,0,200,200").content)
            assert (shown == pages[frame - 1]).all()
        again = live.client.post("/v1/jobs", data={"source": job, "strength": 0}).json()["id"]
        body = live.wait(again)
        assert (body["photograph"]["height"], body["photograph"]["width"]) == pages[frame - 1].shape[:2]
    assert live.wait(live.send(file.getvalue(), frame=3))["error"]["status"] == 422


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_an_enlarged_photograph_is_shown_in_its_own_pixels(live: Live, mode: str) -> None:
    data = photograph(2, 40, 30, mode=mode)
    job = live.send(data, scale=2)
    body = live.wait(job)
    assert body["state"] == "done", body["error"]
    assert (body["result"]["width"], body["result"]["height"]) == (60, 80)
    assert body["result"]["layers"] == []
    result = pixels(live.get(f"/v1/jobs/{job}/result").content)
    shown = pixels(live.get(f"/v1/jobs/{job}/after?crop=35,50,25,30").content)
    assert np.abs(shown.astype(int) - result[50:80, 35:60]).max() <= 1
    assert pixels(live.get(f"/v1/jobs/{job}/before?crop=0,0,99,99").content).shape[:2] == (40, 30)
    is_problem(live.get(f"/v1/jobs/{job}/result?strength=0.5"), 422)
    is_problem(live.get(f"/v1/jobs/{job}/layers/change"), 404)
    assert live.get(f"/v1/jobs/{job}/result?ext=bmp").status_code == 200


@pytest.mark.parametrize("crop", ["0,0,1,1", "63,47,9,9", "64,48,1,1", "999999,0,4096,4096", "0,0,4096,4096"])
def test_crops_at_the_edge_are_pictures(live: Live, plain: str, crop: str) -> None:
    truth = pixels(GOOD)
    shown = pixels(live.get(f"/v1/jobs/{plain}/before?crop={crop}").content)
    left, top, width, height = map(int, crop.split(","))
    left, top = min(left, 63), min(top, 47)
    assert (shown == truth[top : top + height, left : left + width]).all()


@pytest.mark.parametrize(
    "crop",
    ["0,0,0,1", "-1,0,1,1", "0,0,4097,1", "1,2,3", "1,2,3,4,5", "", "a", "1e3,0,1,1", "9999999,0,1,1", "0,0,1,1\n"],
)
def test_what_is_no_crop_is_422(live: Live, plain: str, crop: str) -> None:
    is_problem(live.get(f"/v1/jobs/{plain}/before", params={"crop": crop}), 422)
