"""Model cards: task, training data, results and license."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from resolvent.errors import InputError, unknown

__all__ = ["CONDITION", "METADATA_KEY", "UNSTATED", "ModelCard"]

UNSTATED = "unstated"
"""What a card says of photographs or a license that nobody has stated."""

METADATA_KEY = "resolvent.card"
"""The key of an ONNX file's metadata that holds the card, as JSON."""

CONDITION = "uncertainty"
"""The name of the graph's input that asks for a map of errors, where it has one; see ``models.branch``."""

MAX_LENGTH = 1_000_000
"""Largest length of a card in characters."""

MAX_DEPTH = 20
"""Of nested objects and lists."""

RANGES: dict[str, tuple[int, int]] = {
    "channels": (3, 3),
    "outputs": (1, 3),
    "scale": (1, 16),
    "multiple": (1, 256),
    "halo": (0, 512),
    "memory": (1, 2**24),
    "parameters": (0, 10**12),
    "seconds": (0, 10**9),
    "steps": (0, 10**12),
    "data_range": (1, 255),
    "rounding": (0, 10**6),
}
"""The least and the largest value of each number in a card."""

RECALIBRATE = "calibrate it again (resolvent calibrate)"

SCHEDULE = ("levels", "weights")
"""The lists of a schedule."""

MAX_STEPS = 64
"""Of an unrolled network."""

CERTIFIED: dict[str, float] = {"alpha": 1, "delta": 1, "images": 10**9}
MEASURED: dict[str, float] = {"images": 10**9, "inside": 1, "worst": 1, "width": 10**6}
"""The largest value of each number that is said of a calibration, and of what was measured with it; the least is 0."""


