"""A torch module and its card to one ONNX file, and back."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resolvent import networks
from resolvent.errors import InputError, MissingDependencyError, OutputError, UsageError, first_line
from resolvent.io import write_atomic
from resolvent.models.card import METADATA_KEY, ModelCard
from resolvent.models.graph import check_graph
from resolvent.models.registry import find, read_card, split_realism

if TYPE_CHECKING:
    import onnx
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from resolvent.models.context import Network

__all__ = ["adopt", "as_function", "estimate_memory", "export", "load_module", "write"]

OPSET = 18


def export(network: nn.Module, card: ModelCard, path: Path, *, halves: bool = True) -> ModelCard:
    """Write a network and its card to one ``.onnx`` file.

    The batch, height and width are dynamic.

    Args:
        network: Built by NETWORKS from ``card.network`` and ``card.arguments``.
        card: Goes into the file's metadata.
        path: The file; replaced if it exists.
        halves: Whether weights are stored as float16, and widened when a runtime loads them.

    Returns:
        The card that was written, with the largest change that float16 made to a weight.

    Raises:
        MissingDependencyError: onnx or onnxscript is not installed.
        InputError: A weight is not finite.
        OutputError: The file cannot be written.
    """
    import torch

    try:
        import onnx
        import onnxscript  # noqa: F401 - torch's exporter needs it and says so only in a traceback
    except ModuleNotFoundError as error:
        raise MissingDependencyError(str(error.name), "lab", "exporting a model") from error

    example = torch.zeros(2, card.planes, 8 * card.multiple, 16 * card.multiple)
    model = to_onnx(network, {"input": example}, [card.multiple])
    if halves:
        card = replace(card, rounding=store_as_float16(model))
    write_out_zero_biases(model)
    tidy(model)
    onnx.checker.check_model(model)
    write(model, card, path)
    return card


def to_onnx(
    module: nn.Module, example: Mapping[str, torch.Tensor], multiples: Sequence[int], *, folded: bool = False
) -> onnx.ModelProto:
    """Translate a torch module to an ONNX model with a dynamic batch, height and width and one output.

    Args:
        module: Its forward takes the tensors of ``example`` in their order.
        example: A tensor (2, C, H, W) for each input, by its name in the graph.
        multiples: Of which the sides of each input are multiples; their ratios are fixed.
        folded: Whether constants are computed now, and weights may lose their names by that.

    Raises:
        OutputError: torch gives no program.
    """
    import torch

    height, width = (torch.export.Dim(name, max=1 << 16) for name in ("rows", "columns"))
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of a missing torchvision
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of torch about itself
            warnings.filterwarnings("ignore", "# The axis name", UserWarning)  # of inputs that share their sides
            program = torch.onnx.export(
                module.eval().cpu(),
                tuple(example.values()),
                input_names=list(example),
                output_names=["output"],
                dynamic_shapes=tuple(
                    {0: torch.export.Dim("batch"), 2: multiple * height, 3: multiple * width} for multiple in multiples
                ),
                opset_version=OPSET,
                dynamo=True,
                optimize=folded,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    if program is None:
        raise OutputError("torch exported nothing; report this")
    return program.model_proto


def write(model: onnx.ModelProto, card: ModelCard, path: Path) -> None:
    """Write an ONNX model with its card, whole or not at all; also to give a model a new card.

    Raises:
        OutputError: The file cannot be written.
    """
    from onnx import helper

    helper.set_model_props(model, {METADATA_KEY: card.dumps()})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
    write_atomic(path, lambda file: file.write(model.SerializeToString()), overwrite=True)


def store_as_float16(model: onnx.ModelProto) -> float:
    """Halve the file: float32 initializers become float16, with a Cast that runtimes fold when they load.

    A tensor with a value beyond float16 stays float32.

    Returns:
        The largest change of a value.

    Raises:
        InputError: A value is not finite.
    """
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    changes = [0.0]
    for initializer in model.graph.initializer:
        if initializer.data_type != TensorProto.FLOAT:
            continue
        name = initializer.name
        exact = numpy_helper.to_array(initializer)
        if not np.isfinite(exact).all():
            raise InputError(f"weights {name!r}: hold NaN or infinity; take a checkpoint from before that")
        if np.abs(exact).max(initial=0) > np.finfo(np.float16).max:
            continue
        values = exact.astype(np.float16)
        changes.append(float(np.abs(values - exact).max(initial=0)))
        initializer.CopyFrom(numpy_helper.from_array(values, name))
        wide = f"{name}/float32"
        casts.append(helper.make_node("Cast", [name], [wide], to=TensorProto.FLOAT, name=f"{name}/cast"))
        for node in model.graph.node:
            for i, used in enumerate(node.input):
                if used == name:
                    node.input[i] = wide
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return max(changes)


def write_out_zero_biases(model: onnx.ModelProto) -> None:
    """Give convolutions without bias zeros that are constant, where torch computes them from the input's type.

    Only then does onnxruntime join a convolution with what follows it: a network without biases takes 1.4 times as long
    otherwise.
    """
    from onnx import numpy_helper

    graph = model.graph
    widths = {initializer.name: initializer.dims for initializer in graph.initializer}
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    for node in graph.node:
        if node.op_type not in ("Conv", "ConvTranspose"):
            continue
        stored = [casts.get(name, name) for name in node.input]
        if len(stored) == 3 and stored[2] in widths:
            continue
        shape = widths[stored[1]]
        zeros = np.zeros(shape[0] if node.op_type == "Conv" else shape[1], np.float32)
        name = f"{stored[1]}/zero"
        graph.initializer.append(numpy_helper.from_array(zeros, name))
        del node.input[2:]
        node.input.append(name)
    nodes = list(graph.node)
    while True:
        used = {name for node in nodes for name in node.input} | {output.name for output in graph.output}
        alive = [node for node in nodes if used.intersection(node.output)]
        if len(alive) == len(nodes):
            break
        nodes = alive
    del graph.node[:]
    graph.node.extend(nodes)


def tidy(model: onnx.ModelProto) -> None:
    """Drop what torch notes of the machine that exported: source lines, stack traces, shapes of the example."""
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""
    del model.graph.value_info[:]
    del model.graph.metadata_props[:]
    model.graph.doc_string = model.doc_string = ""
    model.producer_name = "resolvent"


def load_module(model: str | Path) -> tuple[nn.Module, ModelCard]:
    """Rebuild the torch module of a model file, with the file's own weights, for inference or fine-tuning.

    Raises:
        UsageError: No model has that name.
        InputError: The file is not a model of Resolvent, or its weights are not those of its network.
    """
    import torch

    try:
        import onnx
    except ModuleNotFoundError as error:
        raise MissingDependencyError("onnx", "lab", "loading a model into torch") from error
    if split_realism(model)[1]:
        raise UsageError(f"model {str(model)!r}: a blend has no weights to go on from; give one of its two models")
    path = find(model)
    card = read_card(path)
    if card.foreign:
        raise InputError(f"{path}: is a network of another project's, and torch cannot build it; use onnxruntime")
    check_graph(path, card)
    try:
        weights = {
            i.name: torch.from_numpy(onnx.numpy_helper.to_array(i).astype(np.float32))
            for i in onnx.load(path).graph.initializer
        }
        with torch.device("meta"):  # a card may claim a network that no memory holds
            module = networks.construct(card.network, card.arguments)
        missing = [name for name in module.state_dict() if name not in weights]
        if not missing:
            module.load_state_dict({name: weights[name] for name in module.state_dict()}, assign=True)
    except MissingDependencyError:
        raise
    except Exception as error:  # onnx, torch and a network's own arguments each fail in their way
        raise InputError(
            f"{path}: its weights do not fit {card.network!r} ({first_line(error)}); export it again"
        ) from error
    if missing:
        raise InputError(f"{path}: has no weights for {missing[0]} of {card.network!r}; export it again")
    return module.eval(), card


def adopt(network: nn.Module, model: str | Path) -> None:
    """Take over a model's weights, to fine-tune: each tensor of the same name that has the same shape.

    A first layer that sees fewer or more channels, as without a noise level, takes those that both have. A network that
    holds a ``denoiser`` takes them over for that.

    Args:
        network: Changed in place; what the model has nothing for stays as it is.
        model: Name of a model, or path of a model file.

    Raises:
        UsageError: No weight fits.
        InputError: The file is not a model.
    """
    import torch

    donor, card = load_module(model)
    given, fits = donor.state_dict(), 0
    with torch.no_grad():
        for name, own in network.state_dict().items():
            other = given.get(name.removeprefix("denoiser."))
            if other is None or other.ndim != own.ndim:
                continue
            if other.shape == own.shape:
                own.copy_(other)
                fits += 1
            elif own.ndim == 4 and other.shape[::2] == own.shape[::2]:
                shared = min(other.shape[1], own.shape[1])
                own[:, :shared] = other[:, :shared]
    if not fits:
        raise UsageError(f"start {str(model)!r}: no weight of its network {card.network!r} fits; leave it out")


def as_function(network: nn.Module) -> Network:
    """Give a torch module on the CPU as a function of arrays."""
    import torch

    def run(x: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(network(torch.from_numpy(x)), np.float32)

    return run


def estimate_memory(network: nn.Module, card: ModelCard, *, side: int = 64, spare: float = 5 / 3) -> int:
    """Estimate what a runtime takes for each input pixel of a tile: the four largest tensors at once, and some more.

    Returns:
        Bytes, in float32.
    """
    import torch

    largest: list[int] = []

    def note(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        largest.extend((inputs[0].numel(), output.numel()))

    leaves = [module for module in network.modules() if not list(module.children())]
    hooks = [module.register_forward_hook(note) for module in leaves]
    try:
        with torch.inference_mode():
            network(torch.zeros(1, card.inputs, side, side))
    finally:
        for hook in hooks:
            hook.remove()
    return round(spare * 4 * sum(sorted(largest)[-4:]) / side**2)
