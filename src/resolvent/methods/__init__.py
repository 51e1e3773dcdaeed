"""Methods that restore without a trained model, all behind one call: ``restore(y, forward_model, **options) -> x``.

A method is a function in a file named as the literature names it. It takes the degraded image (H, W, C) float32, what
happened to it, and options by keyword; it gives a new array of the same kind, not clipped, and leaves its input alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resolvent.methods.entry import Method, Needs, Restore
    from resolvent.methods.loading import load
    from resolvent.methods.registry import METHODS, list_methods
    from resolvent.methods.requirements import (
        check,
        check_settings,
        common_options,
        methods_for,
        missing,
        read_settings,
    )

__all__ = [
    "METHODS",
    "Method",
    "Needs",
    "Restore",
    "check",
    "check_settings",
    "common_options",
    "list_methods",
    "load",
    "methods_for",
    "missing",
    "read_settings",
]

_HOMES = {
    "entry": ("Method", "Needs", "Restore"),
    "loading": ("load",),
    "registry": ("METHODS", "list_methods"),
    "requirements": ("check", "check_settings", "common_options", "methods_for", "missing", "read_settings"),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: a restoration by a model starts sooner without the registry."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"resolvent.methods.{module}"), name)
    raise AttributeError(f"module 'resolvent.methods' has no attribute {name!r}")
