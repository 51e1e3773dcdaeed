"""Between the bytes of image files and arrays: one loader and one saver a format, and no other can be reached.

::

    decode.py    an open file to pixels, alpha and metadata; also Pillow images
    encode.py    the way back
    metadata.py  EXIF, XMP, ICC and resolution as bytes, and their places in the files
    vips.py      libvips: its errors, its logs, its images over numpy arrays

libvips (through pyvips) decodes and encodes JPEG, PNG, WebP, TIFF and AVIF, and decodes GIF; Pillow does BMP;
pillow-heif, where it is installed, HEIC. An error here says what is wrong, and its caller with which file.
"""

from __future__ import annotations

__all__ = ["DEPTHS", "FORMATS", "LONGEST", "OPAQUE", "QUALITY", "sniff"]

FORMATS: dict[str, tuple[str, ...]] = {
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "png": (".png",),
    "webp": (".webp",),
    "tiff": (".tif", ".tiff"),
    "avif": (".avif",),
    "gif": (".gif",),
    "bmp": (".bmp", ".dib"),
    "heif": (".heic", ".heif", ".hif"),
}
"""The formats that are read, and their file name extensions."""

DEPTHS = {"jpeg": 8, "png": 16, "webp": 8, "tiff": 32, "avif": 16, "bmp": 8, "heif": 16}
"""The formats that are written, and the most bits of a sample; of 16, AVIF keeps 12 and HEIF 10."""

LONGEST = {"jpeg": 65_500, "webp": 16_383, "avif": 16_384, "heif": 16_384}
"""The most pixels a side of the formats that have such a limit, in the format or in its encoder."""

OPAQUE = {"jpeg", "bmp"}
"""The formats that are written without alpha."""

QUALITY = 95
"""Quality of a lossy output, 1 to 100; 100 is lossless for WebP, AVIF and HEIF."""


def sniff(head: bytes) -> str | None:
    """Name the format that the first bytes of a file announce; None for any that is not read."""
    signatures = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png", b"BM": "bmp"}
    signatures |= dict.fromkeys((b"GIF87a", b"GIF89a"), "gif")
    signatures |= dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "tiff")
    for signature, kind in signatures.items():
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":  # ISO base media: the size of this box, its name, then brands of four bytes
        box = head[8 : int.from_bytes(head[:4], "big")]
        brands = {box[at : at + 4] for at in range(0, len(box), 4)}
        if brands & {b"avif", b"avis"}:
            return "avif"
        if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}:
            return "heif"
    return None
