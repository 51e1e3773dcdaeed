"""Run one batch through a model: onnxruntime by default, OpenVINO or torch when asked for."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from resolvent.errors import InputError, MissingDependencyError, unknown
from resolvent.models.card import METADATA_KEY, ModelCard
from resolvent.models.registry import find, read_card
from resolvent.system import usable_cpus

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

__all__ = ["RUNTIMES", "Runtime", "Session", "open_session"]

Runtime = Literal["auto", "onnxruntime", "openvino", "torch"]


class Session(Protocol):
    """A model ready to run."""

    card: ModelCard

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Restore (N, C, H, W), H and W multiples of ``card.multiple``, to (N, outputs, scale·H, scale·W).

        Raises:
            MemoryError: The runtime could not allocate what it needs.
        """


class OnnxSession:
    """onnxruntime on the CPU."""

    def __init__(self, path: Path, threads: int | None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads or usable_cpus()
        options.enable_mem_pattern = False  # halves the memory of a tile, at the same speed
        options.add_session_config_entry("session.intra_op.allow_spinning", "0" if threads == 1 else "1")
        try:
            self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no public base class
            raise InputError(f"{path}: onnxruntime cannot load it ({_first_line(error)})") from error
        metadata = self.session.get_modelmeta().custom_metadata_map
        if METADATA_KEY not in metadata:
            raise InputError(f"{path}: an ONNX file without a Resolvent card; export it with resolvent export")
        self.card = ModelCard.loads(metadata[METADATA_KEY], path.name)

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        with _out_of_memory():
            result: NDArray[np.float32] = self.session.run(None, {"input": x})[0]
        return result


class OpenVinoSession:
    """OpenVINO on the CPU, in float32."""

    def __init__(self, path: Path, threads: int | None) -> None:
        openvino = _optional("openvino", "openvino")
        self.card = read_card(path)
        core = openvino.Core()
        settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = str(threads)
        try:
            self.model = core.compile_model(str(path), "CPU", settings)
        except RuntimeError as error:
            raise InputError(f"{path}: OpenVINO cannot load it ({_first_line(error)})") from error

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        with _out_of_memory():
            result: NDArray[np.float32] = self.model(x, share_outputs=False)[0]
        return result


class TorchSession:
    """torch, on a GPU where there is one."""

    def __init__(self, path: Path, threads: int | None) -> None:
        torch = _optional("torch", "lab")
        from resolvent.models.export import load_module

        self.threads = threads
        module, self.card = load_module(path)
        self.torch, self.device = torch, "cuda" if torch.cuda.is_available() else "cpu"
        self.module = module.to(self.device)

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        before = self.torch.get_num_threads()
        self.torch.set_num_threads(self.threads or before)  # torch has no count for a session
        try:
            return self._run(x)
        finally:
            self.torch.set_num_threads(before)

    def _run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        with _out_of_memory(), self.torch.inference_mode():
            tensor = self.torch.from_numpy(x).to(self.device)
            result: NDArray[np.float32] = self.module(tensor).float().cpu().contiguous().numpy()
        return result


RUNTIMES: dict[str, type[OnnxSession] | type[OpenVinoSession] | type[TorchSession]] = {
    "onnxruntime": OnnxSession,
    "openvino": OpenVinoSession,
    "torch": TorchSession,
}


def open_session(model: str | Path, runtime: str = "auto", threads: int | None = None) -> Session:
    """Load a model into a runtime.

    Args:
        model: Name of a bundled model, or path of a model file.
        runtime: ``onnxruntime`` (which ``auto`` means), ``openvino`` or ``torch``.
        threads: CPU threads; None uses all cores.

    Raises:
        UsageError: The name of the model or the runtime is not known.
        InputError: The file is not a model of Resolvent.
        MissingDependencyError: The runtime is not installed.
    """
    name = "onnxruntime" if runtime == "auto" else runtime
    if name not in RUNTIMES:
        raise unknown("runtime", name, ("auto", *RUNTIMES))
    return RUNTIMES[name](find(model), threads)


def _optional(package: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(package, extra, f"the runtime {package!r}") from error


@contextmanager
def _out_of_memory() -> Iterator[None]:
    """Turn a runtime's failed allocation, which each reports in its own words, into a MemoryError."""
    try:
        yield
    except Exception as error:
        if re.search(r"allocat|bad_alloc|out of memory", str(error), re.IGNORECASE):
            raise MemoryError(_first_line(error)) from error
        raise


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]
