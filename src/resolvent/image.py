"""A photograph: read within limits, written whole or not at all, all that its file holds kept beside the pixels.

What a file is, its bytes decide, never its name.
"""

from __future__ import annotations

import io
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resolvent.codecs import DEPTHS, FORMATS, OPAQUE, sniff
from resolvent.codecs.decode import Decoded, decode, decode_pil, split
from resolvent.codecs.encode import encode, encode_pil, heif_is_written
from resolvent.codecs.metadata import Metadata
from resolvent.errors import InputError, OutputError, UsageError, unknown
from resolvent.image_range import ValueRange, full_range, used_range

if TYPE_CHECKING:
    import PIL.Image

__all__ = [
    "FORMATS",
    "QUALITY",
    "Image",
    "Limits",
    "Metadata",
    "encode_image",
    "losses",
    "output_format",
    "read_image",
    "write_image",
    "write_whole",
]

QUALITY = 95
"""Quality of a lossy output, 1 to 100; 100 is lossless for WebP, AVIF and HEIF."""


@dataclass(frozen=True)
class Limits:
    """The largest input that is read.

    Attributes:
        megapixels: Of the decoded image, in millions of pixels; checked before it is decoded.
        megabytes: Of the file, in millions of bytes.

    Raises:
        UsageError: A limit is not above zero.
    """

    megapixels: float = 250
    megabytes: float = 500

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise UsageError(f"limit of {name} = {value:g}: must be above zero")

    def check_bytes(self, size: int) -> None:
        """Raise InputError for a file that is empty or larger than `megabytes`."""
        if size == 0:
            raise InputError("it is empty")
        if size > self.megabytes * 1e6:
            raise InputError(f"more than {self.megabytes:g} megabytes; raise that limit")

    def check_pixels(self, width: int, height: int) -> None:
        """Raise InputError for an image of more than `megapixels`."""
        if width * height > self.megapixels * 1e6:
            size = f"{width} x {height} are {width * height / 1e6:.1f} megapixels"
            raise InputError(f"{size}, more than {self.megapixels:g}; raise that limit")


