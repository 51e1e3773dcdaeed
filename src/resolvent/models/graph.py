"""What an ONNX file says of itself, read without a runtime: its protocol buffers, field by field, weights skipped.

Field numbers are those of onnx.proto3, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3.
"""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resolvent.errors import InputError, counted, printable
from resolvent.models.protobuf import as_message, as_number, as_text, delimited, fields, packed, spans

if TYPE_CHECKING:
    from resolvent.models.card import ModelCard

__all__ = ["Graph", "Tensor", "Value", "check_graph", "metadata", "read_graph", "read_tensors", "with_metadata"]

FLOAT, FLOAT16 = 1, 10
"""Element types, as TensorProto.DataType numbers them."""

DOMAINS = ("", "ai.onnx", "com.microsoft")
"""Of the operators that onnxruntime brings; any other is a custom operator, which needs its own library."""

MAX_BYTES = 2**31
"""Of a file; a protocol buffer can be no larger."""

MAX_NODES = 100_000

METADATA, GRAPH, FUNCTIONS = 14, 7, 25
"""Fields of a ModelProto."""


@dataclass(frozen=True)
class Value:
    """An input or output of a graph.

    Attributes:
        name: Its name.
        type: Of its elements, see FLOAT; 0 if it is no tensor.
        shape: Its declared sides, None for each that is not fixed; None if it declares no shape.
    """

    name: str
    type: int
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class Tensor:
    """Where a file holds the values of a tensor.

    Attributes:
        type: Of its elements, FLOAT or FLOAT16.
        shape: Its sides.
        start: Position of its first byte in the file.
        stop: Position after its last byte.
    """

    type: int
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Of how many elements."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """Of its elements, as the file holds them."""
        return np.dtype("<f2" if self.type == FLOAT16 else "<f4")


@dataclass
class Graph:
    """What a graph needs and holds.

    Attributes:
        inputs: What it is given, initializers left out.
        outputs: What it gives.
        operators: Domain and type of each kind of node, those of nested graphs too.
        functions: Domains whose operators the file defines itself.
        holders: Types of the nodes that hold a graph, which is control flow.
        external: Names of the tensors whose data lie in another file.
        parameters: Floating-point weights.
        nodes: How many there are.
    """

    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    operators: set[tuple[str, str]] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    holders: set[str] = field(default_factory=set)
    external: list[str] = field(default_factory=list)
    parameters: int = 0
    nodes: int = 0


def metadata(path: Path) -> dict[str, str]:
    """Read the metadata of an ONNX file.

    Raises:
        InputError: It is not an ONNX file.
    """
    with _readable(path):
        entries = [dict(fields(entry)) for entry in _parts(path, METADATA)]
        return {as_text(entry.get(1)): as_text(entry.get(2)) for entry in entries}


def with_metadata(model: bytes, key: str, text: str) -> bytes:
    """Give a serialized ONNX model a metadata entry, in place of the one of that key."""
    message = memoryview(model)
    others = [
        message[start:stop]
        for number, value, start, stop in spans(message)
        if not (number == METADATA and as_text(dict(fields(as_message(value))).get(1)) == key)
    ]
    entry = b"".join(delimited(number, value.encode()) for number, value in ((1, key), (2, text)))
    return b"".join([*others, delimited(METADATA, entry)])


def read_graph(path: Path) -> Graph:
    """Read what the graph of an ONNX file needs and holds.

    Raises:
        InputError: It is not an ONNX file, or more than MAX_BYTES or MAX_NODES.
    """
    graph = Graph()
    with _readable(path):
        parts = _parts(path, GRAPH)
        if not parts:
            raise InputError("holds no network")
        for message in parts:
            _read(message, graph)
        for message in _parts(path, FUNCTIONS):
            for number, value in fields(message):
                if number == 10:
                    graph.functions.add(as_text(value))
                elif number == 7:
                    _read_node(as_message(value), graph)
    return graph


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Find the floating-point weights of an ONNX file, by their name.

    Raises:
        InputError: It is not an ONNX file.
    """
    found: dict[str, Tensor] = {}
    with _readable(path):
        for graph in _parts(path, GRAPH):
            for message in (as_message(value) for number, value in fields(graph) if number == 5):
                name, tensor = _located(message)
                if tensor is not None:
                    found[name] = tensor
    return found


def check_graph(path: Path, card: ModelCard | None = None) -> Graph:
    """Refuse a graph that is no network from one image to another, or that no runtime should be given.

    Args:
        path: An ONNX file.
        card: What it says of itself: how many channels, and whether it holds the operator ``If``. Loops are always
            refused: they need not end.

    Returns:
        The graph; it has one input, and that and its first output are of floats.

    Raises:
        InputError: It breaks a rule.
    """
    graph = read_graph(path)
    if loops := graph.holders - ({"If"} if card is not None and card.conditional else set()):
        raise InputError(f"{path}: has control flow ({_named(loops)}), which is not run; export it without")
    if graph.external:
        raise InputError(
            f"{path}: keeps the data of {graph.external[0]!r} in another file; save it as one file, weights included"
        )
    custom = {f"{domain}::{kind}" for domain, kind in graph.operators if domain not in {*DOMAINS, *graph.functions}}
    if custom:
        raise InputError(f"{path}: needs custom operators ({_named(custom)}); export it with those of ONNX alone")
    if len(graph.inputs) != 1 or not graph.outputs:
        raise InputError(
            f"{path}: has {counted(len(graph.inputs), 'input')} and {counted(len(graph.outputs), 'output')}; "
            "export it with one of each"
        )
    for role, value in (("input", graph.inputs[0]), ("output", graph.outputs[0])):
        if value.type not in (FLOAT, FLOAT16):
            raise InputError(f"{path}: its {role} {value.name!r} is not of floats; export it in float32 or float16")
        if value.shape is not None and len(value.shape) != 4:
            raise InputError(f"{path}: its {role} has {len(value.shape)} axes; export it as (N, C, H, W)")
        if value.shape is None or value.shape[1] is None or card is None:
            continue
        channels = card.planes if role == "input" else 1 if card.gray else card.outputs
        if value.shape[1] != channels:
            raise InputError(
                f"{path}: its {role} has {counted(value.shape[1], 'channel')}, and its card says {channels}; export it "
                "again"
            )
    return graph


