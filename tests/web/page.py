"""What tests do with the page, and what they wait for."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from playwright.sync_api import expect

from tests.web.live import texture

SOON = 30_000
"""Milliseconds in which a small photograph is restored, on a busy machine too."""


def given(name: str, data: bytes) -> dict[str, object]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


def noisy(seed: int = 0, side: int = 96) -> np.ndarray:
    return texture(seed, side, side)


def restored(page, number: int) -> None:
    """Wait until so many photographs are restored."""
    in_state(page, "done", number)


def in_state(page, state: str, number: int | None = None) -> None:
    """Wait until so many photographs are in a state, or any."""
    found = page.locator(f"#list [data-state={state}]")
    if number is None:
        found.first.wait_for()
    else:
        expect(found).to_have_count(number, timeout=SOON)


def worker_pids() -> list[int]:
    """The worker processes of the servers of this process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"anyio.to_process" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def saved(page, button: str) -> tuple[str, bytes]:
    with page.expect_download() as download:
        page.locator(button).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def of_command_line(run, tmp_path, name: str, data: bytes, *flags: str) -> bytes:
    source = tmp_path / name
    source.write_bytes(data)
    assert run("restore", source, "-o", tmp_path / "out", "--overwrite", *flags)[0] == 0
    return (tmp_path / "out" / name).read_bytes()
