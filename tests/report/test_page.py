import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from resolvent.evaluation.metrics import Score
from resolvent.evaluation.tables import Row
from resolvent.provenance import Provenance
from resolvent.report.figures import Comparison, figure, to_picture
from resolvent.report.page import page

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


class Elements(HTMLParser):
    """The elements of a page, as (tag, attributes), and its text."""

    def __init__(self, html):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def demo():
    return page(
        "A <title>", "A lead & more.", ORIGIN, comparisons=COMPARISONS, figure=figure([ONE]), protocol="Protocol"
    )


def test_it_asks_the_network_for_nothing(demo):
    elements = Elements(demo)
    assert not re.findall(r"(?:https?:)?//\w|@import|url\(", re.sub(r'src="data:[^"]*"', "", demo))
    assert len(elements.all("img")) == 1 + 2 * 3
    for image in elements.all("img"):
        assert image["src"].startswith("data:image/jpeg;base64,")
        assert image["alt"]
    assert not elements.all("link")
    assert all("src" not in script for script in elements.all("script"))


def test_pictures_are_those_compared(demo):
    shown = {
        image["alt"]: Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2])))
        for image in Elements(demo).all("img")
    }
    for state, pixels in (("input", DEGRADED), ("restored", RESTORED)):
        picture = shown[f"cat & dog, noise:sigma=25, {state}"]
        assert np.abs(np.asarray(picture, int) - np.asarray(to_picture(pixels), int)).max() <= 2
    assert np.asarray(shown["cat & dog, ground truth"], int).mean() == pytest.approx(0.2 * 255, abs=2)


def test_every_pair_has_a_slider_that_a_keyboard_can_move(demo):
    sliders = Elements(demo).all("input")
    assert [slider["type"] for slider in sliders] == ["range", "range"]
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
