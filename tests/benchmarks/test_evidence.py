"""The maps and the tables of benchmarks/evidence.py."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resolvent.engine.restore import Restorer
from resolvent.errors import UsageError
from resolvent.evaluation.calibration import calibrate_halves
from resolvent.evaluation.uncertainty import Ranking, Trial
from resolvent.inference.runtime import open_session

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RNG = np.random.default_rng(0)


@pytest.fixture
def evidence(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import evidence

    return evidence


def case(evidence, run):
    x = RNG.random((1, 4, 16, 16), dtype=np.float32)
    return evidence.Case(run, x, run(x)[0])


def test_symmetries_agree_where_the_network_has_them(evidence):
    """A pointwise network has all; a shift has none, and its eight results are the shifts in four directions."""
    assert evidence.symmetries(case(evidence, lambda x: 2 * x[:, :3])) == pytest.approx(np.zeros((16, 16)), abs=1e-6)
    shifted = case(evidence, lambda x: np.roll(x[:, :3], 1, axis=3))
    results = [np.roll(shifted.x[0, :3], step, axis) for axis in (1, 2) for step in (-1, 1)]
    assert evidence.symmetries(shifted) == pytest.approx(evidence.joined(np.var(results, axis=0)), abs=1e-6)


def test_local_contrast_is_the_deviation_of_a_window(evidence):
    y = RNG.random((1, 4, 16, 16), dtype=np.float32)
    found = evidence.contrast(evidence.Case(None, y, y[0, :3]))
    assert found[8, 9] == pytest.approx(np.sqrt(y[0, :3, 6:11, 7:12].var(axis=(1, 2)).mean()), rel=1e-4)


def test_every_half_is_measured_by_the_factor_of_the_other(evidence):
    """Errors twice as large in every second photograph: factors in a ratio of two, and coverages off on both sides."""
    trials = [Trial(RNG.laplace(scale=1 + i % 2, size=(3, 40, 40)), np.ones((40, 40))) for i in range(6)]
    first, second = evidence.factors(trials)
    assert (first, second) == pytest.approx((np.log(10), 2 * np.log(10)), rel=0.05)
    widths = [each.width[0, 0] for each in evidence.crossed(trials, (first, second))]
    assert widths == pytest.approx([second, first] * 3)
    row = evidence.Row("map", 7, trials, 3.0)
    line = evidence.table([row], 2.0).splitlines()[-1]
    assert line.startswith("| map | – | – | – | – | 3.4")
    assert line.endswith("| +7 | +1.50 |")


def photograph():
    waves = np.cumsum(RNG.normal(size=(72, 72, 3)), axis=1) * 8 + 128
    return waves.clip(0, 255).astype(np.uint8)


def certified(path, **factors):
    """Give the model of a file these factors."""
    from onnx import load

    from resolvent.models.export import write
    from resolvent.models.registry import read_card

    write(load(path), replace(read_card(path), uncertainty=factors), path)


def test_sections_of_a_small_model(evidence, headed, tmp_path, monkeypatch):
    photographs = [tmp_path / f"{i}.png" for i in range(4)]
    for path in photographs:
        Image.fromarray(photograph()).save(path)
    session = open_session(headed, threads=1)
    monkeypatch.setattr(evidence, "OTHER", headed)
    lines = evidence.maps(session, photographs, 25, 32).splitlines()
    assert len(lines) == 12
    assert lines[-1].startswith("| head | ")
    rows, sentence = evidence.blind(session, photographs, 32)
    assert [row[:2] for row in rows[::3]] == [["tiny, own mixture", "head"], ["tiny, `noise:sigma=10`", "head"]]
    assert {len(row) for row in rows} == {10}
    assert sentence == "tiny: a map that says the same everywhere ranks nothing."
    monkeypatch.setattr(evidence, "calibrate_halves", partial(calibrate_halves, splits=3))
    rows = evidence.splits(session, photographs * 15, 32)
    assert [row[:2] for row in rows] == [["tiny", "60"], ["tiny, wide", "60"]]
    with pytest.raises(UsageError, match="no certificate"):
        evidence.mismatch(session, photographs, 32)
    certified(headed, factor=1.0, wide=3.0)
    rows = evidence.mismatch(open_session(headed, threads=1), photographs, 32)
    assert [row[0] for row in rows] == ["tiny, 25 given as 25", "tiny, 25 given as 15", "tiny, 25 given as 40"]
    for row in rows:
        matched, wide = (float(row[i]) for i in (5, 8))
        assert wide == pytest.approx(3 * matched, abs=0.02)
        assert float(row[6]) < float(row[9])


def test_what_a_denoiser_says_of_itself(evidence, headed, tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(30)]
    for path in paths:
        Image.fromarray(photograph()[:48, :48]).save(path)
    rows = [line.split(" | ") for line in evidence.sure([headed], paths[:2]).splitlines()[4:]]
    assert [row[0].split(", ")[1:] for row in rows] == [
        [s, kind] for s in ("15", "25", "50") for kind in ("float", "8 bit")
    ]
    assert {len(row) for row in rows} == {12}
    assert all((row[2] == "–") == (row[1] == "0") for row in rows)
    found = evidence.probes(open_session(headed, threads=1), paths, 32)
    assert [row[0] for row in found] == [f"tiny, {count}" for count in (1, 2, 4, 8)]
    for _, bound, share, taken in found:
        assert float(bound) > float(share) > 0
        assert 2 < float(taken) < 3


def test_a_head_is_compared_with_local_contrast_in_words(evidence):
    """What a reader has to see: it may be worse within a photograph, and yet know which photograph is bad."""
    head, local_sd = Ranking(0.3, 0.685, 0.22, 0.1), Ranking(0.3, 0.737, 0.44, 0.2)
    sentence = evidence.compared("restore", head, local_sd)
    assert "ranks the regions worse than the local sd (local 0.685 and 0.737)" in sentence
    assert "ranks the values better than that (AUSE 0.220 and 0.440, lower is better)" in sentence
    assert "regions better than" in (swapped := evidence.compared("restore", local_sd, head))
    assert "values worse than" in swapped
    assert evidence.compared("restore", head, head).count("as well as") == 2


def test_cameras_are_measured_by_the_map_of_the_product(evidence, headed, tmp_path):
    """Against the count by hand; a flat photograph is left alone and has no map."""
    certified(headed, factor=1.0, wide=3.0)
    truths = [photograph(), photograph(), np.full((72, 72, 3), 128, np.uint8)]
    noisy = [(t + RNG.normal(0, 12, t.shape)).clip(0, 255).astype(np.uint8) for t in truths[:2]]
    for i, (real, mean) in enumerate(zip([*noisy, truths[2] + 2], truths, strict=True)):
        Image.fromarray(real).save(tmp_path / f"{i}_real.png")
        Image.fromarray(mean).save(tmp_path / f"{i}_mean.png")
    photographs = evidence.find_images(tmp_path, pairs=True)
    assert [path.name for path in photographs] == [f"{i}_real.png" for i in range(3)]
    options = {"model": headed, "sigma": 40.0}  # far from the truth, so that the wide factor is taken
    row = evidence.camera("tiny", photographs, **options)
    restorer = Restorer(uncertainty=True, **options)
    shares, widths, squares = [], [], []
    for path, truth in zip(photographs, truths, strict=True):
        found = restorer.run(path)
        error = found.image.data.astype(float) - truth
        squares.append(np.square(error).mean())
        if found.uncertainty is not None:
            shares.append((np.abs(error) <= found.uncertainty.half_width[..., None]).mean())
            widths.append(found.uncertainty.half_width.mean())
    assert row[:4] == ["tiny", "3", "1", "2"]
    assert float(row[5]) == pytest.approx(np.mean(10 * np.log10(255**2 / np.array(squares))), abs=0.01)
    assert float(row[6]) == pytest.approx(np.mean(widths), abs=0.01)
    assert float(row[7]) == pytest.approx(np.mean(shares), abs=0.002)
    assert float(row[8]) == pytest.approx(min(shares), abs=0.002)
    assert evidence.camera("tiny", photographs[2:], **options)[2:4] == ["1", "0"]
    assert evidence.camera("tiny", photographs[2:], **options)[6:] == ["–"] * 4


def test_a_folder_without_pairs_is_refused(evidence, tmp_path):
    from argparse import Namespace

    with pytest.raises(UsageError, match="no pairs in it"):
        evidence.write_camera(Namespace(pairs=tmp_path, limit=None), [], [])
