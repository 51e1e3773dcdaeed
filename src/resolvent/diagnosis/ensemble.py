"""Ensembles of small networks on features: the mean of their outputs is the prediction. They need only NumPy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["REACH", "Ensemble"]

REACH = 5.0
"""Standard deviations from the training mean at which features are clipped."""


@dataclass(frozen=True)
class Ensemble:
    """Small networks of equal shape, applied to the same features.

    Attributes:
        outputs: What each predicted number is.
        mean: Of each feature, (F,).
        scale: Its standard deviation, (F,).
        layers: Weights (members, inputs, outputs) and biases (members, 1, outputs) of each layer; ReLU between them.
        about: How they were learned.
    """

    outputs: tuple[str, ...]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]
    about: dict[str, Any]

    def members(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the output of each member, (members, outputs), from (F,) features."""
        x = np.clip((features - self.mean) / self.scale, -REACH, REACH)[None, None]
        for i, (weight, bias) in enumerate(self.layers):
            x = (np.maximum(x, 0) if i else x) @ weight + bias
        said: NDArray[np.float32] = x[:, 0]
        return said

    def predict(self, features: NDArray[np.float32]) -> dict[str, float]:
        """Predict every output from (F,) features: the mean over the members."""
        return dict(zip(self.outputs, self.members(features).mean(0).tolist(), strict=True))

    def save(self, file: IO[bytes] | Path) -> None:
        """Write it as .npz, the weights in float16; not compressed: they hardly shrink, and reading takes longer."""
        arrays: dict[str, Any] = {}
        for i, (weight, bias) in enumerate(self.layers):
            arrays |= {f"w{i}": weight.astype(np.float16), f"b{i}": bias.astype(np.float16)}
        text = json.dumps({"outputs": self.outputs, "about": self.about})
        np.savez(file, text=np.array(text), mean=self.mean, scale=self.scale, **arrays)

    @classmethod
    def load(cls, file: IO[bytes] | Path) -> Self:
        """Read what ``save`` wrote."""
        with np.load(file, allow_pickle=False) as arrays:
            text = json.loads(str(arrays["text"]))
            count = sum(name.startswith("w") for name in arrays.files)
            layers = tuple(
                (arrays[f"w{i}"].astype(np.float32), arrays[f"b{i}"].astype(np.float32)) for i in range(count)
            )
            return cls(tuple(text["outputs"]), arrays["mean"], arrays["scale"], layers, text["about"])
