"""Which target an untrained network fits first, and the whole experiment in a short form."""

import json
import sys

import numpy as np
import PIL.Image
import pytest

from experiments.impedance import __main__ as command
from experiments.impedance.__main__ import holds, summarize
from experiments.impedance.fit import fit, reached, targets


def texture(side=64, seed=0):
    rng = np.random.default_rng(seed)
    coarse = PIL.Image.fromarray(rng.integers(0, 256, (side // 8, side // 8, 3), np.uint8))
    return np.asarray(coarse.resize((side, side), PIL.Image.Resampling.BICUBIC), np.float32) / 255


def test_targets_are_what_their_names_say():
    image = texture()
    made = targets(image, 25, seed=1)
    assert list(made) == ["image", "noisy", "shuffled", "noise"]
    assert np.std(made["noisy"] - image) == pytest.approx(25 / 255, rel=0.03)
    colors = [np.unique(made[key].reshape(-1, 3), axis=0) for key in ("image", "shuffled")]
    assert np.array_equal(*colors)
    assert not np.array_equal(made["shuffled"], image)
    assert np.var(made["noise"]) == pytest.approx(1 / 12, rel=0.05)
    assert np.array_equal(targets(image, 25, seed=1)["shuffled"], made["shuffled"])


def test_the_image_is_fitted_before_its_shuffled_pixels():
    made = targets(texture(), 25, seed=0)
    mse = {key: fit(made[key], network="dip-fast", steps=30, seed=0) for key in ("image", "shuffled")}
    assert len(mse["image"]) == 30
    assert mse["image"][-1] < 0.25 * mse["shuffled"][-1]


def test_steps_to_a_level():
    assert reached([0.5, 0.1, 0.01, 0.02], 0.01) == 3
    assert reached([0.5, 0.1], 0.01) is None
    target = np.zeros((2, 2, 3), np.float32)
    target[0] = 1
    row = summarize(target, [0.3, 0.025, 0.009])
    assert (row["variance"], row["steps"], row["steps_of_variance"], row["last"]) == (0.25, 3, 2, 0.009)


def test_what_is_never_fitted_comes_after_all_that_is():
    rows = {"image": 10, "noisy": 40, "shuffled": None, "noise": 41}
    assert holds({name: {"steps": step} for name, step in rows.items()}, 100)
    assert not holds({name: {"steps": step} for name, step in (rows | {"noise": 40}).items()}, 100)
    assert not holds({name: {"steps": None} for name in rows}, 100)


def test_the_whole_in_a_short_form(tmp_path, monkeypatch):
    (tmp_path / "photographs").mkdir()
    PIL.Image.fromarray(np.round(255 * texture(72)).astype(np.uint8)).save(tmp_path / "photographs" / "a.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("before\n<!-- tables -->stale<!-- /tables -->\nafter\n", "utf-8")
    arguments = [
        "--images", tmp_path / "photographs", "--steps", 3, "--network", "dip-fast", "--runs", tmp_path / "runs",
        "-o", out,
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["impedance", *map(str, arguments)])
    command.main()
    report = json.loads((out / "results.json").read_text("utf-8"))
    assert set(report["results"]["a.png"]) == {"image", "noisy", "shuffled", "noise"}
    assert all(len(mse) == 3 for mse in report["curves"]["a.png"].values())
    page = (out / "README.md").read_text("utf-8")
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert "stale" not in page
    assert "| a.png | pixels shuffled |" in page
    assert str(tmp_path) not in page + json.dumps(report)
    for name in ("curves.svg", "targets.png"):
        assert (out / name).stat().st_size > 5000

    monkeypatch.setattr(command, "fit", lambda *given, **options: pytest.fail("fitted what is kept"))
    command.main()
