"""What decides the bytes of an output besides its input: options, models, and the versions of what computes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import resolvent
from resolvent import diagnosis
from resolvent.degradations import Degradation
from resolvent.engine.request import MethodRequest, RepairRequest, Request
from resolvent.models.registry import bundled, find, named

if TYPE_CHECKING:
    from resolvent.batch.worker import Files

__all__ = ["describe_settings", "key_of"]

COMPUTING = ("numpy", "pillow", "pyvips", "pyvips-binary")
"""Packages whose versions may change a byte of any output."""

RUNTIMES = {"auto": "onnxruntime", "onnxruntime": "onnxruntime", "openvino": "openvino", "torch": "torch"}

METHODS = ("pywavelets", "scikit-image", "scipy", "torch")

NOT_OF_THE_BYTES = ("preview", "write_mask")
"""Options of a request that name a file to be written besides the output."""


def describe_settings(request: Request, files: Files) -> dict[str, Any]:
    """Give as plain data all that decides the bytes of an output besides its input, on one machine."""
    packages = {*COMPUTING, *(METHODS if _by_method(request) else ()), RUNTIMES[getattr(request, "runtime", "auto")]}
    return {
        "request": _plain(request),
        "files": {"quality": files.quality, "strip": files.strip, "frame": files.frame},
        "read": {str(path): _digest(path) for path in request.files},
        "models": {name: _digest(path) for name, path in _models(request).items()},
        "versions": {"resolvent": resolvent.__version__, **{name: _version(name) for name in sorted(packages)}},
    }


def key_of(settings: Mapping[str, Any]) -> str:
    """Give the SHA-256 of the canonical JSON of settings; a file counts by its content, whatever its path.

    Examples:
        >>> key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1}) != key_of({"a": 2, "b": 2})
        True
    """
    text = json.dumps(_by_content(settings, _contents(settings)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _contents(settings: Mapping[str, Any]) -> dict[str, str]:
    """The digests of the files that settings name by a path."""
    models = {name: digest for name, digest in settings.get("models", {}).items() if named(name) is None}
    return {**settings.get("read", {}), **models}


def _by_content(value: Any, contents: Mapping[str, str]) -> Any:
    """Put digests in the place of paths."""
    match value:
        case str():
            return contents.get(value, value)
        case Mapping():
            return {contents.get(name, name): _by_content(part, contents) for name, part in value.items()}
        case list() | tuple():
            return [_by_content(part, contents) for part in value]
    return value


def _by_method(request: Request | None) -> bool:
    return isinstance(request, MethodRequest) or (isinstance(request, RepairRequest) and _by_method(request.then))


def _models(request: Request) -> dict[str, Path]:
    """The files that may run: those asked for, or all that diagnosis chooses among, and what it has learned."""
    asked = {str(model): find(model) for model, _ in request.models()}
    last = request.then if isinstance(request, RepairRequest) else request
    by_diagnosis = last is not None and not isinstance(last, MethodRequest) and getattr(last, "model", None) is None
    if not by_diagnosis:
        return asked
    learned = Path(diagnosis.__file__).parent.glob("*.npz")
    return {**bundled(), **{path.name: path for path in learned}, **asked}


def _plain(value: Any) -> Any:
    """Turn options into what JSON holds."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Path():
            return str(value)
        case np.generic():
            return value.item()
        case np.ndarray():
            return [str(value.dtype), list(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]
        case Degradation():
            return str(value)
        case Mapping():
            return {str(name): _plain(part) for name, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
    if is_dataclass(value):
        names = [field.name for field in fields(value) if field.name not in NOT_OF_THE_BYTES]
        return {"kind": type(value).__name__, **{name: _plain(getattr(value, name)) for name in names}}
    return repr(value)


@cache
def _digest_of(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(path: Path) -> str:
    known = path.stat()
    return _digest_of(path, known.st_size, known.st_mtime_ns)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
