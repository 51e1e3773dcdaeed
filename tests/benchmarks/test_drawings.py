"""The pictures of benchmarks/drawings.py."""

import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def drawings(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import drawings

    return drawings


def test_a_seed_and_a_number_give_one_picture(drawings):
    for number, kind in enumerate(drawings.KINDS):
        named, picture = drawings.render(1, number, 64)
        assert (named, picture.size, picture.mode) == (kind, (64, 64), "RGB")
        same, other = drawings.render(1, number, 64)[1], drawings.render(2, number, 64)[1]
        assert picture.tobytes() == same.tobytes() != other.tobytes()
        assert max(np.asarray(image, float).std() for image in (picture, other)) > 5


def test_pages_end_whatever_their_margin(drawings):
    """A page may be wider than the picture, in any size of letters."""
    for seed in range(30):
        drawings.text_page(np.random.default_rng(seed), 64)


def test_one_bit_pages_have_two_levels(drawings):
    for seed in range(6):
        page = np.asarray(drawings.bilevel(np.random.default_rng(seed), 64))
        assert set(np.unique(page)) <= {0, 255}


def test_the_command_writes_pictures_and_says_what_is_wrong(drawings, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["drawings.py", "--output", str(tmp_path / "new"), "--count", "3", "--size", "64"])
    drawings.main()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "0000-desktop.png",
        "0001-text.png",
        "0002-chart.png",
    ]
    assert "3 pictures in" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["drawings.py", "--output", str(tmp_path / "new"), "--size", "8"])
    with pytest.raises(drawings.UsageError, match=r"--size 8 .*: at least 64, 1 and 0"):
        drawings.main()
