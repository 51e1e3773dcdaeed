"""What is wrong with a call or a file is one line and an exit code."""

import json
import subprocess
import sys

import pytest

import resolvent.cli


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
        (["restore", "PHOTO", "--strength", "60%"], "--strength 60%: must be a number, such as 0.5 (see"),
        (["restore", "PHOTO", "-s", "x"], "-s/--scale x: must be a whole number"),
        (["benchmark", "denoise", "--sigma", "15", "b"], "--sigma/--levels b: must be a number"),
        (["PHOTO"], "to restore it, give resolvent restore"),
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


def test_a_mistyped_folder_of_photographs_is_one_line_and_leaves_nothing(run, tmp_path):
    code, out, err = run("train", "denoise", "--images", tmp_path / "typo", "-o", tmp_path / "runs" / "mine")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"resolvent: {tmp_path / 'typo'}: not a folder; give the folder that holds the clean photographs"
    ]
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("diagnose", ""), "path '': is empty; give . for the current folder"),
        (("restore", ""), "path '': is empty; give . for the current folder"),
        (("restore", "a.jpg", "-o", ""), "path '': is empty; give . for the current folder"),
        (("batch", "status", ""), "path '': is empty; give . for the current folder"),
        (("diagnose", "s3://bucket/a.jpg"), "s3://bucket/a.jpg: is a URL; this needs a file or folder of this machine"),
    ],
)
def test_a_path_that_is_empty_or_elsewhere_is_refused(run, arguments, said):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"resolvent: {said}")


def test_a_pattern_is_expanded_where_the_shell_does_not(tmp_path, monkeypatch):
    for name in ("b.jpg", "a.jpg", "c.png"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    given = ["restore", "*.jpg", "?.png", "no*", "s3://b/*.jpg", "--set=*"]
    assert resolvent.cli.expanded(given) == ["restore", "a.jpg", "b.jpg", "c.png", "no*", "s3://b/*.jpg", "--set=*"]