@dataclass(frozen=True, eq=False)
class Image:
    """A photograph, upright.

    Attributes:
        data: (H, W, C) with C = 1 or 3, as the file stores it: uint8, uint16 or float32.
        alpha: (H, W) of the same type, or None; in a float file 1 is opaque.
        metadata: ICC, EXIF, XMP, resolution.
        format: The format it was read from, a key of FORMATS.
        path: The file that it was read from.
        warnings: What reading it changed or left out, one line each.
        value_range: The values of `data` that `read` gives as 0 and 1, and those that are outliers; that of the type
            where it is left out. `read_image`, `from_array` and `from_pil` find the one that the picture uses, such as
            12 bits in 16, or the bulk of the values of an HDR picture: see `image_range.used_range`.
    """

    data: NDArray[Any]
    alpha: NDArray[Any] | None = None
    metadata: Metadata = field(default_factory=Metadata)
    format: str = "png"
    path: Path | None = None
    warnings: tuple[str, ...] = ()
    value_range: ValueRange = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.value_range is None:
            object.__setattr__(self, "value_range", full_range(self.data.dtype))

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.data.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.data.shape[1])

    @property
    def channels(self) -> int:
        """1 or 3; alpha is not counted."""
        return int(self.data.shape[2])

    @property
    def depth(self) -> int:
        """Bits of a sample: 8, 16 or 32 (float)."""
        return self.data.itemsize * 8

    @property
    def pixels(self) -> NDArray[np.float32]:
        """The whole image as a new float32 (H, W, C) array, as `read` gives it."""
        return self.read(0, 0, self.height, self.width)

    def read(self, top: int, left: int, bottom: int, right: int) -> NDArray[np.float32]:
        """One box as a new float32 (bottom - top, right - left, C) array in [0, 1].

        Noise and ringing of float data may leave that range; outliers are brought to its `floor` or `ceiling`.
        """
        known = self.value_range
        box: NDArray[np.float32] = self.data[top:bottom, left:right].astype(np.float32)
        if self.depth > 8:
            np.clip(box, known.floor, known.ceiling, out=box)
        if known.low:
            box -= np.float32(known.low)
        box /= np.float32(known.high - known.low)
        return box

    def quantise(self, values: NDArray[np.floating[Any]]) -> NDArray[Any]:
        """Bring values in [0, 1], clipped to it, to the type and `value_range` of `data`, rounding half to even.

        Example:
            >>> Image.from_array(np.zeros((1, 3), np.uint8)).quantise(np.array([-0.1, 0.5, 1.0]))
            array([  0, 128, 255], dtype=uint8)
        """
        low, high = self.value_range.low, self.value_range.high
        scaled: NDArray[Any] = np.clip(values, 0, 1) * (high - low) + low
        return (scaled if self.depth == 32 else np.rint(scaled)).astype(self.data.dtype)

    def in_range_of(self, other: Image) -> Image:
        """Read the values by the range of another image of the same type, so that their `pixels` can be compared."""
        return replace(self, value_range=other.value_range) if self.data.dtype == other.data.dtype else self

    def with_data(self, data: NDArray[Any], alpha: NDArray[Any] | None = None) -> Image:
        """Give this image other pixels, of the same type, and the rest unchanged.

        Args:
            data: (H, W, C), of any size.
            alpha: (H, W); None keeps the alpha that there is.

        Raises:
            UsageError: The shapes or types do not fit together.
        """
        alpha = self.alpha if alpha is None else alpha
        if data.ndim != 3 or data.shape[2] not in (1, 3) or data.dtype != self.data.dtype:
            raise UsageError(f"data is {data.shape} {data.dtype}; give (H, W, 1 or 3) {self.data.dtype}")
        if alpha is not None and (alpha.shape != data.shape[:2] or alpha.dtype != data.dtype):
            raise UsageError(f"alpha is {alpha.shape} {alpha.dtype}; give {data.shape[:2]} {data.dtype}, as the data")
        return replace(self, data=data, alpha=alpha)

    @classmethod
    def from_array(cls, array: ArrayLike) -> Image:
        """Take an array: (H, W), or (H, W, C) with C = 1, 2 (gray, alpha), 3 or 4 (RGB, alpha).

        Args:
            array: uint8, uint16 or float, of either byte order. Floats are nominally in [0, 1], and noise may leave
                that; 12 bits in 16, and other ranges of floats, are recognized as they are in files.

        Raises:
            UsageError: Another shape or type.
            InputError: NaN or infinity.
        """
        values = np.asarray(array)
        if values.ndim == 2:
            values = values[..., None]
        if values.ndim != 3 or values.shape[2] not in (1, 2, 3, 4) or 0 in values.shape:
            raise UsageError(f"an array of shape {np.shape(array)} is no image; give (H, W) or (H, W, 1 to 4)")
        if values.dtype.kind == "f":
            with np.errstate(over="ignore"):
                values = values.astype(np.float32, copy=False)
            _check_finite(values)
        elif values.dtype.kind == "u" and values.dtype.itemsize <= 2:
            values = values.astype(values.dtype.newbyteorder("="), copy=False)
        else:
            raise UsageError(f"pixels of type {values.dtype}; give uint8, uint16, or float in [0, 1]")
        data, alpha = split(values)
        return cls(data, alpha, value_range=used_range(data))

    @classmethod
    def from_pil(cls, image: PIL.Image.Image) -> Image:
        """Take a Pillow image, upright: an EXIF orientation is applied and reset, as `read_image` does.

        Raises:
            InputError: NaN, infinity, or 32-bit integers outside 0..65535.
        """
        return cls._from_decoded(decode_pil(image))

    def to_pil(self) -> PIL.Image.Image:
        """Make a Pillow image: L, LA, RGB, RGBA, I;16 or F; what those cannot hold is rounded to 8 bits."""
        return encode_pil(self.data, self.alpha, (self.value_range.low, self.value_range.high), self.metadata)

    def save(self, path: str | Path, **options: Any) -> tuple[str, ...]:
        """Write it, as `write_image` does."""
        return write_image(self, path, **options)

    @classmethod
    def _from_decoded(cls, decoded: Decoded) -> Image:
        _check_finite(decoded.data)
        if decoded.alpha is not None:
            _check_finite(decoded.alpha)
        known = used_range(decoded.data)
        return cls(decoded.data, decoded.alpha, decoded.metadata, warnings=decoded.warnings, value_range=known)


