"""A batch that is killed, again and again, ends as one that was not."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from resolvent.batch.manifest import Manifest
from resolvent.image import Image, write_image
from tests.batch.conftest import tree

PHOTOGRAPHS, KILLS, WORKERS = 26, 12, 2


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Small photographs, one of them damaged, two of them the same."""
    folder = tmp_path_factory.mktemp("scans")
    for seed in range(PHOTOGRAPHS - 2):
        path = folder / f"{seed % 3}" / f"{seed:02}.{('png', 'jpg', 'tif')[seed % 3]}"
        path.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(seed).integers(60, 180, (40, 48, 3)).astype(np.uint8)
        write_image(Image.from_array(pixels), path)
    (folder / "0/same.png").write_bytes((folder / "0/00.png").read_bytes())
    (folder / "0/damaged.png").write_bytes((folder / "0/00.png").read_bytes()[:300])
    return folder


@pytest.fixture(scope="module")
def start(scans, tiny):
    """Starts a run of the command line, which prints each result."""

    def begin(out, *options):
        call = [sys.executable, "-m", "resolvent", "restore", scans, "-o", out, "-m", tiny[2], "--sigma", "20"]
        call += ["--workers", str(WORKERS), "--jsonl", *options]
        return subprocess.Popen(
            list(map(str, call)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
        )

    return begin


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    """The outputs of a run that nothing interrupts."""
    out = tmp_path_factory.mktemp("whole")
    process = start(out)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    return contents(out)


def contents(folder):
    return {name: (folder / name).read_bytes() for name in tree(folder)}


def states(folder):
    with Manifest.open(folder, create=False) as manifest:
        return manifest.counts()


def test_killed_at_any_moment_it_goes_on_and_ends_with_the_same_bytes(start, scans, whole, tmp_path):
    chance, out, finished = random.Random(7), tmp_path / "out", []
    for kill in range(KILLS):
        with start(out, "--resume") as process:
            if kill % 4 == 0:
                time.sleep(chance.uniform(0.05, 0.9))  # while it is loaded, or finds its photographs
            else:
                while (line := process.stdout.readline()) and json.loads(line)["status"] == "skipped":
                    pass
                if line:
                    finished.append(json.loads(line)["input"])
                time.sleep(chance.uniform(0, 0.03))
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read()  # communicate() would lose what is read ahead
        rows = [json.loads(line) for line in rest.splitlines() if line.endswith("}")]
        finished += [row["input"] for row in rows if row["status"] == "restored"]
    process = start(out, "--resume")
    rest, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    finished += [row["input"] for row in map(json.loads, rest.splitlines()) if row["status"] == "restored"]
    assert contents(out) == whole
    assert not list(out.rglob("*.part"))
    with Manifest.open(out, create=False) as manifest:
        failed = [entry.result["reasons"] for entry in manifest.entries("failed")]
    assert [reasons[0].split(":")[0] for reasons in failed] == [str(scans / "0/damaged.png")], failed
    assert states(out) == {"waiting": 0, "started": 0, "done": PHOTOGRAPHS - 1, "failed": 1}
    assert len(finished) <= len(whole) + KILLS * (WORKERS + 1)
    assert set(finished) >= {row["input"] for row in map(json.loads, rest.splitlines()) if row["status"] == "restored"}


def test_what_ends_the_program_twice_is_set_aside_and_takes_no_other_down(start, scans, whole, tmp_path, tiny):
    """A decoder that crashes, played by a module that kills the process as soon as one photograph is opened."""
    killer = tmp_path / "killer"
    killer.mkdir()
    (killer / "sitecustomize.py").write_text(
        "import os, sys, traceback\n"
        "def audit(event, arguments):\n"
        "    if event == 'open' and str(arguments[0]).endswith('12.png'):\n"
        "        if any(frame.name == '_opened' for frame in traceback.extract_stack()):\n"
        "            os.kill(os.getpid(), 9)\n"
        "sys.addaudithook(audit)\n"
    )
    path = os.pathsep.join([str(killer), os.environ.get("PYTHONPATH", "")])
    out, ends, reasons = tmp_path / "out", [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)
        for _ in range(3):
            process = start(out, "--resume")
            rows = [json.loads(line) for line in process.communicate(timeout=120)[0].splitlines()]
            ends.append(process.returncode)
            reasons.append([row["reasons"] for row in rows if row["input"].endswith("12.png")])
    assert ends == [-signal.SIGKILL, 1, 1]
    died = f"{scans}/0/12.png: ended the program twice (signal SIGKILL): set aside; --retry-failed tries again"
    assert reasons == [[], [[died]], [[died, "it failed before; --retry-failed tries it again"]]]
    expected = {name: content for name, content in whole.items() if name != "0/12.png"}
    assert contents(out) == expected
    process = start(out, "--resume", "--retry-failed")
    process.communicate(timeout=120)
    assert contents(out) == whole
