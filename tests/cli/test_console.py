import io
import sys
from pathlib import Path

import pytest

from resolvent.batch.progress import Event
from resolvent.batch.report import BatchReport, Result
from resolvent.cli.console import Bar, RestoreConsole, duration, lines, summary
from resolvent.methods.control import Steps

PHOTO, TARGET = Path("a/photo.jpg"), Path("a/photo.restored.jpg")


def result(status, *reasons, **more):
    return Result(PHOTO, TARGET, status, reasons, **more)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (result("failed", "out of memory"), "failed: a/photo.jpg: out of memory"),
        (result("failed", "a/photo.jpg: is empty"), "failed: a/photo.jpg: is empty"),
        (result("skipped"), "a/photo.restored.jpg: skipped, it is there"),
        (result("unchanged"), "a/photo.restored.jpg: unchanged"),
        (
            result("restored", model="denoise", sigma=12.34, seconds=1.26),
            "a/photo.restored.jpg: restored by denoise, sigma 12.3 in 1.3 s",
        ),
        (
            result("restored", model="dip", seconds=60.0, steps=Steps(7, 3000, "budget")),
            "a/photo.restored.jpg: restored by dip in 1 min 0 s, cut off by the budget after 7 of 3000 steps",
        ),
    ],
)
def test_one_line_a_file(outcome, expected):
    assert lines(outcome, verbose=False) == [expected]


def test_reasons_follow_where_asked_for():
    assert lines(result("unchanged", "no noise", "no blur"), verbose=True)[1:] == ["  no noise", "  no blur"]


def test_summary_counts_and_repeats_what_failed():
    failed = result("failed", "is empty")
    kept = result("restored", "noise", model="denoise", seconds=2.0, warnings=("page 1 of 3",))
    assert summary(BatchReport((kept, failed, result("skipped")))) == [
        "1 restored, 1 skipped, 1 failed in 2.0 s",
        "1 with warnings, the first a/photo.jpg: page 1 of 3 (all: --json)",
    ]
    many = summary(BatchReport((failed, *[result("unchanged")] * 10)))
    assert many == ["10 unchanged, 1 failed in 0.0 s", "failed: a/photo.jpg: is empty"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (60, "1 min 0 s"), (3599.7, "1 h 0 min"), (7380, "2 h 3 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_terminal_sees_the_file_the_share_and_the_time_left(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with RestoreConsole(verbose=False) as watch:
        watch(Event(0, 2, PHOTO, eta=75.0))
        watch.bar.refresh()
        watch(Event(0, 2, PHOTO, result=result("restored", model="denoise", seconds=1.0)))
    shown = sys.stderr.getvalue()
    assert "1 of 2  photo.jpg" in shown
    assert "1 min 15 s left" in shown
    assert "restored by denoise" in shown
    assert watch.finished == 1


def test_without_a_terminal_there_is_no_bar(monkeypatch, capsys):
    with Bar() as bar:
        bar.show(0.5, "half")
    assert capsys.readouterr().err == ""
