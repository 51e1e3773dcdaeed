"""Jobs that are deleted in the middle of something."""

import anyio
import pytest

from resolvent.engine.options import Options
from resolvent.web.metrics import Metrics
from resolvent.web.pool import Pool
from resolvent.web.problems import Problem
from resolvent.web.routes.results import soon
from resolvent.web.settings import Settings
from resolvent.web.store import Job, Store
from resolvent.web.work import Outcome, Task


def written_late(task):
    """What a worker does that was busy when its job was deleted."""
    task.folder.mkdir(exist_ok=True)
    (task.folder / "variant").write_bytes(b"late")
    return Outcome(status=task.quality)


@pytest.mark.parametrize("status", [200, 500])
def test_what_a_worker_writes_for_a_job_that_was_deleted_is_deleted_too(tmp_path, status):
    async def deleted_meanwhile():
        store = Store(Settings(), Pool(Settings(), Metrics()), Metrics(), tmp_path)
        job = Job("id", "client", "a.png", Task(store.new_folder().path, "a.png", Options(), quality=status))
        with pytest.raises(Problem, match="is not there") as caught:
            await soon(store, job, written_late)
        assert caught.value.status == 404

    anyio.run(deleted_meanwhile)
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_is_kept_keeps_what_is_written(tmp_path):
    async def kept():
        store = Store(Settings(), Pool(Settings(), Metrics()), Metrics(), tmp_path)
        job = Job("id", "client", "a.png", Task(store.new_folder().path, "a.png", Options(), quality=200))
        store.jobs[job.id] = job
        await soon(store, job, written_late)

    anyio.run(kept)
    assert [path.name for path in tmp_path.glob("*/*")] == ["variant"]
