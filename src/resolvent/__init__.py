"""Restore noisy, blurred and over-compressed photographs.

>>> import resolvent
>>> out = resolvent.restore("photo.jpg")  # doctest: +SKIP
>>> bad = resolvent.degrade(image, "blur:sigma=2 + noise:sigma=10", seed=0)  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resolvent.batch.many import restore_many
    from resolvent.degradations import degrade, parse
    from resolvent.diagnosis import diagnose
    from resolvent.engine.plan import Plan
    from resolvent.engine.restore import Restorer, plan, restore
    from resolvent.engine.run import Restoration, run
    from resolvent.errors import (
        ClusterError,
        FormatError,
        InputError,
        MissingDependencyError,
        OutputError,
        QualityError,
        ResolventError,
        SizeError,
        TrainingError,
        UsageError,
    )
    from resolvent.evaluation.compare import compare
    from resolvent.image import Image, Limits, read_image, write_image
    from resolvent.methods import list_methods
    from resolvent.methods.control import Control
    from resolvent.models.registry import list_models
    from resolvent.training import train

__version__ = "0.1.0"

# onnxruntime reports models, devices and an id of the machine to its maker, unless this is set before it is imported
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = [
    "ClusterError",
    "Control",
    "FormatError",
    "Image",
    "InputError",
    "Limits",
    "MissingDependencyError",
    "OutputError",
    "Plan",
    "QualityError",
    "ResolventError",
    "Restoration",
    "Restorer",
    "SizeError",
    "TrainingError",
    "UsageError",
    "compare",
    "degrade",
    "diagnose",
    "list_methods",
    "list_models",
    "parse",
    "plan",
    "read_image",
    "restore",
    "restore_many",
    "run",
    "train",
    "write_image",
]

_HOMES = {
    "batch.many": ("restore_many",),
    "degradations": ("degrade", "parse"),
    "diagnosis": ("diagnose",),
    "engine.plan": ("Plan",),
    "engine.restore": ("Restorer", "plan", "restore"),
    "engine.run": ("Restoration", "run"),
    "errors": (
        "ClusterError",
        "FormatError",
        "InputError",
        "MissingDependencyError",
        "OutputError",
        "QualityError",
        "ResolventError",
        "SizeError",
        "TrainingError",
        "UsageError",
    ),
    "evaluation.compare": ("compare",),
    "image": ("Image", "Limits", "read_image", "write_image"),
    "methods": ("list_methods",),
    "methods.control": ("Control",),
    "models.registry": ("list_models",),
    "training": ("train",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'resolvent' has no attribute {name!r}")
    return getattr(importlib.import_module(f"resolvent.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
