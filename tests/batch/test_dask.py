"""A batch on Dask ends as one in this process does, whoever is killed on the way."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pytest

from resolvent.batch import many
from resolvent.batch.executors import dask
from resolvent.batch.executors.cluster import open_cluster
from resolvent.batch.executors.remote import HostGate
from resolvent.batch.many import restore_many
from resolvent.batch.resources import Resources
from resolvent.errors import ClusterError, UsageError
from tests.batch.conftest import put, rows, same, tree

distributed = pytest.importorskip("distributed")


def accidents():
    """A plugin for workers: what befalls them is told by the name of the photograph that they are given."""

    class Accidents(distributed.WorkerPlugin):
        def setup(self, worker):
            from resolvent.batch import task
            from resolvent.batch import worker as module

            def first_time(path):
                try:
                    path.with_name(f".{path.name}").touch(exist_ok=False)
                except FileExistsError:
                    return False
                return True

            def die():
                os.kill(os.getpid(), signal.SIGKILL)

            def read(files, source):
                if source.stem.startswith("slow"):
                    time.sleep(0.15)
                if source.stem.startswith("deadly"):
                    die()
                if source.stem.startswith("crash"):
                    raise ZeroDivisionError("of a codec")
                return real_read(files, source)

            def restore_one(job, *rest, **more):
                if job.source.stem.startswith("torn") and first_time(job.source):
                    (job.target.parent / ".0123456789abcdef.part").write_bytes(b"half")
                    die()
                result = real_restore(job, *rest, **more)
                if job.source.stem.startswith("late") and first_time(job.source):
                    die()
                if job.source.stem.startswith("unlucky") and (
                    first_time(job.source) or first_time(job.source.with_suffix(".again"))
                ):
                    die()
                return result

            real_read, real_restore = module.Files.read, module.restore_one
            module.Files.read, task.restore_one = read, restore_one

    return Accidents()


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two processes that was there before; its scheduler gives a task up at the second death."""
    with (
        distributed.LocalCluster(
            2, threads_per_worker=1, memory_limit=0, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL,
            scheduler_kwargs={"allowed_failures": 1},
        ) as started,
        distributed.Client(started, set_as_default=False) as client,
    ):  # fmt: skip
        client.register_plugin(accidents())
        yield client


@pytest.fixture
def address(cluster):
    return cluster.scheduler.address


def test_the_same_as_in_this_process(album, tmp_path, soft, address):
    (album / "broken.png").write_bytes((album / "a.png").read_bytes()[:200])
    (album / "twin.png").write_bytes((album / "a.png").read_bytes())
    put(album / "large.png", 9, (256, 192))
    here = restore_many(album, tmp_path / "here", workers=2, **soft)
    there = restore_many(album, tmp_path / "there", cluster=address, **soft)
    assert there.counts == here.counts == {"restored": 6, "unchanged": 0, "skipped": 0, "failed": 1}
    same(tmp_path / "here", tmp_path / "there")
    assert not [
        result
        for result in restore_many(album, tmp_path / "there", cluster=address, resume=True, **soft).results
        if result.status not in ("skipped", "failed")
    ]


def test_a_lost_worker_costs_nothing(tmp_path, soft, cluster, address):
    album = tmp_path / "album"
    for number in range(12):
        put(album / f"slow {number}.png", number)
    put(album / "late.png", 20)
    put(album / "torn.png", 21)
    killed = []

    def kill(event):
        if event.index == 6 and not killed:
            killed.append(min(cluster.run(os.getpid).values()))
            os.kill(killed[0], signal.SIGKILL)

    report = restore_many(album, tmp_path / "there", cluster=address, on_event=kill, **soft)
    assert killed
    assert report.counts["restored"] == 14
    for hidden in album.glob(".*"):
        hidden.unlink()
    assert not list((tmp_path / "there").glob(".*.part"))
    restore_many(album, tmp_path / "here", workers=2, **soft)
    same(tmp_path / "here", tmp_path / "there")