def _named(names: set[str]) -> str:
    """The first few, in order."""
    return printable(", ".join(sorted(names)[:3]))


def _read(message: memoryview, graph: Graph, depth: int = 0) -> None:
    """Add a GraphProto; the inputs and outputs of nested ones are their own."""
    initialized, inputs = set(), []
    for number, value in fields(message):
        match number:
            case 1:
                _read_node(as_message(value), graph, depth)
            case 5:
                initialized.add(_read_tensor(as_message(value), graph))
            case 11 if not depth:
                inputs.append(_value(as_message(value)))
            case 12 if not depth:
                graph.outputs.append(_value(as_message(value)))
            case 15:
                _read_sparse(as_message(value), graph)
    graph.inputs += [entry for entry in inputs if entry.name not in initialized]


def _read_node(message: memoryview, graph: Graph, depth: int = 0) -> None:
    graph.nodes += 1
    if graph.nodes > MAX_NODES or depth > 8:
        raise InputError(f"holds more than {MAX_NODES} nodes, or graphs nested too deeply")
    kind = domain = ""
    attributes = []
    for number, value in fields(message):
        match number:
            case 4:
                kind = as_text(value)
            case 7:
                domain = as_text(value)
            case 5:
                attributes.append(as_message(value))
    graph.operators.add((domain, kind))
    for attribute in attributes:
        for number, value in fields(attribute):
            match number:
                case 5 | 10:
                    _read_tensor(as_message(value), graph)
                case 22 | 23:
                    _read_sparse(as_message(value), graph)
                case 6 | 11:
                    graph.holders.add(kind)
                    _read(as_message(value), graph, depth + 1)


def _read_sparse(message: memoryview, graph: Graph) -> None:
    for number, value in fields(message):
        if number in (1, 2):
            _read_tensor(as_message(value), graph)


def _read_tensor(message: memoryview, graph: Graph) -> str:
    """Add a TensorProto; returns its name."""
    name, kind, sides, _, external = _tensor(message)
    if external:
        graph.external.append(name)
    if kind in (FLOAT, FLOAT16):
        graph.parameters += math.prod(sides)
    return name


def _located(message: memoryview) -> tuple[str, Tensor | None]:
    """Name of a TensorProto, and where its bytes are; None if it is not of floats, or keeps them elsewhere."""
    name, kind, sides, data, _ = _tensor(message)
    if data is None or kind not in (FLOAT, FLOAT16):
        return name, None
    start = _address(data) - _address(memoryview(data.obj))
    return name, Tensor(kind, tuple(sides), start, start + len(data))


def _tensor(message: memoryview) -> tuple[str, int, list[int], memoryview | None, bool]:
    """Of a TensorProto its name, its type, its sides, its bytes, and whether they are in another file."""
    name, kind, data, external = "", 0, None, False
    sides: list[int] = []
    for number, value in fields(message):
        match number:
            case 1:
                sides += [value] if isinstance(value, int) else packed(value)
            case 2:
                kind = as_number(value)
            case 8:
                name = as_text(value)
            case 9:
                data = as_message(value)
            case 13:
                external = True
            case 14:
                external |= as_number(value) != 0
    return name, kind, sides, data, external


def _address(part: memoryview) -> int:
    return np.frombuffer(part, np.uint8).ctypes.data


def _value(message: memoryview) -> Value:
    """A ValueInfoProto."""
    name, kind = "", 0
    shape: list[int | None] | None = None
    for number, value in fields(message):
        if number == 1:
            name = as_text(value)
        elif number == 2:
            for tensor in (as_message(content) for key, content in fields(as_message(value)) if key == 1):
                for key, content in fields(tensor):
                    if key == 1:
                        kind = as_number(content)
                    elif key == 2:
                        sides = [dict(fields(as_message(side))) for at, side in fields(as_message(content)) if at == 1]
                        shape = [as_number(side[1]) if side.get(1) else None for side in sides]
    return Value(name, kind, None if shape is None else tuple(shape))


def _parts(path: Path, wanted: int) -> list[memoryview]:
    """The messages of one field of a ModelProto, mapped rather than read."""
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            raise InputError("is empty")
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    if len(mapped) > MAX_BYTES:
        raise InputError(f"holds {len(mapped) / 1e9:.1f} GB, and the most is {MAX_BYTES / 1e9:.1f} GB")
    return [as_message(value) for number, value in fields(mapped) if number == wanted]


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Report a file that cannot be read as not a model."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; give an ONNX file") from error
    except InputError as error:
        raise InputError(f"{path}: {error}; give an ONNX file of one network") from error
    except (ValueError, IndexError) as error:  # how the parser stumbled says nothing to a person
        raise InputError(
            f"{path}: not an ONNX model, or a damaged one; give an .onnx file as it was published"
        ) from error
