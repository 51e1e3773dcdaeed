"""A map of errors in a model's own file: a branch of its graph that runs only when it is asked for.

onnxruntime computes every node of a graph, whichever outputs are wanted, but of an ``If`` only the branch taken. Its
condition is an input with a default, false, so that every other program runs the file as the model it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from resolvent.errors import InputError
from resolvent.models.card import CONDITION

if TYPE_CHECKING:
    import onnx

    from resolvent.models.card import ModelCard
    from resolvent.networks.uncertainty import UncertaintyHead

__all__ = ["with_branch"]

MAP = "error_scale"
"""Name of the output that is the map: b of ``networks.uncertainty``."""

PREFIX = "uncertainty/"
"""Of the names of all that belongs to the branch."""


def with_branch(model: onnx.ModelProto, head: UncertaintyHead, card: ModelCard, last: str = "tail.weight") -> ModelCard:
    """Add a head to a model's graph, changed in place; a head that it has already is replaced.

    Args:
        model: As ``export`` writes it.
        head: Trained on the features of this model.
        card: Of the model.
        last: Name of the weights whose convolution takes the features.

    Returns:
        The card for the new file.

    Raises:
        MissingDependencyError: onnxscript is not installed.
        InputError: The graph has no such convolution.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    without_branch(model)
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    takers = [node for node in graph.node if node.op_type == "Conv" and casts.get(node.input[1], node.input[1]) == last]
    if len(takers) != 1:
        raise InputError(f"{card.name}: its graph has {len(takers)} convolutions of {last!r}, one is needed")
    result = PREFIX + "restored"  # by a name of its own: OpenVINO takes no output of the graph twice into a branch
    branch = _exported(head, card)
    own = [initializer.name for initializer in branch.initializer]
    own += [name for node in branch.node for name in node.output]
    renamed = {"features": takers[0].input[0], "x": graph.input[0].name, "restored": result}
    renamed |= {name: PREFIX + name for name in own}
    for initializer in branch.initializer:
        initializer.name = renamed[initializer.name]
    for node in branch.node:
        node.name = PREFIX + node.name
        for names in (node.input, node.output):
            names[:] = [renamed.get(name, name) for name in names]
    taken = helper.make_graph(
        branch.node, PREFIX + "map", [], [_value(PREFIX + branch.output[0].name)], list(branch.initializer)
    )
    empty = numpy_helper.from_array(np.zeros((0, 3, 1, 1), np.float32), PREFIX + "nothing")
    left = helper.make_graph(
        [helper.make_node("Constant", [], [PREFIX + "empty"], value=empty)],
        PREFIX + "none",
        [],
        [_value(PREFIX + "empty")],
    )
    graph.node.append(helper.make_node("Identity", [graph.output[0].name], [result], name=PREFIX + "identity"))
    graph.node.append(
        helper.make_node("If", [CONDITION], [MAP], name=PREFIX + "if", then_branch=taken, else_branch=left)
    )
    graph.input.append(helper.make_tensor_value_info(CONDITION, TensorProto.BOOL, []))
    graph.initializer.append(numpy_helper.from_array(np.array(False), CONDITION))
    graph.output.append(_value(MAP))
    return replace(card, conditional=True)


def without_branch(model: onnx.ModelProto) -> None:
    """Take the head out of a model's graph, changed in place; a graph without one stays as it is."""
    graph = model.graph
    for parts in (graph.node, graph.input, graph.initializer, graph.output):
        rest = [part for part in parts if not part.name.startswith(PREFIX) and part.name not in (CONDITION, MAP)]
        del parts[:]
        parts.extend(rest)


def _value(name: str) -> onnx.ValueInfoProto:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, None, None])


def _exported(head: UncertaintyHead, card: ModelCard) -> onnx.GraphProto:
    """The graph of the head alone, its inputs called features, x and restored."""
    import torch

    from resolvent.models.export import tidy, to_onnx

    fold, scale = int(card.arguments.get("fold", 1)), card.scale
    sides = {"features": card.multiple // fold, "x": card.multiple, "restored": card.multiple * scale}
    channels = {"features": head.enter.in_channels, "x": card.inputs, "restored": 3}
    example = {name: torch.zeros(2, channels[name], 4 * side, 6 * side) for name, side in sides.items()}
    model = to_onnx(head, example, list(sides.values()), folded=True)
    tidy(model)
    return model.graph