def test_what_ends_its_workers_is_set_aside(tmp_path, soft, address):
    album = tmp_path / "album"
    for name in ("a", "b", "crash", "deadly", "e", "f"):
        put(album / f"{name}.png", ord(name[0]))
    report = restore_many(album, tmp_path / "out", cluster=address, **soft)
    assert tree(tmp_path / "out") == ["a.png", "b.png", "e.png", "f.png"]
    crash, deadly = (result for result in report.results if result.status == "failed")
    assert crash.reasons[0].startswith("internal error, ZeroDivisionError: of a codec; please report it")
    assert deadly.reasons == (f"{deadly.source}: ended its worker 4 times: set aside; --retry-failed tries again",)
    resumed = restore_many(album, tmp_path / "out", cluster=address, resume=True, **soft)
    assert resumed.counts["skipped"] == 4
    assert deadly.reasons[0] in resumed.results[3].reasons


def test_a_bystander_of_two_deaths_is_done_whatever_it_had_written(tmp_path, soft, address):
    put(tmp_path / "album/unlucky.png", 3)
    report = restore_many(tmp_path / "album", tmp_path / "out", cluster=address, **soft)
    assert report.counts["restored"] == 1, report.results[0].reasons
    assert len(list((tmp_path / "album").glob(".unlucky*"))) == 2


def test_what_is_there_is_refused_before_any_work(album, tmp_path, soft, address):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.png").write_bytes(b"mine")
    report = restore_many(album, tmp_path / "out", cluster=address, **soft)
    (failed,) = (result for result in report.results if result.status == "failed")
    assert "exists; choose another output" in failed.reasons[0]
    assert (tmp_path / "out/a.png").read_bytes() == b"mine"


def test_relative_paths_mean_what_they_mean_here(album, tmp_path, monkeypatch, soft, address):
    monkeypatch.chdir(tmp_path)
    report = restore_many("album", "out", cluster=address, model=os.path.relpath(soft["model"]), sigma=20.0)
    assert report.counts["restored"] == 4
    assert tree(tmp_path / "out") == ["a.png", "b.png", "trip/c d.PNG", "trip/ü/e.webp"]


def test_what_is_too_large_is_by_itself_and_the_same(album, tmp_path, monkeypatch, soft, address):
    large = Resources(workers=1, threads=1, memory=2**27, largest=100)
    monkeypatch.setattr(many, "share_out_cluster", lambda request, free: large)
    restore_many(album, tmp_path / "there", cluster=address, **soft)
    restore_many(album, tmp_path / "here", workers=2, **soft)
    same(tmp_path / "here", tmp_path / "there")


def test_a_method_runs_on_a_cluster_too(album, tmp_path, address):
    options = {"method": "tv", "degradation": "noise:sigma=10", "workers": None}
    restore_many(album, tmp_path / "here", **options)
    assert restore_many(album, tmp_path / "there", cluster=address, **options).counts["restored"] == 4
    same(tmp_path / "here", tmp_path / "there")


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("local", [False, True])
def test_a_killed_driver_is_gone_on_with(tmp_path, soft, address, local):
    album, out = tmp_path / "album", tmp_path / "out"
    for number in range(16):
        put(album / f"slow {number}.png", number, (96, 128) if local else (16, 24))
    arguments = ["-o", out, "-m", soft["model"], "--sigma", 20, "--cluster", "local:2" if local else address]
    line = [sys.executable, "-m", "resolvent", "restore", str(album), "-q", *map(str, arguments)]
    with subprocess.Popen(line, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}) as killed:
        until(lambda: out.exists() and len(list(out.glob("*.png"))) >= 3)
        killed.kill()
    assert len(list(out.glob("*.png"))) < 16
    report = restore_many(album, out, cluster=address, resume=True, **soft)
    assert report.exit_code == 0
    assert not list(out.glob(".*.part"))
    restore_many(album, tmp_path / "here", workers=2, **soft)
    same(tmp_path / "here", out)


def test_a_local_cluster_leaves_no_file_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    executor = dask.DaskExecutor("local:1")
    assert list(tmp_path.iterdir())
    executor.close()
    assert not list(tmp_path.iterdir())


