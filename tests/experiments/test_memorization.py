"""Pairs with and without a pattern, and the whole experiment in a short form: 12 pictures, a narrow network."""

import json
import sys
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest

from experiments.memorization import __main__ as command
from experiments.memorization import fit as fitting
from experiments.memorization.__main__ import at, in_order, learned
from experiments.memorization.fit import Form, fit, pairs, shrink, variance

NARROW = Form(side=16, pairs=4, batch=2, updates=20, widths="quarter", every=5)


def textures(count, side=16, seed=0):
    coarse = np.random.default_rng(seed).random((count, side // 4, side // 4, 3), np.float32)
    return coarse.repeat(4, 1).repeat(4, 2)


def test_targets_are_what_their_names_say():
    clean = textures(4)
    inputs, true = pairs(clean, "true", "blur:ksize=5")
    assert np.array_equal(true, clean)
    assert np.array_equal(pairs(clean, "noise", "blur:ksize=5")[0], inputs)
    assert np.array_equal(pairs(clean, "permuted", "blur:ksize=5")[1], clean[[1, 2, 3, 0]])
    shuffled = pairs(clean, "shuffled", "blur:ksize=5", seed=1)[1]
    assert variance(shuffled) == pytest.approx(variance(clean))
    position = np.linspace(0, 1, 256, dtype=np.float32).reshape(1, 16, 16, 1).repeat(4, 0).repeat(3, 3)
    moved = pairs(position, "shuffled", "blur:ksize=5", seed=1)[1]
    assert np.array_equal(moved, moved[:1].repeat(4, 0))  # one permutation for all, and the channels together
    assert np.array_equal(np.sort(moved[0, ..., 0], axis=None), position[0, ..., 0].ravel())
    assert not np.array_equal(moved, position)
    assert variance(pairs(textures(4, 64), "noise", "blur:ksize=5")[1]) == pytest.approx(1 / 12, rel=0.05)


def test_the_variance_is_what_the_best_single_color_leaves():
    images = textures(3)
    color = images.mean((0, 1, 2))
    assert variance(images) == pytest.approx(np.mean((images - color) ** 2), rel=1e-5)


def test_shrinking_averages_blocks():
    images = textures(2)
    assert np.allclose(shrink(images, 4), images[:, ::4, ::4])
    assert shrink(images, 16) == pytest.approx(images)


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setitem(fitting.WIDTHS_OF, "quarter", (4, 4, 8, 16))


def test_a_fit_begins_and_ends_where_it_should(narrow):
    clean, held = textures(4), textures(2, seed=1)
    result = fit(clean, held, "true", NARROW)
    assert [update for update, _, _ in result["curve"]] == [0, 5, 10, 15, 20]
    assert result["curve"][-1][1] < result["curve"][0][1]
    inputs, _ = pairs(clean, "true", NARROW.degradation)
    assert result["identity"] == pytest.approx(np.mean((inputs - clean) ** 2) / variance(clean), rel=1e-4)
    assert fit(clean, held, "true", NARROW)["curve"] == result["curve"]
    assert fit(clean, held, "true", replace(NARROW, seed=1))["curve"] != result["curve"]
    assert fit(clean, held, "true", replace(NARROW, dropout=0.5))["curve"] != result["curve"]


def test_true_pairs_are_learned_before_noise(narrow):
    clean, held = textures(4), textures(2, seed=1)
    form = replace(NARROW, updates=100, batch=4, every=100)
    true, noise = (fit(clean, held, kind, form)["curve"][-1][1] for kind in ("true", "noise"))
    assert true < 0.7 * noise


def test_summaries():
    run = {"curve": [(0, 2.0, 5.0), (60, 0.4, 9.0), (120, 0.1, 8.0)]}
    assert at(run, 60) == (0.4, 9.0)
    assert at(run, 61) == (0.1, 8.0)
    assert learned(run) == 120
    assert learned({"curve": run["curve"][:2]}) is None
    levels = {"true": 0.1, "permuted": 0.3, "shuffled": 0.2, "noise": 0.9}
    runs = {kind: {"curve": [(120, level, 0.0)]} for kind, level in levels.items()}
    assert in_order(runs, 120)
    assert not in_order(runs | {"noise": runs["shuffled"]}, 120)


def test_the_whole_in_a_short_form(tmp_path, monkeypatch):
    (tmp_path / "flowers").mkdir()
    for i in range(12):
        coarse = np.random.default_rng(i).integers(0, 256, (13, 13, 3), np.uint8)
        picture = PIL.Image.fromarray(coarse).resize((130, 130), PIL.Image.Resampling.BICUBIC)
        picture.save(tmp_path / "flowers" / f"{i:02d}.png")
    for widths in command.WIDTHS_OF:
        monkeypatch.setitem(command.WIDTHS_OF, widths, (4, 4, 4, 8))
    monkeypatch.setattr(command, "LARGE", replace(command.LARGE, pairs=4, batch=2))
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("before\n<!-- tables -->stale<!-- /tables -->\nafter\n", "utf-8")
    arguments = [
        "--images", tmp_path / "flowers", "--updates", 8, "--large-updates", 2, "--threads", 1,
        "--runs", tmp_path / "runs", "-o", out,
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["memorization", *map(str, arguments)])
    command.main()
    report = json.loads((out / "results.json").read_text("utf-8"))
    assert {part: set(form["runs"]) for part, form in report["forms"].items()} == {
        part: set(command.TARGETS) for part in ("small", "large")
    }
    assert report["grid"]["updates"] == 4
    assert [(row["widths"], row["dropout"]) for row in report["grid"]["rows"]] == [
        (widths, dropout) for widths in ("quarter", "half", "whole") for dropout in (0.0, 0.2, 0.5)
    ]
    page = (out / "README.md").read_text("utf-8")
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert "stale" not in page
    assert "9 pairs of 32x32 pixels" in page
    assert "4 pairs of 128x128 pixels" in page
    assert str(tmp_path) not in page + json.dumps(report)
    for name in ("curves.svg", "examples.png"):
        assert (out / name).stat().st_size > 3000

    monkeypatch.setattr(command, "fit", lambda *given: pytest.fail("fitted what is kept"))
    command.main()
