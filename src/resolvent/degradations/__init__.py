"""What happened to an image, as plain data with a text form.

The text form names each degradation, gives what is not default, and joins them in order::

    blur:sigma=1.6 + noise:sigma=25
    noise:sigma=0..75                 uniform between the two
    blur:ksize=5|9|15|21              one of these, each as likely
    jpeg:quality=75,subsampling=4:2:0|4:4:4
    jpeg:quality=20..100 @ 0.6        happens with this probability
    kernel:path="a, b.npy"            quoted as in JSON where it holds one of , + = @ "

A degradation applies to one image (``degradation(image, rng)``, NumPy) and to a batch of tensors on any device
(``degradation.apply_batch(x, generator)``); a linear one gives its operator (``degradation.operator(shape)``).
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from resolvent.degradations.base import Degradation
from resolvent.degradations.blur import DefocusBlur, GaussianBlur, Kernel, MotionBlur, PositionalBlur, ShakeBlur
from resolvent.degradations.camera import Camera
from resolvent.degradations.compose import CHANCE, Compose, Identity, RandomApply
from resolvent.degradations.damage import Creases, Dust, Holes, Scratches
from resolvent.degradations.fading import Fading
from resolvent.degradations.jpeg import Jpeg
from resolvent.degradations.noise import (
    ChromaNoise,
    GaussianNoise,
    Grain,
    HotPixels,
    PoissonNoise,
    Quantize,
    RowNoise,
    SaltPepper,
)
from resolvent.degradations.sampling import Downsample, Mask, Rescale
from resolvent.errors import UsageError, unknown
from resolvent.parameters import Choice, Kind, Range
from resolvent.physics.resize import resize_plane
from resolvent.plugins import Registry

if TYPE_CHECKING:
    import PIL.Image

    from resolvent.image import Image
    from resolvent.image.sources import File, Source

__all__ = [
    "DEGRADATIONS",
    "Camera",
    "Choice",
    "ChromaNoise",
    "Compose",
    "Creases",
    "DefocusBlur",
    "Degradation",
    "Downsample",
    "Dust",
    "Fading",
    "GaussianBlur",
    "GaussianNoise",
    "Grain",
    "Holes",
    "HotPixels",
    "Identity",
    "Jpeg",
    "Kernel",
    "Mask",
    "MotionBlur",
    "PoissonNoise",
    "PositionalBlur",
    "Quantize",
    "RandomApply",
    "Range",
    "Rescale",
    "RowNoise",
    "SaltPepper",
    "Scratches",
    "ShakeBlur",
    "degrade",
    "parse",
]

BUILT_IN: dict[str, type[Degradation]] = {
    "blur": GaussianBlur,
    "blur-positional": PositionalBlur,
    "defocus": DefocusBlur,
    "motion": MotionBlur,
    "shake": ShakeBlur,
    "kernel": Kernel,
    "downsample": Downsample,
    "rescale": Rescale,
    "mask": Mask,
    "noise": GaussianNoise,
    "grain": Grain,
    "poisson": PoissonNoise,
    "saltpepper": SaltPepper,
    "hotpixels": HotPixels,
    "rownoise": RowNoise,
    "chroma": ChromaNoise,
    "camera": Camera,
    "quantize": Quantize,
    "jpeg": Jpeg,
    "scratches": Scratches,
    "dust": Dust,
    "creases": Creases,
    "holes": Holes,
    "fading": Fading,
    "none": Identity,
}


def _fault(name: str, entry: Any) -> str | None:
    """Say what is wrong with the degradation of a plug-in, if anything."""
    dataclass = isinstance(entry, type) and issubclass(entry, Degradation) and dataclasses.is_dataclass(entry)
    if not (dataclass and entry.__dataclass_params__.frozen):
        return "must be a frozen dataclass derived from resolvent.degradations.Degradation"
    if getattr(entry, "name", None) != name:
        return f"must have the name {name!r}, not {getattr(entry, 'name', None)!r}"
    if entry.__abstractmethods__:
        return f"must define {', '.join(sorted(entry.__abstractmethods__))}"
    for field in dataclasses.fields(entry):
        if not isinstance(field.metadata.get("kind"), Kind):
            return f"must give the kind of {field.name}, as in field(metadata={{'kind': Number(0, 1)}})"
    if not entry.__doc__ or entry.__doc__.startswith(f"{entry.__name__}("):  # what dataclass writes itself
        return "must have a docstring, whose first line is its summary"
    return None


DEGRADATIONS = Registry("degradation", BUILT_IN, _fault)
"""All degradations: name to class."""

RENAMED = {"quantise": "quantize"}
"""Old names, in the recipes and cards of older models."""


@overload
def degrade(source: NDArray[Any], degradation: Degradation | str, seed: int = 0) -> NDArray[np.float32]: ...
@overload
def degrade(source: PIL.Image.Image, degradation: Degradation | str, seed: int = 0) -> PIL.Image.Image: ...
@overload
def degrade(source: File | Image, degradation: Degradation | str, seed: int = 0) -> Image: ...
def degrade(source: Source, degradation: Degradation | str, seed: int = 0) -> Any:
    """Degrade an image.

    Args:
        source: An array (H, W) or (H, W, C), C = 1 or 3, floating in [0, 1], uint8 or uint16, of the type's whole
            range; an Image; a Pillow image; a path, the bytes of a file, or an open file.
        degradation: A degradation, or its text form; a Range or a Choice in it is sampled first.
        seed: Random seed.

    Returns:
        For an array, a float32 array of as many axes, which is not clipped. For a Pillow image another, else an Image:
        clipped, rounded to the depth of the source, with its metadata.

    Raises:
        UsageError: The degradation does not exist or does not fit the image, or the array is no image.
        InputError: A file cannot be read, or the array holds NaN.

    Examples:
        >>> degrade(np.full((4, 4), 0.5), "downsample:scale=2").shape
        (2, 2)
    """
    from resolvent.image import Image
    from resolvent.image.sources import as_given, open_source

    if seed < 0:
        raise UsageError(f"seed {seed}: must be 0 or above; leave it out for 0")
    rng = np.random.default_rng(seed)
    sampled = (parse(degradation) if isinstance(degradation, str) else degradation).sample(rng)
    if isinstance(source, np.ndarray):
        image = Image.from_array(source)
        if image.alpha is not None:
            raise UsageError(
                f"an array of shape {source.shape} has alpha; leave it out, or give Image.from_array(array)"
            )
        pixels = Image(image.data).pixels
        low, high = float(pixels.min()), float(pixels.max())
        if low < -1 or high > 2:
            raise UsageError(f"an array of values from {low:g} to {high:g}: must be in [0, 1]; divide by its white")
        values = sampled(pixels, rng)
        return values if source.ndim == 3 else values[..., 0]
    image, _ = open_source(source)
    values = sampled(image.pixels, rng)
    alpha = image.alpha
    for part in sampled.parts:
        if isinstance(part, Downsample) and alpha is not None:
            alpha = resize_plane(alpha, 1 / part.scale, "area")
    return as_given(image.with_data(image.quantize(values), alpha), source)


def parse(text: str) -> Degradation:
    """Read a degradation from its text form; ``parse(str(d)) == d``, unless an array was given from Python.

    Raises:
        UsageError: A name is unknown, a parameter is unknown, missing or given twice, or a value breaks its rule.

    Examples:
        >>> parse("blur:sigma=1.6 + noise:sigma=25").parts[1]
        GaussianNoise(sigma=25.0)
    """
    links = tuple(_parse_one(link) for link in _split(text, "+"))
    return links[0] if len(links) == 1 else Compose(links)


def _parse_one(text: str) -> Degradation:
    body, *chances = _split(text, "@")
    if len(chances) > 1:
        raise UsageError(f"{text!r}: has {len(chances)} chances; give one, such as jpeg:quality=40 @ 0.5")
    if chances:
        return RandomApply(_parse_one(body), CHANCE.parse(chances[0]))  # type: ignore[arg-type]  # RandomApply checks it
    name, _, rest = (piece.strip() for piece in text.partition(":"))
    name = RENAMED.get(name, name)
    if name not in DEGRADATIONS:
        raise unknown("degradation", name, DEGRADATIONS)
    known = {field.name: field for field in dataclasses.fields(DEGRADATIONS[name])}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for pair in _split(rest, ",") if rest else ():
        key, equals, value = (piece.strip() for piece in pair.partition("="))
        if key not in known:
            raise unknown(f"parameter of {name}", key, known)
        if not equals or key in values:
            raise UsageError(f"{text!r}: {key} must be given once, as {key}=value")
        values[key] = known[key].metadata["kind"].parse(_unquote(value))
    for key, field in known.items():
        if field.default is dataclasses.MISSING and key not in values:
            raise UsageError(f"{text!r}: {key} is missing; give {key}=, {field.metadata['kind'].rule}")
    return DEGRADATIONS[name](**values)


def _split(text: str, mark: str) -> list[str]:
    """Split at a mark outside quotes."""
    pieces = [""]
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|.', text, re.DOTALL):
        if token == mark:
            pieces.append("")
        else:
            pieces[-1] += token
    return [piece.strip() for piece in pieces]


def _unquote(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        raise UsageError(f"{text}: is not a quoted text; close the quotes, as in JSON") from None
