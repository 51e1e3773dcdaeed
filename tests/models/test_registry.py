import numpy as np
import onnx
import pytest

from resolvent.errors import InputError, UsageError
from resolvent.inference.runtime import open_session
from resolvent.models.card import METADATA_KEY, ModelCard
from resolvent.models.registry import find, read_card


def test_card_is_read_without_a_runtime_and_equals_what_onnx_reads(tiny):
    _, card, path = tiny
    assert read_card(path) == card
    properties = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert ModelCard.loads(properties[METADATA_KEY], "tiny") == card


def test_card_survives_json():
    card = ModelCard("a", "denoise", "s", "unet-small", {"widths": [8, 8]}, "noise:sigma=25", sigma_range=(0.0, 75.0))
    assert ModelCard.loads(card.dumps(), "a") == card


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "card cannot be read"),
        ("[]", "card cannot be read"),
        ('{"nam": 1}', "did you mean 'name'"),
        ("{}", "missing"),
    ],
)
def test_broken_cards_are_refused(text, message):
    with pytest.raises((InputError, UsageError), match=message):
        ModelCard.loads(text, "model.onnx")


@pytest.mark.parametrize(
    "content", [b"", b"not a model at all", b"\xff" * 64, b"\x72\xff\xff\xff\x0f", bytes(range(256))]
)
def test_files_that_are_no_models_are_refused(tmp_path, content):
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.onnx"):
        read_card(path)
    for runtime in ("onnxruntime", "openvino", "torch"):
        with pytest.raises(InputError, match=r"x\.onnx"):
            open_session(path, runtime)


def test_foreign_onnx_file_is_refused(tiny, tmp_path):
    model = onnx.load(tiny[2])
    del model.metadata_props[:]
    path = tmp_path / "foreign.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="without a Resolvent card"):
        read_card(path)
    with pytest.raises(InputError, match="without a Resolvent card"):
        open_session(path)


def test_unknown_names():
    with pytest.raises(UsageError, match="unknown model 'denoize'"):
        find("denoize")
    with pytest.raises(InputError, match="no such model file"):
        find("missing.onnx")


def test_the_folder_of_a_run_stands_for_its_model(tmp_path):
    run = tmp_path / "denoise"
    run.mkdir()
    with pytest.raises(UsageError, match=r"a folder without a model; .*resolvent export"):
        find(str(run))
    (run / "own.onnx").write_bytes(b"")
    (run / "._own.onnx").write_bytes(b"")
    (run / "folder.onnx").mkdir()
    (run / "dead.onnx").symlink_to(tmp_path / "missing")
    assert find(str(run)) == find(run) == run / "own.onnx"
    (run / "another.onnx").write_bytes(b"")
    with pytest.raises(UsageError, match="holds 2 models; name one of them"):
        find(str(run))


@pytest.mark.parametrize("name", ["", "a" * 300, "de*", "..\0"])
def test_names_that_no_file_can_have_are_unknown(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.onnx").write_bytes(b"")
    with pytest.raises(UsageError, match="unknown model"):
        find(name)


def test_unknown_runtime(tiny):
    with pytest.raises(UsageError, match="did you mean 'onnxruntime'"):
        open_session(tiny[2], "onnxruntim")


@pytest.mark.parametrize(
    ("runtime", "inner", "words"),
    [
        (
            "onnxruntime",
            "session",
            "[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer of size 99",
        ),
        ("openvino", "model", "Exception from src/inference: std::bad_alloc"),
        ("torch", "module", "DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"),
    ],
)
def test_failed_allocation_is_a_memory_error_and_any_other_fault_names_the_file(tiny, runtime, inner, words):
    class Failing:
        def __call__(self, *_, **__):
            raise RuntimeError(words)

        run = __call__

    session = open_session(tiny[2], runtime)
    setattr(session, inner, Failing())
    x = np.zeros((1, 4, 8, 8), np.float32)
    with pytest.raises(MemoryError, match="alloc"):
        session.run(x)
    words = "another fault"
    with pytest.raises(InputError, match=r"tiny model ü\.onnx: cannot run on .* \(another fault\)"):
        session.run(x)
