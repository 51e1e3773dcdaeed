"""Folders, lists of names, streams of results and signals, from the command line."""

import inspect
import json
import os
import re
import signal
import subprocess
import sys
import time
import types
from dataclasses import MISSING, fields

import numpy as np
import pytest

from resolvent.batch.many import restore_many
from resolvent.batch.report import CHECKED
from resolvent.cli import photographs
from resolvent.engine.request import MethodRequest, ModelRequest
from resolvent.image import Image, Limits, write_image


def texture(seed=0, side=48):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)


@pytest.fixture
def album(tmp_path):
    folder = tmp_path / "album"
    folder.mkdir()
    for seed, name in enumerate(["a.png", "b c.png", "d.png"]):
        write_image(Image.from_array(texture(seed)), folder / name)
    return folder


def test_defaults_are_those_of_python():
    """The command line states them itself, for its help is to be there without NumPy."""
    own = {name: each.default for name, each in inspect.signature(photographs.restore).parameters.items()}
    for name, parameter in inspect.signature(restore_many).parameters.items():
        if name in own and parameter.default is not parameter.empty:
            assert own[name] == parameter.default, name
    for kind in (ModelRequest, MethodRequest, Limits):
        for field in fields(kind):
            if not (field.default is MISSING or field.default_factory is not MISSING):
                assert own[field.name] == field.default


def test_results_are_streamed(run, album, tiny, tmp_path):
    (album / "broken.png").write_bytes(b"no image")
    model = ("-m", tiny[2], "--sigma", 20)
    code, out, _ = run("restore", album, "-o", tmp_path / "out", *model, "--workers", 1, "--jsonl")
    assert code == 1
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["status"] for row in rows] == ["restored", "restored", "failed", "restored"]
    assert rows[0]["output"] == str(tmp_path / "out/a.png")
    code, out, _ = run("restore", album, "-m", "nothing", "--jsonl")
    assert (code, len(out.splitlines())) == (2, 1)
    assert "nothing" in json.loads(out)["error"]
    assert "give one of them" in run("restore", album, "--json", "--jsonl")[2]


@pytest.mark.parametrize("command", ["restore", "diagnose"])
@pytest.mark.parametrize("null", [True, False])
def test_names_come_from_stdin(album, command, null):
    names = [str(album / "b c.png"), str(album / "d.png")]
    text = "".join(name + ("\0" if null else "\n") for name in names)
    call = [sys.executable, "-m", "resolvent", command, "--files-from", "-", *(["-0"] * null), "--jsonl"]
    call += ["--strength", "0"] * (command == "restore")
    ended = subprocess.run(call, input=text.encode(), capture_output=True, check=True)
    assert sorted(json.loads(line)["input"] for line in ended.stdout.splitlines()) == names


