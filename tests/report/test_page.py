import re
from dataclasses import replace

import numpy as np
import pytest

from resolvent.evaluation.metrics import Score
from resolvent.evaluation.tables import Row
from resolvent.provenance import Provenance
from resolvent.report.figures import Comparison, figure, to_picture
from resolvent.report.page import document, page, photograph_pair
from tests.report.conftest import Elements, pictures

ORIGIN = Provenance("abc", "A CPU", 2, "Linux 6", "3.12.1", {"numpy": "2.0"}, "2026-01-01 00:00 UTC")
TRUTH, DEGRADED, RESTORED = (np.full((16, 16, 3), value, np.float32) for value in (0.2, 0.6, 1.0))
ONE = Comparison(
    panel="Noise <1>",
    image="cat & dog",
    label="sigma 25",
    degradation="noise:sigma=25",
    model="denoise",
    seconds=0.1,
    truth=TRUTH,
    degraded=DEGRADED,
    restored=RESTORED,
    before=Score(20.0, 0.25),
    after=Score(30.0, 0.75),
)
COMPARISONS = [ONE, replace(ONE, image="cup", before=Score(22.0, 0.35), after=Score(33.0, 0.85))]


@pytest.fixture(scope="module")
def demo():
    return page(
        "A <title>", "A lead & more.", ORIGIN, comparisons=COMPARISONS, figure=figure([ONE]), protocol="Protocol"
    )


def test_it_asks_the_network_for_nothing(demo):
    elements = Elements(demo)
    assert not re.findall(r"(?:https?:)?//\w|@import|url\(", re.sub(r'src="data:[^"]*"', "", demo))
    assert len(elements.all("img")) == 1 + 2 * 4
    for image in elements.all("img"):
        assert image["src"].startswith("data:image/jpeg;base64,")
        assert image["alt"]
    assert not elements.all("link")
    assert all("src" not in script for script in elements.all("script"))


def test_pictures_are_those_compared(demo):
    shown = pictures(demo)
    for state, pixels in (("input", DEGRADED), ("restored", RESTORED)):
        picture = shown[f"cat & dog, noise:sigma=25, {state}"]
        assert np.abs(picture - np.asarray(to_picture(pixels), int)).max() <= 2
    assert shown["cat & dog, ground truth"].mean() == pytest.approx(0.2 * 255, abs=2)


def test_every_pair_has_a_slider_that_a_keyboard_can_move(demo):
    sliders = [field for field in Elements(demo).all("input") if field["type"] == "range"]
    assert len(sliders) == 2
    assert "cup, noise:sigma=25" in sliders[1]["aria-label"]
    assert demo.count('class="pair"') == 2


def test_headlines_are_means_over_photographs(demo):
    text = Elements(demo).text
    assert "21.0 → 31.5 dB" in text
    assert "SSIM 0.30 → 0.80" in text


def test_names_are_escaped(demo):
    elements = Elements(demo)
    assert "A <title>" in elements.text
    assert "Noise <1>" in elements.text
    assert "cat & dog" in elements.text
    assert "Noise <1>" not in demo


def test_protocol_and_provenance_stand_at_the_end(demo):
    assert f"<p>Protocol.</p><p>{ORIGIN}</p></footer>" in demo


def test_tables_of_rows():
    rows = [
        Row(method, "Set <5>", "noise:sigma=25", "a.png", psnr, 0.5, 1.0, 0.5, "Y & border")
        for method, psnr in (("input", 20.0), ("net", 30.0))
    ]
    html = page("Title", "Lead", ORIGIN, rows=rows)
    elements = Elements(html)
    assert "Set <5>, 1 image" in elements.text
    assert '<th scope="row">net</th><td>30.00 / 0.5000</td><td>2.00</td>' in html
    assert "Y & border." in elements.text
    assert not elements.all("img")


