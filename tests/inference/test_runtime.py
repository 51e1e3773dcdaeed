"""Runtimes: how many threads they take, and what becomes of their errors."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from resolvent.errors import InputError, MissingDependencyError
from resolvent.inference.runtime import open_session
from resolvent.system import usable_cpus


def pixels(session, side=16):
    return np.random.default_rng(0).random((1, session.card.inputs, side, side), np.float32)


@pytest.mark.parametrize(("threads", "expected"), [(1, 1), (3, 3), (None, usable_cpus())])
def test_onnxruntime_takes_the_threads_that_it_is_told(tiny, threads, expected):
    options = open_session(tiny[2], threads=threads).session.get_session_options()
    assert options.intra_op_num_threads == expected
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"  # a small picture pays for it


@pytest.mark.parametrize("threads", [3, None])
def test_torch_takes_the_threads_that_it_is_told_while_it_runs(tiny, threads):
    session = open_session(tiny[2], "torch", threads)
    before, seen = torch.get_num_threads(), []
    session.module.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    session.run(pixels(session))
    assert seen == [threads or before]
    assert torch.get_num_threads() == before


def test_the_runtimes_agree(tiny):
    sessions = [open_session(tiny[2], runtime, threads=1) for runtime in ("auto", "torch", "openvino")]
    first, *others = (session.run(pixels(session)) for session in sessions)
    for other in others:
        np.testing.assert_allclose(other, first, atol=1e-4)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino", "torch"])
def test_threads_that_share_a_session_get_what_each_would_alone(tiny, runtime):
    session = open_session(tiny[2], runtime, threads=1)
    shares = np.linspace(0.2, 1, 24, dtype=np.float32)
    pictures = [share * pixels(session, 48) for share in shares]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(session.run, pictures))
    for given, restored in zip(pictures, together, strict=True):
        np.testing.assert_allclose(restored, session.run(given), atol=1e-6)


@pytest.mark.parametrize(
    ("message", "kind", "expected"),
    [
        ("Failed to allocate memory for\nrequested buffer", MemoryError, "^Failed to allocate memory for$"),
        ("\nstd::bad_alloc", MemoryError, "^std::bad_alloc$"),
        ("CUDA Out of Memory. " + "x" * 1000, MemoryError, r"^CUDA Out of Memory\. x{180}$"),
        ("Shapes differ", InputError, "Shapes differ"),
    ],
)
def test_a_failed_allocation_is_a_memory_error_of_one_line(tiny, message, kind, expected):
    session = open_session(tiny[2], "torch", 1)

    def failing(_):
        raise RuntimeError(message)

    session.module = failing
    with pytest.raises(kind, match=expected):
        session.run(pixels(session))


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_file_that_a_runtime_cannot_load_is_named_in_one_line(tiny, tmp_path, runtime):
    path = tmp_path / "broken.onnx"
    path.write_bytes(tiny[2].read_bytes()[:2000])
    with pytest.raises(InputError, match=r"broken\.onnx: ") as error:
        open_session(path, runtime)
    assert len(str(error.value).splitlines()) == 1


def test_a_graph_that_openvino_cannot_compile_is_named_in_one_line(tiny, monkeypatch):
    import openvino

    def failing(*_):
        raise RuntimeError("Unsupported operator\nat line 3")

    monkeypatch.setattr(openvino, "Core", lambda: SimpleNamespace(compile_model=failing))
    with pytest.raises(InputError, match=r"OpenVINO cannot load it \(Unsupported operator\)$"):
        open_session(tiny[2], "openvino")


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_a_runtime_that_is_not_installed_is_named(tiny, monkeypatch, runtime):
    monkeypatch.setitem(sys.modules, runtime, None)
    with pytest.raises(MissingDependencyError, match=f"{runtime}.* is not installed; run: pip install"):
        open_session(tiny[2], runtime)


def test_onnxruntime_reports_nothing_to_anybody(tmp_path):
    """Where it may, it keeps an id of the machine and events to send in the home and among temporary files."""
    program = "from resolvent.inference.runtime import open_session; open_session('denoise')"
    environment = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert not list(tmp_path.iterdir())
