"""A torch module and its card to one ONNX file, and back."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resolvent import networks
from resolvent.errors import InputError, MissingDependencyError, OutputError, UsageError
from resolvent.models.card import METADATA_KEY, ModelCard
from resolvent.models.registry import find, read_card

if TYPE_CHECKING:
    import onnx
    from torch import nn

__all__ = ["adopt", "estimate_memory", "export", "load_module", "measure_halo", "write"]

OPSET = 18


def export(network: nn.Module, card: ModelCard, path: Path) -> None:
    """Write a network and its card to one ``.onnx`` file.

    The batch, height and width are dynamic; weights are stored as float16 and widened when a runtime loads them.

    Args:
        network: Built by NETWORKS from ``card.network`` and ``card.arguments``.
        card: Goes into the file's metadata.
        path: The file; replaced if it exists.

    Raises:
        MissingDependencyError: onnx or onnxscript is not installed.
        OutputError: The file cannot be written.
    """
    import torch

    try:
        import onnx
        import onnxscript  # noqa: F401 - torch's exporter needs it and says so only in a traceback
    except ModuleNotFoundError as error:
        raise MissingDependencyError(str(error.name), "lab", "exporting a model") from error

    network = network.eval().cpu()
    example = torch.zeros(2, card.inputs, 8 * card.multiple, 16 * card.multiple)
    height, width = (card.multiple * torch.export.Dim(name, max=1 << 16) for name in ("rows", "columns"))
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it complains of a missing torchvision
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of torch about itself
            program = torch.onnx.export(
                network,
                (example,),
                input_names=["input"],
                output_names=["output"],
                dynamic_shapes=({0: torch.export.Dim("batch"), 2: height, 3: width},),
                opset_version=OPSET,
                dynamo=True,
                optimize=False,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    if program is None:
        raise OutputError(f"{path}: torch exported nothing; report this")
    model = program.model_proto
    store_as_float16(model)
    write_out_zero_biases(model)
    tidy(model)
    onnx.checker.check_model(model)
    write(model, card, path)


def write(model: onnx.ModelProto, card: ModelCard, path: Path) -> None:
    """Write an ONNX model with its card, whole or not at all; also to give a model a new card.

    Raises:
        OutputError: The file cannot be written.
    """
    from onnx import helper

    helper.set_model_props(model, {METADATA_KEY: card.dumps()})
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(model.SerializeToString())
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        if partial.exists():
            partial.unlink()


def store_as_float16(model: onnx.ModelProto) -> None:
    """Halve the file: float32 initializers become float16, with a Cast that runtimes fold when they load."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for initializer in model.graph.initializer:
        if initializer.data_type != TensorProto.FLOAT:
            continue
        name = initializer.name
        values = numpy_helper.to_array(initializer).astype(np.float16)
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
    kept = list(graph.node)
    while True:
        used = {name for node in kept for name in node.input} | {output.name for output in graph.output}
        alive = [node for node in kept if used.intersection(node.output)]
        if len(alive) == len(kept):
            break
        kept = alive
    del graph.node[:]
    graph.node.extend(kept)


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
        UsageError: No bundled model has that name.
        InputError: The file is not a model of Resolvent, or its weights are not those of its network.
    """
    import torch

    try:
        import onnx
    except ModuleNotFoundError as error:
        raise MissingDependencyError("onnx", "lab", "loading a model into torch") from error
    path = find(model)
    card = read_card(path)
    weights = {
        i.name: torch.from_numpy(onnx.numpy_helper.to_array(i).astype(np.float32))
        for i in onnx.load(path).graph.initializer
    }
    with torch.random.fork_rng(devices=[]):  # its fresh weights are thrown away
        module = networks.construct(card.network, card.arguments)
    missing = [name for name in module.state_dict() if name not in weights]
    if missing:
        raise InputError(f"{path}: has no weights for {missing[0]} of {card.network!r}; export it again")
    try:
        module.load_state_dict({name: weights[name] for name in module.state_dict()})
    except RuntimeError as error:
        raise InputError(f"{path}: its weights do not fit the network {card.network!r}; export it again") from error
    return module.eval(), card


def adopt(network: nn.Module, model: str | Path) -> None:
    """Take over a model's weights, to fine-tune: each tensor of the same name that has the same shape.

    A first layer that sees fewer or more channels, as without a noise level, takes those that both have.

    Args:
        network: Changed in place; what the model has nothing for stays as it is.
        model: Name of a bundled model, or path of a model file.

    Raises:
        UsageError: No weight fits.
        InputError: The file is not a model.
    """
    import torch

    donor, card = load_module(model)
    given, fits = donor.state_dict(), 0
    with torch.no_grad():
        for name, own in network.state_dict().items():
            other = given.get(name)
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


def measure_halo(network: nn.Module, card: ModelCard, *, tolerance: float = 0.25 / 255, limit: int = 96) -> int:
    """Measure the context that a tile needs: the least halo at which its core matches the whole image's.

    Measured on random textures from fine to coarse, with hard edges, under the weakest and the strongest noise that the
    model is told, where a network that averages looks furthest.

    Args:
        network: With its trained weights, on the CPU.
        card: For the channels, the multiple and the noise levels.
        tolerance: Largest difference allowed anywhere, in [0, 1]; a quarter of what promise 3 of the design allows.
        limit: The answer where none is found up to here, in pixels.

    Returns:
        Pixels, a multiple of ``card.multiple``.
    """
    import torch

    side = 2 * limit + 16 * card.multiple
    s = card.scale
    core = slice(s * limit, s * (side - limit))
    generator = torch.Generator().manual_seed(0)
    inputs = []
    for grain in (4, 32):
        coarse = torch.rand(1, card.channels, side // grain + 1, side // grain + 1, generator=generator)
        texture = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
        texture[..., side // 2 :] = texture[..., side // 2 :].round()
        for sigma in card.sigma_range or (0.0,):
            x = texture + sigma / 255 * torch.randn(texture.shape, generator=generator)
            level = torch.full((1, int(card.noise_level), side, side), sigma / 255)
            holes = (texture[:, :1] > 0.6).float() if card.mask else level[:, :0]
            inputs.append(torch.cat([x, level, holes], dim=1))
    batch = torch.cat(inputs)
    with torch.inference_mode():
        whole = network(batch)[..., core, core]
        for halo in range(card.multiple, limit, card.multiple):
            cut = slice(limit - halo, side - limit + halo)
            part = network(batch[..., cut, cut])[..., s * halo : -s * halo, s * halo : -s * halo]
            if float((part - whole).abs().max()) <= tolerance:
                return halo
    return limit
