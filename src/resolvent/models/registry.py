"""Where models are: the bundled files and those that were added by name, any other by path."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

from resolvent.errors import InputError, UsageError, unknown
from resolvent.models.card import METADATA_KEY, ModelCard
from resolvent.models.graph import metadata
from resolvent.models.realism import realistic_card
from resolvent.system import user_data

__all__ = [
    "SUFFIX",
    "WEIGHTS",
    "added",
    "bundled",
    "find",
    "list_models",
    "named",
    "read_card",
    "realistic",
    "split_realism",
    "user_folder",
    "with_realism",
]

SUFFIX = ".onnx"

REALISM = ".realism.npz"
"""Suffix of the file beside a bundled model that holds its second set of weights; see ``models.realism``."""

WEIGHTS = (".pth", ".pt", ".ckpt", ".safetensors")
"""Suffixes of files that hold weights without their network."""

FOLDER = "RESOLVENT_MODELS"
"""The environment variable that names another folder for added models."""


@cache
def bundled() -> dict[str, Path]:
    """The models that come with Resolvent: name to file."""
    return _files(Path(str(resources.files("resolvent.models"))))


@cache
def realistic() -> dict[str, Path]:
    """The bundled models that have a second set of weights, which invents detail: name to the file of the change."""
    files = {name: path.with_name(name + REALISM) for name, path in bundled().items()}
    return {name: path for name, path in files.items() if path.is_file()}


def with_realism(name: str, realism: float) -> str:
    """Name the blend of a model's two sets of weights, to thousandths; 0 is the model as it is.

    Examples:
        >>> with_realism("upscale4", 0.5), with_realism("upscale4", 0)
        ('upscale4@0.5', 'upscale4')
    """
    return f"{name}@{f'{realism:.3f}'.rstrip('0').rstrip('.')}" if realism else name


def split_realism(model: str | Path) -> tuple[str | Path, float]:
    """Take apart what ``with_realism`` makes; 0 for the name or path of any other model.

    Raises:
        UsageError: The realism is not from 0 to 1.
    """
    found = re.fullmatch(r"(.+)@([0-9.]+)", model) if isinstance(model, str) else None
    if found is None or found[1].lower() not in realistic():
        return model, 0.0
    realism = float(found[2]) if re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", found[2]) else -1.0
    if not 0 <= realism <= 1:
        raise UsageError(f"model {model!r}: realism is from 0 (none) to 1 (as much as it has)")
    return found[1].lower(), round(realism, 3)


def added() -> dict[str, Path]:
    """The models that ``resolvent models add`` put into the user's folder: name to file."""
    return _files(user_folder())


def _files(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob(f"[!.]*{SUFFIX}"), key=lambda path: path.stem)}


def user_folder() -> Path:
    """Give the folder of added models: $RESOLVENT_MODELS, or one where the system keeps a user's data."""
    if folder := os.environ.get(FOLDER):
        return Path(folder)
    return user_data() / "models"


def list_models() -> dict[str, ModelCard]:
    """The cards of the models that have a name, bundled or added, by name.

    Raises:
        InputError: An added file is broken.
    """
    return {name: read_card(path) for name, path in {**added(), **bundled()}.items()}


def named(model: str) -> Path | None:
    """Give the file of a bundled or added model by its name, in upper or lower case; None if there is none."""
    model = str(split_realism(model)[0])
    if model in bundled():
        return bundled()[model]
    known = [*bundled().items(), *added().items()]
    return next((path for name, path in known if name.lower() == model.lower()), None)


def find(model: str | Path) -> Path:
    """Give the file of a model: by its name, by its path, or by the folder of the run that trained it.

    Raises:
        UsageError: No model has that name, and no folder with one model in it, or the file holds weights alone.
        InputError: There is no such file.
    """
    if isinstance(model, str) and (file := named(model)) is not None:
        return file
    path = Path(model)
    if str(model) and os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a name is too long
        return _trained(path)
    if path.suffix.lower() in WEIGHTS:
        raise UsageError(f"{path}: holds weights without their network; resolvent models add {path} makes a model")
    if isinstance(model, Path) or path.suffix.lower() == SUFFIX:
        if not os.path.isfile(path):  # noqa: PTH113 - likewise
            raise InputError(f"{path}: no such model file; give the name of a model or the path of an {SUFFIX} file")
        return path
    raise unknown("model", str(model), {**added(), **bundled()})


def _trained(run: Path) -> Path:
    """The one model in the folder of a run."""
    try:
        models = sorted(path for path in run.glob(f"[!.]*{SUFFIX}") if path.is_file())
    except OSError as error:
        raise InputError(f"{run}: cannot be read ({error.strerror}); give the path of a model file") from error
    if len(models) == 1:
        return models[0]
    if models:
        raise UsageError(f"{run}: holds {len(models)} models; name one of them, such as {models[0]}")
    raise UsageError(f"{run}: a folder without a model; if it is a training run, resolvent export {run} writes one")


def read_card(model: str | Path) -> ModelCard:
    """Read the card of a model without loading its weights into a runtime.

    That of a blend with realism is the card of the realistic model, with what the graph asks for; it has figures where
    it is that model alone.

    Raises:
        UsageError: No model has that name.
        InputError: The file is not a model of Resolvent.
    """
    path = find(model)
    known = metadata(path)
    if METADATA_KEY not in known:
        raise InputError(f"{path}: an ONNX file without a Resolvent card; resolvent models add {path} gives it one")
    card = ModelCard.loads(known[METADATA_KEY], path.name)
    name, realism = split_realism(model)
    if not realism:
        return card
    other = realistic_card(realistic()[str(name)])
    return replace(
        other, name=str(model), figures=other.figures if realism == 1 else {}, halo=max(card.halo, other.halo),
        multiple=card.multiple, memory=card.memory, conditional=card.conditional,
    )  # fmt: skip
