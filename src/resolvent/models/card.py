"""The card of a model: what it was trained for, on what, with which result, under which license."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from resolvent.errors import InputError, unknown

__all__ = ["METADATA_KEY", "ModelCard"]

METADATA_KEY = "resolvent.card"
"""The key of an ONNX file's metadata that holds the card, as JSON."""


@dataclass(frozen=True)
class ModelCard:
    """What a model file says of itself.

    Attributes:
        name: The model's name.
        task: What it is for, such as ``denoise``.
        summary: One line for a person who chooses.
        network: The key of NETWORKS that rebuilds the torch module.
        arguments: The full arguments of that network.
        degradation: Text form of what it was trained to undo.
        channels: Of the image that it takes; gray images are given to all of them.
        noise_level: It takes one more channel, sigma/255.
        sigma_range: Noise levels that it was trained for, in 8-bit gray levels; None where it is not told any.
        mask: It takes one more channel, 1 where a pixel is missing, and fills those alone.
        outputs: 3, an image; or 1, the probability that a pixel is damaged.
        scale: Output pixels for each input pixel and axis.
        multiple: Input height and width are multiples of this.
        halo: Pixels of context within which everything lies that an output pixel visibly depends on: measured.
        memory: Bytes that a runtime takes for each input pixel of a tile, with room to spare: estimated.
        parameters: How many weights.
        recipe: The recipe as trained.
        data: What it was trained on: name, photographs, license.
        license: Of the weights, as an SPDX expression.
        commit: Of the code that trained it.
        hardware: That trained it.
        seconds: That training took.
        steps: Updates made.
        figures: What was measured: protocol and figures.
        created: ISO date.
    """

    name: str
    task: str
    summary: str
    network: str
    arguments: dict[str, Any]
    degradation: str
    channels: int = 3
    noise_level: bool = False
    sigma_range: tuple[float, float] | None = None
    mask: bool = False
    outputs: int = 3
    scale: int = 1
    multiple: int = 8
    halo: int = 64
    memory: int = 320
    parameters: int = 0
    recipe: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    license: str = "Apache-2.0"
    commit: str = ""
    hardware: str = ""
    seconds: float = 0.0
    steps: int = 0
    figures: dict[str, Any] = field(default_factory=dict)
    created: str = ""

    @property
    def inputs(self) -> int:
        """Channels of the tensor that it takes."""
        return self.channels + self.noise_level + self.mask

    def to_json(self) -> dict[str, Any]:
        """Plain data that ``from_json`` reads back."""
        return dataclasses.asdict(self)

    def dumps(self) -> str:
        """The card as one line of JSON."""
        return json.dumps(self.to_json(), ensure_ascii=False)

    @classmethod
    def loads(cls, text: str, origin: str) -> ModelCard:
        """Read what ``dumps`` wrote; ``origin`` names the file in errors.

        Raises:
            InputError: The text is not a card.
        """
        try:
            data = json.loads(text)
            if not isinstance(data, dict):
                raise TypeError(f"a {type(data).__name__}, not an object")
            if "licence" in data:  # so it was spelled before
                data["license"] = data.pop("licence")
            known = {f.name for f in dataclasses.fields(cls)}
            for key in data:
                if key not in known:
                    raise unknown(f"key in the card of {origin}:", key, known)
            if data.get("sigma_range") is not None:
                data["sigma_range"] = tuple(data["sigma_range"])
            return cls(**data)
        except (ValueError, TypeError) as error:
            raise InputError(f"{origin}: its card cannot be read ({error}); export the model again") from error