def test_null_needs_names(run, album):
    code, _, err = run("restore", album, "-0")
    assert code == 2
    assert "--null: tells how --files-from is read" in err


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no signals")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_signals_end_it_like_ctrl_c(album, tmp_path, name, code):
    for seed in range(60):
        write_image(Image.from_array(texture(seed, 400)), album / f"x{seed}.png")
    call = [sys.executable, "-m", "resolvent", "restore", str(album), "-o", str(tmp_path / "out"), "-m", "denoise"]
    process = subprocess.Popen(
        [*call, "--jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )
    with process:
        first = json.loads(process.stdout.readline())
        process.send_signal(getattr(signal, name))
        out, err = process.stdout.read(), process.stderr.read()  # communicate() would lose what is read ahead
    assert process.returncode == code
    assert first["status"] == "restored"
    rows = [first, *map(json.loads, out.splitlines())]
    kept = [row for row in rows if "input" in row]
    assert f"stopped; {len(kept)} finished and kept; --resume goes on" in err
    assert "stopped" in rows[-1]["error"]
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == sorted(
        os.path.basename(row["input"])  # noqa: PTH119
        for row in kept
    )


def test_what_is_finished_is_in_the_json_of_a_stopped_run(run, album, tmp_path, tiny, interrupt_at):
    interrupt_at("b")
    code, out, _ = run("restore", album, "-o", tmp_path / "out", "-m", tiny[2], "--sigma", 20, "--workers", 1, "--json")
    assert code == 130
    told = json.loads(out)
    assert told["restored"] == 1
    assert "1 finished and kept" in told["error"]


def test_ctrl_c_while_it_is_loaded_is_no_traceback(monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "resolvent.cli", types.SimpleNamespace(main=interrupt))
    monkeypatch.setattr("gc.freeze", lambda: None)  # the tests go on
    from resolvent.__main__ import main

    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130


def test_a_dry_run_says_what_would_be_done(run, album, tiny):
    before = sorted(album.iterdir())
    code, out, err = run("restore", album, "-m", tiny[2], "--sigma", 20, "--dry-run", "--json")
    assert code == 0
    assert "a.restored.png: would be restored by" in err
    assert "would be: 3 restored, in about" in err
    assert json.loads(out)["dry_run"]
    code, _, err = run("restore", album / "a.png", "-m", tiny[2], "--sigma", 20, "--dry-run")
    assert (code, CHECKED in err) == (0, True)
    assert sorted(album.iterdir()) == before


def test_quiet_is_quiet(run, album, tiny):
    assert run("restore", album, "-m", tiny[2], "--sigma", 20, "--quiet") == (0, "", "")
    (album / "broken.png").write_bytes(b"no image")
    code, _, err = run("restore", album, "-m", tiny[2], "--sigma", 20, "-q", "--resume")
    assert code == 1
    assert len(err.splitlines()) == 1


def test_a_folder_is_diagnosed(run, album):
    (album / "broken.png").write_bytes(b"no image")
    code, out, err = run("diagnose", album, album / "missing.png", "--json")
    assert code == 1
    rows = json.loads(out)["results"]
    assert [row["input"] for row in rows] == [
        str(album / name) for name in ("a.png", "b c.png", "broken.png", "d.png", "missing.png")
    ]
    assert [row.get("error") is not None for row in rows] == [False, False, True, False, True]
    assert rows[0]["noise_sigma"] > 5
    assert len(err.splitlines()) == 6
    assert err.splitlines()[-1] == CHECKED
    code, out, _ = run("diagnose", album, "--jsonl")
    assert [json.loads(line)["input"] for line in out.splitlines()] == [row["input"] for row in rows[:4]]


def test_a_diagnosis_says_what_it_left_out_as_restore_does(run, album):
    for name in ("x.nef", "y.NEF", "notes.txt"):
        (album / name).write_bytes(b"")
    (album / "link.png").symlink_to(album / "a.png")
    expected = [
        "left out: 2 camera raws (.nef; develop them first), 1 other file (.txt)",
        f"left out, other names of the same photographs: 1 ({album / 'link.png'})",
    ]
    for command in (["restore", "--strength", "0"], ["diagnose"]):
        code, out, err = run(*command, album, "--json")
        assert code == 0
        assert [line for line in err.splitlines() if line.startswith("left out")] == expected
        found = json.loads(out)
        assert (found["ignored"], found["repeated"]) == ({".nef": 2, ".txt": 1}, [str(album / "link.png")])


def test_a_diagnosis_says_each_figure_once_in_words_too_and_what_it_does_not_see(run, tmp_path, monkeypatch):
    y, x = np.mgrid[0:128, 0:128] / 128
    clean = 0.5 + 0.25 * np.stack([np.sin(9 * x), np.cos(7 * y), np.sin(5 * (x + y))], axis=2)
    noisy = clean * 255 + np.random.default_rng(0).normal(0, 20, clean.shape)
    write_image(Image.from_array(noisy.clip(0, 255).astype(np.uint8)), tmp_path / "a.png")
    found = json.loads(run("diagnose", tmp_path / "a.png", "--json")[1])
    code, out, err = run("diagnose", tmp_path / "a.png")
    assert (code, out) == (0, "")
    assert err.count(f"{found['noise_sigma']:.1f} gray levels") == 1
    assert err.count(" blur of ") == 1
    assert "in words  strong noise" in err
    assert "will look much better" in err
    assert "not looked for: motion blur" in err
    assert CHECKED in err
    monkeypatch.setattr("resolvent.batch.words.LEAST_CHANGE", found["change"] + 0.01)
    err = run("diagnose", tmp_path / "a.png")[2]
    assert f"nothing to fix: the model {found['model']!r} would change it by about {found['change']:.2f} gray" in err
    assert CHECKED not in err


def test_before_and_after_are_one_page(run, album, tmp_path):
    page = tmp_path / "page.html"
    write_image(Image.from_array(texture(3, 96)), tmp_path / "large.png")
    assert run("compare", album / "a.png", tmp_path / "large.png", "-o", page)[0] == 0
    text = page.read_text()
    assert text.count("data:image/jpeg") == 3  # before, after, and what was changed
    assert text.count('type="range"') == 1
    code, _, err = run("compare", album / "a.png", album / "d.png", "-o", page)
    assert (code, "--overwrite" in err) == (2, True)
    write_image(Image.from_array(np.zeros((20, 60), np.uint8)), tmp_path / "other.png")
    code, _, err = run("compare", album / "a.png", tmp_path / "other.png")
    assert code == 1
    assert f"{album / 'a.png'} of 48x48 pixels, {tmp_path / 'other.png'} of 60x20: are of another shape" in err
    texts = [image.rpartition(", ")[2] for image in re.findall('alt="([^"]*)"', text)]
    assert texts == ["restored", "what was changed", "input"]
    assert run("compare", album / "a.png", album / "d.png")[0] == 0
    assert "<h1>a.png → d.png</h1>" in (album / "a-d.compared.html").read_text()
    (album / "b").mkdir()
    write_image(Image.from_array(texture(4)), album / "b" / "a.png")
    assert run("compare", album / "a.png", album / "b" / "a.png")[0] == 0
    assert "<h1>a.png</h1>" in (album / "a.compared.html").read_text()
    code, _, err = run("compare", album / "d.png")
    assert code == 2
    assert "give a second photograph, or --degradation" in err


def test_a_page_shows_photographs_whose_names_are_not_utf_8(run, album, tiny, tmp_path):
    odd = album / "höl\udcff.png"
    try:
        write_image(Image.from_array(texture(5)), odd)
    except OSError:
        pytest.skip("the file system takes UTF-8 alone")
    page = tmp_path / "page.html"
    code, out, _ = run("restore", odd, "-m", tiny[2], "--sigma", 20, "--page", page, "--json")
    assert code == 0
    assert json.loads(out)["results"][0]["output"] == str(album / "höl?.restored.png")
    assert "höl?.png → höl?.restored.png" in page.read_text("utf-8")
    assert run("compare", odd, album / "a.png", "-o", page, "--overwrite")[0] == 0
    assert "<h1>höl?.png → a.png</h1>" in page.read_text("utf-8")
    denoised = ("--methods", "nlm", "-o", page, "--overwrite", "--degradation", "noise:sigma=20")
    assert run("compare", odd, *denoised)[0] == 0
    assert "höl?.png" in page.read_text("utf-8")
    folder = album.rename(album.with_name("\udcff"))
    measured = ("--methods", "nlm", "--sigma", 20, "--limit", 1, "--page", page, "--overwrite")
    assert run("benchmark", "denoise", "--images", folder, *measured)[0] == 0
    assert "<h1>denoise on ?</h1>" in page.read_text("utf-8")


def test_restore_shows_what_it_did(run, album, tiny, tmp_path):
    page = tmp_path / "page.html"
    assert run("restore", album, "-m", tiny[2], "--sigma", 20, "--page", page)[0] == 0
    assert page.read_text().count('type="range"') == 3
    code, _, err = run("restore", album, "--strength", 0, "--resume", "--page", page)
    assert code == 2
    assert "--page" in err
    assert run("restore", album, "--strength", 0, "--resume", "--page", page, "--overwrite")[0] == 2
    assert (
        run("restore", album / "a.png", "--strength", 0, "-o", tmp_path / "n.png", "--page", tmp_path / "n.html")[0]
        == 0
    )
    assert "No photograph was changed" in (tmp_path / "n.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--strength", "2"], "--strength 2: must be from 0"),
        (["--budget", "5"], "--budget 5.0: "),
        (["--tile", "1"], "--tile 1: must be 16 pixels"),
        (["--sigma", "20"], "give -m denoise too"),
        (["--write-mask", "m.png"], "give --repair too"),
        (["--degradation", "noise:sigma=5"], "give --method too"),
        (["--method", "tv"], "--method 'tv': needs the degradation that it inverts; give --degradation"),
        (["--method", "tv", "--sigma", "5"], "--sigma 5: is for a model"),
        (["--method", "tv", "-s", "2"], "-s 2 and --method 'tv': give one of them"),
        (["--resume", "--overwrite"], "--resume keeps the outputs that are there and --overwrite replaces them"),
        (["--strip", "place"], "unknown strip 'place'"),
        (["--quality", "0"], "--quality 0: must be"),
        (["--budget", "nan", "--method", "pnp", "--degradation", "blur:sigma=1"], "--budget nan"),
    ],
)
def test_errors_name_the_option(run, album, arguments, message):
    code, _, err = run("restore", album / "a.png", *arguments)
    assert code == 2
    assert message in err
    assert "=" not in err.replace("sigma=", "")