def test_a_scheduler_that_goes_is_one_error(tmp_path, soft):
    album = tmp_path / "album"
    for number in range(30):
        put(album / f"{number:02}.png", number, (64, 64))
    with distributed.LocalCluster(
        1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        memory_limit=0,
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as cluster:

        def close(event):
            if event.index == 3:
                cluster.close()

        with pytest.raises(
            ClusterError, match=r"its scheduler is gone .*what is finished is kept, and --resume goes on"
        ):
            restore_many(album, tmp_path / "out", cluster=cluster.scheduler_address, on_event=close, **soft)
    assert {row["state"] for row in rows(tmp_path / "out").values()} == {"done", "waiting"}
    report = restore_many(album, tmp_path / "out", workers=2, resume=True, **soft)
    assert report.exit_code == 0
    assert report.counts["skipped"] >= 3


def test_what_names_no_cluster_is_refused(album, tmp_path, monkeypatch, soft):
    monkeypatch.setattr(dask, "TIMEOUT", 0.5)
    for where in ("local:0", "local", "slurm", "host:8786", "rays"):
        with pytest.raises(UsageError, match="is not known; give local:4"):
            restore_many(album, tmp_path / "out", cluster=where, **soft)
    with pytest.raises(UsageError, match="is for a batch; give a folder, or an output folder with -o"):
        restore_many(album / "a.png", cluster="local:2", **soft)
    with pytest.raises(UsageError, match="workers 0: must be 1 or more"):
        restore_many(album, tmp_path / "out", cluster="local:2", workers=0, **soft)
    with pytest.raises(UsageError, match=r"cluster tcp://127.0.0.1:9: cannot be reached"):
        restore_many(album, tmp_path / "out", cluster="tcp://127.0.0.1:9", **soft)
    assert tree(tmp_path) == tree(tmp_path / "album") or not (tmp_path / "out/a.png").exists()


def test_a_worker_that_would_restore_otherwise_ends_the_batch(album, tmp_path, soft, cluster, address):
    def pretend(version):
        from resolvent.batch import settings
        from resolvent.batch.executors import remote

        real = getattr(settings, "_real", settings._version)
        settings._real = real
        settings._version = (lambda name: version if name == "numpy" else real(name)) if version else real
        remote._PROCESS.key = None

    cluster.run(pretend, "0.1")
    try:
        with pytest.raises(UsageError, match=r"has numpy 0\.1, and the driver .*install the same on all"):
            restore_many(album, tmp_path / "out", cluster=address, **soft)
    finally:
        cluster.run(pretend, None)
    assert {row["state"] for row in rows(tmp_path / "out").values()} == {"waiting"}
    assert restore_many(album, tmp_path / "out", cluster=address, resume=True, **soft).counts["restored"] == 4


def test_from_the_command_line(run, album, tmp_path, soft, address):
    options = ["restore", album, "-o", tmp_path / "out", "-m", soft["model"], "--sigma", "20"]
    code, _, err = run(*options, "--cluster", address, "--workers", "1")
    assert code == 0
    assert "4 restored" in err
    code, _, err = run(*options, "--cluster", "slurm")
    assert code == 2
    assert "resolvent: --cluster 'slurm': is not known" in err
    code, _, err = run("restore", "-", "--cluster", address)
    assert code == 2
    assert "--cluster: is for files" in err


def test_most_tasks_in_flight(cluster, address):
    cluster.wait_for_workers(2)
    executor = open_cluster(address, 9, 1)
    with contextlib.closing(executor):
        assert executor.workers == 1
    executor = open_cluster(address, 9)
    with contextlib.closing(executor):
        assert executor.workers == 3


@pytest.mark.skipif(os.name == "nt", reason="no locks of that kind")
def test_who_is_by_itself_is_so_on_the_whole_host(tmp_path):
    """Two gates are as those of two processes: they share nothing but the folder."""
    one, other = HostGate(tmp_path), HostGate(tmp_path)
    inside, ended = [], threading.Event()

    def alone():
        with other.by_itself():
            inside.append("alone")
            ended.wait(10)

    def beside(name):
        with other.beside_others():
            inside.append(name)

    with one.beside_others():
        beside("first")
        waiting = threading.Thread(target=alone)
        waiting.start()
        time.sleep(0.1)
        assert inside == ["first"]
    until(lambda: "alone" in inside)
    late = threading.Thread(target=beside, args=["late"])
    late.start()
    time.sleep(0.1)
    assert inside == ["first", "alone"]
    ended.set()
    waiting.join()
    late.join()
    assert inside == ["first", "alone", "late"]
