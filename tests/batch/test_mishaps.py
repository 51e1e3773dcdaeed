"""What goes wrong while a batch works: a full disk, a second run, a damaged manifest, a child that dies."""

import errno
import os
import subprocess
import sys
import threading
import time

import pytest

from resolvent.batch import many, resources, task, worker
from resolvent.batch.executors import child, local
from resolvent.batch.home import FOLDER
from resolvent.batch.manifest import Manifest
from resolvent.errors import InputError, UsageError
from tests.batch.conftest import again, contents, killed_before_it_was_noted, put


def test_a_second_run_on_the_folder_is_one_line(done, album, soft, run, tiny):
    with Manifest.open(done, create=False):
        with pytest.raises(UsageError, match="another resolvent works in this folder; wait for it, or stop it"):
            many.restore_many([album], done, **soft)
        code, out, err = run("restore", album, "-o", done, "-m", tiny[2], "--resume")
        assert (code, out, len(err.splitlines())) == (2, "", 1)


def test_a_damaged_manifest_is_one_line(batch, done):
    (done / FOLDER / "manifest.sqlite").write_bytes(b"not a database" * 500)
    with pytest.raises(InputError, match=r"is damaged .*; delete it, and outputs that are whole are kept"):
        batch(resume=True)


def test_a_large_photograph_has_all_threads_for_itself(batch, monkeypatch, tmp_path):
    opened = []
    open_session = local.open_session
    monkeypatch.setattr(local, "open_session", lambda *call: opened.append(call[2]) or open_session(*call))
    monkeypatch.setattr(resources, "PIXEL", 2**40)
    monkeypatch.setattr(resources, "usable_cpus", lambda: 3)
    assert {result.status for result in batch().values()} == {"restored"}
    assert opened == [1, None]
    with Manifest.open(tmp_path / "out", create=False) as manifest:
        assert manifest.fact("pins")["largest"] == 1


