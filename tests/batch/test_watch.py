"""A folder that is watched: real files, real events."""

import gc
import os
import shutil
import threading
import time
import weakref

import pytest

from resolvent.batch import worker
from resolvent.batch.manifest import Manifest
from resolvent.batch.many import restore_many
from tests.batch.conftest import put, tree
from tests.batch.watching import PATIENCE, until, watching

pytestmark = pytest.mark.usefixtures("quick")


def states(folder):
    with Manifest.open(folder, create=False) as manifest:
        return {state: count for state, count in manifest.counts().items() if count}


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
