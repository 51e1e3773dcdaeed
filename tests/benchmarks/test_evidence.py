"""The maps and the tables of benchmarks/evidence.py."""

from pathlib import Path

import numpy as np
import pytest

from resolvent.errors import UsageError
from resolvent.evaluation.uncertainty import Trial
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


def test_probes_find_the_diagonal(evidence):
    """Of a linear network without other entries, one probe finds it exactly; it sees no noise level."""
    weights = RNG.random((3, 16, 16), dtype=np.float32)
    diagonal = case(evidence, lambda x: x[:, :3] * weights)
    expected = 25 / 255 * evidence.joined(weights)
    assert evidence.jacobian(diagonal, probes=1, sigma=25) == pytest.approx(expected, rel=1e-3)
    mixing = case(evidence, lambda x: 0.5 * x[:, :3] + 0.2 * np.roll(x[:, :3], 1, axis=3))
    found = evidence.jacobian(mixing, probes=200, sigma=25)
    assert found == pytest.approx(np.full((16, 16), 25 / 255 * np.sqrt(0.5)), rel=0.03)


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


def test_sections_of_a_small_model(evidence, headed, tmp_path, monkeypatch):
    from PIL import Image

    photographs = []
    for i in range(4):
        waves = np.cumsum(RNG.normal(size=(72, 72, 3)), axis=1) * 8 + 128
        photographs.append(tmp_path / f"{i}.png")
        Image.fromarray(waves.clip(0, 255).astype(np.uint8)).save(photographs[-1])
    session = open_session(headed, threads=1)
    monkeypatch.setattr(evidence, "OTHER", headed)
    lines = evidence.maps(session, photographs, 25, 32).splitlines()
    assert len(lines) == 12
    assert lines[-1].startswith("| head | ")
    blind = evidence.blind(session, photographs, 32)
    assert [line.split(" | ")[:2] for line in blind[::3]] == [
        ["| tiny, own mixture", "head"], ["| tiny, `noise:sigma=10`", "head"],
    ]  # fmt: skip
    with pytest.raises(UsageError, match="no certificate"):
        evidence.mismatch(session, photographs, 32)