def _check_finite(values: NDArray[Any]) -> None:
    if values.dtype.kind == "f" and not np.isfinite((values.min(), values.max())).all():
        raise InputError("it holds NaN or infinite values; repair it first")


def read_image(source: str | Path | bytes, limits: Limits = Limits()) -> Image:
    """Read a photograph; of several frames or pages the first, with a warning.

    Args:
        source: A path, or the bytes of a file.
        limits: The largest input; checked before anything is decoded.

    Raises:
        InputError: It cannot be opened, is too large, of another format, damaged, or holds NaN or infinity.
        MissingDependencyError: It is HEIC, and pillow-heif is not installed.
    """
    path = None if isinstance(source, bytes) else Path(source)
    try:
        with _opened(source) as file:
            limits.check_bytes(file.seek(0, io.SEEK_END))
            file.seek(0)
            head = file.read(4096)
            kind = sniff(head)
            if kind is None:
                raise InputError(f"it is no image that can be read; give one of {', '.join(FORMATS)}")
            image = Image._from_decoded(decode(file, kind, limits.check_pixels))
    except InputError as error:
        raise InputError(f"{path or 'the input'}: {error}") from error
    except OSError as error:
        raise InputError(f"{path or 'the input'}: it cannot be read: {error.strerror or error}") from error
    warnings = image.warnings
    if path is not None and path.suffix.lower() in set().union(*FORMATS.values()) - set(FORMATS[kind]):
        warnings = (f"is {kind.upper()} in spite of its name", *warnings)
    if kind == "png" and b"acTL" in head:
        warnings = (*warnings, "holds an animation: only its still image is used")
    return replace(image, format=kind, path=path, warnings=warnings)


@contextmanager
def _opened(source: str | Path | bytes) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif "\0" in str(source):
        raise InputError("its name holds a NUL character")
    elif not stat.S_ISREG(Path(source).stat().st_mode):  # to open a pipe would be to wait for it
        raise InputError("it is not a file; give the path of an image")
    else:
        with Path(source).open("rb") as file:
            yield file


def output_format(image: Image) -> str:
    """Name the format that an image is written in unless another is asked for: its own, if that loses nothing.

    PNG (TIFF for float) takes the place of GIF, of one that cannot hold its depth or its alpha, and of HEIF where
    pillow-heif has no encoder.
    """
    kind = image.format
    holds = image.depth <= DEPTHS.get(kind, 0) and (image.alpha is None or kind not in OPAQUE)
    if holds and (kind != "heif" or heif_is_written()):
        return kind
    return "png" if image.depth <= DEPTHS["png"] else "tiff"


def losses(image: Image, format: str) -> tuple[str, ...]:  # noqa: A002
    """Say what an image loses in a format, one line each, beyond what lossy compression loses."""
    kind = _output_kind(image, format)
    lost = []
    if image.depth > DEPTHS[kind]:
        lost.append(f"{kind} holds {DEPTHS[kind]} of its {image.depth} bits a sample")
        lost += _clipped(image)
    if image.alpha is not None and kind in OPAQUE:
        lost.append(f"{kind} holds no alpha: flattened onto white")
    held = image.metadata.held_by(kind)
    names = [name for name, value in vars(image.metadata).items() if value is not None and getattr(held, name) is None]
    if names:
        lost.append(f"{kind} cannot hold its {', '.join(names)}: left out")
    return tuple(lost)


