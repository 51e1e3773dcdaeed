import io
import json
import sys
import time
from pathlib import Path

import pytest

from resolvent.batch.progress import Event
from resolvent.batch.report import CHECKED, BatchReport, Result
from resolvent.cli.console import Bar, RestoreConsole, duration, lines, names, say, show_json, summary
from resolvent.cli.signals import STOP
from resolvent.errors import UsageError
from resolvent.methods.control import Steps

PHOTO, TARGET = Path("a/photo.jpg"), Path("a/photo.restored.jpg")


def result(status, *reasons, **more):
    return Result(PHOTO, TARGET, status, reasons, **more)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (result("failed", "out of memory"), "failed: a/photo.jpg: out of memory"),
        (result("failed", "a/photo.jpg: is empty"), "failed: a/photo.jpg: is empty"),
        (result("skipped"), "a/photo.restored.jpg: skipped: output exists"),
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
    assert summary(BatchReport((kept, kept, failed, result("skipped")), seconds=4.0)) == [
        "2 restored, 1 skipped, 1 failed in 4.0 s",
        "warning, 2 of 4: page 1 of 3 (a/photo.jpg, a/photo.jpg)",
    ]
    many = summary(BatchReport((failed, *[result("unchanged")] * 24)))
    assert many == ["24 unchanged, 1 failed in 0.0 s", "failed: a/photo.jpg: is empty"]
    assert len(summary(BatchReport((failed, *[result("unchanged")] * 23)))) == 1


def test_summary_says_what_was_left_out_and_what_stopped_it():
    ignored = {".nef": 5, ".cr2": 1, ".mov": 1, ".pdf": 1, "": 2}
    links, earlier = (Path("link.jpg"), Path("b.jpg")), (Path("out"),)
    said = summary(BatchReport((result("unchanged"),), ignored, links, "the disk is full", earlier=earlier))
    assert said == [
        "1 unchanged in 0.0 s",
        "left out: 6 camera raws (.cr2, .nef; develop them first), 1 video (.mov), 3 other files (.pdf, no extension)",
        "left out, other names of the same photographs: 2 (link.jpg, b.jpg)",
        "left out, results of earlier runs: 1 (out)",
        "stopped: the disk is full; make room, then go on with --resume",
    ]


def test_warnings_are_counted_with_their_files_and_the_rarest_left_to_json():
    texts = [f"loses {name}" for name in "abcdefg"]
    results = [
        Result(Path(f"{i}.jpg"), TARGET, "restored", (), model="m", warnings=tuple(texts[:i])) for i in range(1, 8)
    ]
    said = summary(BatchReport(tuple(results)))
    named = [
        *("1.jpg, 2.jpg, 3.jpg and 4 more", "2.jpg, 3.jpg, 4.jpg and 3 more", "3.jpg, 4.jpg, 5.jpg and 2 more"),
        *("4.jpg, 5.jpg, 6.jpg and 1 more", "5.jpg, 6.jpg, 7.jpg"),
    ]
    assert said[1:] == [
        *(f"warning, {7 - i} of 7: loses {'abcde'[i]} ({files})" for i, files in enumerate(named)),
        "and 2 other warnings; all are in --json",
    ]


def test_a_dry_run_says_would():
    planned = result("restored", "noise", model="denoise", sigma=5.0, expected=75.0)
    assert lines(planned, verbose=False, dry_run=True) == [
        "a/photo.restored.jpg: would be restored by denoise, sigma 5.0 in about 1 min 15 s"
    ]
    by_method = result("restored", model="pnp")
    assert lines(by_method, verbose=False, dry_run=True) == ["a/photo.restored.jpg: would be restored by pnp"]
    assert lines(result("unchanged", expected=0.0), verbose=False, dry_run=True) == [
        "a/photo.restored.jpg: would be unchanged"
    ]
    report = BatchReport((planned, planned, by_method), dry_run=True)
    assert summary(report) == ["would be: 3 restored, in about 2 min 30 s; nothing was written", CHECKED]
    assert CHECKED not in summary(BatchReport((result("unchanged", expected=0.0),), dry_run=True))


