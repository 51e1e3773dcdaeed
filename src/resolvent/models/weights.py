"""Convert weights of other projects to a model file, with the networks that spandrel knows."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resolvent.errors import InputError, MissingDependencyError, first_line
from resolvent.models.card import ModelCard
from resolvent.models.export import as_function, export

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["export_weights"]

PARITY = 1e-3
"""Largest difference of a value between torch and the exported network; a quarter of a gray level of 255."""


def export_weights(path: Path, target: Path) -> None:
    """Write the network of a file of weights as ONNX, its card not yet filled in.

    Nothing in the file is executed: a ``.safetensors`` file holds numbers alone, of any other torch reads the weights
    alone.

    Args:
        path: The weights, as their project publishes them.
        target: The ONNX file.

    Raises:
        MissingDependencyError: torch or spandrel is not installed.
        InputError: The file cannot be read, or spandrel does not know the network, or it cannot be
            exported to ONNX as it is.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the weights as their project publishes them")
    try:
        import onnxruntime
        import torch
        from safetensors.torch import load_file
        from spandrel import ImageModelDescriptor, ModelLoader, canonicalize_state_dict
    except ModuleNotFoundError as error:
        raise MissingDependencyError(str(error.name), "foreign", f"making a model of {path.name}") from error

    try:
        safe = path.suffix.lower() == ".safetensors"
        state = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle's, zipfile's, safetensors' and torch's own
        raise InputError(
            f"{path}: its weights cannot be read safely ({first_line(error)}); give an undamaged .safetensors file"
        ) from error
    try:
        with warnings.catch_warnings(action="ignore"):  # about how networks are written
            found = ModelLoader("cpu").load_from_state_dict(canonicalize_state_dict(state))
    except Exception as error:  # of each architecture, where the weights are not quite its own
        raise InputError(
            f"{path}: spandrel knows no network for these weights ({first_line(error)}); give the model as ONNX"
        ) from error
    if not isinstance(found, ImageModelDescriptor) or found.input_channels not in (1, 3, 4):
        raise InputError(
            f"{path}: a {found.architecture.name} network, which is not from one image to another; give another model"
        )

    class Image(torch.nn.Module):
        """The network, of whose results only the image counts."""

        def __init__(self) -> None:
            super().__init__()
            self.network = found.model

        def forward(self, x: Tensor) -> Any:
            y = self.network(x)
            return y[0] if isinstance(y, tuple | list) else y

    channels, multiple = found.input_channels, math.lcm(8, found.size_requirements.multiple_of)
    card = ModelCard(path.stem, "", "", "", {}, "", noise_level=channels == 4, gray=channels == 1, multiple=multiple)
    name = found.architecture.name
    network = Image().eval()
    try:
        with warnings.catch_warnings(action="ignore"):
            export(network, card, target, halves=False)
    except (InputError, MissingDependencyError):
        raise
    except Exception as error:  # whatever a network of another project's does that the exporter does not know
        raise InputError(
            f"{path}: its network, {name}, cannot be exported to ONNX ({first_line(error)}); give another model"
        ) from error
    x = np.random.default_rng(0).random((1, channels, 9 * multiple, 11 * multiple), np.float32)
    exported = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"]).run(None, {"input": x})[0]
    change = float(np.abs(exported - as_function(network)(x)).max())
    if not change <= PARITY:
        raise InputError(
            f"{path}: its network, {name}, gives other values as ONNX (by {change:.2g} of the range); give another"
        )
