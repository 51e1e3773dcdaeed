"""What is told of a batch while it runs, and when it is done."""

import csv
import json
import shutil

import pytest

from resolvent.batch import status
from resolvent.batch.home import FOLDER
from resolvent.batch.manifest import Manifest
from resolvent.batch.many import restore_many
from resolvent.errors import UsageError
from tests.batch.conftest import put


@pytest.fixture
def done(album, tmp_path, soft):
    """The output folder of a batch with one photograph of each fate."""
    (album / "broken.png").write_bytes((album / "a.png").read_bytes()[:200])
    shutil.copyfile(album / "a.png", album / "same.png")
    restore_many([album], tmp_path / "out", **soft)
    return tmp_path / "out"


def test_a_batch_that_runs_can_be_asked_how_far_it_is(album, tmp_path, soft, monkeypatch):
    monkeypatch.setattr(status, "EVERY", 0.0)
    out, told = tmp_path / "out", []
    restore_many([album], out, **soft, on_event=lambda event: told.append(status.status_of(out)))
    assert all(one["running"] and one["total"] == 4 for one in told)
    assert [one["done"] for one in told] == sorted(one["done"] for one in told)
    assert told[-1]["done"] >= 2
    assert max(one["working"] for one in told) >= 1
    assert told[-1]["photographs_per_second"] > 0
    assert told[-1]["pid"]
    after = status.status_of(out)
    assert after == {"running": False, "total": 4, "done": 4, "failed": 0, "waiting": 0}
    assert not (tmp_path / "out" / FOLDER / "status.json").exists()


def test_a_folder_without_a_batch_is_one_line(tmp_path, run):
    with pytest.raises(UsageError, match="holds no batch; give the output folder of one"):
        status.status_of(tmp_path)
    assert not list(tmp_path.iterdir())
    for command in ("status", "report"):
        code, _, err = run("batch", command, tmp_path)
        assert (code, len(err.splitlines())) == (2, 1)


def test_status_and_report_as_text(done, run, album):
    code, _, err = run("batch", "status", done)
    assert (code, err) == (0, "6 of 6 finished, 1 of them failed; all is done\n")
    code, _, err = run("batch", "report", done)
    assert code == 0
    said, pace, failed = err.splitlines()
    assert said == "6 photographs: 5 restored, 1 failed"
    assert "megapixels restored" in pace
    assert failed.startswith(f"failed: {album}")
    assert "broken.png: it cannot be decoded" in failed


def test_one_photograph_is_singular(tmp_path, soft, run):
    put(tmp_path / "album" / "a.png", 0)
    restore_many([tmp_path / "album"], tmp_path / "out", **soft)
    _, _, err = run("batch", "report", tmp_path / "out")
    assert err.splitlines()[0] == "1 photograph: 1 restored"
    assert run("batch", "report", tmp_path / "out", "-o", tmp_path / "report.html")[0] == 0
    assert ">1 photograph in " in (tmp_path / "report.html").read_text("utf-8")


def test_a_report_as_csv_json_and_a_page(done, run, tmp_path, album):
    for name in ("r.csv", "r.json", "r.html"):
        assert run("batch", "report", done, "-o", tmp_path / name)[0] == 0
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["input"]: row for row in csv.DictReader(file)}
    assert len(rows) == 6
    row, broken = rows[str(album / "trip/ü/e.webp")], rows[str(album / "broken.png")]
    assert (row["state"], row["status"], row["sigma"]) == ("done", "restored", "20.0")
    assert row["output_bytes"] == str((done / "trip/ü/e.webp").stat().st_size)
    assert float(row["megapixels"]) == pytest.approx(16 * 24 / 1e6, abs=1e-4)
    assert (broken["state"], broken["output_sha256"]) == ("failed", "")
    found = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert (found["done"], found["failed"], len(found["failures"])) == (5, 1, 1)
    assert found["megapixels_per_second_of_a_worker"] > 0
    assert json.loads(run("batch", "report", done, "--json")[1]) == found
    page = (tmp_path / "r.html").read_text("utf-8")
    assert page.count('<div class="pair">') == 5
    assert page.count("broken.png") == 1
    assert '<td class="prose">it cannot be decoded' in page
    code, _, err = run("batch", "report", done, "-o", tmp_path / "r.csv")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "give one of these extensions" in run("batch", "report", done, "-o", tmp_path / "r.pdf")[2]


def test_a_page_of_photographs_that_are_gone_says_so(done, run, tmp_path, album):
    (album / "a.png").unlink()
    assert run("batch", "report", done, "-o", tmp_path / "r.html")[0] == 0
    page = (tmp_path / "r.html").read_text("utf-8")
    assert page.count('<div class="pair">') == 4
    assert "a.png: there is no such file; check its name and folder" in page


def test_a_batch_of_another_version_is_not_running(done, run):
    """A run that was killed has left what it told of itself."""
    with Manifest.open(done, create=False) as manifest:
        manifest.connection.execute("PRAGMA user_version = 7")
    (done / FOLDER / "status.json").write_text("{}")
    code, _, err = run("batch", "status", done)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "was written by another version of Resolvent" in err


def test_names_in_a_report_are_no_formulas_and_no_markup(tmp_path, soft, run, monkeypatch):
    for name in ("=1+1.png", "<img src=x onerror=alert(1)>.png"):
        put(tmp_path / "in" / name)
        (tmp_path / "in" / name).with_suffix(".jpg").write_bytes(b"no photograph")
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    restore_many([tmp_path / "in"], ".", **soft)
    for name in ("r.csv", "r.html"):
        assert run("batch", "report", ".", "-o", name)[0] == 0
    with (tmp_path / "out/r.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["output"] for row in rows} >= {"'=1+1.png", "'=1+1.jpg"}
    assert not [value for row in rows for value in row.values() if value[:1] in ("=", "+", "-", "@")]
    assert "<img src=x" not in (tmp_path / "out/r.html").read_text("utf-8")


def test_what_was_planned_and_never_begun_does_not_wait_for_ever(album, tmp_path, soft, monkeypatch):
    def stop(event):
        if event.result is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore_many([album], tmp_path / "out", **soft, workers=1, on_event=stop)
    assert status.status_of(tmp_path / "out")["waiting"] > 1
    restore_many([album / "trip", album / "a.png"], tmp_path / "out", **soft, resume=True)
    found = status.status_of(tmp_path / "out")
    assert (found["waiting"], found["failed"]) == (0, 0)