@dataclass(frozen=True)
class ModelCard:
    """The description of a model in its file.

    Attributes:
        name: The model's name.
        task: What it is for, such as ``denoise``.
        summary: One line, for lists of models.
        network: The key of NETWORKS that rebuilds the torch module; empty for a network of another project's.
        arguments: The full arguments of that network.
        degradation: Text form of what it was trained to undo.
        channels: Of the image that it takes; gray images are given to all of them.
        noise_level: It takes one more channel, sigma/255.
        sigma_range: Noise levels that it was trained for, in 8-bit gray levels; None for a blind model.
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
        data_range: Black is 0 and white is this in the tensors that it takes and gives.
        gray: The network takes and gives one channel; each color goes through it on its own.
        conditional: Its graph may hold the operator ``If``, which is refused otherwise.
        rounding: The largest change of a weight when it was stored as float16.
        schedule: Of a denoiser that was trained as a part of an unrolled network: ``levels`` and ``weights`` of its
            steps, numbers above 0, by which ``pnp`` runs it. Otherwise empty.
        invents: It was trained to look real, and invents detail that the photograph does not hold.
        uncertainty: How its map of errors is calibrated, see ``evaluation.uncertainty.certify``; empty without a map.

    Raises:
        InputError: A value has the wrong type or is out of range, or a text holds control characters.
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
    data_range: int = 1
    gray: bool = False
    conditional: bool = False
    rounding: float = 0.0
    schedule: dict[str, Any] = field(default_factory=dict)
    invents: bool = False
    uncertainty: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for attribute in dataclasses.fields(self):
            _check(attribute.name, str(attribute.type), getattr(self, attribute.name))
        _check_schedule(self.schedule)
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in self.arguments.items()}
        object.__setattr__(self, "arguments", plain)  # as JSON gives them back

    @property
    def factors(self) -> tuple[float, float] | None:
        """By which the widths of its map are multiplied: as it was trained, and where the noise is another; or None.

        Raises:
            InputError: One is no positive number.
        """
        if not self.uncertainty:
            return None
        factors = []
        for key in ("factor", "wide"):
            factor = self.uncertainty.get(key)
            if not _is_number(factor) or not 0 < float(factor or 0) < 1000:
                raise InputError(f"{self.name}: {key} {factor!r} of its uncertainty: must be a number from 0 to 1000")
            factors.append(float(factor or 0))
        return factors[0], factors[1]

    @property
    def certificate(self) -> dict[str, Any]:
        """How its map is calibrated: ``uncertainty``, with all that is said of it; empty without a map.

        Raises:
            InputError: Something is missing, or of the wrong type.
        """
        if self.factors is None:
            return {}
        self._check_certified("uncertainty", self.uncertainty, CERTIFIED)
        for key, kind in {"source": str, "coverage": dict}.items():
            if not isinstance(value := self.uncertainty.get(key), kind):
                rule = "a text" if kind is str else "an object"
                raise InputError(f"{self.name}: {key} {value!r:.40} of its uncertainty: must be {rule}; {RECALIBRATE}")
        for test, measured in self.uncertainty["coverage"].items():
            self._check_certified(f"coverage {test!r}", measured if isinstance(measured, dict) else {}, MEASURED)
        return self.uncertainty

    def _check_certified(self, place: str, numbers: Mapping[str, Any], largest: Mapping[str, float]) -> None:
        for key, most in largest.items():
            value: Any = numbers.get(key)
            if not _is_number(value) or not 0 <= value <= most:
                rule = f"a number from 0 to {most}"
                raise InputError(f"{self.name}: {key} {value!r:.40} of its {place}: must be {rule}; {RECALIBRATE}")

    @property
    def foreign(self) -> bool:
        """Whether the network is from another project, so that only its graph can run."""
        return not self.network

    @property
    def planes(self) -> int:
        """Channels of the tensor that its graph takes; a gray one takes each color alone."""
        return 1 if self.gray else self.inputs

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
            if len(text) > MAX_LENGTH:
                raise ValueError(f"{len(text)} characters, and the most is {MAX_LENGTH}")
            data = json.loads(text)
            if not isinstance(data, dict):
                raise TypeError(f"a {type(data).__name__}, not an object")
            if "licence" in data:  # the spelling of older cards
                data["license"] = data.pop("licence")
            known = {f.name for f in dataclasses.fields(cls)}
            for key in data:
                if key not in known:
                    raise unknown(f"key in the card of {origin}:", key, known)
            if data.get("sigma_range") is not None:
                data["sigma_range"] = tuple(data["sigma_range"])
            return cls(**data)
        except (ValueError, TypeError, RecursionError) as error:
            raise InputError(f"{origin}: its card cannot be read ({error}); export the model again") from error


def _check(key: str, kind: str, value: Any) -> None:
    """Refuse a value of a card that has not the type of its field, or is out of range.

    Raises:
        InputError: It is one.
    """
    if key == "sigma_range":
        numbers = isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value))
        fits = value is None or (numbers and 0 <= value[0] <= value[1] <= 255)
        rule = "two noise levels from 0 to 255, the lower one first"
    elif key in RANGES:
        low, high = RANGES[key]
        fits = _is_number(value) and low <= value <= high and (kind == "float" or isinstance(value, int))
        rule = f"{'a' if kind == 'float' else 'a whole'} number from {low} to {high}" if low < high else str(low)
    else:
        wanted, rule = {"str": (str, "a text"), "bool": (bool, "true or false")}.get(kind, (dict, "an object"))
        fits = isinstance(value, wanted)
    if not fits:
        raise InputError(f"{key} {repr(value)[:40]}: must be {rule}")
    if key == "name" and not value.strip():
        raise InputError("name: must not be empty")
    for text in _texts(key, value):
        if not text.isprintable() and key != "recipe":  # which is as its file has it, and never printed
            raise InputError(f"{key} {text[:40]!r}: must not hold control characters")


def _check_schedule(schedule: Mapping[str, Any]) -> None:
    """Refuse a schedule that is not two lists, equally long, of numbers from 0 to 100.

    Raises:
        InputError: It is one.
    """
    lists = [schedule.get(key) for key in SCHEDULE]
    fits = all(
        isinstance(numbers, list)
        and 0 < len(numbers) <= MAX_STEPS
        and all(_is_number(number) and 0 < number <= 100 for number in numbers)
        for numbers in lists
    )
    if schedule and (set(schedule) != set(SCHEDULE) or not fits or len(lists[0] or ()) != len(lists[1] or ())):
        raise InputError(
            f"schedule {str(schedule)[:40]!r}: must be {' and '.join(SCHEDULE)}, each as many numbers from 0 to 100"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _texts(key: str, value: Any, depth: int = 0) -> list[str]:
    """All texts in plain data, the keys of objects too.

    Raises:
        InputError: It is nested beyond what any card needs.
    """
    if depth > MAX_DEPTH:
        raise InputError(f"{key}: must not be nested deeper than {MAX_DEPTH}")
    match value:
        case str():
            return [value]
        case dict():
            return [text for item in value.items() for part in item for text in _texts(key, part, depth + 1)]
        case list() | tuple():
            return [text for item in value for text in _texts(key, item, depth + 1)]
        case _:
            return []
