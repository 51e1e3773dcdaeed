"""Run one batch through a model: onnxruntime by default, OpenVINO or torch when asked for."""

from __future__ import annotations

import importlib
import re
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from resolvent.errors import InputError, MissingDependencyError, UsageError, first_line, unknown
from resolvent.models.card import CONDITION, ModelCard
from resolvent.models.graph import check_graph
from resolvent.models.realism import blended
from resolvent.models.registry import bundled, find, read_card, realistic, split_realism
from resolvent.system import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from numpy.typing import NDArray

__all__ = ["RUNTIMES", "Runtime", "Session", "open_session"]

MOST_MEMORY = 2**32
"""Bytes that onnxruntime allocates at most for all models together that did not come with Resolvent."""

Runtime = Literal["auto", "onnxruntime", "openvino", "torch"]


class Model(Protocol):
    """What takes a batch and gives one."""

    card: ModelCard

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Restore (N, C, H, W), H and W multiples of ``card.multiple``, to (N, outputs, scale·H, scale·W).

        Raises:
            MemoryError: The runtime could not allocate what it needs.
            InputError: The model cannot take it, or gives something else than its card says.
        """


class Session(Model, Protocol):
    """A model ready to run."""

    def run_with_errors(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same, followed by one channel more: the scale b of the error, the largest of the colors'.

        Raises:
            UsageError: The model or the runtime gives no map of errors.
            MemoryError: The runtime could not allocate what it needs.
            InputError: The model cannot take it, or gives something else than its card says.
        """


