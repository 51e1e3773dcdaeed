"""Restore many photographs, each written as soon as it is done, and lose none."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Unpack, cast

from resolvent.batch.decide import Keys
from resolvent.batch.driver import Batch, OnFull
from resolvent.batch.executors import Executor
from resolvent.batch.executors.cluster import check_cluster, open_cluster
from resolvent.batch.executors.local import LocalExecutor, SharedSessions
from resolvent.batch.forecast import Forecast
from resolvent.batch.home import holds_batch, is_fresh, mark
from resolvent.batch.jobs import Job, check_side_files, find_jobs
from resolvent.batch.manifest import Manifest
from resolvent.batch.places import ABSENT, Place, Url, as_place, as_places
from resolvent.batch.progress import Event, Progress
from resolvent.batch.report import BatchReport, Result
from resolvent.batch.resources import Resources, check_workers, share_out, share_out_cluster
from resolvent.batch.search import SUFFIX
from resolvent.batch.settings import describe_settings, key_of
from resolvent.batch.store import StoreError, check_output, exists, find, has_bucket, is_folder
from resolvent.batch.task import Task, perform
from resolvent.batch.worker import Files
from resolvent.engine.options import Options, make_request
from resolvent.engine.request import Request
from resolvent.errors import OutputError, UsageError, counted
from resolvent.image import Limits, check_limits
from resolvent.io import check_folder, sweep
from resolvent.methods.control import Control
from resolvent.models.registry import named

__all__ = ["agree", "load_models", "restore_many"]


def restore_many(
    inputs: str | Path | Url | Sequence[str | Path | Url],
    output: str | Path | Url | None = None,
    *,
    resume: bool = False,
    retry_failed: bool = False,
    overwrite: bool = False,
    suffix: str = SUFFIX,
    ext: str | None = None,
    quality: int | None = None,
    strip: str | None = None,
    keep_time: bool = False,
    dry_run: bool = False,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    frame: int | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    on_full: OnFull = lambda output: False,
    control: Control | None = None,
    **options: Unpack[Options],
) -> BatchReport:
    """Restore files and folders. One that fails is reported and does not stop the others.

    A batch has a manifest, in the folder ``.resolvent`` of its output folder: of several inputs that go into one
    folder, or of a folder. Killed at any moment, it goes on by ``resume`` and ends with the same bytes. That of outputs
    in a store is in the user's folder, with a copy in the store; see ``batch.home``.

    Args:
        inputs: Files and folders, or addresses in an object store; a folder is searched with its subfolders.
        output: A file or a folder; if not given, each output is written beside its input.
        resume: Keep outputs that are whole and of the same input and settings; do the rest. See ``decide``.
        retry_failed: With ``resume``: do again what failed, and what ended the program.
        overwrite: Replace outputs that are there.
        suffix: What the name of an output gains if it is written beside its input.
        ext: Extension of all outputs; if not given, that of each input.
        quality: 1 to 100, of lossy outputs.
        strip: Metadata that outputs go without: ``gps`` or ``all``.
        keep_time: Outputs take the modification time of their inputs.
        dry_run: Write nothing; tell what would be done to each, and how long it would take.
        limits: The largest input.
        frame: The page or frame of inputs that hold several, from 1; by default the first.
        workers: Photographs that are restored at once; by default as many as there are cores, and memory for; on a
            cluster, as it has threads.
        cluster: Where they are restored: the address of a Dask scheduler, such as ``tcp://host:8786``, or ``local:4``
            for four processes of this machine; or ``ray``, ``ray:4`` or ``ray://host:10001``. Inputs and outputs must
            have the same paths there.
        on_event: Called at the start and the end of each file, and after each tile or step; from several threads, but
            one at a time.
        on_full: Called where a disk is full, which by default stops the batch.
        control: Cancels the iterative method that is at work; the next file begins anew.
        **options: How to restore: those of ``restore``.

    Returns:
        What became of each input: ``results`` in their order, ``counts`` by status, and what ended the batch early.

    Raises:
        UsageError: The call is wrong, or another process works in the output folder; no file has been touched.
        InputError: The manifest is damaged.
        ClusterError: The cluster was lost; what is finished is kept.
        OutputError: Nothing can be written into the output folder; no file has been touched.
    """
    began = time.perf_counter()
    check_limits(limits)
    workers = check_workers(workers)
    if not callable(on_event):
        raise UsageError(f"on_event {on_event!r:.80}: must be a function; give one that takes an Event")
    files = Files(resume, overwrite, quality, strip, keep_time, limits, frame)
    if retry_failed and not resume:
        raise UsageError("retry_failed: needs resume (--resume)")
    if cluster is not None:
        check_cluster(cluster)
        inputs, options = _absolute(inputs), _from_anywhere(options)
        output = None if output is None else _absolute(output)[0]
    request = make_request(**options)
    found = find_jobs(inputs, output, suffix=suffix, ext=ext, overwrite=overwrite)
    jobs = found.jobs
    if (mask := request.written.get("write_mask")) is not None and len(jobs) > 1:
        raise UsageError(f"write_mask {mask}: is of one photograph, and there are {len(jobs)}; leave it out")
    check_side_files(request, jobs, overwrite=overwrite)
    if keep_time and any(job.is_remote for job in jobs):
        raise UsageError("keep_time: is for files, for objects in a store have no time of their own; leave it out")
    place = None if output is None else as_place(output)
    if isinstance(place, Path) and jobs and jobs[0].target != place and not resume:
        check_folder(place)
    home = _home(as_places(inputs), place, jobs)
    if cluster is not None and jobs and home is None:
        raise UsageError(f"cluster {cluster}: is for a batch; give a folder, or an output folder with -o")
    jobs = _looked_for(jobs, as_places(inputs) if place is None else [place])
    resources = share_out(request, len(jobs), None if cluster else workers)
    sessions = SharedSessions() if cluster else load_models(request, resources)
    watch = Progress(len(found.unusable) + len(jobs), on_event)
    unusable = [
        watch.start(folder).finish(Result(folder, folder, "failed", (reason,)))
        for folder, reason in found.unusable.items()
    ]
    results: dict[int, Result] = {}
    with ExitStack() as held:
        if home is not None and dry_run and not holds_batch(home):
            home = None
        fresh = place is not None and home is not None and is_fresh(home)
        manifest = None if home is None else held.enter_context(Manifest.open(home))
        if manifest is not None and fresh and not dry_run:
            mark(manifest.folder)
        executor: Executor = LocalExecutor(resources.workers, sessions, control)
        if cluster is not None and jobs and not dry_run:
            executor = remote = open_cluster(cluster, len(jobs), workers)
            held.callback(remote.close)
            resources = share_out_cluster(request, remote.share())
        keys = None
        if manifest is not None and place is None:
            made = {job.source for job in jobs if (entry := manifest.entry(job.source)) and entry.written}
            jobs = tuple(job for job in jobs if job.source not in made)
            found = replace(found, earlier=(*found.earlier, *sorted(made, key=str)))
            watch.total -= len(made)
        if manifest is not None:
            keys, resources = agree(manifest, request, files, resources, dry_run=dry_run)
        if manifest is not None and not (resume or overwrite):
            _refuse_what_is_done(manifest, jobs)
        if manifest is not None and not dry_run:
            manifest.forget_plans()
            manifest.commit()
            manifest.expect((job.source, job.target) for job in jobs)
            manifest.commit()
        if not dry_run:
            for folder in {job.target.parent for job in jobs if isinstance(job.target, Path)}:
                sweep(folder, alone=manifest is not None)
        batch = Batch(
            request, files, watch, executor, resources,
            manifest=manifest, keys=keys, retry_failed=retry_failed, on_full=on_full,
            on_end=lambda number, job, result: results.update({number: result} if result else {}),
        )  # fmt: skip
        warnings: list[str] = []
        if dry_run:
            results.update(enumerate(_foreseen(batch, jobs, Forecast(sessions), sessions)))
            stopped = None
        else:
            try:
                stopped = batch.run(jobs)
            finally:
                if manifest is not None:
                    warnings += filter(None, [manifest.send()])
    done = (results[number] for number in sorted(results))
    seconds = time.perf_counter() - began
    report = BatchReport((*unusable, *done), found.ignored, found.repeated, stopped, dry_run, seconds)
    return replace(report, warnings=tuple(warnings), earlier=found.earlier)


def load_models(request: Request, resources: Resources) -> SharedSessions:
    """Load the models that are asked for by name, so that one that cannot be used is found before any work."""
    sessions = SharedSessions()
    for model, runtime in request.models():
        sessions(model, runtime, resources.threads)
    return sessions


def agree(
    manifest: Manifest, request: Request, files: Files, resources: Resources, *, dry_run: bool = False
) -> tuple[Keys, Resources]:
    """Give the keys of the settings, and the resources as they were pinned; they are noted, unless it is a dry run."""
    settings = describe_settings(request, files)
    limits = files.limits
    keys = Keys(key_of(settings), key_of({**settings, "limits": [limits.megapixels, limits.megabytes]}))
    resources = resources.with_pins(manifest.fact("pins") or {})
    if not dry_run:
        manifest.note("pins", resources.pins)
        manifest.note("settings", settings)
        manifest.commit()
    return keys, resources


def _looked_for(jobs: Sequence[Job], folders: Sequence[Place]) -> tuple[Job, ...]:
    """Note which outputs are there, by listing their folders in stores once rather than asking for each."""
    above = {folder for job in jobs if isinstance(job.target, Url) for folder in job.target.parents}
    roots = {folder for folder in folders if isinstance(folder, Url) and folder in above}
    versions = {}
    for root in roots:
        check_output(root)
        try:
            versions.update({f"{root}/{name}": version for name, version in find(root)})
        except StoreError as error:
            if not isinstance(error.__cause__, FileNotFoundError) or not has_bucket(root):
                raise OutputError(str(error)) from error

    def known(target: Place) -> Place:
        if not isinstance(target, Url) or not any(folder in roots for folder in target.parents):
            return target
        return target.as_listed(versions.get(str(target), ABSENT))

    return tuple(replace(job, target=known(job.target)) for job in jobs)


def _absolute(inputs: str | Path | Url | Sequence[str | Path | Url]) -> list[Path | Url]:
    """The inputs by paths that mean the same wherever a process works."""
    return [place if isinstance(place, Url) else place.absolute() for place in as_places(inputs)]


def _from_anywhere(options: Options) -> Options:
    """The options with paths that mean the same wherever a process works."""
    there = {
        name: Path(path).absolute()
        for name in ("model", "mask", "write_mask", "preview")
        if isinstance(path := options.get(name), str | Path) and (name != "model" or named(str(path)) is None)
    }
    return cast("Options", {**options, **there})


def _home(given: Sequence[Place], output: Place | None, jobs: Sequence[Job]) -> Place | None:
    """The folder of the manifest: where all outputs of a batch go, None for one file, or if they go to many places."""
    if not jobs or (len(given) == 1 and not is_folder(given[0])):
        return None
    if output is not None:
        return output
    return given[0] if len(given) == 1 else None


def _refuse_what_is_done(manifest: Manifest, jobs: Sequence[Job]) -> None:
    """Refuse to begin a batch anew where some of it is done.

    Raises:
        UsageError: Some of it is.
    """
    wanted = {job.target for job in jobs}
    done = sum(entry.output in wanted and exists(entry.output) for entry in manifest.entries("done"))
    if done:
        raise UsageError(
            f"{manifest.folder}: holds {done} of {counted(len(jobs), 'output')} already; give resume=True (--resume), "
            "which keeps them and does the rest, or overwrite=True (--overwrite)"
        )


def _foreseen(batch: Batch, jobs: Sequence[Job], forecast: Forecast, sessions: SharedSessions) -> list[Result]:
    """Tell what would become of each photograph; nothing is written."""
    results = []
    for job in jobs:
        watch = batch.watch.start(job.source)
        _, decision = batch.decide(job)
        if decision.files is None:
            results.append(watch.finish(cast("Result", decision.result)))
            continue
        task = Task(len(results), job, batch.request, decision.files)
        results.append(watch.finish(perform(task, sessions, watch, forecast=forecast).result))
    return results
