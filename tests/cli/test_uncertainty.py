"""Maps of uncertainty from the command line."""

import json

import numpy as np
import pytest
from PIL import Image

import resolvent


@pytest.fixture
def unseen(tmp_path):
    folder = tmp_path / "unseen"
    folder.mkdir()
    for i in range(30):
        waves = np.cumsum(np.random.default_rng(i).normal(size=(72, 80, 3)), axis=1) * 8 + 128
        Image.fromarray(waves.clip(0, 255).astype(np.uint8)).save(folder / f"{i}.png")
    return folder


def test_a_calibrated_model_says_how_far_to_trust_each_pixel(run, headed, unseen, tmp_path):
    noisy = np.random.default_rng(0).normal(128, 20, (64, 80, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "noisy.png")
    code, _, err = run(
        "restore", tmp_path / "noisy.png", "-m", headed, "--sigma", 20, "--uncertainty", "-o", tmp_path / "o.png"
    )
    assert code == 2
    assert "holds no map of errors that is calibrated" in err
    pairs = tmp_path / "camera"
    pairs.mkdir()
    Image.fromarray(noisy).save(pairs / "a_real.png")
    Image.fromarray(np.full((64, 80, 3), 128, np.uint8)).save(pairs / "a_mean.png")
    code, out, _ = run(
        "calibrate", headed, "--images", unseen, "--test", unseen, "--pairs", pairs, "--threads", 1, "--json"
    )
    assert code == 0
    found = json.loads(out)
    assert found["images"] == 30
    assert found["coverage"]["unseen"]["inside"] > 0.85
    camera = resolvent.Restorer(model=headed, uncertainty=True).run(noisy)
    inside = np.abs(camera.image.data.astype(float) - 128) <= camera.uncertainty.half_width[..., None]
    measured = found["coverage"]["camera, as a camera wrote them"]
    assert measured["images"] == 1
    assert measured["inside"] == pytest.approx(inside.mean(), abs=0.002)
    code, _, err = run("models", headed)
    assert code == 0
    assert "unseen, 30 photographs: " in err
    target, page = tmp_path / "o.png", tmp_path / "seen.html"
    code, out, err = run(
        "restore", tmp_path / "noisy.png", "-m", headed, "--sigma", 20, "--uncertainty", "-o", target, "--json",
        "--page", page,
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["results"][0]["uncertainty"]["median"] > 0
    assert target.with_name("o.uncertainty.tif").exists()
    with Image.open(target.with_name("o.uncertainty.png")) as overlay:
        assert overlay.width == 80
    assert page.read_text().count('<img class="layer uncertainty"') == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["head", "--images", "."], "give --model"),
        (["head", "--images", ".", "--model", "denoise", "--budget", "1m"], "train head and --budget"),
        (["head", "--images", ".", "--model", "denoise", "-o", "a.pt"], "must end in .onnx"),
        (["denoise", "--images", ".", "--model", "denoise"], "--set start=denoise"),
    ],
)
def test_train_head_takes_a_model_and_photographs_alone(run, arguments, said):
    code, _, err = run("train", *arguments)
    assert code == 2
    assert said in err


def test_too_few_photographs_calibrate_nothing(run, headed, unseen):
    for path in sorted(unseen.iterdir())[8:]:
        path.unlink()
    code, _, err = run("calibrate", headed, "--images", unseen, "--threads", 1)
    assert code == 2
    assert "8 photographs to calibrate on: too few; give at least 25, and 200 for a narrow map" in err


def test_the_jacobian_of_a_denoiser_needs_no_calibration(run, tiny, tmp_path):
    noisy = np.random.default_rng(0).normal(128, 20, (64, 80, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "noisy.png")
    target = tmp_path / "o.png"
    code, out, err = run(
        "restore", "--uncertainty", "jacobian:probes=2", tmp_path / "noisy.png", "-m", tiny[2], "--sigma", 20,
        "-o", target, "--json",
    )  # fmt: skip
    assert code == 0
    (result,) = json.loads(out)["results"]
    assert result["evidence"]["residual"] > 0
    assert "whose noise is white and of level 20.0" in result["uncertainty"]["basis"]
    assert "residual " in err
    assert target.with_name("o.uncertainty.tif").exists()


def test_a_photograph_that_follows_the_option_is_not_its_value(run, tmp_path):
    Image.fromarray(np.full((16, 16, 3), 99, np.uint8)).save(tmp_path / "jacobian.png")
    code, _, err = run("restore", "--uncertainty", tmp_path / "jacobian.png", "-m", "denoise", "--sigma", 20)
    assert code == 0, err
    assert (tmp_path / "jacobian.restored.png").exists()


@pytest.mark.parametrize("name", ["jacobian.png", "jacobian:x.png", "jacobi"])
def test_neither_is_one_in_the_current_folder(run, tiny, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((16, 16, 3), 99, np.uint8)).save(name, "PNG")
    code, _, err = run("restore", "--uncertainty", name, "-m", tiny[2], "--sigma", 20)
    assert code == 2
    assert "holds no map of errors that is calibrated" in err  # of the default kind


def test_what_follows_two_dashes_is_a_file(run, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["--uncertainty", "--debug", "--licence"]
    for name in names:
        Image.fromarray(np.full((16, 16, 3), 99, np.uint8)).save(name, "PNG")
    code, out, err = run("restore", "-m", tiny[2], "--sigma", 20, "-o", "out", "--json", "--", *names)
    assert code == 0, err
    assert [result["input"] for result in json.loads(out)["results"]] == names
    code, _, err = run("restore", "-m", tiny[2], "--sigma", 20, "--uncertainty", "--", names[0])
    assert code == 2
    assert "holds no map of errors that is calibrated" in err


@pytest.mark.parametrize("empty", [["--uncertainty="], ["--uncertainty", ""]])
def test_an_empty_kind_is_refused(run, tmp_path, monkeypatch, empty):
    monkeypatch.chdir(tmp_path)  # an empty name is that of the folder
    code, _, err = run("restore", *empty, tmp_path / "x.png")
    assert code == 2
    assert "--uncertainty '': names no kind" in err


def test_an_unknown_kind_is_one_line(run, tmp_path):
    code, _, err = run("restore", "x.png", "--uncertainty=jacobi")
    assert code == 2
    assert "jacobi" in err
    assert len(err.strip().splitlines()) == 1