def test_names_of_models_and_methods_in_any_case(run, album, tmp_path):
    assert run("restore", album / "a.png", "-m", "Denoise", "-o", tmp_path / "a.png")[0] == 0
    tv = ("--method", "TV", "--degradation", "noise:sigma=20")
    assert run("restore", album / "a.png", *tv, "-o", tmp_path / "b.png")[0] == 0
    assert run("models", "DENOISE")[0] == 0


def test_limits_may_be_infinite(album):
    call = [sys.executable, "-m", "resolvent", "restore", "-", "--strength", "0", "--max-megabytes", "inf"]
    source = (album / "a.png").read_bytes()
    assert subprocess.run(call, input=source, capture_output=True, check=True).stdout == source


def test_a_name_that_no_system_takes_is_one_line(run, album):
    for command in ("restore", "diagnose"):
        code, _, err = run(command, "x" * 300 + ".png")
        assert code == 1
        assert len(err.splitlines()) == 1
    code, _, err = run("restore", album / "a.png", "--strength", 0, "-o", album / ("x" * 300 + ".png"))
    assert code == 1
    assert "a name of more than 255 bytes" in err
    assert run("restore", album / "a.png", "--page", "x" * 300 + ".html")[0] in (1, 2)


def test_completion_and_help_are_there(run):
    code, out, _ = run("--help")
    assert code == 0
    assert "--install-completion" in out
    code, out, _ = run("restore", "--help")
    panels = [line.split()[1] for line in out.splitlines() if line.startswith("╭─")]
    assert panels == ["Arguments", "Options", "Common", "Output", "Advanced", "Methods"]


def test_a_pipe_says_now_and_then_how_far_it_is(run, album, tiny, tmp_path, monkeypatch):
    from resolvent.batch import worker

    def slow(image, chosen, progress, sessions, **more):
        progress(1, 4)
        time.sleep(0.2)
        return real(image, chosen, progress, sessions, **more)

    real = worker.run
    monkeypatch.setattr(worker, "run", slow)
    monkeypatch.setattr("resolvent.cli.console.BEAT", 0.02)
    monkeypatch.setattr("resolvent.cli.pipe.emit", lambda data: None)
    call = ("restore", album / "a.png", "-o", "-", "-m", tiny[2], "--sigma", 20)
    assert "a.png, 25%" in run(*call)[2]
    assert run(*call, "--quiet") == (0, "", "")
