"""A batch on Ray Data ends as one in this process does. ``.ci/ray`` runs it, by itself."""

import os
import signal

import pytest

from resolvent.batch.many import restore_many
from tests.batch.conftest import put, rows, tree

if "RESOLVENT_TEST_RAY" not in os.environ:
    pytest.skip("Ray's start is too slow to be tested beside others; .ci/ray does it", allow_module_level=True)
psutil = pytest.importorskip("psutil")
pytest.importorskip("ray")

pytestmark = pytest.mark.filterwarnings("default")

ACCIDENT = """
import os, signal, sys
def die(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and os.path.basename(arguments[0]) == "deadly.png":
        os.kill(os.getpid(), signal.SIGKILL)
if any(part.endswith("default_worker.py") for part in sys.orig_argv):
    sys.addaudithook(die)
"""
"""Ends a process of Ray that opens a certain photograph; Python imports it at its start."""


def actors():
    """The processes of Ray that restore."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(part.startswith("ray::MapWorker") for part in process.info["cmdline"] or ())
    ]


def test_actors_that_are_killed_cost_nothing(album, tmp_path, monkeypatch, soft):
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook/sitecustomize.py").write_text(ACCIDENT)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "hook"), os.environ.get("PYTHONPATH", "")]))
    (album / "broken.png").write_bytes((album / "a.png").read_bytes()[:200])
    for number in range(12):
        put(album / f"{number:02}.png", number, (48, 64))
    put(album / "deadly.png", 20)
    killed = []

    def kill(event):
        if event.index == 4 and not killed and actors():
            killed.append(actors()[0])
            os.kill(killed[0], signal.SIGKILL)

    there = restore_many(album, tmp_path / "there", cluster="ray:2", on_event=kill, **soft)
    assert killed
    assert there.counts == {"restored": 16, "unchanged": 0, "skipped": 0, "failed": 2}
    (deadly,) = (result for result in there.results if result.source.name == "deadly.png")
    assert deadly.reasons == (f"{deadly.source}: ended its worker 2 times: set aside; --retry-failed tries again",)
    assert not list((tmp_path / "there").rglob(".*.part"))
    (album / "deadly.png").unlink()
    restore_many(album, tmp_path / "here", workers=2, **soft)
    assert tree(tmp_path / "there") == tree(tmp_path / "here")
    for name in tree(tmp_path / "here"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
    expected = {name: row for name, row in rows(tmp_path / "there").items() if name != "deadly.png"}
    assert rows(tmp_path / "here") == expected
