"""docs/engineering/json.md: its tables name the keys that there are."""

import dataclasses
import re
from pathlib import Path

from resolvent.batch.report import BatchReport, Result
from resolvent.batch.status import COLUMNS, Summary
from resolvent.diagnosis import Diagnosis
from resolvent.methods.control import Steps

TEXT = (Path(__file__).parents[2] / "docs/engineering/json.md").read_text("utf-8")


def keys_of(section):
    """The names in the first column of the first table of a section, in order."""
    table = re.search(rf"{re.escape(section)}.*?\n\|---\|---\|\n(.*?)\n\n", TEXT, re.DOTALL)[1]
    return [name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split(" | ")[0])]


def result(**more):
    return Result(Path("a.jpg"), Path("b.jpg"), "restored", ("why",), steps=Steps(1, 1), **more)


def test_keys_of_a_photograph_and_which_may_be_left_out():
    whole = result(uncertainty={}, evidence={}, half_widths=Path("c.tif"), expected=1.0).to_json()
    named = keys_of("## Each photograph")
    assert set(named) == set(whole)
    assert set(named[:-4]) == set(result().to_json())


def test_keys_of_a_batch():
    report = BatchReport((result(),), warnings=("one",)).to_json()
    assert keys_of("## A batch") == list(report)


def test_keys_of_a_report():
    counts = dict.fromkeys(("done", "failed", "started", "waiting"), 1)
    assert set(keys_of("`resolvent batch report OUT --json`")) == set(Summary(Path("out"), counts).to_json())
    columns = re.search(r"with the columns (.*?)\. Text", TEXT, re.DOTALL)[1]
    assert tuple(re.findall(r"`(\w+)`", columns)) == COLUMNS


def test_keys_of_a_diagnosis():
    row = re.search(r"^\| `diagnose PHOTO` \| (.*) \|$", TEXT, re.MULTILINE)[1]
    assert re.findall(r"`(\w+)`", row) == [field.name for field in dataclasses.fields(Diagnosis)]
    assert set(re.findall(r"`(\w+)`", row)) >= {"gains", "model"}
