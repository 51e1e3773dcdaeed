"""From an open file, or a Pillow image, to upright pixels and what else it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import InputError, MissingDependencyError
from resolvent.image import boxes, color, gif, jpeg, png, tiff, unusual, vips, webp
from resolvent.image.complaints import PILLOW_ERRORS, StrayBytes, damaged, judged
from resolvent.image.exif import resolution, upright_exif
from resolvent.image.found import Check, Found, LeftOut
from resolvent.image.iptc import turned_resources
from resolvent.image.jpeg_header import JpegHeader
from resolvent.image.metadata import Metadata
from resolvent.image.xmp import truthful_xmp, upright_xmp

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["Decoded", "decode", "decode_pil", "load_pillow_heif", "split"]

_COLORS = {"b-w", "grey16", "srgb", "rgb", "rgb16", "scrgb", "multiband", "cmyk"}
_EXAMINED: dict[str, Callable[[BinaryIO, Check], Found]] = {
    "jpeg": jpeg.examine,
    "png": png.examine,
    "webp": webp.examine,
    "gif": gif.examine,
    "avif": boxes.examine,
    "heif": boxes.examine,
}
_ANIMATED = {"webp", "gif"}
_ALPHA = (1, 2)  # ExtraSamples: associated or not
_OF_PILLOW = ("exif", "xmp", "dpi")
_FLIPS = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}  # rows, columns


MOST_RUN_LENGTH_PIXELS = 25_000_000
"""Of a run-length encoded BMP, which is decoded in Python: some 2 seconds, however few bytes the file has."""


@dataclass(frozen=True)
class Decoded:
    """Upright pixels (H, W, C), alpha (H, W) or None, what else the file holds, what was changed or left out.

    `extra` is a plane (H, W) that is neither color nor alpha; `jpeg` is None for any other format.
    """

    data: NDArray[Any]
    alpha: NDArray[Any] | None
    metadata: Metadata
    warnings: tuple[str, ...]
    extra: NDArray[Any] | None = None
    jpeg: JpegHeader | None = None


def decode(file: BinaryIO, kind: str, check: Check, frame: int = 1) -> Decoded:
    """Decode an open file.

    Args:
        file: Seekable.
        kind: What `sniff` said of its first bytes.
        check: Called with width, height and bytes of a pixel before any is decoded; raises to refuse.
        frame: Which of its images; the first is 1.

    Raises:
        InputError: The file is damaged, a camera's raw file, holds no such frame, or its samples or colors are of a
            kind that is not read.
        MissingDependencyError: It is HEIC, and pillow-heif is not installed.
        OSError: The file cannot be read.
    """
    file.seek(0)
    if kind == "tiff":
        found = tiff.examine(file, check, frame)
    else:
        found = _EXAMINED[kind](file, check) if kind in _EXAMINED else Found()
        if kind not in _ANIMATED:
            found.choose(frame, 1)
    if kind == "bmp":
        return _decode_bmp(file, check)
    file = found.whole or file
    file.seek(0)
    if kind == "heif":
        return _decode_heif(file, check, found)
    if kind == "tiff":
        return _decode_unusual(file, check, found) or _decode_vips(file, kind, check, found)
    return _decode_vips(file, kind, check, found, frame)


def _decode_unusual(file: BinaryIO, check: Check, found: Found) -> Decoded | None:
    """Decode a TIFF that libvips does not; None for any other."""
    values = unusual.unpack_tiff(file, check)
    if values is None:
        values = unusual.lab_tiff(file, check)
        if values is None:
            return None
        found.warnings.append("converted from CIELAB to sRGB")
        found.fields["icc"] = None
    return _decoded(_usual(values, found), found, found.orientation)


def _decode_vips(file: BinaryIO, kind: str, check: Check, found: Found, frame: int = 1) -> Decoded:
    with vips.session(damaged) as guarded:
        pyvips = vips.load()
        sources = []  # libvips reads from them until it has all pixels

        def opened(**page: int) -> Any:
            file.seek(0)
            source = pyvips.SourceCustom()
            source.on_read(guarded(file.read, None))
            source.on_seek(guarded(vips.seeking(file), -1))
            sources.append(source)
            return getattr(pyvips.Image, f"{vips.OPERATIONS[kind]}load_source")(source, access="sequential", **page)

        image = opened()
        if kind in _ANIMATED:
            found.choose(frame, image.get("n-pages") if image.get_typeof("n-pages") else 1)
            image = opened(page=frame - 1) if frame > 1 else image
        names = ("icc-profile-data", "exif-data", "xmp-data", "resolution-unit", "orientation")
        stored = {name: image.get(name) for name in names if image.get_typeof(name)}
        if image.interpretation not in _COLORS or image.format not in vips.DTYPES:
            raise InputError(f"its colors are {image.interpretation.upper()} of {image.format}; convert it to RGB")
        check(image.width, image.height, image.bands * np.dtype(vips.DTYPES[image.format]).itemsize)
        if image.interpretation == "cmyk":
            found.warnings.append("converted from CMYK to sRGB")
            profile = stored.get("icc-profile-data") or b""
            if profile and not (color.is_sound(profile) and color.space(profile) == "CMYK"):
                found.leave_out("its ICC profile, which is damaged or not of CMYK")
                image = image.copy()
                image.remove("icc-profile-data")
            depth = 8 if image.format == "uchar" else 16
            image = image.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=depth)
            found.fields["icc"] = stored["icc-profile-data"] = found.extras = None
        if image.bands > 4:
            raise InputError(f"it has {image.bands} channels; convert it to gray or RGB, with or without alpha")
        values = np.frombuffer(image.write_to_memory(), vips.DTYPES[image.format])
        complaints = vips.complaints()
    # of a file that has been made whole, they are of the bytes that it has got
    found.warnings += [line for line in judged(complaints) if not (found.whole and isinstance(line, StrayBytes))]
    values = _usual(values.reshape(image.height, image.width, image.bands), found)
    blobs = {"icc": "icc-profile-data", "exif": "exif-data", "xmp": "xmp-data"}
    for name, key in blobs.items():
        found.fields.setdefault(name, stored.get(key))
    if kind == "jpeg" and "resolution-unit" in stored:
        found.fields["dpi"] = (image.xres * 25.4, image.yres * 25.4)
    return _decoded(values, found, 1 if kind == "avif" else stored.get("orientation", 1), turned=kind == "avif")


def _usual(values: NDArray[Any], found: Found) -> NDArray[Any]:
    """Bring samples to a type that is worked with."""
    usual = unusual.narrowed(values)
    if usual.dtype != values.dtype:
        exact = np.array_equal(usual, values)
        found.warnings.append(f"its samples are {values.dtype}, read as {usual.dtype}{'' if exact else ', rounded'}")
    return usual


def _decode_bmp(file: BinaryIO, check: Check) -> Decoded:
    from PIL import BmpImagePlugin

    try:
        image = BmpImagePlugin.BmpImageFile(file)
        check(*image.size, 4)
        if image.tile[0][0] == "bmp_rle" and image.width * image.height > MOST_RUN_LENGTH_PIXELS:
            raise InputError("it is a run-length encoded BMP of more than 25 megapixels; save it as a PNG first")
        return decode_pil(image)
    except InputError:
        raise
    except (OSError, *PILLOW_ERRORS) as error:
        raise damaged(error) from error


def _decode_heif(file: BinaryIO, check: Check, found: Found) -> Decoded:
    pillow_heif = load_pillow_heif("reading HEIC")
    try:
        image = pillow_heif.open_heif(file, convert_hdr_to_8bit=False)
        width, height = image.size
        check(width, height, 4 if image.info["bit_depth"] == 8 else 8)
        values = np.asarray(image.to_pillow().convert("RGBA") if image.premultiplied_alpha else image)
    except InputError:
        raise
    except (OSError, *PILLOW_ERRORS) as error:
        raise damaged(error) from error
    if len(image) > 1:
        found.warnings.insert(0, f"holds {len(image)} images: only the main one is used")
    for name, key in {"icc": "icc_profile", "exif": "exif", "xmp": "xmp"}.items():
        found.fields[name] = image.info.get(key) or found.fields.get(name)
    return _decoded(values.reshape(*values.shape[:2], -1), found, turned=True)


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
    mode, clear, found = image.mode, image.has_transparency_data, Found()
    found.fields = {"icc" if key == "icc_profile" else key: image.info.get(key) for key in ("icc_profile", *_OF_PILLOW)}
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
            found.warnings.append(f"converted from {mode} to RGB")
            found.fields["icc"] = None
        values = np.asarray(image.convert("RGBA" if clear else "RGB"))
    return _decoded(values.reshape(*values.shape[:2], -1), found, image.getexif().get(0x0112, 1))


def _decoded(values: NDArray[Any], found: Found, orientation: int = 1, *, turned: bool = False) -> Decoded:
    """Turn pixels as stored, (H, W, 1 to 4), upright, and say so in EXIF and XMP; `turned`: they are already."""
    known, warnings = dict(found.fields), found.warnings
    if orientation in _FLIPS:
        rows, columns = _FLIPS[orientation]
        values = (values.swapaxes(0, 1) if orientation >= 5 else values)[::rows, ::columns]
        for name in ("dpi", "density"):
            known[name] = known[name][::-1] if known.get(name) and orientation >= 5 else known.get(name)
        known["iptc"] = turned_resources(known["iptc"]) if known.get("iptc") else None
        for name, words in {"geo": "GeoTIFF tags", "gain_map": "gain map"}.items():
            if known.pop(name, None):
                found.leave_out(f"its {words}, of a picture that had yet to be turned")
    if known.get("icc") and not color.is_sound(known["icc"]):
        known["icc"] = None
        found.leave_out("its ICC profile, which is damaged")
    for name in ("xmp", "xmp_extension"):
        if known.get(name):
            known[name] = truthful_xmp(known[name], gain_map=bool(known.get("gain_map")))
            if turned or orientation in _FLIPS:
                known[name] = upright_xmp(known[name])
    try:
        known["exif"] = upright_exif(known["exif"]) if known.get("exif") else None
    except ValueError as error:
        warnings.append(LeftOut(f"EXIF left out: {error}"))
        known["exif"] = None
    known["dpi"] = known.get("dpi") or resolution(known["exif"])
    for name in ("dpi", "density"):
        if known.get(name):
            pair = tuple(round(float(value), 4) for value in known[name])
            known[name] = pair if all(0 < value < 1e6 for value in pair) else None
    data, plane = split(values)
    metadata = Metadata(**{name: value for name, value in known.items() if value})
    if found.extras and found.extras[0] not in _ALPHA:
        return Decoded(data, None, metadata, tuple(warnings), plane)
    return Decoded(data, plane, metadata, tuple(warnings), jpeg=found.jpeg)


def split(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Part (H, W, 1 to 4) into colors (H, W, 1 or 3) and alpha (H, W), each contiguous; copied only where needed."""
    colors = 1 if values.shape[2] < 3 else 3
    alpha = np.ascontiguousarray(values[..., colors]) if values.shape[2] > colors else None
    return np.ascontiguousarray(values[..., :colors]), alpha
