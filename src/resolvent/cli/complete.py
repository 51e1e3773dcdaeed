"""What the shell completes after an option or a command: names of models, methods, recipes and the like.

Each function gives all values, some with a phrase for shells that show one; typer keeps those that begin as what is
typed. They run at every press of Tab, so nothing here may load torch or onnxruntime.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = [
    "degradations", "devices", "formats", "maps", "methods", "methods_and_models", "models", "networks", "objectives",
    "own_models", "recipes", "runtimes", "scales", "stripped", "tasks", "training",
]  # fmt: skip

Values = list[str | tuple[str, str]]


def models() -> Values:
    """The models that have a name; a card is not read, for that takes longer than a person waits."""
    from resolvent.models.registry import added, bundled

    return [*bundled(), *added()]


def own_models() -> Values:
    """The models that were added, which can be removed."""
    from resolvent.models.registry import added

    return [*added()]


def methods() -> Values:
    """The methods, with what they are."""
    from resolvent.methods import METHODS

    return [(name, method.summary) for name, method in METHODS.items()]


def methods_and_models() -> Values:
    """What ``compare`` can run."""
    return [*methods(), *models()]


def degradations() -> Values:
    """The degradations, with what they do."""
    from resolvent.degradations import DEGRADATIONS

    return [(name, str(kind.__doc__).partition("\n")[0].replace("``", "")) for name, kind in DEGRADATIONS.items()]


def networks() -> Values:
    """The networks, with what they are."""
    from resolvent.networks import NETWORKS

    return [(name, network.summary) for name, network in NETWORKS.items()]


def objectives() -> Values:
    """The objectives, with what they are."""
    from resolvent.training.objectives import OBJECTIVES

    return [(name, entry.summary) for name, entry in OBJECTIVES.items()]


def recipes() -> Values:
    """The recipes that come with Resolvent."""
    from importlib import resources

    folder = resources.files("resolvent.training") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def training() -> Values:
    """What ``train`` takes: a recipe, or the head of a model."""
    return [*recipes(), ("head", "a map of uncertainty for a model, with --model")]


def tasks() -> Values:
    """The tasks of ``benchmark``."""
    from resolvent.evaluation.benchmark import TASKS

    return [
        *((name, task.summary) for name, task in TASKS.items()),
        ("all", "every bundled model and fast method, on every test set"),
    ]


def _fixed(what: str, *values: str | tuple[str, str]) -> Callable[[], Values]:
    def give() -> Values:
        return list(values)

    give.__doc__ = f"Give {what}."
    return give


devices = _fixed("the devices of training", "cpu", "cuda")
runtimes = _fixed("the runtimes", "auto", "onnxruntime", "openvino", "torch")
scales = _fixed("the factors of enlarging", "2", "4")
stripped = _fixed("what --strip leaves out", ("gps", "the location"), ("all", "all but the color profile"))
maps = _fixed("the kinds of --uncertainty", ("learned", "of the model"), ("jacobian", "of any denoiser, with -m"))
formats = _fixed("the formats that are written", "avif", "bmp", "heif", "jpeg", "png", "tiff", "webp")
