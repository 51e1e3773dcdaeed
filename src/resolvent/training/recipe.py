"""A recipe: how a model is trained, as data."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin, get_type_hints

from resolvent.errors import UsageError, unknown
from resolvent.training.objectives import OBJECTIVES
from resolvent.training.recipe_rules import check_recipe

__all__ = ["FINE_TUNING", "RATES", "Recipe", "recipe_keys", "under_present_names"]

RATES = ("learning_rate", "kernel_rate")

FINE_TUNING = 0.25
"""Share of the learning rates at which training begins from a model's weights, unless one of them is given."""

KINDS: dict[Any, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    int | None: "a whole number",
    tuple[str, ...]: 'a list of texts, such as ["noise:sigma=15"]',
    tuple[float, float]: "two numbers, such as [0.9, 0.99]",
    dict[str, Any]: "a table, such as {widths = [32, 64, 128], noise_level = true}, which replaces that of the recipe",
}
"""What a value of each type of a key is, in the words of TOML."""

UNUSED: dict[str, Any] = {
    "prepare": "", "gray": 0.0, "clean": 0.0, "others": (), "others_share": 0.0, "overstated": 0.0, "margin": 0,
}  # fmt: skip
"""Values of the keys that shape clean patches, where there are none."""

FORMER = {"loss": "objective"}
"""Keys that had another name, which files and cards of before may hold."""

SYNONYMS = {
    "lr": "learning_rate",
    "rate": "learning_rate",
    "batch_size": "batch",
    "patch_size": "patch",
    "epochs": "budget",
    "steps": "budget",
    "eps": "epsilon",
    "scheduler": "schedule",
    "init": "start",
    "pretrained": "start",
    "model": "network",
    "augment": "flips",
}
"""Keys of other libraries, for the hint to ours."""


@dataclass(frozen=True)
class Recipe:
    """How one model is trained; the defaults are those of our own models.

    Attributes:
        name: The model's name.
        task: What the model is for; ``restore`` and ``benchmark`` choose by it.
        summary: One-line description.
        degradation: Makes the network's input from a clean patch; its ranges and choices are sampled for each patch.
        validation: Degradations without ranges; the checkpoint of the best mean PSNR over them is selected.
        network: A key of NETWORKS (``resolvent networks``).
        arguments: Arguments of the network that differ from its defaults.
        start: Model, by name or file, from whose weights training starts where they fit (fine-tuning); empty for a
            random initialization.
        prepare: Degradation of a patch before it counts as ground truth, such as ``rescale:factor=0.4..1 @ 0.3``, so
            that photographs that are soft stay soft; it keeps the size. Empty for none.
        gray: Share of patches converted to gray, with the same noise in all channels.
        clean: Share of patches that are not degraded, so that a good photograph is left alone; 0 for a network with a
            noise level or mask as input, or where the degradation changes the size.
        others: Degradations of which ``others_share`` of the patches gets one instead of ``degradation``, sampled
            uniformly: the faults of a mixture one at a time, say. A network that takes a noise level is given the
            estimated root mean square of their residual. Not for a network that finds or fills damage.
        others_share: Share of patches that get one of ``others``.
        overstated: Share of patches for which the noise level given to the network is above the true one, so that
            overstating it costs detail but shifts no color; 0 for a network that takes none.
        patch: Side of a training patch in pixels.
        margin: Pixels around a patch that are degraded with it and then cut off, so that a blur finds what lies beyond
            the patch; a multiple of 8 keeps the blocks of a JPEG in place. 0 where the degradation changes the size.
        resize: Center-crop every photograph to a square and area-resize it to this many pixels a side; None keeps its
            size.
        flips: Flip and transpose patches at random.
        batch: Patches a step.
        together: Steps whose batches are cut and degraded at once: faster on a GPU, which many small operations keep
            waiting, and needs that many times the memory.
        partial_batch: End every epoch with a smaller batch, as Keras does, rather than run on into the next.
        limit: Use the first so many photographs, in the order of their names; None uses all.
        holdout: Share of the photographs, the last by name, held out for validation if no validation folder is given.
        objective: What is minimized, a key of OBJECTIVES (``resolvent objectives``). One that learns from noisy
            photographs takes them as they are: what degrades or chooses clean patches is then reset, and measured is
            how well another noisy image is predicted, unless a folder of clean validation photographs is given.
        objective_settings: Settings of the objective that differ from its defaults, such as ``{gamma = 1}``.
        optimizer: ``adamw``, or ``muon`` for the kernels between the first and the last with AdamW for the rest.
        learning_rate: Peak learning rate of AdamW; a quarter of it if ``start`` is given and neither rate.
        kernel_rate: Peak learning rate of Muon; a quarter in the same way.
        schedule: ``cosine`` to zero over the budget, ``constant``, or ``cooldown``, linear to zero; a constant run
            that is branched by ``--cooldown`` goes on for as long as it is resumed.
        warmup: Share of the budget over which the rate climbs from zero.
        betas: Decay rates of Adam's first and second moments.
        epsilon: Added to the denominator of Adam, for numerical stability.
        weight_decay: Decoupled weight decay, as in AdamW.
        clip: Largest gradient norm; 0 does not clip.
        ema: Decay of the averaged weights per step; 0 uses the weights themselves.
        budget: How long to train, such as ``30m``, ``2000 steps`` or ``500 epochs``.
        validations: How often the averaged weights are validated over the budget; less often where that would take
            more than a fifth of it.
        seed: Random seed of the weights, the patches and the degradations.
    """

    name: str
    task: str
    summary: str
    degradation: str
    validation: tuple[str, ...]
    network: str = "unet-small"
    arguments: dict[str, Any] = field(default_factory=dict)
    start: str = ""
    prepare: str = ""
    gray: float = 0.0
    clean: float = 0.0
    others: tuple[str, ...] = ()
    others_share: float = 0.0
    overstated: float = 0.0
    patch: int = 64
    margin: int = 0
    resize: int | None = None
    flips: bool = True
    batch: int = 8
    together: int = 1
    partial_batch: bool = False
    limit: int | None = None
    holdout: float = 0.1
    objective: str = "charbonnier"
    objective_settings: dict[str, Any] = field(default_factory=dict)
    optimizer: str = "adamw"
    learning_rate: float = 1.5e-3
    kernel_rate: float = 0.01
    schedule: str = "cosine"
    warmup: float = 0.02
    betas: tuple[float, float] = (0.9, 0.99)
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    clip: float = 1.0
    ema: float = 0.999
    budget: str = "1h"
    validations: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        check_recipe(self)

    @property
    def noise_level(self) -> bool:
        """Whether the network takes the noise level."""
        return bool(self.arguments.get("noise_level"))

    @property
    def finds(self) -> bool:
        """Whether the network finds damage: its target is the mask of what was damaged."""
        return self.arguments.get("outputs") == 1

    @property
    def fills(self) -> bool:
        """Whether the network fills missing pixels: it takes the mask of what was damaged."""
        return bool(self.arguments.get("mask"))

    @property
    def from_noisy(self) -> bool:
        """Whether its photographs are noisy, and are not degraded."""
        return OBJECTIVES[self.objective].photographs != "clean"

    @property
    def from_bursts(self) -> bool:
        """Whether each folder of its photographs holds noisy shots of one scene."""
        return OBJECTIVES[self.objective].photographs == "bursts"

    @property
    def kernel(self) -> bool:
        """Whether the network takes the kernel of the blur."""
        return bool(self.arguments.get("kernel"))

    @property
    def cut(self) -> int:
        """Side of what is cut out of a photograph, in pixels: a patch and its margins."""
        return self.patch + 2 * self.margin

    @property
    def scale(self) -> int:
        """Output pixels of the network for each input pixel and axis."""
        return int(self.arguments.get("scale", 1))

    def as_trained(self) -> Recipe:
        """This recipe without what is not used where photographs are noisy already."""
        return dataclasses.replace(self, **UNUSED) if self.from_noisy else self

    def to_json(self) -> dict[str, Any]:
        """Plain data that ``from_json`` reads back."""
        data: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any], origin: str = "recipe") -> Recipe:
        """Build a recipe from plain data, as TOML and JSON give it.

        Raises:
            UsageError: A key is unknown, missing or of the wrong type, or a value is out of range.
        """
        fields = {f.name: f for f in dataclasses.fields(cls)}
        for key in data:
            if FORMER.get(key, key) not in fields:
                raise unknown(f"key in {origin}:", key, fields, SYNONYMS.get(key))
        data = under_present_names(data, origin)
        missing = [n for n, f in fields.items() if f.default is f.default_factory and n not in data]
        if missing:
            raise UsageError(f"{origin}: {', '.join(missing)} missing; add KEY = VALUE for each of them")
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in data.items()}
        if data.get("start") and not data.keys() & set(RATES):
            values |= {rate: FINE_TUNING * getattr(cls, rate) for rate in RATES}
        kinds = get_type_hints(cls)
        for key, value in values.items():
            if not _fits(value, kind := kinds[key]):
                raise UsageError(f"{origin}: {key} = {value!r:.60}: must be {KINDS[kind]}")
        return cls(**values)


