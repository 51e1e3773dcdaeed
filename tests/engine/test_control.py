"""A method shows its steps, keeps its budget, says what ended it, and leaves the program that calls it alone."""

import signal

import numpy as np
import pytest
import torch

from resolvent.engine.restore import Restorer, restore
from resolvent.image import Image, read_image
from resolvent.methods.control import Control, Steps
from tests.engine.conftest import noisy_picture


def test_method_restores_gray_with_alpha():
    rows, columns = np.mgrid[:64, :64]
    clean = 0.5 + 0.3 * np.sin(rows / 9) * np.cos(columns / 7)
    noisy = clean + 25 / 255 * np.random.default_rng(0).standard_normal(clean.shape)
    array = np.stack([noisy, np.ones_like(noisy)], 2)
    out = restore(array, method="nlm", degradation="noise:sigma=25")
    np.testing.assert_array_equal(out[..., 1], 1)
    before, after = (np.sqrt(np.mean((x - clean) ** 2)) for x in (noisy, out[..., 0]))
    assert after < 0.6 * before
    half = restore(array, method="nlm", degradation="noise:sigma=25", strength=0.5)
    np.testing.assert_allclose(half, np.clip(array + 0.5 * (out - array), 0, 1), atol=1e-6)


BLURRED = {"method": "red", "degradation": "blur:sigma=1 + noise:sigma=5"}


def test_a_method_tells_its_steps_and_keeps_its_budget():
    steps = []
    whole = restore(noisy_picture(), **BLURRED, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(i, 40) for i in range(1, 41)]
    short = restore(noisy_picture(), **BLURRED, budget=1e-6)
    assert np.isfinite(short).all()
    assert not np.array_equal(short, whole)


def test_what_a_mask_hides_is_not_judged(tmp_path):
    """Three quarters are hidden as black; filling them moves the mean color by far."""
    x = noisy_picture()
    known = np.zeros(x.shape[:2])
    known[::2, ::2] = 1
    np.save(tmp_path / "mask.npy", known)
    y = x * known[..., None].astype(np.float32)
    restored = restore(y, method="pnp", degradation=f"mask:path={tmp_path / 'mask.npy'}")
    assert abs(restored.mean() - x.mean()) < 0.05 < x.mean() - y.mean()


def test_a_method_shows_what_it_has(tmp_path, monkeypatch):
    monkeypatch.setattr("resolvent.engine.preview.EVERY", 0.0)
    y = noisy_picture()
    shown = []

    def look(done, total):
        shown.append((tmp_path / "p.png").exists() and read_image(tmp_path / "p.png").pixels)

    restored = restore(y, **BLURRED, preview=tmp_path / "p.png", progress=look)
    assert shown[0] is False
    assert np.abs(shown[-1] - restored).mean() < np.abs(shown[1] - restored).mean() / 2
    last = read_image(tmp_path / "p.png").pixels
    assert np.abs(last - restored).max() <= 0.51 / 255


@pytest.mark.parametrize(
    ("options", "cancel", "ended"),
    [
        ({}, False, Steps(40, 40, "finished")),
        ({"budget": 1e-6}, False, Steps(1, 40, "budget")),
        ({}, True, Steps(1, 40, "canceled")),
    ],
)
def test_a_restoration_says_what_ended_it(options, cancel, ended):
    """Cut off after 1 of 40 steps, it said that it was restored, and nothing more."""
    control = Control(on_step=lambda done, total, image: cancel and control.cancel())
    restoration = Restorer(**BLURRED, **options).run(noisy_picture(), control=control)
    assert restoration.steps == ended
    assert np.isfinite(restoration.image.data).all()
    assert restoration.seconds > 0
    said = f"{'canceled' if cancel else 'cut off by the budget'} after 1 of 40 steps"
    assert restoration.reasons[1].startswith("residual ")
    assert restoration.reasons[2:] == (() if ended.ended == "finished" else (said,))


def test_a_method_that_stops_by_its_own_rule_says_so(monkeypatch):
    def early(y, degradation, *, control=None):
        control.step(7, 100, lambda: y)
        return y

    monkeypatch.setattr("resolvent.methods.load", lambda name: early)
    restoration = Restorer(**BLURRED).run(noisy_picture())
    assert restoration.steps == Steps(7, 100, "early-stop")
    assert restoration.reasons[-1] == "stopped early by its own rule after 7 of 100 steps"


def test_what_is_not_iterative_is_finished(model_file):
    noisy = Image.from_array(noisy_picture())
    assert Restorer(method="nlm", degradation="noise:sigma=13").run(noisy).steps == Steps(1, 1)
    restoration = Restorer(model=model_file, tile=16).run(noisy)
    assert restoration.steps.ended == "finished"
    assert restoration.steps.done == restoration.steps.total == restoration.plan.tiles > 1
    unchanged = Restorer(strength=0).run(noisy)
    assert (unchanged.image, unchanged.steps) == (noisy, Steps(0, 0))


def test_one_control_serves_one_run_after_the_other():
    control, restorer = Control(), Restorer(**BLURRED)
    assert not control.cancel()  # nothing is running; the next run begins anew
    assert restorer.run(noisy_picture(), control=control).steps.done == 40
    assert not control.cancel()
    news = []
    control.on_step = lambda done, total, image: news.append(control.cancel())
    assert restorer.run(noisy_picture(), control=control).steps.done == 1
    assert news == [True]


def test_the_library_leaves_signals_alone():
    before = signal.getsignal(signal.SIGINT)
    seen = []
    restore(noisy_picture(), **BLURRED, progress=lambda done, total: seen.append(signal.getsignal(signal.SIGINT)))
    assert set(seen) == {before}


@pytest.mark.parametrize(
    "options",
    [
        {"model": "denoise", "runtime": "torch"},
        {"method": "dip-fast", "degradation": "noise:sigma=13", "settings": {"iterations": 2}},
    ],
)
def test_the_library_leaves_torch_and_numpy_as_they_are(options):
    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.get_num_threads(), torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()
    restore(noisy_picture(), **options)
    after = torch.get_num_threads(), torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()
    assert after == before


def test_what_progress_raises_ends_it(model_file):
    def full(done, total):
        raise ZeroDivisionError

    for options in (BLURRED, {"model": model_file}):
        with pytest.raises(ZeroDivisionError):
            restore(noisy_picture(), **options, progress=full)


def test_a_method_enlarges_colors_and_alpha():
    rgba = np.dstack([noisy_picture(), np.ones((40, 48), np.float32)])
    rgba[:5, :, 3] = 0
    image = restore(Image.from_array(rgba), method="self-similarity", degradation="downsample:scale=2")
    assert image.data.shape == (80, 96, 3)
    assert image.alpha.shape == (80, 96)
