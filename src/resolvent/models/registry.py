"""Where models are: the bundled files by name, any other by path."""

from __future__ import annotations

import os
from functools import cache
from importlib import resources
from pathlib import Path

from resolvent.errors import InputError, UsageError, unknown
from resolvent.models.card import METADATA_KEY, ModelCard

__all__ = ["bundled", "find", "list_models", "read_card"]

SUFFIX = ".onnx"


@cache
def bundled() -> dict[str, Path]:
    """The models that come with Resolvent: name to file."""
    folder = Path(str(resources.files("resolvent.models")))
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.stem)}


def list_models() -> dict[str, ModelCard]:
    """The cards of the models that come with Resolvent, by name."""
    return {name: read_card(path) for name, path in bundled().items()}


def find(model: str | Path) -> Path:
    """Give the file of a model: a bundled one by name, in any case, another by its path or by that of its run.

    Raises:
        UsageError: No bundled model has that name, and no folder with one model in it.
        InputError: There is no such file.
    """
    if model in bundled():
        return bundled()[str(model)]
    path = Path(model)
    if str(model) and os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a name is too long
        return _trained(path)
    if str(model).lower() in bundled():
        return bundled()[str(model).lower()]
    if isinstance(model, Path) or str(model).endswith(SUFFIX):
        if not os.path.isfile(path):  # noqa: PTH113 - likewise
            raise InputError(
                f"{path}: no such model file; give the name of a bundled model or the path of an {SUFFIX} file"
            )
        return path
    raise unknown("model", str(model), bundled())


def _trained(run: Path) -> Path:
    """The one model in the folder of a run."""
    try:
        models = sorted(path for path in run.glob(f"[!.]*{SUFFIX}") if path.is_file())
    except OSError as error:
        raise InputError(f"{run}: cannot be read ({error.strerror}); give the path of a model file") from error
    if len(models) == 1:
        return models[0]
    if models:
        raise UsageError(f"{run}: holds {len(models)} models; name one of them, such as {models[0]}")
    raise UsageError(f"{run}: a folder without a model; if it is a training run, resolvent export {run} writes one")


def read_card(model: str | Path) -> ModelCard:
    """Read the card of a model without loading its weights into a runtime.

    Raises:
        UsageError: No bundled model has that name.
        InputError: The file is not a model of Resolvent.
    """
    path = find(model)
    try:
        metadata = dict(_metadata(path.read_bytes()))
    except (OSError, ValueError, IndexError) as error:
        raise InputError(
            f"{path}: not a model file ({error}); give an {SUFFIX} file that resolvent exported"
        ) from error
    if METADATA_KEY not in metadata:
        raise InputError(
            f"{path}: an ONNX file without a Resolvent card; export it with resolvent train or resolvent export"
        )
    return ModelCard.loads(metadata[METADATA_KEY], path.name)


def _metadata(model: bytes) -> list[tuple[str, str]]:
    """The ``metadata_props`` of a serialised ONNX ModelProto (field 14; each entry: key 1, value 2).

    Skips over the weights, where the onnx package (of the lab) would parse all of them.
    """
    return [
        (fields.get(1, b"").decode(), fields.get(2, b"").decode())
        for number, entry in _fields(model)
        if number == 14
        for fields in [dict(_fields(entry))]
    ]


def _fields(message: bytes) -> list[tuple[int, bytes]]:
    """The length-delimited fields of a protocol-buffer message; the others are skipped."""
    found, position = [], 0
    while position < len(message):
        tag, position = _varint(message, position)
        match tag & 7:
            case 0:
                _, position = _varint(message, position)
            case 1:
                position += 8
            case 2:
                length, position = _varint(message, position)
                if position + length > len(message):
                    raise ValueError("truncated")
                found.append((tag >> 3, message[position : position + length]))
                position += length
            case 5:
                position += 4
            case kind:
                raise ValueError(f"wire type {kind}")
    return found


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
        if shift > 63:
            raise ValueError("not a protocol buffer")
