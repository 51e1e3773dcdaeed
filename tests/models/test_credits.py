"""Whose photographs the bundled models are made of: each is named, with a license and a source."""

import json
import re
import tomllib
from importlib import resources

import pytest

from resolvent.errors import InputError
from resolvent.models.credits import collections, collections_of, credits_of, uses
from resolvent.models.registry import bundled, read_card, realistic

CARDS = [*bundled(), *(f"{name}@1" for name in realistic())]
RECORD = resources.files("resolvent.models") / "CREDITS.toml"


@pytest.mark.parametrize("name", CARDS)
def test_every_set_that_a_bundled_card_names_has_a_license_and_a_source(name):
    card = read_card(name)
    rows = credits_of(card)
    assert {row["use"] for row in rows} == {"training", *(["calibration"] if card.uncertainty else [])}
    for row in rows:
        found = collections()[row["collection"]]
        assert found.license
        assert found.source
        assert row["use"] in found.uses
    trained = [collections()[row["collection"]] for row in rows if row["use"] == "training"]
    held = sum(found.photographs for found in trained)
    assert {"drawings.py" in card.data["source"]} == {"drawings.py" in "".join(found.source for found in trained)}
    assert 0 < held <= card.data["photographs"]  # some photographs give several squares


def test_what_the_cards_say_of_their_licenses_is_credited():
    for card in map(read_card, CARDS):
        licenses = " ".join(row["license"] for row in credits_of(card) if row["use"] == "training")
        for known in re.findall(r"CC BY-SA|CC0|Unsplash", card.data["source"]):
            assert known in licenses


def test_calibration_names_every_set():
    card = read_card("denoise")
    named = [row["collection"] for row in credits_of(card) if row["use"] == "calibration"]
    assert named == card.certificate["source"].split(", ")
    assert sum(collections()[key].photographs for key in named) == card.certificate["images"]


def test_the_record_is_whole():
    found = tomllib.loads(RECORD.read_text("utf-8"))
    assert {use for collection in collections().values() for use in collection.uses} == set(uses())
    for key, collection in collections().items():
        assert collection.title, key
        assert collection.license, key
        assert collection.source, key
        assert collection.authors, key
        assert not collection.works or len(collection.works) == collection.photographs, key
        assert len({work.file for work in collection.works}) == len(collection.works), key
        if "training" in collection.uses and key != "drawings":
            assert collection.works, f"{key}: its photographs are listed"
    assert all(work.author and work.url for work in collections()["flowers"].works)
    for card in found["cards"]:
        assert set(card["collections"]) <= set(collections())


def test_photographs_without_an_entry_are_refused():
    with pytest.raises(InputError, match=r"'photographs of mine'.*CREDITS\.toml"):
        collections_of("photographs of mine")


def test_the_commands_show_it(run):
    code, _, shown = run("models", "denoise")
    assert code == 0
    assert "photographs: 786 photographs" in shown
    assert "resolvent models denoise --credits" in shown
    code, _, shown = run("models", "--credits")
    assert code == 0
    for collection in collections().values():
        assert collection.title in shown
        assert collection.license in shown
        for work in collection.works:
            assert work.file in shown
            assert work.author in shown
    code, _, shown = run("models", "scratches", "--credits")
    assert code == 0
    assert "Ubuntu wallpapers" in shown
    assert "PolyU" not in shown


def test_programs_get_it(run):
    shown = json.loads(run("models", "denoise", "--json")[1])["denoise"]["credits"]
    assert [(row["use"], row["license"]) for row in shown if row["collection"] == "flowers"] == [
        ("calibration", "CC BY 2.0")
    ]
    listed = json.loads(run("models", "--credits", "--json")[1])
    assert list(listed["collections"]) == list(collections())
    assert {"file", "author", "url"} == set(listed["collections"]["flowers"]["works"][0])


def test_a_model_that_is_not_bundled_has_no_credits(run, tiny):
    code, _, shown = run("models", tiny[2], "--credits")
    assert code == 2
    assert "no bundled model" in shown
    assert "credits" not in next(iter(json.loads(run("models", tiny[2], "--json")[1]).values()))
