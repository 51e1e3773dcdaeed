"""The second set of weights of a model, which invents detail that looks real, and blends of the two.

``NAME.realism.npz`` beside ``NAME.onnx`` holds what changes each tensor of the graph, in 6 bits for each value with a
scale for each output channel, and the card of the model that was trained so. Weights between the two give results
between the two (X. Wang et al., ESRGAN, 2018, arXiv:1809.00219, "network interpolation").
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import InputError
from resolvent.io import write_atomic
from resolvent.models.card import METADATA_KEY, ModelCard
from resolvent.models.graph import Tensor, metadata, read_tensors

__all__ = ["blended", "realistic_card", "write_realism"]

CARD, BASE = "card", "base"
"""What the file holds besides the tensors: a card as JSON, and the SHA-256 of the model that it changes."""

LEVELS = 31
"""The largest change of a channel, in steps of its scale: more would make the file larger, and no result better."""

CHANGE, SCALE = "change/", "scale/"
"""Prefixes of a tensor's change, int8, and of its scale, float32."""


def write_realism(base: Path, realistic: Path, target: Path) -> None:
    """Write what turns a model into another one of the same graph.

    Args:
        base: The model's file.
        realistic: That of the model that was trained from it for realism; it may lack a map of errors.
        target: The ``.npz`` file; replaced if it exists.

    Raises:
        InputError: The realistic one has a tensor of weights that the other has not.
    """
    before, after = read_tensors(base), read_tensors(realistic)
    content = base.read_bytes(), realistic.read_bytes()
    arrays: dict[str, NDArray[Any]] = {}
    for name, tensor in after.items():
        change, known = _values(content[1], tensor), before.get(name)
        if known is not None and known.shape == tensor.shape:
            change = change - _values(content[0], known)
        elif change.any():
            raise InputError(f"{realistic}: has other weights than {base} ({name}); train it from that model (start)")
        if not change.any():
            continue
        axes = tuple(range(1, change.ndim))
        scale = np.abs(change).max(axis=axes, keepdims=True) / LEVELS
        arrays[CHANGE + name] = np.rint(change / np.where(scale, scale, 1)).astype(np.int8)
        arrays[SCALE + name] = scale.astype(np.float32)
    arrays[CARD] = np.frombuffer(metadata(realistic)[METADATA_KEY].encode(), np.uint8)
    arrays[BASE] = np.frombuffer(hashlib.sha256(content[0]).digest(), np.uint8)
    write_atomic(target, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays), overwrite=True)


def blended(base: Path, change: Path, realism: float) -> bytes:
    """Give the bytes of a model whose weights lie between two sets.

    Args:
        base: The model's file.
        change: What ``write_realism`` wrote.
        realism: 0 gives the model as it is, 1 the realistic one.

    Raises:
        InputError: A file cannot be read, or they do not belong together.
    """
    arrays, tensors = _read(change), read_tensors(base)
    content = bytearray(base.read_bytes())
    if BASE not in arrays or hashlib.sha256(content).digest() != arrays[BASE].tobytes():
        raise InputError(f"{change}: belongs to another {base.name}; reinstall resolvent")
    try:
        for name in (key.removeprefix(CHANGE) for key in arrays if key.startswith(CHANGE)):
            tensor = tensors[name]
            values = _values(content, tensor) + np.float32(realism) * arrays[SCALE + name] * arrays[CHANGE + name]
            content[tensor.start : tensor.stop] = values.reshape(tensor.shape).astype(tensor.dtype).tobytes()
    except (KeyError, ValueError) as error:
        raise InputError(f"{change}: is damaged; reinstall resolvent") from error
    return bytes(content)


def realistic_card(change: Path) -> ModelCard:
    """Read the card of the realistic model.

    Raises:
        InputError: The file cannot be read.
    """
    return ModelCard.loads(_read(change, CARD)[CARD].tobytes().decode(), change.name)


def _read(path: Path, *names: str) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names or arrays.files}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read; reinstall resolvent") from error


def _values(content: bytes | bytearray, tensor: Tensor) -> NDArray[np.float32]:
    stored = np.frombuffer(content, tensor.dtype, tensor.size, tensor.start)
    return stored.reshape(tensor.shape).astype(np.float32)
