"""Read a photograph within limits, and write it with its metadata, atomically.

The format of an input is recognized by its bytes, never by its name.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, SupportsIndex

from resolvent.errors import FormatError, InputError, UsageError, unknown
from resolvent.image.decode import decode
from resolvent.image.encode import encode, heif_is_written
from resolvent.image.formats import DEPTHS, FORMATS, OPAQUE, QUALITY, RAW, raw_error, sniff
from resolvent.image.image import Image, Limits, check_limits
from resolvent.io import write_atomic

__all__ = [
    "QUALITY",
    "check_quality",
    "encode_image",
    "misnamed",
    "output_format",
    "read_image",
    "unsupported",
    "write_image",
]


def read_image(
    source: str | Path | bytes,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    *,
    frame: int = 1,
) -> Image:
    """Read a photograph; of several frames or pages one, with a warning.

    Args:
        source: A path, or the bytes of a file.
        limits: The largest input; checked before anything is decoded.
        frame: Which page of a TIFF, or frame of a WebP or GIF animation; the first is 1.

    Returns:
        The photograph, upright, with its metadata, and what is amiss with the file as ``warnings``.

    Raises:
        InputError: It cannot be opened, is too large, of another format, damaged, or holds NaN or infinity; or it holds
            no such frame.
        UsageError: `frame` is below 1, `limits` are no Limits, or the path is a URL.
        MissingDependencyError: It is HEIC, and pillow-heif is not installed.
    """
    check_limits(limits)
    if frame < 1:
        raise UsageError(f"frame {frame}: must be at least 1, the first")
    path = None if isinstance(source, bytes) else Path(source)
    try:
        with _opened(source) as file:
            limits.check_bytes(file.seek(0, io.SEEK_END))
            file.seek(0)
            head = file.read(4096)
            kind = sniff(head)
            if kind in (None, "tiff") and path is not None and path.suffix.lower() in RAW:
                raise raw_error(path.suffix[1:].upper())
            if kind is None:
                raise FormatError(f"it is not a supported image format; give one of {', '.join(FORMATS)}")
            image = Image._from_decoded(decode(file, kind, limits.check_pixels, frame))
    except InputError as error:
        raise type(error)(f"{path or 'the input'}: {error}") from error
    except OSError as error:
        if isinstance(error, FileNotFoundError) and isinstance(source, str) and "://" in source:
            raise UsageError(f"{source}: is a URL, not a path; give it to resolvent.restore_many") from error
        if isinstance(error, FileNotFoundError):
            raise InputError(f"{path}: there is no such file; check its name and folder") from error
        raise InputError(f"{path or 'the input'}: it cannot be read: {error.strerror or error}") from error
    warnings = image.warnings if path is None else (*misnamed(kind, path.suffix), *image.warnings)
    return replace(image, format=kind, path=path, warnings=warnings)


def misnamed(kind: str, suffix: str) -> tuple[str, ...]:
    """Say so where the name of a file ends as of another format than that of its bytes."""
    if suffix.lower() not in set().union(*FORMATS.values()) - set(FORMATS[kind]):
        return ()
    return (f"is {kind.upper()}, although its name ends in {suffix}",)


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


def unsupported(image: Image, format: str) -> tuple[str, ...]:  # noqa: A002
    """Say what an image loses in a format, one line each, beyond what lossy compression loses."""
    kind = _output_kind(image, format)
    lost = []
    if image.depth > DEPTHS[kind]:
        lost.append(f"{kind} holds {DEPTHS[kind]} of its {image.depth} bits a sample")
        lost += _clipped(image)
    if image.alpha is not None and kind in OPAQUE:
        lost.append(f"{kind} holds no alpha: flattened onto white")
    if image.extra is not None and (kind != "tiff" or image.alpha is not None):
        lost.append(f"{kind} holds no extra plane{' with alpha' * (kind == 'tiff')}: left out")
    names = image.metadata.lost_by(kind, image.channels)
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
    same: bool = False,
    format: str | None = None,  # noqa: A002 - the word that Pillow and scikit-image use
    quality: int = QUALITY,
) -> tuple[str, ...]:
    """Write an image whole or not at all: into a hidden file next to `path`, which then takes its name.

    JPEG is written 4:4:4, WebP lossy, TIFF with deflate; each with the depth and the metadata that it can hold.

    Args:
        image: What to write.
        path: Where to.
        overwrite: Whether a file that is there may be replaced.
        same: Whether a file that is there counts as written if it has the same bytes.
        format: A key of FORMATS or an extension; by default, as `path` is named, else `output_format`.
        quality: 1 to 100, of a lossy format.

    Returns:
        What the format cannot hold, as `unsupported` says.

    Raises:
        OutputError: `path` exists, its folder does not or is read-only, the disk is full, the encoder refuses.
        UsageError: `path` is no path, the format is not one that is written, or quality is out of range.
        MissingDependencyError: The format is HEIF, and pillow-heif is not installed.
    """
    path = _output_path(path)
    kind = _output_kind(image, format or path.suffix or None)
    check_quality(quality)
    write_atomic(
        path, lambda file: _encode(file, image, kind, quality), overwrite=overwrite, same=same, like=image.path
    )
    return unsupported(image, kind)


def encode_image(
    image: Image,
    format: str | None = None,  # noqa: A002
    quality: int = QUALITY,
) -> bytes:
    """Give the bytes of the file that `write_image` would write; `unsupported` says what they lack.

    Raises:
        OutputError: The encoder refuses.
        UsageError: The format is not one that is written, or quality is out of range.
        MissingDependencyError: The format is HEIF, and pillow-heif is not installed.
    """
    check_quality(quality)
    file = io.BytesIO()
    _encode(file, image, _output_kind(image, format), quality)
    return file.getvalue()


def _encode(file: BinaryIO, image: Image, kind: str, quality: int) -> None:
    scale = (image.value_range.low, image.value_range.high)
    metadata = image.metadata.held_by(kind, image.channels)
    encode(file, kind, image.data, image.alpha, scale, metadata, quality, image.extra)


def _output_path(path: object) -> Path:
    if not isinstance(path, str | os.PathLike):
        open_file = hasattr(path, "write")
        remedy = "to write into an open file, use image.to_pil().save(file, 'png')" if open_file else "give 'photo.png'"
        raise UsageError(f"path {path!r:.80}: must be the path of a file; {remedy}")
    if "\0" in os.fspath(path):
        raise UsageError(f"path {os.fspath(path)!r:.80}: holds a null character, as no file's name does; leave it out")
    return Path(path)


def _output_kind(image: Image, name: str | None) -> str:
    """Turn the name or the extension of a format into a key of FORMATS that can be written."""
    if name is None:
        return output_format(image)
    known = {extension: kind for kind, extensions in FORMATS.items() for extension in extensions}
    kind = known.get("." + name.lower().lstrip("."), name.lower())
    if kind not in FORMATS:
        raise unknown("format", name, DEPTHS)
    if kind not in DEPTHS:
        raise UsageError(f"format {kind}: is read but not written; choose one of {', '.join(DEPTHS)}")
    return kind


def check_quality(quality: int) -> None:
    """Raise UsageError for a quality that is none."""
    if not isinstance(quality, SupportsIndex) or not 1 <= quality.__index__() <= 100:
        raise UsageError(f"quality {quality!r}: must be a whole number from 1 to 100")
