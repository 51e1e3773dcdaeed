from dataclasses import replace

import numpy as np
import pytest

from resolvent.errors import UsageError
from resolvent.evaluation.metrics import Score
from resolvent.report.figures import Comparison, figure, to_picture

HEIGHT, WIDTH = 24, 40


def comparison(panel, image, label, seed=0, channels=3):
    rng = np.random.default_rng(seed)
    truth, degraded, restored = rng.random((3, HEIGHT, WIDTH, channels), dtype=np.float32) * 1.4 - 0.2
    scores = Score(20.5, 0.25), Score(30.5, 0.75)
    return Comparison(panel, image, label, "noise:sigma=25", "denoise", 0.1, truth, degraded, restored, *scores)


COMPARISONS = [
    comparison(panel, image, label, seed)
    for seed, (panel, image, label) in enumerate(
        (panel, image, label) for panel in ("noise", "blur") for image in ("cat", "cup") for label in ("weak", "strong")
    )
]


def place(sheet, pixels):
    """Where a photograph stands in the figure: (top, left); it must be there exactly once."""
    tile = np.asarray(to_picture(pixels).convert("RGB"))
    found = [
        (int(y), int(x))
        for y, x in np.argwhere((sheet == tile[0, 0]).all(-1))
        if np.array_equal(sheet[y : y + HEIGHT, x : x + WIDTH], tile)
    ]
    assert len(found) == 1
    return found[0]


def test_every_photograph_stands_in_its_row_and_column():
    sheet = np.asarray(figure(COMPARISONS))
    places = [
        [place(sheet, p) for p in (comparison.truth, comparison.degraded, comparison.restored)]
        for comparison in COMPARISONS
    ]
    for rows in places:
        assert len({left for _, left in rows}) == 1
        assert rows[0][0] + HEIGHT <= rows[1][0] < rows[1][0] + HEIGHT < rows[2][0]
    noise, blur = places[:4], places[4:]
    assert [rows[0][1] for rows in noise] == sorted(rows[0][1] for rows in noise) == [rows[0][1] for rows in blur]
    assert len({rows[0][0] for rows in noise}) == 1
    assert min(rows[0][0] for rows in blur) > max(rows[2][0] for rows in noise) + HEIGHT


def test_scores_stand_under_degraded_and_restored():
    one = COMPARISONS[0]
    sheet = np.asarray(figure([one]))
    cases = {1: replace(one, before=Score(11.11, 0.111)), 2: replace(one, after=Score(11.11, 0.111))}
    for row, changed in cases.items():
        top, left = place(sheet, (one.truth, one.degraded, one.restored)[row])
        y, x = np.nonzero((sheet != np.asarray(figure([changed]))).any(-1))
        assert top + HEIGHT <= y.min() < y.max() < top + HEIGHT + 16
        assert left <= x.min() < x.max() < left + WIDTH


@pytest.mark.parametrize("field", ["panel", "image", "label"])
def test_names_are_written(field):
    one = COMPARISONS[0]
    assert figure([one]) != figure([replace(one, **{field: "other"})])


def test_footer_is_written_below():
    plain, signed = (np.asarray(figure(COMPARISONS, footer)) for footer in ("", "protocol\nmachine"))
    assert signed.shape[0] > plain.shape[0]
    below = signed[plain.shape[0] - 12 :]
    assert (below < 200).any()
    assert (signed[:, -1] == 255).all()


def test_gray_photographs():
    one = comparison("noise", "cat", "weak", channels=1)
    place(np.asarray(figure([one])), one.restored)


@pytest.mark.parametrize("count", [0, 2])
def test_photographs_of_several_shapes(count):
    mixed = [COMPARISONS[0], replace(COMPARISONS[1], truth=np.zeros((8, 8, 3), np.float32))][:count]
    with pytest.raises(UsageError, match="one shape"):
        figure(mixed)
