"""What is asked of a restoration.

::

    Request                  what all share: strength, memory, seed
    ├── TiledRequest         what models share: tile, runtime
    │   ├── ModelRequest     a model, the one that is named or the one that diagnosis chooses; enlarging
    │   └── RepairRequest    filling what is damaged, and what comes after that
    └── MethodRequest        a method, and the degradation that it inverts

The defaults of every front end stand here. ``options.make_request`` turns options, as ``resolvent.restore`` and the
command line take them, into one of these.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from resolvent import methods
from resolvent.errors import UsageError, unknown
from resolvent.image.sources import Source
from resolvent.inference.runtime import RUNTIMES
from resolvent.inference.tiles import SMALLEST_TILE
from resolvent.io import check_writable
from resolvent.methods.control import Control
from resolvent.models.registry import bundled, read_card, realistic, split_realism, with_realism
from resolvent.system import parse_memory

if TYPE_CHECKING:
    from resolvent.degradations import Degradation
    from resolvent.engine.error_maps import ErrorMap
    from resolvent.physics.forward_model import ForwardModel

__all__ = ["MethodRequest", "ModelRequest", "RepairRequest", "Request", "TiledRequest"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of any restoration.

    Attributes:
        strength: 0 keeps the image as it is, 1 restores it fully, between is the blend y + strength (x - y).
        memory: Bytes, or text such as ``"2G"``. For tiles; half of the free memory, up to 512 MiB, if not given. For a
            method, how much it may take; all free memory if not given.
        seed: Random seed.

    Raises:
        UsageError: A value breaks its rule, as for all requests.
    """

    strength: float = 1.0
    memory: int | str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise UsageError(f"strength {self.strength:g}: must be from 0 (the image as it is) to 1 (fully restored)")
        if self.memory is not None:
            parse_memory(self.memory)
        if not 0 <= self.seed < 1 << 31:
            raise UsageError(f"seed {self.seed}: must be from 0 to {(1 << 31) - 1}")

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it reads besides the photograph."""
        return ()

    @property
    def written(self) -> dict[str, Path]:
        """The files that it writes besides the result, by the name of their option."""
        return {}

    def check_written(self, *, overwrite: bool = False) -> None:
        """Refuse, before any work, files to be written besides the result that exist or that could not be written.

        Raises:
            UsageError: One exists, and is not to be replaced.
            OutputError: One could not be written.
        """
        for name, path in self.written.items():
            if os.path.lexists(path) and not overwrite:
                raise UsageError(f"{name} {path}: exists; give another name, or overwrite (--overwrite)")
            check_writable(path)

    @property
    def uncertain(self) -> bool:
        """Whether a map of errors is wanted."""
        return False

    def models(self) -> tuple[tuple[str | Path, str], ...]:
        """The models that are known to run whatever the image, each with its runtime."""
        return ()


@dataclass(frozen=True, kw_only=True)
class TiledRequest(Request):
    """What is asked of models, which run over tiles.

    Attributes:
        tile: Pixels a side that a tile contributes; as many as ``memory`` allows if not given.
        runtime: What runs the models: ``onnxruntime`` (which ``auto`` means), ``openvino`` or ``torch``.
    """

    tile: int | None = None
    runtime: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tile is not None and self.tile < SMALLEST_TILE:
            raise UsageError(
                f"tile {self.tile}: must be {SMALLEST_TILE} pixels or more; leave it out to have it chosen"
            )
        if self.runtime not in ("auto", *RUNTIMES):
            raise unknown("runtime", self.runtime, ("auto", *RUNTIMES))


@dataclass(frozen=True, kw_only=True)
class ModelRequest(TiledRequest):
    """Restoring by a model.

    Attributes:
        model: Name of a bundled model, or path of a model file; None lets diagnosis choose.
        sigma: Noise level for the model, in 8-bit gray levels of the range that the image uses; measured if not given.
        scale: Enlarge by this with a bundled model, after restoring what diagnosis finds wrong.
        realism: From 0, none, to 1, in thousandths: invented detail, by a model with a second set of weights.
        uncertainty: Also say of each pixel how far it may be from the truth, in this way.
    """

    model: str | Path | None = None
    sigma: float | None = None
    scale: int | None = None
    realism: float = 0.0
    uncertainty: ErrorMap | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.realism <= 1:
            rule = "must be from 0 (no invented detail) to 1 (as much as there is)"
            raise UsageError(f"realism {float(self.realism):g}: {rule}")
        object.__setattr__(self, "realism", round(float(self.realism), 3))  # as a name tells it
        if self.realism:
            self._check_realism()

    def _check_realism(self) -> None:
        known = " or ".join(realistic())
        if self.model is None and self.scale is None:
            raise UsageError(
                f"realism {self.realism:g}: needs a model that can invent detail; give model {known}, or scale 4"
            )
        model = str(self.model or _enlarger(cast("int", self.scale)))
        if split_realism(model)[1]:
            raise UsageError(f"realism {self.realism:g}: model {model!r} names its own; leave one of them out")
        if model.lower() not in realistic():
            raise UsageError(f"realism {self.realism:g}: model {model!r} cannot invent detail; give model {known}")

    def named(self) -> str | Path | None:
        """The model that is named, or the bundled one that enlarges by ``scale``, with its realism; None if neither is.

        Raises:
            UsageError: None enlarges so much.
        """
        model = _enlarger(self.scale) if self.model is None and self.scale is not None else self.model
        if self.realism:
            return with_realism(str(model).lower(), self.realism)
        base, own = ("", 0.0) if model is None else split_realism(model)
        return with_realism(str(base), own) if own else model

    @property
    def files(self) -> tuple[Path, ...]:
        """The second set of weights."""
        model, realism = ("", 0.0) if (named := self.named()) is None else split_realism(named)
        return (realistic()[str(model)],) if realism else ()

    @property
    def uncertain(self) -> bool:
        """Whether a map of errors is wanted."""
        return self.uncertainty is not None

    def models(self) -> tuple[tuple[str | Path, str], ...]:
        """The one that is named."""
        model = self.named()
        return () if model is None else ((model, self.runtime),)


@dataclass(frozen=True, kw_only=True)
class MethodRequest(Request):
    """Restoring by a method without training.

    Attributes:
        method: A key of METHODS.
        degradation: What it inverts.
        settings: Its own options, by name.
        budget: Seconds after which an iterative method gives what it has.
        preview: A PNG of the image so far, updated every few seconds by an iterative method.
    """

    method: str
    degradation: Degradation
    settings: Mapping[str, Any] = field(default_factory=dict)
    budget: float | None = None
    preview: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        Control(self.budget)

    @cached_property
    def forward_model(self) -> ForwardModel:
        """That of the degradation.

        Raises:
            UsageError: It has none.
        """
        from resolvent.physics.forward_model import ForwardModel

        return ForwardModel(self.degradation)

    @property
    def iterative(self) -> bool:
        """Whether the method is iterative: it reports its steps, and can be stopped."""
        return "control" in methods.common_options(self.method)

    @property
    def files(self) -> tuple[Path, ...]:
        """Those of the degradation, such as a mask."""
        return tuple(map(Path, self.degradation.files))

    @property
    def written(self) -> dict[str, Path]:
        """The preview."""
        return {} if self.preview is None else {"preview": self.preview}


@dataclass(frozen=True, kw_only=True)
class RepairRequest(TiledRequest):
    """Filling what is damaged; no other pixel changes.

    Attributes:
        find: Find scratches, dust and creases.
        mask: Fill this too: a picture, or an array (H, W), as large as the image; white or True is filled.
        write_mask: A PNG of what is filled, white.
        finder: The model that finds damage.
        filler: The model that fills it.
        then: What is asked of the image after that; None leaves it at the repair.
    """

    find: bool = True
    mask: Source | None = field(default=None, compare=False, repr=False)
    write_mask: Path | None = None
    finder: str | Path = "scratches"
    filler: str | Path = "inpaint"
    then: Request | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The mask, and those of what comes after."""
        own = (Path(self.mask),) if isinstance(self.mask, str | os.PathLike) else ()
        return own + (self.then.files if self.then else ())

    @property
    def written(self) -> dict[str, Path]:
        """The mask that is written, and what comes after writes."""
        own = {} if self.write_mask is None else {"write_mask": self.write_mask}
        return own | (self.then.written if self.then else {})

    def models(self) -> tuple[tuple[str | Path, str], ...]:
        """Those that find and fill, and that of what comes after."""
        own = (self.finder, self.filler) if self.find else (self.filler,)
        return tuple((model, self.runtime) for model in own) + (self.then.models() if self.then else ())


def _enlarger(scale: int) -> str:
    """Name the bundled model that enlarges by a scale.

    Raises:
        UsageError: None does.
    """
    listed = reversed(bundled())  # so that of two models of one scale the first listed stands
    known = {card_scale: name for name in listed if (card_scale := read_card(name).scale) > 1}
    if scale not in known:
        raise UsageError(f"scale {scale}: the bundled models enlarge by {' or '.join(map(str, sorted(known)))}")
    return known[scale]
