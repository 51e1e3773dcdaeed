"""What the shell offers for a value of which there are names: models, methods, recipes and the like."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["degradations", "methods", "models", "models_and_methods", "networks", "objectives", "recipes", "runtimes"]


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def models(incomplete: str) -> list[str]:
    """Names of models that begin as typed."""
    from resolvent.models.registry import list_models

    return _beginning(list_models(), incomplete)


def methods(incomplete: str) -> list[str]:
    """Names of methods that begin as typed."""
    from resolvent.methods import METHODS

    return _beginning(METHODS, incomplete)


def models_and_methods(incomplete: str) -> list[str]:
    """Names of both that begin as typed."""
    return models(incomplete) + methods(incomplete)


def degradations(incomplete: str) -> list[str]:
    """Names of degradations that begin as typed, also behind a ``+``."""
    from resolvent.degradations import DEGRADATIONS

    before, plus, last = incomplete.rpartition("+")
    start = before + plus + last[: len(last) - len(last.lstrip())]
    return [start + name for name in _beginning(DEGRADATIONS, last.lstrip())]


def networks(incomplete: str) -> list[str]:
    """Names of networks that begin as typed."""
    from resolvent.networks import NETWORKS

    return _beginning(NETWORKS, incomplete)


def objectives(incomplete: str) -> list[str]:
    """Names of objectives that begin as typed."""
    from resolvent.training.objectives import OBJECTIVES

    return _beginning(OBJECTIVES, incomplete)


def recipes(incomplete: str) -> list[str]:
    """Names of recipes that begin as typed."""
    from resolvent.training.recipe_file import recipes as bundled

    return _beginning(bundled(), incomplete)


def runtimes(incomplete: str) -> list[str]:
    """Runtimes that begin as typed."""
    return _beginning(("auto", "onnxruntime", "openvino", "torch"), incomplete)
