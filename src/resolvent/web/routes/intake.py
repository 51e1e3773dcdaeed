"""What comes in: options are checked, files are saved, and a job is made of them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import anyio.to_thread
from fastapi import Request, UploadFile

from resolvent.batch.jobs import format_named
from resolvent.web import work
from resolvent.web.forms import Choices, JobForm, options_of
from resolvent.web.problems import Problem, full_disk
from resolvent.web.routes.common import client_of, settings_of, store_of
from resolvent.web.store import Job, plain_name

if TYPE_CHECKING:
    from resolvent.engine.options import Options
    from resolvent.web.folder import Folder

__all__ = ["save", "submit", "task_for"]


async def submit(request: Request, photograph: UploadFile | Job, form: Choices, *, keep: bool = True) -> Job:
    """Check a request, save its files, and make a job of it."""
    store, client = store_of(request), client_of(request)
    options = options_of(form)
    store.admit(client, photograph.size or 0)
    folder = store.new_folder()
    try:
        if isinstance(photograph, Job):
            name, frame = photograph.name, form.frame or photograph.task.frame
            folder.photograph.hardlink_to(photograph.folder.photograph)
        else:
            name, frame = plain_name(photograph.filename), form.frame
            await save(photograph, folder.photograph)
        if form.mask is not None:
            await save(form.mask, folder.mask)
            options["mask"] = folder.mask
        task = replace(
            task_for(request, folder, name, options, frame=frame),
            format=format_named(form.ext), quality=form.quality, strip=form.strip, keep=keep,
        )  # fmt: skip
        store.admit(client)  # others may have come while the file was written
        return store.submit(client, name, task, form.abandon if isinstance(form, JobForm) else None)
    except BaseException:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise


def task_for(request: Request, folder: Folder, name: str, options: Options, *, frame: int | None) -> work.Task:
    """Describe to a worker what is to be done with the photograph in a folder."""
    settings = settings_of(request)
    return work.Task(
        folder.path, name, options, frame=frame, limits=settings.limits, memory=settings.memory_bytes,
        threads=settings.threads,
    )  # fmt: skip


async def save(upload: UploadFile, path: Path) -> None:
    """Write what was sent to a file of ours.

    Raises:
        Problem: It is empty, or the disk is full.
    """
    if not upload.size:
        raise Problem(422, f"file {plain_name(upload.filename)}: is empty; send a photograph")
    try:
        await anyio.to_thread.run_sync(_copy, upload.file, path)
    except OSError as error:
        raise full_disk(error) from error


def _copy(source: BinaryIO, path: Path) -> None:
    with path.open("xb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
