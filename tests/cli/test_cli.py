"""The command line, as a person and as a script meet it."""

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

import resolvent.cli
from resolvent.cli import spread
from resolvent.methods.control import Control


@pytest.fixture
def photo(tmp_path):
    """A textured photograph with noise of sigma 20, in a folder with an awkward name."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:64, 0:64] / 64
    clean = 0.5 + 0.25 * np.stack([np.sin(9 * x), np.cos(7 * y), np.sin(5 * (x + y))], axis=2)
    folder = tmp_path / "höliday photos"
    folder.mkdir()
    path = folder / "söme photo.png"
    noisy = clean * 255 + 20 * rng.standard_normal(clean.shape)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, dpi=(300, 300))
    return path


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


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


def test_version_is_printed(run):
    assert run("--version") == (0, f"resolvent {resolvent.__version__}\n", "")


def test_an_internal_error_is_one_line_and_debug_shows_where(run, photo, monkeypatch):
    def breaks(*_):
        raise KeyError("width")

    monkeypatch.setattr("resolvent.image.read_image", breaks)
    code, out, err = run("diagnose", photo)
    assert (code, out) == (1, "")
    assert "internal error, KeyError: 'width'" in err
    assert len(err.splitlines()) == 1
    monkeypatch.setattr(sys, "argv", ["resolvent", "diagnose", str(photo), "--debug"])
    with pytest.raises(KeyError):
        resolvent.cli.main()


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
    assert ended.stderr == "resolvent: stdout is closed; name an output file\n"


def test_json_is_utf8_whatever_the_terminal(photo):
    """A name that is not UTF-8 included: its foreign byte becomes a question mark."""
    command = [sys.executable, "-m", "resolvent", "models", "höl\udcff.onnx", "--json"]
    ended = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert ended.returncode == 1
    assert "höl?.onnx" in json.loads(ended.stdout.decode())["error"]


@pytest.mark.parametrize(
    "command",
    [
        ["train", "denoise", "--images", "FOLDER"],
        ["export", "FOLDER"],
        ["benchmark", "denoise", "--images", "absent", "--features"],  # before a photograph is looked for
    ],
)
def test_without_torch_a_command_names_the_install_command(photo, command):
    block = "import sys; sys.modules['torch'] = None; from resolvent.cli import main; main()"
    command = [str(photo.parent) if word == "FOLDER" else word for word in command]
    ended = subprocess.run([sys.executable, "-c", block, *command], capture_output=True, text=True)
    assert ended.returncode == 2
    assert "needs torch, which is not installed; run: pip install 'resolvent[lab]'" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_ctrl_c_keeps_what_is_finished_and_leaves_nothing_half_written(run, photo, tiny, tmp_path, monkeypatch):
    pixels = np.asarray(Image.open(photo))
    for i in range(3):
        Image.fromarray(np.roll(pixels, i, 0)).save(photo.with_name(f"{i}.png"))
    from resolvent.batch import worker

    def interrupted(image, target, **options):
        if "1" in target.name:
            raise KeyboardInterrupt
        return write(image, target, **options)

    write = worker.write_image
    monkeypatch.setattr(worker, "write_image", interrupted)
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["restore", "PHOTO", "--set", "iterations=2"], "give --method too"),
        (["restore", "PHOTO", "-m", "denoize"], "unknown model 'denoize'"),
        (["restore", "PHOTO", "--method", "nlmm", "--degradation", "noise:sigma=5"], "did you mean 'nlm'"),
        (["restore", "PHOTO", "--method", "wiener", "--degradation", "jpeg:quality=5"], "cannot undo jpeg"),
        (["restore", "PHOTO", "-m", "TINY", "--sigma", "300"], "sigma 300"),
        (["restore", "PHOTO", "-m", "TINY", "--strength", "2"], "strength 2"),
        (["restore", "PHOTO", "-m", "TINY", "-o", "PHOTO"], "is an input"),
        (["restore", "-", "PHOTO"], "takes one photograph"),
        (["degrade", "PHOTO", "blurr:sigma=1"], "did you mean 'blur'"),
        (["degrade", "PHOTO", "blur:sigma=-1"], "sigma"),
        (["benchmark", "denoize", "--images", "FOLDER"], "did you mean 'denoise'"),
        (["train", "denoize", "--images", "FOLDER"], "did you mean 'denoise'"),
        (["train", "denoise", "--images", "FOLDER", "--budget", "soon"], "budget 'soon'"),
        (["models", "denoize"], "unknown model"),
        (["restore", "PHOTO", "--method", "wienner"], "did you mean 'wiener'"),
        (["restore", "PHOTO", "--strength", "half"], "--strength"),
        (["restore", "PHOTO", "--strengths", "1"], "(see resolvent restore -h)"),
        (["restore", "PHOTO", "--memory", "9" * 400], "memory"),
        (["restore", "PHOTO", "--max-megapixels", "nan"], "--max-megapixels nan: must be above zero"),
        (["restore", "PHOTO", "--seed", "-1"], "seed -1"),
        (["restore", "PHOTO", "--seed", "9" * 30], "seed 999"),
        (["restore", "PHOTO", "--method", "pnp", "--degradation", "blur:sigma=1", "--budget", "nan"], "budget nan"),
        (["restore", "PHOTO", "--resume", "-o", "-"], "--resume"),
        (["restore", "PHOTO", "--ext", "gif", "-o", "-"], "'.gif'"),
        (["degrade", "PHOTO", "noise:sigma=1", "-o", "PHOTO", "--overwrite"], "is an input"),
        (["degrade", "PHOTO", "noise:sigma=1", "-o", "-"], "- is for restore"),
        (["degrade", "PHOTO", "noise:sigma=1", "--seed", "-1"], "seed -1"),
        (["benchmark", "denoise", "--images", "FOLDER", "--limit", "0"], "limit 0"),
        (["train", "denoise", "--images", "FOLDER", "--epochs", "0"], "budget '0 epochs'"),
        (["benchmark", "denoise", "--images", "FOLDER", "--figure", "PHOTO", "--overwrite"], "must end in .svg"),
        (["benchmark", "denoise", "--images", "FOLDER", "--page", "PHOTO", "--overwrite"], "must end in .html"),
        (["compare", "PHOTO", "--degradation", "noise:sigma=5", "-o", "PHOTO", "--overwrite"], "must end in .html"),
        (["recipes", "denoize"], "did you mean 'denoise'"),
        (["train"], "(see resolvent train -h)"),
        (["restor"], "(see resolvent -h)"),
    ],
)
def test_a_wrong_call_is_one_line_and_code_2(run, photo, tiny, arguments, message):
    names = {"PHOTO": photo, "TINY": tiny[2], "FOLDER": photo.parent}
    code, out, err = run(*(names.get(a, a) for a in arguments))
    assert code == 2
    assert out == ""
    assert message in err
    assert len(err.splitlines()) == 1
    assert sorted(p.name for p in photo.parent.iterdir()) == ["söme photo.png"]


def test_a_folder_is_not_compared(run, photo, monkeypatch):
    monkeypatch.chdir(photo.parent)
    code, _, err = run("compare", ".", "--degradation", "noise:sigma=5")
    assert code == 1
    assert "it is not a file" in err


@pytest.mark.parametrize("command", ["diagnose", "restore"])
@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n"])
def test_an_unreadable_file_is_one_line_and_code_1(run, tmp_path, command, content):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    code, _, err = run(command, path)
    assert code == 1
    assert "x.png" in err
    assert len(err.splitlines()) == 1


def test_errors_are_json_where_that_was_asked_for(run, photo):
    code, out, _ = run("restore", photo, "-m", "denoize", "--json")
    assert code == 2
    assert "denoize" in json.loads(out)["error"]


def test_degrade_then_diagnose(run, photo):
    bad = photo.with_name("bad.png")
    assert run("degrade", photo, "noise:sigma=10", "-o", bad, "--seed", 3)[0] == 0
    code, out, _ = run("diagnose", bad, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["model"] in ("denoise", "restore")
    assert found["gains"][found["model"]] > 3
    assert found["noise_sigma"] == pytest.approx(np.hypot(10, 20), rel=0.1)


def test_degrade_says_what_it_sampled(run, photo):
    drawn = "noise:sigma=5..30 + jpeg:quality=20|60 + blur:sigma=1 @ 0.5"
    names = [photo.with_name(f"{name}.png") for name in "abc"]
    code, out, err = run("degrade", photo, drawn, "-o", names[0], "--seed", 3, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert (found["degradation"], found["seed"], found["output"]) == (drawn, 3, str(names[0]))
    sigma = re.match(r"noise:sigma=([\d.]+) \+ jpeg:quality=(?:20|60)", found["sampled"])[1]
    assert 5 <= float(sigma) <= 30
    assert "@" not in found["sampled"]
    assert run("degrade", photo, drawn, "-o", names[1], "--seed", 3)[2] == f"{names[1]}: {found['sampled']}\n"
    np.testing.assert_array_equal(pixels(names[0]), pixels(names[1]))
    assert run("degrade", photo, "noise:sigma=9", "-o", names[2])[2] == f"{names[2]}: noise:sigma=9\n"


def test_models_and_methods_are_listed(run):
    code, out, _ = run("models", "--json")
    assert code == 0
    for name, card in json.loads(out).items():
        assert card["name"] == name
        assert card["license"] == "Apache-2.0"
    code, out, _ = run("methods", "--json")
    assert {"nlm", "wiener", "richardson-lucy"} <= set(json.loads(out))


def test_what_recipes_are_written_in_is_listed(run):
    from resolvent.degradations import DEGRADATIONS
    from resolvent.training.recipe_file import load_recipe

    found = json.loads(run("degradations", "--json")[1])
    assert list(found) == list(DEGRADATIONS)
    sigma = found["noise"]["parameters"]["sigma"]
    assert sigma == {"rule": "a number from 0 to 255 gray levels", "required": True, "default": None}
    assert found["rownoise"]["parameters"]["axis"]["default"] == "rows"
    assert json.loads(run("networks", "--json")[1])["unet-small"]["multiple"] == 8
    assert json.loads(run("recipes", "--keys", "--json")[1])["learning_rate"]["default"] == 1.5e-3
    code, _, err = run("recipes", "--keys")
    assert code == 0
    assert "learning_rate" in err
    assert run("recipes", "denoise", "--keys")[0] == 2
    assert json.loads(run("recipes", "--json")[1])["denoise"] == load_recipe("denoise").to_json()
    for command in ("degradations", "networks", "recipes"):
        code, _, err = run(command)
        assert code == 0
        assert len(err.splitlines()) > 5


@pytest.mark.parametrize(
    ("command", "name", "shown"),
    [
        ("methods", "nlm", ("patch_size", "an odd number from 1 to 99 pixels")),
        ("methods", "med", ("levels", "5,4,3")),
        ("networks", "unet-small", ("noise_level", "true or false")),
        ("degradations", "blur", ("ksize", "a whole number from 0 to 999")),
    ],
)
def test_one_entry_is_printed_with_what_can_be_set(run, monkeypatch, command, name, shown):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = run(command, name)
    assert (code, out) == (0, "")
    assert all(text in err for text in shown)
    found = json.loads(run(command, name, "--json")[1])
    assert list(found) == [name]
    code, _, err = run(command, name + "x")
    assert code == 2
    assert f"did you mean {name!r}" in err


def test_declared_settings_are_printed_as_json(run):
    found = json.loads(run("methods", "tv", "--json")[1])["tv"]["settings"]
    assert found["weight"] == {
        "rule": "a number above 0, up to 1000",
        "default": 0.75,
        "help": "weight of the variation, as a share of sigma",
    }


def test_the_defaults_of_a_network_are_what_it_is_built_with(run, monkeypatch):
    from resolvent.networks import NETWORKS

    for name, about in json.loads(run("networks", "--json")[1]).items():
        for argument, value in NETWORKS[name].arguments.items():
            assert about["settings"][argument]["default"] == (list(value) if isinstance(value, tuple) else value)
    monkeypatch.setenv("COLUMNS", "200")
    shown = run("networks", "unet-small")[2]
    assert "1,1,1,1" in shown
    assert "2,2,2" not in shown
    assert "a recipe's [arguments]" in shown


def test_a_recipe_is_printed_as_a_start_for_an_own_one(run, tmp_path):
    from resolvent.training.recipe_file import load_recipe

    code, out, _ = run("recipes", "deblur")
    assert code == 0
    own = tmp_path / "own.toml"
    own.write_text(out, "utf-8")
    assert load_recipe(str(own)) == load_recipe("deblur")


def test_reports_are_not_replaced_unasked(run, photo):
    report = photo.with_name("a.json")
    report.write_text("{}")
    code, _, err = run("benchmark", "denoise", "--images", photo.parent, "--json", report)
    assert code == 2
    assert "exists; choose another name, or give --overwrite" in err
    assert report.read_text() == "{}"
    code, out, _ = run("benchmark", "denoise", "--images", photo.parent, "--json", photo, "--overwrite")
    assert code == 2
    assert "must end in .json" in json.loads(out)["error"]


def test_train_export_restore_and_benchmark_with_the_result(run, tmp_path, photo):
    folder = tmp_path / "clean"
    folder.mkdir()
    for i in range(4):
        values = np.random.default_rng(i).integers(0, 255, (6, 6, 3)).astype(np.uint8)
        Image.fromarray(values).resize((48, 48), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    settings = ["arguments={noise_level=true, widths=[8, 8, 8], blocks=[1, 1, 1]}", "patch=32", "batch=2"]
    flags = [flag for setting in settings for flag in ("--set", setting)]
    output = tmp_path / "run"
    code, out, _ = run(
        "train", "denoise", "--images", folder, "-o", output, "--budget", "3 steps", *flags, "--threads", 1, "--json"
    )
    assert code == 0
    made = json.loads(out)
    assert 1 <= made["card"]["steps"] <= 3  # of the best weights
    assert made["card"]["recipe"]["patch"] == 32
    model = made["model"]
    assert made["warnings"][-1].startswith("3 steps are few")
    code, out, err = run("export", output, "-o", tmp_path / "again.onnx")
    assert (code, out) == (0, "")
    said, *warnings = err.splitlines()
    assert said.startswith(f"{tmp_path / 'again.onnx'}: denoise, best after ")
    assert "noise:sigma=15 " in said
    assert " dB (input 24." in said  # 20 log10(255 / 15) = 24.6
    assert "{" not in said
    assert "warning: 3 steps are few, where thousands are usual: train longer (--budget, --resume)" in warnings
    assert run("restore", photo, "-m", tmp_path / "again.onnx", "--sigma", 20)[0] == 0
    code, out, _ = run("benchmark", "denoise", "--images", folder, "--sigma", 15, 25, "--models", model, "--json")
    assert code == 0
    means = json.loads(out)["means"]
    assert {(m["method"], m["degradation"]) for m in means} == {
        (method, f"noise:sigma={level}") for method in ("input", model) for level in (15, 25)
    }


def test_benchmark_measures_the_feature_distance_only_when_asked(run, tmp_path):
    photo = tmp_path / "clean.png"
    values = np.random.default_rng(0).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(values).resize((48, 48), Image.Resampling.BICUBIC).save(photo)
    command = ("benchmark", "denoise", "--images", photo, "--sigma", 25, "--models", "denoise", "--json")
    code, out, _ = run(*command, "-", "--features")
    assert code == 0
    data = json.loads(out)
    given, restored = (mean["feature_distance"] for mean in data["means"])
    assert given > restored > 0
    assert [row["feature_distance"] for row in data["rows"]] == [given, restored]
    code, out, _ = run(*command)
    assert [row["feature_distance"] for row in json.loads(out)["rows"]] == [None, None]


def test_a_mistyped_folder_of_photographs_is_one_line_and_leaves_nothing(run, tmp_path):
    code, out, err = run("train", "denoise", "--images", tmp_path / "typo", "-o", tmp_path / "runs" / "mine")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"resolvent: {tmp_path / 'typo'}: not a folder; give the folder that holds the clean photographs"
    ]
    assert not (tmp_path / "runs").exists()


def test_values_of_benchmark_options_are_spread():
    assert spread(["benchmark", "denoise", "--sigma", "15", "25", "--images", "a", "--json"]) == [
        *["benchmark", "denoise", "--sigma", "15", "--sigma", "25", "--images", "a", "--json", "-"]
    ]
    assert spread(["restore", "--sigma", "15", "25"]) == ["restore", "--sigma", "15", "25"]


def test_a_task_without_a_bundled_model_says_so(run, photo):
    code, _, err = run("benchmark", "seed", "--images", photo.parent)
    assert code == 2
    assert "has no bundled model; name a model" in err
