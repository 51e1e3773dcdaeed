"""What a card says of a calibration."""

from dataclasses import replace

import pytest

from resolvent.errors import InputError
from resolvent.models.card import ModelCard

CERTIFICATE = {
    "factor": 1.0, "wide": 2.0, "alpha": 0.1, "delta": 0.1, "images": 200, "source": "album",
    "coverage": {"test": {"images": 3, "inside": 0.9, "worst": 0.8, "width": 7.5}},
}  # fmt: skip


def test_a_whole_certificate_is_given_as_it_is(tiny):
    assert replace(tiny[1], uncertainty=CERTIFICATE).certificate == CERTIFICATE
    assert tiny[1].certificate == {}


@pytest.mark.parametrize("key", ["factor", "alpha", "delta", "images", "source", "coverage"])
@pytest.mark.parametrize("value", [None, "", -1, True, [], float("nan")])
def test_a_certificate_that_is_not_whole_is_refused(tiny, key, value):
    card = replace(tiny[1], uncertainty={**CERTIFICATE, key: value})
    if (key, value) == ("source", ""):
        assert card.certificate["source"] == ""
        return
    with pytest.raises(InputError, match=f"^tiny: {key} .* of its uncertainty: must be "):
        _ = card.certificate


@pytest.mark.parametrize("key", ["images", "inside", "worst", "width"])
def test_so_is_what_was_measured(tiny, key):
    measured = {name: value for name, value in CERTIFICATE["coverage"]["test"].items() if name != key}
    with pytest.raises(InputError, match=f"^tiny: {key} None of its coverage 'test': must be a number"):
        _ = replace(tiny[1], uncertainty={**CERTIFICATE, "coverage": {"test": measured}}).certificate
    with pytest.raises(InputError, match=r"^tiny: images None of its coverage 'test': must be a number"):
        _ = replace(tiny[1], uncertainty={**CERTIFICATE, "coverage": {"test": 0.9}}).certificate


SCHEDULE = {"levels": [1.0, 0.9], "weights": [0.2, 0.3]}


def test_a_schedule_is_kept():
    card = ModelCard("a", "deconvolve", "", "unet-small", {}, "", noise_level=True, schedule=SCHEDULE)
    assert ModelCard.loads(card.dumps(), "a").schedule == SCHEDULE


@pytest.mark.parametrize(
    "schedule",
    [
        {"levels": [1.0]},
        {**SCHEDULE, "steps": 2},
        {**SCHEDULE, "weights": [0.2]},
        {**SCHEDULE, "weights": [0.2, 0]},
        {**SCHEDULE, "levels": [1.0, "2"]},
        {**SCHEDULE, "levels": 1.0},
        {"levels": [], "weights": []},
        {"levels": [1.0] * 65, "weights": [1.0] * 65},
    ],
)
def test_a_wrong_schedule_is_refused(schedule):
    with pytest.raises(InputError, match="must be levels and weights"):
        ModelCard("a", "deconvolve", "", "unet-small", {}, "", noise_level=True, schedule=schedule)