FULL = """
import sys
import threading
import time
from pathlib import Path
from resolvent.batch.many import restore_many
album, out, model, ballast = map(Path, sys.argv[1:])
waited = []
def on_full(path):
    waited.append(path)
    ballast.unlink(missing_ok=True)  # someone makes room
    return len(waited) < 50
report = restore_many([album], out, model=model, sigma=20.0, on_full=on_full)
print(len(waited) > 0, report.counts["restored"], report.stopped)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system of its own")
def test_a_full_disk_waits_for_room_and_loses_nothing(tmp_path, tiny):
    for seed in range(6):
        put(tmp_path / f"in/{seed}.png", seed, (96, 96))
    (tmp_path / "disk").mkdir()
    disk = tmp_path / "disk"
    script = (
        f"mount -t tmpfs -o size=400k none '{disk}' || exit 77; head -c 250k /dev/zero > '{disk}/ballast'; "
        f"'{sys.executable}' -c '{FULL}' '{tmp_path}/in' '{disk}/out' '{tiny[2]}' '{disk}/ballast' "
        f"&& cp -r '{disk}/out' '{tmp_path}/kept'"
    )
    ended = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False)
    if ended.returncode == 77 or "unshare failed" in ended.stderr:
        pytest.skip("this system lets nobody mount a file system")
    assert ended.stdout.split() == ["True", "6", "None"], ended.stderr
    whole = many.restore_many([tmp_path / "in"], tmp_path / "whole", model=tiny[2], sigma=20.0)
    assert whole.counts["restored"] == 6
    assert contents(tmp_path / "kept") == contents(tmp_path / "whole")
    assert not list((tmp_path / "kept").rglob("*.part"))


def test_who_is_alone_waits_for_the_others_and_keeps_them_out():
    gate, inside, most = task.Gate(), [], []

    def work(alone):
        with gate.by_itself() if alone else gate.beside_others():
            inside.append(alone)
            most.append(list(inside))
            time.sleep(0.002)
            inside.remove(alone)

    threads = [threading.Thread(target=work, args=(number % 3 == 0,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    together = [held for held in most if len(held) > 1]
    assert len(most) == 24
    assert together
    assert not any(True in held for held in together)


def test_what_failed_for_a_passing_reason_is_done_again_though_an_older_output_is_there(
    batch, done, album, tmp_path, soft, monkeypatch
):
    (album / "a.png").unlink()
    put(album / "a.png", 77)

    def write_image(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as context:
        context.setattr(worker, "write_image", write_image)
        assert batch(resume=True)["a.png"].status == "failed"
    assert again(batch(resume=True)) == {"a.png": "done again: it failed before"}
    expected = many.restore_many([album / "a.png"], tmp_path / "fresh", **soft).results[0].target
    assert (done / "a.png").read_bytes() == expected.read_bytes()


def test_what_a_killed_run_wrote_is_not_taken_for_the_result_of_an_input_that_was_replaced(batch, done, album):
    killed_before_it_was_noted(done, with_output=False)
    before = contents(done)
    (album / "a.png").unlink()
    put(album / "a.png", 77)
    os.utime(album / "a.png", ns=(1, 1))
    for _ in range(2):
        told = batch(resume=True)
        assert told["a.png"].reasons[0].partition(": exists and ")[2] == (
            "is not known to be of this version of its input: kept; move or delete it, then --resume"
        )
        assert [result.status for result in told.values()].count("failed") == 1
    assert contents(done) == before


def test_an_output_that_cannot_be_read_is_the_failure_of_one_photograph(batch, done):
    killed_before_it_was_noted(done, with_output=True)
    (done / "a.png").unlink()
    (done / "a.png").mkdir()
    told = batch(resume=True)
    assert told["a.png"].reasons == (f"{done}/a.png: is a folder; give another output",)
    assert [result.status for result in told.values()].count("failed") == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_called_like_a_photograph_and_is_no_file_is_one_failure(batch, album):
    os.mkfifo(album / "pipe.png")
    (album / "zero.png").symlink_to("/dev/zero")
    results = batch()
    assert [name for name, result in results.items() if result.status == "failed"] == ["pipe.png", "zero.png"]
    assert results["pipe.png"].reasons == (f"{album}/pipe.png: it is not a file; give the path of an image",)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_on_event_raises_ends_the_batch_and_is_no_failure_of_a_photograph(batch, tmp_path, workers):
    def on_event(event):
        if event.plan is not None and event.result is None:
            raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        batch(on_event=on_event, workers=workers)
    with Manifest.open(tmp_path / "out", create=False) as manifest:
        assert manifest.counts() == {"waiting": 4, "started": 0, "done": 0, "failed": 0}
    assert {result.status for result in batch(resume=True).values()} == {"restored"}


@pytest.mark.parametrize(("column", "value"), [("result", b"\xff\xfe"), ("result", "{"), ("state", b"\xff")])
def test_a_manifest_with_damaged_rows_is_one_line(batch, done, run, column, value):
    with Manifest.open(done, create=False) as manifest:
        manifest.connection.execute(f"UPDATE photographs SET {column} = CAST(? AS TEXT)", (value,))
    with pytest.raises(InputError, match=r"is damaged .*; delete it, and outputs that are whole are kept"):
        batch(resume=True)
    code, _, err = run("batch", "report", done)
    assert (code, len(err.splitlines())) == (1, 1)
    assert "is damaged" in err


def test_what_ended_the_program_stays_suspect_though_its_second_attempt_is_interrupted(batch, done, album, monkeypatch):
    (done / "a.png").unlink()
    with Manifest.open(done, create=False) as manifest:
        manifest.connection.execute("UPDATE photographs SET state = 'started', attempts = 1 WHERE output = 'a.png'")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(child.ChildExecutor, "map", lambda self, tasks, watch: map(interrupted, tasks))
        with pytest.raises(KeyboardInterrupt):
            batch(resume=True)
    with Manifest.open(done, create=False) as manifest:
        entry = manifest.entry(done / "a.png")
    assert (entry.state, entry.attempts) == ("started", 1)
    assert batch(resume=True)["a.png"].status == "restored"


def test_an_interrupt_in_the_middle_of_a_commit_makes_nothing_suspect(batch, tmp_path, monkeypatch):
    run, commits = Manifest._run, []

    def interrupted(self, statement, *values):
        done = run(self, statement, *values)
        commits.extend([statement] * (statement == "COMMIT"))
        if len(commits) == 3 and statement == "COMMIT":  # of the settings, of the list, of the first photograph
            raise KeyboardInterrupt
        return done

    with monkeypatch.context() as context:
        context.setattr(Manifest, "_run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            batch()
    with Manifest.open(tmp_path / "out", create=False) as manifest:
        assert {(entry.state, entry.attempts) for entry in manifest.entries()} == {("waiting", 0)}


@pytest.mark.skipif(os.name == "nt", reason="no shell")
def test_a_child_that_does_not_start_is_no_fault_of_the_photograph(batch, done, tmp_path, monkeypatch):
    killed_before_it_was_noted(done, with_output=True)
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 7\n")
    broken.chmod(0o755)
    with monkeypatch.context() as context:
        context.setattr(sys, "executable", str(broken))
        told = batch(resume=True)
    assert "the process that does it by itself did not start (code 7)" in told["a.png"].reasons[0]
    assert {result.status for result in told.values()} == {"failed"}
    assert {result.status for result in batch(resume=True).values()} == {"restored"}