def _clipped(image: Image) -> list[str]:
    """Say what of values outside of black to white is lost where they are rounded."""
    low, high = image.value_range.low, image.value_range.high
    if image.data.min() >= low and image.data.max() <= high:
        return []
    return [f"its values outside of {low:.4g} to {high:.4g} are clipped"]


def write_image(
    image: Image,
    path: str | Path,
    *,
    overwrite: bool = False,
    format: str | None = None,  # noqa: A002 - the word that Pillow and scikit-image use
    quality: int = QUALITY,
) -> tuple[str, ...]:
    """Write an image whole or not at all: into a hidden file beside `path`, which then takes its name.

    JPEG is written 4:4:4, WebP lossy, TIFF with deflate; each with the depth and the metadata that it can hold.

    Args:
        image: What to write.
        path: Where to.
        overwrite: Whether a file that is there may be replaced.
        format: A key of FORMATS or an extension; by default, as `path` is named, else `output_format`.
        quality: 1 to 100, of a lossy format.

    Returns:
        What the format cannot hold, as `losses` says.

    Raises:
        OutputError: `path` exists, its folder does not or is read-only, the disk is full, the encoder refuses.
        UsageError: The format is not one that is written, or quality is out of range.
        MissingDependencyError: The format is HEIF, and pillow-heif is not installed.
    """
    path = Path(path)
    kind = _output_kind(image, format or path.suffix or None)
    _check_quality(quality)
    write_whole(path, lambda file: _encode(file, image, kind, quality), overwrite=overwrite)
    return losses(image, kind)


def write_whole(path: Path, write: Callable[[BinaryIO], object], *, overwrite: bool = False) -> None:
    """Write a file whole or not at all: `write` fills a hidden one beside `path`, which then takes its name.

    Raises:
        OutputError: `path` exists, its folder does not or is read-only, the disk is full.
    """
    temporary = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        if not overwrite and os.path.lexists(path):
            raise OutputError("it exists; choose another name, or allow to overwrite it")
        try:
            with temporary.open("x+b") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            _publish(temporary, path, overwrite)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror or error}") from error


def encode_image(
    image: Image,
    format: str | None = None,  # noqa: A002
    quality: int = QUALITY,
) -> bytes:
    """Give the bytes of the file that `write_image` would write; `losses` says what they lack.

    Raises:
        OutputError: The encoder refuses.
        UsageError: The format is not one that is written, or quality is out of range.
        MissingDependencyError: The format is HEIF, and pillow-heif is not installed.
    """
    _check_quality(quality)
    file = io.BytesIO()
    _encode(file, image, _output_kind(image, format), quality)
    return file.getvalue()


def _encode(file: BinaryIO, image: Image, kind: str, quality: int) -> None:
    scale = (image.value_range.low, image.value_range.high)
    encode(file, kind, image.data, image.alpha, scale, image.metadata.held_by(kind), quality)


def _output_kind(image: Image, name: str | None) -> str:
    """Turn the name or the extension of a format into a key of FORMATS that can be written."""
    if name is None:
        return output_format(image)
    known = {extension: kind for kind, extensions in FORMATS.items() for extension in extensions}
    kind = known.get("." + name.lower().lstrip("."), name.lower())
    if kind not in FORMATS:
        raise unknown("output format", name, DEPTHS)
    if kind not in DEPTHS:
        raise UsageError(f"{kind} is read but not written; choose one of {', '.join(DEPTHS)}")
    return kind


def _check_quality(quality: int) -> None:
    if not 1 <= quality <= 100:
        raise UsageError(f"quality is {quality}; give 1 to 100")


def _publish(temporary: Path, path: Path, overwrite: bool) -> None:
    """Give a finished file its name; without `overwrite`, one that appeared meanwhile stays."""
    if overwrite:
        temporary.replace(path)
    elif os.name == "nt":
        temporary.rename(path)  # fails there if `path` exists
    else:
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if os.path.lexists(path):
                raise
            temporary.rename(path)
    with suppress(OSError):  # not every system lets a folder be opened, or flushed
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
