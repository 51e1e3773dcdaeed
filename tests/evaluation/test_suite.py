import sys
import types
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from resolvent.degradations import parse
from resolvent.errors import InputError, UsageError
from resolvent.evaluation import suite as module
from resolvent.evaluation.baselines import BASELINES, available_baselines, run_baseline
from resolvent.evaluation.benchmark import TASKS, benchmark
from resolvent.evaluation.suite import Published, markdown_suite, published, suite
from resolvent.evaluation.tables import Row
from resolvent.models.registry import bundled
from resolvent.report.pareto import pareto, pareto_front


def picture(seed, size=(24, 28)):
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(60, 190, (*size, 3), np.uint8).repeat(2, 0).repeat(2, 1))


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Two sets of two pictures, one set of pairs, and a folder without pictures."""
    root = tmp_path_factory.mktemp("all")
    for name in ("A", "B"):
        (root / name).mkdir()
        for i in range(2):
            picture(i).save(root / name / f"{i}.png")
    (root / "Camera").mkdir()
    for kind, seed in (("real", 1), ("mean", 2)):
        picture(seed).save(root / "Camera" / f"x_{kind}.png")
    (root / "notes").mkdir()
    return root


def unchanged(degraded, **_):
    return degraded


def test_every_set_meets_its_tasks_models_and_methods(sets):
    rows = suite(sets, tasks=["denoise", "real"], restore_fn=unchanged)
    assert {(row.dataset, row.task) for row in rows} == {("A", "denoise"), ("B", "denoise"), ("Camera", "real")}
    measured = [(row.method, row.degradation) for row in rows if row.dataset == "A" and row.image == "0.png"]
    assert len(set(measured)) == len(measured)
    assert {degradation for _, degradation in measured} == {f"noise:sigma={sigma}" for sigma in (15, 25, 50)}
    assert {method for method, _ in measured} == {"input", "denoise", "nlm", "tv", "wavelet"} | (
        {"restore"} & set(bundled())
    )


def test_slow_methods_see_fewer_images_and_say_so(sets, monkeypatch):
    monkeypatch.setattr(module, "TASKS", {**TASKS, "denoise": replace(TASKS["denoise"], few=1)})
    rows = suite(sets, tasks=["denoise"], restore_fn=unchanged)
    assert {row.image for row in rows if row.method == "nlm"} == {"0.png"}
    text = markdown_suite(rows)
    assert "#### A, 2 images" in text
    assert "#### A, 1 image\n" in text
    first, second = (part.partition("####")[0] for part in text.split("#### A, ")[1:])
    assert "nlm" not in first
    assert "| nlm |" in second
    assert "| denoise |" in second


def test_a_pair_is_compared_with_its_reference(sets):
    rows = benchmark("real", sets / "Camera", models=["restore"], restore_fn=unchanged)
    real, mean = (np.asarray(picture(seed), np.float64) / 255 for seed in (1, 2))
    assert [row.method for row in rows] == ["input", "restore"]
    assert rows[0].psnr == pytest.approx(-10 * np.log10(np.mean((real - mean) ** 2)), abs=1e-4)
    with pytest.raises(InputError, match="no pairs in it"):
        benchmark("real", sets / "A", models=["restore"], restore_fn=unchanged)


def test_the_feature_distance_is_measured_when_it_is_asked_for(sets):
    rows = suite(sets, tasks=["real"], features=True, restore_fn=unchanged)
    assert all(row.feature_distance > 0 for row in rows)
    assert "\n- Last in a cell: feature distance" in markdown_suite(rows)
    assert "feature" not in markdown_suite(suite(sets, tasks=["real"], restore_fn=unchanged))


def test_published_figures_stand_below_ours():
    rows = [
        Row(method, "CBSD68", f"noise:sigma={sigma}", "1.png", 30, 0.9, 1, 1, "P", task="denoise")
        for sigma in (15, 25, 50)
        for method in ("input", "denoise")
    ]
    lines = markdown_suite(rows).splitlines()
    ffdnet = next(line for line in lines if "FFDNet" in line and line.startswith("|"))
    assert [cell.strip() for cell in ffdnet.split("|")][2:5] == ["33.87", "31.21", "27.96"]
    number = ffdnet.partition("[")[2].partition("]")[0]
    assert any(line.startswith(f"- [{number}] ") and "10.1109/TIP.2018.2839891" in line for line in lines)


def test_published_figures_are_whole_and_in_range():
    for figure in published():
        assert figure.task in TASKS
        assert set(figure.psnr) <= set(TASKS[figure.task].texts())
        assert all(25 < value < 40 for value in figure.psnr.values())
        assert "doi" in figure.source


@pytest.mark.parametrize(
    ("tasks", "error", "message"),
    [
        (["denoize"], UsageError, "did you mean 'denoise'"),
        (["seed"], UsageError, "task 'seed' has no bundled model"),
        (["real"], InputError, "no set for real"),
    ],
)
def test_calls_that_are_wrong(sets, tasks, error, message):
    with pytest.raises(error, match=message):
        suite(sets / "A", tasks=tasks, restore_fn=unchanged)


def test_the_front_leaves_out_what_is_slower_and_worse():
    assert pareto_front([(3, 30), (1, 28), (2, 31), (1, 27), (2, 29)]) == [(1, 28), (2, 31)]


def test_the_figure_shows_what_was_measured_and_what_was_published():
    rows = [
        Row(method, "S", "noise:sigma=25", "1.png", psnr, 0.9, seconds, 1, "P", task="denoise")
        for method, psnr, seconds in (("input", 20, 0), ("denoise", 31, 1), ("nlm", 28, 5))
    ]
    known = [Published("denoise", "S", "Other", {"noise:sigma=25": 30.0}, None, "doi")]
    drawn = pareto(rows, known)
    assert drawn == pareto(rows, known)
    assert drawn.startswith(b"<?xml")
    named = [text for text in (b"denoise", b"nlm", b"Other", b"wiener", b"input") if b"<!-- " + text in drawn]
    assert named == [b"denoise", b"nlm", b"Other"]


def test_a_peer_joins_when_it_is_installed(monkeypatch):
    noise, blur = parse("noise:sigma=51"), parse("blur:sigma=1")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert available_baselines(noise) == []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert available_baselines(noise) == list(BASELINES)
    assert available_baselines(blur) == []
    calls = []

    def run(y, sigma):
        calls.append((y.shape, sigma))
        return y.astype(np.float64) / 2

    monkeypatch.setitem(sys.modules, "bm3d", types.SimpleNamespace(bm3d=run, bm3d_rgb=run))
    for channels in (1, 3):
        y = np.ones((4, 5, channels), np.float32)
        np.testing.assert_array_equal(run_baseline("bm3d", y, noise), y / 2)
    assert calls == [((4, 5), pytest.approx(0.2)), ((4, 5, 3), pytest.approx(0.2))]


def test_a_peer_that_is_not_there_names_its_package():
    with pytest.raises(InputError, match="pip install bm3d"):
        run_baseline("bm3d", np.ones((4, 5, 3), np.float32), parse("noise:sigma=5"))
