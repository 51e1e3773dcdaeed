import json
import socket

import numpy as np
import pytest
from PIL import Image

from resolvent.errors import OutputError
from resolvent.report.demo import _default_restore, run_demo
from resolvent.report.page import share_inside


def halfway(degraded, **_):
    return (degraded + 0.5) / 2


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder of a small demo, made without a network, and the calls that it made."""
    calls, seen = [], []

    def restore(degraded, **options):
        calls.append((degraded, options))
        half_width = np.full(degraded.shape[:2], 300, np.float32) if options["model"] == "denoise" else None
        return halfway(degraded), half_width

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the demo asks the network"))
        folder = tmp_path_factory.mktemp("demo") / "new" / "folder"
        page = run_demo(folder, restore_fn=restore, side=48, progress=lambda *counts: seen.append(counts))
    assert page == folder / "index.html"
    assert seen == [(done, 36) for done in range(1, 37)]
    return folder, calls


def test_results(demo):
    folder, _ = demo
    results = json.loads((folder / "results.json").read_text("utf-8"))
    assert len(results) == 36
    assert {result["image"] for result in results} == {"astronaut", "chelsea", "coffee"}
    assert {(result["model"], result["degradation"]) for result in results} == {
        *(("denoise", f"noise:sigma={sigma}") for sigma in (15, 25, 50)),
        *(("deblur", f"blur:sigma={sigma} + noise:sigma=1") for sigma in (1, 2, 3)),
        *(("dejpeg", f"jpeg:quality={quality}") for quality in (10, 20, 40)),
        ("restore", "blur:sigma=1 + noise:sigma=10 + jpeg:quality=60"),
        ("restore", "rescale:factor=0.6 + grain:sigma=12,radius=0.8 + jpeg:quality=40"),
        ("restore", "poisson:peak=60 + jpeg:quality=80"),
    }
    for result in results:
        known = {"half_width", "inside"} if result["model"] == "denoise" else set()
        assert set(result) == {"image", "degradation", "model", "seconds", "degraded", "restored", *known}
        assert not known or (result["half_width"], result["inside"]) == (300, 1)
        assert set(result["degraded"]) == set(result["restored"]) == {"psnr", "ssim"}


def test_noise_lowers_psnr_as_it_must(demo):
    folder, _ = demo
    psnr = {
        (result["image"], result["degradation"]): result["degraded"]["psnr"]
        for result in json.loads((folder / "results.json").read_text("utf-8"))
    }
    for sigma in (15, 25, 50):
        unclipped = -20 * np.log10(sigma / 255)
        for image in ("astronaut", "chelsea", "coffee"):
            assert unclipped - 0.2 < psnr[image, f"noise:sigma={sigma}"] < unclipped + 3


def test_the_options_of_the_models(demo):
    _, calls = demo
    given = [options for _, options in calls]
    assert given[:3] == [{"model": "denoise", "sigma": sigma} for sigma in (15, 25, 50)]
    assert given[9:] == [{"model": model} for model in ("deblur", "dejpeg", "restore") for _ in range(9)]
    assert {degraded.shape for degraded, _ in calls} == {(48, 48, 3)}
    assert min(degraded.min() for degraded, _ in calls) < 0


def test_page_and_figure(demo):
    folder, _ = demo
    assert sorted(path.name for path in folder.iterdir()) == ["figure.png", "index.html", "results.json"]
    with Image.open(folder / "figure.png") as figure:
        assert figure.width > 9 * 48
        assert figure.height > 6 * 48
    html = (folder / "index.html").read_text("utf-8")
    assert html.count('type="range"') == 36
    assert html.count('<img class="layer uncertainty"') == html.count("map: ±300 at the median; 100 % within it") == 9
    assert html.count('<img class="layer change"') == 36


def test_an_earlier_demo_stays_unless_told(demo):
    folder, _ = demo
    before = (folder / "results.json").read_bytes()
    with pytest.raises(OutputError, match="give overwrite=True"):
        run_demo(folder, restore_fn=halfway, side=48)
    assert (folder / "results.json").read_bytes() == before
    run_demo(folder, restore_fn=lambda degraded, **_: (degraded, None), side=48, overwrite=True)
    results = json.loads((folder / "results.json").read_text("utf-8"))
    assert all(result["degraded"] == result["restored"] for result in results)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        run_demo(tmp_path / "file", restore_fn=lambda *_, **__: pytest.fail("restored before it looked"), side=48)


def test_models_with_a_map_of_errors_give_it():
    truth = np.full((64, 64, 3), 0.5, np.float32)
    truth[16:48, 16:48] = 0.3
    noisy = truth + np.random.default_rng(0).normal(0, 25 / 255, truth.shape).astype(np.float32)
    restore = _default_restore()
    restored, half_width = restore(noisy, model="denoise", sigma=25)
    assert half_width.shape == (64, 64)
    assert share_inside(half_width, restored, truth) > 0.85
    assert restore(noisy, model="denoise-white", sigma=25)[1] is None
