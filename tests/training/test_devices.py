"""Two processes that train one network, by gloo on the CPU."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from resolvent.errors import ElsewhereError, TrainingError, UsageError
from resolvent.training import checkpoint, devices
from resolvent.training.devices import join, own_device
from resolvent.training.loop import train
from resolvent.training.recipe import Recipe

PROCESS = Path(__file__).parent / "process.py"
TIMEOUT = 120


def textured():
    return Recipe(
        name="tiny",
        task="denoise",
        summary="for tests",
        degradation="noise:sigma=20..40",
        validation=("noise:sigma=30",),
        arguments={"widths": [16, 16, 16], "blocks": [1, 1, 1], "noise_level": True},
        patch=32,
        batch=4,
        holdout=0.34,
        budget="60 steps",
        learning_rate=5e-3,
        ema=0.9,
        validations=4,
    )


@pytest.fixture(scope="module")
def pair(photographs, tmp_path_factory):
    """What two processes of ``process.py`` reported and printed, and their folder."""
    folder = tmp_path_factory.mktemp("pair")
    (folder / "photographs").symlink_to(photographs)
    values = {key: value for key, value in textured().to_json().items() if value is not None}
    tables = {"": values, "[arguments]": values.pop("arguments")}
    lines = [
        [name, *(f"{key} = {json.dumps(value)}" for key, value in table.items())] for name, table in tables.items()
    ]
    (folder / "tiny.toml").write_text("\n".join(line for part in lines for line in part))
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=1"]
    command = ["train", "tiny.toml", "--images", "photographs", "-o", "run", "--budget", "6 steps", "--set", "batch=3"]
    options = ["--set", "optimizer=muon", "--device", "cpu", "--threads", "1", "--resume", "--json"]
    done = subprocess.run(
        [sys.executable, *launcher, PROCESS, *command, *options],
        cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=TIMEOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]
    return SimpleNamespace(found=found, folder=folder, stdout=done.stdout, stderr=done.stderr)


def test_gradients_of_unequal_shares_are_those_of_the_whole_batch(pair):
    for average in (one["average"] for one in pair.found):
        assert average["error"] < 1e-5
        assert average["buffer"] == pytest.approx(3.7)  # of the first process; that of the second is 2.7
        assert average["sum"] == 1.5 + 2.5


@pytest.mark.parametrize("name", ["steps", "muon", "time", "rollback"])
def test_all_processes_end_at_the_same_step_with_the_same_weights(pair, name):
    first, second = (one[name] for one in pair.found)
    for key in ("digest", "updates", "rate", "psnr"):
        assert first[key] == second[key], key
    assert first["updates"] > 5


def test_two_processes_come_as_far_as_one(pair, photographs, tmp_path):
    """Twenty runs of one process, each with another seed, came from 18.7 to 22.6 .. 24.3 dB."""
    found = pair.found[0]["steps"]
    alone = train(textured(), photographs, tmp_path, device="cpu", threads=1)
    assert found["psnr"]["noise:sigma=30"] == pytest.approx(alone.psnr["noise:sigma=30"], abs=0.8)
    assert found["device"] == f"2 x {alone.device}"


def test_the_first_process_alone_validates_and_tells(pair):
    first, second = (one["steps"]["seen"] for one in pair.found)
    assert first == [["validation", step] for step in range(15, 61, 15)]
    assert second == []


def test_a_loss_that_is_nan_in_one_process_takes_all_of_them_back(pair):
    first, second = pair.found
    assert ["rollback", 3, textured().learning_rate / 2] in first["rollback"]["seen"]
    _, book = checkpoint.load(pair.folder / "rollback" / "last.safetensors")
    assert (book["rate_scale"], book["step"]) == (0.5, 6)
    assert first["rollback"]["rate"] == second["rollback"]["rate"] < 0.5 * first["muon"]["rate"] + 1e-9


def test_what_fails_in_one_process_ends_the_others_at_once(pair):
    first, second = pair.found
    assert first["missing"]["type"] == "InputError"
    assert second["missing"]["type"] == "ElsewhereError"
    assert second["missing"]["message"].startswith("process 0 of 2: ")
    assert not (pair.folder / "missing").exists()
    assert [one["others"]["type"] for one in (first, second)] == ["UsageError", "ElsewhereError"]
    assert second["others"]["message"] == f"process 0 of 2: {first['others']['message']}"
    assert (second["failure"]["type"], second["failure"]["message"]) == ("ValueError", "no memory left")
    assert (first["failure"]["type"], first["failure"]["message"]) == (
        "ElsewhereError",
        "process 1 of 2: no memory left",
    )
    assert max(one[name]["seconds"] for one in (first, second) for name in ("missing", "others", "failure")) < 20


def test_a_killed_process_is_started_again_and_all_go_on(pair):
    """One was killed at step 5: they end with the weights of two that were not."""
    (resumed, book), (whole, _) = (checkpoint.load(pair.folder / run / "last.safetensors") for run in ("run", "muon"))
    assert book["step"] == 6
    assert resumed.keys() == whole.keys()
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())
    log = [json.loads(line) for line in (pair.folder / "run" / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log if "psnr" in entry] == [3, 6]


def test_what_is_printed_is_printed_once(pair):
    """At each start, by the first process; and once that it cannot go on without the second, or was stopped first."""
    failed, printed = map(json.loads, pair.stdout.splitlines())
    assert failed.keys() == {"error"}
    assert pair.stderr.count("resolvent: ") == 1
    assert pair.stderr.count("training tiny") == 2
    assert pair.stderr.count("step 6: ") == 1
    assert printed["card"]["hardware"].startswith("2 x CPU, 1 thread,")
    assert (pair.folder / printed["model"]).is_file()


@pytest.fixture
def torchrun(monkeypatch):
    """Set the environment of a process of torchrun."""

    def started(rank=0, size=2, **others):
        values = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 0}
        for name, value in {**values, **others}.items():
            monkeypatch.setenv(name, str(value)) if value is not None else monkeypatch.delenv(name, raising=False)

    return started


def test_a_world_size_without_torchrun_is_named(torchrun, recipe, photographs, tmp_path):
    torchrun(RANK=None, MASTER_PORT=None)
    with pytest.raises(UsageError, match=r"WORLD_SIZE=2: without RANK, MASTER_PORT, .* or unset WORLD_SIZE"):
        train(recipe, photographs, tmp_path / "run")
    torchrun(size="two")
    with pytest.raises(UsageError, match=r"WORLD_SIZE=two.*whole numbers"):
        train(recipe, photographs, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_process_of_torchrun_trains_as_without_it(torchrun):
    torchrun(size=1)
    with join("cpu", None) as group:
        assert (group.rank, group.size, group.store) == (0, 1, None)


def test_processes_that_do_not_meet_say_where(torchrun, monkeypatch):
    monkeypatch.setattr(devices, "PATIENCE", timedelta(seconds=1))
    torchrun()
    with pytest.raises(TrainingError, match=r"127.0.0.1:0: 2 processes do not meet there"), join("cpu", None):
        pass


def test_each_process_takes_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [own_device(name, 1) for name in (None, "cuda", "cpu")] == ["cuda:1", "cuda:1", "cpu"]
    with pytest.raises(UsageError, match="which has 2 GPUs: start 2, or give --device cpu"):
        own_device(None, 2)
    with pytest.raises(UsageError, match="device 'cuda:1': several processes take one each"):
        own_device("cuda:1", 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert own_device(None, 1) == "cpu"


def test_head_is_refused_under_torchrun_in_one_line(torchrun, run, photographs):
    command = ["train", "head", "--model", "denoise", "--images", photographs]
    torchrun()
    code, _, err = run(*command)
    assert (code, err) == (2, "resolvent: train head: runs on one device, not as 2 processes; leave out torchrun\n")
    torchrun(rank=1)
    assert run(*command) == (1, "", "")
    assert issubclass(ElsewhereError, TrainingError)
