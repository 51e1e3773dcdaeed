"""What a watch makes of faults and signals, what it refuses, and how it ends."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from resolvent.batch import arrivals, status, worker
from resolvent.batch.arrivals import on_network
from resolvent.batch.manifest import Manifest
from resolvent.batch.watch import restore_watched
from resolvent.errors import InputError, MissingDependencyError, OutputError, UsageError
from tests.batch.conftest import put, tree
from tests.batch.watching import PATIENCE, until, watching

pytestmark = pytest.mark.usefixtures("quick")


def test_what_a_full_disk_did_not_take_is_done_when_there_is_room(inbox, tmp_path, soft, monkeypatch):
    waited, real = [], worker.write_image

    def write(image, path, **options):
        if not waited:
            raise OutputError(f"{path}: full") from OSError(28, "No space left on device")
        return real(image, path, **options)

    def wait(output):
        waited.append(output)
        return True

    monkeypatch.setattr(worker, "write_image", write)
    with watching(inbox, tmp_path / "out", workers=1, on_full=wait, **soft) as seen:
        seen.wait("a.png", "b.png")
    assert waited == [tmp_path / "out/a.png"]
    assert seen.done == {("a.png", "restored"): 1, ("b.png", "restored"): 1}


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not UTF-8")
def test_events_that_are_lost_are_made_up_for(inbox, tmp_path, soft):
    with watching(inbox, tmp_path / "out", **soft) as seen:
        seen.wait("a.png", "b.png")
        try:
            put(inbox / "\udcff.png", 3)  # of which watchfiles cannot tell
        except OSError:
            pytest.skip("the file system takes UTF-8 alone")
        seen.wait("\udcff.png")
        put(inbox / "c.png", 4)
        seen.wait("c.png")
    assert seen.report.counts["restored"] == 4


def silent(*_, stop_event, **__):
    while not stop_event.wait(0.05):
        yield set()


def broken(*_, **__):
    raise RuntimeError("error in underlying watcher")


@pytest.mark.parametrize(("system", "rescan"), [(silent, 0.2), (broken, 0.4)])
def test_all_of_the_folder_is_looked_at_where_events_may_be_lost(inbox, tmp_path, soft, monkeypatch, system, rescan):
    monkeypatch.setattr("watchfiles.watch", system)
    monkeypatch.setattr(arrivals, "RESCAN", rescan)
    with watching(inbox, tmp_path / "out", **soft) as seen:
        seen.wait("a.png", "b.png")
        put(inbox / "new/c.png", 3)
        seen.wait("c.png")
        put(inbox / "d.png", 4)
        seen.wait("d.png")
    assert seen.done == {(f"{name}.png", "restored"): 1 for name in "abcd"}


def test_a_folder_that_goes_away_is_an_error(inbox, tmp_path, soft):
    with watching(inbox, tmp_path / "out", **soft) as seen:
        seen.wait("a.png")
        shutil.rmtree(inbox)
        until(lambda: seen.error)
    assert isinstance(seen.error, InputError)
    assert str(seen.error) == f"{inbox}: is gone, and nothing can arrive there; make it again, and start again"


def test_a_folder_is_watched_once(inbox, tmp_path, soft):
    with watching(inbox, tmp_path / "out", **soft) as seen:
        seen.wait("a.png")
        with pytest.raises(UsageError, match="another resolvent works in this folder"):
            restore_watched(inbox, tmp_path / "out", **soft)


def test_ctrl_c_at_any_event_is_no_fault_of_a_photograph(inbox, tmp_path, soft):
    """Not even where it comes between the end of one and the note of that."""
    for number in range(8):
        events = []

        def interrupt(event, events=events, number=number):
            if events.append(event) or len(events) > number:
                raise KeyboardInterrupt

        report = restore_watched(
            inbox,
            tmp_path / f"out{number}",
            settle=0.01,
            workers=1,
            on_event=interrupt,
            on_idle=lambda: interrupt(None),
            **soft,
        )
        with Manifest.open(tmp_path / f"out{number}") as manifest:
            entries = list(manifest.entries())
            assert report.counts["restored"] == sum(entry.state == "done" for entry in entries)
            assert {(entry.state, entry.attempts) for entry in entries} <= {("done", 0), ("waiting", 0)}


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no signals")
def test_a_signal_ends_it_in_good_order_and_the_next_start_goes_on(tmp_path, tiny):
    inbox, out = tmp_path / "in", tmp_path / "out"
    for seed in range(12):
        put(inbox / f"{seed}.png", seed)
    call = [sys.executable, "-m", "resolvent", "restore", "--watch", str(inbox), "-o", str(out), "--jsonl"]

    def start():
        return subprocess.Popen(
            [*call, "-m", str(tiny[2]), "--sigma", "20"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
        )

    process = start()
    first = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert first["status"] == "restored"
    assert err.splitlines()[-1] == f"{inbox}: stopped watching; the same command goes on"
    with Manifest.open(out, create=False) as manifest:
        kept = {entry.output.name for entry in manifest.entries("done")}
        assert not manifest.counts()["started"]
    put(inbox / "new.png", 99)
    process = start()
    lines = [json.loads(process.stdout.readline()) for _ in range(13)]
    for line in process.stderr:
        if line == f"{inbox}: all is done, waiting for photographs; Ctrl-C ends it\n":
            break
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, rest) == (0, "")
    done = {Path(line["input"]).name: line["status"] for line in lines}
    assert done == {f"{name}.png": "skipped" if f"{name}.png" in kept else "restored" for name in [*range(12), "new"]}
    assert len(tree(out)) == 13


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/mnt/nas/photos", True),
        ("/mnt/nas photos/a", True),
        ("/mnt/nas/local/a", False),
        ("/home/me", True),  # holds a folder of another machine
        ("/home/you", False),
        ("/media/stick", False),
        ("/srv", True),
    ],
)
def test_network_drives_are_known(tmp_path, folder, expected):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda / ext4 rw 0 0\nnas:/x /mnt/nas nfs4 rw 0 0\n//nas/y /mnt/nas\\040photos cifs rw 0 0\n"
        "/dev/sdb /mnt/nas/local xfs rw 0 0\nme@host: /home/me/far fuse.sshfs rw 0 0\n"
        "/dev/sdc /media/stick fuseblk rw 0 0\n/dev/sdd /srv ext4 rw 0 0\nhost /srv 9p rw 0 0\n"
    )
    assert on_network(folder, mounts) is expected
    assert not on_network(folder, tmp_path / "none")


def test_a_network_drive_is_polled(inbox, tmp_path, soft, monkeypatch):
    asked = []

    def watch(*_, force_polling, **__):
        asked.append(force_polling)
        yield set()

    monkeypatch.setattr("watchfiles.watch", watch)
    monkeypatch.setattr(arrivals, "on_network", lambda folder: True)
    with watching(inbox, tmp_path / "out", **soft):
        until(lambda: asked)
    assert asked[0] is True
    with watching(inbox, tmp_path / "out", polling=False, **soft):
        until(lambda: False in asked)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--json"], "--json: cannot be combined with --watch; give --jsonl"),
        (["--page", "p.html"], "--page: cannot be combined with --watch; leave it out"),
        (["--dry-run"], "--dry-run: cannot be combined with --watch"),
        (["--overwrite"], "--overwrite: cannot be combined with --watch"),
        (["--files-from", "names"], "--files-from: cannot be combined with --watch"),
        (["-o", "-"], "--watch: takes one folder, and writes files"),
        (["in"], "--watch: takes one folder, and writes files"),
        (["-o", "."], "-o .: is the folder that is watched, or holds it; give another folder"),
        (["-o", "in"], "-o in: is the folder that is watched, or holds it"),
        (["--suffix", ""], "--suffix '': results could not be told from what arrives"),
        (["--repair", "--write-mask", "m.png"], "--write-mask m.png: is of one photograph"),
        (["--ext", "doc"], "unknown output extension '.doc'"),
        (["-o", "one.png"], "-o one.png: is a file"),
    ],
)
def test_what_makes_no_sense_is_refused(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "in/a.png")
    code, _, err = run("restore", "--watch", "in", *arguments)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1
    assert tree(tmp_path) == ["in/a.png"]


def test_a_file_is_not_watched_and_watchfiles_may_be_missing(run, inbox, tmp_path, monkeypatch):
    code, _, err = run("restore", "--watch", inbox / "a.png")
    assert (code, f"{inbox / 'a.png'}: is no folder; give one folder to watch" in err) == (2, True)
    with pytest.raises(UsageError, match=r"settle 0: must be more than 0 seconds"):
        restore_watched(inbox, settle=0)
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(MissingDependencyError, match=r"needs watchfiles, .* pip install 'resolvent\[watch\]'"):
        restore_watched(inbox, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_status_knows_of_what_was_done_before_there_was_nothing_left_to_do(tmp_path, soft, monkeypatch):
    monkeypatch.setattr(status, "EVERY", 0.1)
    put(tmp_path / "in/a.png")
    with watching(tmp_path / "in", tmp_path / "out", **soft) as watched:
        watched.wait("a.png")
        until(lambda: status.status_of(tmp_path / "out")["done"] == 1)
        found = status.status_of(tmp_path / "out")
    assert (found["running"], found["waiting"], found["working"]) == (True, 0, 0)
