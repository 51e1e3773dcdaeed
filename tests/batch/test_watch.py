"""A folder that is watched: real files, real events."""

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from resolvent.batch import arrivals, status, watch, worker
from resolvent.batch.arrivals import on_network
from resolvent.batch.manifest import Manifest
from resolvent.batch.many import restore_many
from resolvent.batch.watch import restore_watched
from resolvent.errors import InputError, MissingDependencyError, OutputError, UsageError
from tests.batch.conftest import put, tree

SETTLE = 0.2
PATIENCE = 30.0
"""Seconds after which something that should happen has not."""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Look often."""
    for module in (arrivals, watch):
        monkeypatch.setattr(module, "TICK", 0.05)
    monkeypatch.setattr(arrivals, "POLL", 0.1)
    monkeypatch.setattr(arrivals, "AGAIN", 0.1)


def until(happened):
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


class Watching:
    """A watch in a thread, and what it tells."""

    def __init__(self, *call, settle=SETTLE, on_event=lambda event: None, **options):
        self.results, self.idle = [], threading.Event()
        self.stop, self.report, self.error = threading.Event(), None, None

        def tell(event):
            if event.result is not None:
                self.results.append(event.result)
            on_event(event)

        def work():
            more = {"on_event": tell, "on_idle": self.idle.set, "stop": self.stop}
            try:
                self.report = restore_watched(*call, settle=settle, **more, **options)
            except Exception as error:  # noqa: BLE001 - for the thread that waits
                self.error = error

        self.thread = threading.Thread(target=work)
        self.thread.start()

    @property
    def done(self):
        """What was done about each photograph, by its name."""
        return Counter((result.source.name, result.status) for result in self.results)

    def wait(self, *names):
        """Wait until these have been done about, and all else."""
        until(lambda: self.error or all(any(result.source.name == name for result in self.results) for name in names))
        until(lambda: self.error or self.idle.is_set())
        assert self.error is None

    def end(self):
        self.stop.set()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@contextmanager
def watching(*call, **options):
    seen = Watching(*call, **options)
    try:
        yield seen
    finally:
        seen.end()


def states(folder):
    with Manifest.open(folder, create=False) as manifest:
        return {state: count for state, count in manifest.counts().items() if count}


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "in"
    put(folder / "a.png", 1)
    put(folder / "trip/b.png", 2)
    put(folder / ".hidden.png")
    put(folder / ".cache/c.png")
    put(folder / "map.uncertainty.png")
    (folder / "notes.txt").write_text("no photograph")
    return folder


@pytest.mark.parametrize("polling", [None, True])
def test_what_is_there_and_then_what_arrives(inbox, tmp_path, soft, polling):
    out = tmp_path / "out"
    with watching(inbox, out, polling=polling, **soft) as seen:
        seen.wait("a.png", "b.png")
        assert tree(out) == ["a.png", "trip/b.png"]
        (inbox / "more.txt").write_text("no photograph")
        put(inbox / "trip/.hidden.png")
        put(inbox / "c.png", 3)
        put(tmp_path / "d.png", 4).rename(inbox / "d.png")
        put(inbox / "new/er/e.png", 5)  # whose folder may have its file before it is watched
        put(tmp_path / "moved/in/f.png", 6)
        (tmp_path / "moved").rename(inbox / "moved")
        seen.wait("c.png", "d.png", "e.png", "f.png")
        put(inbox / "moved/in/g.png", 7)
        seen.wait("g.png")
    assert tree(out) == ["a.png", "c.png", "d.png", "moved/in/f.png", "moved/in/g.png", "new/er/e.png", "trip/b.png"]
    assert seen.done == {(f"{name}.png", "restored"): 1 for name in "abcdefg"}
    assert seen.report.counts == {"restored": 7, "unchanged": 0, "skipped": 0, "failed": 0}
    assert seen.report.exit_code == 0
    assert states(out) == {"done": 7}
    report = restore_many([inbox], out, resume=True, **soft)  # a batch of the same folder finds nothing to do
    assert report.counts["skipped"] == 7


def test_a_slow_copy_is_taken_when_it_has_ended(inbox, tmp_path, soft):
    out, whole = tmp_path / "out", put(tmp_path / "c.png", 3).read_bytes()
    with watching(inbox, out, settle=0.8, **soft) as seen:
        seen.wait("a.png", "b.png")
        with (inbox / "c.png").open("wb") as file:
            for piece in range(30):
                file.write(whole[piece * len(whole) // 30 : (piece + 1) * len(whole) // 30])
                file.flush()
                assert "c.png" not in [result.source.name for result in seen.results]
                time.sleep(0.05)
        seen.wait("c.png")
    assert seen.done["c.png", "restored"] == 1
    restore_many([inbox / "c.png"], tmp_path / "alone.png", **soft)
    assert (out / "c.png").read_bytes() == (tmp_path / "alone.png").read_bytes()


def test_what_is_replaced_is_restored_again(inbox, tmp_path, soft):
    out = tmp_path / "out"
    with watching(inbox, out, **soft) as seen:
        seen.wait("a.png", "b.png")
        before = (out / "a.png").read_bytes()
        other = put(tmp_path / "other.png", 9)
        os.utime(other, ns=(0, 10**18))
        other.replace(inbox / "a.png")
        until(lambda: seen.done["a.png", "restored"] == 2)
        again = seen.results[-1]
        os.utime(inbox / "trip/b.png")  # touched, not changed
        until(lambda: seen.done["b.png", "skipped"])
    assert "done again: its input has changed" in again.reasons
    assert (out / "a.png").read_bytes() != before
    assert seen.done["b.png", "restored"] == 1


def test_what_is_replaced_while_it_is_restored_is_restored_again(inbox, tmp_path, soft):
    def replace(event):
        if event.source.name == "a.png" and event.plan is not None and other.exists():
            other.replace(inbox / "a.png")

    out, other = tmp_path / "out", put(tmp_path / "other.png", 9)
    with watching(inbox, out, on_event=replace, **soft) as seen:
        until(lambda: seen.done["a.png", "restored"] == 2)
        put(inbox / "c.png", 3)
        seen.wait("c.png")
    assert seen.done["a.png", "restored"] == 2
    restore_many([inbox / "a.png"], tmp_path / "alone.png", **soft)
    assert (out / "a.png").read_bytes() == (tmp_path / "alone.png").read_bytes()


def test_what_is_deleted_is_no_failure(inbox, tmp_path, soft):
    def delete(event):
        if event.source.name == "a.png" and event.result is None:
            (inbox / "trip/b.png").unlink(missing_ok=True)

    out = tmp_path / "out"
    with watching(inbox, out, workers=1, on_event=delete, **soft) as seen:
        seen.wait("a.png")
        put(inbox / "c.png", 3).unlink()
        put(inbox / "d.png", 4)
        seen.wait("d.png")
        (inbox / "a.png").unlink()
        put(inbox / "e.png", 5)
        seen.wait("e.png")
    assert seen.done == {(name, "restored"): 1 for name in ("a.png", "d.png", "e.png")}
    assert tree(out) == ["a.png", "d.png", "e.png"]
    assert states(out) == {"done": 3}


def test_a_photograph_that_is_broken_fails_once_and_is_done_when_it_is_whole(inbox, tmp_path, soft):
    whole = put(tmp_path / "c.png", 3).read_bytes()
    with watching(inbox, tmp_path / "out", **soft) as seen:
        (inbox / "c.png").write_bytes(whole[:200])
        seen.wait("c.png")
        (inbox / "c.png").write_bytes(whole)
        until(lambda: seen.done["c.png", "restored"])
    assert seen.done["c.png", "failed"] == 1
    assert seen.report.exit_code == 1
    assert states(tmp_path / "out") == {"done": 3}


def test_no_output_is_replaced_by_that_of_another_photograph(tmp_path, soft):
    inbox, out = tmp_path / "in", tmp_path / "out"
    put(inbox / "a.jpg", 1)
    with watching(inbox, out, ext="png", **soft) as seen:
        seen.wait("a.jpg")
        first = (out / "a.png").read_bytes()
        put(inbox / "a.png", 2)
        seen.wait("a.png")
        (inbox / "a.jpg").unlink()
        put(inbox / "a.webp", 3)
        seen.wait("a.webp")
    assert tree(out) == ["a.png", "a.png.png", "a.webp.png"]
    assert (out / "a.png").read_bytes() == first
    put(inbox / "a.jpg", 1)
    shutil.move(inbox, tmp_path / "elsewhere")
    with watching(tmp_path / "elsewhere", out, ext="png", **soft) as seen:
        seen.wait("a.jpg", "a.png", "a.webp")
    assert seen.done == {(name, "skipped"): 1 for name in ("a.jpg", "a.png", "a.webp")}
    assert tree(out) == ["a.png", "a.png.png", "a.webp.png"]


def test_names_are_those_of_a_batch_where_all_is_there(tmp_path, soft):
    for seed, name in enumerate(("a.jpg", "a.png", "b.bmp", "c/a.webp")):
        put(tmp_path / "in" / name, seed) if name != "b.bmp" else put(tmp_path / "in/b.webp", seed)
    restore_many([tmp_path / "in"], tmp_path / "batch", ext="png", **soft)
    with watching(tmp_path / "in", tmp_path / "out", ext="png", **soft) as seen:
        seen.wait("a.jpg", "a.png", "b.webp", "a.webp")
    assert tree(tmp_path / "out") == tree(tmp_path / "batch")


def test_what_is_not_known_to_be_ours_is_not_replaced(inbox, tmp_path, soft):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.png").write_text("mine")
    with watching(inbox, tmp_path / "out", **soft) as seen:
        seen.wait("a.png", "b.png")
    assert seen.done == {("a.png", "failed"): 1, ("b.png", "restored"): 1}
    assert (tmp_path / "out/a.png").read_text() == "mine"


@pytest.mark.parametrize("place", ["beside", "below"])
def test_no_result_is_taken_for_an_arrival(tmp_path, soft, place):
    inbox = tmp_path / "in"
    put(inbox / "a.png", 1)
    with watching(inbox, inbox / "out" if place == "below" else None, **soft) as seen:
        seen.wait("a.png")
        for seed, name in enumerate("bc"):
            put(inbox / f"{name}.png", seed)
            seen.wait(f"{name}.png")
    assert {result.source.name for result in seen.results} == {"a.png", "b.png", "c.png"}
    made = [f"out/{name}.png" if place == "below" else f"{name}.restored.png" for name in "abc"]
    assert tree(inbox) == sorted(["a.png", "b.png", "c.png", *made])


def test_another_name_of_a_photograph_is_left_out(inbox, tmp_path, soft):
    (inbox / "0.png").symlink_to(inbox / "a.png")
    with watching(inbox, tmp_path / "out", **soft) as seen:
        seen.wait("a.png", "b.png")
        (inbox / "1.png").symlink_to(inbox / "a.png")
        put(inbox / "c.png", 3)
        seen.wait("c.png")
    assert tree(tmp_path / "out") == ["a.png", "c.png", "trip/b.png"]


def test_one_that_arrives_is_not_held_up_by_one_that_is_at_work(tmp_path, soft, monkeypatch):
    fast_is_done, real = threading.Event(), worker.run

    def run(image, *rest, **more):
        if image.path.name == "slow.png":
            assert fast_is_done.wait(PATIENCE)
        return real(image, *rest, **more)

    def note(event):
        if event.source.name == "slow.png" and event.result is None and not (inbox / "fast.png").exists():
            put(inbox / "fast.png", 2)
        if event.source.name == "fast.png" and event.result is not None:
            fast_is_done.set()

    monkeypatch.setattr(worker, "run", run)
    inbox = put(tmp_path / "in/slow.png", 1).parent
    with watching(inbox, tmp_path / "out", workers=2, on_event=note, **soft) as seen:
        seen.wait("slow.png", "fast.png")
    assert [result.source.name for result in seen.results] == ["fast.png", "slow.png"]
    assert seen.report.counts["restored"] == 2


def test_results_are_not_kept(tmp_path, soft):
    inbox, totals = put(tmp_path / "in/0.png").parent, []
    for number in range(1, 40):
        shutil.copy(inbox / "0.png", inbox / f"{number}.png")

    def look(event):
        totals.append(event.total)

    with watching(inbox, tmp_path / "out", on_event=look, **soft) as seen:
        until(lambda: len(seen.results) == 40)
        until(seen.idle.is_set)
        results = [weakref.ref(result) for result in seen.results]
        seen.results.clear()
        gc.collect()
        assert sum(result() is not None for result in results) < 5
    assert seen.report.counts["restored"] == 40
    assert max(totals) == 40


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
