"""Models from the command line: listed, added, used by name, removed."""

import json
from dataclasses import replace

import numpy as np
import pytest
from onnx import helper, load
from PIL import Image

from resolvent.models.export import write
from resolvent.models.registry import read_card


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RESOLVENT_MODELS", str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.fixture
def network(tmp_path):
    """An ONNX file of another project's: the identity."""
    sides = [helper.make_tensor_value_info(name, 1, ["n", 3, "h", "w"]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "graph", sides[:1], sides[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    (tmp_path / "4x Net.onnx").write_bytes(model.SerializeToString())
    return tmp_path / "4x Net.onnx"


def test_a_network_is_added_listed_used_and_removed(run, network, own_folder, tmp_path):
    code, out, _ = run("models", "add", network, "--license", "MIT", "--summary", "[nothing]", "--json")
    assert code == 0
    assert json.loads(out)["model"] == "4x-Net"
    assert [path.name for path in own_folder.iterdir()] == ["4x-Net.onnx"]

    listed = json.loads(run("models", "--json")[1])
    assert listed["4x-Net"]["origin"] == "added"
    assert listed["4x-Net"]["license"] == "MIT"
    assert listed["denoise"]["origin"] == "bundled"
    assert "[nothing]" in run("models", "4X-net")[2]

    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert run("restore", tmp_path / "a.png", "-m", "4x-net")[0] == 0
    with Image.open(tmp_path / "a.restored.png") as restored:
        np.testing.assert_array_equal(np.asarray(restored), pixels)

    assert run("models", "add", network)[0] == 2
    assert run("models", "remove", "4x-net")[0] == 0
    assert not list(own_folder.iterdir())
    code, _, shown = run("restore", tmp_path / "a.png", "-m", "4x-net")
    assert code == 2
    assert "unknown model '4x-net'" in shown


@pytest.mark.parametrize("width", [40, 80])
def test_no_name_is_cut_off_however_narrow_the_terminal(run, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    for command in ("models", "methods", "degradations", "networks", "recipes"):
        known = json.loads(run(command, "--json")[1])
        shown = run(command)[2]
        assert "…" not in shown
        assert set(known) <= {line.strip("│ ").partition(" ")[0] for line in shown.splitlines()}


def test_names_are_taken_in_any_case(run):
    assert list(json.loads(run("models", "DeNoise", "--json")[1])) == ["DeNoise"]


def test_what_is_not_yet_a_model_says_how_it_becomes_one(run, network, tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    code, _, shown = run("restore", tmp_path / "a.png", "-m", network)
    assert code == 1
    assert f"resolvent models add {network}" in shown
    code, _, shown = run("restore", tmp_path / "a.png", "-m", "weights.PTH")
    assert code == 2
    assert "resolvent models add weights.PTH" in shown


def test_a_broken_file_spoils_no_list(run, own_folder):
    own_folder.mkdir()
    (own_folder / "bad.onnx").write_bytes(b"\xff" * 9)
    code, out, shown = run("models", "--json")
    assert code == 0
    assert "bad" not in json.loads(out)
    assert "resolvent models remove bad" in shown
    assert run("models", "remove", "bad")[0] == 0


def test_the_folder_of_added_models_is_where_the_system_keeps_a_users_data(monkeypatch):
    from resolvent.models.registry import user_folder

    monkeypatch.delenv("RESOLVENT_MODELS")
    monkeypatch.setattr("os.path.expanduser", lambda _: "/home/me")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    for system, folder in (
        ("linux", "/home/me/.local/share"),
        ("darwin", "/home/me/Library/Application Support"),
        ("win32", "/home/me/AppData/Local"),
    ):
        monkeypatch.setattr("sys.platform", system)
        assert user_folder().as_posix() == f"{folder}/resolvent/models"
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert user_folder().as_posix() == "/data/resolvent/models"


@pytest.mark.parametrize("as_json", [True, False])
def test_a_certificate_that_lacks_what_is_printed_of_it_is_one_line(run, headed, as_json):
    write(load(headed), replace(read_card(headed), uncertainty={"factor": 1.0, "wide": 2.0, "alpha": 0.1}), headed)
    code, out, err = run("models", headed, *["--json"] * as_json)
    if as_json:
        assert json.loads(out)[str(headed)]["uncertainty"]["factor"] == 1
    else:
        assert code == 1
        assert "delta None of its uncertainty: must be a number from 0 to 1; calibrate it again" in err
        assert len(err.splitlines()) == 1
