"""A long batch of tiny files: the last ones take no more time and memory than the first."""

import json
import os
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.batch.conftest import put, tree

FILES, PART = 900, 200
SHARED_MEMORY = Path("/dev/shm")


@pytest.mark.skipif(not SHARED_MEMORY.is_dir(), reason="needs a disk in memory, whose speed does not vary")
def test_time_and_memory_are_flat(tmp_path_factory, tmp_path, tiny):
    for seed in range(FILES):
        put(tmp_path / f"in/{seed % 7}/{seed:04}.png", seed)
    out = SHARED_MEMORY / f"resolvent-{os.getpid()}"
    call = [sys.executable, "-m", "resolvent", "restore", tmp_path / "in", "-o", out, "-m", tiny[2], "--sigma", "20"]
    times, held = [], []
    try:
        with subprocess.Popen(
            [*map(str, call), "--jsonl"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            for number, line in enumerate(process.stdout):
                assert json.loads(line)["status"] == "restored"
                times.append(time.perf_counter())
                if number in (PART, FILES - 20):
                    held.append(
                        int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
                    )
        assert process.returncode == 0
        assert len(tree(out)) == FILES
    finally:
        subprocess.run(["rm", "-rf", out], check=True)
    first, last = ([after - before for before, after in pairwise(part)] for part in (times[:PART], times[-PART:]))
    assert statistics.median(last) < 2 * statistics.median(first)
    assert held[1] - held[0] < 24e6, held
