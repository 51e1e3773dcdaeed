"""``resolvent restore`` as a person and as a script meet it: files, folders, pipes, Ctrl-C."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resolvent.methods.control import Control
from tests.cli.conftest import pixels


def test_restore_writes_beside_the_photograph_and_never_overwrites(run, photo, tiny):
    before = photo.read_bytes()
    target = photo.with_name("söme photo.restored.png")
    code, out, err = run("restore", photo, "-m", tiny[2], "--sigma", 20)
    assert (code, out) == (0, "")
    assert "sigma 20.0" in err
    assert photo.read_bytes() == before
    assert not np.array_equal(pixels(target), pixels(photo))
    with Image.open(target) as image:
        assert round(image.info["dpi"][0]) == 300
    first = target.read_bytes()
    code, _, err = run("restore", photo, "-m", tiny[2], "--sigma", 20)
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "exists" in err
    assert run("restore", photo, "-m", tiny[2], "--sigma", 20, "--resume")[0] == 0
    assert run("restore", photo, "-m", tiny[2], "--sigma", 40, "--overwrite")[0] == 0
    assert target.read_bytes() != first


def test_strength_zero_is_the_photograph(run, photo, tiny):
    assert run("restore", photo, "-m", tiny[2], "--strength", 0, "-o", photo.with_name("same.png"))[0] == 0
    assert np.array_equal(pixels(photo.with_name("same.png")), pixels(photo))


def test_a_folder_is_mirrored_and_one_bad_file_does_not_stop_the_rest(run, photo, tiny, tmp_path):
    inner = photo.parent / "inner"
    inner.mkdir()
    (inner / "also.png").write_bytes(photo.read_bytes())
    (inner / "broken.png").write_bytes(photo.read_bytes()[:200])
    code, out, err = run("restore", photo.parent, "-o", tmp_path / "out", "-m", tiny[2], "--sigma", 20, "--json")
    assert code == 1
    report = json.loads(out)
    assert (report["restored"], report["failed"]) == (2, 1)
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.png")) == ["also.png", "söme photo.png"]
    assert [line for line in err.splitlines() if "failed" in line and "broken.png" in line]


def test_stdin_to_stdout(photo, tiny):
    command = [sys.executable, "-m", "resolvent", "restore", "-", "-m", str(tiny[2]), "--sigma", "20"]
    finished = subprocess.run(command, input=photo.read_bytes(), capture_output=True, check=True)
    restored = Image.open(io.BytesIO(finished.stdout))
    assert restored.format == "PNG"
    assert restored.size == (64, 64)
    assert not np.array_equal(np.asarray(restored), pixels(photo))


def test_a_pipe_with_nothing_to_fix_gives_the_same_bytes(photo, tmp_path):
    source = io.BytesIO()
    Image.open(photo).save(source, "JPEG", quality=80)
    command = [sys.executable, "-m", "resolvent", "restore", "-", "--strength", "0"]
    piped = subprocess.run(command, input=source.getvalue(), capture_output=True, check=True)
    assert piped.stdout == source.getvalue()
    target = tmp_path / "new" / "out.jpg"
    subprocess.run([*command, "-o", target], input=source.getvalue(), check=True, stderr=subprocess.PIPE)
    assert target.read_bytes() == source.getvalue()


def test_an_input_that_cannot_be_piped_is_one_line(run, tmp_path):
    for path in (tmp_path / "no.png", tmp_path):
        code, out, err = run("restore", path, "-o", "-")
        assert (code, out, len(err.splitlines())) == (1, "", 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_or_closed_stdout_is_one_line(photo):
    command = [sys.executable, "-m", "resolvent", "models", "--json"]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 1
    assert "No space left" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    ended = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 1
    assert ended.stderr == "resolvent: --json: stdout is closed; leave it out, or open stdout\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "out", "--jsonl"], "--jsonl: stdout is closed; leave it out, or open stdout"),
        (["-o", "out", "--json"], "--json: stdout is closed; leave it out, or open stdout"),
        (["-o", "-"], "stdout is closed; name an output file with -o"),
    ],
)
def test_a_closed_stdout_is_noticed_before_any_work(run, photo, tiny, monkeypatch, options, message):
    monkeypatch.chdir(photo.parent)
    monkeypatch.setattr(sys, "stdout", None)
    code, _, err = run("restore", "absent.png" if "-" in options else ".", *options, "-m", tiny[2], "--sigma", 20)
    assert (code, err) == (1, f"resolvent: {message}\n")
    assert [path.name for path in photo.parent.iterdir()] == [photo.name]
    code, _, err = run("benchmark", "denoise", "--images", "absent", "--json")
    assert (code, err) == (1, "resolvent: --json: stdout is closed; leave it out, or open stdout\n")


def test_ctrl_c_keeps_what_is_finished_and_leaves_nothing_half_written(run, photo, tiny, tmp_path, interrupt_at):
    pixels = np.asarray(Image.open(photo))
    for i in range(3):
        Image.fromarray(np.roll(pixels, i, 0)).save(photo.with_name(f"{i}.png"))
    interrupt_at("1")
    options = ("-m", tiny[2], "--sigma", 20, "--workers", 1)
    code, _, err = run("restore", photo.parent, "-o", tmp_path / "out", *options)
    assert code == 130
    assert "1 finished and kept; --resume goes on" in err
    assert [p.name for p in (tmp_path / "out").glob("*.png")] == ["0.png"]


def test_method_with_a_degradation(run, photo):
    target = photo.with_name("nlm.png")
    assert run("restore", photo, "--method", "nlm", "--degradation", "noise:sigma=20", "-o", target)[0] == 0
    assert pixels(target).std() < pixels(photo).std()


def test_a_methods_own_option_and_its_preview(run, photo):
    one, two, seen = (photo.with_name(f"{name}.png") for name in ("one", "two", "seen"))
    red = ("--method", "red", "--degradation", "blur:sigma=1 + noise:sigma=20")
    assert run("restore", photo, *red, "--set", "iterations=2", "--preview", seen, "-o", one)[0] == 0
    assert run("restore", photo, *red, "--set", "iterations=3", "--set", "level=8", "-o", two)[0] == 0
    assert not np.array_equal(pixels(one), pixels(two))
    assert pixels(seen).shape == pixels(one).shape


RED = ("--method", "red", "--degradation", "blur:sigma=1 + noise:sigma=20")


@pytest.fixture
def ctrl_c(monkeypatch):
    """Lets the method ``red`` be met by so many Ctrl-C in each step."""
    own, before = signal.signal(signal.SIGINT, signal.default_int_handler), Control.step
    presses = []

    def pressed(control, done, total, image):
        for _ in presses:
            os.kill(os.getpid(), signal.SIGINT)
        return before(control, done, total, image)

    monkeypatch.setattr(Control, "step", pressed)
    yield presses
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, own)


def test_ctrl_c_ends_a_method_with_what_it_has_and_a_second_one_ends_all(run, photo, ctrl_c):
    """It said "restored" of what one step had made of 40."""
    target = photo.with_name("one.png")
    ctrl_c.append("once")
    code, out, err = run("restore", photo, *RED, "-o", target, "--json")
    assert code == 0
    assert re.search(r"restored by red in .* s, canceled after 1 of 40 steps\n", err)
    (result,) = json.loads(out)["results"]
    assert [result[key] for key in ("steps", "total_steps", "ended")] == [1, 40, "canceled"]
    assert target.exists()
    ctrl_c.append("twice")
    assert run("restore", photo, *RED, "-o", photo.with_name("two.png"))[0] == 130
    assert not photo.with_name("two.png").exists()


def test_a_budget_that_cut_a_method_off_is_said_where_one_is_piped(photo):
    ended = subprocess.run(
        [sys.executable, "-m", "resolvent", "restore", "-", *RED, "--budget", "1e-6"],
        input=photo.read_bytes(), capture_output=True,
    )  # fmt: skip
    assert ended.returncode == 0
    assert "cut off by the budget after 1 of 40 steps" in ended.stderr.decode()


def test_a_task_without_a_bundled_model_says_so(run, photo):
    code, _, err = run("benchmark", "seed", "--images", photo.parent)
    assert code == 2
    assert "has no bundled model; name a model" in err