def test_names_do_not_steer_the_terminal(capsys):
    name = "a\x1b[2J\nfailed: b\u202egpj.\x9b1m é"
    say(name)
    show_json({"name": name})
    out, err = capsys.readouterr()
    assert err == "a\\x1b[2J\\nfailed: b\\u202egpj.\\x9b1m é\n"
    assert json.loads(out) == {"name": name}
    assert out.isascii() is False
    assert not {"\x1b", "\x9b", "\u202e"} & set(out)
    with Bar() as bar:
        bar.line(name)
    assert capsys.readouterr().err.count("\n") == 1


def test_without_a_terminal_it_says_now_and_then_how_far_it_is(monkeypatch, capsys):
    monkeypatch.setattr("resolvent.cli.console.BEAT", 0.01)
    with Bar() as bar:
        bar.show(0.25, "1 of 4  a.png", 90.0)
        time.sleep(0.3)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "1 of 4  a.png, 25%, 1 min 30 s left"
    with Bar(quiet=True) as bar:
        bar.show(0.25, "1 of 4  a.png", 90.0)
        time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_quiet_shows_failures_alone_and_skipped_files_are_no_lines(capsys):
    events = [Event(i, 3, PHOTO, result=result(status)) for i, status in enumerate(["unchanged", "failed", "skipped"])]
    for quiet, expected in ((True, 1), (False, 2)):
        with RestoreConsole(verbose=False, quiet=quiet) as watch:
            for event in events:
                watch(event)
        assert len(capsys.readouterr().err.splitlines()) == expected
        assert [found.status for found in watch.results] == ["unchanged", "failed", "skipped"]
    with RestoreConsole(verbose=True) as watch:
        watch(Event(0, 1, PHOTO, result=result("skipped")))
    assert capsys.readouterr().err == "a/photo.restored.jpg: skipped: output exists\n"


def test_an_interrupt_that_a_callback_swallowed_is_raised_again(monkeypatch):
    with RestoreConsole(verbose=False, quiet=True) as watch:
        watch(Event(0, 2, PHOTO, result=result("unchanged")))
        monkeypatch.setattr(STOP, "received", True)
        watch(Event(0, 2, PHOTO, result=result("unchanged")))
        with pytest.raises(KeyboardInterrupt):
            watch(Event(1, 2, PHOTO))
        with pytest.raises(KeyboardInterrupt):  # which is what ended it
            watch(Event(1, 2, PHOTO, result=result("failed")))
    assert len(watch.results) == 2


@pytest.mark.parametrize(("null", "text"), [(False, b"a b.png\r\n\nb\xff.png\n"), (True, b"a b.png\0b\xff.png\0")])
def test_names_are_read_from_a_file(tmp_path, null, text):
    (tmp_path / "names").write_bytes(text)
    assert names(str(tmp_path / "names"), null=null) == ["a b.png", "b\udcff.png"]
    with pytest.raises(UsageError, match=r"--files-from .*missing: cannot be read: No such file"):
        names(str(tmp_path / "missing"))


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
    assert len(watch.results) == 1


def test_without_a_terminal_there_is_no_bar(monkeypatch, capsys):
    with Bar() as bar:
        bar.show(0.5, "half")
    assert capsys.readouterr().err == ""


def test_nothing_is_said_of_what_has_ended(monkeypatch):
    said = []

    def slow(self, text):
        time.sleep(0.1)
        said.append(text)

    monkeypatch.setattr("resolvent.cli.console.BEAT", 0.01)
    monkeypatch.setattr(Bar, "line", slow)
    with Bar():
        time.sleep(0.05)
    count = len(said)
    time.sleep(0.2)
    assert len(said) == count > 0
