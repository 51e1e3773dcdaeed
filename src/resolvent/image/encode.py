"""From pixels and metadata to a file."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import OutputError
from resolvent.image import boxes, color, jpeg, png, vips
from resolvent.image.complaints import PILLOW_ERRORS
from resolvent.image.decode import load_pillow_heif
from resolvent.image.exif import PREFIX, of_new_pixels, put_back, stand_in
from resolvent.image.formats import DEPTHS, OPAQUE
from resolvent.image.metadata import Metadata
from resolvent.image.tiff import UNSPECIFIED_SAMPLE, add_to_tiff, iptc_tags, resolution_tags

if TYPE_CHECKING:
    import PIL.Image

_HEAD = 64
"""Bytes of a JPEG or PNG, as libvips writes it, that have to be seen before metadata can be put into it."""

__all__ = ["encode", "encode_pil", "heif_is_written", "is_lossy"]


def encode_pil(
    data: NDArray[Any], alpha: NDArray[Any] | None, scale: tuple[float, float], metadata: Metadata
) -> PIL.Image.Image:
    """Make a Pillow image: L, LA, RGB, RGBA, I;16 or F; what those cannot hold is rounded to 8 bits."""
    from PIL import Image

    deep = data.itemsize > 1 and data.shape[2] == 1 and alpha is None
    image = Image.fromarray(data[..., 0] if deep else vips.over(data, alpha, scale, 8).numpy())
    exif = metadata.exif and of_new_pixels(metadata.exif, *image.size)
    known = {"icc_profile": metadata.icc, "exif": exif, "xmp": metadata.xmp, "dpi": metadata.dpi}
    image.info |= {name: value for name, value in known.items() if value is not None}
    return image


def heif_is_written() -> bool:
    """Whether pillow-heif is installed and has an encoder."""
    return importlib.util.find_spec("pillow_heif") is not None and bool(load_pillow_heif("").libheif_info()["HEIF"])


def is_lossy(kind: str, quality: int) -> bool:
    """Whether pixels change in this format, a key of DEPTHS, at this quality."""
    return kind == "jpeg" or (kind in ("webp", "avif", "heif") and quality < 100)


def encode(
    file: BinaryIO,
    kind: str,
    data: NDArray[Any],
    alpha: NDArray[Any] | None,
    scale: tuple[float, float],
    metadata: Metadata,
    quality: int,
    extra: NDArray[Any] | None = None,
) -> None:
    """Write an image into an open, empty file; what the format cannot hold is rounded or left out.

    Args:
        file: Open for writing and reading.
        kind: A key of DEPTHS.
        data: (H, W, C), uint8, uint16 or float32.
        alpha: (H, W), as `data`; flattened onto white where the format is one of OPAQUE.
        scale: Values of `data` that become 0 and the largest integer, where it has to be rounded.
        metadata: As `Metadata.held_by` gives it for this format.
        quality: 1 to 100, of a lossy format; 100 is lossless for WebP, AVIF and HEIF.
        extra: (H, W), as `data`; a plane that is no alpha, which a TIFF without alpha holds.

    Raises:
        OutputError: The encoder refuses, as WebP does an image of more than 16383 pixels a side.
        MissingDependencyError: HEIF without pillow-heif.
        OSError: The file cannot be written.
    """
    if metadata.exif:
        height, width = data.shape[:2]
        metadata = replace(metadata, exif=of_new_pixels(metadata.exif, width, height))

    def refused(reason: object) -> OutputError:
        return OutputError(f"the {kind} encoder refuses: {reason}")

    with vips.session(refused) as guarded:
        image = vips.over(data, extra if alpha is None and kind == "tiff" else alpha, scale, DEPTHS[kind])
        if alpha is not None and kind in OPAQUE:
            image = image.flatten(background=255)
        if kind == "bmp":
            _encode_bmp(file, image, metadata)
        elif kind == "heif":
            try:
                _encode_heif(file, image, metadata, quality)
            except PILLOW_ERRORS as error:
                raise refused(error) from error
        else:
            _encode_vips(file, kind, image, metadata, quality, guarded)
    if kind == "tiff":
        more = resolution_tags(metadata.dpi, metadata.density) | iptc_tags(metadata.iptc)
        if extra is not None and alpha is None:
            more |= UNSPECIFIED_SAMPLE
        add_to_tiff(file, metadata.exif, more, metadata.geo)
    elif kind == "jpeg" and metadata.gain_map:
        jpeg.append_gain_map(file, metadata)
    elif metadata.exif and kind in ("webp", "avif"):
        put_back(file, metadata.exif)
    if metadata.icc and kind == "avif":
        boxes.put_color(file, metadata.icc, quality == 100)


def _encode_vips(file: BinaryIO, kind: str, image: Any, metadata: Metadata, quality: int, guarded: vips.Guard) -> None:
    lossy = {"Q": quality, "lossless": quality == 100}
    size = image.width * image.height * image.bands * np.dtype(vips.DTYPES[image.format]).itemsize
    predictor = "float" if image.format == "float" else "horizontal"
    bits = 12 if image.format == "ushort" else 8
    options: dict[str, dict[str, Any]] = {
        "jpeg": {"Q": quality, "subsample_mode": "off"},
        "png": {"filter": "paeth"},
        "webp": {**lossy, "smart_subsample": True, "exact": True},
        "tiff": {"compression": "deflate", "predictor": predictor, "resunit": "inch", "bigtiff": size > 4e9},
        "avif": {**lossy, "compression": "av1", "subsample_mode": "off", "effort": 0, "bitdepth": bits},
    }
    write: Callable[[bytes], int] = file.write
    keep = "none"
    if kind in ("jpeg", "png"):
        write = _with_metadata(write, metadata)
    else:
        exif = stand_in(metadata.exif) if metadata.exif and kind != "tiff" else None
        blobs = {"icc-profile-data": metadata.icc, "xmp-data": metadata.xmp, "exif-data": exif}
        for name, blob in blobs.items():
            if blob:
                image.set_type(vips.load().GValue.blob_type, name, blob)
        keep = "icc:xmp:exif" if exif else "icc:xmp"
    target = vips.load().TargetCustom()
    target.on_write(guarded(write, -1))
    target.on_read(guarded(file.read, None))
    target.on_seek(guarded(vips.seeking(file), -1))
    getattr(image, f"{vips.OPERATIONS[kind]}save_target")(target, keep=keep, **options[kind])


def _with_metadata(write: Callable[[bytes], int], metadata: Metadata) -> Callable[[bytes], int]:
    """Wrap the `write` of a JPEG or PNG: as soon as the head of the file is there, the metadata goes into it."""
    head: bytes | None = b""

    def run(chunk: bytes) -> int:
        nonlocal head
        if head is None:
            return write(chunk)
        head += bytes(chunk)
        if len(head) >= _HEAD:
            write(_embedded(head, metadata))
            head = None
        return len(chunk)

    return run


def _embedded(head: bytes, metadata: Metadata) -> bytes:
    """Put metadata into the first _HEAD bytes or more of a JPEG or a PNG that holds none."""
    if head.startswith(b"\xff\xd8"):
        return head[:2] + jpeg.segments(metadata) + head[2:]
    made_up = 21 if head[37:41] == b"pHYs" else 0  # libvips writes a resolution even where none is known
    exif = metadata.exif and metadata.exif[len(PREFIX) :]
    return head[:33] + png.chunks(metadata, exif) + head[33 + made_up :]


def _encode_bmp(file: BinaryIO, image: Any, metadata: Metadata) -> None:
    from PIL import Image

    encoded = io.BytesIO()  # given a real file, Pillow does not notice that the disk is full
    Image.fromarray(image.numpy()).save(encoded, "BMP", dpi=metadata.dpi or (0, 0))
    file.write(encoded.getbuffer())


def _encode_heif(file: BinaryIO, image: Any, metadata: Metadata, quality: int) -> None:
    known: dict[str, Any] = {"exif": metadata.exif, "xmp": metadata.xmp, "icc_profile": metadata.icc}
    if metadata.icc and (numbers := color.cicp_of(metadata.icc)):  # where viewers look for them
        known |= {"icc_profile": None, "color_primaries": numbers[0], "transfer_characteristics": numbers[1]}
        known["save_nclx_profile"] = True
    load_pillow_heif("writing HEIC").encode(
        ("L", "LA", "RGB", "RGBA")[image.bands - 1] + (";16" if image.format == "ushort" else ""),
        (image.width, image.height),
        image.write_to_memory(),
        file,
        quality=-1 if quality == 100 else quality,
        chroma=444,
        **{name: value for name, value in known.items() if value},
    )
