"""Restore noisy, blurred and over-compressed photographs.

>>> import resolvent
>>> out = resolvent.restore("photo.jpg")  # doctest: +SKIP
>>> bad = resolvent.degrade(image, "blur:sigma=2 + noise:sigma=10", seed=0)  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resolvent.degradations import degrade, parse
    from resolvent.diagnosis import diagnose
    from resolvent.engine.restore import restore
    from resolvent.errors import (
        InputError,
        MissingDependencyError,
        OutputError,
        QualityError,
        ResolventError,
        TrainingError,
        UsageError,
    )
    from resolvent.image import Image, Limits, read_image, write_image
    from resolvent.models.registry import list_models

__version__ = "0.1.0"

__all__ = [
    "Image",
    "InputError",
    "Limits",
    "MissingDependencyError",
    "OutputError",
    "QualityError",
    "ResolventError",
    "TrainingError",
    "UsageError",
    "degrade",
    "diagnose",
    "list_models",
    "parse",
    "read_image",
    "restore",
    "write_image",
]

_HOMES = {
    "degradations": ("degrade", "parse"),
    "diagnosis": ("diagnose",),
    "engine.restore": ("restore",),
    "errors": (
        "InputError",
        "MissingDependencyError",
        "OutputError",
        "QualityError",
        "ResolventError",
        "TrainingError",
        "UsageError",
    ),
    "image": ("Image", "Limits", "read_image", "write_image"),
    "models.registry": ("list_models",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'resolvent' has no attribute {name!r}")
    return getattr(importlib.import_module(f"resolvent.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
