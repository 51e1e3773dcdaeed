"""Networks of other projects: measured, given a card, and put where every command finds them by name."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import InputError, OutputError, UsageError, counted, printable, unknown
from resolvent.inference.runtime import OnnxSession
from resolvent.io import write_atomic
from resolvent.models.card import METADATA_KEY, ModelCard
from resolvent.models.context import LIMIT, TOLERANCE, measure_halo, textures
from resolvent.models.graph import Graph, check_graph, metadata, with_metadata
from resolvent.models.registry import SUFFIX, WEIGHTS, added, bundled, find, read_card, user_folder

__all__ = ["add", "remove"]

MULTIPLES = (1, 2, 3, 4, 6, 7, 8, 12, 14, 16, 24, 28, 32, 48, 64)
"""Of which the sides of an image may have to be multiples, and the grids that a network may lay over it."""

RESERVED = ("add", "remove", "list")
"""Names that are commands."""

NOISE_LEVELS = (0.0, 75.0)
"""Range for which a network with a noise-level input counts as trained: about that of the literature."""

UNLIKE = 0.25
"""Mean difference, of the whole range, at which a result is no restored image of what was given."""

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
Say = Callable[[str], None]


def add(
    path: Path,
    *,
    name: str | None = None,
    license: str = "unstated",  # noqa: A002 - the key of SPDX
    summary: str = "",
    scale: int | None = None,
    data_range: int | None = None,
    halo: int | None = None,
    noise_level: bool = False,
    overwrite: bool = False,
    progress: Say = lambda step: None,
) -> ModelCard:
    """Give a network a card and a place among the models that have a name.

    Args:
        path: An ONNX file with one image in and one out, or the weights of an architecture that spandrel knows. A model
            of Resolvent keeps its card.
        name: Of the model; that of the file if not given.
        license: Of the weights, as an SPDX expression.
        summary: What it is for, in one line.
        scale: By which it must enlarge; as measured if not given.
        data_range: White in its tensors, 1 or 255; measured if not given.
        halo: Context of a tile, in pixels; measured if not given. Tiles may show where it is too little.
        noise_level: Its last channel is the noise level, sigma/255 of the data range.
        overwrite: Whether an added model of this name is replaced.
        progress: Called with what is being done.

    Returns:
        The card, also in the file.

    Raises:
        UsageError: The name cannot be used, or an option does not fit the network.
        InputError: The file is no such network.
        MissingDependencyError: It holds weights, and spandrel or torch is not installed.
        OutputError: The model cannot be written.
    """
    path = Path(path)
    name = _checked_name(re.sub(r"[^\w.+-]+", "-", path.stem) if name is None else name, overwrite=overwrite)
    origin = printable(path.name)
    if data_range not in (None, 1, 255):
        raise UsageError(f"range {data_range}: must be 1 or 255")
    if halo is not None and not 0 <= halo <= 512:
        raise UsageError(f"halo {halo}: must be from 0 to 512 pixels")
    with TemporaryDirectory() as folder:
        if path.suffix.lower() in WEIGHTS:
            from resolvent.models.weights import export_weights

            progress("exporting")
            source = Path(folder) / f"{name}{SUFFIX}"
            export_weights(path, source)
        else:
            source = find(path)
        card = read_card(source) if METADATA_KEY in metadata(source) else ModelCard(name, "", "", "", {}, "")
        if card.foreign:
            card = replace(
                _measured(source, card, data_range, halo, noise_level or card.noise_level, progress),
                summary=" ".join(summary.split()) or f"from {origin}",
                license=license,
                data={"source": origin},
                created=datetime.now(UTC).date().isoformat(),
            )
        elif license != "unstated" or summary or data_range is not None or halo is not None or noise_level:
            raise UsageError(f"{path}: has a card of its own, which says all but the name; give name (--name) alone")
        check_graph(source, card)
        card = replace(card, name=name)
        if scale not in (None, card.scale):
            raise UsageError(f"scale {scale}: {path} enlarges by {card.scale}; leave it out")
        content = with_metadata(source.read_bytes(), METADATA_KEY, card.dumps())
    target = user_folder() / f"{name}{SUFFIX}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(target.parent, error) from error
    write_atomic(target, lambda file: file.write(content), overwrite=overwrite)
    return card


def remove(name: str) -> Path:
    """Delete an added model; returns the file that is gone.

    Raises:
        UsageError: No added model has that name.
        OutputError: It cannot be deleted.
    """
    known = {key.lower(): path for key, path in added().items()}
    if name.lower() in bundled():
        raise UsageError(f"model {name!r}: comes with Resolvent and stays; only added models can be removed")
    if name.lower() not in known:
        raise unknown("added model", name, added())
    path = known[name.lower()]
    try:
        path.unlink()
    except OSError as error:
        raise _unusable(path, error) from error
    return path


def _unusable(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path}: {error.strerror}; RESOLVENT_MODELS names another folder for added models")


def _checked_name(name: str, *, overwrite: bool) -> str:
    if not re.fullmatch(r"\w[\w.+-]{0,63}", name) or name.lower().endswith((SUFFIX, *WEIGHTS)):
        raise UsageError(f"name {name!r}: must be 1 to 64 letters, digits or . + - _, without a suffix; give --name")
    if name.lower() in (*bundled(), *RESERVED):
        raise UsageError(f"name {name!r}: is taken; give another by --name")
    same = [known for known in added() if known.lower() == name.lower()]
    if same and not (overwrite and same == [name]):
        raise UsageError(f"name {name!r}: model {same[0]!r} was added before; give another --name, or --overwrite")
    return name


def _measured(
    path: Path, card: ModelCard, data_range: int | None, halo: int | None, noise_level: bool, progress: Say
) -> ModelCard:
    """The card with all that the network shows of itself."""
    graph = check_graph(path)
    card = _with_channels(path, graph, replace(card, parameters=graph.parameters), noise_level)
    session = OnnxSession(path, card, None, trusted=False)

    def network(**changes: int) -> Network:
        session.card = replace(card, **changes)  # type: ignore[arg-type]  # all of them are of whole numbers
        return lambda x: np.concatenate([session.run(image[None]) for image in x])

    progress("measuring its scale and the sizes that it takes")
    scale, multiples = _sizes(session)
    card = replace(card, scale=scale, multiple=multiples[0], task="upscale" if scale > 1 else "restore")
    card = replace(card, data_range=data_range or _data_range(path, card, network))
    progress("measuring the grid that it lays over an image")
    grid = next((m for m in multiples if _equivariant(network(), replace(card, multiple=m))), None)
    if grid is None and halo is None:
        raise _seams(path)
    card = replace(card, multiple=grid or multiples[0])
    card = replace(card, memory=_memory(path, card))
    if halo is None:
        progress("measuring the context that a tile needs")
        halo = measure_halo(network(), card)
        if halo >= LIMIT:
            raise _seams(path)
    return replace(card, halo=halo)


def _seams(path: Path) -> InputError:
    return InputError(
        f"{path}: a pixel of its result depends on more than {LIMIT} pixels around it, so that tiles would show; "
        f"give --halo {LIMIT} to take it all the same"
    )


def _with_channels(path: Path, graph: Graph, card: ModelCard, noise_level: bool) -> ModelCard:
    """What the declared shape of its input says: how many channels it takes; it must not be tied to one size."""
    shape = graph.inputs[0].shape or (None,) * 4
    if shape[0] not in (None, 1):
        raise InputError(f"{path}: takes {shape[0]} images at once; export it with a batch of 1 or any number")
    if shape[2] is not None or shape[3] is not None:
        raise InputError(f"{path}: takes images of one size only, {shape[2:]}; export it for any height and width")
    wanted = (4,) if noise_level else (1, 3)
    channels = shape[1] or wanted[-1]
    if channels not in wanted:
        also = "; if the last is the noise level, give --noise-level" if channels == 4 else ""
        needed = " or ".join(map(str, wanted))
        raise InputError(f"{path}: takes {counted(channels, 'channel')}, and {needed} are needed{also}")
    if noise_level:
        return replace(card, noise_level=True, sigma_range=NOISE_LEVELS)
    return replace(card, gray=channels == 1)


def _sizes(session: OnnxSession) -> tuple[int, list[int]]:
    """By how much it enlarges, and the multiples that sides of about 64 pixels may have to be, the least first."""
    channels, outputs = session.card.planes, 1 if session.card.gray else session.card.outputs
    scales: dict[int, int] = {}
    fault = ""
    for multiple in MULTIPLES:
        near = math.ceil(64 / multiple)
        height, width = (multiple * (near + (near + 1) % 2 + more) for more in (0, 2))  # odd: no larger multiple's
        x = np.full((1, channels, height, width), 0.5, np.float32)
        try:
            y = session.raw(x)
        except (InputError, MemoryError) as error:
            fault = str(error)
            continue
        scale = y.shape[-1] // width
        if scale and y.shape == (1, outputs, scale * height, scale * width):
            scales[multiple] = scale
        else:
            fault = f"{session.path}: gives {y.shape} for {x.shape}; the same size or a whole multiple of it is needed"
    if len(set(scales.values())) > 1:
        fault = f"{session.path}: enlarges images of one size by {max(scales.values())}, of others by less"
    if len(set(scales.values())) != 1:
        raise InputError(fault)
    return next(iter(scales.values())), list(scales)


def _data_range(path: Path, card: ModelCard, network: Callable[..., Network]) -> int:
    """Whether values are up to 1 or to 255: where the result is more like what was given."""
    x = textures(card, card.multiple * math.ceil(96 / card.multiple))[1:2]
    s, (height, width) = card.scale, x.shape[2:]
    unlike = {}
    for data_range in (1, 255):
        y = network(data_range=data_range)(x)
        small = y.reshape(*y.shape[:2], height, s, width, s).mean((3, 5))
        unlike[data_range] = float(np.abs(small - x[:, : card.channels]).mean())
    likely = 255 if unlike[255] < unlike[1] / 2 else 1
    if not unlike[likely] < UNLIKE:
        raise InputError(
            f"{path}: gives nothing like the image it is given, with values up to 1 or to 255; give --range if it does"
        )
    return likely


def _equivariant(network: Network, card: ModelCard) -> bool:
    """Whether an image that is moved by the network's multiple gives a result that is moved likewise."""
    m, s = card.multiple, card.scale
    around = math.ceil(LIMIT / m) * m
    x = textures(card, 2 * around + 3 * m)[:1]
    still = network(x)[..., s * (around + m) : -s * around, s * (around + m) : -s * around]
    moved = network(np.ascontiguousarray(x[..., m:, m:]))[..., s * around : -s * around, s * around : -s * around]
    return float(np.abs(still - moved).max()) <= TOLERANCE


def _memory(path: Path, card: ModelCard, spare: float = 5 / 3) -> int:
    """Bytes for each pixel, as ``export.estimate_memory`` has them of a module: of the four largest results at once."""
    side = card.multiple * math.ceil(64 / card.multiple)
    with TemporaryDirectory() as folder:
        session = OnnxSession(path, card, 1, trusted=False, profile=Path(folder) / "profile")
        session.run(np.full((1, card.inputs, side, side), 0.5, np.float32))
        events = json.loads(Path(session.session.end_profiling()).read_text("utf-8"))
    sizes: list[int] = sorted(int(event.get("args", {}).get("output_size", 0)) for event in events)
    return max(1, round(spare * sum(sizes[-4:]) / side**2))