def test_layers_are_red_where_the_result_may_be_wrong_and_blue_where_it_was_changed():
    restored = np.full((32, 32, 3), 0.5, np.float32)
    given, width = restored.copy(), np.zeros((32, 32), np.float32)
    given[:16, :, :2] += 0.4
    width[:, :16], width[:, 16:24] = 40, 20
    shown = pictures(photograph_pair("cat", restored, given, "", half_width=width))
    map_of_errors, change = shown["cat, restored, where it may be wrong"], shown["cat, restored, what was changed"]
    assert map_of_errors[4, 4] == pytest.approx((214, 24, 24), abs=6)
    assert map_of_errors[4, 20] == pytest.approx((171, 76, 76), abs=6)
    assert map_of_errors[20, 28] == pytest.approx((128, 128, 128), abs=6)
    assert change[4, 28] == pytest.approx((20, 90, 235), abs=6)
    assert change[28, 4] == pytest.approx((128, 128, 128), abs=6)


def test_half_the_largest_change_is_half_blue():
    restored = np.full((16, 16, 1), 0.5, np.float32)
    shown = pictures(photograph_pair("cat", restored, restored - np.float32(32 / 255), ""))
    assert shown["cat, restored, what was changed"][8, 8] == pytest.approx((74, 109, 181), abs=4)


def test_a_caption_says_how_wide_the_intervals_are_and_how_many_values_they_hold():
    truth = np.full((10, 10, 3), 0.5, np.float32)
    restored, width = truth.copy(), np.full((10, 10), 9, np.float32)
    restored[0, :, 0] += 10 / 255
    restored[1, :, 0] -= 8 / 255
    restored[2, :, 0] = 2  # is shown, and counted, as 1
    known = photograph_pair("cat", restored, truth, "cat", half_width=width, truth=truth)
    assert "map: ±9 at the median; 93 % within it<" in known
    assert "map: ±9 at the median<" in photograph_pair("cat", restored, truth, "cat", half_width=width)
    assert "map: ±0.5 at the median<" in photograph_pair("cat", restored, truth, "cat", half_width=width / 18)
    assert "no map of errors" in photograph_pair("cat", restored, truth, "cat")


def test_a_caption_leaves_out_what_is_fully_transparent():
    restored, width = np.zeros((10, 10, 3), np.float32), np.zeros((10, 10), np.float32)
    width[:4] = 9
    truth = restored.copy()
    truth[0], truth[4:] = 0.5, 0.5
    html = photograph_pair("cut-out", restored, truth, "", half_width=width, truth=truth)
    assert "map: ±9 at the median; 75 % within it<" in html


@pytest.mark.parametrize(("outside", "said"), [(0, "100 %"), (1, "over 99 %"), (4, "over 99 %"), (6, "99 %")])
def test_only_all_values_are_100_percent(outside, said):
    restored, width = np.zeros((10, 100, 1), np.float32), np.ones((10, 100), np.float32)
    truth = restored.copy()
    truth.ravel()[:outside] = 1
    assert f"; {said} within it" in photograph_pair("cat", restored, truth, "", half_width=width, truth=truth)


def test_the_control_offers_the_layers_of_the_page():
    def radios(html):
        return re.findall(r'<label><input type="radio" name="show"[^>]*>([^<]*)</label>', html)

    width = np.full((16, 16), 20, np.float32)
    mapped = page("Title", "Lead", ORIGIN, comparisons=[ONE, replace(ONE, image="cup", half_width=width)])
    assert radios(mapped) == ["result", "where it may be wrong", "what was changed"]
    for text in ("Show", "±8 or less", "±20", "±32 or more", "9 of 10 pixels lie"):
        assert text in Elements(mapped).text
    assert mapped.index('<div class="headlines">') < mapped.index("<fieldset>") < mapped.index("<figure")
    assert document("Title", "Lead", photograph_pair("cat", RESTORED, TRUTH, "")).count("<fieldset>") == 1
    assert mapped.count('name="show" checked') == 1
    without = page("Title", "Lead", ORIGIN, comparisons=[ONE])
    assert radios(without) == ["result", "what was changed"]
    assert "±8 or less" not in without
    assert "<fieldset>" not in document("Title", "Lead", "<p>nothing to choose from</p>")


def test_every_layer_has_a_rule_that_shows_it():
    html = page("Title", "Lead", ORIGIN, comparisons=[replace(ONE, half_width=np.zeros((16, 16), np.float32))])
    names = {attributes["id"].removeprefix("show-") for _, attributes in Elements(html).found if "id" in attributes}
    assert names == {"uncertainty", "change"}
    for name in names:
        assert f":root:has(#show-{name}:checked) .{name}" in html
