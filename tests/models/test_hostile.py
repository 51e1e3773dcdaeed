"""Model files that lie: each is one line, before or while it runs, and never the end of what else is restored."""

import json
import random
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from PIL import Image

import resolvent
from resolvent.errors import InputError, ResolventError
from resolvent.inference.runtime import open_session
from resolvent.models.card import METADATA_KEY, ModelCard
from resolvent.models.export import load_module
from resolvent.models.graph import check_graph, metadata, read_graph, with_metadata
from resolvent.models.registry import bundled

CARD = ModelCard("net", "denoise", "", "unet-small", {}, "noise:sigma=5", halo=8)
IMAGE = np.random.default_rng(0).random((24, 32, 3), np.float32)


@pytest.fixture
def model(tmp_path):
    """Writes a model: its nodes lead from ``x`` to ``y``; what is given by name goes into the card."""

    def write(nodes, weights=(), functions=(), **values):
        sides = [helper.make_tensor_value_info(name, 1, ["n", 3, "h", "w"]) for name in "xy"]
        stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in dict(weights).items()]
        graph = helper.make_graph(nodes, "graph", sides[:1], sides[1:], stored)
        file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        path = tmp_path / "net.onnx"
        text = json.dumps(CARD.to_json() | values)
        path.write_bytes(with_metadata(file.SerializeToString(), METADATA_KEY, text))
        return path

    return write


def identity():
    return [helper.make_node("Identity", ["x"], ["y"])]


def deep(levels):
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", ""), ("name", 5), ("name", "\x1b[31mred"), ("summary", "two\nlines"), ("summary", "\u202eleft"),
        ("channels", 1), ("channels", "3"), ("scale", 2.0), ("scale", True), ("scale", 0), ("scale", 10**30),
        ("halo", -1), ("multiple", 0), ("memory", 0), ("noise_level", 1), ("sigma_range", [5]), ("sigma_range", [9, 5]),
        ("sigma_range", ["a", "b"]), ("sigma_range", [0, float("inf")]), ("seconds", float("nan")), ("data", []),
        ("data", {"source": "\x07"}), ("figures", {"\x00": 1}), ("recipe", json.loads(deep(30))), ("conditional", None),
    ],
)  # fmt: skip
def test_cards_that_break_a_rule_are_refused(key, value):
    with pytest.raises(InputError, match=f"model.onnx: its card cannot be read \\({key}.*must ") as error:
        ModelCard.loads(json.dumps(CARD.to_json() | {key: value}), "model.onnx")
    assert str(error.value).isprintable()


@pytest.mark.parametrize("text", [f'{{"name": {deep(200_000)}}}', f'{{"halo": {"9" * 5000}}}', " " * 1_000_001])
def test_cards_that_no_parser_should_read_are_refused(text):
    with pytest.raises(InputError, match="its card cannot be read"):
        ModelCard.loads(text, "model.onnx")


def test_brackets_in_a_card_are_text(model, run):
    path = model(identity(), summary="for [bold]all[/bold] \\")
    code, _, shown = run("models", path)
    assert code == 0
    assert "[bold]" in shown


def test_what_a_graph_says_of_itself_is_read_as_onnx_reads_it():
    for path in bundled().values():
        read, graph = read_graph(path), onnx.load(path).graph
        graphs = [graph, *(item.g for node in graph.node for item in node.attribute if item.HasField("g"))]
        nodes = [node for part in graphs for node in part.node]
        assert read.nodes == len(nodes)
        assert read.operators == {(node.domain, node.op_type) for node in nodes}
        constants = [item.t for node in nodes for item in node.attribute if item.HasField("t")]
        weights = [item for part in graphs for item in part.initializer]
        floats = [item for item in (*weights, *constants) if item.data_type in (1, 10)]
        assert read.parameters == sum(int(np.prod(item.dims)) for item in floats)
        assert [value.name for value in read.inputs] == ["input"]
        assert read.inputs[0].shape[1] == graph.input[0].type.tensor_type.shape.dim[1].dim_value


def test_metadata_is_replaced_and_all_else_kept(model):
    path = model(identity())
    changed = path.read_bytes()
    for key, text in (("other", "ä" * 300), (METADATA_KEY, "new"), (METADATA_KEY, "newer")):
        changed = with_metadata(changed, key, text)
    before, after = onnx.load(path), onnx.load_from_string(changed)
    assert [(item.key, item.value) for item in after.metadata_props] == [("other", "ä" * 300), (METADATA_KEY, "newer")]
    path.write_bytes(changed)
    assert metadata(path) == {"other": "ä" * 300, METADATA_KEY: "newer"}
    assert after.graph == before.graph


LOOP = helper.make_graph(
    [helper.make_node("Identity", ["go on"], ["again"])],
    "body",
    [helper.make_tensor_value_info("step", 7, []), helper.make_tensor_value_info("go on", 9, [])],
    [helper.make_tensor_value_info("again", 9, [])],
)


def endless():
    return [helper.make_node("Loop", ["count", "true"], [], body=LOOP), *identity()]


ENDLESS = {"count": np.int64(2**62), "true": np.bool_(True)}


@pytest.mark.parametrize("conditional", [False, True])
def test_a_loop_is_never_run(model, conditional):
    with pytest.raises(InputError, match=r"control flow \(Loop\)"):
        open_session(model(endless(), ENDLESS, conditional=conditional))


