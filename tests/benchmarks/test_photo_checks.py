import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image as Pillow

from benchmarks.photo_checks.choice import NOTHING, Case, summary
from benchmarks.photo_checks.common import SAME, Finding, Sets, degraded_file, pixels_of, rounded, score
from benchmarks.photo_checks.crops import places
from benchmarks.photo_checks.generator import TURNS, draw_case, kind_of, known_parts, left_out
from benchmarks.photo_checks.goals import GOALS, goals_table
from resolvent.degradations import DEGRADATIONS, parse


def texture(side=48, channels=3):
    return np.random.default_rng(0).random((side, side, channels), np.float32)


@pytest.mark.parametrize("place", range(3 * len(TURNS)))
def test_a_drawn_case_is_a_degradation_that_keeps_the_size(place):
    text = draw_case(place, seed=7)
    drawn = parse(text).sample(np.random.default_rng(0))
    assert drawn(texture(), np.random.default_rng(0)).shape == (48, 48, 3)
    assert len(drawn.parts) <= 4
    assert text == draw_case(place, seed=7)


def test_every_kind_has_its_turn():
    kinds = Counter(kind_of(draw_case(place, seed=1)) for place in range(300))
    assert kinds["clean"] == 15
    assert min(kinds[name] for name in known_parts()) >= 135 // len(known_parts())
    assert [kinds[f"mixture of {n}"] for n in (2, 3, 4)] == [50, 50, 50]
    assert kinds.total() == 300
    assert {*known_parts(), *left_out(), "none"} == set(DEGRADATIONS)


def test_other_seeds_and_places_draw_other_cases():
    assert len({draw_case(place, seed) for place in (5, 6, 25) for seed in (0, 1)}) == 6


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("jpeg:quality=80,subsampling=4:4:4", "x.jpg"),
        ("noise:sigma=5 + jpeg:quality=40", "x.jpg"),
        ("jpeg:quality=40,top=2,left=1", "x.png"),
        ("jpeg:quality=40 + quantize", "x.png"),
        ("none", "x.png"),
    ],
)
def test_a_file_holds_what_the_degradation_gives(tmp_path, text, name):
    path = degraded_file(texture(), parse(text), np.random.default_rng(3), tmp_path / "x")
    assert path == tmp_path / name
    expected = rounded(parse(text)(texture(), np.random.default_rng(3)))
    np.testing.assert_array_equal(np.rint(255 * pixels_of(path)), np.rint(255 * expected))


def test_scores_end_where_images_count_as_the_same():
    x = texture()
    assert score(x, x) == SAME
    assert score(np.clip(x * 0 + 0.5, 0, 1), x) == pytest.approx(-10 * np.log10(np.mean((x - 0.5) ** 2)), abs=1e-3)
    gray = x.mean(2, keepdims=True)
    assert score(gray, np.repeat(gray, 3, 2)) == SAME


def test_the_summary_counts_what_is_near_the_best():
    cases = [
        Case("a", "noise:sigma=5", {NOTHING: 30.0, "denoise": 34.0, "restore": 33.0}, "denoise", 34.1),
        Case("b", "noise:sigma=9", {NOTHING: 30.0, "denoise": 34.0, "restore": 33.0}, "restore", 33.0),
        Case("c", "none", {NOTHING: 50.0, "denoise": 40.0, "restore": 45.0}, NOTHING, 50.0),
        Case("d", "blur:sigma=1 + jpeg:quality=9", {NOTHING: 25.0, "denoise": 24.0, "restore": 25.1}, "denoise", 24.5),
    ]
    found = summary(cases)
    assert found.figures["near"] == 0.5
    assert found.figures["chosen"] == 0.5
    assert found.figures["loss"] == pytest.approx((-0.1 + 1.0 + 0.0 + 0.6) / 4)
    assert found.figures["worst"] == 1.0
    assert found.figures["worst_change"] == -0.5
    rows = {row[0]: row for row in found.table}
    assert rows["noise"][1:6] == ["2", "50%", "0.45", "1.00", "50%"]
    assert rows["all"][1] == "4"
    assert any(note.startswith("b, noise:sigma=9") for note in found.notes)
    assert not any(note.startswith("c,") for note in found.notes)


def test_goals_show_what_was_measured_and_what_was_not():
    goal = next(goal for goal in GOALS if goal.checks == ("upscale",))
    now = {"upscale": {"figures": {"upscale22": 37.654, "upscale44": 31.4}}}
    lines = goals_table({}, now).splitlines()
    assert f"| {goal.what} | 37.10/31.04 | 37.6/31.4 | 37.9/31.9 | 37.65/31.40 |" in lines
    assert sum(line.endswith("| not measured |") for line in lines) == len(GOALS) - 1
    before = {"upscale": {"figures": {"upscale22": 37.0, "upscale44": 31.0}}}
    assert f"| {goal.what} | 37.00/31.00 |" in goals_table(before, now)


def test_a_finding_is_a_table_with_its_protocol_and_notes():
    text = Finding("How.", [["a", "b"], ["1", "2"]], {}, ["One."]).markdown()
    assert text == "How.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n- One."


def test_places_are_the_most_and_the_least_detailed():
    pixels = 0.3 * texture(96)
    pixels[:48, :48] = texture(48)
    pixels[48:, 48:] = 0.01 * texture(48)
    assert places(pixels, 48)[0] == (0, 0)
    assert places(pixels, 48)[2] == (48, 48)


def test_a_set_is_found_in_the_folder_or_its_test(tmp_path):
    for folder in ("test/CBSD68", "val"):
        (tmp_path / folder).mkdir(parents=True)
        file = io.BytesIO()
        Pillow.new("RGB", (8, 8)).save(file, "PNG")
        for name in "ba":
            (tmp_path / folder / f"{name}.png").write_bytes(file.getvalue())
    sets = Sets(tmp_path, limit=1)
    assert sets.files("CBSD68") == [tmp_path / "test/CBSD68/a.png"]
    assert sets.files("val") == [tmp_path / "val/a.png"]
    with pytest.raises(SystemExit, match="has no Kodak24"):
        sets.files("Kodak24")
