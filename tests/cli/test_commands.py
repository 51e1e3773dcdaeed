"""The other commands: degrade, diagnose, compare, train, benchmark."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from resolvent.cli import spread
from tests.cli.conftest import pixels


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
    assert made["warnings"][-1].startswith("trained for 3 steps, where")
    code, out, err = run("export", output, "-o", tmp_path / "again.onnx")
    assert (code, out) == (0, "")
    said, *warnings = err.splitlines()
    assert said.startswith(f"{tmp_path / 'again.onnx'}: denoise, best after ")
    assert "noise:sigma=15 " in said
    assert " dB (input 24." in said  # 20 log10(255 / 15) = 24.6
    assert "{" not in said
    assert "warning: trained for 3 steps, where thousands are usual: train longer (--budget, --resume)" in warnings
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


def test_values_of_benchmark_options_are_spread():
    assert spread(["benchmark", "denoise", "--sigma", "15", "25", "--images", "a", "--json"]) == [
        *["benchmark", "denoise", "--sigma", "15", "--sigma", "25", "--images", "a", "--json", "-"]
    ]
    assert spread(["restore", "--sigma", "15", "25"]) == ["restore", "--sigma", "15", "25"]