def test_a_loop_inside_a_branch_is_found(model):
    inner = helper.make_graph(endless()[:1], "inner", [], [])
    nodes = [helper.make_node("If", ["true"], [], then_branch=inner, else_branch=inner), *identity()]
    with pytest.raises(InputError, match=r"control flow \(Loop\)"):
        open_session(model(nodes, ENDLESS, conditional=True))


def test_a_branch_runs_only_where_the_card_declares_it(model):
    def gives(name):
        value = helper.make_tensor_value_info(name, 1, None)
        return helper.make_graph([helper.make_node("Identity", ["x"], [name])], name, [], [value])

    nodes = [helper.make_node("If", ["true"], ["y"], then_branch=gives("a"), else_branch=gives("b"))]
    with pytest.raises(InputError, match=r"control flow \(If\)"):
        open_session(model(nodes, {"true": np.bool_(True)}))
    path = model(nodes, {"true": np.bool_(True)}, conditional=True)
    assert np.abs(resolvent.restore(IMAGE, model=path) - IMAGE).max() <= 1e-6


def test_memory_that_a_graph_asks_for_is_bounded(model):
    """A constant of 12 GB, of which it gives back the mean."""
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["large"]),
        helper.make_node("ReduceMax", ["large"], ["most"], keepdims=0),
        helper.make_node("Add", ["x", "most"], ["y"]),
    ]
    with pytest.raises(InputError, match="out of memory"):
        resolvent.restore(IMAGE, model=model(nodes, {"shape": np.array([3 * 10**9])}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scale": 2}, "its card says"),
        ({"noise_level": True}, "3 channels, and its card says 4"),
        ({"outputs": 2}, "3 channels, and its card says 2"),
        ({"network": "", "gray": True}, "3 channels, and its card says 1"),
    ],
)
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_what_a_card_says_of_the_graph_must_be_true(model, values, message, runtime):
    with pytest.raises(InputError, match=message):
        resolvent.restore(IMAGE, model=model(identity(), **values), runtime=runtime)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino", "torch"])
def test_weights_that_lie_about_their_size_are_refused(tiny, tmp_path, runtime):
    model = onnx.load(tiny[2])
    model.graph.initializer[0].dims[0] = 10**9
    path = tmp_path / "x.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"x\.onnx"):
        open_session(path, runtime)


@pytest.mark.parametrize("arguments", [{"widths": [10**5] * 3, "blocks": [1, 1, 1]}, {"widths": "x"}, {"no": 1}])
def test_a_network_that_the_weights_are_not_of_is_never_built(tiny, tmp_path, arguments):
    """At these widths it would take terabytes."""
    path = tmp_path / "x.onnx"
    text = replace(tiny[1], arguments=arguments).dumps()
    path.write_bytes(with_metadata(tiny[2].read_bytes(), METADATA_KEY, text))
    with pytest.raises(InputError, match="its weights do not fit"):
        load_module(path)


def test_a_model_that_lies_ends_no_batch(model, run, tmp_path):
    path = model(identity(), scale=2)
    for name in "ab":
        Image.fromarray(np.rint(255 * IMAGE).astype(np.uint8)).save(tmp_path / f"{name}.png")
    code, _, shown = run("restore", tmp_path / "a.png", tmp_path / "b.png", "-m", path)
    assert code == 1
    assert shown.count("its card says") == 2
    assert "internal error" not in shown


def _zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.onnx", b"weights")


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("notes.txt", lambda path: path.write_text("hello, world"), "not an ONNX model, or a damaged one; give an"),
        ("cut.onnx", lambda path: path.write_bytes(bundled()["scratches"].read_bytes()[:20_000]), "or a damaged one"),
        ("model.zip", _zip, "not an ONNX model"),
        ("empty.onnx", Path.touch, "is empty; give an ONNX file"),
        ("folder.onnx", Path.mkdir, "a folder without a model"),
    ],
)
def test_what_is_no_model_is_one_line_without_the_parsers_words(run, tmp_path, name, make, message):
    make(tmp_path / name)
    code, out, err = run("models", "add", tmp_path / name)
    assert (code, out) == (2 if name.startswith("folder") else 1, "")
    assert message in err
    assert str(tmp_path / name) in err
    assert len(err.splitlines()) == 1
    assert not any(word in err for word in ("wire", "truncated", "mmap", "protocol"))


def test_weights_that_are_not_there_need_no_package(run, tmp_path):
    code, _, err = run("models", "add", tmp_path / "x.pth")
    assert (code, "no such file" in err) == (1, True)


def test_no_damage_to_a_file_is_more_than_an_error(model, tmp_path):
    weights = np.random.default_rng(0).random((3, 3, 3, 3), np.float32) / 27
    whole = model([helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 4)], {"w": weights}).read_bytes()
    path, dice, ran = tmp_path / "broken.onnx", random.Random(0), 0
    said = set()
    for _ in range(300):
        broken = bytearray(whole)
        for _ in range(dice.choice([1, 1, 3])):
            at = dice.randrange(len(broken))
            match dice.randrange(3):
                case 0:
                    broken[at] = dice.randrange(256)
                case 1:
                    del broken[at : at + dice.randrange(1, 6)]
                case 2:
                    broken[at:at] = dice.randbytes(2)
        path.write_bytes(broken)
        try:
            check_graph(path)
            session = open_session(path, threads=1)
            ran += session.run(np.zeros((1, session.card.inputs, 8, 8), np.float32)).shape == (1, 3, 8, 8)
        except ResolventError as error:
            said.add(str(error))
    assert 0 < ran < 300
    assert all(map(str.isprintable, said))