class _Session:
    """What the sessions of all runtimes do around their own ``_run``."""

    card: ModelCard

    def __init__(self, path: Path, card: ModelCard) -> None:
        self.path, self.card = path, card

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """See Session."""
        return self._checked(x, self._foreign(x) if self.card.foreign else self.raw(x), self.card.outputs)

    def run_with_errors(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """See Session."""
        return self._checked(x, self._guarded(self._run_with_errors, x), self.card.outputs + 1)

    def _checked(self, x: NDArray[np.float32], y: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
        s = self.card.scale
        expected = (len(x), channels, s * x.shape[2], s * x.shape[3])
        if y.shape != expected:
            raise InputError(f"{self.path}: gives {y.shape} for {x.shape}, and its card says {expected}")
        return y

    def _foreign(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give another project's network one image at a time, in its own range, and a gray one each color alone."""
        card, colors = self.card, len(x[0])
        if card.gray and (x == x[:, :1]).all():  # gray in all colors
            return np.repeat(self._one_by_one(x[:, :1]), colors, 1)
        if card.gray:
            y = self._one_by_one(x.reshape(-1, 1, *x.shape[2:]))
            return y.reshape(len(x), -1, *y.shape[2:])
        return self._one_by_one(x)

    def _one_by_one(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        white = np.float32(self.card.data_range)
        return np.concatenate([self.raw(white * image[None]) / white for image in x])

    def raw(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the graph as it is."""
        return self._guarded(self._run, x)

    def _guarded(
        self, run: Callable[[NDArray[np.float32]], NDArray[np.float32]], x: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Turn a runtime's errors, which share no class, into two of ours."""
        try:
            return run(x)
        except UsageError:
            raise
        except Exception as error:
            if re.search(r"allocat|bad_alloc|out of memory", str(error), re.IGNORECASE):
                raise MemoryError(first_line(error)) from error
            raise InputError(f"{self.path}: cannot run on {x.shape} ({first_line(error)})") from error

    def _run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        raise NotImplementedError

    def _run_with_errors(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        raise UsageError("uncertainty: needs the runtime onnxruntime; leave runtime (--runtime) out")


class OnnxSession(_Session):
    """onnxruntime on the CPU.

    Args:
        path: Of the model.
        card: Its card.
        threads: CPU threads; None uses all cores.
        trusted: Whether its graph may take as much memory as there is.
        profile: Start of the name of a file for onnxruntime's profile.
        content: Of the file, where its weights are changed.
    """

    def __init__(
        self,
        path: Path,
        card: ModelCard,
        threads: int | None,
        *,
        trusted: bool = True,
        profile: Path | None = None,
        content: bytes | None = None,
    ) -> None:
        super().__init__(path, card)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads or usable_cpus()
        options.enable_mem_pattern = False  # halves the memory of a tile, at the same speed
        # threads that spin while they wait cost more CPU than a small picture, and gain next to nothing on a large one
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if profile is not None:
            options.enable_profiling, options.profile_file_prefix = True, str(profile)
        if not trusted:
            _bound_memory()
            options.add_session_config_entry("session.use_env_allocators", "1")
        try:
            self.session = onnxruntime.InferenceSession(
                path if content is None else content, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:  # onnxruntime's exceptions have no public base class
            raise InputError(f"{path}: onnxruntime cannot load it ({first_line(error)})") from error
        (given,) = self.session.get_inputs()
        self.input = given.name
        self.type = np.float16 if given.type == "tensor(float16)" else np.float32

    def _run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        result: NDArray[Any] = self.session.run(None, {self.input: x.astype(self.type, copy=False)})[0]
        return result.astype(np.float32, copy=False)

    def _run_with_errors(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.card.invents or CONDITION not in {value.name for value in self.session.get_overridable_initializers()}:
            raise UsageError(f"model {self.card.name!r}: has no map of errors; train one with resolvent train head")
        asked = {self.input: x.astype(self.type, copy=False), CONDITION: np.array(True)}
        restored, b = self.session.run(None, asked)[:2]
        return np.concatenate([restored, b.max(axis=1, keepdims=True)], axis=1)


@cache
def _bound_memory() -> None:
    """Make the allocator that sessions share which ask for it: it gives MOST_MEMORY, and no more."""
    import onnxruntime

    where = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    default = -1
    onnxruntime.create_and_register_allocator(where, onnxruntime.OrtArenaCfg(MOST_MEMORY, default, default, default))


class OpenVinoSession(_Session):
    """OpenVINO on the CPU, in float32; see OnnxSession. Threads that share it take turns."""

    def __init__(self, path: Path, card: ModelCard, threads: int | None, *, trusted: bool = True) -> None:
        super().__init__(path, card)
        openvino = _optional("openvino", "openvino")
        self.lock = threading.Lock()  # a compiled model has one request, which refuses a second call
        core = openvino.Core()
        settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = str(threads)
        try:
            self.model = core.compile_model(str(path), "CPU", settings)
        except RuntimeError as error:
            raise InputError(f"{path}: OpenVINO cannot load it ({first_line(error)})") from error

    def _run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        with self.lock:
            result: NDArray[Any] = self.model(x, share_outputs=False)[0]
        return result.astype(np.float32, copy=False)


class TorchSession(_Session):
    """torch, on a GPU where there is one; see OnnxSession."""

    def __init__(self, path: Path, card: ModelCard, threads: int | None, *, trusted: bool = True) -> None:
        super().__init__(path, card)
        torch = _optional("torch", "lab")
        from resolvent.models.export import load_module

        self.threads = threads
        module, _ = load_module(path)
        self.torch, self.device = torch, "cuda" if torch.cuda.is_available() else "cpu"
        self.module = module.to(self.device)

    def _run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        before = self.torch.get_num_threads()
        self.torch.set_num_threads(self.threads or before)  # torch has no count for a session
        try:
            with self.torch.inference_mode():
                tensor = self.torch.from_numpy(x).to(self.device)
                result: NDArray[np.float32] = self.module(tensor).float().cpu().contiguous().numpy()
            return result
        finally:
            self.torch.set_num_threads(before)


RUNTIMES: dict[str, type[OnnxSession] | type[OpenVinoSession] | type[TorchSession]] = {
    "onnxruntime": OnnxSession,
    "openvino": OpenVinoSession,
    "torch": TorchSession,
}


def open_session(model: str | Path, runtime: str = "auto", threads: int | None = None) -> Session:
    """Load a model into a runtime.

    Args:
        model: Name of a model, or path of a model file.
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
    path = find(model)
    card = read_card(model)
    base, realism = split_realism(model)
    if realism:
        if name != "onnxruntime":
            raise UsageError(f"runtime {name}: realism needs onnxruntime; leave one of them out")
        return OnnxSession(path, card, threads, content=blended(path, realistic()[str(base)], realism))
    trusted = path in bundled().values()
    if not trusted:
        check_graph(path, card)
    return RUNTIMES[name](path, card, threads, trusted=trusted)


def _optional(package: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(package, extra, f"the runtime {package!r}") from error