def under_present_names(data: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Rename the keys of a recipe that had another name.

    Raises:
        UsageError: A key is given under both names.
    """
    for former, name in FORMER.items():
        if former in data and name in data:
            raise UsageError(f"{origin}: {former} is the former name of {name}; give {name} alone")
    return {FORMER.get(key, key): value for key, value in data.items()}


def recipe_keys() -> dict[str, dict[str, Any]]:
    """The keys of a recipe by name: ``help``, ``type``, whether it is ``required``, and its ``default``."""
    attributes = inspect.cleandoc(str(Recipe.__doc__)).partition("Attributes:")[2]
    described = dict(re.findall(r"^    (\w+): (.*(?:\n     .*)*)", attributes, re.MULTILINE))
    keys = {}
    for f in dataclasses.fields(Recipe):
        default = f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
        required = default is dataclasses.MISSING
        keys[f.name] = {
            "help": " ".join(described[f.name].replace("``", "").split()),
            "type": str(f.type),
            "required": required,
            "default": None if required else default,
        }
    return keys


def _fits(value: object, kind: Any) -> bool:
    """Whether a value is of an annotated type; an int is a float too, and a bool is no number.

    Examples:
        >>> _fits(2, float), _fits(2.5, int), _fits(None, int | None), _fits((1, 2.0), tuple[float, float])
        (True, False, True, True)
    """
    inner = get_args(kind)
    if get_origin(kind) is tuple:
        kinds = inner[:1] * len(value) if isinstance(value, tuple) and inner[-1] is ... else inner
        return isinstance(value, tuple) and len(kinds) == len(value) and all(map(_fits, value, kinds))
    if get_origin(kind) is dict:
        return isinstance(value, dict)
    if inner:
        return any(_fits(value, one) for one in inner)
    return isinstance(value, (int, float) if kind is float else kind) and (kind is bool or not isinstance(value, bool))
