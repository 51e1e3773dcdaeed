"""From an open file, or a Pillow image, to upright pixels and what else it holds."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import InputError, MissingDependencyError
from resolvent.image import vips
from resolvent.image.metadata import Metadata, from_tiff, resolution, upright_exif, upright_xmp

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["PILLOW_ERRORS", "Decoded", "decode", "decode_pil", "load_pillow_heif", "split"]

PILLOW_ERRORS = (
    *(SyntaxError, EOFError, ValueError, LookupError, TypeError, ArithmeticError, RuntimeError, AttributeError),
    struct.error,
)
"""What Pillow and pillow-heif raise for a damaged file, besides OSError."""

_COLORS = {"b-w", "grey16", "srgb", "rgb", "rgb16", "scrgb", "multiband", "cmyk"}
_SILENT = 2.834  # pixels per mm, as libvips says where a PNG says nothing
_FLIPS = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}  # rows, columns

Check = Callable[[int, int], None]


@dataclass(frozen=True)
class Decoded:
    """Upright pixels (H, W, C), alpha (H, W) or None, what else the file holds, what was changed or left out."""

    data: NDArray[Any]
    alpha: NDArray[Any] | None
    metadata: Metadata
    warnings: tuple[str, ...]


def decode(file: BinaryIO, kind: str, check: Check) -> Decoded:
    """Decode an open file.

    Args:
        file: Seekable.
        kind: What `sniff` said of its first bytes.
        check: Called with width and height before any pixel is decoded; raises to refuse.

    Raises:
        InputError: The file is damaged, or its samples or colors are of a kind that is not read.
        MissingDependencyError: It is HEIC, and pillow-heif is not installed.
        OSError: The file cannot be read.
    """
    file.seek(0)
    read = {"bmp": _decode_bmp, "heif": _decode_heif}.get(kind)
    return read(file, check) if read else _decode_vips(file, kind, check)


def _damaged(reason: object) -> InputError:
    line = " ".join(str(reason).split()).rstrip(".") or "it is damaged"
    return InputError(f"it cannot be decoded: {line}; use an intact copy, or convert it")


def _decode_vips(file: BinaryIO, kind: str, check: Check) -> Decoded:
    with vips.session(_damaged) as guarded:
        pyvips = vips.load()
        source = pyvips.SourceCustom()
        source.on_read(guarded(file.read, None))
        source.on_seek(guarded(vips.seeking(file), -1))
        image = getattr(pyvips.Image, f"{vips.OPERATIONS[kind]}load_source")(
            source, access="sequential", fail_on="error"
        )
        check(image.width, image.height)
        names = ("icc-profile-data", "exif-data", "xmp-data", "resolution-unit", "orientation", "n-pages")
        stored = {name: image.get(name) for name in names if image.get_typeof(name)}
        warnings = [f"holds {stored['n-pages']} images: only the first is used"] if stored.get("n-pages", 1) > 1 else []
        if image.format not in vips.DTYPES:
            raise InputError(f"its samples are of type {image.format}; convert them to 8 or 16 bits or to float")
        if image.interpretation not in _COLORS:
            raise InputError(f"its colors are {image.interpretation.upper()}; convert it to RGB")
        if image.interpretation == "cmyk":
            warnings.append("converted from CMYK to sRGB")
            depth = 8 if image.format == "uchar" else 16
            image = image.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=depth)
            stored["icc-profile-data"] = None
        if image.bands > 4:
            raise InputError(f"it has {image.bands} channels; convert it to gray or RGB, with or without alpha")
        values = np.frombuffer(image.write_to_memory(), vips.DTYPES[image.format])
    if kind == "tiff":
        try:
            stored["exif-data"] = from_tiff(file)
        except ValueError as error:
            warnings.append(f"EXIF left out: {error}")
    known = "resolution-unit" in stored if kind in ("jpeg", "tiff") else kind == "png" and image.xres != _SILENT
    return _decoded(
        values.reshape(image.height, image.width, image.bands),
        stored.get("orientation", 1),
        warnings,
        icc=stored.get("icc-profile-data"),
        exif=stored.get("exif-data"),
        xmp=stored.get("xmp-data"),
        dpi=(image.xres * 25.4, image.yres * 25.4) if known else None,
        turned=kind == "avif",
    )


def _decode_bmp(file: BinaryIO, check: Check) -> Decoded:
    from PIL import BmpImagePlugin

    try:
        image = BmpImagePlugin.BmpImageFile(file)
        check(*image.size)
        return decode_pil(image)
    except InputError:
        raise
    except (OSError, *PILLOW_ERRORS) as error:
        raise _damaged(error) from error


def _decode_heif(file: BinaryIO, check: Check) -> Decoded:
    pillow_heif = load_pillow_heif("reading HEIC")
    try:
        image = pillow_heif.open_heif(file, convert_hdr_to_8bit=False)
        check(*image.size)
        values = np.asarray(image.to_pillow().convert("RGBA") if image.premultiplied_alpha else image)
    except InputError:
        raise
    except (OSError, *PILLOW_ERRORS) as error:
        raise _damaged(error) from error
    warnings = [f"holds {len(image)} images: only the main one is used"] if len(image) > 1 else []
    info = image.info
    return _decoded(
        values.reshape(*values.shape[:2], -1),
        1,
        warnings,
        icc=info.get("icc_profile"),
        exif=info.get("exif"),
        xmp=info.get("xmp"),
        turned=True,
    )


def load_pillow_heif(purpose: str) -> Any:
    """Import pillow-heif, or raise MissingDependencyError that says what it is needed for."""
    try:
        import pillow_heif
    except ImportError:
        raise MissingDependencyError("pillow-heif", "heif", purpose) from None
    return pillow_heif


def decode_pil(image: PIL.Image.Image) -> Decoded:
    """Take the pixels and the metadata of a Pillow image, upright as its EXIF says.

    Raises:
        InputError: It has no pixels, or its pixels are 32-bit integers outside 0..65535.
    """
    if 0 in image.size:
        raise InputError(f"an image of {image.width} x {image.height} pixels holds nothing; give another")
    image.load()
    mode, clear, warnings, icc = image.mode, image.has_transparency_data, [], image.info.get("icc_profile")
    if mode == "I" or mode.startswith("I;16"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise InputError(f"it has 32-bit pixels, {values.min()} to {values.max()}; bring them to 0..65535")
        values = values.astype(np.uint16)
    elif mode == "F":
        values = np.asarray(image)
    elif mode in ("1", "L", "LA", "La"):
        values = np.asarray(image.convert("LA" if clear else "L"))
    else:
        if mode not in ("RGB", "RGBA", "RGBX", "RGBa", "P", "PA"):
            warnings.append(f"converted from {mode} to RGB")
            icc = None
        values = np.asarray(image.convert("RGBA" if clear else "RGB"))
    return _decoded(
        values.reshape(*values.shape[:2], -1),
        image.getexif().get(0x0112, 1),
        warnings,
        icc=icc,
        exif=image.info.get("exif"),
        xmp=image.info.get("xmp"),
        dpi=image.info.get("dpi"),
    )


def _decoded(
    values: NDArray[Any],
    orientation: int,
    warnings: list[str],
    *,
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    turned: bool = False,
) -> Decoded:
    """Turn pixels as stored, (H, W, 1 to 4), upright, and say so in EXIF and XMP; `turned`: they are already."""
    if orientation in _FLIPS:
        rows, columns = _FLIPS[orientation]
        values = (values.swapaxes(0, 1) if orientation >= 5 else values)[::rows, ::columns]
    if xmp and (turned or orientation in _FLIPS):
        xmp = upright_xmp(xmp)
    try:
        exif = upright_exif(exif) if exif else None
    except ValueError as error:
        warnings.append(f"EXIF left out: {error}")
        exif = None
    dpi = dpi or resolution(exif)
    if dpi:
        dpi = (round(float(dpi[0]), 4), round(float(dpi[1]), 4))
        dpi = dpi if all(0 < value < 1e6 for value in dpi) else None
    data, alpha = split(values)
    return Decoded(data, alpha, Metadata(icc or None, exif, xmp or None, dpi), tuple(warnings))


def split(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Part (H, W, 1 to 4) into colors (H, W, 1 or 3) and alpha (H, W), each contiguous; copied only where needed."""
    colors = 1 if values.shape[2] < 3 else 3
    alpha = np.ascontiguousarray(values[..., colors]) if values.shape[2] > colors else None
    return np.ascontiguousarray(values[..., :colors]), alpha
